//! Weights laid out for the direct kernel.

/// Weights column by column, so that the weights that one loaded vector meets lie side by side.
#[derive(Debug, Clone)]
pub struct TapTable {
    /// Kernel rows.
    pub rows: usize,
    /// Kernel columns.
    pub cols: usize,
    /// `k[a, b]` at `b * rows + a`.
    pub by_column: Vec<f64>,
    /// First and one past the last column of interest in each kernel row.
    spans: Vec<(usize, usize)>,
    /// True where every span is the whole row.
    full: bool,
}

impl TapTable {
    /// Lays out `rows x cols` weights, row-major. `skip_zeros` leaves out zero weights at both
    /// ends of the rows, which is right for finite data only.
    pub fn new(values: &[f64], rows: usize, cols: usize, skip_zeros: bool) -> Self {
        let by_column = (0..cols).flat_map(|b| (0..rows).map(move |a| values[a * cols + b])).collect();
        let span = |row: &[f64]| match row.iter().position(|&k| k != 0.0) {
            _ if !skip_zeros => (0, cols),
            Some(first) => (first, row.iter().rposition(|&k| k != 0.0).map_or(first, |last| last + 1)),
            None => (cols, 0),
        };
        let spans: Vec<_> = values.chunks(cols).map(span).collect();
        let full = spans.iter().all(|&s| s == (0, cols));
        TapTable { rows, cols, by_column, spans, full }
    }

    /// Columns that matter where input row `y` of a block of `height` output rows is added:
    /// the kernel rows `y - height + 1 ..= y` that exist. Empty if the end is not behind the first.
    #[inline(always)]
    pub fn columns_at(&self, y: usize, height: usize) -> (usize, usize) {
        if self.full {
            return (0, self.cols);
        }
        let rows = (y + 1).saturating_sub(height)..(y + 1).min(self.rows);
        let spans = self.spans.get(rows).unwrap_or_default();
        let first = spans.iter().map(|s| s.0).min().unwrap_or(0);
        (first, spans.iter().map(|s| s.1).max().unwrap_or(0))
    }
}
