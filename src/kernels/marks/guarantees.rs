//! The promised errors, on layouts made to break them.

use super::errors::ErrorTable;
use super::tests::{Electrode, FLOOR, worst};
use super::*;
use crate::backend::CpuLevel;

/// A choice of moments as it is, admissible or not, with the bound its error table gives.
fn forced(electrode: &Electrode, cell: f64, q: usize, precision: Precision, floor: f64) -> Choice {
    let axes = electrode.centers.len();
    let choice = electrode.choose(Accuracy::EXACT, precision, floor);
    let worst = ErrorTable::new(cell, q, axes).worst(choice.ceiling_ln - floor);
    let bound = 2.0 * worst + choice.cut * (1.0 + axes as f64);
    Choice { method: Method::Moments { cell, terms_below: q }, certificate: None, bound, ..choice }
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

/// Terms below `q` first, kept where they prove enough for `tolerance`, else below 12.
fn tried(electrode: &Electrode, cell: f64, q: usize, tolerance: f64, floor: f64) -> (Choice, f64) {
    let axes = electrode.centers.len();
    let ln_error = ErrorTable::new(cell, q, axes).ln_error();
    let certificate = Certificate { terms_below: q, share: 1.0, ln_excess: ln_error - tolerance.ln() };
    let full = forced(electrode, cell, 12, Precision::F64, floor);
    (Choice { certificate: Some(certificate), ..full }, ln_error)
}

/// Two clouds of marks: many spikes everywhere, and a few that lie alone in a corner of the place.
fn crowd_and_loners(axes: usize) -> Electrode {
    let mut electrode = Electrode::new(900, 2, axes, 31);
    for mark in electrode.marks.chunks_exact_mut(2).step_by(300) {
        mark.copy_from_slice(&[400.0, -300.0]);
    }
    for place in electrode.positions.chunks_exact_mut(axes).step_by(300) {
        place.fill(0.3);
    }
    electrode
}

#[test]
fn a_certified_row_is_off_by_no_more_than_its_own_bound() {
    for axes in [1, 2] {
        let electrode = crowd_and_loners(axes);
        let mut marks = electrode.decoding(24);
        marks.extend([400.0, -300.0, 401.0, -280.0]);
        let ceiling = electrode.choose(Accuracy::Direct, Precision::F64, FLOOR).ceiling_ln;
        for floor in [ceiling - 14.0, ceiling - 33.0] {
            let want: Vec<f64> = marks.chunks(2).flat_map(|mark| electrode.oracle(mark, floor)).collect();
            let mut nearest = 0.0_f64;
            for (cell, q) in [(1.0, 9), (1.0 / 1.5, 8), (0.5, 7), (1.0 / 3.0, 6), (0.25, 4), (0.5, 2)] {
                let (mut choice, ln_error) = tried(&electrode, cell, q, 1.0, floor);
                // Everything counts as certified: what the bound says of each row is looked at.
                choice.certificate =
                    choice.certificate.map(|c| Certificate { ln_excess: f64::NEG_INFINITY, ..c });
                let intensity = electrode.prepare(choice, floor);
                let excesses = intensity.excesses(&marks);
                let mut got = vec![f64::NAN; want.len()];
                intensity.log_intensity(CpuLevel::detect(), &marks, &mut got, &mut Scratch::default());
                let bins = electrode.interior.len();
                for ((got, want), excess) in got.chunks(bins).zip(want.chunks(bins)).zip(excesses) {
                    // Relative to the sum found, or the floor, whichever is larger.
                    let bound = (excess + ln_error).exp();
                    let apart = got.iter().zip(want).map(|(got, want)| (want - got).exp_m1().abs());
                    let error = apart.fold(0.0, f64::max);
                    assert!(error <= bound * 1.001 + 1e-7, "{axes} {cell} {q}: {error:e}, bound {bound:e}");
                    nearest = nearest.max(if bound < 0.1 { error / bound } else { 0.0 });
                }
            }
            assert!(nearest > 0.02, "{axes}: the bounds are never near: {nearest:e}");
        }
    }
}

#[test]
fn rows_that_fewer_terms_do_not_certify_are_computed_again() {
    for axes in [1, 2] {
        let electrode = crowd_and_loners(axes);
        let mut marks = electrode.decoding(80);
        marks[20..22].copy_from_slice(&[400.0, -300.0]);
        marks[150..152].copy_from_slice(&[405.0, -290.0]);
        let ceiling = electrode.choose(Accuracy::Direct, Precision::F64, FLOOR).ceiling_ln;
        let (floor, bins) = (ceiling - 33.0, electrode.interior.len());
        let want: Vec<f64> = marks.chunks(2).flat_map(|mark| electrode.oracle(mark, floor)).collect();
        for (cell, q) in [(1.0, 10), (0.5, 8), (0.25, 6)] {
            let (choice, _) = tried(&electrode, cell, q, 1e-6, floor);
            let limit = choice.certificate.unwrap().ln_excess;
            let rough = |choice: Choice, level| {
                let mut rows = vec![f64::NAN; want.len()];
                electrode.prepare(choice, floor).log_intensity(
                    level,
                    &marks,
                    &mut rows,
                    &mut Scratch::default(),
                );
                rows
            };
            for level in CpuLevel::available() {
                let (got, full) =
                    (rough(choice, level), rough(Choice { certificate: None, ..choice }, level));
                let excesses = electrode.prepare(choice, floor).excesses(&marks);
                let (mut kept, mut again) = (0, 0);
                for (spike, excess) in excesses.iter().enumerate() {
                    let row = spike * bins..(spike + 1) * bins;
                    if excess + limit <= -1e-3 {
                        kept += 1;
                        let error = worst(&got[row.clone()], &want[row]);
                        assert!(error <= 1e-6 + 3e-7, "{axes} {cell} {q} {level:?} {spike}: {error:e}");
                    } else if excess + limit > 1e-3 {
                        again += 1;
                        assert_eq!(got[row.clone()], full[row], "{axes} {cell} {q} {level:?} {spike}");
                    }
                }
                assert!(kept > 20 && again >= 2, "{axes} {cell} {q}: {kept} certified, {again} not");
            }
        }
    }
}

#[test]
fn a_crowded_electrode_gets_fewer_terms_with_the_same_guarantee() {
    for (axes, tolerance) in [(2, 2e-6), (2, 1e-3)] {
        let electrode = Electrode::new(8000, 3, axes, 23);
        let choice = electrode.choose(Accuracy::Guaranteed(tolerance), Precision::F32, FLOOR);
        let Method::Moments { terms_below, .. } = choice.method else { panic!("{choice:?}") };
        let certificate = choice.certificate.unwrap();
        assert!(certificate.terms_below < terms_below && certificate.share >= 0.9, "{choice:?}");
        assert!(choice.bound <= tolerance, "{choice:?}");
        let scale = (electrode.log_scale.as_slice(), FLOOR);
        let model = (electrode.spikes(), electrode.bins(), electrode.bandwidths());
        let seen = observed_error(&model.0, &model.1, &model.2, scale, (&choice, 42));
        assert!(seen > 0.0 && seen <= choice.bound, "{choice:?}: {seen:e}");
        for accuracy in [Accuracy::Direct, Accuracy::Observed { tolerance, seed: 1 }] {
            assert_eq!(electrode.choose(accuracy, Precision::F32, FLOOR).certificate, None);
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
