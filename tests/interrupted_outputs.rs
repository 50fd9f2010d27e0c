//! An interrupt removes every unfinished output of the process. Alone in its file: the removal is
//! process-wide, and other tests of the same process would lose their files.

use nissl::Error;
use nissl::array::Dtype;
use nissl::io::{self, DatasetSpec, atomic};

#[test]
fn an_interrupt_removes_unfinished_outputs_and_stops_their_finish() {
    let folder = tempfile::tempdir().unwrap();
    let names: &[&str] =
        if cfg!(feature = "hdf5") { &["a.npy", "a.npz", "a.h5"] } else { &["a.npy", "a.npz"] };
    let finished = folder.path().join("finished.npy");
    let begin = |path: &std::path::Path| {
        let mut writer = io::create(path).unwrap();
        let (shape, dtype) = (vec![4], Dtype::U8);
        let spec = DatasetSpec { path: "x".into(), shape, dtype, chunks: None, deflate: None, fill: None };
        let id = writer.create(&spec).unwrap();
        writer.append(id, &[1, 2, 3, 4]).unwrap();
        writer
    };
    begin(&finished).finish().unwrap();
    let writers: Vec<_> = names.iter().map(|name| begin(&folder.path().join(name))).collect();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1 + names.len());
    atomic::remove_unfinished();
    for writer in writers {
        assert!(matches!(writer.finish(), Err(Error::Interrupted)));
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    assert!(finished.is_file());
}

/// A file system that takes no more bytes: the message names the file, and nothing stays.
#[test]
fn a_full_disk_is_named_and_nothing_is_left() {
    // The limit on file sizes fails like a full disk, for a child process of this test alone.
    if let Some(path) = std::env::var_os("NISSL_TEST_FULL") {
        let mut writer = io::create(std::path::Path::new(&path)).unwrap();
        let (shape, dtype) = (vec![8 << 20], Dtype::U8);
        let spec = DatasetSpec { path: "x".into(), shape, dtype, chunks: None, deflate: None, fill: None };
        let done = writer.create(&spec).and_then(|id| {
            for _ in 0..8 {
                writer.append(id, &vec![7; 1 << 20])?;
            }
            writer.finish()
        });
        eprintln!("ended: {}", done.unwrap_err());
        return;
    }
    let names: &[&str] =
        if cfg!(feature = "hdf5") { &["a.npy", "a.npz", "a.h5"] } else { &["a.npy", "a.npz"] };
    for name in names {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        let test = std::env::current_exe().unwrap();
        let command = "trap '' XFSZ; ulimit -f 2048; exec \"$0\" a_full_disk --nocapture";
        let output = std::process::Command::new("bash")
            .args(["-c", command])
            .arg(test)
            .env("NISSL_TEST_FULL", &path)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        let wanted = format!("ended: {}: cannot write: file too large", path.display());
        assert!(said.contains(&wanted), "{name}: {said}");
        assert_eq!(said.lines().filter(|line| !line.is_empty()).count(), 1, "{name}: {said}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "{name}");
    }
}
