//! Parts and their merge: N shards put together are one run, byte for byte; whatever is not the
//! whole set of one run is refused.

mod common;

use common::{done, fixture, nissl, splitmix, write_npy};
use std::path::{Path, PathBuf};
use std::process::Output;

/// Planes x rows x columns with smooth parts and holes.
fn raster(folder: &Path, name: &str, shape: &[usize], holes: bool) -> PathBuf {
    let cells: usize = shape.iter().product();
    let mut values: Vec<f64> = splitmix(5, cells).map(|u| 100.0 + 20.0 * u).collect();
    if holes {
        (0..cells).step_by(1009).for_each(|at| values[at] = f64::NAN);
    }
    let path = folder.join(name);
    write_npy(&path, "<f8", shape, &values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>());
    path
}

fn convolve(input: &Path, output: &Path, flags: &[&str]) -> std::process::Command {
    let mut command = nissl(&["convolve", "-q"]);
    command.arg(input).arg("-o").arg(output).args(flags);
    command
}

fn merge(parts: &[&Path], output: &Path, flags: &[&str]) -> Output {
    nissl(&["merge", "-q"]).args(parts).arg("-o").arg(output).args(flags).output().unwrap()
}

fn told(output: &Output) -> (i32, String) {
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Runs whole and in `shards` parts, merges, and compares every byte.
fn same_as_one_run(input: &Path, folder: &Path, extension: &str, flags: &[&str], shards: u64) {
    let what = format!("{extension} {flags:?} in {shards}");
    let whole = folder.join(format!("whole.{extension}"));
    done(&mut convolve(input, &whole, &[flags, &["--force"]].concat()));
    let apart = folder.join("apart");
    std::fs::create_dir_all(&apart).unwrap();
    let output = apart.join(format!("out.{extension}"));
    for index in (1..=shards).rev() {
        // Other threads and memory on every machine leave the bytes as they are.
        let limits = if index % 2 == 0 { ["--threads", "1"] } else { ["--threads", "2"] };
        let shard = format!("{index}/{shards}");
        done(&mut convolve(input, &output, &[flags, &["--shard", &shard], &limits].concat()));
    }
    let merged = merge(&[&apart], &output, &[]);
    assert!(merged.status.success(), "{what}: {:?}", told(&merged));
    assert!(std::fs::read(&whole).unwrap() == std::fs::read(&output).unwrap(), "{what}: other bytes");
    std::fs::remove_dir_all(&apart).unwrap();
}

#[test]
fn merged_rasters_are_those_of_one_run() {
    let folder = tempfile::tempdir().unwrap();
    let tall = raster(folder.path(), "tall.npy", &[700, 61], true);
    let stack = raster(folder.path(), "stack.npy", &[3, 2, 130, 40], true);
    let plain = raster(folder.path(), "plain.npy", &[2, 300, 50], false);
    let gauss: &[&str] = &["--kernel", "gauss:3"];
    for (extension, shards) in [("npy", 3), ("npz", 2), ("h5", 5), ("nc", 3)] {
        same_as_one_run(&tall, folder.path(), extension, gauss, shards);
        same_as_one_run(
            &stack,
            folder.path(),
            extension,
            &["--kernel", "circle:2", "--boundary", "wrap"],
            shards,
        );
        let stats = &["--kernel", "circle:3", "--stat", "mean,variety,std", "--boundary", "reflect"];
        same_as_one_run(&stack, folder.path(), extension, stats, shards);
        same_as_one_run(&plain, folder.path(), extension, &["--kernel", "circle:3", "--hotspots"], shards);
        same_as_one_run(
            &stack,
            folder.path(),
            extension,
            &["--mean-passes", "3", "--boundary", "nearest"],
            shards,
        );
    }
    for flags in [&["--compress", "4"][..], &[]] {
        for job in [&["--kernel", "circle:3", "--hotspots"][..], &["--kernel", "circle:9"]] {
            same_as_one_run(&plain, folder.path(), "nc", &[job, flags].concat(), 7);
        }
    }
    same_as_one_run(&tall, folder.path(), "npy", &["--kernel", "annulus:12,5", "--algorithm", "fft"], 4);
    // More parts than rows: some are empty.
    let flat = raster(folder.path(), "flat.npy", &[2, 3, 20], false);
    for extension in ["npy", "h5", "npz"] {
        same_as_one_run(&flat, folder.path(), extension, &["--kernel", "box:3x3"], 11);
    }
}

#[test]
fn merged_maps_keep_coordinates_and_picture() {
    let folder = tempfile::tempdir().unwrap();
    let dem = fixture("convolve/jacksboro/dem.nc");
    let at = |name: &str| folder.path().join(name);
    let flags = ["--kernel", "circle:450m", "--normalize", "--cell-size", "74,93"];
    let draw = |name: &str| ["--plot".to_owned(), at(name).display().to_string()];
    let run = |output: &str, plot: &str, more: &[&str]| {
        done(convolve(&dem, &at(output), &flags).args(draw(plot)).args(more));
    };
    run("whole.nc", "whole.svg", &[]);
    for shard in ["1/3", "2/3", "3/3"] {
        run("out.nc", "out.svg", &["--shard", shard]);
    }
    assert!(!at("out.svg").exists(), "parts draw nothing");
    let parts: Vec<PathBuf> = (1..=3).map(|i| at(&format!("out.shard-00{i}-of-003.nc"))).collect();
    let parts: Vec<&Path> = parts.iter().map(PathBuf::as_path).collect();
    let merged = merge(&parts, &at("out.nc"), &["--memory", "64M"]);
    assert!(merged.status.success(), "{:?}", told(&merged));
    assert!(std::fs::read(at("whole.nc")).unwrap() == std::fs::read(at("out.nc")).unwrap());
    assert!(std::fs::read(at("whole.svg")).unwrap() == std::fs::read(at("out.svg")).unwrap());
}

#[test]
fn incomplete_doubled_and_foreign_sets_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let input = raster(folder.path(), "in.npy", &[500, 30], false);
    let output = at("out.npy");
    let shard = |output: &Path, shard: &str, flags: &[&str]| {
        done(&mut convolve(&input, output, &[flags, &["--shard", shard]].concat()));
    };
    let part = |i: u64| at(&format!("out.shard-{i:03}-of-008.npy"));
    for i in [1, 2, 4, 5, 6, 8] {
        shard(&output, &format!("{i}/8"), &["--kernel", "gauss:2"]);
    }
    let missing = merge(&[folder.path()], &output, &[]);
    let (code, text) = told(&missing);
    assert!(code == 65 && text.contains("missing: 3,7") && text.contains("--array=3,7"), "{code} {text}");
    shard(&output, "3/8", &["--kernel", "gauss:2"]);
    // The seventh of another kernel is a stranger, and so is a result that is no part.
    shard(&at("other.npy"), "7/8", &["--kernel", "gauss:1"]);
    std::fs::rename(at("other.shard-007-of-008.npy"), part(7)).unwrap();
    let (code, text) = told(&merge(&[folder.path()], &output, &[]));
    assert!(code == 65 && text.contains("of another run"), "{code} {text}");
    std::fs::copy(&input, part(7)).unwrap();
    let (code, text) = told(&merge(&[folder.path()], &output, &[]));
    assert!(code == 65 && text.contains("no part"), "{code} {text}");
    // Cut short while it was copied.
    shard(&output, "7/8", &["--kernel", "gauss:2", "--force"]);
    let bytes = std::fs::read(part(7)).unwrap();
    std::fs::write(part(7), &bytes[..bytes.len() - 100]).unwrap();
    assert_eq!(told(&merge(&[folder.path()], &output, &[])).0, 65);
    std::fs::write(part(7), &bytes).unwrap();
    std::fs::copy(part(2), at("copy.npy")).unwrap();
    let (code, text) = told(&merge(&[folder.path(), &at("copy.npy")], &output, &[]));
    assert!(code == 65 && text.contains("a second time"), "{code} {text}");
    assert!(!output.exists(), "nothing was written so far");
    // The same part by two names of one file is no double.
    assert!(merge(&[folder.path(), &part(2)], &output, &[]).status.success());
    let (code, text) = told(&merge(&[folder.path()], &output, &[]));
    assert!(code == 2 && text.contains("exists already"), "{code} {text}");
    // The input as it is now is another one.
    std::fs::remove_file(&output).unwrap();
    raster(folder.path(), "in.npy", &[500, 30], true);
    let (code, text) = told(&merge(&[folder.path()], &output, &[]));
    assert!(code == 65 && text.contains("changed since"), "{code} {text}");
}

