//! Device pixels of a PNG, and the shapes that are painted on them.

use super::colours::Rgb;
use std::collections::BTreeMap;

/// Steps from not covered to covered.
const STEPS: u32 = 15;

/// Red, green and blue of every device pixel, row by row from the top; white at first.
pub(super) struct Canvas {
    pub width: usize,
    pub height: usize,
    pub pixels: Vec<u8>,
}

impl Canvas {
    pub fn new(width: usize, height: usize) -> Self {
        Canvas { width, height, pixels: vec![255; width * height * 3] }
    }

    /// Covers a share of one pixel with `ink`; pixels outside are left alone.
    pub fn blend(&mut self, (x, y): (i64, i64), ink: Rgb, share: f32) {
        let inside = (0..self.width as i64).contains(&x) && (0..self.height as i64).contains(&y);
        if !inside {
            return;
        }
        // Sixteen steps look like all, and leave a picture of few colours.
        let above = (share.clamp(0.0, 1.0) * STEPS as f32 + 0.5) as u32;
        let at = (y as usize * self.width + x as usize) * 3;
        for (pixel, ink) in self.pixels[at..at + 3].iter_mut().zip(ink) {
            let sum = u32::from(*pixel) * (STEPS - above) + u32::from(ink) * above;
            *pixel = ((sum + STEPS / 2) / STEPS) as u8;
        }
    }

    /// Fills a rectangle between two corners; edges inside a pixel cover their share of it.
    pub fn rectangle(&mut self, (x, y): (f64, f64), (to_x, to_y): (f64, f64), ink: Rgb) {
        let span = |from: f64, to: f64, limit: usize| {
            let (from, to) = (from.max(0.0), to.min(limit as f64));
            (from.floor() as usize..(to.ceil().max(0.0) as usize)).map(move |at| {
                let at_f = at as f64;
                (at, (to.min(at_f + 1.0) - from.max(at_f)).max(0.0))
            })
        };
        for (row, down) in span(y, to_y, self.height) {
            for (column, across) in span(x, to_x, self.width) {
                self.blend((column as i64, row as i64), ink, (down * across) as f32);
            }
        }
    }

    /// Fills a circle; its rim is one pixel soft.
    pub fn disc(&mut self, (x, y): (f64, f64), radius: f64, ink: Rgb) {
        let around =
            |middle: f64| (middle - radius - 1.0).floor() as i64..=(middle + radius + 1.0).ceil() as i64;
        for row in around(y) {
            for column in around(x) {
                let apart = (column as f64 + 0.5 - x).hypot(row as f64 + 0.5 - y);
                self.blend((column, row), ink, (radius - apart + 0.5).clamp(0.0, 1.0) as f32);
            }
        }
    }

    /// Draws a line of `width` through `points`, its rim one pixel soft. Where it crosses itself it
    /// is not painted twice.
    pub fn curve(&mut self, points: &[(f64, f64)], width: f64, ink: Rgb) {
        let reach = width / 2.0 + 1.0;
        let span = |from: f64, to: f64, limit: usize| {
            let low = (from.min(to) - reach).floor().clamp(0.0, limit as f64) as usize;
            low..(from.max(to) + reach).ceil().clamp(0.0, limit as f64) as usize
        };
        let mut shares = BTreeMap::new();
        for pair in points.windows(2) {
            let ((x, y), (to_x, to_y)) = (pair[0], pair[1]);
            let (dx, dy) = (to_x - x, to_y - y);
            for row in span(y, to_y, self.height) {
                for column in span(x, to_x, self.width) {
                    let (px, py) = (column as f64 + 0.5 - x, row as f64 + 0.5 - y);
                    let square = dx * dx + dy * dy;
                    let along =
                        if square > 0.0 { ((px * dx + py * dy) / square).clamp(0.0, 1.0) } else { 0.0 };
                    let apart = (px - along * dx).hypot(py - along * dy);
                    let share = (width / 2.0 - apart + 0.5).clamp(0.0, 1.0) as f32;
                    if share > 0.0 {
                        let most = shares.entry((row, column)).or_insert(0.0f32);
                        *most = most.max(share);
                    }
                }
            }
        }
        for ((row, column), share) in shares {
            self.blend((column as i64, row as i64), ink, share);
        }
    }

