//! Patches: pieces of the extended raster, copied into float64 with their margins.

use super::simd::rows::{Seen, as_f64, scan, widen};
use crate::array::Real;
use crate::backend::CpuLevel;
use crate::kernels::window::{Boundary, Window};

/// A rectangle of the extended raster: positions may lie outside the raster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Region {
    /// First row.
    pub row: i64,
    /// Rows.
    pub rows: usize,
    /// First column.
    pub col: i64,
    /// Columns.
    pub cols: usize,
}

/// Cells that stand left and right of the raster, found once per block of rows.
#[derive(Debug)]
pub struct Sides {
    margin: usize,
    /// Columns at positions `-margin .. 0`, then `width .. width + margin`.
    map: Vec<Option<usize>>,
}

impl Sides {
    /// Room for `margin` columns on either side.
    pub fn new(margin: usize) -> Self {
        Sides { margin, map: vec![None; 2 * margin] }
    }

    /// Finds the columns for a raster of `width` columns.
    pub fn set(&mut self, boundary: Boundary, width: usize) {
        let margin = self.margin as i64;
        let positions = (-margin..0).chain(width as i64..width as i64 + margin);
        for (place, m) in self.map.iter_mut().zip(positions) {
            *place = boundary.map(m, width);
        }
    }

    fn column(&self, position: i64, width: usize) -> Option<usize> {
        let margin = self.margin as i64;
        let place = if position < 0 { position + margin } else { position - width as i64 + margin };
        usize::try_from(place).ok().and_then(|p| self.map.get(p).copied().flatten())
    }
}

/// The values of `region` where they lie, from its first one to the window's last, if all of it
/// is inside the raster, in the window, and float64: there is no need for a copy then.
pub fn view<'a, T: Real>(window: &Window<'a, T>, region: Region) -> Option<&'a [f64]> {
    let (bottom, right) = (region.row + region.rows as i64, region.col + region.cols as i64);
    if region.row < 0 || bottom > window.height as i64 || region.col < 0 || right > window.width as i64 {
        return None;
    }
    let row = usize::try_from(region.row - window.first).ok()?;
    let held = window.rows.len() / window.width;
    if row + region.rows > held {
        return None;
    }
    as_f64(window.rows.get(row * window.width + region.col as usize..)?)
}

/// Looks through the values of a view, asking meanwhile for those of `next`.
pub fn look(level: CpuLevel, values: &[f64], width: usize, region: Region, next: Region) -> Seen {
    let ahead = ahead(region, next, width);
    let rows = values.chunks(width).take(region.rows);
    rows.fold(Seen::default(), |seen, row| seen.and(scan(level, &row[..region.cols.min(row.len())], ahead)))
}

/// Elements from a value of one region to the same one of the next.
fn ahead(region: Region, next: Region, width: usize) -> usize {
    ((next.row - region.row) * width as i64 + next.col - region.col) as usize
}

/// Copies `region` to `to`, rows `stride` elements apart, and tells what values it saw.
///
/// `next` is what will be loaded after this: it is asked for meanwhile.
/// Places the boundary has no cell for hold 0, or the constant of [`Boundary::Constant`].
pub fn gather<T: Real>(
    level: CpuLevel,
    window: &Window<T>,
    sides: &Sides,
    (region, next): (Region, Region),
    (to, stride): (&mut [f64], usize),
) -> Seen {
    let fill = match window.boundary {
        Boundary::Constant(value) => T::round_from(value).widen(),
        _ => 0.0,
    };
    let width = window.width as i64;
    let end = region.col + region.cols as i64;
    // Columns inside the raster are one copy; the ones beside it go by the map.
    let inside = region.col.clamp(0, width)..end.clamp(0, width);
    let left = (inside.start - region.col).min(region.cols as i64) as usize;
    let ahead = ahead(region, next, window.width);
    let mut seen = Seen::default();
    for (row, target) in (region.row..).zip(to.chunks_mut(stride)).take(region.rows) {
        let target = &mut target[..region.cols];
        let Some(values) = window.row(row) else {
            target.fill(fill);
            seen = seen.with(fill);
            continue;
        };
        let middle = &values[inside.start as usize..inside.end.max(inside.start) as usize];
        seen = seen.and(widen(level, middle, &mut target[left..left + middle.len()], ahead));
        let beside = (0..left).chain(left + middle.len()..region.cols);
        for at in beside {
            let column = sides.column(region.col + at as i64, window.width);
            target[at] = column.map_or(fill, |c| values[c].widen());
            seen = seen.with(target[at]);
        }
    }
    seen
}
