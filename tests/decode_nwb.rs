//! Reading NWB: columns of the units table, SpatialSeries, and what is wrong with them (spec decode
//! 6.2, 11).
#![cfg(feature = "hdf5")]

#[path = "common/python.rs"]
mod python;

mod decode_session;

use decode_session::{Content, Value, assert_same, both, never_panics, read, small, sorted, text};
use nissl::array::Dtype;
use nissl::commands::decode::session::{Session, SessionChoices};
use nissl::error::ExitCode;
use nissl::io::AttributeValue;

/// A small NWB file: two rows with 3 and 1 spikes, features (spikes, 2).
fn small_nwb() -> Content {
    let series = "/processing/behavior/Position/place";
    Content::default()
        .attribute("/", "nwb_version", text("2.7.0"))
        .attribute(series, "neurodata_type", text("SpatialSeries"))
        .attribute(&format!("{series}/data"), "unit", text("cm"))
        .set(&format!("{series}/data"), 0, &[0.0, 10.0, 20.0, 30.0][..])
        .set(&format!("{series}/timestamps"), 0, &[0.0, 1.0, 2.0, 3.0][..])
        .set("/units/spike_times", 0, &[0.5, 1.5, 2.5, 0.25][..])
        .set("/units/spike_times_index", 0, Value::Uint(Dtype::U8, vec![3, 4]))
        .set("/units/waveform_features", 2, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0][..])
        .set("/units/waveform_features_index", 0, Value::Uint(Dtype::U16, vec![3, 4]))
}

fn nwb(content: &Content, choices: &SessionChoices) -> Result<Session, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.nwb");
    // The writer knows formats by their extension.
    let written = folder.path().join("a.h5");
    content.hdf5(&written);
    std::fs::rename(&written, &path).unwrap();
    read(&path, choices).map_err(|error| {
        assert_eq!(error.exit_code(), ExitCode::BadData, "{error}");
        let text = error.to_string();
        assert_eq!(text.lines().count(), 1);
        text.replace(&path.display().to_string(), "FILE")
    })
}

fn same_as_small(session: &Session) {
    let [(_, wanted), _] = both(&small(), &SessionChoices::default());
    assert_same(session, &wanted.unwrap());
}

#[test]
fn index_columns_of_every_width_and_both_ragged_forms_are_read() {
    for dtype in [Dtype::U8, Dtype::U16, Dtype::U32, Dtype::U64, Dtype::I64] {
        let content = small_nwb().set("/units/spike_times_index", 0, Value::Uint(dtype, vec![3, 4])).set(
            "/units/waveform_features_index",
            0,
            Value::Uint(dtype, vec![3, 4]),
        );
        same_as_small(&nwb(&content, &SessionChoices::default()).unwrap());
        let content = small_nwb()
            .set("/units/waveform_features", 0, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0][..])
            .set("/units/waveform_features_index", 0, Value::Uint(dtype, vec![2, 4, 6, 8]))
            .set("/units/waveform_features_index_index", 0, Value::Uint(dtype, vec![3, 4]));
        same_as_small(&nwb(&content, &SessionChoices::default()).unwrap());
    }
}

