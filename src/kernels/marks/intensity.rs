//! The prepared electrode: log intensities of any number of decoding spikes.

use super::arithmetic::Arithmetic;
use super::boxes::{BOXED, PIECE, by_marks};
use super::layout::{Layout, Lines, first_axis};
use super::moments::moments;
use super::rows::{Floored, turn};
use super::simd::Asked;
use super::tables::{Range, Scaling, Scheme, Tables, direct};
use super::work::Work;
use super::{Bandwidths, Choice, EncodingSpikes, Method, PlaceBins, Precision};
use crate::backend::CpuLevel;
use crate::kernels::simd::Element;

/// The mark model of one electrode, ready for decoding spikes.
#[derive(Debug)]
pub struct Intensity {
    pub(super) choice: Choice,
    pub(super) marks: Scaling,
    positions: Scaling,
    /// `ln(rate / (occupancy n))` plus the kernels' peak, minus the lift, per interior bin.
    pub(super) log_scale: Vec<f64>,
    pub(super) floor_ln: f64,
    /// Peak of the product kernel over the number of spikes.
    density_scale: f64,
    prepared: Prepared,
}

#[derive(Debug)]
enum Prepared {
    /// No encoding spikes.
    Nothing,
    Single(Tables<f32>),
    Double(Tables<f64>),
}

/// Working memory of one thread; grows to what the largest electrode needs and stays.
#[derive(Debug, Default)]
pub struct Scratch {
    single: Work<f32>,
    double: Work<f64>,
}

impl Scratch {
    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.single.bytes() + self.double.bytes()
    }
}

impl Intensity {
    /// Prepares an electrode.
    ///
    /// `log_scale` holds `ln(rate / (occupancy n))` per interior bin, minus infinity where the
    /// occupancy is 0; `choice` comes from [`choose`](super::choose) for the same electrode.
    pub fn new(
        spikes: &EncodingSpikes<'_>,
        bins: &PlaceBins<'_>,
        bandwidths: &Bandwidths<'_>,
        choice: Choice,
        (log_scale, floor_ln): (&[f64], f64),
    ) -> Intensity {
        let scaling = (
            Scaling::new(spikes.marks, bandwidths.mark),
            Scaling::new(spikes.positions, bandwidths.position),
        );
        let range = choice.range(floor_ln);
        let request = (spikes, bins, bandwidths);
        let mut prepared = match choice.precision {
            _ if spikes.is_empty() => Prepared::Nothing,
            Precision::F32 => Prepared::Single(prepare(request, &scaling, &choice, range)),
            Precision::F64 => Prepared::Double(prepare(request, &scaling, &choice, range)),
        };
        let lift = match &prepared {
            Prepared::Nothing => 0,
            Prepared::Single(tables) => tables.lift,
            Prepared::Double(tables) => tables.lift,
        };
        let fixed = bandwidths.ln_peak() - f64::from(lift) * std::f64::consts::LN_2;
        let log_scale: Vec<f64> = log_scale.iter().map(|scale| scale + fixed).collect();
        match &mut prepared {
            Prepared::Nothing => {}
            Prepared::Single(tables) => tables.floor(floor_ln, &log_scale),
            Prepared::Double(tables) => tables.floor(floor_ln, &log_scale),
        }
        Intensity {
            choice,
            marks: scaling.0,
            positions: scaling.1,
            log_scale,
            floor_ln,
            density_scale: bandwidths.ln_peak().exp() / spikes.len().max(1) as f64,
            prepared,
        }
    }

    /// What was chosen for this electrode.
    pub fn choice(&self) -> &Choice {
        &self.choice
    }

    /// Interior bins, the length of a row of [`Intensity::log_intensity`].
    pub fn bins(&self) -> usize {
        self.log_scale.len()
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        let tables = match &self.prepared {
            Prepared::Nothing => 0,
            Prepared::Single(tables) => tables.bytes(),
            Prepared::Double(tables) => tables.bytes(),
        };
        tables + self.log_scale.len() * 8 + size_of::<Self>()
    }

    /// Bytes of working memory ([`Scratch`]) that a whole block of decoding spikes takes at `level`.
    pub fn scratch_bytes(&self, level: CpuLevel) -> usize {
        fn of<E: Arithmetic>(level: CpuLevel, tables: &Tables<E>) -> usize {
            let (registers, lanes) = E::block(level, usize::MAX);
            Work::needed(tables, registers * lanes)
        }
        match &self.prepared {
            Prepared::Nothing => 0,
            Prepared::Single(tables) => of(level, tables),
            Prepared::Double(tables) => of(level, tables),
        }
    }

    /// Log intensities `[spike, interior bin]` of decoding spikes `marks` (`[spike, feature]`),
    /// never below the floor. A row depends on its own mark alone, to the last bit.
    pub fn log_intensity<T: Element>(
        &self,
        level: CpuLevel,
        marks: &[f64],
        out: &mut [T],
        scratch: &mut Scratch,
    ) -> Floored {
        match &self.prepared {
            // No mark can lift any bin above the floor, as with wide marks and a peer's floor.
            _ if self.choice.ceiling_ln < self.floor_ln => self.all_floored(out),
            Prepared::Nothing => self.all_floored(out),
            Prepared::Single(tables) => self.rows(level, tables, (marks, out), &mut scratch.single),
            Prepared::Double(tables) => self.rows(level, tables, (marks, out), &mut scratch.double),
        }
    }

