//! `nissl decode` against what the peer made of the same recordings, through the program: a real rat,
//! and three synthetic sets in double and single precision.
#![cfg(feature = "hdf5")]

mod common;

use common::{done, fixture, nissl, read};
use serde_json::Value;
use std::path::{Path, PathBuf};

struct Set {
    folder: PathBuf,
    flags: Vec<String>,
}

impl Set {
    /// A synthetic set with the flags of its parameters.
    fn new(name: &str) -> Self {
        let folder = fixture("decode").join(name);
        let text = std::fs::read(folder.join("parameters.json")).unwrap();
        let parameters: Value = serde_json::from_slice(&text).unwrap();
        let flag = |name: &str| parameters[name].as_f64().unwrap().to_string();
        let flags = [
            ("--position-std", flag("position_std")),
            ("--waveform-std", flag("waveform_std")),
            ("--bin-size", flag("place_bin_size")),
            ("--movement-var", flag("movement_var")),
        ];
        Set { folder, flags: flags.into_iter().flat_map(|(name, value)| [name.to_owned(), value]).collect() }
    }

    fn array(&self, name: &str) -> Vec<f64> {
        read(&self.folder.join(format!("{name}.npy")), "").values
    }

    /// Decodes into `out`.
    fn decode(&self, out: &Path, more: &[&str]) {
        let mut command = nissl(&["decode", "-q", "--progress", "none"]);
        let sorted = more.contains(&"sorted");
        let flags = self.flags.chunks(2).filter(|flag| !sorted || flag[0] != "--waveform-std");
        command.arg(self.folder.join("inputs.h5")).arg("-o").arg(out).args(flags.flatten()).args(more);
        if self.folder.ends_with("wtrack") {
            let graph = out.with_extension("graph.json");
            let text = std::fs::read(self.folder.join("parameters.json")).unwrap();
            let parameters: Value = serde_json::from_slice(&text).unwrap();
            std::fs::write(&graph, parameters["track_graph"].to_string()).unwrap();
            command.arg("--track-graph").arg(graph);
        }
        done(&mut command);
    }

    /// Which columns of the file are interior: the peer's arrays hold only those.
    fn interior(&self, states: &[bool]) -> Vec<bool> {
        let mask = self.array("is_track_interior");
        let of =
            |&spatial: &bool| if spatial { mask.iter().map(|&m| m != 0.0).collect() } else { vec![true] };
        states.iter().flat_map(of).collect()
    }
}

/// The columns of `[row, column]` values where `keep` holds.
fn columns(values: &[f64], keep: &[bool]) -> Vec<f64> {
    let rows = values.chunks(keep.len());
    rows.flat_map(|row| row.iter().zip(keep).filter(|(_, k)| **k).map(|(v, _)| *v)).collect()
}

#[track_caller]
fn assert_near(what: &str, got: &[f64], expected: &[f64], allowed: impl Fn(f64) -> f64) {
    assert_eq!(got.len(), expected.len(), "{what}");
    let worst = got.iter().zip(expected).map(|(g, e)| ((g - e).abs() / allowed(*e), g, e));
    let worst = worst.max_by(|a, b| a.0.total_cmp(&b.0)).unwrap();
    assert!(
        worst.0 <= 1.0,
        "{what}: found {}, expected {}, {} times the tolerance",
        worst.1,
        worst.2,
        worst.0
    );
}

const PRECISIONS: [(&str, f64, f64, f64); 2] = [("f64", 1e-7, 1e-9, 0.0), ("f32", 2e-5, 1e-4, 3e-6)];

