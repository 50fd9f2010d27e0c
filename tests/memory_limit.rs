//! `--memory` holds: peak resident memory as the system saw it, for inputs many times the limit.
#![cfg(target_os = "linux")]

mod common;

use common::{done, fixture, nissl, splitmix, write_npy};
use nissl::array::Dtype;
use nissl::io::{self, Attribute, AttributeValue, DatasetSpec};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

/// Runs the command and returns the most memory it had resident, mapped pages included, bytes: the
/// kernel's own high-water mark, looked at until the process is gone.
fn peak(command: &mut Command) -> u64 {
    let (most, status, said) = watched(command);
    assert!(status.success(), "{command:?}: {said}");
    most
}

/// The same however the command ends, with its status and what it said.
fn watched(command: &mut Command) -> (u64, ExitStatus, String) {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    while child.try_wait().unwrap().is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let mark = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = mark.and_then(|mark| mark.trim().trim_end_matches(" kB").parse::<u64>().ok());
        most = most.max(kib.unwrap_or(0) << 10);
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let ended = child.wait_with_output().unwrap();
    (most, ended.status, String::from_utf8_lossy(&ended.stderr).into_owned())
}

/// Numbers that deflate can do something with.
fn values(count: usize) -> impl Iterator<Item = f64> {
    splitmix(21, count).map(|value| (value * 1000.0).round() * 1e-8)
}

/// `array` as gzip and shuffle in `chunks`, and as NPY.
fn store(folder: &Path, (path, shape, chunks): (&str, &[u64], &[u64])) {
    let count: u64 = shape.iter().product();
    let bytes: Vec<u8> = values(count as usize).flat_map(f64::to_le_bytes).collect();
    let lengths: Vec<usize> = shape.iter().map(|&n| n as usize).collect();
    write_npy(&folder.join("in.npy"), "<f8", &lengths, &bytes);
    let mut writer = io::create(&folder.join("in.h5")).unwrap();
    let spec = DatasetSpec {
        path: path.into(),
        shape: shape.to_vec(),
        dtype: Dtype::F64,
        chunks: Some(chunks.to_vec()),
        deflate: Some(1),
        fill: None,
    };
    let id = writer.create(&spec).unwrap();
    writer.append(id, &bytes).unwrap();
    writer.finish().unwrap();
}

const BESIDE: u64 = 100 << 20;

fn holds(command: &mut Command, limit_mib: u64) {
    let most = peak(command.args(["--memory", &format!("{limit_mib}M"), "--threads", "2", "-q"]));
    assert!(most > 2 << 20, "nothing was measured");
    assert!(most < (limit_mib << 20) + BESIDE, "{} MiB resident: {command:?}", most >> 20);
}

#[test]
fn rasters_ten_times_the_limit_stay_under_it() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    // 160 MiB, beside a limit of 16.
    store(folder.path(), ("dem", &[10_240, 2048], &[64, 256]));
    for (input, output) in [("in.npy", "a.npy"), ("in.h5", "b.h5"), ("in.h5", "c.nc")] {
        let flags = ["--kernel", "circle:5"];
        holds(nissl(&["convolve"]).arg(at(input)).arg("-o").arg(at(output)).args(flags), 16);
    }
    // The result does not show it.
    let flags = ["--kernel", "circle:5", "-q"];
    done(nissl(&["convolve"]).arg(at("in.npy")).arg("-o").arg(at("d.npy")).args(flags));
    assert!(std::fs::read(at("a.npy")).unwrap() == std::fs::read(at("d.npy")).unwrap());
}

