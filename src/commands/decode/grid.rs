//! The place grid: bins of position, and which of them belong to the environment (spec decode 2.1, 2.3).
//!
//! Positions are `[sample][axis]`, row-major, in the unit of the recording (cm by habit). Bins are
//! numbered in C order, the last axis fastest; edges are per axis, one more than bins.

mod interior;
mod lookup;
#[cfg(test)]
mod tests;

use crate::error::{Error, Result};

pub use lookup::BinLookup;

/// Place bins of a grid at most; some hundred times more than any lab uses.
pub const MOST_BINS: usize = 1 << 24;

/// How a grid is made from positions.
#[derive(Debug, Clone, PartialEq)]
pub struct GridOptions {
    /// Wanted width of a bin, one for all axes or one per axis; the bins of an axis are as wide or narrower.
    pub bin_size: Vec<f64>,
    /// Outer edges per axis; none: the range of the positions.
    pub position_range: Option<Vec<(f64, f64)>>,
    /// A bin is interior where more samples than this fell into it.
    pub bin_count_threshold: u64,
    /// Fills holes of the interior (two axes and more).
    pub fill_holes: bool,
    /// Grows the interior by one bin (two axes and more).
    pub dilate: bool,
    /// False: every bin is interior, padding included.
    pub infer_interior: bool,
    /// The user's own mask; wins over everything above that concerns the interior.
    pub mask: Option<InteriorMask>,
}

impl Default for GridOptions {
    fn default() -> Self {
        GridOptions {
            bin_size: vec![2.0],
            position_range: None,
            bin_count_threshold: 0,
            fill_holes: false,
            dilate: false,
            infer_interior: true,
            mask: None,
        }
    }
}

/// Interior bins as the user gives them.
#[derive(Debug, Clone, PartialEq)]
pub struct InteriorMask {
    /// Lengths of its axes.
    pub shape: Vec<usize>,
    /// One value per bin, C order.
    pub values: Vec<bool>,
    /// Where it came from, for messages.
    pub place: String,
}

/// Place bins of an environment.
#[derive(Debug, Clone, PartialEq)]
pub struct PlaceGrid {
    /// Edges per axis, ascending, one more than bins.
    pub edges: Vec<Vec<f64>>,
    /// Bins per axis.
    pub shape: Vec<usize>,
    /// Number of axes.
    pub axes: usize,
    /// Centres of all bins, `[bin][axis]`.
    pub centers: Vec<f64>,
    /// Which bins are interior, all bins in C order.
    pub interior: Vec<bool>,
    /// Numbers of the interior bins, ascending: the columns of every likelihood.
    pub interior_bins: Vec<usize>,
}

impl PlaceGrid {
    /// The grid of `positions` (`[sample][axis]`; rows with a coordinate that is not finite are left out).
    ///
    /// # Errors
    /// A bin size that is not positive, a constant position, too many bins, a mask of another
    /// shape, or no interior bin.
    pub fn from_positions(positions: &[f64], axes: usize, options: &GridOptions) -> Result<Self> {
        let sizes = bin_sizes(&options.bin_size, axes)?;
        let ranges = ranges(positions, axes, options.position_range.as_deref())?;
        let counts = bin_counts(&ranges, &sizes)?;
        let mut edges: Vec<Vec<f64>> =
            ranges.iter().zip(&counts).map(|(&(low, high), &n)| linspace(low, high, n)).collect();
        if axes > 1 {
            edges.iter_mut().for_each(pad);
        }
        let shape: Vec<usize> = edges.iter().map(|edges| edges.len() - 1).collect();
        let interior = match (&options.mask, options.infer_interior) {
            (Some(mask), _) => interior::from_mask(mask, &shape)?,
            (None, false) => vec![true; shape.iter().product()],
            (None, true) => interior::infer(positions, &edges, &shape, options),
        };
        Self::from_edges(edges, interior)
    }

    /// The grid of given edges and interior bins; centres are midpoints.
    ///
    /// # Errors
    /// Edges that do not ascend, an interior of another length, or no interior bin.
    pub fn from_edges(edges: Vec<Vec<f64>>, interior: Vec<bool>) -> Result<Self> {
        let place = |axis: usize| format!("place grid, axis {axis}");
        for (axis, edges) in edges.iter().enumerate() {
            let ascends = edges.windows(2).all(|pair| pair[0] < pair[1]);
            if edges.len() < 2 || !ascends || !edges.iter().all(|edge| edge.is_finite()) {
                return Err(Error::data(place(axis), "edges that do not ascend", "ascending edges", ""));
            }
        }
        let shape: Vec<usize> = edges.iter().map(|edges| edges.len() - 1).collect();
        let bins = shape.iter().try_fold(1usize, |bins, &n| bins.checked_mul(n));
        let Some(bins) = bins.filter(|&bins| bins == interior.len() && bins <= MOST_BINS) else {
            let found = format!("{} interior flags", interior.len());
            return Err(Error::data("place grid", found, format!("one per bin of a grid {shape:?}"), ""));
        };
        let interior_bins: Vec<usize> = (0..bins).filter(|&bin| interior[bin]).collect();
        if interior_bins.is_empty() {
            let advice = "lower the bin count threshold, or check the mask or the position range";
            let found = format!("no interior bin among {bins}");
            return Err(Error::data("place grid", found, "at least one", advice));
        }
        let axes = edges.len();
        let mut centers = Vec::with_capacity(bins * axes);
        for bin in 0..bins {
            let start = centers.len();
            centers.resize(start + axes, 0.0);
            let mut rest = bin;
            for axis in (0..axes).rev() {
                let at = rest % shape[axis];
                rest /= shape[axis];
                let (low, high) = (edges[axis][at], edges[axis][at + 1]);
                centers[start + axis] = low + (high - low) / 2.0;
            }
        }
        Ok(PlaceGrid { edges, shape, axes, centers, interior, interior_bins })
    }