fn posteriors_are_the_peers(name: &str, model: &str, spatial: &[bool]) {
    let set = Set::new(name);
    let folder = tempfile::tempdir().unwrap();
    for (precision, absolute, _, _) in PRECISIONS {
        let out = folder.path().join(format!("{precision}.nc"));
        set.decode(&out, &["--model", model, "--precision", precision, "--save", "filter"]);
        let keep = set.interior(spatial);
        for kind in ["acausal", "causal"] {
            let what = format!("{name} {model} {precision} {kind}");
            let states = read(&out, &format!("/{kind}_state_probabilities"));
            let expected = set.array(&format!("{model}_{kind}_state_probabilities"));
            // The file's own type is float32.
            assert_near(&what, &states.values, &expected, |_| absolute.max(1.2e-7));
            let stored = set.folder.join(format!("{model}_{kind}_posterior.npy"));
            if stored.exists() {
                let posterior = read(&out, &format!("/{kind}_posterior")).values;
                let expected = read(&stored, "").values;
                assert_near(&what, &columns(&posterior, &keep), &expected, |_| absolute.max(1.2e-7));
            }
        }
    }
}

#[test]
fn posteriors_on_a_line_are_the_peers() {
    posteriors_are_the_peers("track1d", "decoder", &[true]);
    posteriors_are_the_peers("track1d", "contfrag", &[true, true]);
    posteriors_are_the_peers("track1d", "nonlocal", &[false, false, true, true]);
}

#[test]
fn posteriors_on_a_w_track_are_the_peers() {
    posteriors_are_the_peers("wtrack", "decoder", &[true]);
    posteriors_are_the_peers("wtrack", "contfrag", &[true, true]);
    posteriors_are_the_peers("wtrack", "nonlocal", &[false, false, true, true]);
}

#[test]
fn posteriors_in_an_arena_are_the_peers() {
    posteriors_are_the_peers("arena2d", "decoder", &[true]);
    posteriors_are_the_peers("arena2d", "contfrag", &[true, true]);
    posteriors_are_the_peers("arena2d", "nonlocal", &[false, false, true, true]);
}

#[test]
fn log_likelihoods_are_the_peers() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["track1d", "wtrack", "arena2d"] {
        let set = Set::new(name);
        let spatial = [false, false, true, true];
        let keep = set.interior(&spatial);
        let (local, none) = (set.array("ll_linear_local"), set.array("ll_no_spike"));
        let away = set.array("ll_linear_nonlocal");
        let bins = away.len() / local.len();
        let row = |t: usize| {
            let mine = &away[t * bins..(t + 1) * bins];
            [&local[t..=t], &none[t..=t], mine, mine].concat()
        };
        let expected: Vec<f64> = (0..local.len()).flat_map(row).collect();
        for (precision, _, absolute, relative) in PRECISIONS {
            let out = folder.path().join(format!("{name}-{precision}.nc"));
            set.decode(&out, &["--model", "nonlocal", "--precision", precision, "--save", "loglik"]);
            let found = columns(&read(&out, "/log_likelihood").values, &keep);
            // The file's own type is float32.
            let allowed = |e: f64| absolute + (relative + 6e-8) * e.abs();
            assert_near(&format!("{name} {precision}"), &found, &expected, allowed);
        }
    }
}

#[test]
fn log_likelihoods_of_sorted_units_are_the_peers() {
    let folder = tempfile::tempdir().unwrap();
    for (name, everywhere) in [("track1d", true), ("wtrack", false), ("arena2d", false)] {
        let set = Set::new(name);
        let keep = set.interior(&[false, false, true, true]);
        let local = set.array("ll_sorted_local");
        let out = folder.path().join(format!("{name}.nc"));
        let sorted =
            ["--likelihood", "sorted", "--model", "nonlocal", "--precision", "f64", "--save", "loglik"];
        set.decode(&out, &sorted);
        let found = columns(&read(&out, "/log_likelihood").values, &keep);
        let wide = found.len() / local.len();
        let bins = (wide - 2) / 2;
        // The file's own type is float32.
        let allowed = |e: f64| 1e-9 + 6e-8 * e.abs();
        let of = |first: usize, count: usize| -> Vec<f64> {
            found.chunks(wide).flat_map(|row| &row[first..first + count]).copied().collect()
        };
        assert_near(&format!("{name} local"), &of(0, 1), &local, allowed);
        if everywhere {
            assert_near(
                &format!("{name} non-local"),
                &of(2, bins),
                &set.array("ll_sorted_nonlocal"),
                allowed,
            );
        }
    }
}

