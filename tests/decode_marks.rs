//! Log likelihoods of the published decoder, rebuilt from spikes and marks with the mark kernels:
//! non-local and local, by every method and in both precisions (fixtures/decode/REFERENCE.md).

mod common;

use common::{fixture, read};
use nissl::backend::CpuLevel;
use nissl::kernels::marks::{
    Accuracy, Bandwidths, Choice, EncodingSpikes, Intensity, Method, PlaceBins, Precision, Scratch, choose,
};

const FLOOR: f64 = -34.538_776_394_910_684;

struct Electrode {
    width: usize,
    marks: Vec<f64>,
    positions: Vec<f64>,
    rate: f64,
    /// Decoding spikes: row, time, mark.
    rows: Vec<usize>,
    times: Vec<f64>,
    decoding: Vec<f64>,
}

impl Electrode {
    fn len(&self, axes: usize) -> usize {
        self.positions.len() / axes
    }
}

struct Set {
    name: &'static str,
    stds: (f64, f64),
    centers: Vec<Vec<f64>>,
    interior: Vec<usize>,
    occupancy: Vec<f64>,
    ground: Vec<f64>,
    time: Vec<f64>,
    /// All samples: time, and coordinates as stored.
    samples: (Vec<f64>, Vec<f64>),
    /// Samples that encode.
    encoding: usize,
    electrodes: Vec<Electrode>,
}

impl Set {
    fn array(name: &str, array: &str) -> Vec<f64> {
        read(&fixture(&format!("decode/{name}/{array}.npy")), "").values
    }

    fn input(name: &str, dataset: &str) -> Vec<f64> {
        read(&fixture(&format!("decode/{name}/inputs.h5")), dataset).values
    }

    fn new(name: &'static str, axes: usize, electrodes: usize, stds: (f64, f64)) -> Set {
        let array = |array: &str| Set::array(name, array);
        let input = |dataset: &str| Set::input(name, dataset);
        let along = |axis: usize| -> Vec<f64> {
            let edges = array(&format!("place_bin_edges_dim{axis}"));
            edges.windows(2).map(|edge| 0.5 * (edge[0] + edge[1])).collect()
        };
        let centers: Vec<Vec<f64>> = (0..axes).map(along).collect();
        // Stored fields are 0 outside of the interior and nowhere inside.
        let bins: usize = centers.iter().map(Vec::len).product();
        let fields = array("sorted_place_fields");
        let time = input("/decode/time");
        let position_time = input("/position/time");
        let encoding = array("in_n_encoding_samples")[0] as usize;
        let span = position_time[0]..=position_time[encoding - 1];
        let electrode = |e: usize| {
            let times = input(&format!("/electrodes/{e}/spike_times"));
            let features = input(&format!("/electrodes/{e}/features"));
            let width = features.len() / times.len();
            let mark = |i: usize| features[i * width..(i + 1) * width].iter().copied();
            let encode: Vec<usize> = (0..times.len()).filter(|i| span.contains(&times[*i])).collect();
            let (first, last) = (time[0], time[time.len() - 1]);
            let decode: Vec<usize> =
                (0..times.len()).filter(|i| (first..=last).contains(&times[*i])).collect();
            // Every time but the first and the last begins a row.
            let row = |i: &usize| time[1..time.len() - 1].partition_point(|edge| *edge <= times[*i]);
            let positions = array(&format!("encoding_positions_e{e:02}"));
            assert_eq!(positions.len(), encode.len() * axes);
            Electrode {
                width,
                marks: encode.iter().flat_map(|i| mark(*i)).collect(),
                positions,
                rate: encode.len() as f64 / encoding as f64,
                rows: decode.iter().map(row).collect(),
                times: decode.iter().map(|i| times[*i]).collect(),
                decoding: decode.iter().flat_map(|i| mark(*i)).collect(),
            }
        };
        Set {
            name,
            stds,
            centers,
            interior: (0..bins).filter(|p| fields[*p] > 0.0).collect(),
            occupancy: array("occupancy"),
            ground: array("summed_gpi"),
            electrodes: (0..electrodes).map(electrode).collect(),
            samples: (position_time, input("/position/data")),
            encoding,
            time,
        }
    }

    fn all() -> [Set; 3] {
        [
            Set::new("track1d", 1, 5, (24.0, 6.0)),
            Set::new("wtrack", 1, 3, (20.0, 6.0)),
            Set::new("arena2d", 2, 4, (24.0, 5.0)),
        ]
    }

    fn prepare(&self, electrode: &Electrode, wanted: &dyn Fn(Choice) -> Choice, how: How) -> Intensity {
        let axes = self.centers.len();
        let (mark, position) = (vec![self.stds.0; electrode.width], vec![self.stds.1; axes]);
        let count = electrode.len(axes) as f64;
        let scale: Vec<f64> =
            self.occupancy.iter().map(|occ| (electrode.rate / (occ * count)).ln()).collect();
        let spikes = EncodingSpikes {
            marks: &electrode.marks,
            width: electrode.width,
            positions: &electrode.positions,
            axes,
        };
        let bins =
            PlaceBins { axes: self.centers.iter().map(Vec::as_slice).collect(), interior: &self.interior };
        let bandwidths = Bandwidths { mark: &mark, position: &position };
        let choice = wanted(choose(&spikes, &bins, &bandwidths, (&scale, FLOOR), how));
        Intensity::new(&spikes, &bins, &bandwidths, choice, (&scale, FLOOR))
    }

