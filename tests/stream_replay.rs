//! `decode --stream` against the peer's ticks, and the same events by every way in and out.

mod common;
#[path = "common/python.rs"]
mod python;
mod stream_common;

use common::{done, read};
use nissl::commands::decode::stream::event::Kind;
use std::io::Write;
use std::path::Path;
use stream_common::*;

/// Marks go through a stream in single precision, where the peer's are double: that is what its
/// distributions may differ by.
const SINGLE: f64 = 2e-6;

const SETS: [Set; 2] = [Set("realtime"), Set("realtime_classifier")];

#[test]
fn ticks_are_those_of_the_peer() {
    for set in SETS {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("ticks.bin");
        let bytes = stream(&set.events(true, true));
        said(&fed(&mut decode("-", &output, &set.config(), &["--dedup", "peer"]), &bytes));
        let records = Records::read(&output, set.states(), false);
        let whole = |name: &str| set.array(name).into_iter().map(|value| value as i64).collect::<Vec<_>>();
        assert_eq!(records.i64s("tick"), whole("in_tick_timestamp"));
        assert_eq!(records.i64s("lb"), whole("tick_bin_timestamp_l"));
        let small = |name: &str| records.i32s(name).into_iter().map(i64::from).collect::<Vec<_>>();
        assert_eq!(small("spike_count"), whole("tick_spike_count"));
        assert_eq!(small("cred_int_post"), whole("tick_cred_int_post"));
        assert_eq!(small("cred_int_lk"), whole("tick_cred_int_lk"));
        let (posterior, likelihood) = (records.f64s("posterior"), records.f64s("likelihood"));
        let mut greatest: f64 = 0.0;
        for (name, ours, width) in
            [("tick_posterior", &posterior, 41 * set.states()), ("tick_likelihood", &likelihood, 41)]
        {
            let theirs = set.array(name);
            for (row, &tick) in whole("tick_full_index").iter().enumerate() {
                for (a, b) in ours[tick as usize].iter().zip(&theirs[row * width..(row + 1) * width]) {
                    greatest = greatest.max((a - b).abs());
                }
            }
        }
        assert!(greatest < SINGLE, "{}: {greatest:e}", set.0);
        let sums = set.array("tick_state_probability");
        for (row, ours) in posterior.iter().enumerate() {
            for (state, sum) in ours.chunks(41).map(|state| state.iter().sum::<f64>()).enumerate() {
                assert!((sum - sums[row * set.states() + state]).abs() < SINGLE);
            }
        }
        let duplicates = set.array("final_duplicates")[0] as i64;
        assert_eq!(counts(&output)["engine"]["duplicates"], duplicates);
    }
}

#[test]
fn replay_pipe_and_growing_file_give_equal_bytes() {
    let set = Set("realtime_classifier");
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    session_folder(set, &at("session"));
    done(&mut decode(at("session").to_str().unwrap(), &at("replay.npy"), &set.config(), &[]));
    let expected = std::fs::read(at("replay.npy")).unwrap();
    let mut events = set.events(false, false);
    events.sort_by_key(replayed);
    let last = events.last().unwrap().at;
    let mut bytes = stream(&events);
    said(&fed(&mut decode("-", &at("pipe.npy"), &set.config(), &[]), &bytes));
    assert!(std::fs::read(at("pipe.npy")).unwrap() == expected, "standard input");

    bytes = stream(&[events, vec![Owned::new(Kind::End, 0, last, &[])]].concat());
    fifo(&at("in"));
    let (path, sent) = (at("in"), bytes.clone());
    let feeding = std::thread::spawn(move || std::fs::write(path, sent).unwrap());
    done(&mut decode(at("in").to_str().unwrap(), &at("fifo.npy"), &set.config(), &[]));
    feeding.join().unwrap();
    assert!(std::fs::read(at("fifo.npy")).unwrap() == expected, "FIFO");

    // It is empty at first, and grows by pieces that cut records.
    let mut file = std::fs::File::create(at("events.ns")).unwrap();
    let mut command = decode(at("events.ns").to_str().unwrap(), &at("file.npy"), &set.config(), &[]);
    let child = piped(&mut command);
    for piece in bytes.chunks(9973) {
        std::thread::sleep(std::time::Duration::from_millis(5));
        file.write_all(piece).unwrap();
    }
    said(&child.wait_with_output().unwrap());
    assert!(std::fs::read(at("file.npy")).unwrap() == expected, "growing file");
}

