//! Every reference of `fixtures/convolve` through the binary, with the tolerances of its README:
//! `--exact` equal in every bit, the default path within T1 or T2, statistics and the focal mean
//! equal, hot spots in class and z.

mod common;

use common::{Array, assert_close, done, fixture, nissl, read, splitmix, write_npy};
use nissl::kernels::window::Boundary;
use rayon::prelude::*;
use serde_json::Value;
use std::path::Path;

const MODES: [(&str, Boundary); 4] = [
    ("nan", Boundary::Nan),
    ("nearest", Boundary::Nearest),
    ("reflect", Boundary::Reflect),
    ("wrap", Boundary::Wrap),
];
const UNIT: f64 = 1.0 / (1u64 << 53) as f64;

fn manifest() -> Value {
    let text = std::fs::read_to_string(fixture("convolve/manifest.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn cases(section: &str) -> Vec<Value> {
    manifest()[section].as_array().unwrap().clone()
}

fn text<'a>(case: &'a Value, key: &str) -> &'a str {
    case[key].as_str().unwrap()
}

fn file(case: &Value, key: &str) -> std::path::PathBuf {
    fixture("convolve").join(text(case, key))
}

/// Runs `convolve` and returns the algorithm that the report names.
fn convolve(input: &Path, output: &Path, flags: &[&str]) -> Option<String> {
    let mut command = nissl(&["convolve", "-q", "--progress", "none"]);
    done(command.arg(input).arg("-o").arg(output).args(flags));
    let report = std::fs::read_to_string(
        output.with_file_name(format!("{}.report.json", output.file_name().unwrap().to_string_lossy())),
    )
    .unwrap();
    let report: Value = serde_json::from_str(&report).unwrap();
    report["plan"]["algorithm"]["name"].as_str().map(str::to_owned)
}

/// Per cell: S = sum of |k||x| (non-finite cells count as 0), by the definition.
fn magnitudes(raster: &Array, kernel: &Array, boundary: Boundary) -> Vec<f64> {
    let (h, w, kh, kw) = (raster.shape[0], raster.shape[1], kernel.shape[0], kernel.shape[1]);
    let cell = |i: usize, j: usize| {
        let mut sum = 0.0;
        for a in 0..kh {
            let Some(y) = boundary.map((i + a) as i64 - (kh / 2) as i64, h) else { continue };
            for b in 0..kw {
                let Some(x) = boundary.map((j + b) as i64 - (kw / 2) as i64, w) else { continue };
                let product = (kernel.values[a * kw + b] * raster.values[y * w + x]).abs();
                sum += if product.is_finite() { product } else { 0.0 };
            }
        }
        sum
    };
    (0..h * w).map(|at| cell(at / w, at % w)).collect()
}

/// Largest |tile - c|_2 that any FFT tile of the extended raster can have, squared and rooted
/// with the mean of the raster as c: a tile is never larger than the extended raster here.
fn tile_norm(raster: &Array, kernel: &Array, boundary: Boundary) -> f64 {
    let (h, w) = (raster.shape[0] as i64, raster.shape[1] as i64);
    let (ph, pw) = (kernel.shape[0] as i64 / 2, kernel.shape[1] as i64 / 2);
    let finite: Vec<f64> = raster.values.iter().copied().filter(|v| v.is_finite()).collect();
    let mean = finite.iter().sum::<f64>() / finite.len().max(1) as f64;
    let mut squares = 0.0;
    for i in -ph..h + ph {
        for j in -pw..w + pw {
            if let (Some(y), Some(x)) = (boundary.map(i, h as usize), boundary.map(j, w as usize)) {
                let v = raster.values[y * w as usize + x];
                squares += if v.is_finite() { (v - mean) * (v - mean) } else { 0.0 };
            }
        }
    }
    squares.sqrt()
}

