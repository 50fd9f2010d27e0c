//! `nissl convolve` at the command line: what each flag does, and what bad input meets.

mod common;

use common::{Array, done, fixture, nissl, read, write_npy};
use std::path::{Path, PathBuf};
use std::process::Output;
use tempfile::TempDir;

/// A folder with a small raster in it.
struct Desk {
    folder: TempDir,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let values: Vec<u8> = (0..48).flat_map(|v| (f64::from(v) * 1.5).to_le_bytes()).collect();
        write_npy(&folder.path().join("raster.npy"), "<f8", &[6, 8], &values);
        Desk { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn array(&self, name: &str, code: &str, shape: &[usize], bytes: &[u8]) -> PathBuf {
        write_npy(&self.path(name), code, shape, bytes);
        self.path(name)
    }

    /// Runs in the folder with `out.npy` as output.
    fn convolve(&self, input: &str, flags: &[&str]) -> Output {
        let mut command = nissl(&["convolve", "--progress", "none", "-o", "out.npy", input]);
        command.args(flags).current_dir(self.folder.path()).output().unwrap()
    }

    fn result(&self, flags: &[&str]) -> Array {
        let output = self.convolve("raster.npy", &[&["--force"], flags].concat());
        assert!(output.status.success(), "{flags:?}: {}", String::from_utf8_lossy(&output.stderr));
        read(&self.path("out.npy"), "")
    }

    /// Demands exit `code`, one line on stderr with all of `words`, and no output file.
    fn refused(&self, input: &str, flags: &[&str], code: i32, words: &[&str]) {
        let output = self.convolve(input, flags);
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{input} {flags:?}: {message}");
        assert!(output.stdout.is_empty(), "{input} {flags:?}: stdout is for results");
        let errors: Vec<&str> = message.lines().filter(|line| line.contains("error")).collect();
        assert_eq!(errors.len(), 1, "{input} {flags:?}: one line of error in {message}");
        for word in words {
            assert!(message.contains(word), "{input} {flags:?}: no '{word}' in {message}");
        }
        let left: Vec<String> = std::fs::read_dir(self.folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.starts_with("out") || name.contains(".tmp") || name.contains(".spool"))
            .collect();
        assert!(left.is_empty(), "{input} {flags:?} left {left:?}");
    }
}

fn cell(array: &Array, row: usize, column: usize) -> f64 {
    array.values[row * array.shape[1] + column]
}

#[test]
fn the_kernel_is_not_flipped_unless_asked() {
    let desk = Desk::new();
    let plain = desk.result(&["--kernel", "0 0 0; 0 0 1; 0 0 0"]);
    assert_eq!(cell(&plain, 2, 3), 1.5 * 20.0);
    let flipped = desk.result(&["--kernel", "0 0 0; 0 0 1; 0 0 0", "--flip"]);
    assert_eq!(cell(&flipped, 2, 3), 1.5 * 18.0);
}

#[test]
fn each_boundary_extends_the_raster_its_own_way() {
    let desk = Desk::new();
    let corner = |boundary: &str| {
        cell(&desk.result(&["--kernel", "1 0 0; 0 0 0; 0 0 0", "--boundary", boundary]), 0, 0)
    };
    assert!(corner("nan").is_nan());
    assert_eq!(corner("nearest"), 0.0);
    assert_eq!(corner("reflect"), 0.0);
    assert_eq!(corner("wrap"), 1.5 * 47.0);
    assert_eq!(corner("reflect101"), 1.5 * 9.0);
    assert_eq!(corner("constant:-3"), -3.0);
}

#[test]
fn normalize_divides_by_the_sum() {
    let desk = Desk::new();
    let mean = desk.result(&["--kernel", "box:3x3", "--normalize"]);
    assert!((cell(&mean, 2, 3) - 1.5 * 19.0).abs() < 1e-12);
}

#[test]
fn nan_rules_differ_where_they_should() {
    let desk = Desk::new();
    let mut values: Vec<f64> = (0..81).map(f64::from).collect();
    values[40] = f64::NAN;
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    desk.array("hole.npy", "<f8", &[9, 9], &bytes);
    let count = |rule: &str| {
        let flags = ["--force", "--kernel", "circle:3", "--boundary", "nearest", "--nan", rule];
        let output = desk.convolve("hole.npy", &flags);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        read(&desk.path("out.npy"), "").values.iter().filter(|v| v.is_nan()).count()
    };
    assert_eq!([count("propagate"), count("footprint"), count("ignore")], [49, 29, 0]);
}

#[test]
fn dtype_chooses_the_working_type() {
    let desk = Desk::new();
    desk.array("int.npy", "<i2", &[2, 2], &[1, 0, 2, 0, 3, 0, 4, 0]);
    let dtype = |flags: &[&str]| {
        let output = desk.convolve("int.npy", &[&["--force", "--kernel", "1"], flags].concat());
        assert!(output.status.success());
        read(&desk.path("out.npy"), "").dtype.name()
    };
    assert_eq!(dtype(&[]), "float32");
    assert_eq!(dtype(&["--dtype", "f64"]), "float64");
    assert_eq!(desk.result(&["--kernel", "1", "--dtype", "f32"]).dtype.name(), "float32");
}

#[test]
fn a_forced_algorithm_is_the_one_that_runs_or_an_error() {
    let desk = Desk::new();
    for (algorithm, kernel) in
        [("direct", "gauss:2"), ("separable", "gauss:2"), ("runs", "circle:2"), ("fft", "circle:2")]
    {
        let flags = ["--kernel", kernel, "--algorithm", algorithm, "--boundary", "reflect", "--dry-run"];
        let output = desk.convolve("raster.npy", &flags);
        let plan = String::from_utf8(output.stdout).unwrap();
        assert!(plan.contains(&format!("algorithm  {algorithm}")), "{plan}");
    }
    desk.refused("raster.npy", &["--kernel", "circle:2", "--algorithm", "separable"], 2, &["separable"]);
    desk.refused("raster.npy", &["--kernel", "gauss:2", "--algorithm", "runs"], 2, &["runs"]);
    desk.refused("raster.npy", &["--kernel", "gauss:2", "--algorithm", "fft", "--exact"], 2, &["--exact"]);
    desk.refused("raster.npy", &["--kernel", "gauss:2", "--fast"], 2, &["--fast", "float32"]);
}

#[test]
fn dry_run_prints_the_plan_and_writes_nothing() {
    let desk = Desk::new();
    let output = desk.convolve("raster.npy", &["--kernel", "circle:2", "--dry-run"]);
    assert!(output.status.success());
    let plan = String::from_utf8(output.stdout).unwrap();
    for word in ["6 x 8", "float64", "5 x 5", "13 taps", "algorithm", "strips", "memory", "flop"] {
        assert!(plan.contains(word), "no '{word}' in\n{plan}");
    }
    assert!(!desk.path("out.npy").exists());
}

#[test]
fn planes_of_a_stack_are_treated_one_by_one() {
    let desk = Desk::new();
    let values: Vec<f64> = (0..2 * 3 * 4 * 5).map(f64::from).collect();
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    desk.array("stack.npy", "<f8", &[2, 3, 4, 5], &bytes);
    let output = desk.convolve("stack.npy", &["--kernel", "0 1 0; 0 0 0; 0 0 0", "--boundary", "nearest"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let result = read(&desk.path("out.npy"), "");
    assert_eq!(result.shape, [2, 3, 4, 5]);
    for plane in 0..6 {
        for row in 0..4usize {
            for column in 0..5 {
                let expected = values[plane * 20 + row.saturating_sub(1) * 5 + column];
                assert_eq!(result.values[plane * 20 + row * 5 + column], expected);
            }
        }
    }
}

#[test]
fn statistics_get_an_axis_of_their_own_before_the_rows() {
    let desk = Desk::new();
    let result = desk.result(&["--kernel", "box:3x3", "--stat", "min,max"]);
    assert_eq!(result.shape, [2, 6, 8]);
    assert_eq!(result.values[0], 0.0);
    assert_eq!(result.values[48], 1.5 * 9.0);
}

#[test]
fn empty_rasters_give_empty_results_in_every_mode() {
    let desk = Desk::new();
    desk.array("empty.npy", "<f8", &[0, 5], &[]);
    for boundary in ["nan", "nearest", "reflect", "wrap", "reflect101", "constant:1"] {
        let output = desk.convolve("empty.npy", &["--force", "--kernel", "box:3x3", "--boundary", boundary]);
        assert!(output.status.success(), "{boundary}: {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(read(&desk.path("out.npy"), "").shape, [0, 5]);
    }
}

#[test]
fn kernels_that_cannot_be_are_refused_before_the_raster_is_read() {
    let desk = Desk::new();
    desk.array("even.npy", "<f8", &[2, 3], &[0; 48]);
    desk.array("deep.npy", "<f8", &[1, 1, 1], &[0; 8]);
    desk.array("none.npy", "<f8", &[0, 3], &[]);
    for (kernel, words) in [
        ("1 2; 3 4", &["2x2", "odd"][..]),
        ("even.npy", &["2x3", "odd"]),
        ("none.npy", &["0x3"]),
        ("deep.npy", &["1, 1, 1"]),
        ("box:50001x50001", &["50001x50001"]),
        ("circle:0m", &["0m"]),
        ("circle:-3", &["-3"]),
        ("circle:3furlong", &["furlong"]),
        ("annulus:2,5", &["annulus"]),
        ("sobel-z", &["sobel-z"]),
    ] {
        desk.refused("absent.npy", &["--kernel", kernel, "--cell-size", "1"], 2, words);
    }
    desk.refused("raster.npy", &["--kernel", "laplace", "--normalize"], 2, &["--normalize"]);
    desk.refused("raster.npy", &[], 2, &["--kernel"]);
}

#[test]
fn rasters_that_are_none_are_refused_by_what_they_hold() {
    let desk = Desk::new();
    desk.array("line.npy", "<f8", &[4], &[0; 32]);
    desk.array("bool.npy", "|b1", &[1, 2], &[0, 1]);
    desk.array("complex.npy", "<c16", &[1, 1], &[0; 16]);
    desk.array("text.npy", "<U1", &[1, 1], &[0; 4]);
    desk.array("object.npy", "|O", &[1, 1], &[0; 8]);
    desk.array("short.npy", "<f8", &[6, 8], &[0; 100]);
    desk.array("huge.npy", "<f8", &[4_000_000_000, 4_000_000_000], &[0; 8]);
    for (input, words) in [
        ("line.npy", &["line.npy", "1 ax"][..]),
        ("bool.npy", &["bool"]),
        ("complex.npy", &["complex"]),
        ("text.npy", &["text.npy"]),
        ("object.npy", &["object"]),
        ("short.npy", &["short.npy", "384"]),
        ("huge.npy", &["huge.npy"]),
    ] {
        desk.refused(input, &["--kernel", "box:3x3"], 65, words);
    }
    std::fs::write(desk.path("classic.nc"), b"CDF\x01rest").unwrap();
    std::fs::write(desk.path("map.tif"), b"II*\0rest").unwrap();
    std::fs::write(desk.path("notes.txt"), b"hello").unwrap();
    std::fs::create_dir(desk.path("map.zarr")).unwrap();
    std::fs::write(desk.path("map.zarr/.zarray"), b"{}").unwrap();
    desk.refused("classic.nc", &["--kernel", "box:3x3"], 65, &["nccopy -k nc4"]);
    desk.refused("map.tif", &["--kernel", "box:3x3"], 65, &["TIFF"]);
    desk.refused("map.zarr", &["--kernel", "box:3x3"], 65, &["Zarr"]);
    desk.refused("notes.txt", &["--kernel", "box:3x3"], 65, &["notes.txt"]);
    desk.refused("absent.npy", &["--kernel", "box:3x3"], 1, &["absent.npy", "no such file"]);
}

#[test]
fn outputs_are_checked_before_any_work() {
    let desk = Desk::new();
    let run = |output: &str, flags: &[&str]| {
        let mut command = nissl(&["convolve", "raster.npy", "--kernel", "box:3x3", "-q", "-o", output]);
        command.args(flags).current_dir(desk.folder.path()).output().unwrap()
    };
    assert_eq!(run("raster.npy", &["--force"]).status.code(), Some(2));
    std::os::unix::fs::symlink(desk.path("raster.npy"), desk.path("link.npy")).unwrap();
    assert_eq!(run("link.npy", &["--force"]).status.code(), Some(2));
    assert_eq!(run("out.png", &[]).status.code(), Some(2));
    assert_eq!(run("nowhere/out.npy", &[]).status.code(), Some(1));
    assert!(run("out.npy", &[]).status.success());
    let before = std::fs::read(desk.path("out.npy")).unwrap();
    let again = run("out.npy", &[]);
    assert_eq!(again.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&again.stderr).contains("--force"));
    assert_eq!(std::fs::read(desk.path("out.npy")).unwrap(), before);
    assert!(run("out.npy", &["--force"]).status.success());
}

#[test]
fn flags_that_exclude_each_other_are_refused() {
    let desk = Desk::new();
    for flags in [
        &["--kernel", "box:3x3", "--stat", "mean", "--hotspots"][..],
        &["--kernel", "box:3x3", "--mean-passes", "2"],
        &["--kernel", "box:3x3", "--exclude", "3"],
        &["--kernel", "box:3x3", "--exact", "--fast"],
        &["--kernel", "box:3x3", "--boundary", "mirror"],
        &["--kernel", "box:3x3", "--stat", "median"],
        &["--kernel", "box:3x3", "--threads", "0"],
        &["--kernel", "box:3x3", "--memory", "lots"],
        &["--kernel", "box:3x3", "--compress", "10"],
        &["--kernel", "box:3x3", "--plot", "out.gif"],
        &["--kernel", "box:3x3", "--cell-size", "0"],
        &["--mean-passes", "0"],
    ] {
        desk.refused("raster.npy", flags, 2, &[]);
    }
}

#[test]
fn a_mask_must_be_of_zeros_and_ones_for_statistics() {
    let desk = Desk::new();
    desk.refused("raster.npy", &["--kernel", "0 1 0; 1 2 1; 0 1 0", "--stat", "mean"], 2, &["2", "0", "1"]);
}

#[test]
fn hot_spots_of_a_constant_raster_are_refused() {
    let desk = Desk::new();
    desk.array("flat.npy", "<f8", &[4, 4], &[0; 128]);
    desk.refused("flat.npy", &["--kernel", "box:3x3", "--hotspots"], 65, &["flat.npy"]);
    desk.refused("raster.npy", &["--kernel", "laplace", "--hotspots"], 2, &["sum"]);
}

#[test]
fn too_little_memory_is_refused_with_the_least_that_works() {
    let desk = Desk::new();
    desk.refused("raster.npy", &["--kernel", "box:3x3", "--memory", "1K"], 1, &["least", "--memory"]);
}

#[test]
fn an_absent_backend_asked_for_by_name_is_an_error_with_its_reason() {
    let desk = Desk::new();
    desk.refused("raster.npy", &["--kernel", "box:3x3", "--backend", "cuda"], 1, &["cuda"]);
    assert!(desk.convolve("raster.npy", &["--kernel", "box:3x3", "--backend", "cpu"]).status.success());
}

#[test]
fn a_radius_with_a_unit_on_a_grid_in_degrees_is_warned_about() {
    let desk = Desk::new();
    let dem = fixture("convolve/jacksboro/dem.nc");
    let flags = ["--kernel", "circle:3m", "--dry-run"];
    let output = desk.convolve(dem.to_str().unwrap(), &flags);
    let told = String::from_utf8_lossy(&output.stderr).to_string();
    assert!(told.contains("degrees"), "{told}");
}

#[test]
fn integers_beyond_float32_are_warned_about_once() {
    let desk = Desk::new();
    let bytes: Vec<u8> = [1i32 << 26, 3, (1 << 26) + 1, 5].iter().flat_map(|v| v.to_le_bytes()).collect();
    desk.array("wide.npy", "<i4", &[2, 2], &bytes);
    let output = desk.convolve("wide.npy", &["--kernel", "1"]);
    let told = String::from_utf8_lossy(&output.stderr).to_string();
    assert!(output.status.success());
    assert_eq!(told.matches("--dtype f64").count(), 1, "{told}");
}

#[test]
fn a_plot_is_written_in_either_format() {
    let desk = Desk::new();
    for (name, start) in [("picture.svg", &b"<"[..]), ("picture.png", b"\x89PNG")] {
        let output = desk.convolve("raster.npy", &["--force", "--kernel", "box:3x3", "--plot", name]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(std::fs::read(desk.path(name)).unwrap().starts_with(start), "{name}");
    }
}

#[test]
fn the_report_tells_what_ran_and_can_be_run_again() {
    let desk = Desk::new();
    let output = desk.convolve("raster.npy", &["--kernel", "gauss:1", "--report", "told.json"]);
    assert!(output.status.success());
    let report: serde_json::Value =
        serde_json::from_slice(&std::fs::read(desk.path("told.json")).unwrap()).unwrap();
    assert_eq!(report["schema"], 1);
    assert!(report["plan"]["algorithm"]["why"].as_str().unwrap().len() > 5);
    assert!(report["peak_rss"].as_u64().unwrap() > 1 << 20);
    let first = std::fs::read(desk.path("out.npy")).unwrap();
    std::fs::remove_file(desk.path("out.npy")).unwrap();
    std::fs::rename(desk.path("told.json"), desk.path("again.json")).unwrap();
    done(nissl(&["--from-report", "again.json"]).current_dir(desk.folder.path()));
    assert_eq!(std::fs::read(desk.path("out.npy")).unwrap(), first);
}

#[test]
fn a_folder_that_cannot_be_written_leaves_nothing_behind() {
    let desk = Desk::new();
    let mut command =
        nissl(&["convolve", "raster.npy", "--kernel", "box:3x3", "-q", "-o", "/dev/full/out.npy"]);
    let output = command.current_dir(desk.folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(!Path::new("/dev/full/out.npy").exists());
}
