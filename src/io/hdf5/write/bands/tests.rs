use super::*;
use crate::array::Dtype;

fn bands(shape: &[u64], chunks: Option<&[u64]>, deflate: Option<u32>) -> Bands {
    let chunks = chunks.map(<[u64]>::to_vec);
    let spec = DatasetSpec {
        path: "a".into(),
        shape: shape.to_vec(),
        dtype: Dtype::F64,
        chunks,
        deflate,
        fill: None,
    };
    Bands::new(&spec).unwrap()
}

#[test]
fn bands_stay_small_whatever_the_shape() {
    for (shape, chunks) in [
        (vec![100_000, 100_000], Some(vec![512, 512])),
        (vec![1000, 4000, 4000], Some(vec![100, 64, 64])),
        (vec![3, 100_000, 100_000], None),
        (vec![1 << 40], None),
        (vec![2, 1 << 40], Some(vec![2, 1 << 40])),
    ] {
        let made = bands(&shape, chunks.as_deref(), None);
        assert!(made.band_bytes() as u64 <= MOST, "{shape:?} {:?}", made.tile);
        assert!(made.tile[..made.axis].iter().all(|&n| n == 1), "{shape:?} {:?}", made.tile);
    }
    assert_eq!(bands(&[2000, 2000], Some(&[256, 200]), None).tile, [256, 200]);
}

#[test]
fn compression_without_a_chunk_shape_gets_a_usual_one() {
    assert_eq!(bands(&[2000, 2000], None, Some(4)).tile, [256, 256]);
    assert_eq!(bands(&[5, 2000, 2000], None, Some(4)).tile, [1, 256, 256]);
    assert_eq!(bands(&[1 << 20, 2], None, Some(4)).tile, [32_768, 2]);
    assert_eq!(bands(&[1 << 20], None, Some(4)).tile, [65_536]);
    assert!(bands(&[0, 5], Some(&[1, 5]), Some(4)).chunks().is_none());
}
