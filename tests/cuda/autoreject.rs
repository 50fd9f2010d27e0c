//! `autoreject` chooses the same on the device as on the CPU, on every reference.

use crate::common::{done, fixture, nissl};
use crate::driver::{Told, on_device};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Inputs with the flags that they need.
fn sets() -> Vec<(&'static str, Vec<String>)> {
    let own = |set: &str, files: &[(&str, &str)]| {
        let path = |file: &str| fixture(&format!("autoreject/{set}/{file}")).display().to_string();
        let mut flags = Vec::new();
        for (flag, file) in files {
            if !flag.is_empty() {
                flags.push((*flag).to_owned());
            }
            flags.push(path(file));
        }
        flags
    };
    let tables = [("", "epochs.npy"), ("--channels", "channels.tsv"), ("--electrodes", "electrodes.tsv")];
    let with_rate = |mut flags: Vec<String>| {
        flags.extend(["--sfreq".to_owned(), "250".to_owned()]);
        flags
    };
    vec![
        ("tiny", own("tiny", &[("", "epochs.h5")])),
        ("real14", own("real14", &[("", "epochs.h5")])),
        ("visual", own("visual", &[("", "epochs.h5")])),
        ("synth32", with_rate(own("synth32", &tables))),
        ("retrocompat", with_rate(own("retrocompat", &tables))),
    ]
}

const METHODS: [&[&str]; 5] = [
    &["--threshold-search", "exact"],
    &["--threshold-search", "random", "--seed", "3"],
    &["--threshold-search", "exact", "--no-augment", "--fresh-labels"],
    &["--method", "global", "--threshold-search", "exact"],
    &["--method", "ransac"],
];

fn summary(out: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(out.join("summary.json")).unwrap()).unwrap()
}

fn on_cpu(input: &[String], flags: &[&str], out: &Path) -> Value {
    let mut command = nissl(&["autoreject", "-q", "--progress", "none", "--backend", "cpu"]);
    done(command.args(input).args(flags).arg("-o").arg(out));
    summary(out)
}

struct Device<'a> {
    folder: &'a Path,
    settings: Vec<(&'a str, &'a str)>,
}

impl Device<'_> {
    /// The summary, what the driver did, what stood on stderr.
    fn run(&self, input: &[String], flags: &[&str], name: &str) -> (Value, Told, String) {
        let (out, log) = (self.folder.join(name), self.folder.join(format!("{name}.driver.json")));
        let log_path = log.display().to_string();
        let mut settings = self.settings.clone();
        settings.push(("LOG", &log_path));
        let mut command =
            on_device(&["autoreject", "--progress", "none"], &settings, &self.folder.join("cache"));
        let output = done(command.args(input).args(flags).arg("-o").arg(&out));
        (summary(&out), Told::read(&log), String::from_utf8(output.stderr).unwrap())
    }
}

/// All that is chosen is equal; losses agree to 1e-9.
fn assert_same(what: &str, got: &Value, want: &Value) {
    for field in [
        "consensus",
        "n_interpolate",
        "thresholds",
        "bad_epochs",
        "interpolated",
        "selection",
        "reject",
        "bad_channels",
    ] {
        assert_eq!(got[field], want[field], "{what}: {field}");
    }
    close(what, &got["loss"], &want["loss"]);
    close(what, &got["validation_curve"], &want["validation_curve"]);
}

fn close(what: &str, got: &Value, want: &Value) {
    match (got, want) {
        (Value::Array(got), Value::Array(want)) => {
            assert_eq!(got.len(), want.len(), "{what}");
            got.iter().zip(want).for_each(|(got, want)| close(what, got, want));
        }
        (Value::Object(got), Value::Object(want)) => {
            assert_eq!(got.len(), want.len(), "{what}");
            want.iter().for_each(|(name, want)| close(what, &got[name], want));
        }
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            assert!((a - b).abs() <= 1e-9 * b.abs(), "{what}: {a} instead of {b}");
        }
        (got, want) => assert_eq!(got, want, "{what}"),
    }
}

#[test]
fn every_reference_is_decided_alike_on_the_device_and_on_the_cpu() {
    let folder = tempfile::tempdir().unwrap();
    let device = Device { folder: folder.path(), settings: Vec::new() };
    for (set, input) in sets() {
        for (at, flags) in METHODS.iter().enumerate() {
            let name = format!("{set}-{at}");
            let want = on_cpu(&input, flags, &folder.path().join(format!("{name}-cpu")));
            let (got, told, _) = device.run(&input, flags, &name);
            assert_same(&format!("{set} {flags:?}"), &got, &want);
            let kernel = if flags.contains(&"ransac") { "epochs_correlate" } else { "epochs_sweep" };
            assert!(told.launches(kernel) > 0, "{name}: the device did nothing");
            assert_eq!(told.count("bytes_left"), 0, "{name}: memory was not given back");
        }
    }
}

fn real() -> (Vec<String>, &'static [&'static str], u64) {
    let input = vec![fixture("autoreject/visual/epochs.h5").display().to_string()];
    // 80 epochs, 30 picked channels, 154 samples.
    (input, METHODS[0], 8 * 80 * 30 * 154)
}