#[test]
fn a_finished_part_is_known_again() {
    let folder = tempfile::tempdir().unwrap();
    let input = raster(folder.path(), "in.npy", &[200, 30], false);
    let output = folder.path().join("out.npy");
    let run = |flags: &[&str]| told(&convolve(&input, &output, flags).output().unwrap());
    let part = folder.path().join("out.shard-001-of-002.npy");
    assert_eq!(run(&["--kernel", "gauss:2", "--shard", "1/2", "--resume"]).0, 0);
    let written = part.metadata().unwrap().modified().unwrap();
    assert_eq!(run(&["--kernel", "gauss:2", "--shard", "1/2", "--resume"]).0, 0);
    assert_eq!(part.metadata().unwrap().modified().unwrap(), written, "it was left alone");
    assert_eq!(run(&["--kernel", "gauss:2", "--shard", "1/2"]).0, 2);
    assert_eq!(run(&["--kernel", "gauss:3", "--shard", "1/2", "--resume"]).0, 2);
    assert_eq!(run(&["--kernel", "gauss:3", "--shard", "1/2", "--resume", "--force"]).0, 0);
    for (shard, text) in [("0/2", "--array=1-2"), ("3/2", "--array=1-2"), ("x", "I/N")] {
        let (code, said) = run(&["--kernel", "gauss:2", "--shard", shard]);
        assert!(code == 2 && said.contains(text), "{shard}: {code} {said}");
    }
    // Whole runs too, by their report.
    assert_eq!(run(&["--kernel", "gauss:2", "--resume"]).0, 0);
    let written = output.metadata().unwrap().modified().unwrap();
    assert_eq!(run(&["--kernel", "gauss:2", "--resume"]).0, 0);
    assert_eq!(output.metadata().unwrap().modified().unwrap(), written);
    assert_eq!(run(&["--kernel", "gauss:1", "--resume"]).0, 2);
}

