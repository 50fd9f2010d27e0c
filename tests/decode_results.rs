//! The result file of `decode` against the peer's own: written from the peer's numbers, it must
//! open as the peer's does, through our reader and through xarray; and its bytes must not depend on
//! how the rows came.

mod common;

use common::{done, fixture, python, read};
use nissl::array::Dtype;
use nissl::commands::decode::results::{Columns, ResultFile, ResultLayout, ResultState, Variable};
use nissl::io::{self, AttributeValue, Entry};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// One of the peer's files with what is needed to write it again.
struct Example {
    peer: PathBuf,
    time: Vec<f64>,
    states: Vec<ResultState>,
    axes: usize,
    centers: Vec<f64>,
    interior: Vec<bool>,
    marginal: f64,
}

impl Example {
    fn new(set: &str, file: &str, states: &[(&str, bool)], marginal: f64) -> Self {
        let folder = fixture("decode").join(set);
        let centers = read(&folder.join("place_bin_centers.npy"), "");
        let state = |&(name, one_bin): &(&str, bool)| ResultState { name: name.into(), one_bin };
        let bytes = std::fs::read(folder.join("is_track_interior.npy")).unwrap();
        let interior: Vec<bool> =
            bytes[bytes.len() - centers.shape[0]..].iter().map(|&byte| byte != 0).collect();
        assert!(bytes.starts_with(b"\x93NUMPY"));
        let peer = folder.join(file);
        Example {
            time: read(&peer, "time").values,
            peer,
            states: states.iter().map(state).collect(),
            axes: centers.shape.get(1).copied().unwrap_or(1),
            centers: centers.values,
            interior,
            marginal,
        }
    }

    fn layout(&self) -> ResultLayout<'_> {
        ResultLayout {
            time: &self.time,
            states: &self.states,
            axes: self.axes,
            centers: &self.centers,
            interior: &self.interior,
        }
    }

    /// Computing columns of a variable of the peer's file.
    fn narrow(&self, name: &str) -> Vec<f64> {
        let columns = Columns::of(&self.layout());
        let wide = read(&self.peer, name).values;
        assert_eq!(wide.len(), self.time.len() * columns.wide, "{name}");
        let rows = wide.chunks(columns.wide);
        rows.flat_map(|row| columns.places.iter().map(|&place| row[place]).collect::<Vec<_>>()).collect()
    }
}

fn examples() -> [Example; 4] {
    let one = [("Continuous", false)];
    let four = [
        ("Local", true),
        ("No-Spike", true),
        ("Non-Local Continuous", false),
        ("Non-Local Fragmented", false),
    ];
    let two = [("Continuous", false), ("Fragmented", false)];
    [
        Example::new("track1d", "results_decoder.nc", &one, -8184.734375),
        Example::new("track1d", "results_nonlocal.nc", &four, -7944.3310546875),
        Example::new("arena2d", "results_contfrag.nc", &two, -3817.18310546875),
        Example::new("wtrack", "results_decoder.nc", &one, -1286.27978515625),
    ]
}

/// How rows are cut into blocks and in which order these are written.
#[derive(Debug, Clone, Copy)]
enum Order {
    Whole,
    Forwards(usize),
    Backwards(usize),
}

impl Order {
    fn blocks(self, rows: usize) -> Vec<std::ops::Range<usize>> {
        let cut = |step: usize| -> Vec<_> {
            (0..rows).step_by(step).map(|first| first..(first + step).min(rows)).collect()
        };
        match self {
            Order::Whole => cut(rows),
            Order::Forwards(step) => cut(step),
            Order::Backwards(step) => cut(step).into_iter().rev().collect(),
        }
    }
}

/// Writes an example again, with the variables its file has.
fn rewrite(example: &Example, path: &Path, order: Order, compress: Option<u32>) {
    let all = [
        (Variable::AcausalPosterior, "acausal_posterior"),
        (Variable::AcausalStateProbabilities, "acausal_state_probabilities"),
        (Variable::CausalPosterior, "causal_posterior"),
        (Variable::CausalStateProbabilities, "causal_state_probabilities"),
    ];
    let listed = io::open(&example.peer).unwrap().list().unwrap();
    let has = |name: &str| {
        listed.iter().any(|e| matches!(e, Entry::Dataset(d) if d.path.trim_start_matches('/') == name))
    };
    let kept: Vec<_> = all.into_iter().filter(|(_, name)| has(name)).collect();
    let variables: Vec<Variable> = kept.iter().map(|(variable, _)| *variable).collect();
    let layout = example.layout();
    let mut file = ResultFile::create(path, &layout, &variables, compress).unwrap();
    let columns = Columns::of(&layout).places.len();
    for (variable, name) in kept {
        let sums = name.ends_with("probabilities");
        let values = if sums { read(&example.peer, name).values } else { example.narrow(name) };
        let width = if sums { example.states.len() } else { columns };
        for block in order.blocks(example.time.len()) {
            file.write_rows(variable, block.start, &values[block.start * width..block.end * width]).unwrap();
        }
    }
    file.finish(example.marginal).unwrap();
}

