use super::*;
use crate::commands::decode::fixture;

fn wtrack() -> TrackGraph {
    let graph = fixture::parameters("wtrack")["track_graph"].to_string();
    TrackGraph::from_json(&graph, "wtrack").unwrap()
}

#[cfg(feature = "hdf5")]
#[test]
fn a_w_track_is_linearised_and_binned_like_the_peers() {
    let (track, set) = (wtrack(), "wtrack");
    let linear = track.linearise_all(&fixture::input(set, "/position/data").1);
    fixture::assert_close("linear", &linear, &fixture::values(set, "in_linear_position"), (1e-9, 0.0));
    let grid = track.grid(2.0).unwrap();
    let edges = fixture::values(set, "place_bin_edges_dim0");
    fixture::assert_close("edges", &grid.edges[0], &edges, (1e-12, 0.0));
    fixture::assert_close("centers", &grid.centers, &fixture::values(set, "place_bin_centers"), (1e-12, 0.0));
    let interior: Vec<f64> = grid.interior.iter().map(|&b| f64::from(u8::from(b))).collect();
    assert_eq!(interior, fixture::values(set, "is_track_interior"));
}

#[test]
fn distances_along_the_graph_make_the_peers_random_walk() {
    let track = wtrack();
    let grid = track.grid(2.0).unwrap();
    let bins = grid.interior_bins.len();
    let mut walk: Vec<f64> = track.distances(&grid).iter().map(|d| (-d * d / 12.0).exp()).collect();
    for row in walk.chunks_exact_mut(bins) {
        let sum: f64 = row.iter().sum();
        row.iter_mut().for_each(|p| *p /= sum);
    }
    fixture::assert_close("walk", &walk, &fixture::values("wtrack", "decoder_transition"), (0.0, 1e-12));
}

#[test]
fn json_goes_there_and_back() {
    let track = wtrack();
    assert_eq!(TrackGraph::from_json(&track.to_json(), "again").unwrap(), track);
}

const STAR: &str = r#"{"node_positions": [[0,0],[0,10],[10,0],[-10,0]], "edges": [[0,1],[0,2],[3,0]]"#;

#[test]
fn direction_and_gaps_follow_the_order_and_ties_the_lowest_edge() {
    let text = format!(r#"{STAR}, "edge_order": [[2,0],[1,0],[0,3]], "edge_spacing": [5, 1]}}"#);
    let track = TrackGraph::from_json(&text, "star").unwrap();
    // Edge 1 comes first and runs towards the middle; edge 0 starts behind it and the gap.
    assert_eq!(track.linearise(&[9.0, -1.0]), 1.0);
    assert_eq!(track.linearise(&[0.5, 8.0]), 17.0);
    assert_eq!(track.linearise(&[-4.0, 0.1]), 26.0 + 4.0);
    // As near to edges 0 and 1: the lowest edge id.
    assert_eq!(track.linearise(&[3.0, 3.0]), 15.0 + 7.0);
    assert!(track.linearise(&[f64::NAN, 0.0]).is_nan());
    let grid = track.grid(4.0).unwrap();
    assert_eq!(grid.interior, [true, true, true, false, true, true, true, false, true, true, true]);
    assert_eq!(grid.edges[0][3..5], [10.0, 15.0]);
}

#[test]
fn without_order_and_spacing_the_edges_follow_each_other() {
    let track = TrackGraph::from_json(&format!("{STAR}}}"), "star").unwrap();
    let grid = track.grid(5.0).unwrap();
    assert_eq!(grid.edges[0], [0.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0]);
    assert_eq!(grid.interior_bins.len(), 6);
    let spaced = TrackGraph::from_json(&format!(r#"{STAR}, "edge_spacing": 2.5}}"#), "star").unwrap();
    assert_eq!(spaced.grid(10.0).unwrap().edges[0], [0.0, 10.0, 12.5, 22.5, 25.0, 35.0]);
}

#[test]
fn separate_parts_are_infinitely_far_apart() {
    let text = r#"{"node_positions": [[0,0],[4,0],[0,9],[4,9]], "edges": [[0,1],[2,3]], "edge_spacing": 1}"#;
    let track = TrackGraph::from_json(text, "two").unwrap();
    let grid = track.grid(4.0).unwrap();
    assert_eq!(track.distances(&grid), [0.0, f64::INFINITY, f64::INFINITY, 0.0]);
}

#[test]
fn bad_graphs_are_errors_that_name_the_fault() {
    let message = |text: &str| TrackGraph::from_json(text, "g.json").unwrap_err().to_string();
    let star = |rest: &str| message(&format!("{STAR}, {rest}}}"));
    assert!(message("{").starts_with("g.json: found "));
    assert!(message(r#"{"node_positions": [[0,0]], "edges": []}"#).contains("no edges"));
    assert!(message(r#"{"node_positions": [[0,0],[1,0]], "edges": [[0,7]]}"#).contains("nodes 0 and 7"));
    assert!(message(r#"{"node_positions": [[0,0],[0,0]], "edges": [[0,1]]}"#).contains("length 0"));
    assert!(message(r#"{"node_positions": [[0,0],[1,0]], "edges": [[0,1],[1,0]]}"#).contains("same nodes"));
    assert!(message(r#"{"node_positions": [[0,0],[1,0]], "edges": [[0,1]], "nodes": 3}"#).contains("nodes"));
    assert!(star(r#""edge_order": [[0,1],[0,2]]"#).contains("without [0, 3]"));
    assert!(star(r#""edge_order": [[0,1],[1,2],[0,3]]"#).contains("names [1, 2]"));
    assert!(star(r#""edge_order": [[0,1],[1,0],[0,3]]"#).contains("names [1, 0]"));
    assert!(star(r#""edge_spacing": [1]"#).contains("length 1"));
    assert!(star(r#""edge_spacing": -1"#).contains("edge_spacing -1"));
    let track = TrackGraph::from_json(&format!("{STAR}}}"), "star").unwrap();
    assert!(track.grid(0.0).unwrap_err().to_string().contains("--bin-size 0"));
    assert!(track.grid(1e-9).unwrap_err().to_string().contains("larger --bin-size"));
}