#[test]
fn estimates_are_the_peers() {
    let folder = tempfile::tempdir().unwrap();
    for (name, axes) in [("track1d", 1), ("wtrack", 1), ("arena2d", 2)] {
        let set = Set::new(name);
        let out = folder.path().join(format!("{name}.nc"));
        set.decode(&out, &["--precision", "f64", "--save", "map,mean,hpd,viterbi"]);
        let along = |what: &str| -> Vec<f64> {
            let read = |name: &str| common::read(&out, &format!("/{name}")).values;
            if axes == 1 {
                return read(&format!("{what}_position"));
            }
            let (x, y) = (read(&format!("{what}_x_position")), read(&format!("{what}_y_position")));
            x.into_iter().zip(y).flat_map(|(x, y)| [x, y]).collect()
        };
        assert_near(name, &along("map"), &set.array("decoder_map_position"), |_| 1e-12);
        assert_near(name, &along("mean"), &set.array("decoder_mean_position"), |_| 1e-5);
        for share in ["50", "95"] {
            let found = read(&out, &format!("/hpd_threshold_{share}")).values;
            let expected = set.array(&format!("decoder_hpd_threshold_{share}"));
            assert_near(name, &found, &expected, |e| 1e-6 * e.abs());
        }
        // The peer counts interior bins, the file all of them.
        let interior = set.array("is_track_interior");
        let number: Vec<f64> =
            (0..interior.len()).filter(|&b| interior[b] != 0.0).map(|b| b as f64).collect();
        let expected: Vec<f64> = set.array("decoder_viterbi").iter().map(|&b| number[b as usize]).collect();
        assert_eq!(read(&out, "/viterbi_bin").values, expected, "{name}");
    }
}

/// The real rat with the parameters of its README.
fn real(input: &str, kind: &str, out: &Path, more: &[&str]) {
    let mut command = nissl(&["decode", "-q", "--progress", "none", "--likelihood", kind]);
    command.arg(fixture("decode/real").join(input)).arg("-o").arg(out);
    command.args(["--position-std", "12", "--bin-size", "6", "--movement-var", "36"]);
    command.args(["--encode-interval", "4397.114366666667:4997", "--time", "4997:5057:0.016666666666666666"]);
    done(command.args(more));
}

#[test]
fn a_real_rat_runs_its_laps_as_the_peer_sees_them() {
    let folder = tempfile::tempdir().unwrap();
    for kind in ["clusterless", "sorted"] {
        let expected = fixture("decode/real").join(format!("{kind}_expected.npz"));
        for container in ["h5", "nwb"] {
            let out = folder.path().join(format!("{kind}-{container}.nc"));
            real(&format!("{kind}.{container}"), kind, &out, &["--save", "loglik,map"]);
            let what = format!("{kind} {container}");
            let found = |name: &str| read(&out, &format!("/{name}")).values;
            let peer = |name: &str| read(&expected, name).values;
            // The file has all 80 bins of the grid; the peer's arrays the 73 that the rat visited.
            let posterior = found("acausal_posterior");
            let keep: Vec<bool> = posterior[..80].iter().map(|v| !v.is_nan()).collect();
            assert_near(&what, &columns(&posterior, &keep), &peer("acausal_posterior"), |_| 2e-5);
            let allowed = |e: f64| 1e-4 + 3e-6 * e.abs();
            assert_near(&what, &columns(&found("log_likelihood"), &keep), &peer("log_likelihood"), allowed);
            let same =
                found("map_position").iter().zip(peer("map_position")).filter(|(a, b)| **a == *b).count();
            assert!(same >= 3595, "{what}: {same} of 3600 positions are the peer's");
        }
    }
}

