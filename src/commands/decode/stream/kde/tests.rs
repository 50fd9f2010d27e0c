//! The ticked filter against the offline one, bit for bit.
#![cfg(feature = "hdf5")]

use super::*;
use crate::backend::Seat;
use crate::commands::Context;
use crate::commands::decode::options::Model;
use crate::commands::decode::passes_likelihood::{
    Adds, LikelihoodPass, LikelihoodRows, TablesInTurns, Train,
};
use crate::commands::decode::passes_local::no_spike;
use crate::commands::decode::prepare::{Decoding, Prepared, plan};
use crate::commands::decode::{passes_likelihood, selection};
use crate::io::InputSpec;
use crate::kernels::marks::BOXED;
use crate::pipeline::{Chunk, Pass};
use crate::report::Recorder;
use std::sync::atomic::AtomicU64;

fn options(set: &str, model: Model, precision: Precision) -> Options {
    let path = format!("{}/fixtures/decode/{set}/inputs.h5", env!("CARGO_MANIFEST_DIR"));
    Options { input: InputSpec::file(path), model, precision, ..Options::default() }
}

/// Reads and fits; marks that are decoded are rounded to what events can carry.
fn prepared(options: &Options) -> Prepared {
    let recorder = Recorder::new();
    let level = CpuLevel::detect();
    let seat = Seat::cpu(level);
    let context =
        Context { level, seat: &seat, threads: 1, memory: 1 << 32, force: false, recorder: &recorder };
    let mut prepared = plan(options, &context).unwrap().prepared;
    for value in prepared.session.trains.iter_mut().flat_map(|train| train.marks.iter_mut()) {
        *value = f64::from(*value as f32);
    }
    prepared
}

/// The offline filter's rows, in one chunk.
fn offline<T: Value>(prepared: &Prepared, decoding: &Decoding) -> Vec<Vec<f64>> {
    let recorder = Recorder::new();
    let silent = no_spike(decoding, prepared.options.no_spike_rate);
    let extras = if decoding.chain.takes(Likelihood::NoSpike) { vec![&silent[..]] } else { Vec::new() };
    let per_bin = prepared.model.rate_units.per_bin(decoding.step);
    let ground: Vec<f64> = prepared.model.ground.iter().map(|ground| ground * per_bin).collect();
    let trains = prepared.session.trains.iter().zip(&decoding.spikes);
    let trains = trains.enumerate().map(|(at, (train, spikes))| Train {
        index: &[],
        rows: &spikes.rows,
        adds: Adds::Marks {
            marks: &train.marks[spikes.spikes.start * train.width..spikes.spikes.end * train.width],
            width: train.width,
            similar: if train.width >= BOXED { prepared.model.mark_std(at) } else { Vec::new() },
        },
    });
    let likelihood = passes_likelihood::Likelihood {
        release: &|| {},
        devices: None,
        trains: trains.collect(),
        tables: TablesInTurns {
            marks: &prepared.marks,
            from: prepared.electrodes(),
            turns: &prepared.marks.turns(u64::MAX),
        },
        ground: &ground,
        missing: &[],
        penalty: None,
        extras,
        level: CpuLevel::detect(),
        recorder: &recorder,
        floored: prepared.marks.choices.iter().map(|_| AtomicU64::new(0)).collect(),
    };
    let pass = LikelihoodPass { likelihood: &likelihood, element: std::marker::PhantomData };
    let mut rows = LikelihoodRows::<T>::empty();
    let chunk = Chunk { index: 0, plane: 0, start: 0, end: decoding.time.len() as u64 };
    pass.process(&chunk, &mut (), &mut rows).unwrap();
    let mut filter = Filter::new(&decoding.chain);
    let mut filtered = vec![0.0; decoding.chain.states().columns()];
    let steps = rows.values.chunks_exact(decoding.chain.row_width()).zip(&rows.offset);
    steps
        .map(|(row, &offset)| {
            filter.step(row, offset, &mut filtered);
            filtered.clone()
        })
        .collect()
}

/// Times to ranks: whole numbers in the same order, so that no clock rounds a spike into another row.
struct Ranks(Vec<f64>);

impl Ranks {
    fn of(prepared: &Prepared, decoding: &Decoding) -> Self {
        let trains = prepared.session.trains.iter().flat_map(|train| train.times.iter());
        let mut all: Vec<f64> = decoding.time.iter().chain(trains).copied().collect();
        all.sort_by(f64::total_cmp);
        all.dedup();
        Ranks(all)
    }

