//! What rows and columns of a result stand for, and how computed columns become those of the file.
//!
//! Computing columns: states in order, a spatial state has its P interior bins, a 1-bin state one.
//! File columns (`state_bins`): states in order, a spatial state has **all** bins of the grid, NaN
//! where they are not interior (spec decode 6.1).

use crate::array::Real;
use crate::error::{Error, Result};

/// Letters of the position axes, slowest first; with one axis the coordinate is plain `position`.
const LETTERS: [&str; 6] = ["x", "y", "z", "w", "v", "u"];

/// A discrete state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultState {
    /// Its name by the table of spec 5: `Continuous`.
    pub name: String,
    /// True for a state without positions (local, no-spike): one bin.
    pub one_bin: bool,
}

/// Rows and columns of a result.
#[derive(Debug, Clone, Copy)]
pub struct ResultLayout<'a> {
    /// Decoding times, s.
    pub time: &'a [f64],
    /// Discrete states in the order of their columns.
    pub states: &'a [ResultState],
    /// Position axes, 1 to 6.
    pub axes: usize,
    /// Centres of all bins of the grid, `[bin][axis]`, unit of the positions.
    pub centers: &'a [f64],
    /// Which bins of the grid are interior.
    pub interior: &'a [bool],
}

impl ResultLayout<'_> {
    /// Checks that the parts fit each other.
    ///
    /// # Errors
    /// No times, no states, no bins, or numbers of centres and bins that differ.
    pub fn check(&self) -> Result<()> {
        let bins = self.interior.len();
        let fits = (1..=LETTERS.len()).contains(&self.axes)
            && self.centers.len() == bins * self.axes
            && !(self.time.is_empty() || self.states.is_empty() || bins == 0);
        if fits && !self.interior.contains(&true) && self.states.iter().any(|state| !state.one_bin) {
            let found = format!("none of the {bins} place bins");
            return Err(Error::data("interior", found, "at least one", "check --interior and --bin-size"));
        }
        if fits {
            return Ok(());
        }
        Err(Error::Failed(format!(
            "a result of {} times, {} states, {bins} bins and {} coordinates of centres over {} axes cannot be",
            self.time.len(),
            self.states.len(),
            self.centers.len(),
            self.axes
        )))
    }

    /// Names of a quantity along the position axes: `position`, or `x_position`, `y_position`;
    /// with a prefix `map_position` or `map_x_position`, `map_y_position`.
    pub fn axis_names(&self, prefix: &str) -> Vec<String> {
        match self.axes {
            1 => vec![format!("{prefix}position")],
            axes => LETTERS.iter().take(axes).map(|letter| format!("{prefix}{letter}_position")).collect(),
        }
    }

    /// For every column of the file its state, and the bin of the grid where that state has places.
    pub fn state_bins(&self) -> impl Iterator<Item = (usize, Option<usize>)> + '_ {
        self.states.iter().enumerate().flat_map(|(state, facts)| {
            let bins = if facts.one_bin { 1 } else { self.interior.len() };
            (0..bins).map(move |bin| (state, (!facts.one_bin).then_some(bin)))
        })
    }
}

/// The way from computing columns to those of the file.
#[derive(Debug, Clone)]
pub struct Columns {
    /// Column of the file for every computing column, ascending.
    pub places: Vec<usize>,
    /// State of every computing column.
    pub states: Vec<usize>,
    /// Columns of the file.
    pub wide: usize,
}

impl Columns {
    /// Those of `layout`.
    pub fn of(layout: &ResultLayout) -> Self {
        let interior = |bin: Option<usize>| bin.is_none_or(|bin| layout.interior.get(bin) == Some(&true));
        let all = || layout.state_bins().enumerate();
        let kept = || all().filter(|(_, (_, bin))| interior(*bin));
        Columns {
            places: kept().map(|(place, _)| place).collect(),
            states: kept().map(|(_, (state, _))| state).collect(),
            wide: all().count(),
        }
    }

    /// One computed row as little-endian float32 of the file's columns, NaN where nothing is computed.
    pub fn spread<T: Real>(&self, row: &[T], out: &mut [u8]) {
        let cells = out.as_chunks_mut::<4>().0;
        cells.fill(f32::NAN.to_le_bytes());
        for (&place, value) in self.places.iter().zip(row) {
            if let Some(cell) = cells.get_mut(place) {
                *cell = (value.widen() as f32).to_le_bytes();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn states(one_bin: &[bool]) -> Vec<ResultState> {
        one_bin.iter().map(|&one_bin| ResultState { name: "s".into(), one_bin }).collect()
    }

    #[test]
    fn columns_skip_bins_that_are_not_interior_in_every_state() {
        let states = states(&[true, false, false]);
        let interior = [false, true, true];
        let layout = ResultLayout {
            time: &[0.0, 1.0],
            states: &states,
            axes: 1,
            centers: &[1.0, 3.0, 5.0],
            interior: &interior,
        };
        layout.check().unwrap();
        let columns = Columns::of(&layout);
        assert_eq!((columns.wide, columns.places.as_slice()), (7, &[0, 2, 3, 5, 6][..]));
        assert_eq!(columns.states, [0, 1, 1, 2, 2]);
        let mut out = [0u8; 28];
        columns.spread(&[0.1f64, 0.2, 0.3, 0.4, 0.5], &mut out);
        let seen: Vec<f32> = out.as_chunks::<4>().0.iter().map(|cell| f32::from_le_bytes(*cell)).collect();
        assert!(seen[1].is_nan() && seen[4].is_nan());
        assert_eq!([seen[0], seen[2], seen[3], seen[5], seen[6]], [0.1, 0.2, 0.3, 0.4, 0.5]);
    }

    #[test]
    fn axes_have_the_peers_names() {
        let states = states(&[false]);
        let layout = |axes| ResultLayout {
            time: &[0.0],
            states: &states,
            axes,
            centers: &[1.0, 2.0],
            interior: &[true, true],
        };
        assert_eq!(layout(1).axis_names("map_"), ["map_position"]);
        assert_eq!(layout(2).axis_names(""), ["x_position", "y_position"]);
        assert!(layout(1).check().is_ok() && layout(2).check().is_err() && layout(0).check().is_err());
    }
}
