//! How the driver and the kernels are found.

use crate::common::{done, fixture, nissl};
use crate::driver::on_device;
use std::path::{Path, PathBuf};
use std::process::Command;

fn tiny(command: &mut Command, out: &Path) -> std::process::Output {
    let input = fixture("autoreject/tiny/epochs.h5");
    command.args(["autoreject", "--progress", "none"]).arg(input).arg("-o").arg(out).output().unwrap()
}

#[test]
fn without_a_driver_the_error_says_so_and_auto_takes_the_cpu() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = nissl(&[]);
    command.env("LD_LIBRARY_PATH", folder.path()).env("NISSL_BACKEND", "cuda");
    let output = tiny(&mut command, &folder.path().join("out"));
    let said = String::from_utf8(output.stderr).unwrap();
    if output.status.success() {
        // A machine with a device of its own.
        return;
    }
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("backend cuda is not available") && said.lines().count() == 1, "{said}");
    let mut command = nissl(&[]);
    command.env("LD_LIBRARY_PATH", folder.path()).env("NISSL_BACKEND", "auto");
    assert!(tiny(&mut command, &folder.path().join("out")).status.success());
}

#[test]
fn a_driver_without_devices_or_functions_is_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let run = |command: &mut Command| {
        let output =
            command.arg(fixture("autoreject/tiny/epochs.h5")).arg("-o").arg(folder.path().join("out"));
        let output = output.output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    let none = run(&mut on_device(&["autoreject", "-q"], &[("DEVICES", "0")], folder.path()));
    assert!(none.contains("cuda is not available") && none.contains("NO_DEVICE"), "{none}");
    let empty = folder.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    let source = folder.path().join("empty.c");
    std::fs::write(&source, "int nothing;\n").unwrap();
    done(Command::new("gcc").args(["-shared", "-o"]).arg(empty.join("libcuda.so.1")).arg(&source));
    let old = run(on_device(&["autoreject", "-q"], &[], folder.path()).env("LD_LIBRARY_PATH", &empty));
    assert!(old.contains("too old") && old.contains("cuInit"), "{old}");
}

fn kept(cache: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(cache.join("nissl"));
    entries.map_or(Vec::new(), |entries| entries.map(|entry| entry.unwrap().path()).collect())
}

/// The lines of `-v` that say where kernels came from.
fn from(cache: &Path, nvrtc: Option<&Path>, out: &Path) -> String {
    let mut command = on_device(&["autoreject", "-v"], &[], cache);
    if let Some(nvrtc) = nvrtc {
        let folders = format!("{}:{}", crate::driver::folder().display(), nvrtc.display());
        command.env("LD_LIBRARY_PATH", folders);
    }
    let output = done(command.arg(fixture("autoreject/tiny/epochs.h5")).arg("-o").arg(out));
    let said = String::from_utf8(output.stderr).unwrap();
    said.lines().filter(|line| line.contains("kernels ")).collect()
}

#[test]
fn without_nvrtc_the_program_takes_the_ptx_that_it_carries() {
    let folder = tempfile::tempdir().unwrap();
    let said = from(folder.path(), None, &folder.path().join("out"));
    if said.contains("compiled for") {
        // NVRTC is installed system-wide; the next test covers it.
        return;
    }
    assert!(said.contains("as the program carries them"), "{said}");
    assert!(kept(folder.path()).is_empty());
}

/// `NISSL_NVRTC` names a folder with `libnvrtc.so.12`; CI installs it from PyPI.
#[test]
fn nvrtc_compiles_once_and_a_damaged_file_is_compiled_again() {
    let Some(nvrtc) = std::env::var_os("NISSL_NVRTC").map(PathBuf::from) else {
        assert!(std::env::var_os("NISSL_REQUIRE_ALL").is_none(), "NISSL_NVRTC is not set");
        eprintln!("skipped: NISSL_NVRTC is not set");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    let run = |name: &str| from(&cache, Some(&nvrtc), &folder.path().join(name));
    let first = run("first");
    assert!(first.contains("compiled for compute_80 by NVRTC 12"), "{first}");
    let files = kept(&cache);
    assert!(files.len() == 1 && files[0].extension().is_some_and(|e| e == "ptx"), "{files:?}");
    let whole = std::fs::read(&files[0]).unwrap();
    let second = run("second");
    assert!(second.contains(&files[0].display().to_string()), "{second}");
    std::fs::write(&files[0], &whole[..100]).unwrap();
    let third = run("third");
    assert!(third.contains("compiled for compute_80"), "{third}");
    assert!(std::fs::read(&files[0]).unwrap() == whole && kept(&cache).len() == 1);
}
