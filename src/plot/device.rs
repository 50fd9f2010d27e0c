//! The PNG form: everything painted pixel by pixel.

use super::canvas::Canvas;
use super::figure::{Figure, Stroke};
use super::{lettering, palette};
use crate::error::{Error, Result};

/// Device pixels per point in a PNG: sharp on paper at half the size.
const DENSITY: f64 = 2.0;

/// Pixels per metre stated in a PNG: 96 points and so 192 pixels to the inch.
const PIXELS_PER_METRE: u32 = 7559;

/// More pixels than any figure of ours has.
const MOST_PIXELS: f64 = 1e8;

pub(super) fn file(figure: &Figure) -> Result<Vec<u8>> {
    let (width, height) = ((figure.width * DENSITY).ceil(), (figure.height * DENSITY).ceil());
    if !(width >= 1.0 && height >= 1.0 && width * height < MOST_PIXELS) {
        return Err(failed(format!("{} x {} points are no picture", figure.width, figure.height)));
    }
    let mut canvas = Canvas::new(width as usize, height as usize);
    let place = |(x, y): (f64, f64)| (x * DENSITY, y * DENSITY);
    for stroke in &figure.strokes {
        let (from, to, ink) = stroke.rectangle();
        canvas.rectangle(place(from), place(to), ink);
    }
    for dot in &figure.dots {
        canvas.disc(place((dot.x, dot.y)), dot.radius * DENSITY, dot.fill);
    }
    for image in &figure.images {
        let corners = (place((image.x, image.y)), place((image.x + image.width, image.y + image.height)));
        canvas.image(corners, &image.pixels, image.columns);
    }
    for curve in &figure.curves {
        let points: Vec<(f64, f64)> = curve.points.iter().map(|&point| place(point)).collect();
        canvas.curve(&points, curve.width * DENSITY, curve.ink);
    }
    for stroke in &figure.overlay {
        let (from, to, ink) = stroke.rectangle();
        let whole = |p: (f64, f64)| (p.0.round(), p.1.round());
        canvas.rectangle(whole(place(from)), whole(place(to)), ink);
    }
    for text in &figure.texts {
        lettering::write(text, DENSITY, &mut canvas);
    }
    encode(&canvas.pixels, (canvas.width, canvas.height), Some(PIXELS_PER_METRE))
}

impl Stroke {
    /// Upper left and lower right corner, and colour. Lines are rectangles of their own width:
    /// sharp on the pixel grid.
    fn rectangle(&self) -> ((f64, f64), (f64, f64), [u8; 3]) {
        match self.fill {
            Some(fill) => (self.from, self.to, fill),
            None => {
                let ((x, y), (to_x, to_y)) = (self.from, self.to);
                ((x - 0.5, y - 0.5), (to_x + 0.5, to_y + 0.5), self.ink)
            }
        }
    }
}

fn failed(reason: impl std::fmt::Display) -> Error {
    Error::Failed(format!("cannot draw the picture: {reason}"))
}

/// A PNG of `rgb`, three bytes a pixel.
pub(super) fn encode(rgb: &[u8], (width, height): (usize, usize), density: Option<u32>) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, width as u32, height as u32);
    encoder.set_depth(png::BitDepth::Eight);
    let few = palette::indexed(rgb);
    let bytes = match &few {
        Some(few) => {
            encoder.set_color(png::ColorType::Indexed);
            encoder.set_palette(few.palette.as_slice());
            encoder.set_compression(png::Compression::Fast);
            encoder.set_filter(png::Filter::NoFilter);
            encoder.set_deflate_compression(png::DeflateCompression::Level(4));
            few.pixels.as_slice()
        }
        None => {
            encoder.set_color(png::ColorType::Rgb);
            encoder.set_compression(png::Compression::Balanced);
            rgb
        }
    };
    encoder.set_pixel_dims(density.map(|d| png::PixelDimensions {
        xppu: d,
        yppu: d,
        unit: png::Unit::Meter,
    }));
    let mut writer = encoder.write_header().map_err(failed)?;
    writer.write_image_data(bytes).map_err(failed)?;
    writer.finish().map_err(failed)?;
    Ok(out)
}
