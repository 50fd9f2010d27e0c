//! From logarithms of sums to rows of log intensities.
#![allow(unsafe_code)] // Plain loops, compiled for each level.

use crate::backend::CpuLevel;
use crate::kernels::marks::Floored;
use crate::kernels::marks::tables::Tables;
use crate::kernels::simd::{Element, Lanes, per_level};

/// Bins that are scaled and turned at a time.
const NEAR: usize = 32;
/// Decoding spikes of the widest block.
pub(in crate::kernels::marks) const MOST_LANES: usize = 64;

/// A block's sums and what they lack.
pub(in crate::kernels::marks) struct Found<'a, E> {
    pub(in crate::kernels::marks) tables: &'a Tables<E>,
    /// Logarithms `[slot][lane]`.
    pub(in crate::kernels::marks) sums: &'a [E],
    /// Lanes of the block.
    pub(in crate::kernels::marks) lanes: usize,
    /// Rows of the lanes.
    pub(in crate::kernels::marks) rows: &'a [usize],
    /// Lanes whose rows are exact enough.
    pub(in crate::kernels::marks) certified: &'a [bool; MOST_LANES],
    /// What the logarithm of a sum lacks, per interior bin.
    pub(in crate::kernels::marks) log_scale: &'a [f64],
    /// Floor of log intensities.
    pub(in crate::kernels::marks) floor_ln: f64,
}

#[allow(clippy::extra_unused_type_parameters)] // The level tells what the loops are compiled for.
#[inline(always)]
unsafe fn body<L: Lanes, E: Element, T: Element>(found: &Found<'_, E>, out: &mut [T]) -> Floored {
    let (bins, lanes, floor_ln) = (found.log_scale.len(), found.lanes, found.floor_ln);
    let floor = T::of(floor_ln);
    let mut near = [[T::default(); MOST_LANES]; NEAR];
    let mut low = [0_u32; MOST_LANES];
    let mine = || found.rows.iter().enumerate().filter(|(lane, _)| found.certified[*lane]);
    // A few bins of all spikes at a time: they stay in the first cache until they are turned.
    for first in (0..bins).step_by(NEAR) {
        let here = first..(first + NEAR).min(bins);
        for (bin, near) in here.clone().zip(&mut near) {
            let (sums, scale) =
                (&found.sums[found.tables.slot(bin) * lanes..][..lanes], found.log_scale[bin]);
            for ((sum, to), low) in sums.iter().zip(near).zip(&mut low) {
                let value = sum.wide() + scale;
                let value = if value > floor_ln { T::of(value) } else { floor };
                *to = value;
                *low += u32::from(value <= floor);
            }
        }
        for (lane, row) in mine() {
            let row = &mut out[row * bins..(row + 1) * bins];
            for (to, lanes) in row[here.clone()].iter_mut().zip(&near) {
                // Below MOST_LANES, as its mask tells the compiler.
                *to = lanes[lane & (MOST_LANES - 1)];
            }
        }
    }
    let low = || mine().map(|(lane, _)| low[lane] as usize);
    Floored { values: low().sum(), spikes: low().filter(|low| *low == bins).count() }
}
per_level! { unsafe fn body_at[E: Element, T: Element](found: &Found<'_, E>, out: &mut [T]) -> Floored = body }

/// Scales, floors and turns the sums of certified lanes into their rows of `out` (`[spike, bin]`).
///
/// # Panics
/// If there are more than [`MOST_LANES`], or `out` lacks a row.
pub(in crate::kernels::marks) fn finish<E: Element, T: Element>(
    level: CpuLevel,
    found: &Found<'_, E>,
    out: &mut [T],
) -> Floored {
    assert!(found.lanes <= MOST_LANES && found.rows.len() <= found.lanes);
    // SAFETY: the level is limited to what the machine has.
    unsafe { body_at(level.min(CpuLevel::detect()), found, out) }
}
