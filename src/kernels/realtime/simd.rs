//! Lane-generic bodies over the blocks of a [`Store`](super::Store): marks nearby, sums of weights.
#![allow(unsafe_code)] // Vector instructions; every use names what makes it sound.
#![allow(clippy::needless_range_loop)] // Blocks of registers are indexed by constants.

use super::store::{BLOCK, NONE};
use crate::backend::CpuLevel;
use crate::kernels::simd::exp::{LOWEST, Source, exp};
use crate::kernels::simd::{Element, Lanes, Level, Real, per_level};

/// Registers side by side.
const ABREAST: usize = 4;
/// Blocks between two looks at whether enough were counted.
const BLOCKS_OF_A_LOOK: usize = 4;
/// Blocks that are asked for before they are needed.
const AHEAD: usize = 12;

/// Blocks, bin by bin.
#[derive(Debug, Clone, Copy)]
pub struct Chains<'a, E> {
    /// `[block][channel][lane]`.
    pub marks: &'a [E],
    /// Channels.
    pub width: usize,
    /// `[bin]`: first block.
    pub heads: &'a [u32],
    /// `[block]`: the one after it.
    pub next: &'a [u32],
}

impl<E> Chains<'_, E> {
    /// Panics where a block is not there, so that bodies need not look.
    fn check(&self) {
        assert!(self.marks.len() >= self.next.len() * self.width * BLOCK && self.width > 0);
    }

    /// The block that a number names, if it is one.
    #[inline(always)]
    fn block(&self, number: u32) -> Option<usize> {
        (number != NONE && (number as usize) < self.next.len()).then_some(number as usize)
    }
}

/// Walks some blocks ahead of the sums and asks for what they will need: the chain jumps, which the
/// processor cannot foresee, and marks of 32 electrodes do not stay in the near caches.
#[derive(Debug, Clone, Copy)]
struct Ahead {
    /// Bins begun.
    step: usize,
    /// First bin.
    first: usize,
    number: u32,
}

impl Ahead {
    /// [`AHEAD`] blocks before the one that is worked on.
    #[inline(always)]
    unsafe fn new<L: Lanes, E>(chains: &Chains<E>, first: usize) -> Ahead {
        let mut ahead = Ahead { step: 0, first, number: NONE };
        for _ in 0..AHEAD {
            // SAFETY: hints.
            unsafe { ahead.fetch::<L, E>(chains) }
        }
        ahead
    }

    /// Asks for one block more.
    #[inline(always)]
    unsafe fn fetch<L: Lanes, E>(&mut self, chains: &Chains<E>) {
        while self.number == NONE {
            if self.step == chains.heads.len() {
                return;
            }
            self.number = chains.heads[(self.first + self.step) % chains.heads.len()];
            self.step += 1;
        }
        let Some(block) = chains.block(self.number) else { return };
        self.number = chains.next[block];
        let bytes = chains.width * BLOCK * size_of::<E>();
        let from = chains.marks.as_ptr().cast::<u8>().wrapping_add(block * bytes);
        let mut at = 0;
        while at < bytes {
            // SAFETY: a hint, which may name any address.
            unsafe { L::prefetch(from.wrapping_add(at)) };
            at += 64;
        }
    }
}

