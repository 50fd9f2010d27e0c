use super::*;
use proptest::prelude::*;

fn same<T: Real>(got: &[T], expected: &[T]) -> Result<(), String> {
    let differs = |(g, e): (&T, &T)| g != e && !(g.widen().is_nan() && e.widen().is_nan());
    match got.iter().zip(expected).position(differs) {
        Some(at) => Err(format!("cell {at}: got {:?}, expected {:?}", got[at], expected[at])),
        None if got.len() == expected.len() => Ok(()),
        None => Err(format!("{} cells, expected {}", got.len(), expected.len())),
    }
}

fn boundary() -> impl Strategy<Value = Boundary> {
    prop_oneof![
        Just(Boundary::Nan),
        Just(Boundary::Nearest),
        Just(Boundary::Reflect),
        Just(Boundary::Wrap),
        Just(Boundary::Reflect101),
        Just(Boundary::Constant(2.5)),
        Just(Boundary::Constant(f64::NAN)),
    ]
}

fn cell() -> impl Strategy<Value = f64> {
    prop_oneof![
        12 => -1e3..1e3f64,
        3 => (0..4i32).prop_map(f64::from),
        2 => Just(f64::NAN),
        1 => prop_oneof![Just(f64::INFINITY), Just(f64::NEG_INFINITY), Just(-0.0), Just(1e-310)],
    ]
}

/// A plane cut into strips of `cut` rows, each in a window of its own and dirty scratch.
fn by_strips<T: Real>(
    values: &[T],
    shape: (usize, usize),
    boundary: Boundary,
    smoothing: &Smoothing,
    cut: usize,
) -> Vec<T> {
    let (height, width) = shape;
    let mut out = vec![T::NAN; height * width];
    let mut scratch = Scratch::default();
    for start in (0..height).step_by(cut) {
        let end = height.min(start + cut);
        let halo = smoothing.passes as i64;
        let (low, high) = (start as i64 - halo, end as i64 + halo);
        let (low, high) = match boundary {
            Boundary::Wrap => (low, high),
            _ => (low.max(0), high.min(height as i64)),
        };
        let held: Vec<T> = (low..high)
            .flat_map(|m| {
                let i = m.rem_euclid(height as i64) as usize;
                values[i * width..][..width].to_vec()
            })
            .collect();
        let window = Window { rows: &held, first: low, width, height, boundary };
        rows(&window, start..end, smoothing, &mut out[start * width..end * width], &mut scratch);
    }
    out
}

fn agrees<T: Real>(
    values: &[f64],
    shape: (usize, usize),
    boundary: Boundary,
    passes: usize,
    cut: usize,
    exclude: &[f64],
) -> Result<(), TestCaseError> {
    let values: Vec<T> = values.iter().map(|&v| T::round_from(v)).collect();
    let excludes = Excludes::new::<T>(exclude);
    let expected = scalar::plane(&values, shape, boundary, passes, &excludes);
    for level in CpuLevel::available() {
        let smoothing = Smoothing { passes, excludes: excludes.clone(), level };
        for cut in [cut, shape.0.max(1)] {
            let got = by_strips(&values, shape, boundary, &smoothing, cut);
            same(&got, &expected).map_err(|e| TestCaseError::fail(format!("{level:?} cut {cut}: {e}")))?;
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn strips_of_every_level_are_the_definition(
        (height, width, values) in (1usize..14, 1usize..23).prop_flat_map(|(h, w)| {
            (Just(h), Just(w), prop::collection::vec(cell(), h * w))
        }),
        boundary in boundary(),
        passes in 0usize..6,
        cut in 1usize..6,
        exclude in prop_oneof![Just(vec![]), Just(vec![f64::NAN]), Just(vec![f64::NAN, 3.0]), Just(vec![0.0])],
    ) {
        agrees::<f64>(&values, (height, width), boundary, passes, cut, &exclude)?;
        agrees::<f32>(&values, (height, width), boundary, passes, cut, &exclude)?;
    }

    #[test]
    fn rasters_without_nan_are_the_definition_too(
        (height, width, values) in (1usize..9, 1usize..70).prop_flat_map(|(h, w)| {
            (Just(h), Just(w), prop::collection::vec(-9.0..1e6f64, h * w))
        }),
        boundary in boundary(),
        passes in 1usize..4,
    ) {
        agrees::<f64>(&values, (height, width), boundary, passes, 3, &[f64::NAN])?;
        agrees::<f32>(&values, (height, width), boundary, passes, 2, &[])?;
    }
}

#[test]
fn an_empty_raster_gives_an_empty_result() {
    let smoothing = Smoothing { passes: 2, excludes: Excludes::default(), level: CpuLevel::Baseline };
    for (height, width) in [(0, 5), (5, 0)] {
        let window = Window::<f64>::whole(&[], height, width, Boundary::Reflect);
        rows(&window, 0..height, &smoothing, &mut [], &mut Scratch::default());
    }
}
