//! The model file of `decode --fit-only` as other programs see it: h5py reads every array and attribute
//! where the layout says.
#![cfg(feature = "hdf5")]

#[path = "common/python.rs"]
mod python;

use nissl::backend::CpuLevel;
use nissl::commands::decode::encoding::{
    EncodingData, EncodingModel, EncodingTrain, Likelihood, RateUnits, Settings,
};
use nissl::commands::decode::grid::{GridOptions, PlaceGrid};
use nissl::commands::decode::model_file;

const SCRIPT: &str = r#"
import sys, h5py, numpy as np
with h5py.File(sys.argv[1]) as f:
    a = f.attrs
    print(a["layout"], a["kind"], a["rate_units"], float(a["sample_period"]), int(a["axes"]), int(a["trains"]))
    print(a["bin_size"].tolist(), a["position_std"].tolist(), a["waveform_std"].tolist())
    print(f["grid/interior"].dtype, f["grid/interior"].shape, int(f["grid/interior"][()].sum()))
    print([f[f"grid/edges_{k}"].shape for k in range(2)], f["samples"].shape, f["samples"][1].tolist())
    print(f["occupancy"].shape == f["ground"].shape == (int(f["grid/interior"][()].sum()),))
    for k in range(2):
        t = f[f"trains/{k}"]
        print(t.attrs["name"], float(t.attrs["rate"]), int(t.attrs["spikes"]), int(t.attrs["width"]), sorted(t))
    print(f["trains/0/marks"][()].tolist(), f["trains/0/positions"].dtype)
"#;

fn model() -> EncodingModel {
    let samples = vec![0.0, 0.0, 1.5, 1.0, 3.0, 2.0, 4.0, 4.0];
    let options = GridOptions { bin_size: vec![1.0], ..GridOptions::default() };
    let grid = PlaceGrid::from_positions(&samples, 2, &options).expect("a grid");
    let train = |name: &str, marks: Vec<f64>, positions: Vec<f64>| EncodingTrain {
        name: name.into(),
        width: 3,
        marks: marks.into(),
        positions: positions.into(),
        ..EncodingTrain::default()
    };
    let trains = vec![
        train("tetrode 1", vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.5], vec![0.5, 0.5, 3.0, 3.5]),
        train("tetrode 2", Vec::new(), Vec::new()),
    ];
    let data = EncodingData { samples, axes: 2, trains, ..EncodingData::default() };
    let settings = Settings {
        kind: Likelihood::Clusterless,
        bin_size: vec![1.0],
        position_std: vec![2.0],
        waveform_std: vec![24.0],
        rate_units: RateUnits::Seconds { sample_period: 0.5 },
    };
    EncodingModel::fit(CpuLevel::detect(), data, (grid, None), &settings).expect("a model")
}

#[test]
fn h5py_finds_everything_where_the_layout_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("model.h5");
    let model = model();
    model_file::write(&model, &path).expect("written");
    let test = "h5py_finds_everything_where_the_layout_says";
    let Some(said) = python::python(test, SCRIPT, &[&path]) else { return };
    let interior = model.bins();
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[0], "nissl-decode-model-1 clusterless seconds 0.5 2 2");
    assert_eq!(lines[1], "[1.0] [2.0, 2.0] [24.0]");
    assert_eq!(lines[2], format!("bool (6, 6) {interior}"));
    assert_eq!(lines[3], "[(7,), (7,)] (4, 2) [1.5, 1.0]");
    assert_eq!(lines[4], "True");
    assert_eq!(lines[5], "tetrode 1 1.0 2 3 ['marks', 'positions']");
    assert_eq!(lines[6], "tetrode 2 0.0 0 3 []");
    assert_eq!(lines[7], "[[1.0, 2.0, 3.0], [4.0, 5.0, 6.5]] float64");
}
