use super::*;
use crate::backend::CpuLevel;
use proptest::prelude::*;

fn noise(seed: u64, n: usize) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..n)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as f64 / (1_u64 << 53) as f64 - 0.5
        })
        .collect()
}

/// Data of several shapes: ordinary, tied, heavy tails, constant, offset, denormal.
fn rows(kind: usize, seed: u64, n: usize) -> Vec<f64> {
    let plain = noise(seed, n);
    plain
        .iter()
        .enumerate()
        .map(|(at, v)| match kind {
            0 => *v,
            1 => (v * 6.0).round(),
            2 => v.signum() * 10.0_f64.powf(40.0 * v.abs()),
            3 => 0.25,
            4 => 1e9 + v,
            5 => v * 1e-310,
            6 => {
                if at % 17 == 0 {
                    v * 1e6
                } else {
                    *v
                }
            }
            _ => {
                if v.abs() < 0.3 {
                    0.0
                } else {
                    *v
                }
            }
        })
        .collect()
}

proptest! {
    #[test]
    fn medians_are_those_of_sorting(
        kind in 0usize..8, seed in any::<u64>(), n in 1usize..140, samples in 1usize..41,
    ) {
        let stride = 40;
        let values = rows(kind, seed, n * stride);
        let tile = Tile { values: &values, stride, rows: n, samples };
        let want = scalar::medians(tile);
        for level in CpuLevel::available() {
            let mut got = vec![f64::NAN; 40];
            medians(level, tile, &mut got);
            prop_assert_eq!(&got[..samples], &want[..], "{:?} kind {} rows {}", level, kind, n);
        }
    }

    #[test]
    fn medians_by_keys_are_those_of_sorting(
        kind in 0usize..8, seed in any::<u64>(), n in 1usize..700, stride in 1usize..9, part in 1u32..6,
    ) {
        let stride = 8 * stride;
        let values = rows(kind, seed, n * stride);
        let tile = Tile { values: &values, stride, rows: n, samples: stride };
        let order: Vec<u32> = (0..n as u32).rev().filter(|row| row % part == 0).collect();
        let column = |sample| order.iter().map(|&row| values[row as usize * stride + sample]).collect();
        let want: Vec<f64> =
            (0..stride).map(|sample| scalar::median(&mut Vec::<f64>::from_iter::<Vec<f64>>(column(sample)))).collect();
        for level in CpuLevel::available() {
            let (mut keys, mut got) = (Keys::default(), vec![f64::NAN; stride]);
            keys.read(level, tile);
            keys.medians(level, tile, &order, &mut got);
            prop_assert_eq!(&got, &want, "{:?} kind {} rows {} of {}", level, kind, order.len(), n);
        }
    }

    #[test]
    fn sweeps_add_the_loss_of_every_prefix(
        kind in prop::sample::select(vec![0usize, 1, 3, 6, 7]), seed in any::<u64>(), n in 1usize..60, samples in 1usize..41, keep in 1usize..4,
    ) {
        let stride = 40;
        let mut values = rows(kind, seed, n * stride);
        for row in values.chunks_mut(stride) {
            row[samples..].fill(0.0);
        }
        let tile = Tile { values: &values, stride, rows: n, samples };
        let order: Vec<u32> = (0..n as u32).rev().filter(|row| row % keep as u32 == 0).collect();
        let mut target = noise(seed ^ 1, stride);
        target[samples..].fill(0.0);
        let want = scalar::sweep(tile, &order, &target);
        for level in CpuLevel::available() {
            let mut got = vec![1.0; padded(order.len())];
            sweep(level, tile, &order, (&reciprocals(n), &target), &mut got);
            for (g, w) in got.iter().zip(&want) {
                prop_assert!((g - 1.0 - w).abs() <= 1e-12 * (1.0 + w), "{level:?} {g} {w}");
            }
            prop_assert!(got[order.len()..].iter().all(|&g| g == 1.0));
        }
    }

    #[test]
    fn predictions_are_the_plain_product(
        seed in any::<u64>(), rows in 0usize..20, cols in 0usize..20, blocks in 1usize..4,
    ) {
        let columns = blocks * COLUMNS;
        let weights = noise(seed, rows * cols);
        let data = noise(seed ^ 2, cols * columns);
        let want = scalar::product(&weights, (rows, cols), &data, columns);
        for level in CpuLevel::available() {
            let mut got = vec![f64::NAN; rows * columns];
            Predictor::new(&weights, rows, cols).product(level, (&data, columns), (&mut got, columns), columns);
            for (g, w) in got.iter().zip(&want) {
                prop_assert!((g - w).abs() <= 1e-14 * (1 + cols) as f64, "{level:?} {g} {w}");
            }
        }
    }

    #[test]
    fn extremes_are_those_of_all_values(kind in 0usize..8, seed in any::<u64>(), n in 0usize..99) {
        let values = rows(kind, seed, n);
        let want = values.iter().fold(Extremes::NONE, |e, &v| e.and(Extremes { least: v, most: v }));
        for level in CpuLevel::available() {
            prop_assert_eq!(extremes(level, &values), want);
        }
    }
}

#[test]
fn medians_of_infinities_and_many_rows_settle() {
    for n in [2, 3, 1000, 2401] {
        let mut values = rows(6, 5, n * 8);
        values[3] = f64::INFINITY;
        values[4] = f64::NEG_INFINITY;
        let tile = Tile { values: &values, stride: 8, rows: n, samples: 8 };
        let want = scalar::medians(tile);
        for level in CpuLevel::available() {
            let mut got = [0.0; 8];
            medians(level, tile, &mut got);
            assert_eq!(got.to_vec(), want, "{level:?} {n}");
        }
    }
}

#[test]
fn rows_are_picked_and_added_as_plain_loops_do() {
    for n in [0, 1, 7, 8, 31, 32, 33, 100] {
        let (a, b, c) = (rows(0, 1, n), rows(0, 2, n), rows(0, 3, n));
        for level in CpuLevel::available() {
            let mut sums = a.clone();
            add(level, &mut sums, &b);
            assert!((0..n).all(|i| sums[i] == a[i] + b[i]));
            add_difference(level, &mut sums, &c, &b);
            assert!((0..n).all(|i| sums[i] == a[i] + b[i] + (c[i] - b[i])));
            set_sum(level, &mut sums, &b, &c);
            assert!((0..n).all(|i| sums[i] == b[i] + c[i]));
            let want: f64 = (0..n).map(|i| ((a[i] + b[i]) * 0.3 - c[i]).powi(2)).sum();
            let got = squared_distance(level, (&a, &b), 0.3, &c);
            assert!((got - want).abs() <= 1e-13 * (1.0 + want), "{level:?} {n}: {got} {want}");
        }
    }
    let values = rows(0, 4, 5 * 16);
    let tile = Tile { values: &values, stride: 16, rows: 5, samples: 13 };
    for level in CpuLevel::available() {
        let mut out = vec![f64::NAN; 3 * 16];
        pick(level, tile, &[4, 0, 4], &mut out);
        assert_eq!(out, [&values[64..], &values[..16], &values[64..]].concat());
        let mut out = vec![f64::NAN; 2 * 8];
        gather(level, &values, &[72, 3], 8, &mut out);
        assert_eq!(out, [&values[72..], &values[3..11]].concat());
        for count in [1, 8, 13] {
            let mut out = vec![f64::NAN; 2 * 20];
            copy_rows(level, (&values[5..], 16), (&mut out, 20), 2, count);
            assert_eq!(out[20..20 + count], values[21..21 + count]);
            assert!(out[count..20].iter().all(|v| v.is_nan()));
        }
    }
}
