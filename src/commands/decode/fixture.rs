//! Reference arrays for the tests of this folder: `fixtures/decode/<set>/<name>.npy` as float64.

use std::path::Path;

/// Shape and values of a reference array (little-endian `f8`, `f4`, `i8`, `i4` or bool).
pub fn array(set: &str, name: &str) -> (Vec<usize>, Vec<f64>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/decode/{set}/{name}.npy"));
    let bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let start = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let header = String::from_utf8(bytes[10..start].to_vec()).unwrap();
    let between = |from: &str, to: &str| {
        header.split(from).nth(1).and_then(|rest| rest.split(to).next()).unwrap().to_owned()
    };
    assert!(header.contains("'fortran_order': False"));
    let shape: Vec<usize> = between("'shape': (", ")")
        .split(',')
        .filter(|n| !n.trim().is_empty())
        .map(|n| n.trim().parse().unwrap())
        .collect();
    let body = &bytes[start..];
    let values: Vec<f64> = match between("'descr': '", "'").as_str() {
        "<f8" => body.as_chunks().0.iter().map(|&b| f64::from_le_bytes(b)).collect(),
        "<f4" => body.as_chunks().0.iter().map(|&b| f64::from(f32::from_le_bytes(b))).collect(),
        "<i8" => body.as_chunks().0.iter().map(|&b| i64::from_le_bytes(b) as f64).collect(),
        "<i4" => body.as_chunks().0.iter().map(|&b| f64::from(i32::from_le_bytes(b))).collect(),
        "|b1" => body.iter().map(|&b| f64::from(b)).collect(),
        other => panic!("{name}: element type {other}"),
    };
    assert_eq!(values.len(), shape.iter().product::<usize>(), "{name}");
    (shape, values)
}

/// The values alone.
pub fn values(set: &str, name: &str) -> Vec<f64> {
    array(set, name).1
}

/// Shape and values of one dataset of a set's `inputs.h5`.
#[cfg(feature = "hdf5")]
pub fn input(set: &str, dataset: &str) -> (Vec<usize>, Vec<f64>) {
    stored(&format!("{set}/inputs.h5"), dataset)
}

/// Shape and values of one dataset of a file below `fixtures/decode`.
#[cfg(feature = "hdf5")]
pub fn stored(file: &str, dataset: &str) -> (Vec<usize>, Vec<f64>) {
    use crate::array::{ByteOrder, Dtype, to_f64};
    use crate::io::{Block, StoredType};
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/decode").join(file);
    let dataset = crate::io::open(&path).unwrap().dataset(dataset).unwrap();
    let info = dataset.info();
    let (dtype, order) = match info.stored {
        StoredType::Number(dtype, order) => (dtype, order),
        StoredType::Bool => (Dtype::U8, ByteOrder::NATIVE),
        ref other => panic!("{other}"),
    };
    let shape: Vec<usize> = info.shape.iter().map(|&n| n as usize).collect();
    let count = shape.iter().product::<usize>();
    let mut bytes = vec![0; count * dtype.size()];
    dataset
        .read_block(&Block { start: vec![0; shape.len()], count: info.shape.clone() }, &mut bytes)
        .unwrap();
    let mut values = vec![0.0; count];
    to_f64(&bytes, dtype, order, &mut values);
    (shape, values)
}

/// Encoding data of a set, its grid and track: positions at spikes as the set has them. Where
/// those are linearised already the grid of the track is handed out without the track.
#[cfg(feature = "hdf5")]
pub fn encoding(set: &str) -> (super::encoding::EncodingData, super::grid::PlaceGrid) {
    use super::encoding::{EncodingData, EncodingTrain};
    use super::grid::{GridOptions, PlaceGrid};
    let parameters = parameters(set);
    let bin_size = parameters["place_bin_size"].as_f64().unwrap();
    let (mut samples, mut axes) = encoding_positions(set);
    let graph = &parameters["track_graph"];
    let grid = if graph.is_null() {
        let options = GridOptions { bin_size: vec![bin_size], ..GridOptions::default() };
        PlaceGrid::from_positions(&samples, axes, &options).unwrap()
    } else {
        let track = super::track::TrackGraph::from_json(&graph.to_string(), set).unwrap();
        (samples, axes) = (track.linearise_all(&samples), 1);
        track.grid(bin_size).unwrap()
    };
    let train = |e: usize| {
        let (width, features) = input(set, &format!("/electrodes/{e}/features"));
        let positions = values(set, &format!("encoding_positions_e{e:02}"));
        // The selection is another module's; marks of encoding spikes are not needed here.
        let marks = features[..positions.len() / axes * width[1]].to_vec();
        let (marks, positions) = (marks.into(), positions.into());
        EncodingTrain { name: format!("e{e}"), width: width[1], marks, positions, ..EncodingTrain::default() }
    };
    let trains = (0..parameters["n_electrodes"].as_u64().unwrap() as usize).map(train).collect();
    (EncodingData { samples, axes, trains, ..EncodingData::default() }, grid)
}

