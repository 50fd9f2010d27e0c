//! How far a convolution may be from the reference by rounding alone (pure): tiers T1 and T2 of
//! fixtures/README.md.
//!
//! With `u = 2^-53`, `n` taps and `S` of a cell the sum of `|k| |x|` over its taps: `(4 sqrt(n) + 8) u S`.
//! Results in float32 may be one unit in the last place further away, and `2^-24 S` where the peer
//! rounded its products to float32. An FFT adds `2 u log2(N) |k| |tile - c|`.

use super::steps::Table;
use crate::kernels::window::Boundary;

/// Half of the distance from 1 to the next float64.
const UNIT: f64 = 1.0 / (1_u64 << 53) as f64;
/// `log2` of the largest transform that references are small enough for.
const LOG_POINTS: f64 = 18.0;

/// The boundary of this name, without the value that `constant` would need.
pub fn boundary(name: &str) -> Option<Boundary> {
    Some(match name {
        "nan" => Boundary::Nan,
        "nearest" => Boundary::Nearest,
        "reflect" => Boundary::Reflect,
        "wrap" => Boundary::Wrap,
        "reflect101" => Boundary::Reflect101,
        _ => return None,
    })
}

/// What a run was.
#[derive(Debug, Clone, Copy)]
pub struct Ran {
    /// How cells outside of the raster were taken.
    pub boundary: Boundary,
    /// The result is float32.
    pub narrow: bool,
    /// The peer rounded products to float32.
    pub rounded_products: bool,
    /// The result came from an FFT.
    pub fft: bool,
}

/// The allowed difference of each cell of `expected`, all three arrays `[y, x]`.
///
/// # Errors
/// What has other than two axes, or shapes that do not agree.
pub fn allowed(raster: &Table, kernel: &Table, expected: &Table, ran: Ran) -> Result<Vec<f64>, String> {
    let ([_, _], [_, _]) = (&raster.shape[..], &kernel.shape[..]) else {
        let (raster, kernel) = (raster.shown(), kernel.shown());
        return Err(format!("a raster {raster} and a kernel {kernel}, expected two axes each"));
    };
    if raster.shape != expected.shape {
        return Err(format!("a raster {}, expected {}", raster.shown(), expected.shown()));
    }
    let n = kernel.values.len() as f64;
    let fft = if ran.fft {
        let norm = kernel.values.iter().map(|k| k * k).sum::<f64>().sqrt();
        2.0 * UNIT * LOG_POINTS * norm * tile_norm(raster, kernel, ran.boundary)
    } else {
        0.0
    };
    let cell = |(s, expected): (f64, &f64)| {
        let t1 = (4.0 * n.sqrt() + 8.0) * UNIT * s + n * 5e-324;
        let narrowing = f64::from(f32::EPSILON) * expected.abs() + f64::from(f32::from_bits(1));
        let products = s / (1_u64 << 24) as f64 + n * 2_f64.powi(-150);
        let narrowing = narrowing + if ran.rounded_products { products } else { 0.0 };
        t1 + fft + if ran.narrow { narrowing } else { 0.0 }
    };
    Ok(magnitudes(raster, kernel, ran.boundary).into_iter().zip(&expected.values).map(cell).collect())
}

/// Index along an axis of `length` where `at` is meant, if anywhere.
fn inside(boundary: Boundary, at: usize, half: usize, length: usize) -> Option<usize> {
    boundary.map(at as i64 - half as i64, length)
}

/// `S` of each cell; cells and taps that are not finite count as 0.
fn magnitudes(raster: &Table, kernel: &Table, boundary: Boundary) -> Vec<f64> {
    let ([h, w], [kh, kw]) = (&raster.shape[..], &kernel.shape[..]) else { return Vec::new() };
    let columns: Vec<Option<usize>> = (0..w + kw).map(|x| inside(boundary, x, kw / 2, *w)).collect();
    let mut sums = vec![0.0; h * w];
    for a in 0..*kh {
        let taps = &kernel.values[a * kw..(a + 1) * kw];
        for (i, sums) in sums.chunks_mut((*w).max(1)).enumerate() {
            let Some(y) = inside(boundary, i + a, kh / 2, *h) else { continue };
            let row = &raster.values[y * w..(y + 1) * w];
            for (j, sum) in sums.iter_mut().enumerate() {
                let cells = columns[j..].iter().zip(taps);
                let products = cells.filter_map(|(x, tap)| x.map(|x| (tap * row[x]).abs()));
                *sum += products.filter(|p| p.is_finite()).sum::<f64>();
            }
        }
    }
    sums
}

/// `|tile - c|` of the extended raster with its mean as c: no tile of an FFT is larger.
fn tile_norm(raster: &Table, kernel: &Table, boundary: Boundary) -> f64 {
    let ([h, w], [kh, kw]) = (&raster.shape[..], &kernel.shape[..]) else { return 0.0 };
    let finite: Vec<f64> = raster.values.iter().copied().filter(|v| v.is_finite()).collect();
    let mean = finite.iter().sum::<f64>() / finite.len().max(1) as f64;
    let mut squares = 0.0;
    for y in (0..h + 2 * (kh / 2)).filter_map(|i| inside(boundary, i, kh / 2, *h)) {
        for x in (0..w + 2 * (kw / 2)).filter_map(|j| inside(boundary, j, kw / 2, *w)) {
            let v = raster.values[y * w + x];
            squares += if v.is_finite() { (v - mean) * (v - mean) } else { 0.0 };
        }
    }
    squares.sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_may_differ_by_what_its_taps_round_to() {
        let raster = Table::new(vec![2, 3], vec![1.0, -2.0, 3.0, f64::NAN, 5.0, -6.0]);
        let kernel = Table::new(vec![3, 1], vec![1.0, -1.0, 0.5]);
        let exact = Ran { boundary: Boundary::Nan, narrow: false, rounded_products: false, fft: false };
        let n = 3_f64;
        // Middle column: the middle tap and the one below; the sums of magnitudes are 2 + 2.5 and 5 + 2.
        let cells = allowed(&raster, &kernel, &raster, exact).unwrap();
        let t1 = |s: f64| (4.0 * n.sqrt() + 8.0) * UNIT * s;
        assert!((cells[1] - t1(4.5)).abs() < 1e-25 && (cells[4] - t1(7.0)).abs() < 1e-25);
        assert!((cells[0] - t1(1.0)).abs() < 1e-25, "NaN counts as nothing");
        let wrapped = allowed(&raster, &kernel, &raster, Ran { boundary: Boundary::Wrap, ..exact }).unwrap();
        assert!((wrapped[1] - t1(2.0 + 2.5 + 5.0)).abs() < 1e-25);
        let narrow = Ran { narrow: true, ..exact };
        let cells32 = allowed(&raster, &kernel, &raster, narrow).unwrap();
        assert!((cells32[1] - cells[1] - 2.0 * f64::from(f32::EPSILON)).abs() < 1e-12);
        let rounded = allowed(&raster, &kernel, &raster, Ran { rounded_products: true, ..narrow }).unwrap();
        assert!((rounded[1] - cells32[1] - 4.5 / (1 << 24) as f64).abs() < 1e-12);
        let fft = allowed(&raster, &kernel, &raster, Ran { fft: true, ..exact }).unwrap();
        assert!(fft[1] > cells[1]);
        assert!(allowed(&raster, &Table::new(vec![3], vec![1.0; 3]), &raster, exact).is_err());
        assert!(allowed(&kernel, &kernel, &raster, exact).is_err());
    }
}
