//! Positions at given times: straight lines between samples, and beyond the first and last the
//! line through the two nearest (spec decode 1.2). Original coordinates, before any linearising.

/// How many of `sorted` are `<= value`; fast where few are, for walks along ascending values.
pub(super) fn leap(sorted: &[f64], value: f64) -> usize {
    let (mut known, mut step) = (0, 1);
    // Doubling steps until one goes too far, then a search inside the last.
    while sorted.get(known + step - 1).is_some_and(|&entry| entry <= value) {
        known += step;
        step *= 2;
    }
    let last = sorted.get(known..(known + step - 1).min(sorted.len())).unwrap_or_default();
    known + last.partition_point(|&entry| entry <= value)
}

/// Walks along position samples; ascending times are fast, others right.
#[derive(Debug, Clone)]
pub struct PositionWalk<'a> {
    time: &'a [f64],
    data: &'a [f64],
    axes: usize,
    segment: usize,
}

impl<'a> PositionWalk<'a> {
    /// `time` strictly increases and has at least two entries, `data` is `[sample][axis]`.
    pub fn new(time: &'a [f64], data: &'a [f64], axes: usize) -> Self {
        PositionWalk { time, data, axes, segment: 0 }
    }

    /// The position at `time`, one value an axis; NaN where a sample that has a share in it is.
    pub fn at(&mut self, time: f64, out: &mut [f64]) {
        if self.time.get(self.segment).is_none_or(|&start| time < start) {
            self.segment = 0;
        }
        let ends = self.time.get(self.segment + 1..self.time.len().saturating_sub(1)).unwrap_or_default();
        self.segment += leap(ends, time);
        let sample = |index: usize| self.data.get(index * self.axes..(index + 1) * self.axes);
        let segment = self.segment;
        let (Some(&start), Some(&end), Some(left), Some(right)) =
            (self.time.get(segment), self.time.get(segment + 1), sample(segment), sample(segment + 1))
        else {
            return out.fill(f64::NAN);
        };
        let share = (time - start) / (end - start);
        for ((out, &left), &right) in out.iter_mut().zip(left).zip(right) {
            // At a sample its neighbour has no share, be it missing or not.
            *out = match share {
                0.0 => left,
                1.0 => right,
                _ => left * (1.0 - share) + right * share,
            };
        }
    }
}

/// Positions at many times, `[time][axis]`.
pub fn interpolate(time: &[f64], data: &[f64], axes: usize, at: &[f64]) -> Vec<f64> {
    let mut out = vec![0.0; at.len() * axes];
    let mut walk = PositionWalk::new(time, data, axes);
    for (&at, row) in at.iter().zip(out.chunks_exact_mut(axes.max(1))) {
        walk.at(at, row);
    }
    out
}

/// Rows that are missing: those whose interpolated position, `[row][axis]`, has a NaN.
pub fn missing_rows(positions: &[f64], axes: usize) -> Vec<bool> {
    positions.chunks_exact(axes.max(1)).map(|row| row.iter().any(|value| value.is_nan())).collect()
}