/// Bandwidths and kind for a set.
#[cfg(feature = "hdf5")]
pub fn settings(set: &str, kind: super::encoding::Likelihood) -> super::encoding::Settings {
    let number = |name: &str| vec![parameters(set)[name].as_f64().unwrap()];
    super::encoding::Settings {
        kind,
        bin_size: number("place_bin_size"),
        position_std: number("position_std"),
        waveform_std: number("waveform_std"),
        rate_units: super::encoding::RateUnits::Samples,
    }
}

/// Linear interpolation of a set's positions at `times`, in the coordinates of its grid.
#[cfg(feature = "hdf5")]
pub fn positions_at(set: &str, times: &[f64]) -> Vec<f64> {
    let ((shape, data), (_, time)) = (input(set, "/position/data"), input(set, "/position/time"));
    let axes = shape[1];
    let at = |&t: &f64| {
        let k = time.partition_point(|&x| x <= t).saturating_sub(1).min(time.len() - 2);
        let part = (t - time[k]) / (time[k + 1] - time[k]);
        let mix = |axis: usize| {
            let (a, b) = (data[k * axes + axis], data[(k + 1) * axes + axis]);
            a + (b - a) * part
        };
        (0..axes).map(mix).collect::<Vec<f64>>()
    };
    let points: Vec<f64> = times.iter().flat_map(at).collect();
    let graph = &parameters(set)["track_graph"];
    if graph.is_null() {
        return points;
    }
    super::track::TrackGraph::from_json(&graph.to_string(), set).unwrap().linearise_all(&points)
}

/// Rows of the decoding spikes of each electrode of a set.
#[cfg(feature = "hdf5")]
pub fn decoding_rows(set: &str) -> Vec<Vec<usize>> {
    let electrodes = parameters(set)["n_electrodes"].as_u64().unwrap() as usize;
    let rows = |e| values(set, &format!("decoding_bin_index_e{e:02}")).iter().map(|&r| r as usize).collect();
    (0..electrodes).map(rows).collect()
}

/// Positions of a set that encode, `[sample][axis]`, and their axes.
#[cfg(feature = "hdf5")]
pub fn encoding_positions(set: &str) -> (Vec<f64>, usize) {
    let (shape, positions) = input(set, "/position/data");
    let (_, encodes) = input(set, "/position/is_encoding");
    let rows = positions.chunks_exact(shape[1]).zip(encodes).filter(|(_, encodes)| *encodes == 1.0);
    (rows.flat_map(|(row, _)| row.to_vec()).collect(), shape[1])
}

/// The parameters of a set.
pub fn parameters(set: &str) -> serde_json::Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/decode/{set}/parameters.json"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Asserts `|found - expected| <= absolute + relative * |expected|` everywhere; values below 1e-290 are
/// denormals or close to them and only have to be as small.
pub fn assert_close(what: &str, found: &[f64], expected: &[f64], (absolute, relative): (f64, f64)) {
    assert_eq!(found.len(), expected.len(), "{what}: length");
    for (index, (&f, &e)) in found.iter().zip(expected).enumerate() {
        let near = (f - e).abs() <= absolute + relative * e.abs() || (f.is_nan() && e.is_nan());
        let tiny = f.abs() < 1e-290 && e.abs() < 1e-290;
        assert!(near || tiny || f == e, "{what}[{index}]: {f:e}, expected {e:e}, off by {:e}", f - e);
    }
}