/// The least that works is 83 MiB here, so the input is but some times the limit.
#[test]
fn epochs_several_times_the_limit_stay_under_it() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    // 260 MiB, of which 184 may be resident.
    let shape = [40, 64, 13_312];
    let bytes: Vec<u8> = values(shape.iter().product()).flat_map(f64::to_le_bytes).collect();
    write_npy(&at("in.npy"), "<f8", &shape, &bytes);
    drop(bytes);
    let run = |input: &str, output: &str| {
        let mut command = nissl(&["autoreject"]);
        command.arg(at(input)).arg("-o").arg(at(output));
        command.args(["--montage", "biosemi64", "--sfreq", "500", "--threshold-search", "exact"]);
        holds(command.args(["--cv", "3", "--n-interpolate", "1", "--consensus", "0.3"]), 84);
        std::fs::read(at(output).join("reject_log.npz")).unwrap()
    };
    let plain = run("in.npy", "out");
    // Packed by whole epochs: unpacked once beside the results instead of at every stretch of samples.
    let mut writer = io::create(&at("in.h5")).unwrap();
    let spec = DatasetSpec {
        path: "epochs/data".into(),
        shape: shape.map(|n| n as u64).to_vec(),
        dtype: Dtype::F64,
        chunks: Some(vec![1, 64, 13_312]),
        deflate: Some(1),
        fill: None,
    };
    let id = writer.create(&spec).unwrap();
    for epoch in std::fs::read(at("in.npy")).unwrap()[128..].chunks(8 * 64 * 13_312) {
        writer.append(id, epoch).unwrap();
    }
    writer.finish().unwrap();
    assert!(run("in.h5", "packed") == plain);
}

/// A recording of 1000 s with `spikes` of 8 features on each of `electrodes`, as a folder of NPY and as
/// HDF5 with gzip and shuffle.
fn recording(folder: &Path, (electrodes, spikes): (usize, usize)) {
    let mut writer = io::create(&folder.join("in.h5")).unwrap();
    let layout = AttributeValue::Text(vec![b"decode-inputs-1".to_vec()]);
    writer
        .set_attribute("/", &Attribute { name: "layout".into(), shape: Vec::new(), value: layout })
        .unwrap();
    let mut array = |path: &str, shape: &[usize], values: &mut dyn Iterator<Item = f64>| {
        let file = folder.join("in").join(format!("{path}.npy"));
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        let bytes: Vec<u8> = values.take(shape.iter().product()).flat_map(f64::to_le_bytes).collect();
        write_npy(&file, "<f8", shape, &bytes);
        let shape: Vec<u64> = shape.iter().map(|&n| n as u64).collect();
        let chunks = Some([&[shape[0].min(16_384)], &shape[1..]].concat());
        let (path, dtype) = (path.to_owned(), Dtype::F64);
        let spec = DatasetSpec { path, shape, dtype, chunks, deflate: Some(1), fill: None };
        let id = writer.create(&spec).unwrap();
        writer.append(id, &bytes).unwrap();
    };
    let samples = 20_000;
    array("position/time", &[samples], &mut (0..).map(|i| f64::from(i) * 0.05));
    array("position/data", &[samples, 1], &mut (0..).map(|i| (f64::from(i) * 0.01).sin() * 50.0));
    for electrode in 0..electrodes {
        let step = 0.05 * samples as f64 / spikes as f64;
        let path = format!("electrodes/{electrode}");
        array(&format!("{path}/spike_times"), &[spikes], &mut (0..).map(|i| f64::from(i) * step));
        let mut features = splitmix(electrode as u64, spikes * 8).map(|v| (v * 200.0).round());
        array(&format!("{path}/features"), &[spikes, 8], &mut features);
    }
    writer.finish().unwrap();
}

/// 206 MiB of spikes beside a limit of 20; those of the first half second encode.
#[test]
fn recordings_ten_times_the_limit_stay_under_it() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    recording(folder.path(), (12, 250_000));
    let decode = |input: &str, output: &str| {
        let mut command = nissl(&["decode"]);
        command.arg(at(input)).arg("-o").arg(at(output));
        command.args(["--encode-interval", "0:0.5", "--time", "5:1000:0.1", "--bin-size", "10"]);
        command
    };
    for (input, output) in [("in", "npy.nc"), ("in.h5", "h5.nc")] {
        holds(&mut decode(input, output), 20);
    }
    done(decode("in", "held.nc").args(["--memory", "2G", "-q"]));
    let bytes = |name: &str| std::fs::read(at(name)).unwrap();
    assert!(bytes("npy.nc") == bytes("held.nc") && bytes("h5.nc") == bytes("held.nc"));
    let names = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(names.into_iter().all(|name| !name.to_string_lossy().starts_with('.')), "something is left");
}