    /// Mean over the encoding spikes of `K_mark K_pos` at each spike's own position: `marks` is
    /// `[spike, feature]`, `positions` `[spike, axis]`, `out` `[spike]`; 0 where the electrode has
    /// no encoding spikes.
    pub fn density_at(
        &self,
        level: CpuLevel,
        (marks, positions): (&[f64], &[f64]),
        out: &mut [f64],
        scratch: &mut Scratch,
    ) {
        match &self.prepared {
            Prepared::Nothing => out.fill(0.0),
            Prepared::Single(tables) => {
                self.densities(level, tables, (marks, positions), out, &mut scratch.single)
            }
            Prepared::Double(tables) => {
                self.densities(level, tables, (marks, positions), out, &mut scratch.double)
            }
        }
    }

    /// The tables in single precision, where there are some and marks can lift a bin above the floor.
    pub(super) fn single(&self) -> Option<&Tables<f32>> {
        match &self.prepared {
            Prepared::Single(tables) if self.choice.ceiling_ln >= self.floor_ln => Some(tables),
            _ => None,
        }
    }

    /// The same in double precision.
    pub(super) fn double(&self) -> Option<&Tables<f64>> {
        match &self.prepared {
            Prepared::Double(tables) if self.choice.ceiling_ln >= self.floor_ln => Some(tables),
            _ => None,
        }
    }

    /// True where every spike lies on the floor in every bin.
    pub fn is_constant(&self) -> bool {
        matches!(self.prepared, Prepared::Nothing) || self.choice.ceiling_ln < self.floor_ln
    }

    /// The floor of log intensities.
    pub fn floor_ln(&self) -> f64 {
        self.floor_ln
    }

    /// Per interior bin: what the logarithm of a sum lacks.
    pub(super) fn log_scale(&self) -> &[f64] {
        &self.log_scale
    }

    /// Hands over each row of `marks` (`[spike, feature]`) as the tables hold it.
    pub(super) fn scaled<E: Element>(&self, marks: &[f64], mut to: impl FnMut(&[E])) {
        let columns = self.marks.columns().max(1);
        let mut scaled = vec![E::default(); columns];
        for row in marks.chunks_exact(columns) {
            let values = row.iter().enumerate().map(|(k, v)| self.marks.apply(k, *v));
            scaled.iter_mut().zip(values).for_each(|(to, value)| *to = value);
            to(&scaled);
        }
    }

    fn all_floored<T: Element>(&self, out: &mut [T]) -> Floored {
        out.fill(T::of(self.floor_ln));
        Floored { spikes: out.len() / self.bins().max(1), values: out.len() }
    }

    fn densities<E: Arithmetic>(
        &self,
        level: CpuLevel,
        tables: &Tables<E>,
        (marks, positions): (&[f64], &[f64]),
        out: &mut [f64],
        work: &mut Work<E>,
    ) {
        let (width, axes) = (self.marks.columns(), self.positions.columns());
        let mut at = 0;
        while at < out.len() {
            let (used, lanes) = E::block(level, out.len() - at);
            let all = lanes * used;
            work.fit(tables, all, 1);
            let here = (out.len() - at).min(all);
            turn(&self.marks, marks[at * width..].chunks_exact(width).take(here), all, &mut work.spikes);
            let places = positions[at * axes..].chunks_exact(axes).take(here);
            turn(&self.positions, places, all, &mut work.spikes[width * all..]);
            E::run(level, tables, Asked::OwnPositions, used, work);
            for (lane, to) in out[at..at + here].iter_mut().enumerate() {
                *to = work.sums[lane].wide() * self.density_scale;
            }
            at += here;
        }
    }
}

fn prepare<E: Element>(
    (spikes, bins, bandwidths): (&EncodingSpikes<'_>, &PlaceBins<'_>, &Bandwidths<'_>),
    (marks, positions): &(Scaling, Scaling),
    choice: &Choice,
    range: Range,
) -> Tables<E> {
    let (order, scheme) = match choice.method {
        Method::Direct => {
            ((0..spikes.len()).collect(), Scheme::Direct(direct(spikes, bins, bandwidths, range)))
        }
        Method::Moments { cell, terms_below } => {
            let mut layout = Layout::new(Lines::new(spikes, bandwidths, cell, first_axis(bins)));
            if spikes.width >= BOXED {
                for cell in &layout.cells {
                    let mine = &mut layout.order[cell.first..cell.first + cell.count];
                    by_marks(mine, spikes.marks, bandwidths.mark, PIECE);
                }
            }
            let order = layout.order.clone();
            let certified = choice.certificate.map(|certificate| certificate.terms_below);
            let made = moments(spikes, bins, bandwidths, (layout, terms_below, certified), range);
            (order, Scheme::Moments(Box::new(made)))
        }
    };
    let marks = marks.rows(spikes.marks, &order);
    let mut scheme = scheme;
    if let (Scheme::Moments(moments), true) = (&mut scheme, spikes.width >= BOXED) {
        moments.enclose(&marks, spikes.width);
    }
    Tables {
        marks,
        positions: positions.rows(spikes.positions, &order),
        width: spikes.width,
        axes: spikes.axes,
        cut: E::of(range.cut),
        lift: range.lift * bins.axes.len() as i32,
        scheme,
    }
}
