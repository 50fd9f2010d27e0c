//! Rows of few terms that prove themselves enough, and those computed again: the same log likelihoods as
//! the direct product in double precision, and the same bytes however the work is cut.

mod common;

use common::{done, nissl, read, splitmix, write_npy};
use std::path::Path;

/// Seconds that encode; as many are decoded after them.
const HALF: f64 = 400.0;

/// A walk through an arena of 90 x 70 cm with two electrodes of two features. One is crowded; on the other
/// every 500th spike has a mark of its own, always at one place, so that its rows are hard.
fn recording(folder: &Path, spikes: usize) {
    let array = |path: &str, shape: &[usize], values: Vec<f64>| {
        let file = folder.join(format!("{path}.npy"));
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        let bytes: Vec<u8> = values.into_iter().flat_map(f64::to_le_bytes).collect();
        write_npy(&file, "<f8", shape, &bytes);
    };
    let place = |t: f64| [45.0 + 45.0 * (t * 0.713).sin(), 35.0 + 35.0 * (t * 0.4321).cos()];
    let samples = (2.0 * HALF * 25.0) as usize;
    let times: Vec<f64> = (0..samples).map(|i| i as f64 / 25.0).collect();
    let places = times.iter().flat_map(|&t| place(t)).collect();
    array("position/time", &[samples], times);
    array("position/data", &[samples, 2], places);
    for electrode in 0..2_u64 {
        let chance: Vec<f64> = splitmix(7 + electrode, 3 * spikes).collect();
        let (mut times, mut marks) = (Vec::new(), Vec::new());
        for (i, chance) in chance.chunks_exact(3).enumerate() {
            let t = (i as f64 + chance[0]) * 2.0 * HALF / spikes as f64;
            let [x, y] = place(t);
            // The mark follows the place, with a scatter.
            let mark = [60.0 + x + 40.0 * chance[1], 50.0 + y + 40.0 * chance[2]];
            times.push(t);
            marks.extend(if electrode == 1 && i % 500 == 77 { [500.0, -400.0] } else { mark });
        }
        array(&format!("electrodes/{electrode}/spike_times"), &[spikes], times);
        array(&format!("electrodes/{electrode}/features"), &[spikes, 2], marks);
    }
}

#[test]
fn certified_rows_equal_the_direct_product_however_they_are_cut() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    recording(&at("in"), 24_000);
    let decode = |output: &str, flags: &[&str]| {
        let mut command = nissl(&["decode", "-q", "--progress", "none", "--save", "loglik"]);
        command.arg(at("in")).arg("-o").arg(at(output)).args(flags);
        command.args(["--encode-interval", "0:400", "--time", "500:525:0.02"]);
        command.args(["--position-std", "6", "--waveform-std", "20", "--bin-size", "2"]);
        command
    };
    let plan = done(decode("plan.nc", &["--dry-run"]).args(["--threads", "1"]));
    let plan = String::from_utf8(plan.stdout).unwrap();
    assert!(plan.contains("where that proves enough, else below"), "{plan}");
    assert!(!at("plan.nc").exists());

    done(&mut decode("exact.nc", &["--algorithm", "direct", "--precision", "f64"]));
    done(&mut decode("one.nc", &["--threads", "1"]));
    let (exact, mine) = (read(&at("exact.nc"), "log_likelihood"), read(&at("one.nc"), "log_likelihood"));
    assert_eq!(exact.values.len(), mine.values.len());
    for (at, (got, expected)) in mine.values.iter().zip(&exact.values).enumerate() {
        // About 30 spikes in a row, each within 2e-6 and the rounding of single precision.
        let apart = (got - expected).abs();
        assert!(apart <= 3e-4 || (got.is_nan() && expected.is_nan()), "{at}: {got} not {expected}");
    }

    let one = std::fs::read(at("one.nc")).unwrap();
    for flags in [&["--threads", "2"][..], &["--threads", "5"], &["--memory", "30M"]] {
        done(&mut decode("other.nc", &[flags, &["--force"]].concat()));
        assert!(std::fs::read(at("other.nc")).unwrap() == one, "{flags:?}");
    }
    std::fs::create_dir(at("parts")).unwrap();
    for part in ["1/3", "2/3", "3/3"] {
        done(&mut decode("parts/parts.nc", &["--shard", part]));
    }
    done(nissl(&["merge", "-q"]).arg(at("parts")).arg("-o").arg(at("parts.nc")));
    assert!(std::fs::read(at("parts.nc")).unwrap() == one, "parts");
}
