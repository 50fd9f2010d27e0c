//! Reading sessions: the same from NWB, HDF5 and a folder of `.npy`, and what bad input of the
//! layout `decode-inputs-1` meets
//! (spec decode 6.2, 11).
#![cfg(feature = "hdf5")]

mod decode_session;

use decode_session::{
    Content, Value, array, assert_same, both, content_of, fixture, never_panics, npy, read, reference, small,
    sorted, text,
};
use nissl::array::Dtype;
use nissl::commands::decode::session::{self, SessionChoices};
use nissl::error::ExitCode;
use nissl::io::InputSpec;
use std::path::Path;

#[test]
fn nwb_hdf5_and_npy_give_equal_sessions() {
    let clusterless = SessionChoices::default();
    for (set, nwb) in [("track1d", true), ("arena2d", true), ("wtrack", false)] {
        let hdf5 = read(&fixture(set, "inputs.h5"), &clusterless).unwrap();
        let folder = tempfile::tempdir().unwrap();
        content_of(&fixture(set, "inputs.h5")).folder(folder.path());
        let npy = read(folder.path(), &clusterless).unwrap();
        assert_same(&hdf5, &npy);
        assert_eq!((&hdf5.positions, &hdf5.time, &hdf5.trains), (&npy.positions, &npy.time, &npy.trains));
        assert_eq!((hdf5.warnings.len(), npy.warnings.len()), (0, 0));
        assert_eq!(npy.inputs.len(), 4 + 2 * npy.trains.len());
        assert_eq!((hdf5.inputs.len(), &hdf5.inputs[0].dtype[..]), (1, "float64"));
        assert_eq!(hdf5.inputs[0].shape, [6001, hdf5.positions.axes as u64]);
        if nwb {
            let nwb = read(&fixture(set, "inputs.nwb"), &clusterless).unwrap();
            assert_same(&hdf5, &nwb);
            assert_eq!(nwb.unit.as_deref(), Some("cm"));
            assert_eq!(nwb.trains[1].label, "electrode 1 (tetrode1)");
            assert_eq!((nwb.time, nwb.positions.is_encoding, nwb.warnings.len()), (None, None, 0));
        }
    }
}

#[test]
fn the_fixtures_are_read_as_their_own_arrays() {
    let session = read(&fixture("arena2d", "inputs.h5"), &SessionChoices::default()).unwrap();
    let (shape, data) = array(&fixture("arena2d", "inputs.h5"), "/position/data");
    assert_eq!((shape, &session.positions.data), (vec![6001, 2], &data));
    assert_eq!(session.time, Some(array(&fixture("arena2d", "inputs.h5"), "/decode/time").1));
    let widths: Vec<usize> = session.trains.iter().map(|train| train.width).collect();
    assert_eq!(widths, [3, 3, 4, 3]);
    let encoding = session.positions.is_encoding.as_ref().unwrap().iter().filter(|&&flag| flag).count();
    assert_eq!(encoding as f64, reference("arena2d", "in_n_encoding_samples")[0]);
    assert_eq!(session.spikes(), 5546);
    let values = 6001 * 3 + 250 + 5546 + (1397 + 1245 + 1556) * 3 + 1348 * 4;
    assert_eq!(session.bytes(), values * 8 + 6001);
}

#[test]
fn the_real_rat_is_one_in_both_formats() {
    let clusterless = SessionChoices::default();
    let hdf5 = read(&fixture("real", "clusterless.h5"), &clusterless).unwrap();
    let mut nwb = read(&fixture("real", "clusterless.nwb"), &clusterless).unwrap();
    assert_eq!(nwb.trains[0].marks.len(), 3545 * 4);
    // The HDF5 file has the marks rounded to float32.
    assert_ne!(nwb.trains[0].marks, hdf5.trains[0].marks);
    for train in &mut nwb.trains {
        train.marks.iter_mut().for_each(|mark| *mark = f64::from(*mark as f32));
    }
    assert_same(&hdf5, &nwb);
    assert_eq!((nwb.unit.as_deref(), nwb.trains[5].label.as_str()), (Some("px"), "electrode 5 (tetrode12)"));
    let hdf5 = read(&fixture("real", "sorted.h5"), &sorted()).unwrap();
    assert_same(&hdf5, &read(&fixture("real", "sorted.nwb"), &sorted()).unwrap());
    // Numbers, not texts: 9 comes before 10.
    let names: Vec<String> = (0..24).map(|unit| unit.to_string()).collect();
    assert!(hdf5.trains.iter().map(|train| &train.name).eq(&names));
    assert!(hdf5.trains.iter().all(|train| train.width == 0 && train.marks.is_empty()));
}

