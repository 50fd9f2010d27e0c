//! Reading the peer's keys, and what is refused.

use super::*;

fn refused(text: &str) -> String {
    RealtimeConfig::from_json(text, "c.json").unwrap_err().to_string()
}

#[test]
fn nothing_given_means_the_defaults() {
    let config = RealtimeConfig::from_json("{}", "c.json").unwrap();
    assert_eq!(config, RealtimeConfig::default());
    assert_eq!(config.bin_seconds(), 0.006);
    assert_eq!(config.bins.centers()[40], 40.5);
}

#[test]
fn the_peers_files_are_read() {
    for (folder, algorithm, electrodes) in
        [("realtime", Algorithm::Decoder, 4), ("realtime_classifier", Algorithm::Classifier, 3)]
    {
        let path = format!("{}/fixtures/decode/{folder}/config.json", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(&path).unwrap();
        let config = RealtimeConfig::from_json(&text, &path).unwrap();
        assert_eq!((config.algorithm, config.electrodes.len()), (algorithm, electrodes));
        assert_eq!((config.marks, config.channel_distance, config.rank), (500, Some(2), 1));
        assert_eq!(config.ignored, [""; 0]);
        let expected = RealtimeConfig {
            marks: 500,
            algorithm,
            electrodes: config.electrodes.clone(),
            channel_distance: Some(2),
            ..RealtimeConfig::default()
        };
        assert_eq!(config, expected);
    }
}

#[test]
fn bad_values_are_refused_by_key() {
    for (text, key) in [
        ("[]", "an object"),
        ("{", "JSON"),
        ("{\"algorithm\": \"x\"}", "algorithm"),
        ("{\"preloaded_model\": true}", "preloaded_model"),
        ("{\"encoder\": 3}", "encoder"),
        ("{\"encoder\": {\"bufsize\": 0}}", "encoder.bufsize"),
        ("{\"encoder\": {\"bufsize\": 1e30}}", "encoder.bufsize"),
        ("{\"encoder\": {\"bufsize\": 2.5}}", "encoder.bufsize"),
        ("{\"encoder\": {\"bufsiz\": 5}}", "encoder.bufsiz"),
        ("{\"encoder\": {\"mark_kernel\": {\"std\": 0}}}", "encoder.mark_kernel.std"),
        ("{\"encoder\": {\"mark_kernel\": {\"std\": \"20\"}}}", "encoder.mark_kernel.std"),
        ("{\"encoder\": {\"mark_kernel\": {\"mean\": 1}}}", "encoder.mark_kernel.mean"),
        ("{\"encoder\": {\"position\": {\"upper\": -1}}}", "encoder.position.upper"),
        ("{\"encoder\": {\"position\": {\"arm_coords\": [[3, 1]]}}}", "encoder.position.arm_coords"),
        ("{\"encoder\": {\"position\": {\"arm_coords\": [[0, 41]]}}}", "encoder.position.arm_coords"),
        ("{\"encoder\": {\"dead_channels\": {\"1\": [4]}}}", "encoder.dead_channels"),
        ("{\"decoder\": {\"cred_int_bufsize\": 9}}", "decoder.cred_int_bufsize"),
        ("{\"decoder\": {\"time_bin\": {\"samples\": 0}}}", "decoder.time_bin.samples"),
        ("{\"decoder_assignment\": {\"1\": [1, 1]}}", "decoder_assignment"),
        ("{\"decoder_assignment\": {\"1\": [1], \"2\": [2]}}", "decoder_assignment"),
        ("{\"decoder_assignment\": {\"1\": [70000]}}", "decoder_assignment"),
        ("{\"clusterless_classifier\": {\"state_labels\": [\"a\"]}}", "clusterless_classifier"),
        (
            "{\"clusterless_classifier\": {\"discrete_transition\": {\"type\": [\"x\"]}}}",
            "discrete_transition.type",
        ),
        ("{\"cred_interval\": {\"val\": 2}}", "cred_interval.val"),
        ("{\"sampling_rate\": {\"spikes\": -1}}", "sampling_rate.spikes"),
    ] {
        let message = refused(text);
        assert!(message.contains(key) && message.starts_with("c.json"), "{text}: {message}");
        assert_eq!(message.lines().count(), 1);
    }
}

#[test]
fn strange_sections_are_told_and_arms_follow_the_bins() {
    let text = "{\"lamp\": {\"on\": 1}, \"encoder\": {\"position\": {\"num_bins\": 20, \"upper\": 10}}}";
    let config = RealtimeConfig::from_json(text, "c.json").unwrap();
    assert_eq!(config.ignored, ["lamp"]);
    assert_eq!((config.bins.arms.as_slice(), config.bins.delta()), (&[[0, 19]][..], 0.5));
}
