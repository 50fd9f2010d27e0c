//! Fitted states and summaries.

use crate::common::fixture;
use crate::opened::{tiny, visual};
use nissl::commands::autoreject::options::{ChannelSources, Method};
use nissl::commands::autoreject::recording::Recording;
use nissl::commands::autoreject::state;
use nissl::commands::autoreject::summary::{Named, Summary, read_thresholds};
use nissl::io::{self, Entry, InputSpec};
use std::path::Path;

#[test]
fn the_peers_states_are_read_and_ours_hold_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("autoreject.h5");
    for (recording, peer, cv) in [
        (tiny(), "autoreject/tiny/autoreject_state.h5", 5),
        (visual(), "autoreject/visual/peer_autoreject.h5", 10),
    ] {
        let state = state::read(&fixture(peer), &recording).unwrap();
        assert_eq!((state.picks.as_slice(), state.cv, state.seed), (recording.picks(), cv, 42));
        assert_eq!(state.thresh_method, "bayesian_optimization");
        assert_eq!(state.groups[0].names.len(), recording.picks().len());
        state::write(&state, &path).unwrap();
        assert_eq!(state::read(&path, &recording).unwrap(), state);
        // Every entry of the peer's file is in ours, with the same shape and type.
        let entries = |path: &Path| {
            let file = io::open(path).unwrap();
            let mut found: Vec<_> = file
                .list()
                .unwrap()
                .into_iter()
                .map(|entry| match entry {
                    Entry::Dataset(i) => {
                        (i.path.clone(), Some((i.shape, i.stored.to_string(), i.chunks, i.deflate)))
                    }
                    Entry::Group(path) => (path, None),
                    other => panic!("{other:?}"),
                })
                .map(|(path, what)| {
                    let title = file.attributes(&path).unwrap();
                    (path, what, title.first().map(|title| title.value.clone()))
                })
                .collect();
            found.sort_by(|a, b| a.0.cmp(&b.0));
            found
        };
        assert_eq!(entries(&path), entries(&fixture(peer)));
    }
    let error = state::read(&fixture("autoreject/tiny/autoreject_state.h5"), &visual()).unwrap_err();
    assert!(error.to_string().contains("the state was fitted on other channels; fit again"), "{error}");
    let error = state::read(&fixture("autoreject/visual/peer_autoreject.h5"), &tiny()).unwrap_err();
    assert!(error.to_string().contains("expected one of the 10 channels of"), "{error}");
    let error = state::read(&fixture("autoreject/tiny/epochs.h5"), &tiny()).unwrap_err();
    assert!(error.to_string().contains("found no group 'autoreject'"), "{error}");
}

#[test]
fn summaries_are_written_for_scripts_and_their_thresholds_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("summary.json");
    let recording = tiny();
    let mut summary = Summary::new(Method::Local, 42, &recording);
    let thresholds: Vec<f64> = (1..=10).map(|n| f64::from(n) * 1.1e-5).collect();
    summary.thresholds =
        Some(recording.list().iter().map(|c| c.name.clone()).zip(thresholds.iter().copied()).collect());
    summary.loss = Some(Named(vec![("eeg".into(), vec![vec![1.5, f64::INFINITY]])]));
    summary.consensus = Some(Named(vec![("eeg".into(), 0.1 + 0.2)]));
    summary.bad_epochs = vec![3];
    summary.interpolated = vec![(4, "Fp1".into())];
    summary.write(&path).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["loss"]["eeg"], serde_json::json!([[1.5, null]]));
    assert_eq!(json["consensus"]["eeg"], 0.30000000000000004);
    assert_eq!(json["interpolated"], serde_json::json!([[4, "Fp1"]]));
    assert_eq!(
        (&json["method"], &json["reject"], &json["seed"]),
        (&"local".into(), &serde_json::Value::Null, &42.into())
    );
    assert!(text.contains("\n  \"bad_epochs\": [3],\n"), "{text}");
    assert_eq!(read_thresholds(&path, &recording, recording.picks()).unwrap(), thresholds);
    assert_eq!(read_thresholds(&path, &recording, &[4, 1]).unwrap(), [thresholds[4], thresholds[1]]);

    let refused = |text: &str| {
        std::fs::write(&path, text).unwrap();
        let error = read_thresholds(&path, &recording, &[0, 1]).unwrap_err().to_string();
        error.replace(&format!("{}/", folder.path().display()), "")
    };
    let names: Vec<&str> = recording.list().iter().map(|c| c.name.as_str()).collect();
    assert_eq!(
        refused(&format!("{{\"{}\": 1e-4}}", names[0])),
        format!(
            "summary.json: found no threshold for {}, expected one for every picked channel; add them, or \
             leave the channels out with --bads",
            names[1]
        )
    );
    assert!(
        refused("{\"Fp9\": 1e-4}")
            .starts_with("summary.json: found a threshold for 'Fp9', expected names of ")
    );
    assert_eq!(
        refused(&format!("{{\"{}\": 1e-4, \"{}\": -1}}", names[0], names[1])),
        format!("summary.json, channel {}: found -1, expected a positive number", names[1])
    );
    assert_eq!(
        refused("{\"thresholds\": null}"),
        "summary.json: found a summary without thresholds, expected an object of channel names and \
         thresholds, or a summary.json; only a local fit has thresholds by channel"
    );
    assert!(refused("[1]").starts_with("summary.json: found something else, expected an object"));
    assert!(refused("{").starts_with("summary.json: found no JSON (EOF"));
    std::fs::write(&path, format!("{{\"{}\": 50, \"{}\": 70.5}}", names[0], names[1])).unwrap();
    let microvolts = ChannelSources { unit: 1e-6, ..ChannelSources::default() };
    let input = InputSpec::file(fixture("autoreject/tiny/epochs.h5"));
    let scaled = Recording::open(&input, &microvolts, &mut Vec::new()).unwrap();
    assert_eq!(read_thresholds(&path, &scaled, &[1, 0]).unwrap(), [70.5 * 1e-6, 50.0 * 1e-6]);
}