#[test]
fn electrodes_serve_as_units_where_there_are_none() {
    let clusterless = read(&fixture("track1d", "inputs.h5"), &SessionChoices::default()).unwrap();
    let units = read(&fixture("track1d", "inputs.h5"), &sorted()).unwrap();
    for (unit, electrode) in units.trains.iter().zip(&clusterless.trains) {
        assert_eq!((&unit.times, unit.marks.len(), unit.width), (&electrode.times, 0, 0));
    }
    assert_eq!(units.trains.len(), 5);
}

#[test]
fn a_path_inside_names_position_data_or_the_group_of_the_layout() {
    let file = fixture("real", "clusterless.h5");
    let named = |path: &Path, inner: &str, choices: &SessionChoices| {
        session::read(&InputSpec { path: path.into(), dataset: Some(inner.into()) }, choices)
    };
    let plane = named(&file, "/position/xy", &SessionChoices::default()).unwrap();
    assert_eq!((plane.positions.axes, plane.positions.samples()), (2, 54009));
    let nwb = fixture("real", "clusterless.nwb");
    let series = "/processing/behavior/Position/linear_position";
    let whole = read(&nwb, &SessionChoices::default()).unwrap();
    assert_same(&named(&nwb, series, &SessionChoices::default()).unwrap(), &whole);
    let data = format!("{series}/data");
    assert_same(&named(&nwb, &data, &SessionChoices::default()).unwrap(), &whole);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.h5");
    let content = Content::default()
        .attribute("/rat1", "layout", text("decode-inputs-1"))
        .set("/rat1/position/time", 0, &[0.0, 1.0][..])
        .set("/rat1/position/data", 0, &[0.0, 1.0][..])
        .set("/rat1/units/0/spike_times", 0, &[0.5][..]);
    content.hdf5(&path);
    assert_eq!(named(&path, "/rat1", &sorted()).unwrap().trains[0].times[..], [0.5]);
}

