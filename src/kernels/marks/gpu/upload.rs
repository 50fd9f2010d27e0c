//! Tables of an electrode as the kernels read them: one array of numbers, one of whole numbers.

use super::number::Number;
use super::params::MarksParams;
use crate::kernels::marks::Intensity;
use crate::kernels::marks::expansion::polynomials;
use crate::kernels::marks::moments::{Axis, Moments};
use crate::kernels::marks::tables::{Direct, GROUP, PAD, Scheme, Tables};

/// What goes up, kept from electrode to electrode.
#[derive(Default)]
pub(super) struct Uploads {
    /// Numbers of the tables, in the type of the electrode.
    pub numbers: Vec<u8>,
    pub index: Vec<[u32; 4]>,
    /// Decoding marks, in that type.
    pub marks: Vec<u8>,
    /// Of the electrode whose tables these are.
    pub params: MarksParams,
}

/// Numbers besides those of bins and spikes: cut and floor.
const LIMITS: usize = 2;

/// Lengths of both arrays.
pub(super) fn lengths<E: Number>(tables: &Tables<E>, bins: usize) -> (usize, usize) {
    let (numbers, index) = match &tables.scheme {
        Scheme::Direct(direct) => (direct.factors.iter().map(Vec::len).sum(), 0),
        Scheme::Moments(moments) => {
            let axes = || std::iter::once(&moments.full.along).chain(&moments.full.across);
            let factors: usize = axes().map(|axis| axis.factors.len()).sum();
            let padded: usize = moments.cells.iter().map(|cell| cell.count.next_multiple_of(PAD)).sum();
            let polynomials = moments.offsets.len() * moments.full.q * padded;
            let groups: usize = axes().map(|axis| axis.bands.len()).sum();
            (factors + polynomials, moments.cells.len() + moments.rows.len() + groups)
        }
    };
    (tables.marks.len() + numbers + 2 * bins + LIMITS, index + bins)
}

impl Uploads {
    /// Fills both arrays and the electrode's parameters.
    pub fn tables<E: Number>(&mut self, tables: &Tables<E>, intensity: &Intensity) {
        self.numbers.clear();
        self.index.clear();
        self.params = MarksParams {
            width: tables.width as u32,
            encoding: tables.spikes() as u32,
            bins: intensity.bins() as u32,
            cut: tables.cut.wide() as f32,
            floor: intensity.floor_ln() as f32,
            ..MarksParams::default()
        };
        self.append(&tables.marks);
        match &tables.scheme {
            Scheme::Direct(direct) => self.direct(direct),
            Scheme::Moments(moments) => self.moments(moments),
        }
        self.params.scales = self.end::<E>();
        for scale in intensity.log_scale() {
            self.append(&E::pair(*scale));
        }
        self.params.limits = self.append(&[tables.cut, E::of(intensity.floor_ln())]);
    }

    fn direct<E: Number>(&mut self, direct: &Direct<E>) {
        self.params.along = direct.bins[0] as u32;
        self.params.along_factors = self.append(&direct.factors[0]);
        self.params.across_factors = self.end::<E>();
        if let (Some(bins), Some(factors)) = (direct.bins.get(1), direct.factors.get(1)) {
            self.params.across = *bins as u32;
            self.append(factors);
        }
        self.index.extend(direct.pairs.iter().map(|[x, y]| [*x, *y, 0, 0]));
    }

    fn moments<E: Number>(&mut self, moments: &Moments<E>) {
        let across_bins = moments.full.across.as_ref().map_or(0, |axis| axis.bands.len() * GROUP);
        self.params = MarksParams {
            degrees: moments.full.q as u32,
            terms: moments.full.terms.len() as u32,
            cells: moments.cells.len() as u32,
            lines: moments.rows.len() as u32,
            along: (moments.full.along.bands.len() * GROUP) as u32,
            across: across_bins as u32,
            ..self.params
        };
        self.params.polynomials = self.polynomials(moments, &moments.offsets[0]);
        self.params.other_polynomials =
            moments.offsets.get(1).map_or(0, |offsets| self.polynomials(moments, offsets));
        let mut values = 0;
        for cell in &moments.cells {
            self.index.push([cell.first, cell.count, values, cell.column].map(|v| v as u32));
            values += moments.full.q * cell.count.next_multiple_of(PAD);
        }
        self.index.extend(moments.rows.iter().map(|(first, end)| [*first as u32, *end as u32, 0, 0]));
        self.params.along_factors = self.axis(&moments.full.along);
        self.params.across_factors = moments.full.across.as_ref().map_or(0, |axis| self.axis(axis));
        let width = across_bins.max(1) as u32;
        self.index.extend(moments.slots.iter().map(|slot| [slot / width, slot % width, 0, 0]));
    }

    /// `T_a` of every spike, `[cell][degree][spike]`, rows padded with zeros.
    fn polynomials<E: Number>(&mut self, moments: &Moments<E>, offsets: &[E]) -> u32 {
        let (start, q) = (self.end::<E>(), moments.full.q);
        let (mut rows, mut values) = (Vec::new(), vec![0.0; q]);
        for cell in &moments.cells {
            let padded = cell.count.next_multiple_of(PAD);
            rows.clear();
            rows.resize(q * padded, E::default());
            for (i, z) in offsets[cell.first..cell.first + cell.count].iter().enumerate() {
                polynomials(z.wide(), &mut values);
                rows.iter_mut().skip(i).step_by(padded).zip(&values).for_each(|(to, t)| *to = E::of(*t));
            }
            self.append(&rows);
        }
        start
    }

    fn axis<E: Number>(&mut self, axis: &Axis<E>) -> u32 {
        for (start, (first, last)) in axis.starts.iter().zip(&axis.bands) {
            self.index.push([*first as u32, *last as u32, *start as u32, 0]);
        }
        self.append(&axis.factors)
    }

    /// Where the next number would stand.
    fn end<E: Number>(&self) -> u32 {
        (self.numbers.len() / size_of::<E>()) as u32
    }

    fn append<E: Number>(&mut self, values: &[E]) -> u32 {
        let at = self.end::<E>();
        self.numbers.extend_from_slice(bytemuck::cast_slice(values));
        at
    }

    /// Centred and scaled decoding marks.
    pub fn spikes<E: Number>(&mut self, intensity: &Intensity, marks: &[f64]) {
        self.marks.clear();
        intensity.scaled::<E>(marks, |row| self.marks.extend_from_slice(bytemuck::cast_slice(row)));
    }
}
