//! A track as a graph: linearised position, its bins, and distances along it (spec decode 2.2).
//!
//! Nodes are points of the plane, edges straight segments between them, in the unit of the
//! position. `edge_order` lays the edges one behind the other on a line, each from its first named
//! node on, with `edge_spacing` between them.

mod distances;
mod json;
#[cfg(test)]
mod tests;

use super::grid::{MOST_BINS, PlaceGrid, linspace};
use crate::error::{Error, Result};

pub use distances::TrackDistances;

/// A track graph.
#[derive(Debug, Clone, PartialEq)]
pub struct TrackGraph {
    /// Position of each node.
    nodes: Vec<[f64; 2]>,
    /// Edges in order of their id: the nodes as given there, which is where projection starts.
    segments: Vec<Segment>,
    /// Edge ids in the order of the line.
    order: Vec<usize>,
    /// Gap behind each edge of the order but the last.
    spacing: Vec<f64>,
}

/// One edge.
#[derive(Debug, Clone, PartialEq)]
struct Segment {
    /// Its nodes as listed among the edges.
    ends: [usize; 2],
    /// Its nodes as named in the order: linear position grows from the first to the second.
    along: [usize; 2],
    /// Linear position of the first node named in the order.
    start: f64,
    length: f64,
}

impl TrackGraph {
    /// The linear position of a point of the plane: its projection on the nearest edge, the one of
    /// lowest id among several. Not a number where the point is none.
    pub fn linearise(&self, point: &[f64; 2]) -> f64 {
        if point.iter().any(|x| x.is_nan()) {
            return f64::NAN;
        }
        let mut best = (f64::INFINITY, f64::NAN);
        for segment in &self.segments {
            let [from, to] = segment.ends.map(|node| self.nodes[node]);
            let (dx, dy) = (to[0] - from[0], to[1] - from[1]);
            let square = dx * dx + dy * dy;
            let along = ((dx * (point[0] - from[0]) + dy * (point[1] - from[1])) / square).clamp(0.0, 1.0);
            let at = [from[0] + along * dx, from[1] + along * dy];
            let distance = (point[0] - at[0]).powi(2) + (point[1] - at[1]).powi(2);
            if distance < best.0 {
                let first = self.nodes[segment.along[0]];
                let (x, y) = (first[0] - at[0], first[1] - at[1]);
                best = (distance, segment.start + (x * x + y * y).sqrt());
            }
        }
        best.1
    }

    /// Linear positions of many points, `[sample][2]`.
    pub fn linearise_all(&self, points: &[f64]) -> Vec<f64> {
        points.as_chunks().0.iter().map(|point| self.linearise(point)).collect()
    }

    /// Bins along the line: each edge in equal parts of at most `bin_size`, each gap one bin that is
    /// not interior.
    ///
    /// # Errors
    /// A bin size that is not positive, or one that makes too many bins.
    pub fn grid(&self, bin_size: f64) -> Result<PlaceGrid> {
        if !(bin_size.is_finite() && bin_size > 0.0) {
            return Err(Error::usage(format!("--bin-size {bin_size}: a positive length")));
        }
        let wanted: f64 = self.segments.iter().map(|s| (s.length / bin_size).ceil() + 1.0).sum();
        if wanted > MOST_BINS as f64 {
            let found = format!("{wanted} bins of {bin_size} on the track graph");
            let advice = "give a larger --bin-size, or check the unit of the node positions";
            return Err(Error::data("place grid", found, format!("at most {MOST_BINS} bins"), advice));
        }
        let (mut edges, mut interior): (Vec<f64>, Vec<bool>) = (Vec::new(), Vec::new());
        for segment in self.order.iter().map(|&id| &self.segments[id]) {
            let bins = (segment.length / bin_size).ceil() as usize;
            let part = linspace(segment.start, segment.start + segment.length, bins);
            match edges.last() {
                None => edges.push(part[0]),
                Some(&last) if is_close(last, part[0]) => {}
                Some(_) => {
                    edges.push(part[0]);
                    interior.push(false);
                }
            }
            edges.extend(&part[1..]);
            interior.extend(std::iter::repeat_n(true, bins));
        }
        PlaceGrid::from_edges(vec![edges], interior)
    }

    /// Shortest paths along the track between the centres of the interior bins of `grid`, `[P][P]`.
    pub fn distances(&self, grid: &PlaceGrid) -> Vec<f64> {
        let centers = grid.interior_centers();
        let paths = TrackDistances::new(self, &centers);
        let mut all = vec![0.0; centers.len() * centers.len()];
        for (from, row) in all.chunks_exact_mut(centers.len().max(1)).enumerate() {
            paths.from_point(from, row);
        }
        all
    }
}

/// numpy's `isclose` with its own tolerances.
fn is_close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-8 + 1e-5 * b.abs()
}
