//! Walks over files larger than memory, and runs that are done already.

use crate::common::nissl;
use crate::runs::{Made, SMALL, json, run};

#[test]
fn epochs_larger_than_memory_are_walked_in_several_passes_with_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("long.h5");
    let mut made = Made::new([200, 24, 1400]);
    (0..200).for_each(|e| made.scale(e, e % 24, 1.0 + (e % 7) as f64));
    made.write(&input);
    let limits = [("whole", "4G"), ("pieces", "72M")];
    for (out, memory) in limits {
        let out = folder.path().join(out);
        run(&input, &out, &[&["--memory", memory, "--threads", "2"], &SMALL[..]].concat());
        let report = json(&out.join("report.json"));
        let held = report["plan"]["subjects"][0]["held"].as_bool().unwrap();
        assert_eq!(held, memory == "4G", "{memory}");
        let (peak, limit) =
            (report["peak_rss"].as_u64().unwrap(), report["memory"]["bytes"].as_u64().unwrap());
        assert!(peak < limit + (100 << 20), "{memory}: {peak} bytes at most");
    }
    for name in ["epochs.h5", "reject_log.npz", "autoreject.h5", "summary.json"] {
        let bytes = |out: &str| std::fs::read(folder.path().join(out).join(name)).unwrap();
        assert!(bytes("whole") == bytes("pieces"), "{name} differs");
    }
}

#[test]
fn a_run_that_is_done_is_not_done_again() {
    let folder = tempfile::tempdir().unwrap();
    let (input, out) = (folder.path().join("x.h5"), folder.path().join("out"));
    Made::new([24, 8, 60]).write(&input);
    run(&input, &out, &[&["--resume"], &SMALL[..]].concat());
    let written = |name: &str| std::fs::metadata(out.join(name)).unwrap().modified().unwrap();
    let before: Vec<_> = ["epochs.h5", "report.json", "summary.json"].map(written).to_vec();
    run(&input, &out, &[&["--resume"], &SMALL[..]].concat());
    assert_eq!(before, ["epochs.h5", "report.json", "summary.json"].map(written).to_vec());
    assert!(!out.join("checkpoint.json").exists());
    // Another run's results are not taken for its own.
    let mut command = nissl(&["autoreject", "-q", "--resume", "--seed", "7"]);
    let output = command.arg(&input).arg("-o").arg(&out).args(SMALL).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
}
