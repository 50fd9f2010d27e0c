//! How a tall table of epochs is cut into strips side by side, so that every cell keeps at least
//! one device pixel.

/// Room for the cells of all strips and the gutters between them, in points.
const ROOM: (f64, f64) = (780.0, 480.0);
/// Space left of each strip for the numbers of its epochs.
pub(super) const GUTTER: f64 = 44.0;
/// Side of a cell that is seen without effort, and the most that looks well.
const COMFORT: f64 = 3.0;
const LARGEST: f64 = 24.0;
/// Half a point is one device pixel.
const SMALLEST: f64 = 0.5;

/// Strips of square cells.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Folding {
    /// Side of a cell, a multiple of half a point.
    pub cell: f64,
    /// Strips side by side.
    pub strips: usize,
    /// Rows of a strip; the last one may have fewer.
    pub rows: usize,
    /// Epochs that share a row, and channels that share a column.
    pub shared: (usize, usize),
}

impl Folding {
    /// For `epochs` rows of `channels` cells. One strip where its cells are large enough, else as
    /// few as make them so, else those with the largest cells.
    pub fn of(epochs: usize, channels: usize) -> Self {
        let mut shared = (1, 1);
        loop {
            let (rows, columns) = (epochs.div_ceil(shared.0), channels.div_ceil(shared.1));
            if let Some(found) = fitting(rows.max(1), columns.max(1)) {
                return Folding { shared, ..found };
            }
            // Only channels can be too wide for a single strip.
            if columns as f64 * SMALLEST > ROOM.0 - GUTTER { shared.1 *= 2 } else { shared.0 *= 2 }
        }
    }
}

fn fitting(rows: usize, columns: usize) -> Option<Folding> {
    let with = |strips: usize| {
        let rows = rows.div_ceil(strips);
        let width = (ROOM.0 - strips as f64 * GUTTER) / (strips * columns) as f64;
        let cell = width.min(ROOM.1 / rows as f64).min(LARGEST);
        // Whole device pixels, so that all cells are of one size.
        Folding { cell: (cell * 2.0).floor() / 2.0, strips, rows, shared: (1, 1) }
    };
    let all = || (1..=12).map(with);
    let comfortable = all().find(|f| f.cell >= COMFORT);
    let largest = all().reduce(|best, f| if f.cell > best.cell { f } else { best });
    comfortable.or(largest).filter(|f| f.cell >= SMALLEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_tables_are_one_strip_and_long_ones_fold() {
        assert_eq!(Folding::of(80, 32), Folding { cell: 6.0, strips: 1, rows: 80, shared: (1, 1) });
        assert_eq!(Folding::of(300, 64), Folding { cell: 3.0, strips: 2, rows: 150, shared: (1, 1) });
        let large = Folding::of(6000, 128);
        assert_eq!((large.cell, large.shared), (0.5, (1, 1)), "every cell still has its pixel: {large:?}");
        assert!(large.strips * large.rows >= 6000);
    }

    #[test]
    fn tables_beyond_the_page_share_rows_and_columns() {
        for (epochs, channels) in [(1_000_000, 300), (10, 5000), (100_000, 5000)] {
            let f = Folding::of(epochs, channels);
            assert!(f.cell >= SMALLEST && f.strips * f.rows * f.shared.0 >= epochs, "{f:?}");
            let columns = channels.div_ceil(f.shared.1);
            let width = f.strips as f64 * (GUTTER + columns as f64 * f.cell);
            assert!(width <= ROOM.0 && f.rows as f64 * f.cell <= ROOM.1, "{f:?}");
        }
        assert_eq!(Folding::of(0, 0).cell, LARGEST);
    }
}
