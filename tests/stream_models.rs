//! `decode --stream --likelihood kde` against the offline filter, and ripples beside the decoder.
#![cfg(feature = "hdf5")]

mod common;
mod stream_common;

use common::{done, nissl, read, write_npy};
use nissl::commands::decode::session::{self, SessionChoices};
use nissl::commands::decode::stream::event::{append, header};
use nissl::commands::decode::stream::source::Replay;
use nissl::io::InputSpec;
use std::path::Path;
use stream_common::*;

const SPAN: &str = "4997:5012:0.0166666666666667";

/// The rat of the fixtures: its file has marks in single precision, as streams have.
fn rat() -> String {
    common::fixture("decode/real/clusterless.h5").display().to_string()
}

/// Flags of the model, offline and tick by tick.
const MODEL: [&str; 8] =
    ["--encode-interval", "4397:4997", "--position-std", "12", "--bin-size", "6", "--movement-var", "36"];

fn kde(input: &str, output: &Path, more: &[&str]) {
    let output = output.display().to_string();
    let fixed = ["decode", "--stream", input, "-o", &output, "-q", "--likelihood", "kde"];
    done(&mut nissl(&[&fixed, more].concat()));
}

#[test]
fn ticks_of_the_frozen_model_are_rows_of_the_offline_filter() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for precision in ["f32", "f64"] {
        let same = [&MODEL[..], &["--time", SPAN, "--model", "contfrag", "--precision", precision]].concat();
        let (offline, ticks) = (at(&format!("{precision}.off.nc")), at(&format!("{precision}.nc")));
        let name = offline.display().to_string();
        done(&mut nissl(&[&["decode", &rat(), "-o", &name, "-q", "--save", "filter"], &same[..]].concat()));
        kde(&rat(), &ticks, &same);
        let (offline, ticks) = (read(&offline, "causal_posterior"), read(&ticks, "posterior"));
        let (rows, columns) = (ticks.shape[0], offline.shape[1]);
        assert_eq!((rows + 1, ticks.shape[1]), (offline.shape[0], 2), "the last row has no end");
        let mut compared = 0;
        for row in 0..rows {
            // Offline the file holds all bins, NaN where the animal never was; ticks the others.
            let all = &offline.values[row * columns..(row + 1) * columns];
            let theirs: Vec<f64> = all.iter().copied().filter(|value| !value.is_nan()).collect();
            let ours = ticks.part(row).values;
            assert_eq!(ours.len(), theirs.len());
            for (a, b) in ours.iter().zip(&theirs) {
                assert_eq!(*a as f32, *b as f32, "{precision}, row {row}");
                compared += 1;
            }
        }
        assert!(compared > 50_000, "{compared}");
    }
}

#[test]
fn a_stored_model_decodes_a_pipe_as_it_decodes_the_recording() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let model = at("model.h5").display().to_string();
    done(&mut nissl(&[&["decode", &rat(), "--fit-only", "-o", &model, "-q"], &MODEL[..]].concat()));
    let more = ["--encoding-model", &model, "--movement-var", "36"];
    kde(&rat(), &at("replay.nc"), &[&more[..], &["--time", SPAN]].concat());

    let session = session::read(&InputSpec::file(rat()), &SessionChoices::default()).unwrap();
    let step = 0.0166666666666667;
    let times: Vec<f64> = (0..900).map(|row| 4997.0 + f64::from(row) * step).collect();
    let (first, last) = (times[0], times[899]);
    let mut replay = Replay::new(1e9);
    // The stream begins with its first row, so that no tick is made before the first record of one.
    let from = session.positions.time.partition_point(|&time| time < first);
    let axes = session.positions.axes;
    replay.positions(&session.positions.time[from..], &session.positions.data[from * axes..], axes);
    for train in &session.trains {
        let within: Vec<usize> =
            (0..train.times.len()).filter(|&spike| (first..last).contains(&train.times[spike])).collect();
        let spikes: Vec<f64> = within.iter().map(|&spike| train.times[spike]).collect();
        let mark = |&spike: &usize| train.marks[spike * train.width..(spike + 1) * train.width].to_vec();
        let marks: Vec<f64> = within.iter().flat_map(mark).collect();
        replay.electrode(train.name.parse().unwrap(), &spikes, &marks, train.width);
    }
    replay.ticks(&times[1..]);
    replay.settle();
    let mut bytes = header(1e9).to_vec();
    while let Some(event) = replay.event() {
        append(&event, &mut bytes);
    }
    let output = at("pipe.nc").display().to_string();
    // Records tick; the length of a row says how far the first one reaches back.
    let tick = step.to_string();
    let fixed = ["decode", "--stream", "-", "-o", &output, "-q", "--likelihood", "kde", "--tick", &tick];
    said(&fed(&mut nissl(&[&fixed[..], &more].concat()), &bytes));
    for variable in ["time", "posterior", "likelihood", "spike_count", "lb", "ub", "enc_argmaxes"] {
        let [replayed, piped] = ["replay.nc", "pipe.nc"].map(|name| read(&at(name), variable));
        assert!(replayed.shape[0] == 899 && replayed == piped, "{variable}");
    }
}

