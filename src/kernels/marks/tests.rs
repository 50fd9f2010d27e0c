use super::*;
use crate::backend::CpuLevel;

/// A plain generator: the tests need scatter, not statistics.
pub(super) struct Chance(pub(super) u64);

impl Chance {
    pub(super) fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    pub(super) fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}

/// One electrode with a few units, each with a place and a mark.
pub(super) struct Electrode {
    pub(super) width: usize,
    pub(super) marks: Vec<f64>,
    pub(super) positions: Vec<f64>,
    pub(super) centers: Vec<Vec<f64>>,
    pub(super) interior: Vec<usize>,
    pub(super) mark_std: Vec<f64>,
    pub(super) position_std: Vec<f64>,
    pub(super) log_scale: Vec<f64>,
}

impl Electrode {
    pub(super) fn new(count: usize, width: usize, axes: usize, seed: u64) -> Self {
        let mut chance = Chance(seed);
        let (mut marks, mut positions) = (Vec::new(), Vec::new());
        let sides = [60.0, 44.0];
        for _ in 0..count {
            let unit = (chance.uniform() * 5.0).floor();
            for k in 0..width {
                let middle = 80.0 + 40.0 * ((unit * 1.7 + k as f64 * 2.3).sin());
                marks.push(middle + 15.0 * chance.normal());
            }
            for (axis, side) in sides.iter().enumerate().take(axes) {
                let middle = side * (0.5 + 0.4 * (unit * 2.1 + axis as f64).cos());
                positions.push((middle + 9.0 * chance.normal()).clamp(0.0, *side));
            }
        }
        let centers: Vec<Vec<f64>> = (0..axes)
            .map(|axis| (0..(sides[axis] / 2.0) as usize).map(|k| 1.0 + 2.0 * k as f64).collect())
            .collect();
        let all: usize = centers.iter().map(Vec::len).product();
        let interior: Vec<usize> = (0..all).filter(|flat| flat % 7 != 3).collect();
        let scale = |flat: &usize| match flat {
            5 => f64::NEG_INFINITY,
            flat => -1.0 - (count.max(1) as f64).ln() + 2.0 * (*flat as f64 * 0.37).sin(),
        };
        let log_scale = interior.iter().map(scale).collect();
        Electrode {
            width,
            marks,
            positions,
            centers,
            interior,
            mark_std: (0..width).map(|k| 20.0 + k as f64).collect(),
            position_std: vec![6.0, 5.0][..axes].to_vec(),
            log_scale,
        }
    }

    pub(super) fn spikes(&self) -> EncodingSpikes<'_> {
        let axes = self.centers.len();
        EncodingSpikes { marks: &self.marks, width: self.width, positions: &self.positions, axes }
    }

    pub(super) fn bins(&self) -> PlaceBins<'_> {
        PlaceBins { axes: self.centers.iter().map(Vec::as_slice).collect(), interior: &self.interior }
    }

    pub(super) fn bandwidths(&self) -> Bandwidths<'_> {
        Bandwidths { mark: &self.mark_std, position: &self.position_std }
    }

    pub(super) fn choose(&self, accuracy: Accuracy, precision: Precision, floor_ln: f64) -> Choice {
        let scale = (self.log_scale.as_slice(), floor_ln);
        choose(&self.spikes(), &self.bins(), &self.bandwidths(), scale, (accuracy, precision))
    }

    pub(super) fn prepare(&self, choice: Choice, floor_ln: f64) -> Intensity {
        let scale = (self.log_scale.as_slice(), floor_ln);
        Intensity::new(&self.spikes(), &self.bins(), &self.bandwidths(), choice, scale)
    }

    pub(super) fn oracle(&self, mark: &[f64], floor_ln: f64) -> Vec<f64> {
        let scale = (self.log_scale.as_slice(), floor_ln);
        definition::log_intensity(&self.spikes(), &self.bins(), &self.bandwidths(), scale, mark)
    }

    /// Marks of the electrode moved a little, and one far away from all.
    pub(super) fn decoding(&self, count: usize) -> Vec<f64> {
        let mut chance = Chance(77);
        let mut marks = Vec::new();
        for i in 0..count {
            for k in 0..self.width {
                let from = (i * 31 * self.width + k) % self.marks.len().max(1);
                let here = self.marks.get(from).copied().unwrap_or(50.0);
                marks.push(if i % 13 == 5 { 1e6 } else { here + 10.0 * chance.normal() });
            }
        }
        marks
    }
}

const FLOOR: f64 = -34.538_776_394_910_684;

fn worst(got: &[f64], want: &[f64]) -> f64 {
    assert_eq!(got.len(), want.len());
    let apart = |(got, want): (&f64, &f64)| if got.is_finite() { (got - want).abs() } else { f64::INFINITY };
    got.iter().zip(want).map(apart).fold(0.0, f64::max)
}

