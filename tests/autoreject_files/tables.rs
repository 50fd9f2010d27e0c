//! BIDS tables and montages beside an array, and units.

use crate::made::{Tables, all_of, open, opened, refused, value};
use nissl::commands::autoreject::channels::ChannelKind;
use nissl::commands::autoreject::options::ChannelSources;
use nissl::error::Error;

#[test]
fn bids_tables_name_type_mark_and_place_channels() {
    let tables = Tables::new([3, 4, 10]);
    let sources = ChannelSources {
        channels: tables.with(
            "sub-01_channels.tsv",
            "status\tname\ttype\tunits\ngood\tFp1\tEEG\tV\nbad\tFp2\tEEG\tV\nn/a\tCz\tEEG\tV\ngood\tVEOG\tVEOG\tV\n",
        ),
        electrodes: tables
            .with("sub-01_electrodes.tsv", "name\tz\ty\tx\nCz\t93\t1\t2\nFp1\t4\t5.5\t-6\nVEOG\tn/a\tn/a\tn/a\n"),
        sfreq: Some(250.0),
        ..ChannelSources::default()
    };
    tables.with("sub-01_coordsystem.json", r#"{"EEGCoordinateUnits": "mm"}"#);
    let (recording, warnings) = opened(&tables.at("e.npy"), &sources);
    let recording = recording.unwrap();
    let list = recording.list();
    assert_eq!(list.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["Fp1", "Fp2", "Cz", "VEOG"]);
    assert_eq!(list.iter().map(|c| c.bad).collect::<Vec<_>>(), [false, true, false, false]);
    assert_eq!((list[3].kind, list[3].position, list[1].position), (ChannelKind::Eog, None, None));
    let place = list[0].position.unwrap();
    let expected = [-0.006, 0.0055, 0.004];
    assert!(place.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-15), "{place:?}");
    assert_eq!((recording.picks(), recording.sfreq()), (&[0, 2][..], Some(250.0)));
    assert_eq!(warnings, Vec::<String>::new());

    tables.with("sub-01_coordsystem.json", r#"{"EEGCoordinateUnits": "inch"}"#);
    assert_eq!(
        tables.refused(&sources),
        "sub-01_coordsystem.json, EEGCoordinateUnits: found 'inch', expected m, cm or mm"
    );
    std::fs::remove_file(tables.at("sub-01_coordsystem.json")).unwrap();
    assert_eq!(
        tables.refused(&sources),
        "sub-01_electrodes.tsv: found a coordinate of 93 m, expected positions on a head; \
         state EEGCoordinateUnits (mm, cm or m) in a coordsystem.json beside it"
    );
    let picked = ChannelSources {
        picks: vec!["Fp2".into(), "VEOG".into()],
        bads: vec!["VEOG".into()],
        electrodes: None,
        ..sources
    };
    assert_eq!(open(&tables.at("e.npy"), &picked).picks(), [1, 3]);
}

#[test]
fn tables_that_do_not_fit_are_refused_by_name() {
    let tables = Tables::new([3, 2, 10]);
    let with = |name: &str, text: &str| ChannelSources {
        channels: tables.with(name, text),
        ..ChannelSources::default()
    };
    assert_eq!(
        tables.refused(&with("c.tsv", "name\ttype\nFp1\tEEG\n")),
        "c.tsv: found 1 channels, expected the 2 of e.npy; one row per channel, in their order"
    );
    assert_eq!(
        tables.refused(&with("c.tsv", "name\ttype\nFp1\tEEG\nFp1\tEEG\n")),
        "e.npy: found 'Fp1' for the channels 0 and 1, expected a name of its own for each channel; rename one"
    );
    assert_eq!(
        tables.refused(&with("c.tsv", "label\ttype\nFp1\tEEG\nFp2\tEEG\n")),
        "c.tsv: found columns label, type, expected a column 'name'; name it in the first line"
    );
    let electrodes = ChannelSources {
        electrodes: tables.with("e.tsv", "name\tx\ty\tz\nFp1\t0\t0\t0\n"),
        ..ChannelSources::default()
    };
    assert_eq!(
        tables.refused(&electrodes),
        "e.tsv: found 1 electrodes for the 2 channels of e.npy, expected one row per channel, in their \
         order; name all channels with --channels"
    );
    let strangers = ChannelSources {
        channels: tables.with("c.tsv", "name\nA\nB\n"),
        electrodes: tables.with("e.tsv", "name\tx\ty\tz\nFp1\t0\t0\t0\n"),
        ..ChannelSources::default()
    };
    assert_eq!(
        tables.refused(&strangers),
        "e.tsv: found no row of any channel, expected names of the channels of e.npy"
    );
    let missing = ChannelSources { channels: Some(tables.at("absent.tsv")), ..ChannelSources::default() };
    assert_eq!(
        tables.refused(&missing),
        "absent.tsv: cannot open: no such file or directory; check the path"
    );
    let montage = ChannelSources { montage: Some("biosemi16".into()), ..with("c.tsv", "name\nA\nB\n") };
    assert_eq!(
        tables.refused(&montage),
        "e.npy: found EEG channels A, B, none of which is in the montage biosemi16, expected names of its \
         electrodes; give another --montage, --electrodes, or names with --channels"
    );
    let one = ChannelSources { montage: Some("standard_1020".into()), ..with("c.tsv", "name\ncz\nB\n") };
    let (recording, warnings) = opened(&tables.at("e.npy"), &one);
    let recording = recording.unwrap();
    assert_eq!(recording.list()[0].position.unwrap()[2], 0.14019949417439556);
    assert_eq!(recording.list()[1].position, None);
    assert!(warnings.iter().any(|w| w.ends_with("no position from it: B")), "{warnings:?}");
    let pick = ChannelSources { picks: vec!["Pz".into()], ..with("c.tsv", "name\nP2\nCz\n") };
    let error = refused(&tables.at("e.npy"), &pick);
    assert!(matches!(error, Error::Usage(_)));
    assert_eq!(error.to_string(), "--picks Pz: no channel and no type of this name; near it: P2, Cz");
}

#[test]
fn an_array_alone_gets_names_and_a_warning() {
    let tables = Tables::new([3, 2, 10]);
    let (recording, warnings) = opened(&tables.at("e.npy"), &ChannelSources::default());
    let recording = recording.unwrap();
    assert_eq!((recording.list()[1].name.as_str(), recording.list()[1].position), ("EEG002", None));
    assert!(warnings[0].contains("channels are called EEG001, EEG002"), "{warnings:?}");
    assert_eq!((recording.sfreq(), recording.picks()), (None, &[0, 1][..]));
    let montage = ChannelSources { montage: Some("biosemi16".into()), ..ChannelSources::default() };
    assert_eq!(
        tables.refused(&montage),
        "e.npy: found 2 channels without names, expected names, or the 16 channels of the montage; \
         give --channels"
    );
}

#[test]
fn units_scale_voltages_and_are_warned_about() {
    let tables = Tables::new([3, 2, 10]);
    let sources = ChannelSources {
        channels: tables.with("c.tsv", "name\ttype\nCz\tEEG\nM1\tMEGMAG\n"),
        unit: 1e-6,
        ..ChannelSources::default()
    };
    let recording = open(&tables.at("e.npy"), &sources);
    let out = all_of(&recording, &[0, 1]);
    assert_eq!((out[1], out[11]), (value(1) * 1e-6, value(11)));
    assert_eq!((recording.unit(), recording.scale(0), recording.scale(1)), (1e-6, 1e-6, 1.0));
    assert_eq!(recording.unit_warning(0.01), None);
    let warning = recording.unit_warning(0.02).unwrap();
    assert!(warning.ends_with("over 10 mV; data in microvolts need --unit uV"), "{warning}");
    let zero = ChannelSources { unit: 0.0, ..ChannelSources::default() };
    assert!(matches!(refused(&tables.at("e.npy"), &zero), Error::Usage(_)));
}
