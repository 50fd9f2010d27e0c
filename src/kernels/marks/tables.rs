//! What is prepared of an electrode before the first decoding spike.
//!
//! Numbers of `E` are kept clear of the denormal range, which costs a hundred cycles an
//! operation: a weight or a position factor below `2^-cut` is 0, and position factors carry a
//! power of two that [`Tables::lift`] takes back from the logarithm. The cut comes from the floor:
//! pairs left out can together add at most the stated share of it.

use super::moments::Moments;
use super::simd::Pass;
use super::{Bandwidths, EncodingSpikes, PlaceBins};
use crate::kernels::simd::Element;

/// Encoding spikes whose weights are kept at a time: sums within a tile are rounded apart from
/// the sum over tiles, which keeps single precision near the rounding of one operation.
pub(super) const TILE: usize = 64;
/// Rows of values by spike are padded to this many, the lanes of the widest register.
pub(super) const PAD: usize = 16;
/// Pairs of rows whose products are made before their sums: they stay in the first cache.
pub(super) const PAIRS: usize = 6 * GROUP;
/// Broadcast values per pass: 6 x 4 registers of 32 or 6 x 2 of 16.
pub(super) const GROUP: usize = 6;

/// Position side of the sum.
#[derive(Debug)]
pub(super) enum Scheme<E> {
    /// Exact factors at the bins.
    Direct(Direct<E>),
    /// Expansions about position cells.
    Moments(Box<Moments<E>>),
}

/// Exact position factors per axis.
#[derive(Debug)]
pub(super) struct Direct<E> {
    /// `[tile of spikes][bin of the axis][spike]` for each axis, tiles padded with zeros.
    pub(super) factors: Vec<Vec<E>>,
    /// Bins of each axis.
    pub(super) bins: Vec<usize>,
    /// Bin along each axis of every interior bin.
    pub(super) pairs: Vec<[u32; 2]>,
}

/// One electrode in one precision.
#[derive(Debug)]
pub(super) struct Tables<E> {
    /// `[spike, feature]`: centred and scaled so that a squared distance is a power of two.
    pub(super) marks: Vec<E>,
    /// `[spike, axis]`: likewise.
    pub(super) positions: Vec<E>,
    /// Features of a mark.
    pub(super) width: usize,
    /// Position axes.
    pub(super) axes: usize,
    /// Weights below `2^-cut` are none.
    pub(super) cut: E,
    /// Power of two in the sums.
    pub(super) lift: i32,
    /// How bins are reached.
    pub(super) scheme: Scheme<E>,
}

impl<E> Tables<E> {
    /// Encoding spikes.
    pub(super) fn spikes(&self) -> usize {
        self.positions.len() / self.axes.max(1)
    }

    /// Rows of sums that a block computes.
    pub(super) fn slots(&self) -> usize {
        match &self.scheme {
            Scheme::Direct(direct) => direct.pairs.len(),
            Scheme::Moments(moments) => moments.slots(),
        }
    }

    /// The row of sums that holds an interior bin.
    #[inline(always)]
    pub(super) fn slot(&self, bin: usize) -> usize {
        match &self.scheme {
            Scheme::Direct(_) => bin,
            Scheme::Moments(moments) => moments.slots[bin] as usize,
        }
    }

    /// The expansions of position cells, where there are some.
    pub(super) fn moments(&self) -> Option<&Moments<E>> {
        match &self.scheme {
            Scheme::Direct(_) => None,
            Scheme::Moments(moments) => Some(moments),
        }
    }

    /// The pass that rows are tried with first.
    pub(super) fn first_pass(&self) -> Pass {
        let certified = self.moments().is_some_and(|moments| moments.certified.is_some());
        if certified { Pass::Certified } else { Pass::Full }
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        let scheme = match &self.scheme {
            Scheme::Direct(direct) => {
                let factors: usize = direct.factors.iter().map(Vec::len).sum();
                factors * size_of::<E>() + direct.pairs.len() * 8
            }
            Scheme::Moments(moments) => moments.bytes(),
        };
        (self.marks.len() + self.positions.len()) * size_of::<E>() + scheme
    }
}

