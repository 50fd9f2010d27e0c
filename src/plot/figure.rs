//! A laid-out picture and its two written forms.
//!
//! One list of marks serves both, so SVG and PNG show the same. Positions are in points from the
//! upper left corner.

use super::colours::Rgb;
use super::{device, svg};
use crate::error::Result;

/// Which point of a text lies at its position.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// A line of text with its baseline at (x, y).
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Text {
    pub x: f64,
    pub y: f64,
    pub size: u32,
    pub anchor: Anchor,
    /// Turned to read upwards.
    pub upward: bool,
    pub ink: Rgb,
    pub content: String,
}

/// A straight line or, with a fill, a rectangle between two corners.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stroke {
    pub from: (f64, f64),
    pub to: (f64, f64),
    pub ink: Rgb,
    pub fill: Option<Rgb>,
}

/// A filled circle.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Dot {
    pub x: f64,
    pub y: f64,
    pub radius: f64,
    pub fill: Rgb,
}

/// A line through points, drawn over the images.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Curve {
    pub points: Vec<(f64, f64)>,
    pub width: f64,
    pub ink: Rgb,
}

/// Pixels stretched over a rectangle, each a plain block.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Image {
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
    /// Rows of `columns` pixels.
    pub pixels: Vec<Rgb>,
    pub columns: usize,
}

/// A picture, ready to be written as SVG or PNG.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Figure {
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) images: Vec<Image>,
    pub(super) strokes: Vec<Stroke>,
    pub(super) dots: Vec<Dot>,
    pub(super) curves: Vec<Curve>,
    /// Strokes over the images.
    pub(super) overlay: Vec<Stroke>,
    pub(super) texts: Vec<Text>,
}

/// Colour of lines and text.
pub(super) const INK: Rgb = [34, 34, 34];

impl Figure {
    /// The picture as an SVG document; maps are embedded PNG images, text stays text.
    ///
    /// # Errors
    /// [`Error::Failed`](crate::Error::Failed) when an image cannot be encoded.
    pub fn svg(&self) -> Result<String> {
        svg::document(self)
    }

    /// The picture as a PNG file, at twice the SVG's size in pixels.
    ///
    /// # Errors
    /// [`Error::Failed`](crate::Error::Failed) when drawing or encoding fails.
    pub fn png(&self) -> Result<Vec<u8>> {
        device::file(self)
    }
}
