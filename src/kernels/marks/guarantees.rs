//! The promised errors, on layouts made to break them.

use super::expansion::ErrorTable;
use super::tests::{Electrode, FLOOR, worst};
use super::*;
use crate::backend::CpuLevel;

/// A choice of moments as it is, admissible or not, with the bound its error table gives.
fn forced(electrode: &Electrode, cell: f64, q: usize, precision: Precision, floor: f64) -> Choice {
    let axes = electrode.centers.len();
    let choice = electrode.choose(Accuracy::EXACT, precision, floor);
    let worst = ErrorTable::new(cell, q, axes).worst(choice.ceiling_ln - floor);
    let bound = 2.0 * worst + choice.cut * (1.0 + axes as f64);
    Choice { method: Method::Moments { cell, terms_below: q }, bound, ..choice }
}

#[test]
fn moments_stay_within_their_bound_of_the_definition() {
    for (axes, width, count) in [(1, 4, 900), (2, 4, 700), (2, 2, 1), (1, 1, 129)] {
        let electrode = Electrode::new(count, width, axes, 19);
        let marks = electrode.decoding(20);
        let ceiling = electrode.choose(Accuracy::Direct, Precision::F64, FLOOR).ceiling_ln;
        for floor in [ceiling - 12.0, ceiling - 20.0, ceiling - 33.0] {
            let want: Vec<f64> = marks.chunks(width).flat_map(|mark| electrode.oracle(mark, floor)).collect();
            for (cell, q) in
                [(1.0, 12), (1.0 / 1.5, 12), (0.5, 11), (1.0 / 3.0, 9), (0.25, 8), (0.25, 5), (0.5, 7)]
            {
                for precision in [Precision::F64, Precision::F32] {
                    let choice = forced(&electrode, cell, q, precision, floor);
                    let intensity = electrode.prepare(choice, floor);
                    for level in CpuLevel::available() {
                        let mut got = vec![f64::NAN; want.len()];
                        intensity.log_intensity(level, &marks, &mut got, &mut Scratch::default());
                        let error = worst(&got, &want);
                        let rounding = if precision == Precision::F32 { 4e-5 } else { 1e-10 };
                        assert!(
                            error <= choice.bound + rounding,
                            "{axes} {width} {count} {cell} {q} {precision:?} {level:?}: {error:e} {:e}",
                            choice.bound
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn a_sampled_tolerance_costs_less_and_holds_on_the_samples() {
    for (axes, count) in [(1, 6000), (2, 5000)] {
        let electrode = Electrode::new(count, 3, axes, 23);
        let scale = (electrode.log_scale.as_slice(), FLOOR);
        let model = (electrode.spikes(), electrode.bins(), electrode.bandwidths());
        let accuracy = Accuracy::Observed { tolerance: 1e-3, seed: 42 };
        let sampled = electrode.choose(accuracy, Precision::F32, FLOOR);
        let exact = electrode.choose(Accuracy::EXACT, Precision::F32, FLOOR);
        assert!(sampled.cost < exact.cost && exact.bound <= 2e-6, "{sampled:?} {exact:?}");
        for (choice, limit) in [(sampled, 1e-3), (exact, exact.bound)] {
            let seen = observed_error(&model.0, &model.1, &model.2, scale, (&choice, 42));
            assert!(seen > 0.0 && seen <= limit, "{choice:?}: {seen:e}");
        }
    }
}

#[test]
fn spikes_in_the_corners_of_cells_at_the_limit_of_the_ceiling_keep_the_guarantee() {
    // One decoding mark on the encoding marks, so that every pair counts; the scale is set so that
    // the bound of the table is used up; bins all around at every distance.
    for axes in [1, 2] {
        for (cell, q) in [(1.0 / 1.5, 11), (0.5, 9), (1.0 / 3.0, 8), (0.25, 6)] {
            let table = ErrorTable::new(cell, q, axes);
            for tolerance in [1e-6, 1e-4] {
                let ratio = table.limit(tolerance).min(60.0);
                let mut worst = 0.0_f64;
                for corner in [[0.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.31, 1.0]] {
                    // The first spike pins the cells' origin; the others crowd one corner.
                    let side = cell * 6.0;
                    let mut positions = vec![0.0; axes];
                    for _ in 0..7 {
                        let in_cell = |axis: usize| side * (1.0 + 0.999_999 * corner[axis]);
                        positions.extend((0..axes).map(in_cell));
                    }
                    let mut marks = vec![0.0; 8];
                    marks[0] = 1e4;
                    let centers: Vec<f64> = (0..80).map(|k| -60.0 + 1.6 * k as f64).collect();
                    let electrode = Electrode {
                        width: 1,
                        marks,
                        positions,
                        interior: (0..80_usize.pow(axes as u32)).collect(),
                        centers: vec![centers; axes],
                        mark_std: vec![1.0],
                        position_std: vec![6.0; axes],
                        log_scale: vec![0.0; 80_usize.pow(axes as u32)],
                    };
                    let ceiling = electrode.choose(Accuracy::Direct, Precision::F64, FLOOR).ceiling_ln;
                    let floor = ceiling - ratio;
                    let choice = forced(&electrode, cell, q, Precision::F64, floor);
                    assert!(choice.bound <= 2.0 * tolerance * 1.001 + 1e-6);
                    let mut got = vec![0.0; electrode.interior.len()];
                    electrode.prepare(choice, floor).log_intensity(
                        CpuLevel::detect(),
                        &[0.0],
                        &mut got,
                        &mut Scratch::default(),
                    );
                    let want = electrode.oracle(&[0.0], floor);
                    let error = got.iter().zip(&want).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
                    assert!(
                        error <= choice.bound,
                        "{axes} {cell} {q} {corner:?}: {error:e} {:e}",
                        choice.bound
                    );
                    worst = worst.max(error);
                }
                // The layout is adversarial: it comes near the bound.
                assert!(worst > 0.1 * tolerance, "{axes} {cell} {q} {tolerance:e}: {worst:e}");
            }
        }
    }
}