#[test]
fn direct_sums_equal_the_definition_in_both_precisions() {
    for (axes, width, count) in [(1, 4, 333), (2, 4, 260), (1, 1, 1), (2, 3, 129), (1, 10, 128), (2, 2, 40)] {
        let electrode = Electrode::new(count, width, axes, 11 + count as u64);
        let marks = electrode.decoding(40);
        let ceiling = electrode.choose(Accuracy::Direct, Precision::F64, FLOOR).ceiling_ln;
        for floor in [ceiling - 15.0, ceiling - 33.0] {
            let want: Vec<f64> = marks.chunks(width).flat_map(|mark| electrode.oracle(mark, floor)).collect();
            assert!(want.iter().any(|v| *v > floor) && want.contains(&floor));
            for (precision, tolerance) in [(Precision::F64, 1e-11), (Precision::F32, 2e-5)] {
                let choice = electrode.choose(Accuracy::Direct, precision, floor);
                assert_eq!(choice.precision, precision);
                let intensity = electrode.prepare(choice, floor);
                for level in CpuLevel::available() {
                    let mut got = vec![f64::NAN; want.len()];
                    let low = intensity.log_intensity(level, &marks, &mut got, &mut Scratch::default());
                    let error = worst(&got, &want);
                    assert!(error < tolerance, "{axes} {width} {count} {precision:?} {level:?}: {error:e}");
                    assert_eq!(low.values, got.iter().filter(|v| **v == floor).count());
                    assert!(low.spikes >= 3 && low.spikes <= 40);
                }
            }
        }
    }
}

#[test]
fn densities_at_own_positions_equal_the_definition() {
    for (axes, width, count) in [(1, 4, 300), (2, 3, 150), (2, 1, 1)] {
        let electrode = Electrode::new(count, width, axes, 5);
        let marks = electrode.decoding(37);
        let places: Vec<f64> = (0..37 * axes).map(|i| (i * 17 % 43) as f64).collect();
        let want: Vec<f64> = marks
            .chunks(width)
            .zip(places.chunks(axes))
            .map(|(mark, place)| {
                definition::density(&electrode.spikes(), &electrode.bandwidths(), mark, place)
            })
            .collect();
        for (precision, tolerance) in [(Precision::F64, 1e-12), (Precision::F32, 2e-5)] {
            let intensity = electrode.prepare(electrode.choose(Accuracy::Direct, precision, FLOOR), FLOOR);
            for level in CpuLevel::available() {
                let mut got = vec![f64::NAN; 37];
                intensity.density_at(level, (&marks, &places), &mut got, &mut Scratch::default());
                for (got, want) in got.iter().zip(&want) {
                    let close = (got - want).abs() <= tolerance * want + 1e-36;
                    assert!(close, "{axes} {width} {precision:?} {level:?}: {got:e} {want:e}");
                }
            }
        }
    }
}

#[test]
fn an_electrode_without_encoding_spikes_gives_the_floor() {
    let electrode = Electrode::new(0, 3, 2, 1);
    let intensity = electrode.prepare(electrode.choose(Accuracy::EXACT, Precision::F32, FLOOR), FLOOR);
    let bins = electrode.interior.len();
    let mut out = vec![f32::NAN; 2 * bins];
    let low = intensity.log_intensity(CpuLevel::detect(), &[0.0; 6], &mut out, &mut Scratch::default());
    assert!(out.iter().all(|v| *v == FLOOR as f32));
    assert_eq!(low, Floored { spikes: 2, values: 2 * bins });
    let mut density = [9.0; 2];
    intensity.density_at(CpuLevel::detect(), (&[0.0; 6], &[1.0; 4]), &mut density, &mut Scratch::default());
    assert_eq!(density, [0.0; 2]);
}

#[test]
fn a_row_has_the_same_bits_whatever_else_is_in_the_block() {
    let electrode = Electrode::new(300, 4, 2, 3);
    let marks = electrode.decoding(150);
    let bins = electrode.interior.len();
    for precision in [Precision::F32, Precision::F64] {
        for accuracy in [Accuracy::Direct, Accuracy::EXACT] {
            let intensity = electrode.prepare(electrode.choose(accuracy, precision, FLOOR), FLOOR);
            for level in CpuLevel::available() {
                let mut scratch = Scratch::default();
                let mut whole = vec![f64::NAN; 150 * bins];
                intensity.log_intensity(level, &marks, &mut whole, &mut scratch);
                for cut in [1, 7, 16, 33, 64, 149] {
                    let mut pieces = vec![f64::NAN; 150 * bins];
                    for (marks, out) in marks.chunks(cut * 4).zip(pieces.chunks_mut(cut * bins)) {
                        intensity.log_intensity(level, marks, out, &mut scratch);
                    }
                    let same = whole.iter().zip(&pieces).all(|(a, b)| a.to_bits() == b.to_bits());
                    assert!(same, "{precision:?} {accuracy:?} {level:?} cut {cut}");
                }
            }
        }
    }
}

#[test]
fn huge_marks_never_make_a_value_that_is_not_a_number() {
    let mut electrode = Electrode::new(50, 2, 1, 9);
    electrode.marks[0] = 1e30;
    electrode.marks[3] = -1e38;
    for precision in [Precision::F32, Precision::F64] {
        let intensity = electrode.prepare(electrode.choose(Accuracy::Direct, precision, FLOOR), FLOOR);
        let mut out = vec![f64::NAN; 3 * electrode.interior.len()];
        let marks = [1e300, -1e300, 1e30, 3.0, -1e38, 1e38];
        intensity.log_intensity(CpuLevel::detect(), &marks, &mut out, &mut Scratch::default());
        assert!(out.iter().all(|v| v.is_finite()));
    }
}

/// A choice of moments as it is, admissible or not, with the bound its error table gives.
fn forced(electrode: &Electrode, cell: f64, q: usize, precision: Precision, floor: f64) -> Choice {
    let axes = electrode.centers.len();
    let choice = electrode.choose(Accuracy::EXACT, precision, floor);
    let worst = super::expansion::ErrorTable::new(cell, q, axes).worst(choice.ceiling_ln - floor);
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
            let table = super::expansion::ErrorTable::new(cell, q, axes);
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
