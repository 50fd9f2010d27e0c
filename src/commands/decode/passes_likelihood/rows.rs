//! A row of log likelihoods: begun, added to spike by spike in double precision, ended.

use super::Value;

/// Begins the bins of a row: without spikes they cost the ground process.
pub(in crate::commands::decode) fn begin(sum: &mut [f64], ground: &[f64], missing: bool) {
    for (value, ground) in sum.iter_mut().zip(ground) {
        *value = if missing { 0.0 } else { -ground };
    }
}

/// Adds a spike's log intensities to the bins of a row.
pub(in crate::commands::decode) fn add<T: Value>(sum: &mut [f64], more: &[T]) {
    for (value, &m) in sum.iter_mut().zip(more) {
        *value += m.widen();
    }
}

/// Ends a row of sums: its values less their greatest, which is returned as the offset.
pub(in crate::commands::decode) fn settle<T: Value>(sum: &[f64], values: &mut [T]) -> f64 {
    let offset = greatest(sum);
    for (value, s) in values.iter_mut().zip(sum) {
        *value = T::round_from(s - offset);
    }
    offset
}

/// The greatest value where it is finite, else 0.
fn greatest(values: &[f64]) -> f64 {
    let most = values.iter().fold(f64::NEG_INFINITY, |most, &value| most.max(value));
    if most.is_finite() { most } else { 0.0 }
}
