#![cfg(feature = "hdf5")]

use super::super::encoding::{EncodingModel, Likelihood, RateUnits};
use super::super::fixture;
use super::super::grid::InteriorMask;
use super::super::track::TrackGraph;
use super::*;
use crate::backend::CpuLevel;

fn model(set: &str, kind: Likelihood) -> EncodingModel {
    let (data, grid) = fixture::encoding(set);
    let settings = fixture::settings(set, kind);
    EncodingModel::fit(CpuLevel::detect(), data, (grid, None), &settings).unwrap()
}

fn saved(model: &EncodingModel) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.h5");
    write(model, &path).unwrap();
    (folder, path)
}

#[test]
fn a_model_comes_back_as_it_was() {
    let mut wtrack = model("wtrack", Likelihood::Clusterless);
    let graph = fixture::parameters("wtrack")["track_graph"].to_string();
    wtrack.track = Some(TrackGraph::from_json(&graph, "wtrack").unwrap());
    wtrack.rate_units = RateUnits::Seconds { sample_period: 0.01 };
    let mut weighted = model("arena2d", Likelihood::Sorted);
    weighted.weights = (0..weighted.samples.len() / 2).map(|k| k as f64).collect();
    weighted.trains[1].weights = vec![0.5; weighted.trains[1].positions.len() / 2].into();
    weighted.trains[0].name = "Einheit \u{fc} 7".into();
    // track1d has an electrode without any encoding spike.
    for model in [wtrack, weighted, model("track1d", Likelihood::Clusterless)] {
        let (_folder, path) = saved(&model);
        assert_eq!(read(&path, None).unwrap(), model);
        let beside = read(&path, Some(&path)).unwrap();
        assert!(beside == model && beside.bytes() == model.bytes());
        assert!(beside.is_mapped() && beside.held_bytes() < model.held_bytes());
        let again = path.with_file_name("again.h5");
        write(&model, &again).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), std::fs::read(&again).unwrap());
    }
}

#[test]
fn a_flag_that_contradicts_the_file_is_named_with_both_values() {
    let mut model = model("arena2d", Likelihood::Clusterless);
    let message = |given: Given, model: &EncodingModel| given.check(model, "m.h5").unwrap_err().to_string();
    let agreeing = Given {
        kind: Some(Likelihood::Clusterless),
        bin_size: Some(vec![4.0]),
        position_std: Some(vec![5.0]),
        waveform_std: Some(vec![24.0]),
        rate_seconds: Some(false),
        track: None,
        interior: Some(InteriorMask {
            shape: model.grid.shape.clone(),
            values: model.grid.interior.clone(),
            place: "mask.npy".into(),
        }),
    };
    agreeing.check(&model, "m.h5").unwrap();
    let by_axis = Given { position_std: Some(vec![5.0, 5.0]), ..Given::default() };
    by_axis.check(&model, "m.h5").unwrap();
    let said = message(Given { position_std: Some(vec![6.0]), ..Given::default() }, &model);
    assert!(said.contains("m.h5") && said.contains("5,5") && said.contains("--position-std 6"), "{said}");
    let said = message(Given { waveform_std: Some(vec![20.0]), ..Given::default() }, &model);
    assert!(said.contains("with 24") && said.contains("--waveform-std 20"), "{said}");
    let said = message(Given { bin_size: Some(vec![2.5]), ..Given::default() }, &model);
    assert!(said.contains("with 4") && said.contains("--bin-size 2.5"), "{said}");
    let said = message(Given { kind: Some(Likelihood::Sorted), ..Given::default() }, &model);
    assert!(said.contains("clusterless") && said.contains("--likelihood sorted"), "{said}");
    let said = message(Given { rate_seconds: Some(true), ..Given::default() }, &model);
    assert!(said.contains("samples") && said.contains("--rate-units seconds"), "{said}");
    let graph = fixture::parameters("wtrack")["track_graph"].to_string();
    let track = TrackGraph::from_json(&graph, "wtrack").unwrap();
    let said = message(Given { track: Some(track.clone()), ..Given::default() }, &model);
    assert!(said.contains("no track graph") && said.contains("--track-graph {"), "{said}");
    model.track = Some(track.clone());
    Given { track: Some(track), ..Given::default() }.check(&model, "m.h5").unwrap();
    let mut mask = agreeing.interior.unwrap();
    mask.values[0] = true;
    let said = message(Given { interior: Some(mask), ..Given::default() }, &model);
    assert!(said.contains("223") && said.contains("224") && said.contains("mask.npy"), "{said}");
}

#[test]
fn other_files_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let missing = read(&folder.path().join("none.h5"), None).unwrap_err().to_string();
    assert!(missing.contains("none.h5"), "{missing}");
    let inputs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/decode/track1d/inputs.h5");
    let other = read(&inputs, None).unwrap_err().to_string();
    assert!(other.contains("decode-inputs-1") && other.contains("--fit-only"), "{other}");
}

#[test]
fn damaged_contents_are_errors_that_name_the_place() {
    let whole = model("wtrack", Likelihood::Sorted);
    let refused = |change: &dyn Fn(&mut EncodingModel)| {
        let mut model = whole.clone();
        change(&mut model);
        let (_folder, path) = saved(&model);
        read(&path, None).unwrap_err().to_string()
    };
    assert!(refused(&|m| m.occupancy[3] = f64::NAN).contains("/occupancy"));
    assert!(refused(&|m| m.occupancy[3] = -1.0).contains("/occupancy"));
    assert!(refused(&|m| m.ground.truncate(3)).contains("/ground"));
    assert!(refused(&|m| m.samples.clear()).contains("/samples"));
    assert!(refused(&|m| m.trains[1].field.truncate(3)).contains("/trains/1/field"));
    assert!(refused(&|m| m.trains[0].rate = -1.0).contains("/trains/0@rate"));
    assert!(refused(&|m| m.grid.edges[0][5] = 0.0).contains("/grid"));
    assert!(refused(&|m| m.grid.interior.fill(false)).contains("/grid"));
    assert!(refused(&|m| m.position_std[0] = 0.0).contains("position_std"));
    assert!(refused(&|m| m.position_std.push(1.0)).contains("position_std"));
    assert!(refused(&|m| m.weights = vec![0.0; m.samples.len()]).contains("/weights"));
}

#[test]
fn any_damaged_byte_is_an_error_or_harmless() {
    let mut small = model("wtrack", Likelihood::Clusterless);
    small.samples.truncate(20);
    small.trains.truncate(1);
    small.trains[0].positions.truncate(5);
    small.trains[0].marks.truncate(10);
    let (_folder, path) = saved(&small);
    let bytes = std::fs::read(&path).unwrap();
    let mut draw = 12345u64;
    for _ in 0..600 {
        draw = draw.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let (at, value) = ((draw >> 33) as usize % bytes.len(), (draw >> 20) as u8);
        let mut damaged = bytes.clone();
        damaged[at] = value;
        std::fs::write(&path, &damaged).unwrap();
        // What comes back is used as a model; its lengths must fit whatever the bytes say.
        if let Ok(model) = read(&path, None) {
            assert_eq!(model.occupancy.len(), model.bins());
            assert!(model.trains.iter().all(|t| t.marks.len() == t.spikes(model.axes()) * t.width));
        }
    }
    for cut in [0, 8, 100, bytes.len() / 2, bytes.len() - 1] {
        std::fs::write(&path, &bytes[..cut]).unwrap();
        assert!(read(&path, None).is_err(), "cut to {cut}");
    }
}
