use super::*;
use crate::backend::CpuLevel;

/// Numbers in 0..1, the same in each run.
pub(super) struct Draw(pub u64);

impl Draw {
    pub fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    pub fn many(&mut self, count: usize, to: f64) -> Vec<f64> {
        (0..count).map(|_| self.next() * to).collect()
    }
}

pub(super) fn worst(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let off = |(f, e): (&f64, &f64)| if e.abs() < 1e-290 { 0.0 } else { (f - e).abs() / e.abs() };
    found.iter().zip(expected).map(off).fold(0.0, f64::max)
}

#[test]
fn every_level_gives_the_definition_at_points() {
    let mut draw = Draw(7);
    for axes in 1..=3 {
        for (count, points) in [(0, 5), (1, 1), (255, 127), (256, 128), (700, 131)] {
            let (positions, at) = (draw.many(count * axes, 80.0), draw.many(points * axes, 90.0));
            let weights = draw.many(count, 2.0);
            let std: Vec<f64> = (0..axes).map(|axis| 3.0 + axis as f64).collect();
            for weights in [None, Some(&weights[..])] {
                let samples = Samples { positions: &positions, axes, weights };
                let mut expected = vec![f64::NAN; points];
                scalar::at_points(samples, &std, &at, &mut expected);
                for level in CpuLevel::available() {
                    let mut found = vec![f64::NAN; points];
                    at_points(level, samples, &std, &at, &mut found);
                    assert!(worst(&found, &expected) < 2e-13, "{level:?} {axes} {count} {points}");
                }
            }
        }
    }
}

#[test]
fn every_level_gives_the_definition_on_a_grid() {
    let mut draw = Draw(11);
    for (nx, ny, count) in [(1, 1, 1), (4, 16, 64), (5, 17, 65), (13, 33, 200), (3, 2, 0)] {
        let (x, y) = (draw.many(nx, 50.0), draw.many(ny, 40.0));
        let (positions, weights) = (draw.many(2 * count, 50.0), draw.many(count, 3.0));
        let at: Vec<f64> = x.iter().flat_map(|&x| y.iter().flat_map(move |&y| [x, y])).collect();
        for weights in [None, Some(&weights[..])] {
            let samples = Samples { positions: &positions, axes: 2, weights };
            let mut expected = vec![0.0; nx * ny];
            scalar::at_points(samples, &[5.0, 4.0], &at, &mut expected);
            for level in CpuLevel::available() {
                let mut found = vec![f64::NAN; nx * ny];
                on_grid(level, samples, &[5.0, 4.0], &[&x, &y], &mut found);
                assert!(worst(&found, &expected) < 2e-13, "{level:?} {nx} {ny} {count}");
            }
        }
    }
}

#[test]
fn a_point_does_not_feel_its_neighbours_in_the_call() {
    let mut draw = Draw(3);
    let (positions, at) = (draw.many(1000, 100.0), draw.many(300, 100.0));
    let samples = Samples { positions: &positions, axes: 2, weights: None };
    let level = CpuLevel::detect();
    let (mut whole, mut parts) = (vec![0.0; 150], vec![0.0; 150]);
    at_points(level, samples, &[6.0, 6.0], &at, &mut whole);
    for (at, out) in at.chunks(2 * 7).zip(parts.chunks_mut(7)) {
        at_points(level, samples, &[6.0, 6.0], at, out);
    }
    assert_eq!(whole, parts);
}

/// Samples around a few places, so that some points lie far from all of them.
fn clustered(draw: &mut Draw, count: usize, axes: usize) -> Vec<f64> {
    let places = [[0.0, 0.0], [40.0, 10.0], [41.0, 90.0]];
    let at =
        |k: usize| (0..axes).map(|axis| places[k % 3][axis] + 30.0 * draw.next() * draw.next()).collect();
    (0..count).flat_map::<Vec<f64>, _>(at).collect()
}

#[test]
fn moments_keep_their_tolerance_near_and_far() {
    let mut draw = Draw(5);
    for axes in 1..=2 {
        for std in [2.0, 6.0, 60.0] {
            let positions = clustered(&mut draw, 700, axes);
            let weights = draw.many(700, 5.0);
            let mut at: Vec<f64> = draw.many(150 * axes, 140.0).iter().map(|x| x - 20.0).collect();
            at.extend(&positions[..axes * 100]);
            for weights in [None, Some(&weights[..])] {
                let samples = Samples { positions: &positions, axes, weights };
                let std = vec![std; axes];
                let mut expected = vec![0.0; at.len() / axes];
                scalar::at_points(samples, &std, &at, &mut expected);
                for level in CpuLevel::available() {
                    let moments = Moments::new(level, samples, &std, f64::INFINITY).unwrap();
                    let mut found = vec![0.0; expected.len()];
                    moments.at(level, &at, &mut found);
                    let worst = worst(&found, &expected);
                    assert!(worst < moments::TOLERANCE, "{level:?} {axes} {std:?}: {worst:e}");
                    let served = moments.served(level, &at);
                    assert!(served >= 100, "{axes} {std:?}: only {served} of {} points", expected.len());
                }
            }
        }
    }
}

#[test]
fn moments_do_not_feel_the_other_points_and_pass_on_what_is_no_number() {
    let mut draw = Draw(9);
    let positions = clustered(&mut draw, 500, 2);
    let samples = Samples { positions: &positions, axes: 2, weights: None };
    let level = CpuLevel::detect();
    let moments = Moments::new(level, samples, &[6.0, 6.0], f64::INFINITY).unwrap();
    let mut at = draw.many(200, 60.0);
    at[3] = f64::NAN;
    let (mut whole, mut parts) = (vec![0.0; 100], vec![0.0; 100]);
    moments.at(level, &at, &mut whole);
    at.chunks(6).zip(parts.chunks_mut(3)).for_each(|(at, out)| moments.at(level, at, out));
    assert!(whole[1].is_nan() && whole.iter().filter(|sum| sum.is_nan()).count() == 1);
    assert!(whole.iter().zip(&parts).all(|(a, b)| a.to_bits() == b.to_bits() || a.is_nan()));
}

#[test]
fn moments_decline_what_is_not_for_them() {
    let level = CpuLevel::detect();
    let offer = |positions: &[f64], axes: usize, cost: f64| {
        let samples = Samples { positions, axes, weights: None };
        Moments::new(level, samples, &vec![1.0; axes], cost).is_some()
    };
    assert!(offer(&[0.0, 5.0], 1, f64::INFINITY));
    assert!(!offer(&[], 1, f64::INFINITY) && !offer(&[0.0, f64::NAN], 1, f64::INFINITY));
    assert!(!offer(&[0.0, 1e9], 1, f64::INFINITY) && !offer(&[0.0, 0.0, 4e4, 4e4], 2, f64::INFINITY));
    assert!(!offer(&[0.0; 3], 3, f64::INFINITY) && !offer(&[0.0, 5.0], 1, 1000.0));
}
