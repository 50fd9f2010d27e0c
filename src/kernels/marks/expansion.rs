//! Chebyshev expansion of the Gaussian position kernel inside a cell.
//!
//! In units of the bandwidth, with half side `s` of the cell and a bin at `u` from its centre, the
//! kernel over the cell is `f(z) = exp(-(u - z s)^2 / 2)`, `z` in `[-1, 1]`; its expansion below
//! degree `q` comes from the values at the `q` Chebyshev nodes. On two axes the product expansion
//! is kept below total degree `q`.

use std::sync::OnceLock;

/// Highest `q` that is ever tried.
pub(super) const MOST_TERMS: usize = 16;
/// Sides of cells that are tried, in bandwidths.
pub(super) const CELLS: [f64; 13] = [
    1.0,
    1.0 / 1.1,
    1.0 / 1.25,
    1.0 / 1.35,
    1.0 / 1.5,
    1.0 / 1.7,
    1.0 / 1.9,
    1.0 / 2.1,
    1.0 / 2.5,
    1.0 / 3.0,
    1.0 / 4.0,
    1.0 / 5.0,
    1.0 / 6.0,
];

/// The `q` Chebyshev nodes and the cosines that turn values there into coefficients.
#[derive(Debug)]
pub(super) struct Nodes {
    /// `z_k`.
    pub(super) z: Vec<f64>,
    /// `cos(a arccos z_k)`, `[node][degree]`.
    pub(super) cosines: Vec<f64>,
}

impl Nodes {
    fn new(q: usize) -> Self {
        let step = std::f64::consts::PI / q as f64;
        let angle = |k: usize| step * (k as f64 + 0.5);
        let z = (0..q).map(|k| angle(k).cos()).collect();
        let cosines = (0..q * q).map(|at| (angle(at / q) * (at % q) as f64).cos()).collect();
        Nodes { z, cosines }
    }

    /// Those of `q`, at most [`MOST_TERMS`], made once per process.
    pub(super) fn shared(q: usize) -> &'static Nodes {
        static NODES: [OnceLock<Nodes>; MOST_TERMS + 1] = [const { OnceLock::new() }; MOST_TERMS + 1];
        NODES[q].get_or_init(|| Nodes::new(q))
    }
}

/// Coefficients of `T_0 .. T_{q-1}` for a bin at `u` from the centre of a cell of half side `s`.
pub(super) fn coefficients(u: f64, s: f64, out: &mut [f64]) {
    let q = out.len();
    let nodes = Nodes::shared(q);
    out.fill(0.0);
    for (z, cosines) in nodes.z.iter().zip(nodes.cosines.chunks_exact(q)) {
        let value = (-0.5 * (u - s * z).powi(2)).exp() / q as f64;
        for (coefficient, cosine) in out.iter_mut().zip(cosines) {
            *coefficient += 2.0 * value * cosine;
        }
    }
    if let Some(mean) = out.first_mut() {
        *mean *= 0.5;
    }
}

/// `T_0(z) .. T_{q-1}(z)`.
pub(super) fn polynomials(z: f64, out: &mut [f64]) {
    let (mut before, mut here) = (z, 1.0);
    for value in out {
        *value = here;
        (before, here) = (here, 2.0 * z * here - before);
    }
}