    fn at(&self, time: f64) -> i64 {
        self.0.partition_point(|&other| other < time) as i64
    }
}

/// Every row but the last two: offline, the last one but one is closed on both ends, and the last
/// never has a spike.
fn check<T: Value>(set: &str, model: Model, precision: Precision) {
    let options = options(set, model, precision);
    let prepared = prepared(&options);
    let decoding = prepared.decoding.as_ref().unwrap();
    let expected = offline::<T>(&prepared, decoding);
    let ranks = Ranks::of(&prepared, decoding);
    let time: Vec<i64> = decoding.time.iter().map(|&time| ranks.at(time)).collect();
    let settings = KdeSettings {
        clock: (time[1] - time[0]) as f64 / decoding.step,
        step: decoding.step,
        spike_buffer: 2000,
        credible_level: 0.5,
        credible_max: 5,
        memory: u64::MAX,
    };
    let mut kde = Kde::<T>::new(&options, &prepared.model, &settings, CpuLevel::detect()).unwrap();
    let mut events: Vec<(i64, bool, usize, usize)> = Vec::new();
    for (electrode, train) in prepared.session.trains.iter().enumerate() {
        let spikes = train.times.iter().enumerate();
        events.extend(spikes.map(|(spike, &at)| (ranks.at(at), false, electrode, spike)));
    }
    events.extend(time[1..].iter().map(|&at| (at, true, 0, 0)));
    events.retain(|event| event.0 >= time[0]);
    events.sort();
    let mut record = TickRecord::new(&kde.shape());
    let (mut row, mut spikes) = (0, 0);
    for (at, tick, electrode, spike) in events {
        if !tick {
            let train = &prepared.session.trains[electrode];
            let mark: Vec<f32> =
                train.marks[spike * train.width..][..train.width].iter().map(|&m| m as f32).collect();
            kde.spike(at, kde.electrodes.id(electrode).unwrap(), &mark);
            continue;
        }
        kde.tick(at, &mut record);
        if row < expected.len() - 2 {
            assert!(kde.filtered == expected[row], "{set} {model:?} {precision:?}: row {row} differs");
            assert_eq!((record.lower, record.upper), (time[row], time[row + 1]));
            spikes += record.spikes;
            check_record(&kde, &record);
        }
        row += 1;
    }
    assert_eq!(row, expected.len() - 1);
    let all = decoding.spikes.iter().flat_map(|d| d.rows.iter());
    assert_eq!(spikes as usize, all.filter(|&&at| (at as usize) < expected.len() - 2).count());
    assert!(spikes > 20, "{spikes} spikes");
    let counts = kde.counts();
    assert_eq!((counts.dropped, counts.unknown_electrode, counts.wrong_width), (0, 0, 0));
}

