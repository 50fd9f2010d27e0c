//! The package and MNE open what we write.

use crate::common::fixture;
use crate::opened::open;
use crate::python;
use nissl::commands::autoreject::cleaned::write_cleaned;
use nissl::commands::autoreject::options::ChannelSources;
use nissl::commands::autoreject::recording::Recording;
use nissl::commands::autoreject::{reject_log, state};
use nissl::io::InputSpec;
use std::path::Path;

#[test]
fn the_peer_opens_our_log_state_and_cleaned_epochs() {
    let folder = tempfile::tempdir().unwrap();
    let input = fixture("autoreject/visual/epochs.h5");
    let recording = open(&input);
    let log = reject_log::read(&fixture("autoreject/visual/peer_reject_log.npz"), &recording).unwrap();
    let peer = fixture("autoreject/visual/peer_autoreject.h5");
    let fitted = state::read(&peer, &recording).unwrap();
    reject_log::write(&log, &folder.path().join("reject_log.npz")).unwrap();
    state::write(&fitted, &folder.path().join("autoreject.h5")).unwrap();
    let kept: Vec<usize> = (0..80).filter(|&epoch| !log.bad_epochs[epoch]).collect();
    // Repaired rows carry their channel number, so that the script can tell them from all others.
    let marked = |epoch: usize| {
        let repaired = (0..32).filter(|channel| log.labels[epoch * 32 + channel] == 2.0);
        Ok(repaired.map(|channel| (channel, vec![f64::from(channel as u32); 154])).collect())
    };
    write_cleaned(&recording, &folder.path().join("epochs.h5"), &kept, None, &marked).unwrap();
    let script = include_str!("../interop/autoreject_files.py");
    let name = "the_peer_opens_our_log_state_and_cleaned_epochs";
    let Some(printed) = python::python(name, script, &[&input, folder.path(), &peer]) else { return };
    let found: serde_json::Value = serde_json::from_str(&printed).unwrap();
    let names: Vec<&str> = recording.list().iter().map(|c| c.name.as_str()).collect();
    let bad: Vec<usize> = (0..80).filter(|&epoch| log.bad_epochs[epoch]).collect();
    let repaired = log.labels.iter().filter(|&&label| label == 2.0).count();
    assert_eq!(found["names"], serde_json::json!(names));
    assert!(found["names_dtype"].as_str().unwrap().starts_with("<U"), "{found}");
    assert_eq!((&found["bad_epochs"], &found["bad_dtype"]), (&serde_json::json!(bad), &"bool".into()));
    // With the state that we wrote the peer finds the bad epochs that it found itself.
    assert_eq!(found["own_bad_epochs"], serde_json::json!(bad));
    assert_eq!((&found["repaired"], &found["unpicked"]), (&repaired.into(), &160.into()));
    assert_eq!(found["thresh_method"], "bayesian_optimization");
    assert_eq!((&found["fields"], &found["different"]), (&15.into(), &serde_json::json!([])));
    assert_eq!(found["loss_shape"], serde_json::json!([[11, 3, 10]]));
    assert_eq!(found["cleaned"], serde_json::json!([kept.len(), 32, 154]));
    assert_eq!(found["selection"], serde_json::json!(kept));
    assert_eq!(found["difference"], 0.0);
    assert_eq!(found["marked"], true);
}

#[test]
fn the_conversion_of_fif_that_is_advised_gives_what_mne_holds() {
    let folder = tempfile::tempdir().unwrap();
    let (fif, h5) = (folder.path().join("made-epo.fif"), folder.path().join("epochs.h5"));
    let name = "the_conversion_of_fif_that_is_advised_gives_what_mne_holds";
    let make = r#"
import sys, mne, numpy as np
mne.set_log_level("error")
montage = mne.channels.make_standard_montage("biosemi16")
info = mne.create_info(montage.ch_names + ["VEOG"], 200.0, ["eeg"] * 16 + ["eog"])
data = np.random.RandomState(0).randn(7, 17, 30) * 1e-5
epochs = mne.EpochsArray(data, info, tmin=-0.05)
epochs.set_montage(montage)
epochs.info["bads"] = sys.argv[2:]
epochs.save(sys.argv[1], fmt="double")
# FIF keeps positions in single precision: what counts is what MNE reads.
epochs = mne.read_epochs(sys.argv[1])
print(repr(float(epochs.get_data()[3, 2, 11])), *epochs.info["chs"][4]["loc"][:3])
"#;
    for bads in [vec![], vec![Path::new("O1"), Path::new("Cz")]] {
        let arguments = [vec![fif.as_path()], bads.clone()].concat();
        let Some(printed) = python::python(name, make, &arguments) else { return };
        let mut warnings = Vec::new();
        let refused = Recording::open(&InputSpec::file(&fif), &ChannelSources::default(), &mut warnings);
        let advice = refused.err().unwrap().to_string();
        let (_, code) = advice.split_once("python -c \"").unwrap();
        let moved = format!("import os, sys; os.chdir(sys.argv[1]); {}", code.trim_end_matches('"'));
        python::python(name, &moved, &[folder.path()]).unwrap();
        let recording = open(&h5);
        assert_eq!((recording.epochs(), recording.channels(), recording.samples()), (7, 17, 30));
        assert_eq!((recording.sfreq(), recording.tmin()), (Some(200.0), -0.05));
        assert_eq!(recording.picks().len(), 16 - bads.len());
        let mut value = [0.0];
        recording.read(3..4, &[2], 11..12, &mut value).unwrap();
        let place = recording.list()[4].position.unwrap();
        let found: Vec<f64> = value.iter().chain(&place).copied().collect();
        let expected: Vec<f64> = printed.split_whitespace().map(|v| v.parse().unwrap()).collect();
        assert_eq!(found, expected);
        std::fs::remove_file(&h5).unwrap();
        std::fs::remove_file(&fif).unwrap();
    }
}
