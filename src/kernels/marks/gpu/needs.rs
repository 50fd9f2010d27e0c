//! Device memory that electrodes take.

use super::number::Number;
use super::upload;
use crate::kernels::marks::Intensity;
use crate::kernels::marks::tables::{GROUP, Scheme, Tables};

/// What lanes are made for: the most that any electrode needs, in bytes unless it says otherwise.
#[derive(Debug, Clone, Copy, Default)]
pub struct Needs {
    /// The tables.
    pub(super) tables: u64,
    /// The index.
    pub(super) index: u64,
    /// Values of one decoding spike: moments, bins of the first axis, bins and one more.
    pub(super) moments: u64,
    pub(super) fields: u64,
    pub(super) intensity: u64,
    /// Marks of one decoding spike.
    pub(super) marks: u64,
    /// Interior bins.
    bins: usize,
    /// Numbers of four bytes are there, numbers of eight.
    pub(super) types: [bool; 2],
}

impl Needs {
    /// Of one electrode; none where it has no tables though its spikes differ.
    pub fn of(intensity: &Intensity) -> Option<Needs> {
        match (f32::tables(intensity), f64::tables(intensity)) {
            (Some(tables), _) => Some(of(tables, intensity.bins())),
            (None, Some(tables)) => Some(of(tables, intensity.bins())),
            (None, None) => intensity.is_constant().then(Needs::default),
        }
    }

    /// Interior bins.
    pub fn bins(&self) -> usize {
        self.bins
    }

    /// What serves both.
    pub fn and(self, other: Needs) -> Needs {
        Needs {
            tables: self.tables.max(other.tables),
            index: self.index.max(other.index),
            moments: self.moments.max(other.moments),
            fields: self.fields.max(other.fields),
            intensity: self.intensity.max(other.intensity),
            marks: self.marks.max(other.marks),
            bins: self.bins.max(other.bins),
            types: [self.types[0] || other.types[0], self.types[1] || other.types[1]],
        }
    }

    /// Bytes of the tables.
    pub(super) fn home(&self) -> u64 {
        self.tables.max(8) + self.index.max(16)
    }

    /// Bytes of one decoding spike in a block.
    pub(super) fn per_spike(&self) -> u64 {
        self.moments + self.fields + self.intensity
    }

    /// Bytes of one decoding spike in the longest buffer of a block.
    pub(super) fn longest(&self) -> u64 {
        self.moments.max(self.fields).max(self.intensity).max(8)
    }
}

fn of<E: Number>(tables: &Tables<E>, bins: usize) -> Needs {
    let (moments, fields) = match &tables.scheme {
        Scheme::Direct(_) => (0, 0),
        Scheme::Moments(m) => {
            let degrees = if m.full.across.is_some() { m.full.q } else { 1 };
            (m.cells.len() * m.full.terms.len(), m.full.along.bands.len() * GROUP * m.rows.len() * degrees)
        }
    };
    let (numbers, index) = upload::lengths(tables, bins);
    let bytes = |values: usize| (values * size_of::<E>()) as u64;
    let double = size_of::<E>() == 8;
    Needs {
        tables: bytes(numbers),
        index: 16 * index as u64,
        moments: bytes(moments),
        fields: bytes(fields),
        intensity: bytes(bins + 1),
        marks: bytes(tables.width),
        bins,
        types: [!double, double],
    }
}
