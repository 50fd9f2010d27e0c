//! Thumbnails made from rows as they stream by.

use super::Grid;
use crate::array::Real;

/// What a pixel takes from the cells it covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reduce {
    /// The mean of those that are not NaN.
    Mean,
    /// The one in the middle: for classes, whose mean has no meaning.
    Middle,
}

/// Reduces a raster to a grid of at most `side` pixels per axis, in one pass over its rows.
#[derive(Debug, Clone)]
pub struct Thinner {
    raster: (usize, usize),
    grid: (usize, usize),
    reduce: Reduce,
    sums: Vec<f64>,
    counts: Vec<u32>,
}

impl Thinner {
    /// For a raster of `height` x `width` cells.
    pub fn new((height, width): (usize, usize), side: usize, reduce: Reduce) -> Self {
        let grid = (height.min(side), width.min(side));
        let pixels = grid.0 * grid.1;
        Thinner { raster: (height, width), grid, reduce, sums: vec![0.0; pixels], counts: vec![0; pixels] }
    }

    /// Takes whole rows, `[row, column]`, that begin at `first_row`. The order of rows may only
    /// show in the last digits.
    pub fn take<T: Real>(&mut self, first_row: usize, rows: &[T]) {
        let (height, width) = self.raster;
        for (i, row) in (first_row..height).zip(rows.chunks_exact(width.max(1))) {
            let line = i * self.grid.0 / height;
            if self.reduce == Reduce::Middle && i != middle(line, self.grid.0, height) {
                continue;
            }
            let pixels = line * self.grid.1..(line + 1) * self.grid.1;
            let (sums, counts) = (&mut self.sums[pixels.clone()], &mut self.counts[pixels]);
            for (p, (sum, count)) in sums.iter_mut().zip(counts).enumerate() {
                let cells = match self.reduce {
                    Reduce::Mean => start(p, self.grid.1, width)..start(p + 1, self.grid.1, width),
                    Reduce::Middle => {
                        let j = middle(p, self.grid.1, width);
                        j..j + 1
                    }
                };
                for v in row[cells].iter().map(|v| v.widen()).filter(|v| !v.is_nan()) {
                    *sum += v;
                    *count += 1;
                }
            }
        }
    }

    /// The thumbnail; NaN where no valid cell was seen.
    pub fn grid(&self) -> Grid {
        let pixels = self.sums.iter().zip(&self.counts);
        let values = pixels.map(|(sum, &n)| if n == 0 { f32::NAN } else { (sum / f64::from(n)) as f32 });
        Grid { values: values.collect(), width: self.grid.1 }
    }
}

/// First cell of pixel `p` of `pixels` over `cells` cells: the pixel p with
/// `cell * pixels / cells = p` begins here.
fn start(p: usize, pixels: usize, cells: usize) -> usize {
    (p * cells).div_ceil(pixels)
}

fn middle(p: usize, pixels: usize, cells: usize) -> usize {
    let (a, b) = (start(p, pixels, cells), start(p + 1, pixels, cells));
    a + (b - a - 1) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_cover_every_cell_once_and_leave_nan_out() {
        let (height, width) = (7, 11);
        let mut values = vec![1.0f64; height * width];
        values[3] = f64::NAN;
        let mut thinner = Thinner::new((height, width), 4, Reduce::Mean);
        thinner.take(0, &values[..3 * width]);
        thinner.take(3, &values[3 * width..]);
        assert_eq!((thinner.grid().height(), thinner.grid().width()), (4, 4));
        assert_eq!(thinner.counts.iter().sum::<u32>(), 76);
        assert!(thinner.grid().values().iter().all(|v| *v == 1.0));
    }

    #[test]
    fn small_rasters_stay_as_they_are() {
        let values: Vec<f32> = (0..12).map(|i| if i == 5 { f32::NAN } else { i as f32 }).collect();
        for reduce in [Reduce::Mean, Reduce::Middle] {
            let mut thinner = Thinner::new((3, 4), 800, reduce);
            thinner.take(0, &values);
            let grid = thinner.grid();
            assert!(grid.values().iter().zip(&values).all(|(g, v)| g == v || (g.is_nan() && v.is_nan())));
        }
    }

    #[test]
    fn classes_are_sampled_not_averaged() {
        let values: Vec<f32> = (0..100).map(|i| if i % 2 == 0 { -99.0 } else { 99.0 }).collect();
        let mut thinner = Thinner::new((10, 10), 3, Reduce::Middle);
        thinner.take(0, &values);
        assert!(thinner.grid().values().iter().all(|v| v.abs() == 99.0));
    }

    #[test]
    fn empty_rasters_give_empty_grids() {
        for shape in [(0, 5), (5, 0), (0, 0)] {
            let mut thinner = Thinner::new(shape, 800, Reduce::Mean);
            thinner.take::<f32>(0, &[]);
            assert_eq!(thinner.grid().values().len(), 0);
        }
    }
}
