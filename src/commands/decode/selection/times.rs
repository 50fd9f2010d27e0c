//! Decoding times: edges of the rows, seconds.

use super::super::condition;
use super::Positions;
use crate::error::{Error, Result};

/// `START:STOP:STEP` in seconds; STOP is excluded.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct TimeSpan {
    /// The first time.
    pub start: f64,
    /// No time is this or later.
    pub stop: f64,
    /// Seconds from one time to the next.
    pub step: f64,
}

impl TimeSpan {
    /// Number of times; a STOP that is a whole number of steps away but for rounding is excluded.
    ///
    /// # Errors
    /// [`Error::Usage`] for a step that is not positive or is lost in rounding at these times, and
    /// for fewer than 2 or more than 2^32 times.
    pub fn count(&self) -> Result<usize> {
        let shown = format!("--time {}:{}:{}", self.start, self.stop, self.step);
        let Some(steps) = steps(self.start, self.stop, self.step) else {
            return Err(Error::usage(format!(
                "{shown}: START and STOP in seconds and a positive STEP are needed, \
                 larger than the rounding of such times"
            )));
        };
        let count = steps.ceil();
        if count < 2.0 {
            let what = "at least 2 times are needed, they are edges of bins";
            return Err(Error::usage(format!("{shown}: {} times; {what}", count.max(0.0))));
        }
        if count > f64::from(u32::MAX) {
            return Err(Error::usage(format!("{shown}: {count} times, more than 2^32")));
        }
        Ok(count as usize)
    }

    /// The times, each START plus a whole number of steps.
    ///
    /// # Errors
    /// As [`TimeSpan::count`].
    pub fn times(&self) -> Result<Vec<f64>> {
        Ok(spread(self.start, self.step, self.count()?))
    }
}

/// Whole and part steps between two times, whole ones freed from rounding. `None` where the step
/// is no positive number, or so small that neighbouring times would be equal or nearly so.
fn steps(start: f64, stop: f64, step: f64) -> Option<f64> {
    let rounding = f64::EPSILON * (start.abs() + stop.abs() + step);
    if !(rounding.is_finite() && step > 8.0 * rounding) {
        return None;
    }
    let steps = (stop - start) / step;
    let near = 2.0 * rounding / step + steps.abs() * 4.0 * f64::EPSILON;
    Some(if (steps - steps.round()).abs() <= near { steps.round() } else { steps })
}

fn spread(start: f64, step: f64, count: usize) -> Vec<f64> {
    (0..count).map(|index| start + index as f64 * step).collect()
}

/// The times where neither user nor file names any: from the first position sample in median
/// position steps, as far as samples go. `place` names the session in errors.
///
/// # Errors
/// Fewer than two times, or more than 2^32.
pub fn default_times(positions: &Positions, place: &str) -> Result<Vec<f64>> {
    let ends = positions.time.first().zip(positions.time.last());
    let step = median_step(&positions.time);
    let count = ends.and_then(|(&first, &last)| steps(first, last, step)).map(|steps| steps.floor() + 1.0);
    match (ends, count) {
        (Some((&first, _)), Some(count)) if (2.0..=f64::from(u32::MAX)).contains(&count) => {
            Ok(spread(first, step, count as usize))
        }
        _ => {
            let found = format!("{} position samples in steps of {step} s", positions.samples());
            Err(Error::data(place, found, "2 to 2^32 decoding times", "give --time START:STOP:STEP"))
        }
    }
}

/// Decoding times that came from a file: at least two, finite, strictly increasing.
///
/// # Errors
/// Names the first index that is none of these.
pub fn check_decoding_times(place: &str, time: &[f64]) -> Result<()> {
    condition::check_decoding_times(place, time)
}

/// Median of the steps between neighbouring times, numpy's (the mean of the middle two where
/// their number is even); NaN for fewer than two times.
pub fn median_step(time: &[f64]) -> f64 {
    let mut steps: Vec<f64> = time.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let middle = steps.len() / 2;
    if steps.is_empty() {
        return f64::NAN;
    }
    let (below, &mut upper, _) = steps.select_nth_unstable_by(middle, f64::total_cmp);
    if time.len().is_multiple_of(2) {
        return upper;
    }
    let lower = below.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    (lower + upper) / 2.0
}