#[test]
fn all_97_cases_in_all_4_modes_are_bit_identical_with_exact() {
    let folder = tempfile::tempdir().unwrap();
    cases("convolve").par_iter().for_each(|case| {
        let (input, kernel) = (file(case, "input"), file(case, "kernel"));
        let expected = read(&file(case, "expected"), "");
        for (index, (mode, _)) in MODES.iter().enumerate() {
            let name = format!("{}_{mode}", text(case, "id"));
            let output = folder.path().join(format!("{name}.npy"));
            let kernel = kernel.to_str().unwrap();
            convolve(&input, &output, &["--exact", "--kernel", kernel, "--boundary", mode]);
            assert_close(&name, &read(&output, ""), &expected.part(index), |_| 0.0);
        }
    });
}

#[test]
fn all_97_cases_in_all_4_modes_are_within_tolerance_by_default() {
    let folder = tempfile::tempdir().unwrap();
    cases("convolve").par_iter().for_each(|case| {
        let (input, kernel) = (file(case, "input"), file(case, "kernel"));
        let expected = read(&file(case, "expected"), "");
        let (raster, weights) = (read(&input, ""), read(&kernel, ""));
        let narrow = text(case, "out_dtype") == "<f4";
        let rounded = case["products_rounded_to_f32"].as_bool().unwrap();
        for (index, (mode, boundary)) in MODES.iter().enumerate() {
            let name = format!("{}_{mode}", text(case, "id"));
            let output = folder.path().join(format!("{name}.npy"));
            let algorithm =
                convolve(&input, &output, &["--kernel", kernel.to_str().unwrap(), "--boundary", mode])
                    .unwrap();
            let expected = expected.part(index);
            let s = magnitudes(&raster, &weights, *boundary);
            let n = weights.values.len() as f64;
            let norm = weights.values.iter().map(|k| k * k).sum::<f64>().sqrt();
            let fft = if algorithm == "fft" {
                2.0 * UNIT * 18.0 * norm * tile_norm(&raster, &weights, *boundary)
            } else {
                0.0
            };
            assert_close(&format!("{name} ({algorithm})"), &read(&output, ""), &expected, |at| {
                let t1 = (4.0 * n.sqrt() + 8.0) * UNIT * s[at] + n * 5e-324;
                let narrowing =
                    f64::from(f32::EPSILON) * expected.values[at].abs() + f64::from(f32::from_bits(1));
                let products = if rounded { s[at] / (1u64 << 24) as f64 + n * 2f64.powi(-150) } else { 0.0 };
                t1 + fft + if narrow { narrowing + products } else { 0.0 }
            });
        }
    });
}