fn same(got: &[f64], expected: &[f64]) -> bool {
    got.len() == expected.len()
        && got.iter().zip(expected).all(|(a, b)| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan())
}

#[test]
fn our_reader_finds_in_ours_what_it_finds_in_the_peers() {
    let folder = tempfile::tempdir().unwrap();
    for (number, example) in examples().iter().enumerate() {
        let path = folder.path().join(format!("{number}.nc"));
        rewrite(example, &path, Order::Backwards(77), None);
        let (ours, peers) = (io::open(&path).unwrap(), io::open(&example.peer).unwrap());
        let mut compared = 0;
        for entry in peers.list().unwrap() {
            let Entry::Dataset(expected) = entry else { continue };
            let dataset = ours.dataset(&expected.path).unwrap_or_else(|e| panic!("{e}"));
            let (info, name) = (dataset.info(), &expected.path);
            assert_eq!((&info.shape, &info.stored), (&expected.shape, &expected.stored), "{name}");
            assert_eq!(info.chunks, None, "{name}");
            let scales = |file: &dyn io::Container| file.dimension_scales(name).unwrap();
            assert_eq!(scales(ours.as_ref()), scales(peers.as_ref()), "{name}");
            if matches!(info.stored, io::StoredType::Text) {
                let texts = peers.dataset(name).unwrap().read_text().unwrap();
                assert_eq!(dataset.read_text().unwrap(), texts, "{name}");
            } else {
                let (got, peers) = (read(&path, name), read(&example.peer, name));
                assert!(same(&got.values, &peers.values), "{name} of {}", example.peer.display());
                if !matches!(got.dtype, Dtype::I64) && name != "/state_bins" {
                    let fill = dataset.fill_value().unwrap();
                    assert!(fill.ends_with(&[0xc0, 0x7f]) || fill.ends_with(&[0xf8, 0x7f]), "{name}");
                }
            }
            compared += 1;
        }
        assert!(compared >= 10);
        let roots = ours.attributes("/").unwrap();
        assert_eq!(roots.len(), 1);
        assert_eq!(roots[0].value, AttributeValue::Float(vec![example.marginal], Dtype::F64));
    }
}

#[test]
fn bytes_do_not_depend_on_blocks_or_their_order() {
    let folder = tempfile::tempdir().unwrap();
    let example = &examples()[2];
    for compress in [None, Some(4)] {
        let mut files = Vec::new();
        for order in [Order::Whole, Order::Forwards(50), Order::Backwards(33), Order::Backwards(249)] {
            let path = folder.path().join("x.nc");
            rewrite(example, &path, order, compress);
            files.push(std::fs::read(&path).unwrap());
        }
        assert!(files.iter().all(|file| *file == files[0]), "compress {compress:?}");
    }
}

/// What the readers see in a file.
fn described(python: &Path, path: &Path) -> Value {
    let output = done(Command::new(python).arg("tests/interop/describe.py").arg(path));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn xarray_sees_the_peers_file_in_ours() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    for (number, example) in examples().iter().enumerate() {
        let path = folder.path().join(format!("{number}.nc"));
        rewrite(example, &path, Order::Backwards(100), (number == 1).then_some(4));
        let (ours, peers) = (described(&python, &path), described(&python, &example.peer));
        for engine in ["netcdf4", "h5netcdf"] {
            for part in ["dims", "variables", "attributes"] {
                assert_eq!(ours[engine][part], peers[engine][part], "{engine}: {part} of {number}");
            }
        }
        for part in ["dims", "variables"] {
            assert_eq!(ours["library"][part], peers["library"][part], "{part} of {number}");
        }
        // Fixed text as the netCDF library stores it, but for the terminator that ours always has.
        for (attribute, expected) in peers["text"].as_object().unwrap() {
            if attribute != "/@_NCProperties" {
                assert_eq!(ours["text"][attribute][0], expected[0], "{attribute} of {number}");
            }
        }
        done(Command::new(&python).arg("tests/interop/decode_results.py").arg(&path).arg(&example.peer));
    }
}

