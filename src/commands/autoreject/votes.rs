//! Votes of channels on epochs, the choice of what is repaired, and the grids (spec autoreject 9).
//!
//! Tables are `[epoch][pick]` in C order over the picks of one channel type; labels are 0 good,
//! 1 bad, 2 repaired; peak-to-peak values and thresholds are in the data's SI unit.

use crate::error::{Error, Result};

/// Most entries a grid may have: more is a slip of the keyboard, and memory grows with it.
const MOST_ENTRIES: usize = 1000;

/// A channel that votes against its epoch.
const BAD: u8 = 1;
/// A bad channel that is repaired.
const REPAIRED: u8 = 2;

/// 1 where the peak-to-peak value lies above the threshold of its pick (not where it equals it),
/// `[epoch][pick]`.
pub fn votes(ptp: &[f64], thresholds: &[f64]) -> Vec<u8> {
    let row = |values: &[f64]| -> Vec<u8> {
        values.iter().zip(thresholds).map(|(value, threshold)| u8::from(value > threshold)).collect()
    };
    ptp.chunks(thresholds.len().max(1)).flat_map(row).collect()
}

/// Number of bad channels per epoch.
pub fn bad_counts(votes: &[u8], n_picks: usize) -> Vec<usize> {
    votes.chunks(n_picks.max(1)).map(|row| row.iter().filter(|&&vote| vote != 0).count()).collect()
}

/// Marks what is repaired when at most `rho` channels of an epoch may be (spec 9.2).
///
/// The sum of an epoch's labels counts a repaired channel twice: where it is at most `rho` every
/// bad channel becomes repaired, otherwise the `rho` with the largest peak-to-peak values do.
/// Of equal values the channel further back goes first.
pub fn step(labels: &mut [u8], ptp: &[f64], n_picks: usize, rho: i64) {
    let n_picks = n_picks.max(1);
    for (labels, ptp) in labels.chunks_mut(n_picks).zip(ptp.chunks(n_picks)) {
        let sum: i64 = labels.iter().map(|&label| i64::from(label)).sum();
        if sum == 0 {
            continue;
        }
        let mut bad: Vec<usize> = (0..labels.len()).filter(|&pick| labels[pick] == BAD).collect();
        if sum > rho {
            bad.sort_by(|&a, &b| ptp[b].total_cmp(&ptp[a]).then(b.cmp(&a)));
            bad.truncate(usize::try_from(rho).unwrap_or(0));
        }
        for pick in bad {
            labels[pick] = REPAIRED;
        }
    }
}

/// Labels for each entry of the `rhos` grid in its order, each step going on from the labels that
/// the one before left, as the peer's cross-validation does (spec 9.3).
pub fn carried(votes: &[u8], ptp: &[f64], n_picks: usize, rhos: &[i64]) -> Vec<Vec<u8>> {
    let mut labels = votes.to_vec();
    let next = |&rho: &i64| {
        step(&mut labels, ptp, n_picks, rho);
        labels.clone()
    };
    rhos.iter().map(next).collect()
}

/// Labels for each entry of the `rhos` grid, each from the votes (`--fresh-labels`).
pub fn fresh(votes: &[u8], ptp: &[f64], n_picks: usize, rhos: &[i64]) -> Vec<Vec<u8>> {
    rhos.iter().flat_map(|&rho| carried(votes, ptp, n_picks, &[rho])).collect()
}

/// True for epochs with at least `consensus` times `n_picks` bad channels.
///
/// The product is compared as it comes: 0.1 * 3 * 10 lies above 3, so 3 bad channels of 10 do not
/// reject there.
pub fn bad_epochs(counts: &[usize], consensus: f64, n_picks: usize) -> Vec<bool> {
    let limit = consensus * n_picks as f64;
    counts.iter().map(|&count| count as f64 >= limit).collect()
}

/// The pair of grid indices (consensus, n_interpolate) with the least mean loss over folds: the
/// first one, consensus slow; (0, 0) where all are infinite.
///
/// `loss` is `[consensus][n_interpolate][fold]` with the lengths `shape`.
pub fn choice(loss: &[f64], shape: (usize, usize, usize)) -> (usize, usize) {
    let (_, n_rho, n_folds) = shape;
    let mut best = (0, f64::INFINITY);
    for (index, folds) in loss.chunks(n_folds.max(1)).enumerate() {
        let mean = fold_mean(folds);
        if mean < best.1 {
            best = (index, mean);
        }
    }
    (best.0 / n_rho.max(1), best.0 % n_rho.max(1))
}

/// Mean over folds, added in numpy's order: from 8 values on in eight interleaved sums, so that
/// what is equal to the last bit there is equal here.
pub fn fold_mean(values: &[f64]) -> f64 {
    pairwise_sum(values) / values.len() as f64
}

fn pairwise_sum(values: &[f64]) -> f64 {
    let n = values.len();
    if n > 128 {
        let half = n / 2;
        let (left, right) = values.split_at(half - half % 8);
        return pairwise_sum(left) + pairwise_sum(right);
    }
    let eights = values.chunks_exact(8);
    let rest = eights.remainder();
    let mut total = 0.0;
    if n >= 8 {
        let mut sums = [0.0; 8];
        for eight in eights {
            for (sum, value) in sums.iter_mut().zip(eight) {
                *sum += value;
            }
        }
        let [a, b, c, d, e, f, g, h] = sums;
        total = ((a + b) + (c + d)) + ((e + f) + (g + h));
    }
    rest.iter().fold(total, |sum, value| sum + value)
}

/// `count` numbers from `start` to `stop`, both included, as numpy's `linspace` gives them:
/// multiples of one step, the last one exact. The default consensus grid is 0, 1 and 11, whose
/// fourth number is 0.30000000000000004.
///
/// # Errors
/// No number, more than 1000, or a bound that is not finite.
pub fn linspace(start: f64, stop: f64, count: usize) -> Result<Vec<f64>> {
    let shown = format!("{start}:{stop}:{count}");
    if count == 0 || count > MOST_ENTRIES {
        return Err(Error::usage(format!("{shown}: from 1 to {MOST_ENTRIES} numbers are possible")));
    }
    let range = stop - start;
    if !range.is_finite() {
        return Err(Error::usage(format!("{shown}: both ends must be finite")));
    }
    if count == 1 {
        return Ok(vec![start]);
    }
    let gaps = (count - 1) as f64;
    let step = range / gaps;
    let inner = |i: usize| if step == 0.0 { i as f64 / gaps * range } else { i as f64 * step } + start;
    Ok((0..count).map(|i| if i == count - 1 { stop } else { inner(i) }).collect())
}

/// The default consensus grid: 0, 0.1, ... 1.
pub fn default_consensus() -> Vec<f64> {
    (0..11).map(|i| if i == 10 { 1.0 } else { f64::from(i) * 0.1 }).collect()
}

/// The default grid of numbers of repaired channels: 1, 4 and all but one of the `n_picks` picks
/// of all types, at most 32.
///
/// # Errors
/// Fewer than 4 picks.
pub fn default_n_interpolate(n_picks: usize) -> Result<Vec<i64>> {
    if n_picks < 4 {
        let advice = "pick more channels or give --n-interpolate";
        return Err(Error::data("channels", format!("{n_picks} picks"), "at least 4", advice));
    }
    Ok(vec![1, 4, (n_picks - 1).min(32) as i64])
}

#[cfg(test)]
mod tests;