impl<E: Element> Tables<E> {
    /// Tells the floor of log intensities to what is certified; `log_scale` is what the logarithm of a
    /// sum lacks, per interior bin.
    pub(super) fn floor(&mut self, floor_ln: f64, log_scale: &[f64]) {
        if let Scheme::Moments(moments) = &mut self.scheme
            && let Some(certified) = &mut moments.certified
        {
            certified.floors = log_scale.iter().map(|scale| E::of(floor_ln - scale)).collect();
        }
    }
}

/// Subtracts the centre and scales so that `exp(-d^2 / (2 std^2))` becomes `2^-(scaled d)^2`.
#[derive(Debug, Clone)]
pub(super) struct Scaling {
    /// Per column.
    center: Vec<f64>,
    /// Per column.
    factor: Vec<f64>,
}

impl Scaling {
    /// Centre on the mean of `rows` (row-major, as many columns as `stds`).
    pub(super) fn new(rows: &[f64], stds: &[f64]) -> Self {
        let columns = stds.len().max(1);
        let count = (rows.len() / columns).max(1) as f64;
        let mean = |k: usize| rows.iter().skip(k).step_by(columns).map(|v| v / count).sum();
        let factor = |std: &f64| (0.5 * std::f64::consts::LOG2_E).sqrt() / std;
        Scaling { center: (0..stds.len()).map(mean).collect(), factor: stds.iter().map(factor).collect() }
    }

    /// Columns of a row.
    pub(super) fn columns(&self) -> usize {
        self.center.len()
    }

    /// One value of column `k`.
    pub(super) fn apply<E: Element>(&self, k: usize, value: f64) -> E {
        E::of((value - self.center[k]) * self.factor[k])
    }

    /// Row-major `rows` in the given order.
    pub(super) fn rows<E: Element>(&self, rows: &[f64], order: &[usize]) -> Vec<E> {
        let columns = self.columns();
        let row = |i: &usize| (0..columns).map(|k| self.apply(k, rows[i * columns + k])).collect::<Vec<E>>();
        order.iter().flat_map(row).collect()
    }
}

/// The range kept clear of denormals: `cut` for weights and factors, and the power of two that
/// each position factor carries.
#[derive(Debug, Clone, Copy)]
pub(super) struct Range {
    /// Kernels below `2^-cut` are none.
    pub(super) cut: f64,
    /// Power of two per axis.
    pub(super) lift: i32,
}

impl Range {
    /// The factor as it is stored.
    pub(super) fn store<E: Element>(&self, factor: f64) -> E {
        let keep = factor.abs() >= (-self.cut).exp2();
        E::of(if keep { factor * f64::from(self.lift).exp2() } else { 0.0 })
    }
}

/// Exact factors of every encoding spike at the bins of each axis.
pub(super) fn direct<E: Element>(
    spikes: &EncodingSpikes<'_>,
    bins: &PlaceBins<'_>,
    bandwidths: &Bandwidths<'_>,
    range: Range,
) -> Direct<E> {
    let tiles = spikes.len().div_ceil(TILE);
    let mut factors = Vec::with_capacity(bins.axes.len());
    for (axis, (centers, std)) in bins.axes.iter().zip(bandwidths.position).enumerate() {
        let mut table = Vec::with_capacity(tiles * centers.len() * TILE);
        for first in (0..spikes.len()).step_by(TILE) {
            let last = (first + TILE).min(spikes.len());
            for center in centers.iter() {
                let at = |i: usize| (center - spikes.positions[i * spikes.axes + axis]) / std;
                table.extend((first..last).map(|i| range.store::<E>((-0.5 * at(i).powi(2)).exp())));
                table.resize(table.len().next_multiple_of(TILE), E::default());
            }
        }
        factors.push(table);
    }
    let pair = |flat: &usize| bins.along_axes(*flat).map(|k| k as u32);
    let axis_bins = bins.axes.iter().map(|centers| centers.len()).collect();
    Direct { factors, bins: axis_bins, pairs: bins.interior.iter().map(pair).collect() }
}
