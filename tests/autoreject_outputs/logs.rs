//! Reject logs.

use crate::common::fixture;
use crate::opened::{same_labels, tiny, visual};
use nissl::array::Dtype;
use nissl::commands::autoreject::fitted::RejectLog;
use nissl::commands::autoreject::recording::Recording;
use nissl::commands::autoreject::reject_log;
use nissl::io::npz::NpzWriter;
use nissl::io::{DatasetSpec, Writer};
use std::path::Path;

#[test]
fn the_peers_reject_logs_are_read_and_ours_hold_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("reject_log.npz");
    for (recording, peer) in
        [(tiny(), "autoreject/tiny/reject_log.npz"), (visual(), "autoreject/visual/peer_reject_log.npz")]
    {
        let log = reject_log::read(&fixture(peer), &recording).unwrap();
        assert_eq!(log.ch_names.len(), recording.channels());
        let unpicked = log.labels.iter().filter(|label| label.is_nan()).count();
        assert_eq!(unpicked, (recording.channels() - recording.picks().len()) * recording.epochs());
        reject_log::write(&log, &path).unwrap();
        assert!(same_labels(&reject_log::read(&path, &recording).unwrap(), &log));
        let first = std::fs::read(&path).unwrap();
        reject_log::write(&log, &path).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), first);
    }
}

fn refusal(log: &RejectLog, recording: &Recording) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.npz");
    reject_log::write(log, &path).unwrap();
    let error = reject_log::read(&path, recording).unwrap_err().to_string();
    let home = format!("{}/", Path::new(env!("CARGO_MANIFEST_DIR")).display());
    error.replace(&format!("{}/", folder.path().display()), "").replace(&home, "")
}

#[test]
fn reject_logs_of_other_recordings_and_senseless_labels_are_refused() {
    let recording = tiny();
    let good = reject_log::read(&fixture("autoreject/tiny/reject_log.npz"), &recording).unwrap();
    let mut log = good.clone();
    log.ch_names[3] = "Xy".into();
    let name = &recording.list()[3].name;
    assert_eq!(
        refusal(&log, &recording),
        format!(
            "log.npz:ch_names, channel 3: found 'Xy', expected '{name}' as in \
             fixtures/autoreject/tiny/epochs.h5:/epochs/data; the log is of another recording"
        )
    );
    let mut log = good.clone();
    log.labels[2 * 10 + 4] = 3.0;
    assert_eq!(
        refusal(&log, &recording),
        format!(
            "log.npz:labels, epoch 2, channel {}: found 3, expected 0 (good), 1 (bad), 2 (repaired) or NaN \
             (not picked)",
            recording.list()[4].name
        )
    );
    let mut log = good.clone();
    log.bad_epochs.pop();
    log.labels.truncate(19 * 10);
    assert_eq!(
        refusal(&log, &recording),
        "log.npz:bad_epochs: found shape [19], expected [20] as in \
         fixtures/autoreject/tiny/epochs.h5:/epochs/data; the log is of another recording"
    );
    let other = reject_log::read(&fixture("autoreject/tiny/splits.npz"), &recording).unwrap_err().to_string();
    assert!(
        other.contains("no such member, expected a reject log: ch_names, bad_epochs and labels"),
        "{other}"
    );
    let mut short = good;
    short.labels.pop();
    let path = tempfile::tempdir().unwrap().path().join("log.npz");
    assert!(reject_log::write(&short, &path).is_err());
}

#[test]
fn a_log_saved_with_whole_numbers_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.npz");
    let recording = tiny();
    let good = reject_log::read(&fixture("autoreject/tiny/reject_log.npz"), &recording).unwrap();
    let mut writer = Box::new(NpzWriter::create(&path).unwrap());
    let names: Vec<Vec<u8>> = good.ch_names.iter().map(|name| name.as_bytes().to_vec()).collect();
    let spec = |path: &str, shape: &[u64]| DatasetSpec {
        path: path.into(),
        shape: shape.to_vec(),
        dtype: Dtype::I8,
        chunks: None,
        deflate: None,
        fill: None,
    };
    let id = writer.create(&spec("labels", &[20, 10])).unwrap();
    writer.append(id, &good.labels.iter().map(|&v| v as u8).collect::<Vec<_>>()).unwrap();
    writer.create_text("ch_names", &[10], &names).unwrap();
    let id = writer.create(&spec("bad_epochs", &[20])).unwrap();
    writer.append(id, &good.bad_epochs.iter().map(|&v| v.into()).collect::<Vec<u8>>()).unwrap();
    writer.finish().unwrap();
    assert!(same_labels(&reject_log::read(&path, &recording).unwrap(), &good));
}
