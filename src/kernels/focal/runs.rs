//! Flat kernels as runs of equal weights (spec convolve 8.2.4).
//!
//! Sums over a run of `L` cells are put together from sums of 1, 2, 4, 8 ... cells: additions
//! only, so nothing cancels, an error stays where it arose, and no sum depends on where a strip
//! begins.

/// Consecutive equal weights in one kernel row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// Kernel row.
    pub row: usize,
    /// First kernel column.
    pub col: usize,
    /// Which of [`RunPlan::lengths`].
    pub length: usize,
}

/// A rectangle of equal weights that is the whole kernel but for zero margins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rectangle {
    /// First kernel row.
    pub row: usize,
    /// Rows.
    pub rows: usize,
    /// First kernel column.
    pub col: usize,
    /// Columns.
    pub cols: usize,
}

/// A flat kernel in runs.
#[derive(Debug, Clone, PartialEq)]
pub struct RunPlan {
    /// The one weight that is not zero.
    pub value: f64,
    /// The distinct lengths, ascending.
    pub lengths: Vec<usize>,
    /// All runs, by rows, then columns.
    pub runs: Vec<Run>,
    /// The kernel as a rectangle, if it is one.
    pub rectangle: Option<Rectangle>,
}

impl RunPlan {
    /// The runs of `rows x cols` weights (row-major), or `None` if two non-zero weights differ
    /// or there is none.
    pub fn new(values: &[f64], rows: usize, cols: usize) -> Option<Self> {
        let value = values.iter().copied().find(|&k| k != 0.0)?;
        if !value.is_finite() || values.iter().any(|&k| k != 0.0 && k != value) {
            return None;
        }
        let mut found = Vec::new();
        for (row, weights) in values.chunks(cols).enumerate().take(rows) {
            let mut col = 0;
            while col < cols {
                let length = weights[col..].iter().take_while(|&&k| k != 0.0).count();
                if length > 0 {
                    found.push((row, col, length));
                }
                col += length.max(1);
            }
        }
        let mut lengths: Vec<usize> = found.iter().map(|r| r.2).collect();
        lengths.sort_unstable();
        lengths.dedup();
        let rectangle = rectangle(&found);
        let index = |length| lengths.binary_search(&length).unwrap_or(0);
        let runs = found.iter().map(|&(row, col, length)| Run { row, col, length: index(length) }).collect();
        Some(RunPlan { value, lengths, runs, rectangle })
    }

    /// Additions a cell.
    pub fn adds(&self) -> usize {
        let row_sums = |lengths: &[usize]| {
            let longest = lengths.last().copied().unwrap_or(1);
            longest.ilog2() as usize + lengths.iter().map(|l| l.count_ones() as usize - 1).sum::<usize>()
        };
        match self.rectangle {
            Some(r) => r.rows.div_ceil(8) + 3 + row_sums(&[r.cols]),
            None => row_sums(&self.lengths) + self.runs.len(),
        }
    }
}

fn rectangle(found: &[(usize, usize, usize)]) -> Option<Rectangle> {
    let &(row, col, cols) = found.first()?;
    let same = found.iter().enumerate().all(|(i, r)| *r == (row + i, col, cols));
    same.then_some(Rectangle { row, rows: found.len(), col, cols })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_circle_and_a_box_in_runs() {
        let circle: Vec<f64> = (-20..=20_i32)
            .flat_map(|y| (-20..=20_i32).map(move |x| f64::from(u8::from(x * x + y * y <= 400))))
            .collect();
        let plan = RunPlan::new(&circle, 41, 41).unwrap();
        assert_eq!((plan.runs.len(), plan.lengths.len(), plan.rectangle), (41, 13, None));
        let total: usize = plan.runs.iter().map(|r| plan.lengths[r.length]).sum();
        assert_eq!(total, 1257);
        let plan = RunPlan::new(&[0.5; 15], 3, 5).unwrap();
        assert_eq!(plan.rectangle, Some(Rectangle { row: 0, rows: 3, col: 0, cols: 5 }));
        let framed = [0., 0., 0., 0., 2., 0., 0., 2., 0., 0., 0., 0., 0., 0., 0.];
        let plan = RunPlan::new(&framed, 5, 3).unwrap();
        assert_eq!(plan.rectangle, Some(Rectangle { row: 1, rows: 2, col: 1, cols: 1 }));
    }

    #[test]
    fn gaps_make_runs_and_unequal_weights_are_refused() {
        let plan = RunPlan::new(&[1., 0., 1., 1., 1., 0., 0., 0., 0., 1.], 2, 5).unwrap();
        assert_eq!(plan.lengths, [1, 3]);
        assert_eq!(plan.runs.len(), 3);
        assert_eq!(plan.rectangle, None);
        assert!(RunPlan::new(&[1., 2., 1.], 1, 3).is_none());
        assert!(RunPlan::new(&[1., -1., 1.], 1, 3).is_none());
        assert!(RunPlan::new(&[0.; 9], 3, 3).is_none());
    }
}