#[test]
fn the_focal_mean_is_bit_identical() {
    let folder = tempfile::tempdir().unwrap();
    for case in cases("mean") {
        let expected = read(&file(&case, "expected"), "");
        let exclude: Vec<String> = case["excludes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned))
            .collect();
        let exclude = if exclude.is_empty() { "none".into() } else { exclude.join(",") };
        let passes = case["passes"].to_string();
        for (index, (mode, _)) in MODES.iter().enumerate() {
            let name = format!("{}_{mode}", text(&case, "id"));
            let output = folder.path().join(format!("{name}.npy"));
            let flags = ["--mean-passes", &passes, "--exclude", &exclude, "--boundary", mode];
            convolve(&file(&case, "input"), &output, &flags);
            assert_close(&name, &read(&output, ""), &expected.part(index), |_| 0.0);
        }
    }
}

#[test]
fn the_eight_focal_statistics_are_bit_identical() {
    let folder = tempfile::tempdir().unwrap();
    for case in cases("focal_stats") {
        let expected = read(&file(&case, "expected"), "");
        let kernel = file(&case, "kernel");
        for (index, (mode, _)) in MODES.iter().enumerate() {
            let name = format!("{}_{mode}", text(&case, "id"));
            let output = folder.path().join(format!("{name}.npy"));
            let statistics = "mean,max,min,range,std,var,sum,variety";
            let flags = ["--kernel", kernel.to_str().unwrap(), "--stat", statistics, "--boundary", mode];
            convolve(&file(&case, "input"), &output, &flags);
            assert_close(&name, &read(&output, ""), &expected.part(index), |_| 0.0);
        }
    }
}

#[test]
fn hot_spots_agree_in_class_and_score() {
    let folder = tempfile::tempdir().unwrap();
    for case in cases("hotspots") {
        let (classes, scores) = (read(&file(&case, "expected"), ""), read(&file(&case, "z"), ""));
        let kernel = file(&case, "kernel");
        for (index, (mode, _)) in MODES.iter().enumerate() {
            let name = format!("{}_{mode}", text(&case, "id"));
            let output = folder.path().join(format!("{name}.nc"));
            let flags = ["--kernel", kernel.to_str().unwrap(), "--hotspots", "--boundary", mode];
            convolve(&file(&case, "input"), &output, &flags);
            let z = scores.part(index);
            assert_close(&name, &read(&output, "/hotspots_z"), &z, |at| 1e-4 * (1.0 + z.values[at].abs()));
            assert_close(&name, &read(&output, "/hotspots"), &classes.part(index), |at| {
                let near = [1.65, 1.96, 2.58].iter().any(|limit| (z.values[at].abs() - limit).abs() <= 1e-4);
                if near { 200.0 } else { 0.0 }
            });
        }
    }
}

#[test]
fn the_georeferenced_samples_are_decoded_and_convolved() {
    let folder = tempfile::tempdir().unwrap();
    for case in cases("geo").iter().filter(|case| case["expected"].is_string()) {
        let input = file(case, "file");
        let kernel = file(case, "kernel");
        let output = folder.path().join(format!("{}.npy", input.file_stem().unwrap().to_string_lossy()));
        let flags = ["--kernel", kernel.to_str().unwrap(), "--boundary", text(case, "boundary"), "--exact"];
        convolve(&input, &output, &flags);
        assert_close(text(case, "file"), &read(&output, ""), &read(&file(case, "expected"), ""), |_| 0.0);
    }
}

#[test]
fn the_large_closed_form_rasters_have_the_reference_checksum() {
    use sha2::{Digest, Sha256};
    let folder = tempfile::tempdir().unwrap();
    for case in cases("large") {
        let side =
            |key: &str| case[key].as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as usize).collect();
        let (shape, kernel_shape): (Vec<usize>, Vec<usize>) = (side("shape"), side("kernel_shape"));
        let seed = case["seed"].as_u64().unwrap();
        let values = splitmix(seed, shape.iter().product()).map(|u| u * 2000.0 - 400.0);
        let narrow = text(&case, "dtype") == "<f4";
        let bytes: Vec<u8> = if narrow {
            values.flat_map(|v| (v as f32).to_le_bytes()).collect()
        } else {
            values.flat_map(f64::to_le_bytes).collect()
        };
        let weights = splitmix(seed + 1, kernel_shape.iter().product()).map(|u| u - 0.25);
        let (input, kernel) = (folder.path().join("raster.npy"), folder.path().join("kernel.npy"));
        write_npy(&input, text(&case, "dtype"), &shape, &bytes);
        write_npy(&kernel, "<f8", &kernel_shape, &weights.flat_map(f64::to_le_bytes).collect::<Vec<u8>>());
        for (mode, _) in MODES {
            let output = folder.path().join(format!("{mode}.npy"));
            convolve(
                &input,
                &output,
                &["--exact", "--force", "--kernel", kernel.to_str().unwrap(), "--boundary", mode],
            );
            let mut result = std::fs::read(&output).unwrap().split_off(128);
            for nan in result.chunks_exact_mut(if narrow { 4 } else { 8 }) {
                canonical_nan(nan);
            }
            let sum: String = Sha256::digest(&result).iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(sum, case["sha256_of_bytes"][mode].as_str().unwrap(), "{} {mode}", text(&case, "id"));
        }
    }
}

/// The manifest hashes NaN as the positive quiet one.
fn canonical_nan(cell: &mut [u8]) {
    match <[u8; 8]>::try_from(&*cell) {
        Ok(wide) if f64::from_le_bytes(wide).is_nan() => {
            cell.copy_from_slice(&0x7ff8_0000_0000_0000u64.to_le_bytes());
        }
        Err(_) => {
            let narrow = <[u8; 4]>::try_from(&*cell).unwrap();
            if f32::from_le_bytes(narrow).is_nan() {
                cell.copy_from_slice(&0x7fc0_0000u32.to_le_bytes());
            }
        }
        Ok(_) => {}
    }
}
