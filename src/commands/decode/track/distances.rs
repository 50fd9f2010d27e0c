//! Shortest paths along a track graph between points given by their linear position.
//!
//! Gaps have no length here: branches that share a node meet in it. Points without a path between
//! them are infinitely far apart.

use super::TrackGraph;
use crate::commands::decode::neighbours::shortest_paths;

/// Where points lie on a graph, and the paths between the nodes they hang on.
#[derive(Debug, Clone)]
pub struct TrackDistances {
    /// Per point: its edge, and the distances to that edge's two nodes.
    points: Vec<(usize, [f64; 2])>,
    /// Per edge its nodes.
    ends: Vec<[usize; 2]>,
    /// Paths between nodes, `[node][node]`.
    paths: Vec<f64>,
    nodes: usize,
}

impl TrackDistances {
    /// Paths between points at the linear positions `centers`.
    pub fn new(track: &TrackGraph, centers: &[f64]) -> Self {
        let nodes = track.nodes.len();
        let mut neighbours = vec![Vec::new(); nodes];
        for segment in &track.segments {
            let [a, b] = segment.along;
            neighbours[a].push((b, segment.length));
            neighbours[b].push((a, segment.length));
        }
        let paths = (0..nodes).flat_map(|node| shortest_paths(&neighbours, node)).collect();
        let ends = track.segments.iter().map(|segment| segment.along).collect();
        TrackDistances { points: centers.iter().map(|&x| place(track, x)).collect(), ends, paths, nodes }
    }

    /// Distances from point `from` to all points.
    pub fn from_point(&self, from: usize, row: &mut [f64]) {
        let (edge, ways) = self.points[from];
        for (distance, (other, others)) in row.iter_mut().zip(&self.points) {
            if edge == *other {
                *distance = (ways[0] - others[0]).abs();
                continue;
            }
            *distance = f64::INFINITY;
            for (&v, way) in self.ends[edge].iter().zip(ways) {
                for (&w, rest) in self.ends[*other].iter().zip(others) {
                    *distance = distance.min(way + self.paths[v * self.nodes + w] + rest);
                }
            }
        }
    }
}

/// The edge that a linear position lies on (the nearest one for a position in a gap), and how far
/// its nodes are.
fn place(track: &TrackGraph, x: f64) -> (usize, [f64; 2]) {
    let mut best = (f64::INFINITY, 0, [0.0, 0.0]);
    for &id in &track.order {
        let segment = &track.segments[id];
        let along = (x - segment.start).clamp(0.0, segment.length);
        let off = (x - segment.start - along).abs();
        if off < best.0 {
            best = (off, id, [along, segment.length - along]);
        }
    }
    (best.1, best.2)
}
