//! Strips of a plane with their halo: the pipeline's source for every job of the command.
//!
//! A chunk's strip holds its own rows and `halo` rows on either side, placed by the boundary
//! (spec convolve 9). Rows that the next strip shares are carried over instead of read again.

use super::raster::{Raster, ReadScratch};
use crate::array::Real;
use crate::error::Result;
use crate::kernels::window::{Boundary, Window};
use crate::pipeline::{Chunk, Source};
use std::ops::Range;

/// Rows of one plane as read for one chunk.
#[derive(Debug)]
pub struct Strip<T> {
    values: Vec<T>,
    first: i64,
    width: usize,
    height: usize,
    boundary: Boundary,
}

impl<T: Real> Strip<T> {
    /// A strip with room for nothing yet.
    pub fn empty(boundary: Boundary) -> Self {
        Strip { values: Vec::new(), first: 0, width: 0, height: 0, boundary }
    }

    /// The strip as kernels see it.
    pub fn window(&self) -> Window<'_, T> {
        Window {
            rows: &self.values,
            first: self.first,
            width: self.width,
            height: self.height,
            boundary: self.boundary,
        }
    }
}

/// Positions of the row axis that the strip of rows `rows` must hold.
///
/// Mirrored and repeated rows always lie inside the clipped range (their images are nearer than
/// the halo is wide); only wrapped rows come from the far edge and are placed explicitly, unless
/// the strip spans the whole plane anyway.
pub fn positions(rows: Range<u64>, halo: u64, height: u64, boundary: Boundary) -> Range<i64> {
    let (low, high) = (rows.start as i64 - halo as i64, (rows.end + halo) as i64);
    let height = height as i64;
    match boundary {
        Boundary::Wrap if high - low < height => low..high,
        Boundary::Wrap => 0..height,
        _ => low.max(0)..high.min(height),
    }
}

/// Told of every row of the raster once, in order: thumbnails, range checks.
pub type Onlooker<'a, T> = Box<dyn FnMut(u64, u64, &[T]) + Send + 'a>;

/// Reads strips of a raster, chunk after chunk.
pub struct Strips<'a, T> {
    raster: &'a Raster,
    halo: u64,
    boundary: Boundary,
    scratch: ReadScratch<T>,
    /// Plane and positions of the rows in `carried`.
    carried_at: Option<(u64, Range<i64>)>,
    carried: Vec<T>,
    onlooker: Option<Onlooker<'a, T>>,
}

impl<'a, T: Real> Strips<'a, T> {
    /// Strips with `halo` extra rows on each side.
    pub fn new(raster: &'a Raster, halo: u64, boundary: Boundary) -> Self {
        Strips {
            raster,
            halo,
            boundary,
            scratch: ReadScratch::empty(),
            carried_at: None,
            carried: Vec::new(),
            onlooker: None,
        }
    }

    /// Shows `(plane, first row, rows)` of every chunk, without the halo, to `onlooker`.
    pub fn watched_by(mut self, onlooker: Onlooker<'a, T>) -> Self {
        self.onlooker = Some(onlooker);
        self
    }

    /// The carried rows of `plane` that cover the beginning of `positions`.
    fn take_carried(&self, plane: u64, positions: &Range<i64>, values: &mut [T], width: usize) -> i64 {
        match &self.carried_at {
            Some((at, held)) if *at == plane && held.contains(&positions.start) => {
                let end = held.end.min(positions.end);
                let skip = (positions.start - held.start) as usize * width;
                let length = (end - positions.start) as usize * width;
                values[..length].copy_from_slice(&self.carried[skip..skip + length]);
                end
            }
            _ => positions.start,
        }
    }

    fn carry(&mut self, plane: u64, positions: &Range<i64>, values: &[T], width: usize) {
        let rows = (2 * self.halo as i64).min(positions.end - positions.start);
        let start = positions.end - rows;
        self.carried.clear();
        self.carried.extend_from_slice(&values[(start - positions.start) as usize * width..]);
        self.carried_at = Some((plane, start..positions.end));
    }
}

impl<T: Real> Source for Strips<'_, T> {
    type Buffer = Strip<T>;

    fn read(&mut self, chunk: &Chunk, strip: &mut Strip<T>) -> Result<()> {
        let (height, width) = (self.raster.height(), self.raster.width());
        let positions = positions(chunk.start..chunk.end, self.halo, height as u64, self.boundary);
        *strip = Strip {
            values: std::mem::take(&mut strip.values),
            first: positions.start,
            width,
            height,
            boundary: self.boundary,
        };
        strip.values.resize((positions.end - positions.start) as usize * width, T::NAN);
        let mut next = self.take_carried(chunk.plane, &positions, &mut strip.values, width);
        while next < positions.end {
            // Positions outside the plane occur for wrap only, and wrap maps each stretch of
            // the axis to a stretch of rows.
            let row = next.rem_euclid(height as i64);
            let end = positions.end.min(next + height as i64 - row);
            let place = (next - positions.start) as usize * width..(end - positions.start) as usize * width;
            let rows = row as u64..(row + end - next) as u64;
            self.raster.read_rows(chunk.plane, rows, &mut strip.values[place], &mut self.scratch)?;
            next = end;
        }
        if self.halo > 0 {
            self.carry(chunk.plane, &positions, &strip.values, width);
        }
        if let Some(onlooker) = &mut self.onlooker {
            let own = (chunk.start as i64 - positions.start) as usize * width;
            let length = chunk.len() as usize * width;
            onlooker(chunk.plane, chunk.start, &strip.values[own..own + length]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BOUNDARIES: [Boundary; 6] = [
        Boundary::Nan,
        Boundary::Nearest,
        Boundary::Reflect,
        Boundary::Wrap,
        Boundary::Reflect101,
        Boundary::Constant(1.0),
    ];

    proptest! {
        /// Whatever row a kernel may ask for, the strip's window has it: the same as the whole plane's.
        #[test]
        fn a_strip_holds_every_row_its_halo_can_reach(
            height in 1u64..20, start in 0u64..20, length in 1u64..20, halo in 0u64..60, mode in 0usize..6,
        ) {
            prop_assume!(start < height);
            let rows = start..height.min(start + length);
            let boundary = BOUNDARIES[mode];
            let plane: Vec<f64> = (0..height).map(|v| v as f64).collect();
            let whole = Window::whole(&plane, height as usize, 1, boundary);
            let held = positions(rows.clone(), halo, height, boundary);
            let values: Vec<f64> = held.clone().map(|m| m.rem_euclid(height as i64) as f64).collect();
            let window = Window { rows: &values, first: held.start, width: 1, height: height as usize, boundary };
            for m in rows.start as i64 - halo as i64..(rows.end + halo) as i64 {
                prop_assert_eq!(window.row(m), whole.row(m), "position {}", m);
            }
        }
    }
}
