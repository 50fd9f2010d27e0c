//! The command line: plans, refusals, small memory, what reports tell.

use crate::common::{done, nissl, read, splitmix, write_npy};
use std::path::Path;
use std::process::{Command, Output};

fn raster(folder: &Path, code: &str, rows: usize, cols: usize) -> String {
    let path = folder.join(format!("raster-{}.npy", &code[1..]));
    let values: Vec<f64> = splitmix(3, rows * cols).map(|v| 100.0 * v).collect();
    let bytes: Vec<u8> = match code {
        "<f4" => values.iter().flat_map(|v| (*v as f32).to_le_bytes()).collect(),
        _ => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
    };
    write_npy(&path, code, &[rows, cols], &bytes);
    path.display().to_string()
}

fn convolve(input: &str, out: &Path, more: &[&str]) -> Command {
    let out = out.display().to_string();
    let mut command = nissl(&["convolve", input, "-o", &out, "--boundary", "reflect", "--progress", "none"]);
    command.args(more).env("XDG_RUNTIME_DIR", std::env::temp_dir()).env_remove("NISSL_DEVICE_MEMORY");
    command
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn counts(out: &Path) -> (u64, usize) {
    let report = std::fs::read(format!("{}.report.json", out.display())).unwrap();
    let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
    let pieces = report["outcome"]["counts"]["device_pieces"].as_u64().unwrap_or(0);
    (pieces, report["warnings"].as_array().unwrap().len())
}

#[test]
fn a_raster_through_the_device_equals_the_cpu_to_the_last_digit_but_one() {
    let folder = tempfile::tempdir().unwrap();
    let input = raster(folder.path(), "<f4", 700, 300);
    let cpu = folder.path().join("cpu.npy");
    done(&mut convolve(&input, &cpu, &["--kernel", "gauss:2", "--backend", "cpu"]));
    let expected = read(&cpu, "").values;
    for devices in crate::devices(None) {
        let backend = devices.facts()[0].backend;
        for (memory, pieces, warnings) in [("1G", 1, 0), ("2M", 2, 0), ("20K", 0, 1)] {
            let out = folder.path().join(format!("{memory}.npy"));
            let more = ["--kernel", "gauss:2", "--backend", backend, "--device-memory", memory];
            done(&mut convolve(&input, &out, &more));
            let got = read(&out, "").values;
            assert!(got.iter().zip(&expected).all(|(g, e)| (g - e).abs() <= 1.2e-7 * e.abs()));
            let found = counts(&out);
            assert!(found.0 >= pieces && (pieces > 0 || found.0 == 0), "{memory}: {found:?}");
            assert_eq!(found.1, warnings, "{memory}");
        }
    }
}

#[test]
fn plans_tell_device_and_reason_and_auto_never_takes_a_device_made_of_software() {
    let folder = tempfile::tempdir().unwrap();
    let input = raster(folder.path(), "<f4", 64, 64);
    for devices in crate::devices(None) {
        let facts = &devices.facts()[0];
        let out = folder.path().join("out.npy");
        let plan = |more: &[&str]| said(&done(convolve(&input, &out, more).arg("--dry-run")));
        let named = plan(&["--kernel", "box:3x3", "--backend", facts.backend]);
        assert!(named.contains(&facts.name) && named.contains("asked for"), "{named}");
        assert!(named.contains("on the device"), "{named}");
        let auto = plan(&["--kernel", "box:3x3"]);
        assert!(auto.contains("backend    cpu: auto: about"), "{auto}");
    }
}

#[test]
fn what_needs_float64_is_refused_by_name_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let (single, double) = (raster(folder.path(), "<f4", 20, 20), raster(folder.path(), "<f8", 20, 20));
    for devices in crate::devices(None) {
        let facts = &devices.facts()[0];
        if facts.f64 {
            continue;
        }
        let out = folder.path().join("out.npy");
        for (input, more, why) in [
            (&double, &["--kernel", "box:3x3"][..], "float64"),
            (&single, &["--kernel", "box:3x3", "--exact"], "--exact"),
            (&single, &["--kernel", "box:3x3", "--algorithm", "fft"], "fft"),
            (&single, &["--mean-passes", "1"], "only plain convolutions"),
        ] {
            let output = convolve(input, &out, more).args(["--backend", facts.backend]).output().unwrap();
            let told = said(&output);
            assert_eq!(output.status.code(), Some(1), "{told}");
            assert!(told.contains(facts.backend) && told.contains(why), "{told}");
            assert!(!out.exists());
            done(&mut convolve(input, &out, more));
            std::fs::remove_file(&out).unwrap();
        }
    }
}

#[test]
fn bench_tells_the_first_call_apart_and_leaves_out_what_a_device_cannot_do() {
    let folder = tempfile::tempdir().unwrap();
    for devices in crate::devices(None) {
        let facts = &devices.facts()[0];
        let json = folder.path().join(format!("{}.json", facts.backend));
        let mut command = nissl(&["bench", "all", "--size", "quick", "--threads", "1", "--repeat", "1"]);
        command.args(["--only", "decode/tiny,convolve/dense3_2000", "--progress", "none"]);
        command.args(["--backend", facts.backend, "--json"]).arg(&json);
        command.env("XDG_RUNTIME_DIR", std::env::temp_dir());
        let told = said(&done(&mut command));
        let result: serde_json::Value = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
        let works = result["works"].as_array().unwrap();
        let found = works.iter().find(|work| work["work"] == "decode/tiny").unwrap();
        assert_eq!(found["backend"], facts.backend);
        assert!(found["first_call_s"].as_f64().unwrap() > 0.0);
        assert!(told.contains("to set the device up at the first call"), "{told}");
        let left_out = !works.iter().any(|work| work["work"] == "convolve/dense3_2000");
        assert_eq!(left_out, !facts.f64, "{told}");
        assert!(facts.f64 || told.contains("convolve/dense3_2000 is left out"), "{told}");
    }
}