#[test]
fn variables_of_our_own_bring_no_dimension_and_no_coordinate() {
    let folder = tempfile::tempdir().unwrap();
    for (number, example) in examples().iter().enumerate() {
        let path = folder.path().join(format!("{number}.nc"));
        let layout = example.layout();
        let variables = [
            Variable::AcausalPosterior,
            Variable::AcausalStateProbabilities,
            Variable::MapPosition,
            Variable::MeanPosition,
            Variable::HpdThreshold50,
            Variable::HpdThreshold95,
            Variable::ViterbiBin,
        ];
        let mut file = ResultFile::create(&path, &layout, &variables, None).unwrap();
        let (rows, axes) = (example.time.len(), example.axes);
        file.write_rows(Variable::AcausalPosterior, 0, &example.narrow("acausal_posterior")).unwrap();
        let sums = read(&example.peer, "acausal_state_probabilities").values;
        file.write_rows(Variable::AcausalStateProbabilities, 0, &sums).unwrap();
        let numbers: Vec<f64> = (0..rows * axes).map(|at| at as f64 / 8.0).collect();
        for variable in [Variable::MapPosition, Variable::MeanPosition] {
            file.write_vector(variable, rows / 2, &numbers[rows / 2 * axes..]).unwrap();
            file.write_vector(variable, 0, &numbers[..rows / 2 * axes]).unwrap();
        }
        for variable in [Variable::HpdThreshold50, Variable::HpdThreshold95] {
            file.write_vector(variable, 0, &numbers[..rows]).unwrap();
        }
        let last = Columns::of(&layout).places.len() - 1;
        assert!(file.write_bins(Variable::ViterbiBin, 0, &[last + 1]).is_err());
        file.write_bins(Variable::ViterbiBin, 0, &vec![last; rows]).unwrap();
        file.finish(example.marginal).unwrap();
        let names = layout.axis_names("mean_");
        assert_eq!(names.len(), axes);
        for (axis, name) in names.iter().enumerate() {
            let along: Vec<f64> = numbers.iter().skip(axis).step_by(axes).copied().collect();
            assert_eq!(read(&path, name).values, along, "{name}");
        }
        let last = *Columns::of(&layout).places.last().unwrap();
        assert_eq!(read(&path, "viterbi_bin").values, vec![last as f64; rows]);
        assert_eq!(read(&path, "viterbi_bin").dtype, Dtype::I64);
        let Some(python) = python() else { continue };
        done(Command::new(&python).arg("tests/interop/decode_results.py").arg(&path).arg(&example.peer));
    }
}

/// A layout of `rows` times over `bins` bins of one state, every fifth not interior.
fn synthetic(rows: usize, bins: usize) -> Example {
    Example {
        peer: PathBuf::new(),
        time: (0..rows).map(|t| t as f64 * 0.002).collect(),
        states: vec![ResultState { name: "Continuous".into(), one_bin: false }],
        axes: 1,
        centers: (0..bins).map(|bin| bin as f64).collect(),
        interior: (0..bins).map(|bin| bin % 5 != 0).collect(),
        marginal: -1.0,
    }
}

/// The value that belongs to a computing column of a row.
fn planted(row: usize, column: usize) -> f64 {
    ((row * 31 + column * 7) % 1009) as f64 / 1024.0
}

fn planted_rows(rows: std::ops::Range<usize>, columns: usize) -> Vec<f64> {
    rows.flat_map(|row| (0..columns).map(move |column| planted(row, column))).collect()
}