/// `sums[bin] = sum_i exp(-scale |mark - mark_i|^2)` over the marks of the bin.
#[inline(always)]
unsafe fn sums_body<L: Lanes, E: Source>(chains: &Chains<E>, mark: *const f64, scale: f64, sums: &mut [f64]) {
    // SAFETY: blocks are there (checked), and whole registers divide a block.
    unsafe {
        let (scale, lowest) = (L::splat(-scale), L::splat(LOWEST));
        let mut ahead = Ahead::new::<L, E>(chains, 0);
        for bin in 0..sums.len() {
            let mut total = [L::splat(0.0); ABREAST];
            let mut number = chains.heads[bin];
            while let Some(block) = chains.block(number) {
                number = chains.next[block];
                ahead.fetch::<L, E>(chains);
                let from = chains.marks.as_ptr().add(block * chains.width * BLOCK);
                let mut lane = 0;
                while lane < BLOCK {
                    let mut square = [L::splat(0.0); ABREAST];
                    for channel in 0..chains.width {
                        let own = L::splat(*mark.add(channel));
                        for k in 0..ABREAST {
                            let at = from.add(channel * BLOCK + lane + k * L::N);
                            let apart = E::read::<L>(at).sub(own);
                            square[k] = apart.fma(apart, square[k]);
                        }
                    }
                    for k in 0..ABREAST {
                        square[k] = square[k].mul(scale).max(lowest);
                    }
                    let weights = exp(square);
                    for k in 0..ABREAST {
                        total[k] = total[k].add(weights[k]);
                    }
                    lane += ABREAST * L::N;
                }
            }
            let total = total[0].add(total[1]).add(total[2].add(total[3])).to_array();
            let mut sum = 0.0;
            for &lane in &total {
                sum += lane;
            }
            sums[bin] = sum;
        }
    }
}

/// Marks with `low < m < high` in every channel, bins from `first` on and around; may stop where
/// `enough` are found.
#[inline(always)]
unsafe fn nearby_body<L: Lanes, R: Real>(
    chains: &Chains<R::Element>,
    (low, high): (*const R::Element, *const R::Element),
    first: usize,
    enough: usize,
) -> usize {
    // SAFETY: blocks are there (checked), and whole registers divide a block.
    unsafe {
        let (one, zero) = (R::splat(R::Element::of(1.0)), R::splat(R::Element::of(0.0)));
        let mut ahead = Ahead::new::<L, R::Element>(chains, first);
        let mut found = 0;
        for step in 0..chains.heads.len() {
            let mut number = chains.heads[(first + step) % chains.heads.len()];
            while number != NONE {
                let mut count = [zero; 2];
                for _ in 0..BLOCKS_OF_A_LOOK {
                    let Some(block) = chains.block(number) else {
                        number = NONE;
                        break;
                    };
                    number = chains.next[block];
                    ahead.fetch::<L, R::Element>(chains);
                    let from = chains.marks.as_ptr().add(block * chains.width * BLOCK);
                    let mut lane = 0;
                    while lane < BLOCK {
                        let mut inside = [one; 2];
                        for channel in 0..chains.width {
                            let (low, high) = (R::splat(*low.add(channel)), R::splat(*high.add(channel)));
                            for k in 0..2 {
                                let value = R::load(from.add(channel * BLOCK + lane + k * R::N));
                                inside[k] = value.where_above(low, inside[k], zero);
                                inside[k] = high.where_above(value, inside[k], zero);
                            }
                        }
                        count = [count[0].add(inside[0]), count[1].add(inside[1])];
                        lane += 2 * R::N;
                    }
                }
                let mut lanes = [R::Element::default(); 16];
                count[0].add(count[1]).store(lanes.as_mut_ptr());
                for lane in lanes {
                    found += Element::wide(lane) as usize;
                }
                if found >= enough {
                    return found;
                }
            }
        }
        found
    }
}

