//! The peer's float64 runs of `fixtures/decode` with the tolerances of its `REFERENCE.md`.

use super::sequence::viterbi;
use super::*;
use std::path::{Path, PathBuf};

/// A little-endian C-order array of a fixture.
struct Array {
    shape: Vec<usize>,
    kind: String,
    bytes: Vec<u8>,
}

fn folder(set: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/decode").join(set)
}

fn load(set: &str, name: &str) -> Array {
    let path = folder(set).join(format!("{name}.npy"));
    let bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    assert_eq!(&bytes[..7], b"\x93NUMPY\x01");
    let end = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let header = std::str::from_utf8(&bytes[10..end]).unwrap();
    let after = |key: &str, close: char| {
        let rest = &header[header.find(key).unwrap() + key.len()..];
        rest[..rest.find(close).unwrap()].trim_matches([' ', ':', '\'', '(']).to_owned()
    };
    assert!(header.contains("'fortran_order': False"));
    let shape = after("'shape'", ')').split(',').filter_map(|n| n.trim().parse().ok()).collect();
    Array { shape, kind: after("'descr'", ','), bytes: bytes[end..].to_vec() }
}

impl Array {
    fn values(&self) -> Vec<f64> {
        match self.kind.as_str() {
            "<f8" => self.bytes.as_chunks().0.iter().map(|&b| f64::from_le_bytes(b)).collect(),
            "<f4" => self.bytes.as_chunks().0.iter().map(|&b| f64::from(f32::from_le_bytes(b))).collect(),
            "<i4" => self.bytes.as_chunks().0.iter().map(|&b| f64::from(i32::from_le_bytes(b))).collect(),
            "|b1" => self.bytes.iter().map(|&b| f64::from(b)).collect(),
            other => panic!("dtype {other}"),
        }
    }

    fn rows(&self) -> Vec<Vec<f64>> {
        self.values().chunks_exact(self.shape[1]).map(<[f64]>::to_vec).collect()
    }
}

fn values(set: &str, name: &str) -> Vec<f64> {
    load(set, name).values()
}

/// Axes of the grid, interior bins, and their centres `[place][axis]`.
struct Places {
    axes: Vec<Vec<f64>>,
    interior: Vec<usize>,
    centers: Vec<f64>,
}

fn places(set: &str) -> Places {
    let mask = load(set, "is_track_interior");
    let interior: Vec<usize> =
        mask.values().iter().enumerate().filter(|(_, v)| **v > 0.0).map(|(bin, _)| bin).collect();
    let centers = load(set, "place_bin_centers");
    let (n, all) = (centers.shape[1], centers.values());
    let axes = match mask.shape[..] {
        [_] => vec![all.clone()],
        [rows, columns] => vec![
            (0..rows).map(|i| all[i * columns * 2]).collect(),
            (0..columns).map(|j| all[j * 2 + 1]).collect(),
        ],
        _ => panic!("{:?}", mask.shape),
    };
    let centers = interior.iter().flat_map(|&bin| all[bin * n..][..n].to_vec()).collect();
    Places { axes, interior, centers }
}

const VARIANCE: f64 = 6.0;