/// The arrays of a session in HDF5 as a folder of `.npy`.
fn as_folder(session: &Path, folder: &Path) {
    let mut names = vec!["position/time".to_owned(), "position/data".into(), "decode/time".into()];
    let electrodes = (0..).map(|e| format!("electrodes/{e}"));
    let there = electrodes
        .take_while(|name| nissl::io::open(session).unwrap().dataset(&format!("{name}/features")).is_ok());
    names.extend(there.flat_map(|name| [format!("{name}/spike_times"), format!("{name}/features")]));
    for name in names {
        let array = read(session, &format!("/{name}"));
        let bytes: Vec<u8> = array.values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let path = folder.join(format!("{name}.npy"));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        common::write_npy(&path, "<f8", &array.shape, &bytes);
    }
}

#[test]
fn inputs_of_all_formats_give_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["track1d", "arena2d"] {
        let set = Set::new(name);
        let decode = |input: &Path, out: &str| {
            let out = folder.path().join(out);
            let mut command = nissl(&["decode", "-q", "--progress", "none"]);
            command.arg(input).arg("-o").arg(&out).args(&set.flags).args(["--model", "nonlocal"]);
            // What an NWB file does not hold.
            let time = read(&set.folder.join("inputs.h5"), "/decode/time").values;
            let position = read(&set.folder.join("inputs.h5"), "/position/time").values;
            let encoding = read(&set.folder.join("in_n_encoding_samples.npy"), "").values[0] as usize;
            let step = time[1] - time[0];
            command.arg("--time").arg(format!("{}:{}:{step}", time[0], time[time.len() - 1] + step / 2.0));
            command.arg("--encode-interval").arg(format!("{}:{}", position[0], position[encoding - 1]));
            done(&mut command);
            std::fs::read(out).unwrap()
        };
        let h5 = decode(&set.folder.join("inputs.h5"), "h5.nc");
        let nwb = decode(&set.folder.join("inputs.nwb"), "nwb.nc");
        assert!(h5 == nwb, "{name}: other bytes from NWB");
        let tree = folder.path().join(name);
        as_folder(&set.folder.join("inputs.h5"), &tree);
        assert!(h5 == decode(&tree, "npy.nc"), "{name}: other bytes from a folder of .npy");
        std::fs::remove_file(folder.path().join("npy.nc")).unwrap();
        std::fs::remove_file(folder.path().join("h5.nc")).unwrap();
        std::fs::remove_file(folder.path().join("nwb.nc")).unwrap();
    }
}

#[test]
fn threads_and_memory_do_not_show() {
    let folder = tempfile::tempdir().unwrap();
    let set = Set::new("arena2d");
    let saves = ["--model", "contfrag", "--save", "filter,predictive,loglik,map,mean,hpd,viterbi"];
    let mut first = None;
    for (threads, memory) in [("1", "4G"), ("2", "4G"), ("2", "24M"), ("1", "22M")] {
        let out = folder.path().join(format!("{threads}-{memory}.nc"));
        set.decode(&out, &[&saves[..], &["--threads", threads, "--memory", memory]].concat());
        let bytes = std::fs::read(out).unwrap();
        assert!(*first.get_or_insert_with(|| bytes.clone()) == bytes, "{threads} threads, {memory}");
    }
}

/// Error or warning lines of a run of the real rat, and its exit code.
fn said(flags: &[&str], out: &Path) -> (Option<i32>, String) {
    let mut command = nissl(&["decode", "-q", "--progress", "none"]);
    let rat = fixture("decode/real/clusterless.h5");
    let output = command.arg(rat).arg("-o").arg(out).args(flags).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn position_weights_go_with_sorted_units_in_the_simple_layout() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.nc");
    let (code, text) = said(&["--position-weights"], &out);
    assert_eq!((code, text.contains("goes with --likelihood sorted")), (Some(2), true), "{text}");
    let mut command = nissl(&["decode", "-q", "--likelihood", "sorted", "--position-weights"]);
    command.arg(fixture("decode/real/sorted.nwb")).arg("-o").arg(&out);
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), text.contains("NWB files hold none")), (Some(2), true), "{text}");
}