    /// Stretches rows of `columns` colours over the rectangle of whole pixels nearest to the one
    /// given by its corners.
    pub fn image(&mut self, (from, to): ((f64, f64), (f64, f64)), colours: &[Rgb], columns: usize) {
        let rows = colours.len().checked_div(columns).unwrap_or(0);
        let span = |from: f64, to: f64, limit: usize| {
            let edge = |v: f64| v.round().clamp(0.0, limit as f64) as usize;
            edge(from)..edge(to)
        };
        let (down, across) = (span(from.1, to.1, self.height), span(from.0, to.0, self.width));
        if rows == 0 {
            return;
        }
        for (i, y) in down.clone().enumerate() {
            let row = &colours[i * rows / down.len() * columns..][..columns];
            for (j, x) in across.clone().enumerate() {
                let at = (y * self.width + x) * 3;
                self.pixels[at..at + 3].copy_from_slice(&row[j * columns / across.len()]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dark(canvas: &Canvas) -> f64 {
        canvas.pixels.chunks(3).map(|p| 1.0 - f64::from(p[0]) / 255.0).sum()
    }

    #[test]
    fn shapes_cover_their_area_and_stop_at_the_edge() {
        let mut canvas = Canvas::new(20, 20);
        canvas.rectangle((2.5, 3.0), (5.0, 4.5), [0; 3]);
        // Four of the six pixels are covered in part, each off by half a step at most.
        let half_step = 0.5 / f64::from(STEPS);
        assert!((dark(&canvas) - 2.5 * 1.5).abs() < 4.0 * half_step + 0.01, "{}", dark(&canvas));
        let mut canvas = Canvas::new(20, 20);
        canvas.disc((10.0, 10.0), 6.0, [0; 3]);
        assert!((dark(&canvas) - 36.0 * std::f64::consts::PI).abs() < 1.0, "{}", dark(&canvas));
        let mut canvas = Canvas::new(4, 4);
        canvas.rectangle((-5.0, -5.0), (50.0, 50.0), [0; 3]);
        canvas.disc((-3.0, 40.0), 9.0, [255, 0, 0]);
        assert_eq!(canvas.pixels[..3], [0; 3]);
        canvas.rectangle((3.0, 3.0), (1.0, 1.0), [9; 3]);
        canvas.rectangle((f64::NAN, 0.0), (2.0, 2.0), [9; 3]);
    }

    #[test]
    fn curves_cover_their_width_once() {
        let mut canvas = Canvas::new(40, 20);
        canvas.curve(&[(5.0, 10.0), (35.0, 10.0), (5.0, 10.0)], 3.0, [0; 3]);
        // 30 long with round ends.
        let expected = 3.0 * 30.0 + 1.5 * 1.5 * std::f64::consts::PI;
        assert!((dark(&canvas) - expected).abs() < 3.0, "{}", dark(&canvas));
        let mut canvas = Canvas::new(20, 20);
        canvas.curve(&[(10.3, -50.0), (10.3, 60.0)], 2.0, [0; 3]);
        // Cut off at the canvas; two columns of it covered in part, in sixteenths.
        assert!((dark(&canvas) - 40.0).abs() < 1.4, "{}", dark(&canvas));
        canvas.curve(&[(3.0, 3.0)], 2.0, [0; 3]);
        canvas.curve(&[], 2.0, [0; 3]);
    }

    #[test]
    fn images_are_blocks_of_whole_pixels() {
        let mut canvas = Canvas::new(4, 2);
        canvas.image(((0.0, 0.0), (4.0, 2.0)), &[[1; 3], [2; 3]], 2);
        let reds: Vec<u8> = canvas.pixels.chunks(3).map(|p| p[0]).collect();
        assert_eq!(reds, [1, 1, 2, 2, 1, 1, 2, 2]);
        canvas.image(((0.0, 0.0), (4.0, 2.0)), &[], 0);
    }
}
