//! Text as pixels: outlines of DejaVu Sans, filled by their exact coverage of each pixel.

use super::canvas::Canvas;
use super::figure::{Anchor, Text};
use std::sync::OnceLock;
use ttf_parser::{Face, OutlineBuilder};

/// Latin, Greek, Cyrillic and a few signs of DejaVu Sans; see `font/README.md`.
const FONT: &[u8] = include_bytes!("font/DejaVuSans-subset.ttf");
/// Straight pieces of one curve: letters are a dozen pixels high.
const PIECES: usize = 5;

fn face() -> Option<&'static Face<'static>> {
    static FACE: OnceLock<Option<Face<'static>>> = OnceLock::new();
    FACE.get_or_init(|| Face::parse(FONT, 0).ok()).as_ref()
}

/// Width of `content` at `size`, in the unit of `size`.
pub(super) fn width(content: &str, size: u32) -> f64 {
    let Some(face) = face() else { return 0.0 };
    let units: u32 = content.chars().map(|c| u32::from(advance(face, c))).sum();
    f64::from(units) * f64::from(size) / f64::from(face.units_per_em())
}

fn advance(face: &Face, letter: char) -> u16 {
    face.glyph_index(letter).and_then(|glyph| face.glyph_hor_advance(glyph)).unwrap_or(0)
}

/// Writes `text` on the canvas, whose pixels are `1 / density` points wide.
pub(super) fn write(text: &Text, density: f64, canvas: &mut Canvas) {
    let Some(face) = face() else { return };
    let scale = f64::from(text.size) * density / f64::from(face.units_per_em());
    let shift = match text.anchor {
        Anchor::Start => 0.0,
        Anchor::Middle => 0.5,
        Anchor::End => 1.0,
    };
    let length = width(&text.content, text.size) * density;
    let mut pen = Pen {
        origin: (text.x * density, text.y * density),
        upward: text.upward,
        scale,
        advanced: -shift * length,
        at: (0.0, 0.0),
        begun: (0.0, 0.0),
        lines: Vec::new(),
    };
    for letter in text.content.chars() {
        // Letters that the font lacks are left out; the SVG has them all.
        if let Some(glyph) = face.glyph_index(letter) {
            face.outline_glyph(glyph, &mut pen);
        }
        pen.advanced += f64::from(advance(face, letter)) * scale;
    }
    fill(&pen.lines, |at, share| canvas.blend(at, text.ink, share));
}

type Point = (f64, f64);

/// Turns outlines into lines on the device.
struct Pen {
    origin: Point,
    upward: bool,
    scale: f64,
    /// Where the letter begins along the text, device pixels.
    advanced: f64,
    at: Point,
    begun: Point,
    lines: Vec<(Point, Point)>,
}

impl Pen {
    /// From font units of this letter to device pixels.
    fn place(&self, x: f32, y: f32) -> Point {
        let (along, above) = (self.advanced + f64::from(x) * self.scale, f64::from(y) * self.scale);
        if self.upward {
            (self.origin.0 - above, self.origin.1 - along)
        } else {
            (self.origin.0 + along, self.origin.1 - above)
        }
    }

    fn line(&mut self, to: Point) {
        self.lines.push((self.at, to));
        self.at = to;
    }

    /// A curve through weighted control points, in straight pieces.
    fn curve(&mut self, point: impl Fn(f64) -> Point) {
        for piece in 1..=PIECES {
            self.line(point(piece as f64 / PIECES as f64));
        }
    }
}

impl OutlineBuilder for Pen {
    fn move_to(&mut self, x: f32, y: f32) {
        self.at = self.place(x, y);
        self.begun = self.at;
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.line(self.place(x, y));
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        let (a, b, c) = (self.at, self.place(x1, y1), self.place(x, y));
        let mix =
            |t: f64, a: f64, b: f64, c: f64| (1.0 - t).powi(2) * a + 2.0 * t * (1.0 - t) * b + t * t * c;
        self.curve(|t| (mix(t, a.0, b.0, c.0), mix(t, a.1, b.1, c.1)));
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let (a, b, c, d) = (self.at, self.place(x1, y1), self.place(x2, y2), self.place(x, y));
        let mix = |t: f64, [a, b, c, d]: [f64; 4]| {
            let s = 1.0 - t;
            s.powi(3) * a + 3.0 * s * s * t * b + 3.0 * s * t * t * c + t.powi(3) * d
        };
        self.curve(|t| (mix(t, [a.0, b.0, c.0, d.0]), mix(t, [a.1, b.1, c.1, d.1])));
    }

    fn close(&mut self) {
        self.line(self.begun);
    }
}