#[test]
fn a_model_fitted_once_gives_the_bytes_of_a_fit_and_flags_must_agree_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let flags = ["--position-std", "12", "--bin-size", "6", "--movement-var", "36"];
    let time = ["--time", "4997:5007:0.0166"];
    let model = at("model.h5");
    let (code, text) = said(&[&flags[..], &["--fit-only"]].concat(), &model);
    assert_eq!(code, Some(0), "{text}");
    said(&[&flags[..], &time].concat(), &at("fit.nc"));
    let model = model.to_str().unwrap();
    said(&[&flags[..], &time, &["--encoding-model", model]].concat(), &at("model.nc"));
    assert!(std::fs::read(at("fit.nc")).unwrap() == std::fs::read(at("model.nc")).unwrap());
    let (code, text) = said(&["--bin-size", "5", "--encoding-model", model], &at("other.nc"));
    assert_eq!(code, Some(65), "{text}");
    assert!(text.contains("--bin-size 5; leave --bin-size out"), "{text}");
    assert!(!at("other.nc").exists());
}

#[test]
fn slips_are_told_in_one_line_and_leave_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.nc");
    let cases: [(&[&str], i32, &str); 8] = [
        (&["--memory", "2M"], 1, "the least that works is"),
        (&["--bin-size", "1e-6"], 65, "give a larger --bin-size"),
        (&["--encode-interval", "0:1"], 65, "check --encode-interval"),
        (&["--model", "contfrag", "--initial", "1,1"], 2, "--initial sums to 2"),
        (&["--position-std", "1,2"], 2, "2 values given"),
        (&["--waveform-std", "1,2"], 2, "electrode 0 has 4"),
        (&["--algorithm", "approx"], 2, "--tol X"),
        (&["--position-penalty", "2"], 2, "--model nonlocal"),
    ];
    for (flags, expected, part) in cases {
        let (code, text) = said(flags, &out);
        assert_eq!(code, Some(expected), "{flags:?}: {text}");
        assert!(text.contains(part) && text.lines().count() == 1, "{flags:?}: {text}");
        assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none(), "{flags:?} left something");
    }
}

#[test]
fn spikes_that_tell_nothing_are_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let time = ["--time", "4997:5000:0.0166666"];
    let (code, text) = said(&[&time[..], &["--waveform-std", "0.01"]].concat(), &folder.path().join("a.nc"));
    assert!(code == Some(0) && text.contains("at the floor in every bin"), "{text}");
    let (code, text) = said(&["--time", "0:1:0.0166666"], &folder.path().join("b.nc"));
    assert!(code == Some(0) && text.contains("check --time"), "{text}");
}

#[test]
fn sampled_and_guaranteed_tolerances_keep_their_word() {
    let folder = tempfile::tempdir().unwrap();
    let set = Set::new("arena2d");
    let loglik = |name: &str, flags: &[&str]| {
        let out = folder.path().join(format!("{name}.nc"));
        set.decode(&out, &[flags, &["--save", "loglik"]].concat());
        let values = read(&out, "/log_likelihood").values;
        values.into_iter().filter(|v| !v.is_nan()).collect::<Vec<_>>()
    };
    let exact = loglik("exact", &["--algorithm", "direct", "--precision", "f64"]);
    for (name, flags) in [("tol", ["--tol", "1e-3"]), ("observed", ["--tol-observed", "1e-3"])] {
        let found = loglik(name, &[&["--algorithm", "approx"][..], &flags].concat());
        let apart = found.iter().zip(&exact).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        // A row of this set has six spikes at most.
        assert!(apart <= 6e-3, "{name}: {apart}");
    }
}
