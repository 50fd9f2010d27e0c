//! Same input, same bytes out: whatever the threads, the memory limit (and so the strips), and
//! the container the raster lies in.

mod common;

use common::{done, fixture, nissl, splitmix, write_npy};
use std::path::{Path, PathBuf};

const BOUNDARIES: [&str; 6] = ["nan", "nearest", "reflect", "wrap", "reflect101", "constant:7.5"];

fn run(input: &Path, output: &Path, flags: &[&str], limits: &[&str]) -> Vec<u8> {
    let mut command = nissl(&["convolve", "-q", "--progress", "none", "--force"]);
    done(command.arg(input).arg("-o").arg(output).args(flags).args(limits));
    std::fs::read(output).unwrap()
}

/// A raster with smooth parts, NaN and infinities, tall enough for many strips.
fn raster(folder: &Path, name: &str, shape: [usize; 2], narrow: bool, holes: bool) -> PathBuf {
    let mut values: Vec<f64> = splitmix(11, shape[0] * shape[1])
        .enumerate()
        .map(|(at, u)| 900.0 + 250.0 * ((at / shape[1]) as f64 / 40.0).sin() + 10.0 * u)
        .collect();
    if holes {
        for at in (0..values.len()).step_by(10_007) {
            values[at] = f64::NAN;
        }
        let middle = values.len() / 2;
        values[middle] = f64::INFINITY;
    }
    let path = folder.join(name);
    if narrow {
        let bytes: Vec<u8> = values.iter().flat_map(|v| (*v as f32).to_le_bytes()).collect();
        write_npy(&path, "<f4", &shape, &bytes);
    } else {
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        write_npy(&path, "<f8", &shape, &bytes);
    }
    path
}

fn jobs() -> Vec<Vec<&'static str>> {
    vec![
        vec!["--kernel", "sobel-x", "--exact"],
        vec!["--kernel", "laplace"],
        vec!["--kernel", "gauss:3"],
        vec!["--kernel", "box:15x9"],
        vec!["--kernel", "circle:9"],
        vec!["--kernel", "circle:9", "--algorithm", "direct"],
        vec!["--kernel", "annulus:12,5", "--algorithm", "fft"],
        vec!["--kernel", "circle:4", "--nan", "ignore"],
        vec!["--kernel", "circle:4", "--nan", "footprint"],
        vec!["--kernel", "circle:3", "--stat", "mean,variety,std,max"],
        vec!["--kernel", "circle:5", "--hotspots"],
        vec!["--mean-passes", "3"],
    ]
}

#[test]
fn threads_and_memory_limits_leave_every_byte_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out.npy");
    let plain = raster(folder.path(), "plain.npy", [700, 301], false, false);
    let holes = raster(folder.path(), "holes.npy", [700, 301], false, true);
    let narrow = raster(folder.path(), "narrow.npy", [700, 301], true, true);
    for flags in jobs() {
        // A global mean and deviation cannot exist with an infinity in the raster.
        let inputs = if flags.contains(&"--hotspots") { vec![&plain] } else { vec![&plain, &holes, &narrow] };
        for input in inputs {
            for boundary in BOUNDARIES {
                let mut flags = flags.clone();
                flags.extend(["--boundary", boundary]);
                let reference = run(input, &output, &flags, &["--threads", "1"]);
                for limits in
                    [&["--threads", "2"][..], &["--threads", "3", "--memory", &least(input, &flags)]]
                {
                    let bytes = run(input, &output, &flags, limits);
                    assert!(bytes == reference, "{} {flags:?} {limits:?}", input.display());
                }
            }
        }
    }
}

/// The least memory that works, as the refusal of a tiny limit tells it.
fn least(input: &Path, flags: &[&str]) -> String {
    let mut command =
        nissl(&["convolve", "--dry-run", "--memory", "1K", "--threads", "3", "-o", "never.npy"]);
    let output = command.arg(input).args(flags).output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    let (_, least) =
        message.trim().rsplit_once("--memory ").unwrap_or_else(|| panic!("{flags:?}: {message}"));
    least.to_owned()
}

#[test]
fn the_container_of_the_raster_leaves_every_value_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let dem = fixture("convolve/jacksboro/dem.nc");
    // The same cells as HDF5 and as NPY, by way of a kernel that changes nothing.
    let [hdf5, npy] = ["copy.h5", "copy.npy"].map(|name| folder.path().join(name));
    run(&dem, &hdf5, &["--kernel", "1", "--boundary", "nearest"], &[]);
    run(&dem, &npy, &["--kernel", "1", "--boundary", "nearest"], &[]);
    let output = folder.path().join("out.npy");
    let flags = ["--kernel", "gauss:2", "--cell-size", "1"];
    let reference = run(&dem, &output, &flags, &[]);
    assert!(run(&hdf5, &output, &flags, &[]) == reference, "HDF5");
    assert!(run(&npy, &output, &flags, &[]) == reference, "NPY");
}

#[test]
fn equal_inputs_and_options_give_equal_files() {
    let folder = tempfile::tempdir().unwrap();
    let dem = fixture("convolve/jacksboro/dem.nc");
    for extension in ["nc", "h5", "npy", "npz"] {
        let output = folder.path().join(format!("out.{extension}"));
        let flags = ["--kernel", "circle:3", "--cell-size", "1"];
        let first = run(&dem, &output, &flags, &["--threads", "1"]);
        std::thread::sleep(std::time::Duration::from_millis(1100));
        let second = run(&dem, &output, &flags, &["--threads", "2", "--memory", "300M"]);
        assert!(first == second, "{extension}");
    }
}