    /// Position at a time: between the neighbouring samples, or the end segments prolonged.
    fn position(&self, at: f64) -> Vec<f64> {
        let (time, data) = (&self.samples.0, &self.samples.1);
        let axes = self.centers.len();
        let k = time.partition_point(|t| *t <= at).saturating_sub(1).min(time.len() - 2);
        let part = (at - time[k]) / (time[k + 1] - time[k]);
        (0..axes)
            .map(|axis| {
                let (from, to) = (data[k * axes + axis], data[(k + 1) * axes + axis]);
                from + part * (to - from)
            })
            .collect()
    }

    /// Gaussian density of `points` (`[point, axis]`) at a place.
    fn density(&self, points: &[f64], at: &[f64]) -> f64 {
        let axes = self.centers.len();
        let std = self.stds.1;
        let peak = (std * std::f64::consts::TAU.sqrt()).powi(axes as i32).recip();
        let kernel = |point: &[f64]| {
            let square: f64 = point.iter().zip(at).map(|(a, b)| ((a - b) / std).powi(2)).sum();
            (-0.5 * square).exp() * peak
        };
        points.chunks_exact(axes).map(kernel).sum::<f64>() / (points.len() / axes).max(1) as f64
    }
}

type How = (Accuracy, Precision);

/// What is tried: its name, the request, and what becomes of the choice.
type Way = (String, How, Box<dyn Fn(Choice) -> Choice>);

fn ways() -> Vec<Way> {
    let mut ways: Vec<Way> = Vec::new();
    for precision in [Precision::F64, Precision::F32] {
        for accuracy in [Accuracy::Direct, Accuracy::EXACT] {
            ways.push((
                format!("{accuracy:?} {precision:?}"),
                (accuracy, precision),
                Box::new(|choice| choice),
            ));
        }
        for (cell, terms_below) in [(0.25, 9), (1.0 / 3.0, 10), (0.5, 12), (1.0 / 1.5, 14)] {
            let moments = move |choice| Choice { method: Method::Moments { cell, terms_below }, ..choice };
            let name = format!("cells of {cell:.2} below {terms_below} {precision:?}");
            ways.push((name, (Accuracy::EXACT, precision), Box::new(moments)));
        }
    }
    ways
}

/// The tolerance of one value: that of the reference, and what the method promises per spike.
fn tolerance(want: f64, (accuracy, precision): How, spikes: usize) -> f64 {
    let promised = if accuracy == Accuracy::Direct { 0.0 } else { 2e-6 * spikes as f64 };
    match precision {
        Precision::F64 => 1e-9 + promised,
        Precision::F32 => 1e-4 + 3e-6 * want.abs(),
    }
}

#[test]
fn non_local_log_likelihoods_are_those_of_the_reference() {
    for set in Set::all() {
        let bins = set.interior.len();
        let want = Set::array(set.name, "ll_linear_nonlocal");
        let mut spikes = vec![0; set.time.len()];
        set.electrodes.iter().flat_map(|e| &e.rows).for_each(|row| spikes[*row] += 1);
        for (name, how, wanted) in ways() {
            let mut got: Vec<f64> = set.time.iter().flat_map(|_| set.ground.iter().map(|g| -g)).collect();
            let mut scratch = Scratch::default();
            for electrode in &set.electrodes {
                let intensity = set.prepare(electrode, &wanted, how);
                let mut rows = vec![0.0; electrode.rows.len() * bins];
                intensity.log_intensity(CpuLevel::detect(), &electrode.decoding, &mut rows, &mut scratch);
                for (row, from) in electrode.rows.iter().zip(rows.chunks_exact(bins)) {
                    let to = got[row * bins..(row + 1) * bins].iter_mut();
                    to.zip(from).for_each(|(to, l)| *to += l);
                }
            }
            assert_eq!(got.len(), want.len());
            let mut worst = 0.0_f64;
            for (at, (got, want)) in got.iter().zip(&want).enumerate() {
                let apart = (got - want).abs();
                worst = worst.max(apart);
                let most = tolerance(*want, how, spikes[at / bins]);
                assert!(apart <= most, "{} {name} row {}: {got} {want}", set.name, at / bins);
            }
            eprintln!("{} non-local, {name}: worst {worst:.1e}", set.name);
        }
    }
}

#[test]
fn local_log_likelihoods_are_those_of_the_reference() {
    // The W track's animal lives in two dimensions and its bins in one: that needs the graph.
    for set in Set::all().into_iter().filter(|set| set.name != "wtrack") {
        let axes = set.centers.len();
        let want = Set::array(set.name, "ll_linear_local");
        let kept = &set.samples.1[..set.encoding * axes];
        for (name, how, wanted) in ways() {
            let mut got = vec![0.0; set.time.len()];
            for electrode in &set.electrodes {
                for (row, at) in set.time.iter().enumerate() {
                    let here = set.position(*at);
                    let occupancy = set.density(kept, &here);
                    if occupancy > 0.0 {
                        got[row] -= electrode.rate * set.density(&electrode.positions, &here) / occupancy;
                    }
                }
                let intensity = set.prepare(electrode, &wanted, how);
                let places: Vec<f64> = electrode.times.iter().flat_map(|at| set.position(*at)).collect();
                let mut density = vec![0.0; electrode.rows.len()];
                let spikes = (electrode.decoding.as_slice(), places.as_slice());
                intensity.density_at(CpuLevel::detect(), spikes, &mut density, &mut Scratch::default());
                for (k, row) in electrode.rows.iter().enumerate() {
                    let occupancy = set.density(kept, &places[k * axes..(k + 1) * axes]);
                    got[*row] += (electrode.rate * density[k] / occupancy).ln().max(FLOOR);
                }
            }
            for (row, (got, want)) in got.iter().zip(&want).enumerate() {
                // No method enters here: the position's kernel is exact.
                let most = tolerance(*want, (Accuracy::Direct, how.1), 0);
                assert!((got - want).abs() <= most, "{} {name} row {row}: {got} {want}", set.name);
            }
        }
    }
}