#[test]
fn chunks_lie_in_their_order_whatever_the_order_of_the_blocks() {
    let folder = tempfile::tempdir().unwrap();
    let example = synthetic(4096 * 5 + 100, 10);
    let mut files = Vec::new();
    let orders = [Order::Forwards(4096), Order::Backwards(4096), Order::Backwards(3 * 4096)];
    let odd = [Order::Whole, Order::Forwards(1000), Order::Backwards(5000), Order::Backwards(10_000)];
    for order in orders.into_iter().chain(odd) {
        let path = folder.path().join("x.nc");
        let layout = example.layout();
        let posteriors = [Variable::CausalPosterior, Variable::AcausalPosterior];
        let mut file = ResultFile::create(&path, &layout, &posteriors, Some(3)).unwrap();
        assert_eq!(file.chunk_rows(), 4096);
        for block in order.blocks(example.time.len()) {
            let rows = planted_rows(block.clone(), 8);
            let single: Vec<f32> = rows.iter().map(|&value| value as f32).collect();
            file.write_rows(posteriors[0], block.start, &single).unwrap();
            posteriors[1..].iter().for_each(|&p| file.write_rows(p, block.start, &rows).unwrap());
        }
        let beside = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(beside, 2 + usize::from(!files.is_empty()), "the file and its waiting chunks");
        file.finish(0.0).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside");
        let bytes = std::fs::read(&path).unwrap();
        assert!(bytes.len() < 4 * example.time.len() * 10);
        files.push(bytes);
        let posterior = read(&path, "acausal_posterior");
        for row in [0, 4095, 4096, 3 * 4096, example.time.len() - 1] {
            let cells = &posterior.values[row * 10..(row + 1) * 10];
            assert!(cells[0].is_nan() && cells[5].is_nan());
            assert_eq!([cells[1], cells[9]], [planted(row, 0), planted(row, 7)]);
        }
        let file = io::open(&path).unwrap();
        let info = file.dataset("acausal_posterior").unwrap().info().clone();
        assert_eq!((info.chunks, info.deflate, info.shuffle), (Some(vec![4096, 10]), Some(3), true));
    }
    assert!(files.iter().all(|file| *file == files[0]));
}

#[test]
fn rows_that_are_missing_twice_there_or_cut_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let example = synthetic(10_000, 10);
    let (layout, path) = (example.layout(), folder.path().join("x.nc"));
    let posterior = Variable::AcausalPosterior;
    let open = |compress| ResultFile::create(&path, &layout, &[posterior], compress).unwrap();
    let refused = |result: nissl::Result<()>| result.unwrap_err().to_string();
    let mut file = open(None);
    file.write_rows(posterior, 100, &planted_rows(100..200, 8)).unwrap();
    for (first, end) in [(150, 160), (99, 101), (199, 300), (9_999, 10_001), (10_000, 10_001)] {
        let text = refused(file.write_rows(posterior, first, &planted_rows(first..end, 8)));
        assert!(text.contains("/acausal_posterior: rows "), "{text}");
    }
    assert!(refused(file.write_rows(posterior, 0, &[0.0; 9])).contains("9 values are no rows of 8"));
    assert!(refused(file.write_rows(Variable::LogLikelihood, 0, &[0.0; 8])).contains("not asked for"));
    assert!(refused(file.write_vector(posterior, 0, &[0.0; 8])).contains("no float64"));
    assert!(refused(file.finish(0.0)).contains("were produced for an array of"));
    let mut file = open(Some(1));
    file.write_rows(posterior, 8192, &planted_rows(8192..10_000, 8)).unwrap();
    file.write_rows(posterior, 100, &planted_rows(100..200, 8)).unwrap();
    for (first, end) in [(150, 160), (199, 300), (8192, 10_000), (9_999, 10_001), (9_000, 9_001)] {
        let text = refused(file.write_rows(posterior, first, &planted_rows(first..end, 8)));
        assert!(text.contains("x.nc") && text.contains(&format!("rows {first} to {end} of 10000")), "{text}");
    }
    assert!(refused(file.finish(0.0)).contains("were produced for an array of"));
    let mut file = open(Some(1));
    file.write_rows(posterior, 0, &planted_rows(0..4096, 8)).unwrap();
    drop(file);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "an unfinished file leaves nothing");
    assert!(ResultFile::create(&path, &layout, &[posterior, posterior], None).is_err());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_file_far_larger_than_its_blocks_takes_little_memory() {
    // Blocks of 1 MB; other tests of this process run meanwhile and are small.
    let folder = tempfile::tempdir().unwrap();
    let example = synthetic(40_000, 1_250);
    let path = folder.path().join("x.nc");
    let before = resident();
    let mut file = ResultFile::create(&path, &example.layout(), &[Variable::AcausalPosterior], None).unwrap();
    for block in Order::Backwards(125).blocks(example.time.len()) {
        file.write_rows(Variable::AcausalPosterior, block.start, &planted_rows(block.clone(), 1000)).unwrap();
    }
    file.finish(0.0).unwrap();
    let grown = resident().saturating_sub(before);
    assert_eq!(std::fs::metadata(&path).unwrap().len() >> 20, 191);
    assert!(grown < 80 << 20, "{grown} bytes");
}

/// Peak resident memory of this process.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<u64>().ok()).unwrap_or(0) << 10
}
