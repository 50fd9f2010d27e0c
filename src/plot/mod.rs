//! Pictures: rasters as panels side by side with axes, colour bars and a caption; reject logs,
//! thresholds and loss grids of `autoreject`; posteriors of `decode` over time. As SVG or PNG.
//!
//! Grids are `[row, column]`, row 0 at the top. Maps are embedded pixels, frames and text are
//! vectors, so a picture of a large raster stays small and has no seams between cells. Equal
//! input gives equal bytes; the PNG brings its own font.

mod canvas;
mod colours;
mod device;
mod figure;
mod folding;
mod layout;
mod lettering;
mod limits;
mod loss;
mod measure;
mod palette;
mod posterior;
mod reject_log;
mod relief;
mod svg;
mod thinner;
mod thresholds;
mod ticks;
mod times;

pub use figure::Figure;
pub use loss::{LossMap, loss};
pub use posterior::{AnimalPath, PosteriorAxes, PosteriorPicture};
pub use reject_log::reject_log;
pub use thinner::{Reduce, Thinner};
pub use thresholds::{ChannelThreshold, thresholds};
pub use times::{Scaling, WorkTimes, times};

use crate::array::Real;

/// Values of a map, `[row, column]`; NaN where there is none.
#[derive(Debug, Clone, PartialEq)]
pub struct Grid {
    values: Vec<f32>,
    width: usize,
}

impl Grid {
    /// Rows of `width` values; a last row that is not whole is left out.
    pub fn new<T: Real>(values: &[T], width: usize) -> Self {
        let whole = values.len().checked_div(width).unwrap_or(0) * width;
        Grid { values: values[..whole].iter().map(|v| v.widen() as f32).collect(), width }
    }

    /// Columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.values.len().checked_div(self.width).unwrap_or(0)
    }

    /// All values, row-major.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    fn row(&self, i: usize) -> &[f32] {
        &self.values[i * self.width..][..self.width]
    }
}

/// One axis of a map: its label and where its outer edges lie.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    label: String,
    edges: (f64, f64),
    positions: bool,
}

impl Axis {
    /// Positions 0 to `cells - 1` for a raster without coordinates.
    pub fn positions(label: &str, cells: usize) -> Self {
        Axis { label: label.into(), edges: (-0.5, cells as f64 - 0.5), positions: true }
    }

    /// Evenly spaced coordinates of `cells` cells, given by the centres of the first and last.
    /// A y axis whose coordinates grow with the rows is drawn upwards, as maps are.
    pub fn coordinates(name: &str, unit: &str, (first, last): (f64, f64), cells: usize) -> Self {
        let half = if cells > 1 { (last - first) / (cells - 1) as f64 / 2.0 } else { 0.5 };
        let label = if unit.is_empty() { name.into() } else { format!("{name} [{unit}]") };
        Axis { label, edges: (first - half, last + half), positions: false }
    }

    /// True for a y axis that is drawn with its first row at the bottom.
    fn is_upward(&self) -> bool {
        !self.positions && self.edges.0 < self.edges.1
    }
}

/// How values become colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scale {
    /// Diverging about 0 where the values lie clearly on both sides of it, else sequential.
    #[default]
    Auto,
    /// Dark to bright.
    Sequential,
    /// Blue, white at 0, red.
    Diverging,
    /// Hot spot classes: 0, ±90, ±95, ±99 percent confidence.
    Classes,
    /// White at 0 to dark: probabilities, with room for a path over them.
    Density,
}

/// One map with its description.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    /// Heading.
    pub title: String,
    /// The map.
    pub grid: Grid,
    /// Columns.
    pub x: Axis,
    /// Rows.
    pub y: Axis,
    /// Unit of the values; may be empty.
    pub unit: String,
    /// Colours.
    pub scale: Scale,
    /// Shade the map as lit from the upper left: for elevations.
    pub relief: bool,
}

/// Lays out `panels` in reading order over `caption`.
///
/// The caption is one or more sentences; how colours were chosen is added to it.
pub fn panels(panels: &[Panel], caption: &str) -> Figure {
    layout::lay_out(panels, caption)
}

#[cfg(test)]
mod autoreject_tests;
#[cfg(test)]
mod tests;
