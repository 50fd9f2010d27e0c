//! What a spike of one electrode says of position (spec decode 8.2).

use super::definition::OFFSET;
use super::simd::{Chains, Mark};
use super::store::Store;
use super::touched;
use crate::backend::CpuLevel;

/// The Gaussian over marks, and how many must be near.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MarkKernel {
    /// Standard deviation, unit of the marks.
    pub std: f64,
    /// Half the side of the cube that counts as near.
    pub reach: f64,
    /// Marks that must lie in the cube; 0: any number will do.
    pub demanded: usize,
}

/// Marks of one electrode and what they make of another one.
#[derive(Debug)]
pub struct Encoder<E> {
    level: CpuLevel,
    store: Store<E>,
    kernel: MarkKernel,
    /// `[channel]`: bounds of the cube.
    low: Vec<E>,
    high: Vec<E>,
    wide: Vec<f64>,
}

impl<E: Mark> Encoder<E> {
    /// Without marks yet; `capacity` marks of `width` channels over `bins` place bins.
    ///
    /// # Panics
    ///
    /// As [`Store::new`].
    pub fn new(level: CpuLevel, (capacity, width, bins): (usize, usize, usize), kernel: MarkKernel) -> Self {
        let store = Store::new(capacity, width, bins);
        let bounds = || touched(width, E::of(1.0));
        Encoder { level, store, kernel, low: bounds(), high: bounds(), wide: touched(width, 1.0) }
    }

    /// The marks kept.
    pub fn store(&self) -> &Store<E> {
        &self.store
    }

    /// Keeps a mark; see [`Store::learn`].
    pub fn learn(&mut self, mark: &[E], bin: usize) -> bool {
        self.store.learn(mark, bin)
    }

    fn chains(&self) -> Chains<'_, E> {
        let (heads, next) = self.store.chains();
        Chains { marks: self.store.blocks(), width: self.store.width(), heads, next }
    }

    /// Kept marks near `mark`, counted from the bin `first` on until `enough` are found
    /// (`usize::MAX`: all); 0 for a mark of another width.
    pub fn nearby(&mut self, mark: &[E], first: usize, enough: usize) -> usize {
        if mark.len() != self.low.len() {
            return 0;
        }
        for ((value, low), high) in mark.iter().zip(&mut self.low).zip(&mut self.high) {
            // Bounds are rounded outwards: no value of the type lies between them and the true ones.
            (*low, *high) =
                (E::down(value.wide() - self.kernel.reach), E::up(value.wide() + self.kernel.reach));
        }
        E::nearby(self.level, &self.chains(), (&self.low, &self.high), first, enough)
    }

    /// Fills `out` (`[bin]`) with the density of position given `mark`, and tells whether there is
    /// one: not without marks, nor with too few near, nor where no bin was ever visited.
    ///
    /// `shares` is occupancy (`[bin]`, NaN in gaps), `delta` the width of a bin; counting begins at
    /// the bin `first`, where the animal is and alike marks are likely.
    ///
    /// # Panics
    ///
    /// If `out` and `shares` are not one value per bin.
    pub fn estimate(
        &mut self,
        mark: &[E],
        first: usize,
        (shares, delta): (&[f64], f64),
        out: &mut [f64],
    ) -> bool {
        assert!(out.len() == self.store.bins() && shares.len() == out.len());
        let demanded = self.kernel.demanded;
        let width_fits = mark.len() == self.wide.len();
        if self.store.is_empty() || !width_fits || self.nearby(mark, first, demanded) < demanded {
            return false;
        }
        for (wide, value) in self.wide.iter_mut().zip(mark) {
            *wide = value.wide();
        }
        let std = self.kernel.std;
        E::sums(self.level, &self.chains(), &self.wide, 0.5 / (std * std), out);
        let peak = 1.0 / (std * std::f64::consts::TAU.sqrt());
        let mut sum = 0.0;
        for (value, share) in out.iter_mut().zip(shares) {
            let density = (*value * peak + OFFSET) / share;
            *value = if density.is_finite() { density } else { 0.0 };
            sum += *value;
        }
        let sum = sum * delta;
        out.iter_mut().for_each(|value| *value /= sum);
        sum > 0.0
    }
}
