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

pub(super) const FLOOR: f64 = -34.538_776_394_910_684;

pub(super) fn worst(got: &[f64], want: &[f64]) -> f64 {
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
    let electrode = Electrode::new(150, 4, 2, 3);
    let marks = electrode.decoding(90);
    let bins = electrode.interior.len();
    for precision in [Precision::F32, Precision::F64] {
        let direct = electrode.choose(Accuracy::Direct, precision, FLOOR);
        let moments = Choice { method: Method::Moments { cell: 0.5, terms_below: 9 }, cut: 1e-7, ..direct };
        // About half of the rows are certified.
        let half = |c: &Certificate| {
            let tried = Choice { certificate: Some(*c), ..moments };
            let mut excesses = electrode.prepare(tried, FLOOR).excesses(&marks);
            excesses.sort_unstable_by(f64::total_cmp);
            Choice { certificate: Some(Certificate { ln_excess: -excesses[45], ..*c }), ..moments }
        };
        let certified = half(&Certificate { terms_below: 6, share: 1.0, ln_excess: 0.0 });
        for choice in [direct, moments, certified] {
            let intensity = electrode.prepare(choice, FLOOR);
            for level in CpuLevel::available() {
                let mut scratch = Scratch::default();
                let mut whole = vec![f64::NAN; 90 * bins];
                intensity.log_intensity(level, &marks, &mut whole, &mut scratch);
                for cut in [1, 7, 16, 33, 64, 89] {
                    let mut pieces = vec![f64::NAN; 90 * bins];
                    for (marks, out) in marks.chunks(cut * 4).zip(pieces.chunks_mut(cut * bins)) {
                        intensity.log_intensity(level, marks, out, &mut scratch);
                    }
                    let same = whole.iter().zip(&pieces).all(|(a, b)| a.to_bits() == b.to_bits());
                    assert!(same, "{precision:?} {choice:?} {level:?} cut {cut}");
                }
            }
        }
    }
}

/// Log intensities of `marks` at the machine's own level.
fn singles(intensity: &Intensity, marks: &[f64], width: usize) -> Vec<f32> {
    let mut rows = vec![f32::NAN; marks.len() / width * intensity.bins()];
    intensity.log_intensity(CpuLevel::detect(), marks, &mut rows, &mut Scratch::default());
    rows
}

#[test]
fn boxes_of_marks_leave_out_only_what_is_none() {
    for (axes, width) in [(1, 6), (2, 8), (2, 10)] {
        let mut electrode = Electrode::new(1500, width, axes, 11);
        // Units far apart for their kernels: most pairs are none, and their boxes apart.
        electrode.mark_std = vec![4.0; width];
        let floor_ln = electrode.log_scale.iter().copied().fold(f64::NEG_INFINITY, f64::max)
            + 1500f64.ln()
            + electrode.bandwidths().ln_peak()
            - 30.0;
        let forced = Method::Moments { cell: 0.5, terms_below: 12 };
        let choice = electrode.choose(Accuracy::EXACT, Precision::F32, floor_ln);
        let moments = electrode.prepare(Choice { method: forced, certificate: None, ..choice }, floor_ln);
        let marks = electrode.decoding(35);
        let all = singles(&moments, &marks, width);
        let bins = electrode.interior.len();
        let mut seen = 0;
        for (spike, mark) in marks.chunks(width).enumerate() {
            let oracle = electrode.oracle(mark, floor_ln);
            let mine = &all[spike * bins..(spike + 1) * bins];
            for (found, expected) in mine.iter().zip(&oracle) {
                let apart = (f64::from(*found) - expected).abs();
                assert!(
                    apart <= 3e-5,
                    "{axes} axes, {width} features, spike {spike}: {found} not {expected}"
                );
                seen += usize::from(*expected > floor_ln);
            }
            // Alone, the block's box is the spike itself: nearly all pieces go, and no bit changes.
            assert_eq!(singles(&moments, mark, width), mine, "spike {spike} depends on its neighbours");
        }
        assert!(seen > 250, "{seen} values above the floor");
    }
}

#[test]
fn huge_marks_never_make_a_value_that_is_not_a_number() {
    let mut electrode = Electrode::new(50, 2, 1, 9);
    electrode.marks[0] = 1e30;
    electrode.marks[3] = -1e38;
    for precision in [Precision::F32, Precision::F64] {
        let direct = electrode.choose(Accuracy::Direct, precision, FLOOR);
        let method = Method::Moments { cell: 0.5, terms_below: 9 };
        let certificate = Some(Certificate { terms_below: 6, share: 1.0, ln_excess: -10.0 });
        for choice in [direct, Choice { method, certificate, ..direct }] {
            let mut out = vec![f64::NAN; 3 * electrode.interior.len()];
            let marks = [1e300, -1e300, 1e30, 3.0, -1e38, 1e38];
            let intensity = electrode.prepare(choice, FLOOR);
            intensity.log_intensity(CpuLevel::detect(), &marks, &mut out, &mut Scratch::default());
            assert!(out.iter().all(|v| v.is_finite()));
        }
    }
}

#[test]
fn an_electrode_that_cannot_leave_the_floor_is_on_it_everywhere() {
    let electrode = Electrode::new(200, 10, 1, 4);
    let choice = electrode.choose(Accuracy::EXACT, Precision::F32, FLOOR);
    assert!(choice.ceiling_ln < FLOOR);
    let marks = electrode.marks[..30].to_vec();
    let mut out = vec![f64::NAN; 3 * electrode.interior.len()];
    let intensity = electrode.prepare(choice, FLOOR);
    let low = intensity.log_intensity(CpuLevel::detect(), &marks, &mut out, &mut Scratch::default());
    assert_eq!(low, Floored { spikes: 3, values: out.len() });
    assert!(out.iter().all(|value| *value == FLOOR));
    assert_eq!(out[..electrode.interior.len()], electrode.oracle(&marks[..10], FLOOR));
}