#[test]
fn feature_columns_stand_side_by_side_in_the_order_asked_for() {
    let index = |ends: &[u64]| Value::Uint(Dtype::U32, ends.to_vec());
    // Rows of 2, 0, 1, 0 spikes; one column flat, one (spikes, 2), one doubly ragged of widths 1 and 3.
    let content = small_nwb()
        .without("/units")
        .set("/units/spike_times", 0, &[1.0, 2.0, 1.5][..])
        .set("/units/spike_times_index", 0, index(&[2, 2, 3, 3]))
        .set("/units/peak", 0, &[10.0, 20.0, 30.0][..])
        .set("/units/peak_index", 0, index(&[2, 2, 3, 3]))
        .set("/units/spot", 2, Value::F32(vec![1.0, 1.5, 2.0, 2.5, 3.0, 3.5]))
        .set("/units/spot_index", 0, index(&[2, 2, 3, 3]))
        .set("/units/shape", 0, &[5.0, 6.0, 7.0, 8.0, 9.0][..])
        .set("/units/shape_index", 0, index(&[1, 2, 5]))
        .set("/units/shape_index_index", 0, index(&[2, 2, 3, 3]));
    let choose = |names: &[&str]| SessionChoices {
        features: names.iter().map(|name| (*name).to_owned()).collect(),
        ..SessionChoices::default()
    };
    let session = nwb(&content, &choose(&["spot", "shape", "peak"])).unwrap();
    assert_eq!(session.trains[0].marks[..], [1.0, 1.5, 5.0, 10.0, 2.0, 2.5, 6.0, 20.0]);
    assert_eq!(session.trains[2].marks[..], [3.0, 3.5, 7.0, 8.0, 9.0, 30.0]);
    let facts: Vec<_> = session.trains.iter().map(|train| (train.width, train.times.len())).collect();
    assert_eq!(facts, [(4, 2), (4, 0), (6, 1), (4, 0)]);
    assert_eq!(nwb(&content, &choose(&["peak"])).unwrap().trains[2].marks[..], [30.0]);
    let message = nwb(&content, &SessionChoices::default()).unwrap_err();
    assert_eq!(
        message,
        "FILE:/units: found several columns of values for each spike: peak, shape, spot, expected one \
         column of features; name those to use: --features NAME[,...]"
    );
    let message = nwb(&content, &choose(&["peaks"])).unwrap_err();
    assert_eq!(
        message,
        "FILE:/units/peaks: found no such dataset, expected numbers; check the name of the column \
         (--features)"
    );
    let alone = content.without("/units/spot").without("/units/shape");
    assert_eq!(nwb(&alone, &SessionChoices::default()).unwrap().trains[0].marks[..], [10.0, 20.0]);
    let bare = alone.without("/units/peak");
    let message = nwb(&bare, &SessionChoices::default()).unwrap_err();
    assert_eq!(
        message,
        "FILE:/units: found no column of values for each spike, expected features of spikes; name columns \
         with --features, or decode sorted units: --likelihood sorted"
    );
    assert_eq!(nwb(&bare, &sorted()).unwrap().trains.len(), 4);
}

#[test]
fn series_have_a_conversion_and_perhaps_a_rate() {
    let series = "/processing/behavior/Position/place";
    let float = |value: f64| AttributeValue::Float(vec![value], Dtype::F64);
    let content = small_nwb()
        .attribute(&format!("{series}/data"), "conversion", float(0.5))
        .attribute(&format!("{series}/data"), "offset", float(-1.0))
        .without(&format!("{series}/timestamps"))
        .set(&format!("{series}/starting_time"), 0, &[100.0][..])
        .attribute(&format!("{series}/starting_time"), "rate", float(4.0));
    let session = nwb(&content, &SessionChoices::default()).unwrap();
    assert_eq!(session.positions.data, [-1.0, 4.0, 9.0, 14.0]);
    assert_eq!(session.positions.time, [100.0, 100.25, 100.5, 100.75]);
    let message = |content: &Content| nwb(content, &SessionChoices::default()).unwrap_err();
    assert_eq!(
        message(&small_nwb().without(&format!("{series}/timestamps"))),
        "FILE:/processing/behavior/Position/place: found neither timestamps nor starting_time, expected \
         times; a SpatialSeries has timestamps, or starting_time with its rate"
    );
    let content = small_nwb().without(&format!("{series}/timestamps")).set(
        &format!("{series}/starting_time"),
        0,
        &[100.0][..],
    );
    assert_eq!(
        message(&content),
        "FILE:/processing/behavior/Position/place/starting_time: found no attribute rate, expected a \
         positive number of hertz; a SpatialSeries has timestamps, or starting_time with its rate"
    );
}

