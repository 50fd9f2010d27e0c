//! The JSON form of a track graph (spec decode 6.2): `node_positions`, `edges`, `edge_order`,
//! `edge_spacing`.

use super::{Segment, TrackGraph};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// Nodes and edges of a graph at most: paths between all nodes are kept, and each sample is
/// projected on each edge.
const MOST_NODES: usize = 2000;

/// The file as written.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    node_positions: Vec<[f64; 2]>,
    edges: Vec<[usize; 2]>,
    /// Missing: the edges in their own order.
    #[serde(default)]
    edge_order: Option<Vec<[usize; 2]>>,
    /// Missing: no gaps.
    #[serde(default)]
    edge_spacing: Option<Spacing>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Spacing {
    One(f64),
    Each(Vec<f64>),
}

impl TrackGraph {
    /// Reads a graph from JSON text; `place` names its file in messages.
    ///
    /// # Errors
    /// Text that is no such JSON, a node out of range, a position or spacing that is not finite, an
    /// edge that is a loop or a point, named twice, or missing in the order, a spacing of the wrong length.
    pub fn from_json(text: &str, place: &str) -> Result<Self> {
        let written: Written = serde_json::from_str(text).map_err(|e| {
            let expected = "node_positions [[x, y], ...], edges [[a, b], ...], edge_order, edge_spacing";
            Error::data(place, e.to_string(), expected, "")
        })?;
        let nodes = written.node_positions;
        let mut segments = segments(&written.edges, &nodes, place)?;
        let asked = written.edge_order.unwrap_or(written.edges);
        let order = order(&asked, &mut segments, place)?;
        let spacing = spacing(written.edge_spacing, order.len() - 1, place)?;
        let mut start = 0.0;
        for (at, &id) in order.iter().enumerate() {
            segments[id].start = start;
            start += segments[id].length + spacing.get(at).copied().unwrap_or(0.0);
        }
        Ok(TrackGraph { nodes, segments, order, spacing })
    }

    /// The graph as JSON text that [`TrackGraph::from_json`] reads.
    pub fn to_json(&self) -> String {
        let written = Written {
            node_positions: self.nodes.clone(),
            edges: self.segments.iter().map(|segment| segment.ends).collect(),
            edge_order: Some(self.order.iter().map(|&id| self.segments[id].along).collect()),
            edge_spacing: Some(Spacing::Each(self.spacing.clone())),
        };
        // A tree of finite numbers has no way to fail.
        serde_json::to_string(&written).unwrap_or_default()
    }
}

fn segments(edges: &[[usize; 2]], nodes: &[[f64; 2]], place: &str) -> Result<Vec<Segment>> {
    let bad = |found: String, expected: String| Error::data(place, found, expected, "");
    if nodes.len() > MOST_NODES || edges.len() > MOST_NODES {
        let found = format!("{} nodes and {} edges", nodes.len(), edges.len());
        return Err(bad(found, format!("at most {MOST_NODES} of each")));
    }
    if edges.is_empty() {
        return Err(bad("no edges".into(), "at least one".into()));
    }
    if let Some(node) = nodes.iter().position(|p| !p.iter().all(|x| x.is_finite())) {
        return Err(bad(format!("node {node} at {:?}", nodes[node]), "finite coordinates".into()));
    }
    edges.iter().enumerate().map(|(id, &ends)| segment(id, ends, nodes, place)).collect()
}

fn segment(id: usize, ends: [usize; 2], nodes: &[[f64; 2]], place: &str) -> Result<Segment> {
    let bad = |found: String, expected: String| Err(Error::data(place, found, expected, ""));
    let [Some(from), Some(to)] = ends.map(|node| nodes.get(node)) else {
        let expected = format!("nodes below {}, the number of node_positions", nodes.len());
        return bad(format!("edge {id} between nodes {} and {}", ends[0], ends[1]), expected);
    };
    let (dx, dy) = (from[0] - to[0], from[1] - to[1]);
    let square = dx * dx + dy * dy;
    if !square.is_normal() {
        let found =
            format!("edge {id} between nodes {} and {} of length {}", ends[0], ends[1], square.sqrt());
        return bad(found, "two nodes apart from each other".into());
    }
    Ok(Segment { ends, along: ends, start: 0.0, length: square.sqrt() })
}

/// Edge ids in the order asked for; turns each edge as it is named there.
fn order(asked: &[[usize; 2]], segments: &mut [Segment], place: &str) -> Result<Vec<usize>> {
    let mut by_ends = std::collections::HashMap::new();
    for (id, segment) in segments.iter().enumerate() {
        let [a, b] = segment.ends;
        if let Some(other) = by_ends.insert([a.min(b), a.max(b)], id) {
            let found = format!("edges {other} and {id} between the same nodes {a} and {b}");
            return Err(Error::data(place, found, "each edge once", ""));
        }
    }
    let mut order = Vec::with_capacity(asked.len());
    for &[a, b] in asked {
        // Taking it out tells a second mention from the first.
        let Some(id) = by_ends.remove(&[a.min(b), a.max(b)]) else {
            let found = format!("edge_order names [{a}, {b}]");
            return Err(Error::data(place, found, "each of the edges once, in either direction", ""));
        };
        segments[id].along = [a, b];
        order.push(id);
    }
    if let Some([a, b]) = by_ends.keys().min() {
        let found = format!("edge_order without [{a}, {b}]");
        return Err(Error::data(place, found, "each of the edges once, in either direction", ""));
    }
    Ok(order)
}

/// One gap behind each edge but the last.
fn spacing(written: Option<Spacing>, gaps: usize, place: &str) -> Result<Vec<f64>> {
    let spacing = match written {
        None => vec![0.0; gaps],
        Some(Spacing::One(gap)) => vec![gap; gaps],
        Some(Spacing::Each(each)) => each,
    };
    if spacing.len() != gaps {
        let found = format!("edge_spacing of length {}", spacing.len());
        let expected = format!("one number, or {gaps}: one between each two of {} edges", gaps + 1);
        return Err(Error::data(place, found, expected, ""));
    }
    if let Some(gap) = spacing.iter().find(|gap| !(gap.is_finite() && **gap >= 0.0)) {
        return Err(Error::data(place, format!("edge_spacing {gap}"), "lengths of 0 or more", ""));
    }
    Ok(spacing)
}
