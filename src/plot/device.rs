//! The PNG form: frames and text by the rasteriser, maps pixel by pixel.

use super::figure::{Anchor, Figure, Image, Stroke, Text};
use crate::error::{Error, Result};
use kuva::RasterBackend;
use kuva::render::color::Color;
use kuva::render::render::{Primitive, Scene, TextAnchor};

/// Device pixels per point in a PNG: sharp on paper at half the size.
const DENSITY: f32 = 2.0;

/// Pixels per metre stated in a PNG: 96 points and so 192 pixels to the inch.
const PIXELS_PER_METRE: u32 = 7559;

pub(super) fn file(figure: &Figure) -> Result<Vec<u8>> {
    let (mut pixels, size) = rasterise(&scene(figure))?;
    for image in &figure.images {
        paint(image, &mut pixels, size);
    }
    for stroke in &figure.overlay {
        paint_stroke(stroke, &mut pixels, size);
    }
    for text in figure.texts.iter().filter(|t| t.upward) {
        paint_upward(text, &mut pixels, size)?;
    }
    encode(&pixels, size, png::ColorType::Rgb, Some(PIXELS_PER_METRE))
}

/// Frames and text for the rasteriser; maps are painted afterwards, pixel by pixel.
fn scene(figure: &Figure) -> Scene {
    let mut scene = Scene::new(figure.width, figure.height);
    for stroke in &figure.strokes {
        let ((x, y), (to_x, to_y), [r, g, b]) = stroke.rectangle();
        let (width, height) = (to_x - x, to_y - y);
        let fill = Color::Rgb(r, g, b);
        let (stroke, stroke_width, opacity) = (None, None, None);
        scene.elements.push(Primitive::Rect { x, y, width, height, fill, stroke, stroke_width, opacity });
    }
    scene.elements.extend(figure.dots.iter().map(|dot| Primitive::Circle {
        cx: dot.x,
        cy: dot.y,
        r: dot.radius,
        fill: Color::Rgb(dot.fill[0], dot.fill[1], dot.fill[2]),
        fill_opacity: None,
        stroke: None,
        stroke_width: None,
    }));
    scene.elements.extend(figure.texts.iter().filter(|t| !t.upward).map(Text::primitive));
    scene
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

impl Text {
    /// The text for the rasteriser, level.
    fn primitive(&self) -> Primitive {
        Primitive::Text {
            x: self.x,
            y: self.y,
            // A pair of dollars would be taken for a formula.
            content: self.content.replace('$', ""),
            size: self.size,
            anchor: match self.anchor {
                Anchor::Start => TextAnchor::Start,
                Anchor::Middle => TextAnchor::Middle,
                Anchor::End => TextAnchor::End,
            },
            rotate: None,
            bold: false,
            color: Some(Color::Rgb(self.ink[0], self.ink[1], self.ink[2])),
        }
    }
}

/// Red, green and blue of every device pixel, and the device's width and height.
fn rasterise(scene: &Scene) -> Result<(Vec<u8>, (usize, usize))> {
    let drawn = RasterBackend { scale: DENSITY }.render_scene(scene).map_err(failed)?;
    let mut reader = png::Decoder::new(std::io::Cursor::new(drawn)).read_info().map_err(failed)?;
    let mut pixels = vec![0; reader.output_buffer_size().unwrap_or(0)];
    let frame = reader.next_frame(&mut pixels).map_err(failed)?;
    let size = (frame.width as usize, frame.height as usize);
    let channels = frame.color_type.samples();
    Ok((pixels.chunks_exact(channels).flat_map(|p| [p[0], p[1], p[2]]).collect(), size))
}

/// Draws an upward text: level on a strip of its own, which is then turned pixel by pixel. The
/// rasteriser's own turning draws such text twice as heavy.
fn paint_upward(text: &Text, device: &mut [u8], (width, height): (usize, usize)) -> Result<()> {
    let size = f64::from(text.size);
    let (length, depth) = ((text.content.chars().count() as f64 + 2.0) * size, 2.0 * size);
    let mut strip = Scene::new(length, depth);
    let start = match text.anchor {
        Anchor::Start => size,
        Anchor::Middle => length / 2.0,
        Anchor::End => length - size,
    };
    let level = Text { x: start, y: 1.5 * size, ..text.clone() };
    strip.elements.push(level.primitive());
    let (pixels, (columns, _)) = rasterise(&strip)?;
    let device_place = |v: f64| (v * f64::from(DENSITY)).round() as i64;
    let (left, bottom) = (device_place(text.x - 1.5 * size), device_place(text.y + start));
    for (i, row) in (0i64..).zip(pixels.chunks_exact(columns * 3)) {
        for (j, pixel) in (1i64..).zip(row.chunks_exact(3)) {
            let (x, y) = (left + i, bottom - j);
            if (0..width as i64).contains(&x) && (0..height as i64).contains(&y) {
                let at = (y as usize * width + x as usize) * 3;
                for (to, from) in device[at..at + 3].iter_mut().zip(pixel) {
                    *to = (*to).min(*from);
                }
            }
        }
    }
    Ok(())
}

/// Stretches `image` over its rectangle of the device's pixels.
fn paint(image: &Image, device: &mut [u8], (width, height): (usize, usize)) {
    let rows = image.pixels.len().checked_div(image.columns).unwrap_or(0);
    let scale = f64::from(DENSITY);
    let span = |from: f64, length: f64, limit: usize| {
        let edge = |v: f64| (v * scale).round().clamp(0.0, limit as f64) as usize;
        edge(from)..edge(from + length)
    };
    let (down, across) = (span(image.y, image.height, height), span(image.x, image.width, width));
    if rows == 0 {
        return;
    }
    for (i, y) in down.clone().enumerate() {
        let row = &image.pixels[i * rows / down.len() * image.columns..][..image.columns];
        for (j, x) in across.clone().enumerate() {
            let at = (y * width + x) * 3;
            device[at..at + 3].copy_from_slice(&row[j * image.columns / across.len()]);
        }
    }
}

/// Fills the rectangle of `stroke`, whole device pixels.
fn paint_stroke(stroke: &Stroke, device: &mut [u8], (width, height): (usize, usize)) {
    let (from, to, ink) = stroke.rectangle();
    let span = |from: f64, to: f64, limit: usize| {
        let edge = |v: f64| (v * f64::from(DENSITY)).round().clamp(0.0, limit as f64) as usize;
        edge(from)..edge(to)
    };
    for y in span(from.1, to.1, height) {
        for x in span(from.0, to.0, width) {
            let at = (y * width + x) * 3;
            device[at..at + 3].copy_from_slice(&ink);
        }
    }
}

fn failed(reason: impl std::fmt::Display) -> Error {
    Error::Failed(format!("cannot draw the picture: {reason}"))
}

pub(super) fn encode(
    bytes: &[u8],
    (width, height): (usize, usize),
    kind: png::ColorType,
    density: Option<u32>,
) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, width as u32, height as u32);
    encoder.set_color(kind);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Fast);
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