/// Distances along the reference graph between linearised positions, from its parameters: three
/// arms of the W share the node at `at`.
fn graph_distances(set: &str, centers: &[f64]) -> Vec<f64> {
    let text = std::fs::read_to_string(folder(set).join("parameters.json")).unwrap();
    let graph: serde_json::Value = serde_json::from_str(&text).unwrap();
    let graph = &graph["track_graph"];
    let point = |node: usize| -> (f64, f64) {
        let xy = &graph["node_positions"][node];
        (xy[0].as_f64().unwrap(), xy[1].as_f64().unwrap())
    };
    let edges: Vec<(usize, usize)> = graph["edge_order"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| (e[0].as_u64().unwrap() as usize, e[1].as_u64().unwrap() as usize))
        .collect();
    let length = |(v, w): (usize, usize)| (point(v).0 - point(w).0).hypot(point(v).1 - point(w).1);
    let nodes = graph["node_positions"].as_array().unwrap().len();
    let mut path = vec![f64::INFINITY; nodes * nodes];
    for v in 0..nodes {
        path[v * nodes + v] = 0.0;
    }
    for &(v, w) in &edges {
        path[v * nodes + w] = length((v, w));
        path[w * nodes + v] = length((v, w));
    }
    for k in 0..nodes {
        for v in 0..nodes {
            for w in 0..nodes {
                path[v * nodes + w] = path[v * nodes + w].min(path[v * nodes + k] + path[k * nodes + w]);
            }
        }
    }
    // Edge and distance to its two nodes of each place.
    let mut start = 0.0;
    let mut starts = Vec::new();
    for (k, &edge) in edges.iter().enumerate() {
        starts.push(start);
        start += length(edge) + graph["edge_spacing"][k].as_f64().unwrap_or(0.0);
    }
    let on: Vec<(usize, f64, f64)> = centers
        .iter()
        .map(|&c| {
            let k = (0..edges.len()).rev().find(|&k| c >= starts[k]).unwrap();
            (k, c - starts[k], starts[k] + length(edges[k]) - c)
        })
        .collect();
    let ends = |(k, a, b): (usize, f64, f64)| [(edges[k].0, a), (edges[k].1, b)];
    on.iter()
        .flat_map(|&p| on.iter().map(move |&q| (p, q)))
        .map(|(p, q)| {
            if p.0 == q.0 {
                return (p.1 - q.1).abs();
            }
            let pairs = ends(p).into_iter().flat_map(|v| ends(q).map(|w| (v, w)));
            pairs.map(|(v, w)| v.1 + path[v.0 * nodes + w.0] + w.1).fold(f64::INFINITY, f64::min)
        })
        .collect()
}

/// Walk, steps and the dense matrix of a set.
fn walk_of(level: CpuLevel, set: &str, at: &Places) -> (Walk, Steps, Vec<f64>) {
    if set == "wtrack" {
        let (distances, n) = (graph_distances(set, &at.centers), at.interior.len());
        return (
            Walk::over_distances(level, &distances, n, VARIANCE),
            Steps::over_distances(level, &distances, n, VARIANCE),
            dense::walk_over(&distances, n, VARIANCE),
        );
    }
    let axes: Vec<&[f64]> = at.axes.iter().map(Vec::as_slice).collect();
    (
        Walk::on_grid(level, &axes, &at.interior, VARIANCE),
        Steps::on_grid(level, &axes, &at.interior, VARIANCE),
        dense::walk_between(&at.centers, axes.len(), VARIANCE),
    )
}

const SETS: [&str; 3] = ["track1d", "wtrack", "arena2d"];

/// Largest absolute difference; NaN wins.
fn off(ours: impl IntoIterator<Item = f64>, want: &[f64]) -> f64 {
    let ours: Vec<f64> = ours.into_iter().collect();
    assert_eq!(ours.len(), want.len());
    let apart = ours.iter().zip(want).map(|(a, b)| (a - b).abs());
    apart.fold(0.0, |most, d| if d > most || d.is_nan() { d } else { most })
}

#[test]
fn walks_are_those_of_the_peer() {
    for set in SETS {
        let at = places(set);
        let reference = load(set, "decoder_transition");
        let (want, single) = (reference.values(), reference.kind == "<f4");
        let (tolerance, least) = if single { (1e-6, 1e-30) } else { (1e-12, 1e-290) };
        for level in CpuLevel::available() {
            let (walk, _, dense_walk) = walk_of(level, set, &at);
            let n = at.interior.len();
            let transition = Transition::new(StateSpace::walk(n), walk);
            let (mut scratch, mut row) = (transition.scratch(), vec![0.0; n]);
            for p in 0..n {
                let mut f = vec![0.0; n];
                f[p] = 1.0;
                transition.predict(&f, &mut row, &mut scratch);
                for q in 0..n {
                    let (ours, want) = (row[q], want[p * n + q]);
                    for ours in [ours, dense_walk[p * n + q]] {
                        let seen = want > least;
                        assert!(
                            !seen || (ours / want - 1.0).abs() <= tolerance,
                            "{set} {p} {q}: {ours:e} {want:e}"
                        );
                    }
                }
            }
        }
    }
}

/// Rows of the likelihoods that a model takes.
fn rows_of(set: &str, chain: &Chain) -> Vec<Vec<f64>> {
    let mut rows = load(set, "ll_linear_nonlocal").rows();
    let extras = [(Likelihood::Local, "ll_linear_local"), (Likelihood::NoSpike, "ll_no_spike")];
    for (_, name) in extras.into_iter().filter(|(which, _)| chain.takes(*which)) {
        for (row, value) in rows.iter_mut().zip(values(set, name)) {
            row.push(value);
        }
    }
    rows
}