#[test]
fn series_are_chosen_by_name() {
    let other = "/processing/behavior/Later/place";
    let head = "/processing/behavior/Direction/head";
    let content = small_nwb()
        .attribute(other, "neurodata_type", text("SpatialSeries"))
        .attribute(&format!("{other}/data"), "unit", text("cm"))
        .set(&format!("{other}/data"), 0, &[5.0, 6.0][..])
        .set(&format!("{other}/timestamps"), 0, &[9.0, 10.0][..])
        .attribute(head, "neurodata_type", text("SpatialSeries"))
        .set(&format!("{head}/data"), 0, &[1.0; 3][..])
        .set(&format!("{head}/timestamps"), 0, &[0.0, 1.0, 2.0][..]);
    let choose = |names: &[&str]| SessionChoices {
        position_series: names.iter().map(|name| (*name).to_owned()).collect(),
        ..SessionChoices::default()
    };
    let message = |names: &[&str]| nwb(&content, &choose(names)).unwrap_err();
    let all = "/processing/behavior/Direction/head, /processing/behavior/Later/place, \
               /processing/behavior/Position/place";
    assert_eq!(
        message(&[]),
        format!(
            "FILE:/processing/behavior: found several SpatialSeries: {all}, expected one position; name \
             one: --position-series NAME"
        )
    );
    assert_eq!(
        message(&["place"]),
        "FILE:/processing/behavior: found several SpatialSeries named place: \
         /processing/behavior/Later/place, /processing/behavior/Position/place, expected one of this name; \
         name it with its container: --position-series CONTAINER/NAME"
    );
    assert_eq!(
        message(&["nose"]),
        format!(
            "FILE:/processing/behavior: found no SpatialSeries named nose, but {all}, expected one of \
             this name; check --position-series"
        )
    );
    assert_eq!(nwb(&content, &choose(&["head"])).unwrap().positions.data, [1.0; 3]);
    assert_eq!(nwb(&content, &choose(&[other])).unwrap().positions.time, [9.0, 10.0]);
    // Epochs of tracking follow each other.
    let both = nwb(&content, &choose(&["Position/place", "Later/place"])).unwrap();
    assert_eq!(both.positions.time, [0.0, 1.0, 2.0, 3.0, 9.0, 10.0]);
    assert_eq!(both.positions.data, [0.0, 10.0, 20.0, 30.0, 5.0, 6.0]);
    assert_eq!(
        message(&["Later/place", "Position/place"]),
        "FILE:/processing/behavior/Position/place, index 2: found 0 s after 10 s, expected finite and \
         increasing times; --fix-timestamps keeps the first of such samples"
    );
    assert_eq!(
        message(&["Later/place", "head"]),
        "FILE:/processing/behavior/Direction/head: found 1 axes in no unit, expected 1 axes in cm as in \
         the series before"
    );
    let elsewhere = Content::default()
        .attribute("/", "nwb_version", text("2.7.0"))
        .attribute("/acquisition/place", "neurodata_type", text("SpatialSeries"))
        .set("/acquisition/place/data", 0, &[1.0][..]);
    assert_eq!(
        nwb(&elsewhere, &choose(&[])).unwrap_err(),
        "FILE:/processing/behavior: found no SpatialSeries, expected the animal's position; name one that \
         lies elsewhere, --position-series PATH: /acquisition/place"
    );
}