/// The message for HDF5 with `FILE` for its name; the folder's must differ in the place alone.
fn refusal(content: &Content, choices: &SessionChoices) -> String {
    let [(file, first), (tree, second)] = both(content, choices);
    let (first, code) = first.unwrap_err();
    assert_eq!(code, ExitCode::BadData, "{first}");
    assert_eq!(first.lines().count(), 1);
    let (second, code) = second.unwrap_err();
    assert_eq!(code, ExitCode::BadData, "{second}");
    let rest = |text: &str| text[text.find(": found").unwrap()..].replace(".npy", "");
    let (file, tree) = (file.display().to_string(), tree.display().to_string());
    let there = rest(&second).replace(&format!("{tree}/"), "FILE:/");
    let here = rest(&first).replace(&file, "FILE");
    assert_eq!(here, there, "HDF5 and folder differ");
    first.replace(&file, "FILE")
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    let f64s = |values: &[f64]| Value::F64(values.to_vec());
    let advice_position = "a session needs the animal's position: seconds in position/time and \
                           coordinates in position/data";
    let cases: Vec<(Content, String)> = vec![
        (
            small().set("/electrodes/1/features", 2, f64s(&[7.0, 8.0, 9.0, 10.0])),
            "FILE:/electrodes/1/features: found 2 rows for electrode 1, expected 1, one per spike time"
                .into(),
        ),
        (
            small().set("/electrodes/0/spike_times", 1, f64s(&[0.5, 1.5, 2.5])),
            "FILE:/electrodes/0/spike_times: found shape [3, 1], expected one axis".into(),
        ),
        (
            small().without("/electrodes/0/features"),
            "FILE:/electrodes/0/features: found no such dataset, expected numbers; clusterless decoding \
             needs features; --likelihood sorted does without"
                .into(),
        ),
        (
            small().without("/electrodes/1/spike_times"),
            "FILE:/electrodes/1/spike_times: found no such dataset, expected numbers; each electrode or \
             unit has spike_times"
                .into(),
        ),
        (
            small().without("/electrodes"),
            "FILE:/electrodes: found no electrode, expected at least one; write spike_times and features \
             of each electrode to electrodes/0, electrodes/1, ..."
                .into(),
        ),
        (
            small().without("/electrodes").set("/units/0/spike_times", 0, f64s(&[1.0])),
            "FILE:/electrodes: found no electrode, expected at least one; it has sorted units: give \
             --likelihood sorted"
                .into(),
        ),
        (
            small().without("/position"),
            format!("FILE:/position/time: found no such dataset, expected numbers; {advice_position}"),
        ),
        (
            small().without("/position/data"),
            format!("FILE:/position/data: found no such dataset, expected numbers; {advice_position}"),
        ),
        (
            small().set("/position/data", 1, f64s(&[0.0, 1.0, 2.0])),
            "FILE:/position/data: found 3 samples, expected 4, as many as FILE:/position/time".into(),
        ),
        (
            small().set("/position/data", 3, f64s(&[0.0; 12])),
            "FILE:/position/data: found shape [4, 3], expected (n), (n, 1) or (n, 2): samples, and x or x \
             and y of each"
                .into(),
        ),
        (
            small().set("/position/data", 1, f64s(&[0.0])).set("/position/time", 0, f64s(&[0.0])),
            "FILE:/position/time: found 1 position sample, expected at least 2; a session needs the \
             animal's position"
                .into(),
        ),
        (
            small().set("/position/time", 0, f64s(&[0.0, 1.0, 1.0, 2.0])),
            "FILE:/position/time, index 2: found 1 s after 1 s, expected finite and increasing times; \
             --fix-timestamps keeps the first of such samples"
                .into(),
        ),
        (
            small().set("/position/time", 0, f64s(&[0.0, 2.0, 1.0, 3.0])),
            "FILE:/position/time, index 2: found 1 s after 2 s, expected finite and increasing times; \
             --fix-timestamps keeps the first of such samples"
                .into(),
        ),
        (
            small().set("/position/time", 0, f64s(&[0.0, f64::NAN, 1.0, 3.0])),
            "FILE:/position/time, index 1: found NaN s, expected finite and increasing times; \
             --fix-timestamps keeps the first of such samples"
                .into(),
        ),
        (
            small().set("/position/is_encoding", 0, Value::Bool(vec![true; 3])),
            "FILE:/position/is_encoding: found 3 values, expected 4, one per sample; compare with \
             FILE:/position/time"
                .into(),
        ),
        (
            small().set("/position/is_encoding", 0, Value::Uint(Dtype::U8, vec![0, 1, 2, 1])),
            "FILE:/position/is_encoding, index 2: found 2, expected 0 or 1".into(),
        ),
        (
            small().set("/position/is_encoding", 0, f64s(&[0.0, 1.0, 1.0, 1.0])),
            "FILE:/position/is_encoding: found elements of type float64, expected truth values".into(),
        ),
        (
            small().set("/electrodes/0/spike_times", 0, Value::Bool(vec![true; 3])),
            "FILE:/electrodes/0/spike_times: found elements of type bool, expected numbers; write it anew \
             as float64"
                .into(),
        ),
        (
            small().set("/decode/time", 0, f64s(&[1.0])),
            "FILE:/decode/time: found 1 decoding times, expected at least 2: they are edges of bins".into(),
        ),
        (
            small().set("/decode/time", 0, f64s(&[1.0, 2.0, 2.0])),
            "FILE:/decode/time, index 2: found 2 s after 2 s, expected finite and increasing times".into(),
        ),
        (
            small().set("/electrodes/1/features", 5000, f64s(&[0.0; 5000])),
            "FILE:/electrodes/1/features: found rows of 5000 features for electrode 1, expected 1 to 4096 \
             features a spike"
                .into(),
        ),
    ];
    for (content, wanted) in cases {
        assert_eq!(refusal(&content, &SessionChoices::default()), wanted);
    }
}

#[test]
fn sorted_units_need_no_features_and_no_electrodes() {
    let content = small().without("/electrodes/0/features").without("/electrodes/1/features");
    let [(_, file), (_, tree)] = both(&content, &sorted());
    assert_same(&file.unwrap(), &tree.unwrap());
    let content = content.set("/units/7/spike_times", 0, &[0.5, 0.5][..]);
    let [(_, file), _] = both(&content, &sorted());
    let trains = file.unwrap().trains;
    assert_eq!((trains.len(), &trains[0].label[..], &trains[0].times[..]), (1, "unit 7", &[0.5, 0.5][..]));
}

