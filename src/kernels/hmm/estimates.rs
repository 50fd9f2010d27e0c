//! Estimates of position from a posterior over places (spec decode 5.4).
//!
//! Input is one row `[place]`, states already summed (see
//! [`Chain::place_probabilities`](super::Chain::place_probabilities)).

/// The first place of largest probability; 0 where there is none.
pub fn most_likely(row: &[f64]) -> usize {
    let mut found = (f64::NEG_INFINITY, 0);
    for (place, &value) in row.iter().enumerate() {
        if value > found.0 {
            found = (value, place);
        }
    }
    found.1
}

/// Mean position into `out[axis]` for `centers[place][axis]`, in the centres' unit: of the
/// probability that lies on places at all, not a number where none does.
///
/// # Panics
///
/// If there are not as many centres as places.
pub fn mean_position(row: &[f64], centers: &[f64], out: &mut [f64]) {
    let axes = out.len();
    assert_eq!(centers.len(), row.len() * axes);
    out.fill(0.0);
    let mut total = 0.0;
    for (&value, center) in row.iter().zip(centers.chunks_exact(axes.max(1))) {
        total += value;
        out.iter_mut().zip(center).for_each(|(sum, x)| *sum += value * x);
    }
    out.iter_mut().for_each(|sum| *sum /= total);
}

/// Thresholds of the regions of highest probability: for each of `coverages` the value at which
/// the sorted (descending) and cumulated row reaches that share of its sum; the least value where
/// it never does. The region is every place of at least the threshold.
///
/// `sorted` is room that keeps its capacity.
///
/// # Panics
///
/// If there are not as many thresholds as coverages.
pub fn highest_density(row: &[f64], coverages: &[f64], thresholds: &mut [f64], sorted: &mut Vec<f64>) {
    assert_eq!(coverages.len(), thresholds.len());
    let total: f64 = row.iter().sum();
    let largest = row.iter().copied().fold(0.0, f64::max);
    if total <= 0.0 || row.is_empty() {
        thresholds.fill(0.0);
        return;
    }
    // Most of a posterior lies in few places: only values above a falling bound are sorted, until
    // they cover what is asked. The sums are those of the whole sorted row, term by term.
    let mut bound = largest / 64.0;
    loop {
        sorted.clear();
        sorted.extend(row.iter().filter(|&&value| value >= bound));
        sorted.sort_unstable_by(|a, b| b.total_cmp(a));
        let whole = sorted.len() == row.len() || bound == 0.0;
        if reach(sorted, total, coverages, thresholds) || whole {
            return;
        }
        bound = if bound < largest * 1e-30 { 0.0 } else { bound / 4096.0 };
    }
}

/// Fills the thresholds from values in falling order; false where they do not reach a coverage.
fn reach(sorted: &[f64], total: f64, coverages: &[f64], thresholds: &mut [f64]) -> bool {
    let mut all = true;
    for (&coverage, threshold) in coverages.iter().zip(thresholds) {
        let mut sum = 0.0;
        let found = sorted.iter().find(|&&value| {
            sum += value / total;
            sum >= coverage
        });
        all &= found.is_some();
        let last = sorted.last().copied().unwrap_or(0.0);
        *threshold = found.copied().unwrap_or(last) / total * total;
    }
    all
}

/// Places of at least the threshold.
pub fn region_size(row: &[f64], threshold: f64) -> usize {
    row.iter().filter(|&&value| value >= threshold).count()
}