#[test]
fn what_the_frozen_model_cannot_do_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("a.npy").display().to_string();
    for (more, told) in [
        (&["--model", "nonlocal"][..], "animal's position"),
        (&["--realtime-config", "x.json"], "--realtime-config"),
        (&["--dedup", "peer"], "--dedup"),
    ] {
        let fixed = ["decode", "--stream", &rat(), "-o", &output, "--likelihood", "kde", "--time", SPAN];
        let ended = nissl(&[&fixed, more].concat()).output().unwrap();
        let text = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(2), "{more:?}: {text}");
        assert!(text.contains(told), "{text}");
    }
    let ended = fed(&mut nissl(&["decode", "--stream", "-", "-o", &output, "--likelihood", "kde"]), &[]);
    assert_eq!(ended.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&ended.stderr).contains("--encoding-model"));
}

/// Noise, with 100 ms of 200 Hz from 120 s on.
fn field_potential() -> Vec<f64> {
    let noise: Vec<f64> = common::splitmix(3, 141 * 1500).collect();
    let ripple = |sample: usize| match sample as f64 / 1500.0 {
        time if (120.0..120.1).contains(&time) => 8.0 * (std::f64::consts::TAU * 200.0 * time).sin(),
        _ => 0.0,
    };
    noise.iter().enumerate().map(|(sample, noise)| f64::from((noise - 0.5 + ripple(sample)) as f32)).collect()
}

#[test]
fn ripples_are_marked_in_replays_and_streams_alike() {
    let set = Set("realtime_classifier");
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let lfp = field_potential();
    session_folder(set, &at("session"));
    let bytes: Vec<u8> = lfp.iter().flat_map(|value| [*value, 0.0].map(f64::to_le_bytes).concat()).collect();
    write_npy(&at("session").join("lfp.npy"), "<f8", &[lfp.len(), 2], &bytes);
    let session = at("session").display().to_string();
    done(&mut decode(&session, &at("replay.bin"), &set.config(), &["--lfp", "lfp,0"]));
    let ended = decode(&session, &at("b.bin"), &set.config(), &["--lfp", "lfp"]).output().unwrap();
    assert_eq!(ended.status.code(), Some(65));
    assert!(String::from_utf8_lossy(&ended.stderr).contains("one channel"));

    let records = Records::read(&at("replay.bin"), 3, true);
    let on: Vec<f64> = records
        .i64s("tick")
        .iter()
        .zip(records.u8s("ripple"))
        .filter(|(_, ripple)| *ripple == 1)
        .map(|(tick, _)| *tick as f64 / CLOCK)
        .collect();
    let burst = |time: &&f64| (120.0..120.15).contains(*time);
    let inside = on.iter().filter(burst).count();
    // Noise alone is over three standard deviations now and then.
    let outside = (on.len() - inside) as f64 / records.count() as f64;
    assert!(inside >= 12 && outside < 0.03, "{inside} ticks in the burst, {outside} of the others");
    assert!(counts(&at("replay.bin"))["seen"]["ripples"].as_u64().unwrap() > 0);

    let mut events = set.events(false, false);
    let event = |(sample, value): (usize, &f64)| {
        Owned::new(nissl::commands::decode::stream::event::Kind::Lfp, 7, 20 * sample as i64, &[*value as f32])
    };
    events.extend(lfp.iter().enumerate().map(event));
    events.sort_by_key(replayed);
    said(&fed(&mut decode("-", &at("pipe.bin"), &set.config(), &["--lfp", "7"]), &stream(&events)));
    assert!(std::fs::read(at("pipe.bin")).unwrap() == std::fs::read(at("replay.bin")).unwrap());
}