#[test]
fn spikes_are_mended_with_one_warning_each() {
    let (nan, infinite) = (f64::NAN, f64::INFINITY);
    let content = small()
        .set("/electrodes/0/spike_times", 0, &[2.0, 1.0, nan, 1.0, 0.5, 3.0][..])
        .set(
            "/electrodes/0/features",
            2,
            &[1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, infinite, 6.0, 6.5][..],
        )
        .set("/electrodes/2/spike_times", 0, &[3.0, 1.0][..])
        .set("/electrodes/2/features", 1, &[1.0, 2.0][..]);
    for (path, found) in both(&content, &SessionChoices::default()) {
        let session = found.unwrap();
        let train = &session.trains[0];
        assert_eq!(train.times[..], [1.0, 1.0, 2.0, 3.0]);
        assert_eq!(train.marks[..], [2.0, 2.5, 4.0, 4.5, 1.0, 1.5, 6.0, 6.5]);
        assert_eq!(session.trains[2].marks[..], [2.0, 1.0]);
        let place = path.display();
        assert_eq!(
            session.warnings,
            [
                format!("{place}: dropped 2 spikes with NaN or infinite time or feature (electrode 0)"),
                format!("{place}: spike times were not in order and were sorted (electrode 0, electrode 2)"),
            ]
        );
        assert_eq!((session.counts.dropped_spikes, session.counts.unsorted_trains), (2, 2));
    }
    let choices = SessionChoices { drop_repeated_spikes: true, ..SessionChoices::default() };
    let [(path, found), _] = both(&content, &choices);
    let session = found.unwrap();
    assert_eq!((&session.trains[0].times[..], session.counts.repeated_spikes), (&[1.0, 2.0, 3.0][..], 1));
    assert_eq!(session.trains[0].marks[..], [2.0, 2.5, 1.0, 1.5, 6.0, 6.5]);
    let wanted = format!("{}: dropped 1 spike at the time of the one before (electrode 0)", path.display());
    assert_eq!(session.warnings[2], wanted);
}

#[test]
fn features_of_sorted_units_do_not_matter() {
    let content = small().set("/electrodes/1/features", 2, &[f64::NAN, 8.0][..]);
    let [(_, session), _] = both(&content, &sorted());
    let session = session.unwrap();
    assert_eq!((session.spikes(), session.warnings.len()), (4, 0));
}

#[test]
fn timestamps_are_fixed_when_asked() {
    let content = small()
        .set("/position/time", 0, &[0.0, 1.0, 1.0, 0.5, f64::NAN, 2.0, 3.0][..])
        .set("/position/data", 2, &[0.0, 0.5, 1.0, 1.5, 9.0, 9.0, 9.0, 9.0, 9.0, 9.0, 2.0, 2.5, 3.0, 3.5][..])
        .set("/position/is_encoding", 0, Value::Bool(vec![true, false, true, true, true, true, false]));
    let choices = SessionChoices { fix_timestamps: true, ..SessionChoices::default() };
    for (path, found) in both(&content, &choices) {
        let session = found.unwrap();
        assert_eq!(session.positions.time, [0.0, 1.0, 2.0, 3.0]);
        assert_eq!(session.positions.data, [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5]);
        assert_eq!(session.positions.is_encoding, Some(vec![true, false, true, false]));
        assert_eq!(session.counts.dropped_positions, 3);
        let wanted = "dropped 3 position samples whose times do not increase (--fix-timestamps)";
        assert_eq!(session.warnings, [format!("{}: {wanted}", path.display())]);
    }
}