#[inline(always)]
unsafe fn sums_single<L: Lanes>(chains: &Chains<f32>, mark: *const f64, scale: f64, sums: &mut [f64]) {
    // SAFETY: passed on.
    unsafe { sums_body::<L, f32>(chains, mark, scale, sums) }
}
#[inline(always)]
unsafe fn sums_double<L: Lanes>(chains: &Chains<f64>, mark: *const f64, scale: f64, sums: &mut [f64]) {
    // SAFETY: passed on.
    unsafe { sums_body::<L, f64>(chains, mark, scale, sums) }
}
#[inline(always)]
unsafe fn nearby_single<L: Level + Lanes>(
    chains: &Chains<f32>,
    cube: (*const f32, *const f32),
    first: usize,
    enough: usize,
) -> usize {
    // SAFETY: passed on.
    unsafe { nearby_body::<L, L::Singles>(chains, cube, first, enough) }
}
#[inline(always)]
unsafe fn nearby_double<L: Level + Lanes>(
    chains: &Chains<f64>,
    cube: (*const f64, *const f64),
    first: usize,
    enough: usize,
) -> usize {
    // SAFETY: passed on.
    unsafe { nearby_body::<L, L::Doubles>(chains, cube, first, enough) }
}
per_level! { unsafe fn sums_single_at(chains: &Chains<f32>, mark: *const f64, scale: f64, sums: &mut [f64]) = sums_single }
per_level! { unsafe fn sums_double_at(chains: &Chains<f64>, mark: *const f64, scale: f64, sums: &mut [f64]) = sums_double }
per_level! { unsafe fn nearby_single_at(chains: &Chains<f32>, cube: (*const f32, *const f32), first: usize, enough: usize) -> usize = nearby_single }
per_level! { unsafe fn nearby_double_at(chains: &Chains<f64>, cube: (*const f64, *const f64), first: usize, enough: usize) -> usize = nearby_double }

/// A type that marks are kept in: f32, as events bring them, or f64.
pub trait Mark: Element {
    /// The greatest value not above `bound`.
    fn down(bound: f64) -> Self;

    /// The least value not below `bound`.
    fn up(bound: f64) -> Self;

    /// `sums[bin] = sum_i exp(-scale |mark - mark_i|^2)` over the marks of each bin, to the rounding
    /// of a sum in registers; what lies below 1e-299 counts as that.
    ///
    /// # Panics
    ///
    /// If lengths do not fit: `mark` one value per channel, `sums` one per bin.
    fn sums(level: CpuLevel, chains: &Chains<'_, Self>, mark: &[f64], scale: f64, sums: &mut [f64]);

    /// Marks strictly between `low` and `high` in every channel, counted from bin `first` on; may
    /// stop, with what was found by then, where `enough` are found.
    ///
    /// # Panics
    ///
    /// If lengths do not fit: `low` and `high` one value per channel.
    fn nearby(
        level: CpuLevel,
        chains: &Chains<'_, Self>,
        cube: (&[Self], &[Self]),
        first: usize,
        enough: usize,
    ) -> usize;
}

/// The entry points of one element type over the bodies of its name.
macro_rules! entries {
    ($type:ty, $sums:ident, $nearby:ident) => {
        fn sums(level: CpuLevel, chains: &Chains<'_, $type>, mark: &[f64], scale: f64, sums: &mut [f64]) {
            chains.check();
            assert!(mark.len() == chains.width && sums.len() == chains.heads.len());
            // SAFETY: checked; the level is limited to what the machine has.
            unsafe { $sums(level.min(CpuLevel::detect()), chains, mark.as_ptr(), scale, sums) }
        }

        fn nearby(
            level: CpuLevel,
            chains: &Chains<'_, $type>,
            (low, high): (&[$type], &[$type]),
            first: usize,
            enough: usize,
        ) -> usize {
            chains.check();
            assert!(low.len() == chains.width && high.len() == chains.width);
            let cube = (low.as_ptr(), high.as_ptr());
            // SAFETY: checked; the level is limited to what the machine has.
            unsafe { $nearby(level.min(CpuLevel::detect()), chains, cube, first, enough) }
        }
    };
}

impl Mark for f32 {
    fn down(bound: f64) -> f32 {
        let near = bound as f32;
        if f64::from(near) > bound { near.next_down() } else { near }
    }

    fn up(bound: f64) -> f32 {
        let near = bound as f32;
        if f64::from(near) < bound { near.next_up() } else { near }
    }

    entries!(f32, sums_single_at, nearby_single_at);
}

impl Mark for f64 {
    fn down(bound: f64) -> f64 {
        bound
    }

    fn up(bound: f64) -> f64 {
        bound
    }

    entries!(f64, sums_double_at, nearby_double_at);
}