#[test]
fn parts_may_be_merged_from_another_folder() {
    let folder = tempfile::tempdir().unwrap();
    raster(folder.path(), "in.npy", &[90, 30], false);
    for shard in ["1/2", "2/2"] {
        let words = ["convolve", "in.npy", "-q", "-o", "out.npy", "--kernel", "gauss:2", "--shard", shard];
        done(nissl(&words).current_dir(folder.path()));
    }
    done(
        nissl(&["convolve", "in.npy", "-q", "-o", "whole.npy", "--kernel", "gauss:2"])
            .current_dir(folder.path()),
    );
    let merged = merge(&[folder.path()], &folder.path().join("out.npy"), &[]);
    assert!(merged.status.success(), "{:?}", told(&merged));
    let read = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    assert!(read("out.npy") == read("whole.npy"));
}

/// Every file below `folder` but reports, with its bytes.
fn tree(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.file_name().unwrap() != "report.json" {
                found.push((path.strip_prefix(folder).unwrap().to_owned(), std::fs::read(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

fn same_trees(a: &Path, b: &Path) {
    let (a, b) = (tree(a), tree(b));
    let names = |tree: &[(PathBuf, Vec<u8>)]| tree.iter().map(|(path, _)| path.clone()).collect::<Vec<_>>();
    assert_eq!(names(&a), names(&b));
    for ((path, left), (_, right)) in a.iter().zip(&b) {
        assert!(left == right, "{}: other bytes", path.display());
    }
}

/// Copies of small recordings under the names of subjects.
fn subjects(folder: &Path, count: usize) -> Vec<PathBuf> {
    let make = |i: usize| {
        let path = folder.join(format!("sub-{i:02}.h5"));
        std::fs::copy(fixture("autoreject/real14/epochs.h5"), &path).unwrap();
        path
    };
    (1..=count).map(make).collect()
}

fn autoreject(inputs: &[PathBuf], output: &Path, flags: &[&str]) -> std::process::Command {
    let mut command =
        nissl(&["autoreject", "-q", "--cv", "3", "--n-interpolate", "1,2", "--consensus", "0.2,0.5"]);
    command.args(inputs).arg("-o").arg(output).args(flags);
    command
}

#[test]
fn merged_subjects_are_those_of_one_run() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let inputs = subjects(folder.path(), 3);
    done(&mut autoreject(&inputs, &at("whole"), &[]));
    for shards in [2u64, 5] {
        let out = at(&format!("out{shards}"));
        for i in 1..=shards {
            done(&mut autoreject(&inputs, &out, &["--shard", &format!("{i}/{shards}")]));
        }
        // A finished part is known again, and costs nothing.
        done(&mut autoreject(&inputs, &out, &["--shard", &format!("2/{shards}"), "--resume"]));
        assert_eq!(
            told(&autoreject(&inputs, &out, &["--shard", &format!("2/{shards}")]).output().unwrap()).0,
            2
        );
        let merged = merge(&[folder.path()], &out, &[]);
        assert!(merged.status.success(), "{:?}", told(&merged));
        same_trees(&at("whole"), &out);
        assert!(out.join("report.json").is_file());
        assert!(!at(&format!("out{shards}.shard-001-of-00{shards}")).exists(), "parts were moved");
    }
    // One input in parts: its results lie in the output itself.
    done(&mut autoreject(&inputs[..1], &at("alone"), &[]));
    for i in 1..=2 {
        done(&mut autoreject(&inputs[..1], &at("one"), &["--shard", &format!("{i}/2")]));
    }
    let merged = merge(&[&at("one.shard-001-of-002"), &at("one.shard-002-of-002")], &at("one"), &[]);
    assert!(merged.status.success(), "{:?}", told(&merged));
    same_trees(&at("alone"), &at("one"));
}

#[test]
fn a_side_file_that_was_edited_between_parts_makes_them_strangers() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let inputs = subjects(folder.path(), 2);
    let thresholds = |factor: f64| {
        done(&mut autoreject(&inputs[..1], &at("fit"), &["--force"]));
        let summary = std::fs::read_to_string(at("fit/summary.json")).unwrap();
        let summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
        let scaled = summary["thresholds"].as_object().unwrap().iter();
        let scaled: serde_json::Map<String, serde_json::Value> =
            scaled.map(|(name, value)| (name.clone(), (value.as_f64().unwrap() * factor).into())).collect();
        std::fs::write(at("given.json"), serde_json::to_string(&scaled).unwrap()).unwrap();
    };
    let flags = ["--thresholds", &at("given.json").display().to_string(), "--shard"].map(str::to_owned);
    let part = |shard: &str, more: &[&str]| {
        let flags: Vec<&str> =
            flags.iter().map(String::as_str).chain([shard]).chain(more.iter().copied()).collect();
        done(&mut autoreject(&inputs, &at("out"), &flags));
    };
    thresholds(1.0);
    part("1/2", &[]);
    thresholds(1.5);
    part("2/2", &[]);
    let (code, text) = told(&merge(&[folder.path()], &at("out"), &[]));
    assert!(code == 65 && text.contains("another run"), "{code} {text}");
    part("1/2", &["--force"]);
    let (code, text) = told(&merge(&[folder.path()], &at("out"), &[]));
    assert_eq!(code, 0, "{text}");
}

#[test]
fn missing_and_failed_subjects_are_told_by_the_merge() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let mut inputs = subjects(folder.path(), 2);
    inputs.insert(1, at("bad.h5"));
    std::fs::write(at("bad.h5"), b"no HDF5 at all").unwrap();
    let shard =
        |i: u64| told(&autoreject(&inputs, &at("out"), &["--shard", &format!("{i}/3")]).output().unwrap());
    assert_eq!(shard(1).0, 0);
    assert_eq!(shard(2).0, 65);
    let (code, text) = told(&merge(&[folder.path()], &at("out"), &[]));
    assert!(code == 65 && text.contains("missing: 3") && text.contains("--array=3"), "{code} {text}");
    assert_eq!(shard(3).0, 0);
    // An unfinished folder of that name is as good as none.
    let label = at("out.shard-003-of-003").join("shard.json");
    let kept = std::fs::read(&label).unwrap();
    std::fs::remove_file(&label).unwrap();
    let (code, text) = told(&merge(&[folder.path()], &at("out"), &[]));
    assert!(code == 65 && text.contains("missing: 3"), "{code} {text}");
    std::fs::write(&label, kept).unwrap();
    let (code, text) = told(&merge(&[folder.path()], &at("out"), &[]));
    assert!(code == 4 && text.contains("bad.h5"), "{code} {text}");
    let whole = told(&autoreject(&inputs, &at("whole"), &[]).output().unwrap());
    assert!(whole.0 == 4 && whole.1.ends_with(&text), "as one run ends: {} {}", whole.0, whole.1);
    same_trees(&at("whole"), &at("out"));
}

const LAPS: [&str; 10] = [
    "--encode-interval",
    "4397:4997",
    "--time",
    "4997:5012:0.0166666666666667",
    "--position-std",
    "12",
    "--bin-size",
    "6",
    "--movement-var",
    "36",
];

#[test]
fn merged_posteriors_are_those_of_one_run() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let session = fixture("decode/real/clusterless.h5");
    let save = ["--save", "filter,predictive,loglik,map,mean,hpd,viterbi"];
    for (name, flags, shards) in [
        ("plain", vec![], 3u64),
        ("nonlocal", vec!["--model", "nonlocal", "--compress", "3"], 2),
        ("double", vec!["--precision", "f64", "--model", "contfrag"], 5),
    ] {
        let run = |output: &Path, plot: &str, more: &[&str]| {
            let mut command = nissl(&["decode", "-q"]);
            command.arg(&session).arg("-o").arg(output).arg("--plot").arg(at(plot));
            done(command.args(LAPS).args(save).args(&flags).args(more));
        };
        let (whole, out) = (at(&format!("{name}-whole.nc")), at(&format!("{name}.nc")));
        run(&whole, &format!("{name}-whole.svg"), &["--threads", "1"]);
        for i in (1..=shards).rev() {
            run(&out, &format!("{name}.svg"), &["--shard", &format!("{i}/{shards}"), "--memory", "400M"]);
        }
        let merged = merge(&[folder.path()], &out, &["--memory", "300M"]);
        assert!(merged.status.success(), "{name}: {:?}", told(&merged));
        assert!(std::fs::read(&whole).unwrap() == std::fs::read(&out).unwrap(), "{name}: other bytes");
        let picture = |file: &str| std::fs::read(at(file)).unwrap();
        assert!(picture(&format!("{name}.svg")) == picture(&format!("{name}-whole.svg")), "{name}: picture");
    }
    // A part of other options, and one that is known again.
    let mut command = nissl(&["decode", "-q", "--shard", "1/3", "--resume"]);
    command.arg(&session).arg("-o").arg(at("plain.nc")).args(LAPS).args(save);
    done(&mut command);
    let stranger = told(&command.args(["--algorithm", "direct"]).output().unwrap());
    assert_eq!(stranger.0, 2, "{}", stranger.1);
    assert_eq!(told(&merge(&[folder.path()], &at("plain.nc"), &["--resume"])).0, 0, "done already");
}

#[test]
fn merged_posteriors_of_sorted_units_are_those_of_one_run() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let session = fixture("decode/real/sorted.h5");
    let run = |output: &str, more: &[&str]| {
        let mut command = nissl(&["decode", "-q", "--likelihood", "sorted"]);
        done(command.arg(&session).arg("-o").arg(at(output)).args(LAPS).args(more));
    };
    run("whole.nc", &[]);
    for shard in ["1/2", "2/2"] {
        run("out.nc", &["--shard", shard]);
    }
    let merged = merge(&[folder.path()], &at("out.nc"), &[]);
    assert!(merged.status.success(), "{:?}", told(&merged));
    assert!(std::fs::read(at("whole.nc")).unwrap() == std::fs::read(at("out.nc")).unwrap());
}