#[test]
fn position_weights_are_read_when_asked_for() {
    let weights = |values: &[f64]| small().set("/position/weights", 0, values);
    let choices = SessionChoices { position_weights: true, fix_timestamps: true, ..sorted() };
    let content = weights(&[0.5, 2.0, 0.0, 1.0]).set("/position/time", 0, &[0.0, 1.0, 1.0, 3.0][..]);
    for (_, found) in both(&content, &choices) {
        assert_eq!(found.unwrap().positions.weights, Some(vec![0.5, 2.0, 1.0]));
    }
    let [(_, found), _] = both(&weights(&[1.0; 4]), &sorted());
    assert_eq!(found.unwrap().positions.weights, None);
    for (content, wanted) in [
        (small(), "--position-weights asks for one weight per position sample"),
        (
            weights(&[1.0; 3]),
            "FILE:/position/weights: found 3 samples, expected 4, as many as FILE:/position/time",
        ),
        (
            weights(&[1.0, 1.0, -1.0, 1.0]),
            "FILE:/position/weights, index 2: found -1, expected a weight of 0 or more",
        ),
        (weights(&[1.0, 1.0, 1.0, f64::NAN]), "FILE:/position/weights, index 3: found NaN"),
    ] {
        let text = refusal(&content, &choices);
        assert!(text.contains(wanted), "{text}");
    }
}

#[test]
fn missing_positions_stay_and_are_told() {
    let content = small().set("/position/data", 1, &[0.0, f64::NAN, f64::NEG_INFINITY, 3.0][..]);
    for (path, found) in both(&content, &SessionChoices::default()) {
        let session = found.unwrap();
        assert!(session.positions.data[1].is_nan() && session.positions.data[2].is_nan());
        assert_eq!(session.counts.missing_positions, 2);
        let wanted = "2 of 4 position samples are NaN and do not encode";
        assert_eq!(session.warnings, [format!("{}: {wanted}", path.display())]);
    }
}

#[test]
fn times_of_poor_types_and_other_clocks_are_told() {
    let content = small().set("/position/time", 0, Value::F32(vec![1.0e6, 1.1e6, 1.2e6, 1.3e6])).set(
        "/electrodes/1/spike_times",
        0,
        Value::Uint(Dtype::U32, vec![7]),
    );
    let [(path, found), _] = both(&content, &SessionChoices::default());
    let place = path.display();
    assert_eq!(
        found.unwrap().warnings,
        [
            format!(
                "{place}:/position/time: times are float32 and only exact to 125.0 ms at 1300000 s; \
                 write them as float64"
            ),
            format!("{place}:/electrodes/1/spike_times: times are uint32, taken as seconds"),
            format!(
                "{place}: spikes (0.5 to 7 s) and positions (1000000 to 1300000 s) do not overlap; \
                 are both in seconds of one clock?"
            ),
        ]
    );
}

#[test]
fn empty_electrodes_and_one_feature_without_an_axis_are_fine() {
    let content = small()
        .set("/electrodes/0/spike_times", 0, &[][..])
        .set("/electrodes/0/features", 2, &[][..])
        .set("/electrodes/1/features", 0, &[7.0][..]);
    for (_, found) in both(&content, &SessionChoices::default()) {
        let session = found.unwrap();
        let widths: Vec<_> = session.trains.iter().map(|train| (train.times.len(), train.width)).collect();
        assert_eq!((widths, session.warnings.len()), (vec![(0, 2), (1, 1)], 0));
    }
}

#[test]
fn other_files_say_what_they_lack() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.h5");
    let place = path.display().to_string();
    let message = |content: &Content| {
        content.hdf5(&path);
        read(&path, &SessionChoices::default()).unwrap_err().to_string()
    };
    let plain = Content::default().set("/position/time", 0, &[0.0, 1.0][..]);
    assert_eq!(
        message(&plain),
        format!(
            "{place}: found neither a root attribute layout nor nwb_version, expected NWB, HDF5 of layout \
             decode-inputs-1, or a folder of .npy; if its tree is right, set it: h5py.File(name, \
             'a').attrs['layout'] = 'decode-inputs-1'"
        )
    );
    let newer = plain.attribute("/", "layout", text("decode-inputs-2"));
    assert_eq!(
        message(&newer),
        format!("{place}:/: found layout 'decode-inputs-2', expected 'decode-inputs-1'")
    );
    let array = folder.path().join("a.npy");
    std::fs::write(&array, npy("<f8", &[1], &[0; 8])).unwrap();
    let found = read(&array, &SessionChoices::default()).unwrap_err().to_string();
    assert_eq!(
        found,
        format!(
            "{}: found one array in NPY format, expected NWB, HDF5 of layout decode-inputs-1, or a folder \
             of .npy; give the folder that holds position/time.npy",
            array.display()
        )
    );
    let missing = folder.path().join("none.nwb");
    let error = read(&missing, &SessionChoices::default()).unwrap_err();
    assert_eq!(error.exit_code(), ExitCode::Failed);
    for (flag, choices) in [
        ("--features", SessionChoices { features: vec!["a".into()], ..SessionChoices::default() }),
        (
            "--position-series",
            SessionChoices { position_series: vec!["a".into()], ..SessionChoices::default() },
        ),
    ] {
        small().hdf5(&path);
        let error = read(&path, &choices).unwrap_err();
        assert_eq!(error.exit_code(), ExitCode::Usage);
        assert!(error.to_string().starts_with(&format!("{flag}: only NWB files have several")), "{error}");
    }
}