/// Calls `paint` with every pixel that the closed outlines touch and the share of it inside.
///
/// Each line adds, to all pixels right of it, its height within their row, signed by direction;
/// inside an outline these add up to one. Kept as differences along a row, so that a line only
/// touches the pixels it crosses.
fn fill(lines: &[(Point, Point)], mut paint: impl FnMut((i64, i64), f32)) {
    let ends = || lines.iter().flat_map(|(a, b)| [a, b]);
    let low = ends().fold((f64::INFINITY, f64::INFINITY), |m, p| (m.0.min(p.0), m.1.min(p.1)));
    let high = ends().fold((f64::NEG_INFINITY, f64::NEG_INFINITY), |m, p| (m.0.max(p.0), m.1.max(p.1)));
    let (left, top) = (low.0.floor() - 1.0, low.1.floor());
    let (width, height) = (high.0.ceil() - left + 2.0, high.1.ceil() - top);
    // Nothing to fill, or a text far longer than any picture.
    if !(width * height > 0.0 && width * height < 1e8) {
        return;
    }
    let (width, height) = (width as usize, height as usize);
    let mut changes = vec![0.0f32; width * height];
    for &((x0, y0), (x1, y1)) in lines {
        let (a, b) = ((x0 - left, y0 - top), (x1 - left, y1 - top));
        let (sign, a, b) = if a.1 < b.1 { (1.0, a, b) } else { (-1.0, b, a) };
        let slope = (b.0 - a.0) / (b.1 - a.1);
        for row in a.1 as usize..(b.1.ceil() as usize).min(height) {
            let (from, to) = (a.1.max(row as f64), b.1.min(row as f64 + 1.0));
            if from < to {
                let at = |y: f64| a.0 + (y - a.1) * slope;
                let cells = &mut changes[row * width..(row + 1) * width];
                cross(cells, at(from).min(at(to)), at(from).max(at(to)), sign * (to - from));
            }
        }
    }
    for (row, cells) in changes.chunks_exact(width).enumerate() {
        let mut sum = 0.0;
        for (column, change) in cells.iter().enumerate() {
            sum += change;
            if sum.abs() > 1e-3 {
                paint((left as i64 + column as i64, top as i64 + row as i64), sum.abs().min(1.0));
            }
        }
    }
}

/// Adds one line's crossing of a row: between `low` and `high`, of the signed `height`.
fn cross(cells: &mut [f32], low: f64, high: f64, height: f64) {
    // The mean over the line of how far `t` lies right of it.
    let beyond = |t: f64| {
        if t <= low {
            0.0
        } else if t >= high {
            t - 0.5 * (low + high)
        } else {
            (t - low) * (t - low) / (2.0 * (high - low))
        }
    };
    let first = low.max(0.0) as usize;
    for (column, cell) in cells.iter_mut().enumerate().take(high.max(0.0) as usize + 2).skip(first) {
        let t = column as f64;
        *cell += (height * (beyond(t + 1.0) - 2.0 * beyond(t) + beyond(t - 1.0))) as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filled_outlines_cover_their_area_whatever_their_direction() {
        let square = |x: f64, y: f64, side: f64| {
            let p = [(x, y), (x + side, y), (x + side, y + side), (x, y + side)];
            (0..4).map(|i| (p[i], p[(i + 1) % 4])).collect::<Vec<_>>()
        };
        let area = |lines: &[(Point, Point)]| {
            let mut sum = 0.0;
            fill(lines, |_, share| sum += f64::from(share));
            sum
        };
        let outer = square(3.25, 4.5, 5.5);
        assert!((area(&outer) - 30.25).abs() < 1e-3, "{}", area(&outer));
        let turned: Vec<_> = outer.iter().map(|&(a, b)| (b, a)).collect();
        assert!((area(&turned) - 30.25).abs() < 1e-3);
        let hole: Vec<_> =
            outer.iter().copied().chain(square(5.0, 6.0, 2.0).into_iter().map(|(a, b)| (b, a))).collect();
        assert!((area(&hole) - 26.25).abs() < 1e-3);
        let slanted = [((0.0, 0.0), (8.0, 6.0)), ((8.0, 6.0), (1.0, 7.0)), ((1.0, 7.0), (0.0, 0.0))];
        assert!((area(&slanted) - 25.0).abs() < 1e-2, "{}", area(&slanted));
        assert_eq!(area(&[]), 0.0);
    }

    #[test]
    fn the_font_has_the_signs_that_pictures_use() {
        let face = face().expect("the font that ships is whole");
        for letter in "Az09 [\u{b5}]%\u{2212}\u{2026}\u{e9}\u{3b1}\u{42f}".chars() {
            assert!(face.glyph_index(letter).is_some(), "{letter}");
        }
        let (one, two) = (width("Fz", 8), width("FzFz", 8));
        assert!(one > 6.0 && (two - 2.0 * one).abs() < 1e-9);
    }

    #[test]
    fn upward_text_is_level_text_turned() {
        let level = Text {
            x: 20.0,
            y: 20.0,
            size: 11,
            anchor: Anchor::Middle,
            upward: false,
            ink: [0; 3],
            content: "Fz 12".into(),
        };
        let mut canvases = [Canvas::new(80, 80), Canvas::new(80, 80)];
        write(&level, 2.0, &mut canvases[0]);
        write(&Text { upward: true, ..level.clone() }, 2.0, &mut canvases[1]);
        let dark = |c: &Canvas, x: usize, y: usize| i32::from(c.pixels[(y * 80 + x) * 3]);
        let mut most = 0;
        for (x, y) in (0..80).flat_map(|x| (0..80).map(move |y| (x, y))) {
            most = most.max((dark(&canvases[0], x, y) - dark(&canvases[1], y, 79 - x)).abs());
        }
        assert!(most <= 1, "{most}");
        assert!(canvases[0].pixels.iter().any(|p| *p < 60));
    }
}
