//! Rasters, `[row, column]`: terrain of slow waves with noise on it, metres.

use super::Draws;
use crate::array::Dtype;
use serde::Serialize;

/// Shape of a raster.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Raster {
    /// Rows.
    pub rows: u64,
    /// Columns.
    pub columns: u64,
    /// float64 cells, else float32.
    pub double: bool,
}

impl Raster {
    /// Cells of all.
    pub fn cells(&self) -> u64 {
        self.rows * self.columns
    }

    /// Bytes of a cell.
    pub fn width(&self) -> u64 {
        if self.double { 8 } else { 4 }
    }

    /// Element type.
    pub fn dtype(&self) -> Dtype {
        if self.double { Dtype::F64 } else { Dtype::F32 }
    }

    /// One row as little-endian bytes, added to `out`.
    pub fn row(&self, row: u64, out: &mut Vec<u8>) {
        let mut draws = Draws::new("raster", row);
        let y = row as f64;
        // Waves that no side of a common raster is a multiple of.
        let (slow, along) = (120.0 * (y / 331.7).sin(), 40.0 * (y / 57.3).cos());
        let turn = 1.0 / 73.1f64;
        let (step, mut wave) = ((turn.sin(), turn.cos()), ((y / 91.3).sin(), (y / 91.3).cos()));
        for _ in 0..self.columns {
            let value = 500.0 + slow + along * wave.0 + 2.0 * draws.bell();
            // The next sine by the sum formula: a library call a cell would take longer than the work.
            wave = (wave.0 * step.1 + wave.1 * step.0, wave.1 * step.1 - wave.0 * step.0);
            match self.double {
                true => out.extend_from_slice(&value.to_le_bytes()),
                false => out.extend_from_slice(&(value as f32).to_le_bytes()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_their_own_and_cells_are_heights() {
        let raster = Raster { rows: 50, columns: 3000, double: true };
        let made = |row| {
            let mut out = Vec::new();
            raster.row(row, &mut out);
            out
        };
        assert_eq!(made(7), made(7));
        assert_ne!(made(7), made(8));
        let values: Vec<f64> = made(49).as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b)).collect();
        assert_eq!(values.len(), 3000);
        assert!(values.iter().all(|v| (300.0..700.0).contains(v)));
    }
}
