//! Shaded relief: how bright each cell of an elevation map is in light from the upper left.

use super::Grid;

/// Steepness at which shading is half as strong as it gets, in standard slopes of the map.
const SOFT: f32 = 1.6;

/// Brightness of every cell, -1 (dark) to 1 (bright); 0 on level ground and beside gaps.
///
/// Slopes are taken relative to the map's own typical slope: the vertical unit is unknown.
pub(super) fn shade(grid: &Grid) -> Vec<f32> {
    let (height, width) = (grid.height(), grid.width());
    let mut slopes = Vec::with_capacity(height * width);
    for i in 0..height {
        for j in 0..width {
            let here = grid.row(i)[j];
            // Towards an edge or a gap the cell stands in for its neighbour.
            let rise = |before: Option<f32>, after: Option<f32>| {
                let real = |v: Option<f32>| v.filter(|v| !v.is_nan());
                let steps = u8::from(real(before).is_some()) + u8::from(real(after).is_some());
                (real(after).unwrap_or(here) - real(before).unwrap_or(here)) / f32::from(steps.max(1))
            };
            let left = j.checked_sub(1).map(|j| grid.row(i)[j]);
            let dx = rise(left, grid.row(i).get(j + 1).copied());
            let up = i.checked_sub(1).map(|i| grid.row(i)[j]);
            let down = (i + 1 < height).then(|| grid.row(i + 1)[j]);
            let dy = rise(up, down);
            // Ground that rises towards the lower right faces the light.
            let facing = dx + dy;
            slopes.push(if facing.is_finite() { facing } else { 0.0 });
        }
    }
    let squares: f64 = slopes.iter().map(|s| f64::from(*s).powi(2)).sum();
    let typical = (squares / slopes.len().max(1) as f64).sqrt() as f32;
    if typical > 0.0 && typical.is_finite() {
        for s in &mut slopes {
            let steep = *s / (typical * SOFT);
            *s = steep / (1.0 + steep.abs());
        }
    }
    slopes
}

/// `colour` in light of `brightness`: towards white or black, never all the way.
pub(super) fn lit(colour: [u8; 3], brightness: f32) -> [u8; 3] {
    let target = if brightness > 0.0 { 255.0 } else { 0.0 };
    let share = brightness.abs() * if brightness > 0.0 { 0.35 } else { 0.5 };
    colour.map(|c| (f32::from(c) + (target - f32::from(c)) * share).round() as u8)
}