fn check_record<T: Value>(kde: &Kde<T>, record: &TickRecord) {
    let sum: f64 = record.posterior.iter().sum();
    assert!((sum - 1.0).abs() < 1e-9 && (record.likelihood.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    let states = kde.filter.chain().states();
    for (state, row) in record.posterior.chunks_exact(kde.shape.bins).enumerate() {
        let columns = &kde.filtered[states.range(state)];
        assert!(row[..columns.len()] == *columns && row[columns.len()..].iter().all(|&p| p == 0.0));
    }
}

#[test]
fn ticks_have_the_bits_of_the_offline_filter() {
    check::<f32>("track1d", Model::Decoder, Precision::F32);
    check::<f64>("track1d", Model::Contfrag, Precision::F64);
    check::<f32>("arena2d", Model::Contfrag, Precision::F32);
    check::<f64>("extra/nospike_contfrag", Model::NospikeContfrag, Precision::F64);
    check::<f32>("extra/marks_d10", Model::Decoder, Precision::F32);
}

/// Ticks of so many seconds by a clock of 30 kHz, few spikes waiting, as much memory as wanted.
fn settings(step: f64) -> KdeSettings {
    let (credible_level, credible_max, memory) = (0.5, 5, u64::MAX);
    KdeSettings { clock: 3e4, step, spike_buffer: 3, credible_level, credible_max, memory }
}

#[test]
fn tables_that_do_not_fit_are_refused_with_what_would_do() {
    let options = options("track1d", Model::Decoder, Precision::F32);
    let prepared = prepared(&options);
    let make = |memory| {
        engine(&options, &prepared.model, &KdeSettings { memory, ..settings(0.006) }, CpuLevel::detect())
    };
    let needed = make(u64::MAX).unwrap().1;
    assert!(needed > prepared.model.bytes() as u64);
    match make(needed - 1).err().unwrap() {
        Error::Memory { limit, least, .. } => assert_eq!((limit, least), (needed - 1, needed)),
        other => panic!("{other}"),
    }
    assert_eq!(make(needed).unwrap().1, needed);
}

#[test]
fn what_needs_the_animals_position_is_refused() {
    let mut options = options("track1d", Model::Nonlocal, Precision::F32);
    let prepared = prepared(&options);
    let settings = settings(0.006);
    let level = CpuLevel::detect();
    let error = engine(&options, &prepared.model, &settings, level).err().unwrap().to_string();
    assert!(error.contains("nonlocal") && error.contains("contfrag"), "{error}");
    options.model = Model::Decoder;
    options.position_penalty = (1.0, 1.0);
    assert!(engine(&options, &prepared.model, &settings, level).is_err());
    options.position_penalty = (0.0, 1.0);
    assert!(engine(&options, &prepared.model, &settings, level).is_ok());
    let mut named = prepared.model.clone();
    named.trains[1].name = "tetrode".into();
    let error = engine(&options, &named, &settings, level).err().unwrap().to_string();
    assert!(error.contains("tetrode"), "{error}");
    named.kind = Kind::Sorted;
    assert!(engine(&options, &named, &settings, level).err().unwrap().to_string().contains("sorted"));
}

#[test]
fn hostile_events_are_counted_and_change_nothing() {
    let options = options("track1d", Model::Decoder, Precision::F32);
    let prepared = prepared(&options);
    let settings = settings(0.006);
    let make = || Kde::<f32>::new(&options, &prepared.model, &settings, CpuLevel::detect()).unwrap();
    let (mut kde, mut untouched) = (make(), make());
    let mut record = TickRecord::new(&kde.shape());
    for (electrode, mark) in [(99, &[1.0; 4][..]), (0, &[1.0; 3]), (0, &[]), (0, &[1.0, f32::NAN, 2.0, 3.0])]
    {
        kde.spike(10, electrode, mark);
    }
    kde.position(5, &[f32::NAN], None);
    kde.position(5, &[], None);
    kde.position(5, &[1.0; 40], Some(2.0));
    kde.spike(i64::MIN, 0, &[100.0; 4]);
    kde.tick(180, &mut record);
    let posterior = record.posterior.clone();
    untouched.tick(180, &mut record);
    assert_eq!(posterior, record.posterior);
    for at in 0..5 {
        kde.spike(200 + at, 0, &[100.0, 90.0, 80.0, 70.0]);
    }
    // Time goes back, stands, jumps to either end: a row without spikes, and no more.
    for at in [100, 180, i64::MIN, 360, i64::MAX] {
        kde.tick(at, &mut record);
        assert!(record.posterior.iter().all(|p| p.is_finite()) && record.lower <= record.upper);
    }
    let counts = kde.counts();
    assert_eq!((counts.unknown_electrode, counts.wrong_width, counts.non_finite), (1, 2, 1));
    assert_eq!((counts.bad_positions, counts.positions), (2, 1));
    assert_eq!((counts.dropped, counts.used, counts.ticks, counts.spikes), (3, 3, 6, 10));
    let small = &mut TickRecord::new(&Shape { states: 1, bins: 2, ..kde.shape() });
    kde.tick(i64::MAX, small);
    assert_eq!(small.spikes, 0);
}

/// Decoding times of the sets are as regular as ticks: the step in samples is what settings say.
#[test]
fn the_first_tick_reaches_back_by_its_length() {
    let options = options("track1d", Model::Decoder, Precision::F32);
    let prepared = prepared(&options);
    let step = selection::median_step(&prepared.decoding.as_ref().unwrap().time);
    let settings = settings(step);
    let mut kde = Kde::<f32>::new(&options, &prepared.model, &settings, CpuLevel::detect()).unwrap();
    let mut record = TickRecord::new(&kde.shape());
    kde.tick(1000, &mut record);
    assert_eq!((record.lower, record.upper), (820, 1000));
}
