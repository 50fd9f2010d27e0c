//! A laid-out picture and its two written forms.
//!
//! One list of marks serves both, so SVG and PNG show the same. Positions are in points from the
//! upper left corner.

use super::colours::Rgb;
use crate::error::{Error, Result};
use kuva::RasterBackend;
use kuva::render::color::Color;
use kuva::render::render::{Primitive, Scene, TextAnchor};
use std::fmt::Write;

/// Device pixels per point in a PNG: sharp on paper at half the size.
const DENSITY: f32 = 2.0;

/// Pixels per metre stated in a PNG: 96 points and so 192 pixels to the inch.
const PIXELS_PER_METRE: u32 = 7559;

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
    pub content: String,
}

/// A straight line or, with a fill, a rectangle between two corners.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stroke {
    pub from: (f64, f64),
    pub to: (f64, f64),
    pub fill: Option<Rgb>,
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
    pub(super) texts: Vec<Text>,
}

const INK: Rgb = [34, 34, 34];

impl Figure {
    /// The picture as an SVG document; maps are embedded PNG images, text stays text.
    ///
    /// # Errors
    /// [`Error::Failed`] when an image cannot be encoded.
    pub fn svg(&self) -> Result<String> {
        let (w, h) = (self.width, self.height);
        let mut out = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\" viewBox=\"0 0 {w} {h}\" \
             font-family=\"DejaVu Sans, Verdana, Helvetica, Arial, sans-serif\">\n\
             <rect width=\"{w}\" height=\"{h}\" fill=\"#ffffff\"/>\n"
        );
        // Writing to a String cannot fail.
        for image in self.images.iter().filter(|i| !i.pixels.is_empty()) {
            let bytes: Vec<u8> = image.pixels.iter().flatten().copied().collect();
            let rows = image.pixels.len() / image.columns;
            let png = encode(&bytes, (image.columns, rows), png::ColorType::Rgb, None)?;
            let (x, y, w, h) = (image.x, image.y, image.width, image.height);
            let _ = writeln!(
                out,
                "<image x=\"{x:.2}\" y=\"{y:.2}\" width=\"{w:.2}\" height=\"{h:.2}\" preserveAspectRatio=\"none\" \
                 image-rendering=\"pixelated\" href=\"data:image/png;base64,{}\"/>",
                base64(&png)
            );
        }
        for stroke in &self.strokes {
            let ((x, y), (to_x, to_y)) = (stroke.from, stroke.to);
            let _ = match stroke.fill {
                Some(fill) => writeln!(
                    out,
                    "<rect x=\"{x:.2}\" y=\"{y:.2}\" width=\"{:.2}\" height=\"{:.2}\" fill=\"{}\"/>",
                    to_x - x,
                    to_y - y,
                    hex(fill)
                ),
                None => writeln!(
                    out,
                    "<line x1=\"{x:.2}\" y1=\"{y:.2}\" x2=\"{to_x:.2}\" y2=\"{to_y:.2}\" stroke=\"{}\"/>",
                    hex(INK)
                ),
            };
        }
        for text in &self.texts {
            let anchor = match text.anchor {
                Anchor::Start => "start",
                Anchor::Middle => "middle",
                Anchor::End => "end",
            };
            let turn = if text.upward {
                format!(" transform=\"rotate(-90 {:.2} {:.2})\"", text.x, text.y)
            } else {
                String::new()
            };
            let _ = writeln!(
                out,
                "<text x=\"{:.2}\" y=\"{:.2}\" font-size=\"{}\" text-anchor=\"{anchor}\" fill=\"{}\"{turn}>{}</text>",
                text.x,
                text.y,
                text.size,
                hex(INK),
                escape(&text.content)
            );
        }
        out.push_str("</svg>\n");
        Ok(out)
    }

    /// The picture as a PNG file, at twice the SVG's size in pixels.
    ///
    /// # Errors
    /// [`Error::Failed`] when drawing or encoding fails.
    pub fn png(&self) -> Result<Vec<u8>> {
        let drawn = RasterBackend { scale: DENSITY }.render_scene(&self.scene()).map_err(failed)?;
        let mut reader = png::Decoder::new(std::io::Cursor::new(drawn)).read_info().map_err(failed)?;
        let mut pixels = vec![0; reader.output_buffer_size().unwrap_or(0)];
        let frame = reader.next_frame(&mut pixels).map_err(failed)?;
        let (size, channels) = ((frame.width as usize, frame.height as usize), frame.color_type.samples());
        let mut opaque: Vec<u8> = pixels.chunks_exact(channels).flat_map(|p| [p[0], p[1], p[2]]).collect();
        for image in &self.images {
            paint(image, &mut opaque, size);
        }
        encode(&opaque, size, png::ColorType::Rgb, Some(PIXELS_PER_METRE))
    }

    /// Frames and text for the rasteriser; maps are painted afterwards, pixel by pixel.
    fn scene(&self) -> Scene {
        let ink = Color::Rgb(INK[0], INK[1], INK[2]);
        let mut scene = Scene::new(self.width, self.height);
        for stroke in &self.strokes {
            let ((x, y), (to_x, to_y)) = (stroke.from, stroke.to);
            // Lines as rectangles of their own width: sharp on the pixel grid.
            let (x, y, width, height, [r, g, b]) = match stroke.fill {
                Some(fill) => (x, y, to_x - x, to_y - y, fill),
                None => (x - 0.5, y - 0.5, to_x - x + 1.0, to_y - y + 1.0, INK),
            };
            let fill = Color::Rgb(r, g, b);
            let plain = (None, None, None);
            scene.elements.push(Primitive::Rect {
                x,
                y,
                width,
                height,
                fill,
                stroke: plain.0,
                stroke_width: plain.1,
                opacity: plain.2,
            });
        }
        for text in &self.texts {
            scene.elements.push(Primitive::Text {
                x: text.x,
                y: text.y,
                // A pair of dollars would be taken for a formula.
                content: text.content.replace('$', ""),
                size: text.size,
                anchor: match text.anchor {
                    Anchor::Start => TextAnchor::Start,
                    Anchor::Middle => TextAnchor::Middle,
                    Anchor::End => TextAnchor::End,
                },
                rotate: text.upward.then_some(-90.0),
                bold: false,
                color: Some(ink.clone()),
            });
        }
        scene
    }
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

fn failed(reason: impl std::fmt::Display) -> Error {
    Error::Failed(format!("cannot draw the picture: {reason}"))
}

fn encode(
    bytes: &[u8],
    (width, height): (usize, usize),
    kind: png::ColorType,
    density: Option<u32>,
) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, width as u32, height as u32);
    encoder.set_color(kind);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::High);
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

fn hex([r, g, b]: Rgb) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// Text fit for XML; control characters are not allowed there in any form.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for part in bytes.chunks(3) {
        let word = part.iter().fold(0u32, |word, b| word << 8 | u32::from(*b)) << (8 * (3 - part.len()));
        for digit in 0..4 {
            let six = (word >> (18 - 6 * digit)) as usize & 63;
            out.push(if digit <= part.len() { DIGITS[six] as char } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_pads_as_the_standard_says() {
        let cases = [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")];
        for (plain, coded) in cases {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }

    #[test]
    fn text_cannot_break_the_document() {
        assert_eq!(escape("a<b>&\"c\"\u{0}\n"), "a&lt;b&gt;&amp;&quot;c&quot;  ");
    }
}
