//! Disks that fill up and inputs that vanish or shrink while they are read: an error, no file that
//! looks whole, and nothing lost that was kept.
#![cfg(target_os = "linux")]

mod common;

use common::{done, fixture, nissl, splitmix, write_npy};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A file system of its own size; gone when it is dropped.
struct Disk(tempfile::TempDir);

impl Disk {
    /// One of `size`, or a word on why the test is skipped.
    fn of(size: &str) -> Option<Disk> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = mount(folder.path(), &format!("size={size}"));
        if !mounted {
            assert!(std::env::var_os("NISSL_REQUIRE_ALL").is_none(), "no file system may be mounted here");
            eprintln!("skipped: only root may mount a small file system");
            return None;
        }
        Some(Disk(folder))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn names(&self) -> Vec<String> {
        names(self.0.path())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

fn mount(folder: &Path, options: &str) -> bool {
    let mut mount = Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(folder).stderr(Stdio::null());
    mount.status().is_ok_and(|status| status.success())
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn raster(path: &Path, rows: usize, columns: usize) {
    let bytes: Vec<u8> = splitmix(5, rows * columns).flat_map(f64::to_le_bytes).collect();
    write_npy(path, "<f8", &[rows, columns], &bytes);
}

const LAPS: [&str; 12] = [
    "--encode-interval",
    "4397:4997",
    "--time",
    "4997:5097:0.0166666666666667",
    "--position-std",
    "12",
    "--bin-size",
    "6",
    "--movement-var",
    "36",
    "--threads",
    "1",
];

/// Fills the disk, sees the error, makes room, goes on: the bytes are those of a run with room.
fn fills_up(disk: &Disk, room: &str, words: &[&str], (output, files): (&str, &[&str])) {
    let elsewhere = tempfile::tempdir().unwrap();
    done(nissl(words).args(["-q", "-o"]).arg(elsewhere.path().join(output)));
    for flags in [&["--resume"][..], &[]] {
        let run = |flags: &[&str]| {
            let mut command = nissl(words);
            command.args(["-q", "-o"]).arg(disk.path(output)).args(flags);
            command
        };
        assert!(mount(disk.0.path(), "remount,size=300k"));
        let full = run(flags).output().unwrap();
        let said = String::from_utf8_lossy(&full.stderr).into_owned();
        assert_eq!(full.status.code(), Some(1), "{output} {flags:?}: {said}");
        assert!(said.contains("no space left"), "{said}");
        for file in files {
            assert!(!disk.path(file).exists(), "{file} after a full disk");
        }
        let names = disk.names();
        assert!(!names.iter().any(|name| name.ends_with(".tmp")), "{names:?}");
        assert!(mount(disk.0.path(), &format!("remount,size={room}")));
        done(&mut run(&["--resume"]));
        for file in files {
            let read = |path: PathBuf| std::fs::read(path).unwrap();
            assert!(read(disk.path(file)) == read(elsewhere.path().join(file)), "{file}: other bytes");
        }
        for name in disk.names() {
            let path = disk.path(&name);
            if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) }.unwrap();
        }
    }
}

/// Spikes that are too many for the memory find no room beside the output either.
#[test]
fn spikes_without_room_in_memory_and_on_the_disk_are_an_error() {
    let Some(disk) = Disk::of("300k") else { return };
    let session = fixture("decode/real/clusterless.h5").display().to_string();
    let mut command = nissl(&[&["decode", &session][..], &LAPS].concat());
    let output = command.args(["-q", "--memory", "8M", "-o"]).arg(disk.path("laps.nc")).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("set room aside") && said.contains("no space left"), "{said}");
    assert!(disk.names().is_empty(), "{:?}", disk.names());
}