fn exists(set: &str, name: &str) -> bool {
    folder(set).join(format!("{name}.npy")).exists()
}

#[test]
fn posteriors_are_those_of_the_peer() {
    for set in SETS {
        let at = places(set);
        for model in &MODELS[..3] {
            for level in CpuLevel::available() {
                let chain = chain(model, walk_of(level, set, &at).0);
                let ours = run(&chain, &rows_of(set, &chain), 0.0, 50, false);
                let check = |ours: f64, tolerance: f64, what: &str| {
                    assert!(ours <= tolerance, "{set} {model} {what} {level:?}: {ours:e}");
                };
                let states = chain.states();
                let name = |what: &str| format!("{model}_{what}");
                let columns: Vec<f64> = states.state_of_column().iter().map(|&s| f64::from(s)).collect();
                assert_eq!(columns, values(set, &name("state_ind")));
                let discrete = (0..states.states().pow(2))
                    .map(|at| states.discrete(at / states.states(), at % states.states()));
                check(off(discrete, &values(set, &name("discrete_transition"))), 1e-15, "Z");
                let initial = values(set, &name("initial_conditions"));
                let relative =
                    chain.initial().iter().zip(&initial).fold(0.0_f64, |most, (a, b)| {
                        most.max((a - b).abs() / if *b > 0.0 { *b } else { 1.0 })
                    });
                check(relative, 1e-7, "initial");
                let want = values(set, &name("marginal_log_likelihood"))[0];
                check((ours.state.log_likelihood / want - 1.0).abs(), 1e-9, "log likelihood");
                let mut compared = 0;
                for (kind, rows) in [
                    ("acausal", &ours.posterior),
                    ("causal", &ours.filtered),
                    ("predictive", &ours.predicted),
                ] {
                    let whole = name(&format!("{kind}_posterior"));
                    if exists(set, &whole) {
                        check(off(rows.iter().flatten().copied(), &values(set, &whole)), 1e-7, &whole);
                        compared += 1;
                    }
                    let sums = rows.iter().flat_map(|row| {
                        let mut sums = vec![0.0; states.states()];
                        chain.state_probabilities(row, &mut sums);
                        sums
                    });
                    let by_state = name(&format!("{kind}_state_probabilities"));
                    check(off(sums, &values(set, &by_state)), 1e-7, &by_state);
                }
                assert!(compared > 0 || *model == "nonlocal");
                assert_eq!(ours.state.restarts, 0);
            }
        }
    }
}

#[test]
fn sequences_and_estimates_are_those_of_the_peer() {
    for set in SETS {
        let at = places(set);
        let axes = at.axes.len();
        for level in CpuLevel::available() {
            let (walk, steps, _) = walk_of(level, set, &at);
            let chain = chain("decoder", walk);
            let rows = rows_of(set, &chain);
            let path: Vec<f64> = viterbi(&chain, &steps, &rows).into_iter().map(|q| q as f64).collect();
            assert_eq!(path, values(set, "decoder_viterbi"), "{set} {level:?}");
            let posterior = run(&chain, &rows, 0.0, 99, true).posterior;
            let (bins, positions) = (values(set, "decoder_map_bin"), values(set, "decoder_map_position"));
            let means = values(set, "decoder_mean_position");
            let wanted = [values(set, "decoder_hpd_threshold_50"), values(set, "decoder_hpd_threshold_95")];
            let mut room = Vec::new();
            for (t, row) in posterior.iter().enumerate() {
                let ours = estimates::most_likely(row);
                let mut sorted = row.clone();
                sorted.sort_by(|a, b| b.total_cmp(a));
                if sorted[0] > sorted[1] * (1.0 + 1e-4) {
                    assert_eq!(ours as f64, bins[t], "{set} row {t}");
                    let center = at.centers[ours * axes..][..axes].iter().copied();
                    assert!(off(center, &positions[t * axes..][..axes]) <= 1e-12);
                }
                let mut mean = vec![0.0; axes];
                estimates::mean_position(row, &at.centers, &mut mean);
                assert!(off(mean, &means[t * axes..][..axes]) <= 1e-5, "{set} row {t}");
                let mut thresholds = [0.0; 2];
                estimates::highest_density(row, &[0.5, 0.95], &mut thresholds, &mut room);
                for (ours, want) in thresholds.iter().zip(&wanted) {
                    assert!((ours / want[t] - 1.0).abs() <= 1e-6, "{set} row {t}: {ours} {}", want[t]);
                }
            }
        }
    }
}