#[test]
fn nwb_faults_are_named() {
    let index = |ends: &[u64]| Value::Uint(Dtype::U8, ends.to_vec());
    let values = &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0][..];
    let ragged = small_nwb().set("/units/waveform_features", 0, values).set(
        "/units/waveform_features_index_index",
        0,
        index(&[3, 4]),
    );
    let cases: Vec<(Content, &str)> = vec![
        (
            small_nwb().set("/units/spike_times_index", 0, index(&[3, 5])),
            "FILE:/units/spike_times_index, index 1: found 5, expected at most 4 values",
        ),
        (
            small_nwb().set("/units/spike_times_index", 0, index(&[3, 2])),
            "FILE:/units/spike_times_index, index 1: found 2, expected 3 or more: ends of rows do not decrease",
        ),
        (
            small_nwb().set("/units/spike_times_index", 0, &[3.0, 4.0][..]),
            "FILE:/units/spike_times_index: found elements of type float64, expected unsigned integers",
        ),
        (
            small_nwb().without("/units/spike_times_index"),
            "FILE:/units/spike_times_index: found no such dataset, expected numbers; an index column holds \
             the end of each row",
        ),
        (
            small_nwb().without("/units"),
            "FILE:/units/spike_times: found no such dataset, expected numbers; decoding needs the units \
             table of an NWB file, one row an electrode",
        ),
        (
            small_nwb().set("/units/waveform_features_index", 0, index(&[2, 4])),
            "FILE:/units/waveform_features: found 2 rows for electrode 0, expected 3, one per spike time",
        ),
        (
            small_nwb().set("/units/waveform_features_index", 0, index(&[3, 3])),
            "FILE:/units/waveform_features: found 0 rows for electrode 1, expected 1, one per spike time",
        ),
        (
            small_nwb().set("/units/waveform_features_index", 0, index(&[4])),
            "FILE:/units/waveform_features: found features for 1 rows, expected 2, the rows of spike_times",
        ),
        (
            ragged.clone().set("/units/waveform_features_index", 0, index(&[2, 5, 6, 8])),
            "FILE:/units/waveform_features_index, index 1: found 3 features for a spike of electrode 0, \
             expected 2, as before",
        ),
        (
            ragged.clone().set("/units/waveform_features_index", 0, index(&[2, 4, 6, 6])),
            "FILE:/units/waveform_features_index, index 3: found 0 features for a spike of electrode 1, \
             expected at least one",
        ),
        (
            ragged.clone().set("/units/waveform_features_index", 0, index(&[2, 4, 6, 9])),
            "FILE:/units/waveform_features_index, index 3: found 9, expected at most 8 values",
        ),
        (
            ragged.set("/units/waveform_features_index", 0, index(&[2, 4, 6, 8])).set(
                "/units/waveform_features_index_index",
                0,
                index(&[2, 4]),
            ),
            "FILE:/units/waveform_features: found 2 rows for electrode 0, expected 3, one per spike time",
        ),
        (
            small_nwb().set("/units/waveform_features", 0, Value::Text(vec!["a"; 4])),
            "FILE:/units/waveform_features: found elements of type text, expected numbers; write it anew as \
             float64",
        ),
    ];
    for (content, wanted) in cases {
        assert_eq!(nwb(&content, &SessionChoices::default()).unwrap_err(), wanted);
    }
    let content = small_nwb().set("/units/spike_times_index", 0, index(&[2, 3]));
    let session = nwb(&content, &sorted()).unwrap();
    assert_eq!(session.trains[1].times[..], [2.5]);
    assert!(
        session.warnings[0].ends_with("spike_times_index: the last 1 of 4 values are in no row"),
        "{:?}",
        session.warnings
    );
}

#[test]
fn damaged_files_are_refused_and_never_more() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.h5");
    small_nwb().hdf5(&path);
    never_panics(&path);
}

/// As pynwb writes: shared timestamps as a soft link, chunks, big-endian and packed columns.
#[test]
fn links_chunks_and_byte_orders_of_h5py_are_read() {
    let script = r#"
import h5py, numpy as np, sys
f = h5py.File(sys.argv[1], 'w')
f.attrs['nwb_version'] = '2.7.0'
p = f.create_group('processing/behavior/Position/place')
p.attrs['neurodata_type'] = 'SpatialSeries'
p.create_dataset('data', data=np.arange(4.0).astype('>f4')[:, None] * 10, chunks=(3, 1), compression='gzip')
p['data'].attrs['unit'] = 'cm'
p['data'].attrs['conversion'] = np.float64(1)
f['acquisition/clock/timestamps'] = np.arange(4.0)
p['timestamps'] = h5py.SoftLink('/acquisition/clock/timestamps')
u = f.create_group('units')
u.create_dataset('spike_times', data=np.array([0.5, 1.5, 2.5, 0.25], '>f8'), chunks=(3,), shuffle=True,
                 compression='lzf', maxshape=(None,))
u['spike_times_index'] = np.array([3, 4], 'u1')
u.create_dataset('waveform_features', data=np.arange(1, 9, dtype='i2'), chunks=(3,), compression='gzip')
u.create_dataset('waveform_features_index', data=np.array([2, 4, 6, 8], '>u2'), chunks=(3,))
u['waveform_features_index_index'] = np.array([3, 4], '>u8')
u['never_index'] = u['spike_times_index']
u.create_dataset('never', shape=(1 << 42,), chunks=(1 << 16,), dtype='f8')
f.close()
"#;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.nwb");
    if python::python("links_chunks_and_byte_orders_of_h5py_are_read", script, &[&path]).is_none() {
        return;
    }
    same_as_small(&read(&path, &SessionChoices::default()).unwrap());
    // A length without any data behind it.
    let choices = SessionChoices { features: vec!["never".into()], ..SessionChoices::default() };
    let message = read(&path, &choices).unwrap_err().to_string();
    assert!(message.contains("found shape [4398046511104] of float64, expected what a file of"), "{message}");
}