#[test]
fn a_disk_that_fills_up_leaves_no_half_output_and_the_run_goes_on() {
    let Some(disk) = Disk::of("300k") else { return };
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("in.npy");
    raster(&input, 1000, 400);
    let input = input.display().to_string();
    let convolve = ["convolve", &input, "--kernel", "circle:5", "--memory", "3M"];
    fills_up(&disk, "40m", &convolve, ("out.npy", &["out.npy"]));
    fills_up(&disk, "40m", &convolve, ("out.nc", &["out.nc"]));
    let session = fixture("decode/real/clusterless.h5").display().to_string();
    let decode = [&["decode", &session][..], &LAPS].concat();
    fills_up(&disk, "200m", &decode, ("out.nc", &["out.nc"]));
    let epochs = folder.path().join("epochs.h5");
    std::fs::copy(fixture("autoreject/real14/epochs.h5"), &epochs).unwrap();
    let epochs = epochs.display().to_string();
    let autoreject = ["autoreject", &epochs, "--cv", "3", "--n-interpolate", "1,2", "--consensus", "0.2,0.5"];
    fills_up(&disk, "40m", &autoreject, ("out", &["out/summary.json"]));
}

/// A run over `input`, caught when its output is under construction.
fn at_work(input: &Path, output: &Path) -> Child {
    let mut command = nissl(&["convolve"]);
    command.arg(input).arg("-o").arg(output);
    command.args([
        "--kernel",
        "circle:40",
        "--algorithm",
        "direct",
        "--memory",
        "8M",
        "--threads",
        "1",
        "-q",
    ]);
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let begun = Instant::now();
    let before = names(output.parent().unwrap()).len();
    while names(output.parent().unwrap()).len() == before && child.try_wait().unwrap().is_none() {
        assert!(begun.elapsed() < Duration::from_secs(60), "the run never began to write");
        std::thread::sleep(Duration::from_millis(1));
    }
    child
}

fn cut_off(input: &Path) {
    std::fs::File::options().write(true).open(input).unwrap().set_len(1 << 20).unwrap();
}

/// One line that names the file, whether the reader saw it or the system told of it (SIGBUS).
fn refuses(child: Child) {
    let ended = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(65), "{said}");
    assert!(said.contains("in.npy") && said.contains("became shorter"), "{said}");
}

#[test]
fn an_input_that_loses_its_end_is_an_error_and_no_crash() {
    let folder = tempfile::tempdir().unwrap();
    let (input, output) = (folder.path().join("in.npy"), folder.path().join("out.npy"));
    raster(&input, 8000, 400);
    let child = at_work(&input, &output);
    cut_off(&input);
    refuses(child);
    assert_eq!(names(folder.path()), ["in.npy"]);
    // Epochs that do not fit are mapped.
    let bytes: Vec<u8> = splitmix(5, 40 * 64 * 2000).flat_map(f64::to_le_bytes).collect();
    write_npy(&input, "<f8", &[40, 64, 2000], &bytes);
    let mut command = nissl(&["autoreject", "--montage", "biosemi64", "--sfreq", "500", "--cv", "3", "-q"]);
    command.args(["--threshold-search", "random", "--threads", "1"]).arg(&input);
    let child = command.arg("-o").arg(folder.path().join("out")).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(400));
    cut_off(&input);
    refuses(child);
    assert!(
        !folder.path().join("out/summary.json").exists() && !folder.path().join("out/epochs.npy").exists()
    );
}

#[test]
fn an_input_that_is_removed_while_it_is_read_is_read_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let (input, output) = (folder.path().join("in.npy"), folder.path().join("out.npy"));
    raster(&input, 4000, 400);
    let child = at_work(&input, &output);
    std::fs::remove_file(&input).unwrap();
    let ended = child.wait_with_output().unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    raster(&input, 4000, 400);
    let whole = folder.path().join("whole.npy");
    let flags = ["--kernel", "circle:40", "--algorithm", "direct", "-q", "-o"];
    done(nissl(&["convolve"]).arg(&input).args(flags).arg(&whole));
    assert!(std::fs::read(&output).unwrap() == std::fs::read(&whole).unwrap());
}
