//! How far the place bins are from the animal's own bin, along the environment (spec decode 5, last
//! paragraph): for the position penalty of non-local states.
//!
//! With a track graph distances run along it; otherwise along the graph of interior bins that
//! touch by face, edge or corner, each step as long as the centres are apart. Bins that no path
//! reaches are infinitely far, so their penalty is zero.

use super::grid::{BinLookup, PlaceGrid};
use super::track::{TrackDistances, TrackGraph};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

/// Distances from the animal's bin to all interior bins, computed once per bin it visits.
pub struct AnimalDistances<'a> {
    lookup: BinLookup<'a>,
    bins: usize,
    paths: Paths,
    /// Rows made so far, by the animal's bin.
    rows: HashMap<usize, Vec<f64>>,
}

enum Paths {
    Track(TrackDistances),
    Grid(Vec<Vec<(usize, f64)>>),
}

impl<'a> AnimalDistances<'a> {
    /// Distances in `grid`, along `track` where there is one.
    pub fn new(grid: &'a PlaceGrid, track: Option<&TrackGraph>) -> Self {
        let paths = match track {
            Some(track) => Paths::Track(TrackDistances::new(track, &grid.interior_centers())),
            None => Paths::Grid(neighbours(grid)),
        };
        let bins = grid.interior_bins.len();
        AnimalDistances { lookup: BinLookup::new(grid), bins, paths, rows: HashMap::new() }
    }

    /// Distances from the bin that holds `position` (one value per axis, linearised) to each interior
    /// bin; none where the position is not a number: no penalty then.
    pub fn distances(&mut self, position: &[f64]) -> Option<&[f64]> {
        let from = self.lookup.interior_bin(position)?;
        let (paths, bins) = (&self.paths, self.bins);
        let row = self.rows.entry(from).or_insert_with(|| match paths {
            Paths::Track(track) => {
                let mut row = vec![0.0; bins];
                track.from_point(from, &mut row);
                row
            }
            Paths::Grid(neighbours) => shortest_paths(neighbours, from),
        });
        Some(row)
    }

    /// Adds the penalty `-weight * exp(-distance^2 / (2 std^2))` of a row to its log likelihoods.
    pub fn penalise(&mut self, position: &[f64], (weight, std): (f64, f64), log_likelihood: &mut [f64]) {
        let Some(row) = self.distances(position) else { return };
        for (value, distance) in log_likelihood.iter_mut().zip(row) {
            *value -= weight * (-0.5 * distance * distance / (std * std)).exp();
        }
    }
}

/// Per interior bin its interior neighbours (indices among the interior bins) and how far they are.
fn neighbours(grid: &PlaceGrid) -> Vec<Vec<(usize, f64)>> {
    let mut index = vec![usize::MAX; grid.bins()];
    for (at, &bin) in grid.interior_bins.iter().enumerate() {
        index[bin] = at;
    }
    let steps = 3usize.pow(grid.axes as u32);
    let touching = |&bin: &usize| {
        let mut found = Vec::new();
        for step in 0..steps {
            let Some(other) = step_from(bin, step, &grid.shape).filter(|&other| other != bin) else {
                continue;
            };
            if index[other] != usize::MAX {
                let square = |(a, b): (&f64, &f64)| (a - b) * (a - b);
                let distance: f64 = grid.center(bin).iter().zip(grid.center(other)).map(square).sum();
                found.push((index[other], distance.sqrt()));
            }
        }
        found
    };
    grid.interior_bins.iter().map(touching).collect()
}

/// The bin one `step` away, whose digits to base 3 are back, stay, forth per axis.
fn step_from(bin: usize, step: usize, shape: &[usize]) -> Option<usize> {
    let (mut bin, mut step, mut stride, mut other) = (bin, step, 1, 0);
    for &n in shape.iter().rev() {
        let at = (bin % n + step % 3).checked_sub(1).filter(|&at| at < n)?;
        other += at * stride;
        (bin, step, stride) = (bin / n, step / 3, stride * n);
    }
    Some(other)
}

/// Dijkstra's paths from one node to all, each node with its neighbours and how far they are.
pub fn shortest_paths(neighbours: &[Vec<(usize, f64)>], from: usize) -> Vec<f64> {
    let mut distances = vec![f64::INFINITY; neighbours.len()];
    distances[from] = 0.0;
    // Distances are not negative, so their bit patterns sort as they do.
    let mut open = BinaryHeap::from([(Reverse(0u64), from)]);
    while let Some((Reverse(bits), node)) = open.pop() {
        let so_far = f64::from_bits(bits);
        if so_far > distances[node] {
            continue;
        }
        for &(next, length) in &neighbours[node] {
            let through = so_far + length;
            if through < distances[next] {
                distances[next] = through;
                open.push((Reverse(through.to_bits()), next));
            }
        }
    }
    distances
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_row(found: &[f64], expected: &[f64]) {
        super::super::fixture::assert_close("row", found, expected, (1e-12, 0.0));
    }

    #[test]
    fn paths_go_around_what_is_not_interior() {
        // A horseshoe: the middle of the upper row is missing.
        let edges = vec![vec![0.0, 2.0, 4.0], vec![0.0, 1.0, 2.0, 3.0]];
        let grid = PlaceGrid::from_edges(edges, vec![true, false, true, true, true, true]).unwrap();
        let mut distances = AnimalDistances::new(&grid, None);
        let diagonal = 5f64.sqrt();
        let row = distances.distances(&[1.0, 0.5]).unwrap();
        assert_row(row, &[0.0, 2.0 * diagonal, 2.0, diagonal, diagonal + 1.0]);
        assert!(distances.distances(&[f64::NAN, 0.5]).is_none());
    }

    #[test]
    fn what_no_path_reaches_has_no_penalty() {
        let edges = vec![vec![0.0, 1.0, 2.0, 3.0, 4.0]];
        let grid = PlaceGrid::from_edges(edges, vec![true, true, false, true]).unwrap();
        let mut distances = AnimalDistances::new(&grid, None);
        assert_eq!(distances.distances(&[0.2]).unwrap(), [0.0, 1.0, f64::INFINITY]);
        let mut row = [-1.0, -1.0, -1.0];
        distances.penalise(&[0.2], (3.0, 2.0), &mut row);
        assert_row(&row, &[-4.0, -1.0 - 3.0 * (-0.125f64).exp(), -1.0]);
        distances.penalise(&[f64::NAN], (3.0, 2.0), &mut row);
        assert_row(&row, &[-4.0, -1.0 - 3.0 * (-0.125f64).exp(), -1.0]);
    }

    #[test]
    fn on_a_track_distances_run_over_its_nodes() {
        let json = r#"{"node_positions": [[0,0],[4,0],[4,4],[8,0]], "edges": [[0,1],[1,2],[1,3]],
                       "edge_spacing": [0, 10]}"#;
        let track = TrackGraph::from_json(json, "t.json").unwrap();
        let grid = track.grid(2.0).unwrap();
        let mut distances = AnimalDistances::new(&grid, Some(&track));
        // From the second bin of the stem: both branches start at its end.
        assert_row(distances.distances(&[3.0]).unwrap(), &[2.0, 0.0, 2.0, 4.0, 2.0, 4.0]);
    }
}