#[test]
fn epochs_go_to_the_device_once() {
    let folder = tempfile::tempdir().unwrap();
    let (input, flags, bytes) = real();
    let device = Device { folder: folder.path(), settings: Vec::new() };
    let (_, told, _) = device.run(&input, flags, "out");
    let uploaded = told.count("uploaded");
    assert!(uploaded >= bytes && uploaded < bytes + bytes / 2, "{uploaded} bytes up for {bytes} of epochs");
    assert!(told.count("downloaded") < bytes / 2, "{} bytes came back", told.count("downloaded"));
}

#[test]
fn little_memory_makes_narrow_slabs_and_less_leaves_the_work_to_the_cpu() {
    let folder = tempfile::tempdir().unwrap();
    let (input, flags, bytes) = real();
    let want = on_cpu(&input, flags, &folder.path().join("cpu"));
    let slabs = (3 * bytes).to_string();
    let device = Device { folder: folder.path(), settings: vec![("MEMORY", &slabs)] };
    let (got, told, said) = device.run(&input, flags, "slabs");
    assert_same("slabs", &got, &want);
    assert!(told.count("uploaded") > 2 * bytes, "the epochs should have come more than once");
    assert!(!said.contains("the CPU computes"), "{said}");
    assert!(told.launches("epochs_distances") > 0);
    let device = Device { folder: folder.path(), settings: vec![("MEMORY", "100000")] };
    let (got, told, said) = device.run(&input, flags, "nothing");
    assert_same("nothing", &got, &want);
    assert_eq!(said.matches("the CPU computes instead").count(), 1, "{said}");
    assert_eq!(told.launches("epochs_sweep"), 0);
}

#[test]
fn an_allocation_that_fails_anywhere_changes_no_result() {
    let folder = tempfile::tempdir().unwrap();
    let (input, flags, _) = real();
    let want = on_cpu(&input, flags, &folder.path().join("cpu"));
    for nth in ["1", "2", "3", "4", "7", "9", "11", "14", "18", "22", "5+", "20+"] {
        let device = Device { folder: folder.path(), settings: vec![("FAIL_ALLOCATION", nth)] };
        let (got, _, said) = device.run(&input, flags, &format!("fails-{nth}"));
        assert_same(nth, &got, &want);
        assert!(said.matches("the CPU computes instead").count() <= 1, "{said}");
    }
}

#[test]
fn a_device_that_fails_leaves_the_rest_to_the_cpu() {
    let folder = tempfile::tempdir().unwrap();
    let (input, flags, _) = real();
    let want = on_cpu(&input, flags, &folder.path().join("cpu"));
    for launch in ["epochs_predict:1", "epochs_sweep:1", "epochs_distances:1"] {
        let device = Device { folder: folder.path(), settings: vec![("FAIL_LAUNCH", launch)] };
        let (got, _, said) = device.run(&input, flags, &launch.replace(':', "-"));
        assert_same(launch, &got, &want);
        assert_eq!(said.matches("the CPU computes instead").count(), 1, "{launch}: {said}");
    }
}

#[test]
fn two_devices_share_the_samples() {
    let folder = tempfile::tempdir().unwrap();
    let (input, _, bytes) = real();
    for (at, flags) in METHODS.iter().enumerate() {
        let want = on_cpu(&input, flags, &folder.path().join(format!("cpu-{at}")));
        let device = Device { folder: folder.path(), settings: vec![("DEVICES", "2")] };
        let (got, told, _) = device.run(&input, flags, &format!("two-{at}"));
        assert_same("two devices", &got, &want);
        assert!(told.by_device().iter().all(|&launches| launches > 0), "{:?}", told.by_device());
        assert!(told.count("uploaded") < 2 * bytes);
    }
}

#[test]
fn the_bayesian_search_visits_points_no_worse_than_its_grid() {
    let folder = tempfile::tempdir().unwrap();
    let device = Device { folder: folder.path(), settings: Vec::new() };
    let (mut equal, mut all) = (0, 0);
    for (set, input) in sets() {
        let want = on_cpu(&input, &[], &folder.path().join(format!("{set}-cpu")));
        let (got, ..) = device.run(&input, &[], set);
        let (got, want) = (got["thresholds"].as_object().unwrap(), want["thresholds"].as_object().unwrap());
        all += want.len();
        equal += want.iter().filter(|(name, threshold)| got[*name] == **threshold).count();
    }
    // Its Gaussian process is ill-conditioned by design: one in 160 moves with the last bit of a loss.
    assert!(equal * 100 >= all * 98, "{equal} of {all} thresholds are the CPU's");
}

/// Output of a run on the device, for those who look at files.
pub fn results(input: &Path, folder: &Path, name: &str) -> PathBuf {
    let device = Device { folder, settings: Vec::new() };
    device.run(&[input.display().to_string()], METHODS[0], name);
    folder.join(name)
}

#[test]
fn the_cleaned_epochs_are_those_of_the_cpu() {
    let folder = tempfile::tempdir().unwrap();
    let (input, flags, _) = real();
    on_cpu(&input, flags, &folder.path().join("cpu"));
    let out = results(Path::new(&input[0]), folder.path(), "device");
    for file in ["epochs.h5", "reject_log.npz"] {
        let bytes = |folder: &Path| std::fs::read(folder.join(file)).unwrap();
        assert!(bytes(&out) == bytes(&folder.path().join("cpu")), "{file} differs");
    }
}
