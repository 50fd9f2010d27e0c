//! Which rows of a recording a column of pixels stands for, and which bins a row of pixels.

/// Pixel columns over the time axis, evenly spaced in time.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Columns {
    /// First row and end of every column; empty in a gap of the recording.
    pub rows: Vec<(usize, usize)>,
    /// Beginning of the first row and end of the last, s.
    pub span: (f64, f64),
}

impl Columns {
    /// `count` columns over increasing `time`. A row lasts until the next one begins, but for the
    /// last one, which lasts as long as the median row, and those before a gap: half as long again at most.
    pub fn new(time: &[f64], count: usize) -> Self {
        let (first, last) = (time.first().copied().unwrap_or(0.0), time.last().copied().unwrap_or(0.0));
        let usual = median_step(time);
        let span = (first, last + usual);
        let edge = |column: usize| first + (span.1 - span.0) * column as f64 / count as f64;
        let rows = (0..count).map(|column| {
            let begin = edge(column);
            let row = time.partition_point(|&t| t < begin);
            let end = match column + 1 {
                next if next == count => time.len(),
                next => time.partition_point(|&t| t < edge(next)),
            };
            // No row begins here: the one before may still last.
            match row.checked_sub(1).and_then(|before| time.get(before)) {
                Some(before) if end <= row && begin - before < 1.5 * usual => (row - 1, row),
                _ => (row, end.max(row)),
            }
        });
        Columns { rows: rows.collect(), span }
    }

    /// How long the recording is, s.
    pub fn duration(time: &[f64]) -> f64 {
        time.last().zip(time.first()).map_or(0.0, |(last, first)| last - first)
    }

    /// The part `index` of `count` equal ones, s.
    pub fn part(&self, index: usize, count: usize) -> (f64, f64) {
        let edge = |index: usize| self.span.0 + (self.span.1 - self.span.0) * index as f64 / count as f64;
        (edge(index), edge(index + 1))
    }

    /// Rows that share a column, at most.
    pub fn most(&self) -> usize {
        self.rows.iter().map(|(first, end)| end - first).max().unwrap_or(0)
    }
}

/// Median distance of neighbours; 1 where there are none.
fn median_step(time: &[f64]) -> f64 {
    let mut steps: Vec<f64> = time.windows(2).map(|pair| pair[1] - pair[0]).collect();
    if steps.is_empty() {
        return 1.0;
    }
    let middle = steps.len() / 2;
    *steps.select_nth_unstable_by(middle, f64::total_cmp).1
}

/// Pixel rows along one position axis, without the bins at either end that are not interior, as
/// the padding of a 2-D grid.
#[derive(Debug, Clone)]
pub(super) struct Stripes {
    /// Edges of the stripes, ascending; a stripe is one bin, or a few where there are very many.
    pub edges: Vec<f64>,
    /// Stripe of every bin along the axis; [`NOWHERE`] for those left out.
    pub of_bin: Vec<usize>,
    /// Stripes with an interior bin.
    pub seen: Vec<bool>,
    /// Some stripes are several bins.
    pub merged: bool,
}

/// The stripe of what has none.
pub(super) const NOWHERE: usize = usize::MAX;

impl Stripes {
    /// At most `most` stripes over bins with these edges, of which `inside` have an interior bin.
    pub fn new(edges: &[f64], inside: &[bool], most: usize) -> Self {
        let first = inside.iter().position(|inside| *inside).unwrap_or(0);
        let end = inside.iter().rposition(|inside| *inside).map_or(first, |last| last + 1);
        let bins = end - first;
        let stripes = bins.min(most);
        let of_bin: Vec<usize> = (0..inside.len())
            .map(|bin| if (first..end).contains(&bin) { (bin - first) * stripes / bins } else { NOWHERE })
            .collect();
        let starts = (first..end).filter(|&bin| bin == first || of_bin[bin] != of_bin[bin - 1]);
        let edges = starts.chain([end]).filter_map(|bin| edges.get(bin).copied()).collect();
        let mut seen = vec![false; stripes];
        for (&stripe, &inside) in of_bin.iter().zip(inside) {
            if let Some(seen) = seen.get_mut(stripe) {
                *seen |= inside;
            }
        }
        Stripes { edges, of_bin, seen, merged: bins > most }
    }

