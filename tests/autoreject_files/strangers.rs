//! Inputs that are no epochs.

use crate::made::{open, refused, write_npy};
use nissl::array::Dtype;
use nissl::commands::autoreject::options::ChannelSources;
use nissl::io::{self, DatasetSpec};

#[test]
fn inputs_that_are_no_epochs_are_refused_with_advice() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let plain = ChannelSources::default();
    let message = |name: &str| {
        refused(&at(name), &plain).to_string().replace(&format!("{}/", folder.path().display()), "")
    };
    std::fs::write(at("sub-01-epo.fif"), b"x").unwrap();
    let fif = message("sub-01-epo.fif");
    assert!(
        fif.starts_with(
            "sub-01-epo.fif: found a FIF file, expected HDF5, NPY or NPZ; convert it: python -c \"import mne"
        ),
        "{fif}"
    );
    assert!(message("absent.fif").ends_with("no such file or directory; check the path"));
    write_npy(&at("two.npy"), "<f8", false, &[2, 3], &[0; 48]);
    assert_eq!(
        message("two.npy"),
        "two.npy: found 2 axes, shape [2, 3], expected 3 axes [epoch, channel, sample], none of them empty; \
         name another dataset, or reshape it"
    );
    write_npy(&at("none.npy"), "<f8", false, &[0, 3, 5], &[]);
    assert_eq!(
        message("none.npy"),
        "none.npy: found shape [0, 3, 5], expected 3 axes [epoch, channel, sample], none of them empty; \
         name another dataset"
    );
    write_npy(&at("complex.npy"), "<c16", false, &[1, 1, 1], &[0; 16]);
    assert_eq!(
        message("complex.npy"),
        "complex.npy: found elements of type complex ('<c16'), expected numbers; \
         save the epochs as float64 or float32"
    );
    write_npy(&at("text.npy"), "<U1", false, &[1, 1, 1], &[65, 0, 0, 0]);
    assert!(message("text.npy").starts_with("text.npy: found elements of type text, expected numbers"));
    let mut writer = io::create(&at("several.h5")).unwrap();
    for path in ["/a", "/g/b", "/c"] {
        let shape = if path == "/c" { vec![4] } else { vec![1, 2, 2] };
        let spec = DatasetSpec {
            path: path.into(),
            shape,
            dtype: Dtype::F64,
            chunks: None,
            deflate: None,
            fill: None,
        };
        let id = writer.create(&spec).unwrap();
        writer.append(id, &[0; 32]).unwrap();
    }
    writer.create_text("/g/ch_names", &[2], &[b"Cz".to_vec(), b"Pz".to_vec()]).unwrap();
    writer.create_text("/ch_names", &[3], &[b"Cz".to_vec(), b"Pz".to_vec(), b"Oz".to_vec()]).unwrap();
    writer.finish().unwrap();
    assert_eq!(
        message("several.h5"),
        "several.h5: found several arrays of 3 axes: /a [1, 2, 2], /g/b [1, 2, 2], expected one array of \
         epochs; name it: several.h5:PATH"
    );
    assert_eq!(
        message("several.h5:/a"),
        "several.h5:/ch_names: found 3 values, expected 2, one per channel; write it anew"
    );
    let named = open(&at("several.h5:/g/b"), &plain);
    assert_eq!((named.list()[1].name.as_str(), named.place().ends_with("several.h5:/g/b")), ("Pz", true));
    assert_eq!(
        message("several.h5:/c"),
        "several.h5:/c: found 1 axes, shape [4], expected 3 axes [epoch, channel, sample], none of them \
         empty; name another dataset, or reshape it"
    );
}
