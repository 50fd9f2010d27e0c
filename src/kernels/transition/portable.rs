//! A walk's weights as plain lists, without what is particular to this machine's registers: what a
//! device is given.

/// Weights towards each place, or away from each.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sparse {
    /// First entry of each place, and how many there are at the end.
    pub starts: Vec<u32>,
    /// The other place of each entry, ascending for each place.
    pub places: Vec<u32>,
    /// Its weight.
    pub weights: Vec<f64>,
}

impl Sparse {
    /// From the entries of each place.
    pub(super) fn new(entries: impl Iterator<Item = Vec<(usize, f64)>>) -> Self {
        let mut all = Sparse { starts: vec![0], ..Sparse::default() };
        for mut own in entries {
            own.sort_unstable_by_key(|entry| entry.0);
            all.places.extend(own.iter().map(|entry| entry.0 as u32));
            all.weights.extend(own.iter().map(|entry| entry.1));
            all.starts.push(all.places.len() as u32);
        }
        all
    }
}

/// The weights of a [`Walk`](super::Walk), before rows are divided by their sums.
#[derive(Debug, Clone, PartialEq)]
pub enum Portable {
    /// `Gx (x) Gy` over a box of bins `[first axis][second axis]`.
    Box {
        /// `Gx`, `[row][row]`, symmetric.
        first: Vec<f64>,
        /// `Gy`, `[column][column]`, symmetric.
        second: Vec<f64>,
        /// Rows and columns.
        shape: [usize; 2],
        /// Cell of each place.
        cells: Vec<u32>,
    },
    /// One weight for each pair of places that reach each other.
    Pairs {
        /// Sources of each place.
        towards: Sparse,
        /// Targets of each place, where walking back is another list.
        away: Option<Sparse>,
    },
}
