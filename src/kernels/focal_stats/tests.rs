use super::*;
use crate::kernels::focal::{KernelType, Weights};
use crate::kernels::window::Boundary;
use proptest::prelude::*;

fn mask_of(values: Vec<f64>, rows: usize, cols: usize) -> Mask {
    Mask::from_weights(&Weights { values, rows, cols, kind: KernelType::F64 }).unwrap()
}

fn boundary() -> impl Strategy<Value = Boundary> {
    prop_oneof![
        Just(Boundary::Nan),
        Just(Boundary::Nearest),
        Just(Boundary::Reflect),
        Just(Boundary::Wrap),
        Just(Boundary::Reflect101),
        Just(Boundary::Constant(2.0)),
        Just(Boundary::Constant(f64::NAN)),
    ]
}

fn cell() -> impl Strategy<Value = f64> {
    prop_oneof![
        8 => -1e3..1e3f64,
        6 => (-2..4i32).prop_map(f64::from),
        2 => Just(f64::NAN),
        1 => prop_oneof![Just(f64::INFINITY), Just(f64::NEG_INFINITY), Just(-0.0), Just(1e-310), Just(1e300)],
    ]
}

fn mask() -> impl Strategy<Value = Mask> {
    (0usize..4, 0usize..5).prop_flat_map(|(h, w)| {
        let (h, w) = (2 * h + 1, 2 * w + 1);
        prop::collection::vec(prop::bool::weighted(0.6), h * w).prop_map(move |ones| {
            let weights: Vec<f64> = ones.iter().map(|&one| f64::from(u8::from(one))).collect();
            mask_of(weights, h, w)
        })
    })
}

/// Layers of a plane computed in strips of `cut` rows with dirty output and scratch.
fn by_strips<T: Real>(stats: &FocalStats, window: &Window<'_, T>, cut: usize) -> Vec<Vec<T>> {
    let (height, width) = (window.height, window.width);
    let mut layers = vec![vec![T::round_from(77.0); height * width]; stats.statistics.len()];
    let mut scratch = Scratch::default();
    for start in (0..height).step_by(cut) {
        let end = height.min(start + cut);
        let mut parts: Vec<&mut [T]> =
            layers.iter_mut().map(|layer| &mut layer[start * width..end * width]).collect();
        stats.rows(window, start..end, &mut parts, &mut scratch);
    }
    layers
}

fn agrees<T: Real>(
    values: &[f64],
    shape: (usize, usize),
    boundary: Boundary,
    stats: &FocalStats,
    cut: usize,
) -> Result<(), TestCaseError> {
    let values: Vec<T> = values.iter().map(|&v| T::round_from(v)).collect();
    let window = Window::whole(&values, shape.0, shape.1, boundary);
    let layers = by_strips(stats, &window, cut);
    for (layer, statistic) in layers.iter().zip(&stats.statistics) {
        let expected = scalar::plane(&values, shape, boundary, &stats.mask, *statistic);
        for (at, (g, e)) in layer.iter().zip(&expected).enumerate() {
            let same = g == e || (g.widen().is_nan() && e.widen().is_nan());
            prop_assert!(
                same,
                "{statistic:?} {:?} cell {at} of {shape:?}: got {g:?}, expected {e:?}",
                stats.level
            );
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn every_level_and_strip_is_the_definition(
        (height, width, values) in (1usize..9, 1usize..41).prop_flat_map(|(h, w)| {
            (Just(h), Just(w), prop::collection::vec(cell(), h * w))
        }),
        boundary in boundary(),
        mask in mask(),
        statistics in prop::sample::subsequence(Statistic::ALL.to_vec(), 1..=8).prop_shuffle(),
        cut in 1usize..5,
    ) {
        for level in CpuLevel::available() {
            let stats = FocalStats { mask: mask.clone(), statistics: statistics.clone(), level };
            agrees::<f64>(&values, (height, width), boundary, &stats, cut)?;
            agrees::<f32>(&values, (height, width), boundary, &stats, height)?;
        }
    }
}

#[test]
fn rasters_of_several_tiles_are_the_definition() {
    // A few bits of a product sequence: ties, both signs, and one hole in a far tile.
    let (height, width) = (67, 513);
    let mut values: Vec<f64> =
        (0..height * width).map(|i| f64::from((i as u32).wrapping_mul(2_654_435_761) >> 24) - 60.0).collect();
    values[40 * width + 300] = f64::NAN;
    let weights: Vec<f64> = (0..7 * 5).map(|i| f64::from(i % 3 != 1)).collect();
    let stats = FocalStats {
        mask: mask_of(weights, 7, 5),
        statistics: Statistic::ALL.to_vec(),
        level: CpuLevel::detect(),
    };
    for boundary in [Boundary::Nan, Boundary::Reflect, Boundary::Wrap] {
        agrees::<f64>(&values, (height, width), boundary, &stats, 25).unwrap();
        agrees::<f32>(&values, (height, width), boundary, &stats, 67).unwrap();
    }
}

#[test]
fn a_mask_without_ones_has_empty_windows() {
    let stats = FocalStats {
        mask: mask_of(vec![0.0; 9], 3, 3),
        statistics: Statistic::ALL.to_vec(),
        level: CpuLevel::detect(),
    };
    agrees::<f64>(&[1.0, 2.0, 3.0, 4.0], (2, 2), Boundary::Nearest, &stats, 1).unwrap();
}
