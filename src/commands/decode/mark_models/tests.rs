//! Electrodes in turns and in parts against all of them at once.

#![cfg(feature = "hdf5")]

use super::*;
use crate::commands::decode::encoding::{EncodedTrain, EncodingModel};
use crate::commands::decode::fixture;
use crate::commands::decode::options::{Algorithm, Precision};
use crate::commands::decode::passes_likelihood::{
    Adds, Likelihood as Rows, LikelihoodPass, LikelihoodRows, TablesInTurns, Train,
};
use crate::kernels::marks::Method;
use crate::pipeline::{Chunk, Pass};
use crate::report::Recorder;

const SET: &str = "track1d";

fn fitted() -> EncodingModel {
    let (data, grid) = fixture::encoding(SET);
    let settings = fixture::settings(SET, Likelihood::Clusterless);
    EncodingModel::fit(CpuLevel::detect(), data, (grid, None), &settings).unwrap()
}

/// Values and floored spikes of 40 rows, every spike of which has a mark of the encoding ones.
fn rows(electrodes: Electrodes<'_>, marks: &MarkModels, turns: &[Range<usize>]) -> (Vec<f32>, Vec<u64>) {
    let spikes: Vec<u32> = (0..40).flat_map(|row| [row; 4]).collect();
    // An electrode without encoding spikes decodes those of another.
    let marked = electrodes.model.trains.iter().map(|train| {
        let like = |other: &&EncodedTrain| other.width == train.width && !other.marks.is_empty();
        let other = electrodes.model.trains.iter().find(like).unwrap();
        let from = if train.marks.is_empty() { other } else { train };
        from.marks.iter().copied().cycle().take(spikes.len() * train.width).collect::<Vec<f64>>()
    });
    let marked: Vec<Vec<f64>> = marked.collect();
    let trains = electrodes.model.trains.iter().zip(&marked).map(|(train, marks)| Train {
        index: &[],
        rows: &spikes,
        adds: Adds::Marks { marks, width: train.width, similar: vec![] },
    });
    let recorder = Recorder::new();
    let likelihood = Rows {
        release: &|| {},
        devices: None,
        trains: trains.collect(),
        tables: TablesInTurns { marks, from: electrodes, turns },
        ground: &electrodes.model.ground,
        missing: &[],
        penalty: None,
        extras: vec![],
        level: CpuLevel::detect(),
        recorder: &recorder,
        floored: electrodes.floors.iter().map(|_| AtomicU64::new(0)).collect(),
    };
    let pass = LikelihoodPass::<f32> { likelihood: &likelihood, element: std::marker::PhantomData };
    let mut out = LikelihoodRows::empty();
    pass.process(&Chunk { index: 0, plane: 0, start: 0, end: 40 }, &mut (), &mut out).unwrap();
    (out.values, out.floored)
}

#[test]
fn it_does_not_show_whether_encoding_spikes_lie_in_memory_or_in_files() {
    let folder = tempfile::tempdir().unwrap();
    let model = fitted();
    let mut beside = model.clone();
    beside.keep_beside(&folder.path().join("out.nc")).unwrap();
    assert!(beside == model && beside.held_bytes() < model.held_bytes());
    assert_eq!(model.groups(0), std::slice::from_ref(&(0..model.trains.len())));
    assert_eq!(beside.groups(0), (0..model.trains.len()).map(|at| at..at + 1).collect::<Vec<_>>());
    assert_eq!(beside.groups(u64::MAX).len(), 1);
    assert!(beside.group_bytes(0) < beside.group_bytes(u64::MAX) && model.group_bytes(0) == 0);
    let options = Options::default();
    let floors = vec![-60.0; model.trains.len()];
    let found = [&model, &beside].map(|model| {
        let electrodes = Electrodes { model, floors: &floors };
        let models = MarkModels::new(&options, electrodes, 0, (1 << 16, CpuLevel::detect()));
        rows(electrodes, &models, &models.turns(0))
    });
    found[0].0.iter().for_each(|value| assert!(value.is_finite()));
    assert!(found[0] == found[1]);
}

#[test]
fn neither_turns_nor_parts_of_electrodes_show() {
    let model = fitted();
    let machine = |memory| (memory, CpuLevel::detect());
    for (precision, algorithm) in [
        (Precision::F64, Algorithm::Direct),
        (Precision::F32, Algorithm::Direct),
        (Precision::F32, Algorithm::Exact),
    ] {
        let options = Options { precision, algorithm, ..Options::default() };
        // One floor far down, one that all values of half of the spikes meet.
        for floor in [-60.0, -14.0] {
            let floors = vec![floor; model.trains.len()];
            let electrodes = Electrodes { model: &model, floors: &floors };
            let whole = MarkModels::new(&options, electrodes, 0, machine(1 << 30));
            assert!(whole.held.is_some() && whole.units.len() == model.trains.len());
            let at_once = whole.turns(whole.bytes());
            assert_eq!(at_once.len(), 1);
            let expected = rows(electrodes, &whole, &at_once);
            let mut narrow = MarkModels::new(&options, electrodes, 0, machine(1 << 16));
            assert!(narrow.held.is_none() && narrow.choices == whole.choices);
            let direct = narrow.choices.iter().any(|choice| choice.method == Method::Direct);
            assert_eq!(direct, narrow.units.len() > whole.units.len(), "{} bins", model.bins());
            for room in [0, whole.largest() * 2] {
                let turns = narrow.turns(room);
                assert!(turns.len() > 1 && turns.iter().cloned().flatten().eq(0..narrow.units.len()));
                assert!(rows(electrodes, &narrow, &turns) == expected, "{algorithm:?} {floor} {room}");
            }
            let all = narrow.turns(narrow.bytes());
            narrow.settle(electrodes, &all);
            assert!(narrow.held.is_some() && rows(electrodes, &narrow, &all) == expected);
        }
    }
}