/// 214 MiB of spikes that all encode beside a limit of 20, fitted and loaded; those of five seconds are
/// decoded.
#[test]
fn encoding_models_many_times_the_limit_stay_under_it() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    recording(folder.path(), (48, 65_000));
    let decode = |output: &str, flags: &[&str]| {
        let mut command = nissl(&["decode"]);
        command.arg(at("in")).arg("-o").arg(at(output)).args(flags);
        command
    };
    let window = ["--time", "500:505:0.1"];
    let fitted = [&window[..], &["--bin-size", "10"]].concat();
    holds(&mut decode("out.nc", &fitted), 20);
    holds(decode("model.h5", &["--bin-size", "10"]).arg("--fit-only"), 20);
    holds(decode("loaded.nc", &window).arg("--encoding-model").arg(at("model.h5")), 20);
    done(decode("held.nc", &fitted).args(["--memory", "4G", "-q"]));
    let bytes = |name: &str| std::fs::read(at(name)).unwrap();
    assert!(bytes("out.nc") == bytes("held.nc") && bytes("loaded.nc") == bytes("held.nc"));
    // Where the animal's own place counts, all positions are in memory besides.
    let nonlocal = [&fitted[..], &["--model", "nonlocal"]].concat();
    holds(&mut decode("nonlocal.nc", &nonlocal), 44);
    done(decode("nonlocal-held.nc", &nonlocal).args(["--memory", "4G", "-q"]));
    assert!(bytes("nonlocal.nc") == bytes("nonlocal-held.nc"));
}

/// A run that is refused keeps to its limit, too: an electrode of 89 MiB that all encodes, and 80 allowed.
fn refused_within_the_limit() {
    let folder = tempfile::tempdir().unwrap();
    recording(folder.path(), (1, 1_300_000));
    let mut command = nissl(&["decode", "-q", "--threads", "2", "--memory", "80M", "-o"]);
    command.arg(folder.path().join("out.nc")).arg(folder.path().join("in"));
    let (most, status, said) = watched(&mut command);
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("over --memory 80M"), "{said}");
    assert!(most < (80 << 20) + BESIDE, "{} MiB resident: {said}", most >> 20);
}

#[test]
fn a_recording_too_large_for_the_limit_is_refused_with_the_least_that_works() {
    let folder = tempfile::tempdir().unwrap();
    let decode = |memory: &str, output: &str| {
        let mut command = nissl(&["decode", "-q", "--threads", "1", "--memory", memory, "-o"]);
        command.arg(folder.path().join(output)).arg(fixture("decode/real/clusterless.h5"));
        command.args(["--encode-interval", "4397:4997", "--time", "4997:5297:0.02", "--bin-size", "3"]);
        command
    };
    // What the refusal names works, and the next smaller does not.
    let least = |memory: &str| {
        let refused = decode(memory, "out.nc").output().unwrap();
        let said = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(1), "{said}");
        said.trim_end().rsplit("--memory ").next().unwrap().to_owned()
    };
    let told = least("8M");
    let limit = nissl::units::parse_bytes(&told).unwrap();
    assert_eq!(nissl::units::parse_bytes(&least(&format!("{}", limit - (1 << 20)))).unwrap(), limit);
    // 15,000 rows of posterior, several times what the run may hold beside the recording.
    let most = peak(&mut decode(&told, "out.nc"));
    assert!(most < limit + BESIDE, "{} MiB with --memory {told}", most >> 20);
    refused_within_the_limit();
    // Tick by tick all is held: a model is refused before it is read; this one is a gigabyte of nothing.
    let model = folder.path().join("model.nc");
    std::fs::File::create(&model).unwrap().set_len(1 << 30).unwrap();
    let mut command = nissl(&["decode", "-q", "--stream", "--likelihood", "kde", "--memory", "100M", "-o"]);
    command.arg(folder.path().join("other.nc")).arg(fixture("decode/real/clusterless.h5"));
    let (most, status, said) = watched(command.arg("--encoding-model").arg(&model));
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("model.nc: the model and the recording take") && most < 100 << 20, "{said}");
    // Positions alone are too large: they are always held.
    let refused = decode("512K", "other.nc").output().unwrap();
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("all of it takes about"), "{said}");
}