    /// All bins, interior or not.
    pub fn bins(&self) -> usize {
        self.interior.len()
    }

    /// Centre of a bin, one value per axis.
    pub fn center(&self, bin: usize) -> &[f64] {
        &self.centers[bin * self.axes..(bin + 1) * self.axes]
    }

    /// Centres of the interior bins, `[interior bin][axis]`.
    pub fn interior_centers(&self) -> Vec<f64> {
        self.interior_bins.iter().flat_map(|&bin| self.center(bin).iter().copied()).collect()
    }

    /// Positions with a coordinate beyond the outer edges; they encode and decode all the same.
    pub fn count_outside(&self, positions: &[f64]) -> usize {
        let beyond = |(x, edges): (&f64, &Vec<f64>)| *x < edges[0] || *x > edges[edges.len() - 1];
        let outside = |row: &&[f64]| row.iter().zip(&self.edges).any(beyond);
        positions.chunks_exact(self.axes).filter(outside).count()
    }

    /// Centres along each axis: the grid is their product.
    pub fn axis_centers(&self) -> Vec<Vec<f64>> {
        let midpoints = |edges: &Vec<f64>| edges.windows(2).map(|e| e[0] + (e[1] - e[0]) / 2.0).collect();
        self.edges.iter().map(midpoints).collect()
    }
}

/// One positive size per axis.
fn bin_sizes(given: &[f64], axes: usize) -> Result<Vec<f64>> {
    if let Some(bad) = given.iter().find(|size| !(size.is_finite() && **size > 0.0)) {
        return Err(Error::usage(format!("--bin-size {bad}: a positive length")));
    }
    match given {
        [one] => Ok(vec![*one; axes]),
        many if many.len() == axes => Ok(many.to_vec()),
        many => {
            let message = format!("--bin-size: {} lengths given, the position has {axes} axes", many.len());
            Err(Error::usage(message))
        }
    }
}

/// Lowest and highest position per axis.
fn ranges(positions: &[f64], axes: usize, given: Option<&[(f64, f64)]>) -> Result<Vec<(f64, f64)>> {
    if axes == 0 || !positions.len().is_multiple_of(axes) {
        let found = format!("{} coordinates in rows of {axes}", positions.len());
        return Err(Error::data("position", found, "[sample, axis]", ""));
    }
    if let Some(given) = given {
        if given.len() != axes {
            let message = format!("position range of {} axes, the position has {axes}", given.len());
            return Err(Error::usage(message));
        }
        if let Some((low, high)) = given.iter().find(|(low, high)| !(low.is_finite() && high.is_finite())) {
            return Err(Error::usage(format!("position range {low} to {high}: finite numbers")));
        }
        return Ok(given.to_vec());
    }
    let mut ranges = vec![(f64::INFINITY, f64::NEG_INFINITY); axes];
    for row in positions.chunks_exact(axes).filter(|row| row.iter().all(|x| x.is_finite())) {
        for (range, &x) in ranges.iter_mut().zip(row) {
            *range = (range.0.min(x), range.1.max(x));
        }
    }
    if ranges.iter().any(|range| range.0 > range.1) {
        let found = format!("no sample of {} with finite coordinates", positions.len() / axes);
        return Err(Error::data("position", found, "samples to make a grid of", ""));
    }
    Ok(ranges)
}

/// Bins per axis, padding not counted.
fn bin_counts(ranges: &[(f64, f64)], sizes: &[f64]) -> Result<Vec<usize>> {
    let mut total = 1.0;
    let mut counts = Vec::new();
    for (axis, (&(low, high), &size)) in ranges.iter().zip(sizes).enumerate() {
        let count = ((high - low) / size).ceil();
        if count.is_nan() || count < 1.0 {
            let found = format!("{low} to {high} along axis {axis}");
            let advice = "an axis in which the animal never moves cannot be decoded; leave it out";
            return Err(Error::data("position", found, "a position that varies in each axis", advice));
        }
        total *= count + 2.0;
        if total > MOST_BINS as f64 {
            let found = format!("{count} bins of {size} along axis {axis} ({low} to {high})");
            let advice = "give a larger --bin-size, or remove outliers of the position";
            return Err(Error::data("place grid", found, format!("at most {MOST_BINS} bins"), advice));
        }
        counts.push(count as usize);
    }
    Ok(counts)
}

/// `n + 1` edges from `low` to `high`, rounded like numpy's `linspace`.
pub(super) fn linspace(low: f64, high: f64, n: usize) -> Vec<f64> {
    let step = (high - low) / n as f64;
    let mut edges: Vec<f64> = (0..=n).map(|k| k as f64 * step + low).collect();
    edges[n] = high;
    edges
}

/// One more bin at each end, as wide as the first.
fn pad(edges: &mut Vec<f64>) {
    let step = edges[1] - edges[0];
    edges.insert(0, edges[0] - step);
    edges.push(edges[edges.len() - 1] + step);
}