    /// Lowest and highest position.
    pub fn span(&self) -> (f64, f64) {
        match (self.edges.first(), self.edges.last()) {
            (Some(&low), Some(&high)) if low < high => (low, high),
            _ => (0.0, 1.0),
        }
    }

    /// For each of the pixel rows from the top its stripe. Bins of one width are left to the image
    /// to stretch; others get `height` pixel rows.
    pub fn pixels(&self, height: usize) -> Vec<usize> {
        let (low, high) = self.span();
        let count = self.seen.len();
        let width = (high - low) / count.max(1) as f64;
        let even = self.edges.windows(2).all(|pair| ((pair[1] - pair[0]) / width - 1.0).abs() < 1e-6);
        if even {
            return (0..count).rev().collect();
        }
        let middle = |row: usize| low + (high - low) * (1.0 - (row as f64 + 0.5) / height as f64);
        let stripe = |at: f64| self.edges.partition_point(|&edge| edge <= at).saturating_sub(1);
        (0..height).map(|row| stripe(middle(row)).min(count.saturating_sub(1))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_a_column_and_gaps_have_no_row() {
        let even: Vec<f64> = (0..1000).map(|i| 1e9 + f64::from(i) * 0.002).collect();
        let columns = Columns::new(&even, 64);
        assert_eq!(columns.rows[0].0, 0);
        assert!(columns.rows.windows(2).all(|pair| pair[0].1 == pair[1].0));
        assert_eq!((columns.rows[63].1, columns.most()), (1000, 16));
        let few = Columns::new(&even[..10], 64);
        assert!(few.rows.iter().all(|(first, end)| end - first == 1));
        assert_eq!((few.rows[0], few.rows[63]), ((0, 1), (9, 10)));
        let gap: Vec<f64> = (0..10).chain(90..100).map(f64::from).collect();
        let columns = Columns::new(&gap, 100);
        assert_eq!(columns.rows[9..12], [(9, 10), (9, 10), (10, 10)]);
        assert_eq!(columns.rows[90], (10, 11));
        assert_eq!(Columns::new(&[5.0], 3).rows, [(0, 1), (0, 1), (0, 1)]);
        assert_eq!(Columns::new(&[], 2).most(), 0);
    }

    #[test]
    fn stripes_lie_where_their_bins_are() {
        let even = Stripes::new(&[0.0, 2.0, 4.0, 6.0], &[true; 3], 480);
        assert_eq!((even.pixels(480), even.span()), (vec![2, 1, 0], (0.0, 6.0)));
        // A wide gap between two arms.
        let arms = Stripes::new(&[0.0, 2.0, 4.0, 14.0, 16.0], &[true, true, false, true], 480);
        assert_eq!(arms.pixels(8), [3, 2, 2, 2, 2, 2, 1, 0]);
        assert_eq!(arms.seen, [true, true, false, true]);
        let padded = Stripes::new(&[0.0, 2.0, 4.0, 6.0], &[false, true, false], 480);
        assert_eq!((padded.span(), padded.of_bin), ((2.0, 4.0), vec![NOWHERE, 0, NOWHERE]));
        let many = Stripes::new(&(0..=1000).map(f64::from).collect::<Vec<_>>(), &[true; 1000], 480);
        assert!(many.merged);
        assert_eq!((many.seen.len(), many.edges.len(), many.of_bin[999]), (480, 481, 479));
        assert!(many.of_bin.windows(2).all(|pair| pair[1] - pair[0] <= 1));
        assert!(Stripes::new(&[], &[], 480).pixels(5).is_empty());
    }
}
