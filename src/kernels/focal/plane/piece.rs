//! The values a panel is computed from: a patch, or a part of the raster where it lies.

use crate::kernels::window::Boundary;

/// Clean values of a panel.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece<'a> {
    pub values: &'a [f64],
    /// Elements from one row to the next.
    pub stride: usize,
    /// Column of the raster (or beside it) where the values begin.
    pub first: i64,
    /// Columns of the raster, and what lies beside them, if the values end with the raster.
    pub sides: Option<(usize, Boundary)>,
}

/// Columns wanted of a piece: some are there, the others follow by the boundary's map.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    /// Where the columns that are there begin in the piece.
    pub offset: usize,
    /// How many there are.
    pub have: usize,
    /// Columns wanted before and after them.
    pub left: usize,
    right: usize,
    /// Column of the raster wanted first.
    start: i64,
    sides: Option<(usize, Boundary)>,
}

impl Piece<'_> {
    pub fn span(&self, start: i64, wanted: usize) -> Span {
        let end = start + wanted as i64;
        let (low, high) = match self.sides {
            Some((width, _)) => (start.max(0), end.min(width as i64)),
            None => (start, end),
        };
        let (left, right) = ((low - start) as usize, (end - high) as usize);
        Span {
            offset: (low - self.first) as usize,
            have: (high - low) as usize,
            left,
            right,
            start,
            sides: self.sides,
        }
    }
}

impl Span {
    /// Fills the columns that are not there from those that are.
    pub fn fill(&self, line: &mut [f64]) {
        let Some((width, boundary)) = self.sides else { return };
        let last = self.left + self.have;
        for at in (0..self.left).chain(last..last + self.right) {
            let column = boundary.map(self.start + at as i64, width);
            let from = column.and_then(|c| usize::try_from(c as i64 - self.start).ok());
            line[at] = from.filter(|c| (self.left..last).contains(c)).map_or(0.0, |c| line[c]);
        }
    }
}
