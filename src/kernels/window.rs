//! A stretch of raster rows as kernels see it, and what lies beyond its edges.

use crate::array::Real;

/// What stands outside the raster (spec convolve 1.3).
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Boundary {
    /// Nothing: cells whose window overhangs are NaN (convolution) or use the part inside (statistics).
    Nan,
    /// The nearest edge cell.
    Nearest,
    /// Mirrored with the edge cell repeated: `d c b a | a b c d | d c b a`.
    Reflect,
    /// Periodic.
    Wrap,
    /// Mirrored about the edge cell: `d c b | a b c d | c b a`.
    Reflect101,
    /// A fixed value.
    Constant(f64),
}

impl Boundary {
    /// The cell of an axis of length `n` that stands at position `m`, which may lie far outside.
    ///
    /// `None` where no cell does: outside the axis in [`Boundary::Nan`] and
    /// [`Boundary::Constant`], and everywhere on an empty axis.
    pub fn map(self, m: i64, n: usize) -> Option<usize> {
        let length = n as i64;
        if (0..length).contains(&m) {
            return Some(m as usize);
        }
        if n == 0 {
            return None;
        }
        let mirror = |period: i64, fold: &dyn Fn(i64) -> i64| {
            let q = m.rem_euclid(period);
            if q < length { q } else { fold(q) }
        };
        match self {
            Boundary::Nan | Boundary::Constant(_) => None,
            Boundary::Nearest => Some(m.clamp(0, length - 1) as usize),
            Boundary::Reflect => Some(mirror(2 * length, &|q| 2 * length - 1 - q) as usize),
            Boundary::Wrap => Some(m.rem_euclid(length) as usize),
            Boundary::Reflect101 if n == 1 => Some(0),
            Boundary::Reflect101 => Some(mirror(2 * length - 2, &|q| 2 * length - 2 - q) as usize),
        }
    }
}

impl std::fmt::Display for Boundary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Boundary::Nan => f.write_str("nan"),
            Boundary::Nearest => f.write_str("nearest"),
            Boundary::Reflect => f.write_str("reflect"),
            Boundary::Wrap => f.write_str("wrap"),
            Boundary::Reflect101 => f.write_str("reflect101"),
            Boundary::Constant(value) => write!(f, "constant:{value}"),
        }
    }
}

/// Rows of one plane in working values, row-major, full width.
///
/// `rows` covers positions `first .. first + rows.len() / width` of the *extended* row axis:
/// positions below 0 or from `height` on are rows the reader placed by the boundary's map, so
/// that a strip needs nothing beyond its own window. A window over a whole plane has `first`
/// 0 and `height` rows and finds the outer rows by the map itself.
#[derive(Debug, Clone, Copy)]
pub struct Window<'a, T> {
    /// The values, `width` per row.
    pub rows: &'a [T],
    /// Position of the first row.
    pub first: i64,
    /// Columns of the raster.
    pub width: usize,
    /// Rows of the whole raster.
    pub height: usize,
    /// What lies outside.
    pub boundary: Boundary,
}

impl<'a, T: Real> Window<'a, T> {
    /// A whole plane of `height` x `width` values.
    pub fn whole(values: &'a [T], height: usize, width: usize, boundary: Boundary) -> Self {
        Window { rows: values, first: 0, width, height, boundary }
    }

    /// The row at position `m` of the extended axis; `None` where the boundary has no cell
    /// there (or the window does not reach it).
    pub fn row(&self, m: i64) -> Option<&'a [T]> {
        let held = self.rows.len().checked_div(self.width).unwrap_or(0) as i64;
        let local = |m: i64| {
            let i = m - self.first;
            (0..held).contains(&i).then(|| &self.rows[i as usize * self.width..][..self.width])
        };
        let inside = (0..self.height as i64).contains(&m);
        match self.boundary {
            Boundary::Nan | Boundary::Constant(_) if !inside => None,
            _ => local(m).or_else(|| local(self.boundary.map(m, self.height)? as i64)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_far_outside_fold_as_often_as_needed() {
        let at = |b: Boundary, n: usize| (-7..9).map(|m| b.map(m, n).unwrap()).collect::<Vec<_>>();
        assert_eq!(at(Boundary::Reflect, 3), [0, 0, 1, 2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0, 1, 2]);
        assert_eq!(at(Boundary::Reflect101, 3), [1, 2, 1, 0, 1, 2, 1, 0, 1, 2, 1, 0, 1, 2, 1, 0]);
        assert_eq!(at(Boundary::Wrap, 3), [2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2]);
        assert_eq!(at(Boundary::Nearest, 3), [0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 2, 2, 2, 2, 2, 2]);
        assert_eq!(Boundary::Nan.map(-1, 3), None);
        assert_eq!(Boundary::Reflect101.map(-5, 1), Some(0));
        assert_eq!(Boundary::Wrap.map(0, 0), None);
    }
}