#[test]
fn what_does_not_fit_in_memory_is_refused_before_it_is_read() {
    let session = read(&fixture("track1d", "inputs.h5"), &SessionChoices::default()).unwrap();
    let limited = |memory| {
        read(&fixture("track1d", "inputs.h5"), &SessionChoices { memory, ..SessionChoices::default() })
    };
    assert!(limited(session.bytes()).is_ok());
    let error = limited(session.bytes() - 1).unwrap_err();
    assert_eq!(error.exit_code(), ExitCode::Failed);
    let place = fixture("track1d", "inputs.h5");
    let wanted = format!("{0}: with {0}:/electrodes/4/features the session takes", place.display());
    assert!(error.to_string().starts_with(&wanted), "{error}");
    let folder = fixture("track1d", "inputs.nwb");
    let error = read(&folder, &SessionChoices { memory: 1000, ..SessionChoices::default() }).unwrap_err();
    assert_eq!(error.exit_code(), ExitCode::Failed);
}

#[test]
fn shapes_that_the_file_cannot_hold_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.h5");
    // A length that stands nowhere else in the file, then made enormous.
    let length = 4093usize;
    let content = small().set("/electrodes/1/spike_times", 0, Value::F64(vec![1.0; length]));
    content.set("/electrodes/1/features", 2, Value::F64(vec![1.0; 2 * length])).hdf5(&path);
    let mut bytes = std::fs::read(&path).unwrap();
    let (old, new) = ((length as u64).to_le_bytes(), (1u64 << 40).to_le_bytes());
    let places: Vec<usize> = (0..bytes.len() - 8).filter(|&at| bytes[at..at + 8] == old).collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at..at + 8].copy_from_slice(&new);
    }
    std::fs::write(&path, &bytes).unwrap();
    let error = read(&path, &SessionChoices::default()).unwrap_err();
    assert_eq!(error.exit_code(), ExitCode::BadData, "{error}");
    let tree = folder.path().join("tree");
    small().folder(&tree);
    let file = tree.join("electrodes/0/spike_times.npy");
    std::fs::write(&file, npy("<f8", &[1 << 60], &[0; 24])).unwrap();
    let error = read(&tree, &SessionChoices::default()).unwrap_err();
    assert_eq!(error.exit_code(), ExitCode::BadData, "{error}");
    assert!(error.to_string().starts_with(&file.display().to_string()), "{error}");
}

#[test]
fn damaged_files_are_refused_and_never_more() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.h5");
    small().hdf5(&path);
    never_panics(&path);
    let tree = folder.path().join("tree");
    small().folder(&tree);
    let file = tree.join("electrodes/0/features.npy");
    let sound = std::fs::read(&file).unwrap();
    for at in 0..sound.len() {
        let mut bytes = sound.clone();
        bytes[at] ^= 0xff;
        std::fs::write(&file, &bytes).unwrap();
        let _ = read(&tree, &SessionChoices::default());
    }
    // An empty first axis lets the others claim anything.
    std::fs::write(tree.join("electrodes/0/spike_times.npy"), npy("<f8", &[0], &[])).unwrap();
    std::fs::write(&file, npy("<f8", &[0, 1 << 62], &[])).unwrap();
    let message = read(&tree, &SessionChoices::default()).unwrap_err().to_string();
    assert!(message.contains("rows of 4611686018427387904 features for electrode 0"), "{message}");
    std::fs::write(&file, npy("<f8", &[0, 1 << 62, 1 << 62], &[])).unwrap();
    assert!(read(&tree, &SessionChoices::default()).is_err());
}
