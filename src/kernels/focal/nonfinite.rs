//! NaN and infinities beside the fast paths (spec convolve 8.3).
//!
//! A fast path computes with zeros in place of non-finite values. Here is where they stood, and
//! which output cells have one in their full rectangle, in constant time a cell.

/// A NaN stood here, or one lies in the window.
pub const NAN: u8 = 1;
/// An infinity stood here, or one lies in the window.
pub const INFINITE: u8 = 2;

/// Marks of a patch and the sweep over it; all buffers are made once.
#[derive(Debug)]
pub struct Marks {
    marks: Vec<u8>,
    cols: usize,
    /// Per column: one past the last row with a NaN, and with an infinity.
    last: Vec<[usize; 2]>,
    /// Rows swept so far.
    swept: usize,
    near: Vec<u8>,
}

impl Marks {
    /// Room for patches of up to `rows` x `cols` values.
    pub fn new(rows: usize, cols: usize) -> Self {
        Marks { marks: vec![0; rows * cols], cols, last: vec![[0; 2]; cols], swept: 0, near: vec![0; cols] }
    }

    /// Bytes for patches of this size.
    pub fn bytes(rows: usize, cols: usize) -> usize {
        rows * cols + 17 * cols
    }

    /// Marks the non-finite values of a patch of `rows` x `cols` values (rows `stride` elements
    /// apart) and puts zeros in their place.
    ///
    /// Returns the largest magnitude of the finite values.
    pub fn clean(&mut self, patch: &mut [f64], stride: usize, rows: usize, cols: usize) -> f64 {
        self.cols = cols;
        self.swept = 0;
        self.last[..cols].fill([0; 2]);
        let mut largest = 0.0_f64;
        for (values, marks) in patch.chunks_mut(stride).zip(self.marks.chunks_mut(cols)).take(rows) {
            for (value, mark) in values.iter_mut().zip(marks) {
                *mark = if value.is_finite() {
                    largest = largest.max(value.abs());
                    0
                } else {
                    let mark = if value.is_nan() { NAN } else { INFINITE };
                    *value = 0.0;
                    mark
                };
            }
        }
        largest
    }

    /// For output row `row` of the patch (rows in ascending order): what lies in the windows of
    /// `height` x `width` values that start in this row, one flag set per column.
    pub fn near(&mut self, row: usize, height: usize, width: usize) -> &[u8] {
        while self.swept < row + height {
            let marks = &self.marks[self.swept * self.cols..][..self.cols];
            self.swept += 1;
            for (last, mark) in self.last.iter_mut().zip(marks) {
                if mark & NAN != 0 {
                    last[0] = self.swept;
                }
                if mark & INFINITE != 0 {
                    last[1] = self.swept;
                }
            }
        }
        // One past the last column whose reach of rows holds a NaN, an infinity.
        let mut past = [0, 0];
        let outputs = self.cols + 1 - width;
        for (col, last) in self.last[..self.cols].iter().enumerate() {
            for kind in 0..2 {
                if last[kind] > row {
                    past[kind] = col + 1;
                }
            }
            if let Some(first) = (col + 1).checked_sub(width) {
                self.near[first] = u8::from(past[0] > first) * NAN + u8::from(past[1] > first) * INFINITE;
            }
        }
        &self.near[..outputs]
    }
}

/// Runs of cells in a row for which `wanted` holds, as column ranges.
pub fn runs<'a>(
    near: &'a [u8],
    wanted: impl Fn(u8) -> bool + 'a,
) -> impl Iterator<Item = std::ops::Range<usize>> + 'a {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + near[at..].iter().position(|&m| wanted(m))?;
        let end = near[start..].iter().position(|&m| !wanted(m)).map_or(near.len(), |n| start + n);
        at = end;
        Some(start..end)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_reach_the_full_rectangle_and_no_further() {
        let (rows, cols, height, width) = (9, 11, 3, 5);
        let mut patch = vec![1.0; rows * 16];
        patch[4 * 16 + 5] = f64::NAN;
        patch[2 * 16] = f64::NEG_INFINITY;
        patch[8 * 16 + 10] = f64::INFINITY;
        let original = patch.clone();
        let mut marks = Marks::new(rows, cols);
        for _ in 0..2 {
            patch.copy_from_slice(&original);
            assert_eq!(marks.clean(&mut patch, 16, rows, cols), 1.0);
            for i in 0..=rows - height {
                let near = marks.near(i, height, width).to_vec();
                for (j, &flags) in near.iter().enumerate() {
                    let window = |hit: fn(f64) -> bool| {
                        (0..height * width).any(|t| hit(original[(i + t / width) * 16 + j + t % width]))
                    };
                    assert_eq!(flags & NAN != 0, window(f64::is_nan), "{i} {j}");
                    assert_eq!(flags & INFINITE != 0, window(f64::is_infinite), "{i} {j}");
                }
            }
        }
        assert!(patch.iter().all(|v| v.is_finite()));
    }

    #[test]
    fn runs_are_the_maximal_stretches() {
        let collect = |near: &[u8]| runs(near, |m| m != 0).map(|r| (r.start, r.end)).collect::<Vec<_>>();
        assert_eq!(collect(&[0, 1, 2, 0, 0, 1]), [(1, 3), (5, 6)]);
        assert_eq!(collect(&[1]), [(0, 1)]);
        assert_eq!(collect(&[0, 0]), []);
        assert_eq!(collect(&[]), []);
    }
}
