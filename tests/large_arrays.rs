//! Large arrays take the short ways: straight to the disk when written last, mapped when read.

use nissl::array::Dtype;
use nissl::io::{self, Block, DatasetSpec};
use std::path::Path;

/// 40 MiB of float64, past the size from which the page cache is left out.
const SHAPE: [u64; 3] = [80, 64, 1024];

fn values() -> Vec<f64> {
    (0..SHAPE.iter().product::<u64>()).map(|i| (i % 1_000_003) as f64).collect()
}

fn spec(path: &str) -> DatasetSpec {
    let path = path.into();
    DatasetSpec { path, shape: SHAPE.to_vec(), dtype: Dtype::F64, chunks: None, deflate: None, fill: None }
}

/// Writes the values in pieces that end nowhere in particular; `last` tells the writer so.
fn write(path: &Path, last: bool) {
    let bytes: Vec<u8> = values().iter().flat_map(|v| v.to_le_bytes()).collect();
    let mut writer = io::create(path).unwrap();
    let id = writer.create(&spec("/epochs/data")).unwrap();
    if path.extension().is_some_and(|e| e == "h5") {
        writer.create_text("/epochs/note", &[], &[b"beside".to_vec()]).unwrap();
    }
    if last {
        writer.only(id).unwrap();
    }
    bytes.chunks(5_000_001).for_each(|part| writer.append(id, part).unwrap());
    writer.finish().unwrap();
}

#[test]
fn an_array_written_last_gives_the_same_file_and_is_lent_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let forms: &[(&str, &str)] =
        if cfg!(feature = "hdf5") { &[("h5", "/epochs/data"), ("npy", "")] } else { &[("npy", "")] };
    for (form, dataset) in forms {
        let paths = ["first", "last"].map(|name| folder.path().join(format!("{name}.{form}")));
        write(&paths[0], false);
        write(&paths[1], true);
        assert!(std::fs::read(&paths[0]).unwrap() == std::fs::read(&paths[1]).unwrap(), "{form}");
        let dataset = io::open(&paths[1]).unwrap().dataset(dataset).unwrap();
        let lent = dataset.lend().unwrap().expect("a contiguous array is lent");
        assert!(lent.bring(0..4096));
        assert!(lent.values() == values(), "{form}");
        let block = Block { start: vec![79, 63, 1000], count: vec![1, 1, 24] };
        let mut bytes = vec![0; 24 * 8];
        dataset.read_block(&block, &mut bytes).unwrap();
        assert_eq!(bytes[23 * 8..], lent.values().last().unwrap().to_le_bytes(), "{form}");
    }
}

#[test]
fn an_array_that_stays_short_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    for form in if cfg!(feature = "hdf5") { vec!["h5", "npy"] } else { vec!["npy"] } {
        let path = folder.path().join(format!("short.{form}"));
        let mut writer = io::create(&path).unwrap();
        let id = writer.create(&spec("/a")).unwrap();
        writer.only(id).unwrap();
        writer.append(id, &[0; 6 << 20]).unwrap();
        assert!(writer.append(id, &vec![0; 40 << 20]).is_err(), "more than was promised");
        assert!(writer.finish().is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
