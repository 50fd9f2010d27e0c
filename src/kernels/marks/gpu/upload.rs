//! Tables of an electrode as the kernels read them: one array of floats, one of whole numbers.

use super::params::MarksParams;
use crate::kernels::marks::Intensity;
use crate::kernels::marks::moments::{Axis, Moments};
use crate::kernels::marks::tables::{Direct, GROUP, Scheme, Tables};

/// What goes up, kept from electrode to electrode.
#[derive(Default)]
pub(super) struct Uploads {
    pub numbers: Vec<f32>,
    pub index: Vec<[u32; 4]>,
    pub marks: Vec<f32>,
    pub pairs: Vec<[f32; 2]>,
    /// Of the electrode whose tables these are.
    pub params: MarksParams,
}

/// Lengths of both arrays.
pub(super) fn lengths(tables: &Tables<f32>, bins: usize) -> (usize, usize) {
    let (numbers, index) = match &tables.scheme {
        Scheme::Direct(direct) => (direct.factors.iter().map(Vec::len).sum(), 0),
        Scheme::Moments(moments) => {
            let axes = || std::iter::once(&moments.along).chain(&moments.across);
            let factors: usize = axes().map(|axis| axis.factors.len()).sum();
            let polynomials: usize = moments.polynomials.iter().map(Vec::len).sum();
            let groups: usize = axes().map(|axis| axis.bands.len()).sum();
            (factors + polynomials, moments.cells.len() + moments.rows.len() + groups)
        }
    };
    (tables.marks.len() + numbers + 2 * bins, index + bins)
}

/// A value as two floats.
fn pair(value: f64) -> [f32; 2] {
    // Minus infinity, where no animal was, must not meet another infinity.
    let value = value.max(-1e30);
    let high = value as f32;
    [high, (value - f64::from(high)) as f32]
}

impl Uploads {
    /// Fills both arrays and the electrode's parameters.
    pub fn tables(&mut self, tables: &Tables<f32>, intensity: &Intensity) {
        self.numbers.clear();
        self.index.clear();
        self.params = MarksParams {
            width: tables.width as u32,
            encoding: tables.spikes() as u32,
            bins: intensity.bins() as u32,
            cut: tables.cut,
            floor: intensity.floor_ln() as f32,
            ..MarksParams::default()
        };
        self.numbers.extend_from_slice(&tables.marks);
        match &tables.scheme {
            Scheme::Direct(direct) => self.direct(direct),
            Scheme::Moments(moments) => self.moments(moments),
        }
        self.params.scales = self.numbers.len() as u32;
        for scale in intensity.log_scale() {
            self.numbers.extend(pair(*scale));
        }
    }

    fn direct(&mut self, direct: &Direct<f32>) {
        self.params.along_factors = self.numbers.len() as u32;
        self.params.along = direct.bins[0] as u32;
        self.numbers.extend_from_slice(&direct.factors[0]);
        self.params.across_factors = self.numbers.len() as u32;
        if let (Some(bins), Some(factors)) = (direct.bins.get(1), direct.factors.get(1)) {
            self.params.across = *bins as u32;
            self.numbers.extend_from_slice(factors);
        }
        self.index.extend(direct.pairs.iter().map(|[x, y]| [*x, *y, 0, 0]));
    }

    fn moments(&mut self, moments: &Moments<f32>) {
        let across_bins = moments.across.as_ref().map_or(0, |axis| axis.bands.len() * GROUP);
        self.params = MarksParams {
            degrees: moments.q as u32,
            terms: moments.terms.len() as u32,
            cells: moments.cells.len() as u32,
            lines: moments.rows.len() as u32,
            along: (moments.along.bands.len() * GROUP) as u32,
            across: across_bins as u32,
            ..self.params
        };
        self.params.polynomials = self.append(&moments.polynomials[0]);
        self.params.other_polynomials = moments.polynomials.get(1).map_or(0, |values| self.append(values));
        for cell in &moments.cells {
            self.index.push([cell.first, cell.count, cell.values, cell.column].map(|v| v as u32));
        }
        self.index.extend(moments.rows.iter().map(|(first, end)| [*first as u32, *end as u32, 0, 0]));
        self.params.along_factors = self.axis(&moments.along);
        self.params.across_factors = moments.across.as_ref().map_or(0, |axis| self.axis(axis));
        let width = across_bins.max(1) as u32;
        self.index.extend(moments.slots.iter().map(|slot| [slot / width, slot % width, 0, 0]));
    }

    fn axis(&mut self, axis: &Axis<f32>) -> u32 {
        for (start, (first, last)) in axis.starts.iter().zip(&axis.bands) {
            self.index.push([*first as u32, *last as u32, *start as u32, 0]);
        }
        self.append(&axis.factors)
    }

    fn append(&mut self, values: &[f32]) -> u32 {
        let at = self.numbers.len() as u32;
        self.numbers.extend_from_slice(values);
        at
    }

    /// Centred and scaled decoding marks.
    pub fn spikes(&mut self, intensity: &Intensity, marks: &[f64]) {
        self.marks.clear();
        intensity.scaled(marks, &mut self.marks);
    }
}