#[test]
fn every_form_of_output_holds_the_same() {
    let set = Set("realtime_classifier");
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("events.ns"), stream(&set.events(true, true))).unwrap();
    for name in ["a.npy", "a.nc", "a.bin"] {
        let idle = ["--stream-idle", "0.05"];
        done(&mut decode(at("events.ns").to_str().unwrap(), &at(name), &set.config(), &idle));
    }
    let records = std::fs::read(at("a.bin")).unwrap();
    assert!(std::fs::read(at("a.npy")).unwrap().ends_with(&records));
    let packed = Records::read(&at("a.bin"), 3, false);
    let posterior = read(&at("a.nc"), "posterior");
    assert_eq!(posterior.shape, [packed.count(), 3, 41]);
    assert!(posterior.values == packed.f64s("posterior").concat());
    let time = read(&at("a.nc"), "time").values;
    assert!(time.iter().zip(packed.i64s("tick")).all(|(s, tick)| *s == tick as f64 / CLOCK));
    assert!(read(&at("a.nc"), "likelihood").values == packed.f64s("likelihood").concat());
}

#[test]
fn files_open_in_xarray_and_numpy_and_the_example_writes_the_same_stream() {
    let set = Set("realtime_classifier");
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let events = set.events(true, true);
    let last = events.last().unwrap().at;
    let bytes = stream(&[events, vec![Owned::new(Kind::End, 0, last, &[])]].concat());
    std::fs::write(at("events.ns"), bytes).unwrap();
    for name in ["ticks.npy", "ticks.nc"] {
        done(&mut decode(at("events.ns").to_str().unwrap(), &at(name), &set.config(), &[]));
    }
    std::fs::write(at("empty.ns"), stream(&[])).unwrap();
    for name in ["none.npy", "none.nc"] {
        let idle = ["--stream-idle", "0.01"];
        done(&mut decode(at("empty.ns").to_str().unwrap(), &at(name), &set.config(), &idle));
    }
    let script = r#"
import subprocess, sys, numpy, xarray
folder, arrays, writer = sys.argv[1:]
ticks = numpy.load(f"{folder}/ticks.npy")
assert ticks["posterior"].shape == (len(ticks), 3, 41) and ticks.dtype.itemsize == 1440, ticks.dtype.itemsize
assert numpy.allclose(ticks["posterior"].sum((1, 2)), 1)
for engine in ("netcdf4", "h5netcdf"):
    results = xarray.open_dataset(f"{folder}/ticks.nc", engine=engine)
    assert results.posterior.dims == ("time", "state", "position"), results.posterior.dims
    assert list(results.state.values) == ["stationary", "continuous", "fragmented"]
    assert results.enc_argmaxes.dims == ("time", "slot") and results.position.values[0] == 0.5
    for name in ticks.dtype.names:
        assert (results[name].values == ticks[name]).all(), name
    assert (results.posterior.sel(state="continuous").sum("position") <= 1 + 1e-9).all()
    assert xarray.open_dataset(f"{folder}/none.nc", engine=engine).sizes["time"] == 0
assert numpy.load(f"{folder}/none.npy").shape == (0,)
written = subprocess.run([sys.executable, writer, arrays], stdout=subprocess.PIPE, check=True).stdout
assert written == open(f"{folder}/events.ns", "rb").read(), "the example writes another stream"
print(len(ticks))
"#;
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/write_events.py");
    let arrays = set.file("");
    let arguments = [folder.path(), arrays.as_path(), example.as_path()];
    let Some(printed) = python::python("stream outputs", script, &arguments) else { return };
    assert_eq!(printed.trim(), "3999");
}
