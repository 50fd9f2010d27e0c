//! Where everything goes: panels in a grid, each a map with axes and a colour bar.

use super::colours::{CLASSES, NO_VALUE, Rgb, colour};
use super::figure::{Anchor, Figure, INK, Image, Stroke, Text};
use super::limits::{self, Limits};
use super::relief;
use super::ticks::ticks;
use super::{Axis, Panel, Scale};

/// Space around a map, in points: left (tick labels and axis name), top (title), right (bar with
/// its labels), bottom (tick labels and axis name).
const MARGIN: (f64, f64, f64, f64) = (78.0, 34.0, 96.0, 48.0);
pub(super) const EDGE: f64 = 10.0;
pub(super) const TICK: f64 = 5.0;
const BAR_GAP: f64 = 12.0;
const BAR_WIDTH: f64 = 13.0;
pub(super) const TITLE: u32 = 15;
pub(super) const LABEL: u32 = 12;
pub(super) const SMALL: u32 = 11;

/// Mean width of a letter in points, as a share of the font size; DejaVu Sans is a wide face.
pub(super) const LETTER: f64 = 0.56;

/// Side of a map, in points: longest, and shortest where the raster is a thin stripe.
const MAP: (f64, f64) = (400.0, 60.0);

/// A rectangle of the page.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Place {
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
}

pub(super) fn lay_out(panels: &[Panel], caption: &str) -> Figure {
    let columns = match panels.len() {
        0 | 1 => 1,
        2 | 4 => 2,
        _ => 3,
    };
    let sizes: Vec<(f64, f64)> = panels.iter().map(map_size).collect();
    let across = |size: f64| EDGE + MARGIN.0 + size + MARGIN.2;
    let widest: Vec<f64> = (0..columns)
        .map(|c| across(sizes.iter().skip(c).step_by(columns).fold(0.0, |w, s| w.max(s.0))))
        .collect();
    let mut figure =
        Figure { width: (widest.iter().sum::<f64>() + EDGE).max(360.0).ceil(), ..Figure::default() };
    let mut y = EDGE;
    for (panels, sizes) in panels.chunks(columns).zip(sizes.chunks(columns)) {
        let height = sizes.iter().fold(0.0, |h: f64, s| h.max(s.1));
        let mut left = 0.0;
        for ((panel, size), width) in panels.iter().zip(sizes).zip(&widest) {
            let place = Place {
                x: (left + EDGE + MARGIN.0).round(),
                y: (y + MARGIN.1).round(),
                width: size.0,
                height: size.1,
            };
            draw(panel, &place, &mut figure);
            left += width;
        }
        y += MARGIN.1 + height + MARGIN.3;
    }
    finish_with(&with_colour_note(panels, caption), y, &mut figure);
    figure
}

/// The caption with what the colours mean, as far as it applies.
fn with_colour_note(panels: &[Panel], caption: &str) -> String {
    let mut out = caption.trim().to_string();
    let mut say = |sentence: String| {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(&sentence);
    };
    if panels.iter().any(|p| p.scale != Scale::Classes) {
        let percent = limits::TAIL * 100.0;
        say(format!("Colours span the {percent:.0} to {:.0} % range of each map.", 100.0 - percent));
    }
    if panels.iter().any(|p| p.grid.values().iter().any(|v| v.is_nan())) {
        say("Grey: no value.".into());
    }
    if panels.iter().any(|p| p.relief) {
        say("Shading: light from the upper left.".into());
    }
    out
}

/// Breaks `content` at blanks into lines of about `width` points.
fn wrap(content: &str, width: f64) -> Vec<String> {
    let fits = ((width / (f64::from(SMALL) * LETTER)) as usize).max(20);
    let mut lines: Vec<String> = Vec::new();
    for word in content.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= fits => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_string()),
        }
    }
    lines
}

/// `content` cut to about `width` points.
pub(super) fn shortened(content: &str, size: u32, width: f64) -> String {
    let fits = ((width / (f64::from(size) * LETTER)) as usize).max(4);
    if content.chars().count() <= fits {
        return content.to_string();
    }
    content.chars().take(fits - 1).chain(['\u{2026}']).collect()
}

/// Whole points, so that map edges fall on pixels; square cells unless that gives a stripe.
fn map_size(panel: &Panel) -> (f64, f64) {
    let (w, h) = (panel.grid.width().max(1) as f64, panel.grid.height().max(1) as f64);
    let scale = MAP.0 / w.max(h);
    ((w * scale).max(MAP.1).round(), (h * scale).max(MAP.1).round())
}

pub(super) fn text((x, y): (f64, f64), size: u32, anchor: Anchor, content: impl Into<String>) -> Text {
    Text { x, y, size, anchor, upward: false, ink: INK, content: content.into() }
}

pub(super) fn line(from: (f64, f64), to: (f64, f64)) -> Stroke {
    Stroke { from, to, ink: INK, fill: None }
}

/// A rectangle full of one colour.
pub(super) fn area(from: (f64, f64), to: (f64, f64), fill: Rgb) -> Stroke {
    Stroke { from, to, ink: INK, fill: Some(fill) }
}

/// Writes `caption` under everything, from `y` on, and settles the height of the figure.
pub(super) fn finish_with(caption: &str, mut y: f64, figure: &mut Figure) {
    for line in wrap(caption, figure.width - 3.0 * EDGE) {
        y += f64::from(SMALL) * 1.4;
        figure.texts.push(text((1.5 * EDGE, y), SMALL, Anchor::Start, line));
    }
    figure.height = (y + EDGE).ceil();
}

fn draw(panel: &Panel, at: &Place, figure: &mut Figure) {
    let limits = limits::robust(panel.grid.values(), panel.scale);
    let flip = panel.y.is_upward();
    figure.images.push(map(panel, &limits, at, flip));
    frame(at, figure);
    let room = at.width + MARGIN.2;
    figure.texts.push(text((at.x, at.y - 11.0), TITLE, Anchor::Start, shortened(&panel.title, TITLE, room)));
    x_axis(&panel.x, at, figure);
    y_axis(&panel.y, at, flip, figure);
    match limits.scale {
        Scale::Classes => class_key(at, figure),
        _ => colour_bar(&panel.unit, &limits, at, figure),
    }
}

fn map(panel: &Panel, limits: &Limits, at: &Place, flip: bool) -> Image {
    let grid = &panel.grid;
    let shade = panel.relief.then(|| relief::shade(grid));
    let mut pixels: Vec<Rgb> = grid.values().iter().map(|v| colour(limits, f64::from(*v))).collect();
    for (pixel, brightness) in pixels.iter_mut().zip(shade.iter().flatten()) {
        *pixel = if *pixel == NO_VALUE { NO_VALUE } else { relief::lit(*pixel, *brightness) };
    }
    if flip {
        pixels = pixels.chunks(grid.width().max(1)).rev().flatten().copied().collect();
    }
    Image { x: at.x, y: at.y, width: at.width, height: at.height, pixels, columns: grid.width().max(1) }
}

/// Half a point outside the map, so that its cells stay whole.
pub(super) fn frame(at: &Place, figure: &mut Figure) {
    let (left, top) = (at.x - 0.5, at.y - 0.5);
    let (right, bottom) = (at.x + at.width + 0.5, at.y + at.height + 0.5);
    figure.strokes.extend([
        line((left, top), (right, top)),
        line((left, bottom), (right, bottom)),
        line((left, top), (left, bottom)),
        line((right, top), (right, bottom)),
    ]);
}

fn share(axis: &Axis, value: f64) -> f64 {
    (value - axis.edges.0) / (axis.edges.1 - axis.edges.0)
}

pub(super) fn x_axis(axis: &Axis, at: &Place, figure: &mut Figure) {
    let bottom = at.y + at.height + 0.5;
    for (value, label) in ticks(axis.edges.0, axis.edges.1, (at.width / 68.0) as usize) {
        let x = at.x + share(axis, value) * at.width;
        figure.strokes.push(line((x, bottom), (x, bottom + TICK)));
        figure.texts.push(text((x, bottom + TICK + 12.0), SMALL, Anchor::Middle, label));
    }
    let label = shortened(&axis.label, LABEL, at.width + 40.0);
    figure.texts.push(text((at.x + at.width / 2.0, bottom + TICK + 29.0), LABEL, Anchor::Middle, label));
}

pub(super) fn y_axis(axis: &Axis, at: &Place, flip: bool, figure: &mut Figure) {
    let left = at.x - 0.5;
    let mut longest = 0;
    for (value, label) in ticks(axis.edges.0, axis.edges.1, (at.height / 48.0) as usize) {
        let down = if flip { 1.0 - share(axis, value) } else { share(axis, value) };
        let y = at.y + down * at.height;
        longest = longest.max(label.chars().count());
        figure.strokes.push(line((left - TICK, y), (left, y)));
        figure.texts.push(text((left - TICK - 4.0, y + 4.0), SMALL, Anchor::End, label));
    }
    let ticks_width = longest as f64 * f64::from(SMALL) * 0.64;
    let x = (left - TICK - 12.0 - ticks_width).max(at.x - MARGIN.0 + 8.0);
    let label = shortened(&axis.label, LABEL, at.height + 40.0);
    let upright = text((x, at.y + at.height / 2.0), LABEL, Anchor::Middle, label);
    figure.texts.push(Text { upward: true, ..upright });
}

/// Beside the map at `at`, as high as it.
pub(super) fn colour_bar(unit: &str, limits: &Limits, at: &Place, figure: &mut Figure) {
    let steps = 256;
    let value = |i: usize| limits.high - (i as f64 + 0.5) / steps as f64 * (limits.high - limits.low);
    let bar = Place { x: at.x + at.width + BAR_GAP, width: BAR_WIDTH, ..*at };
    figure.images.push(Image {
        x: bar.x,
        y: bar.y,
        width: bar.width,
        height: bar.height,
        pixels: (0..steps).map(|i| colour(limits, value(i))).collect(),
        columns: 1,
    });
    frame(&bar, figure);
    let right = bar.x + bar.width + 0.5;
    let mut longest = 0;
    for (value, label) in ticks(limits.low, limits.high, ((at.height / 42.0) as usize).max(3)) {
        let y = bar.y + (limits.high - value) / (limits.high - limits.low) * bar.height;
        longest = longest.max(label.chars().count());
        figure.strokes.push(line((right, y), (right + TICK, y)));
        figure.texts.push(text((right + TICK + 3.0, y + 4.0), SMALL, Anchor::Start, label));
    }
    let x = (right + TICK + 17.0 + longest as f64 * f64::from(SMALL) * 0.64)
        .min(at.x + at.width + MARGIN.2 - 2.0);
    let label = shortened(unit, LABEL, at.height);
    let upright = text((x, at.y + at.height / 2.0), LABEL, Anchor::Middle, label);
    figure.texts.push(Text { upward: true, ..upright });
}

/// Hot spot classes as boxes, hottest on top.
fn class_key(at: &Place, figure: &mut Figure) {
    let (x, step) = (at.x + at.width + BAR_GAP, (at.height / 9.0).clamp(15.0, 26.0));
    let mut y = at.y;
    for (class, fill) in CLASSES.iter().rev() {
        let name = match class {
            0 => "none".to_string(),
            c if *c > 0 => format!("hot {c} %"),
            c => format!("cold {} %", -c),
        };
        let size = step - 4.0;
        figure.strokes.push(area((x, y), (x + BAR_WIDTH, y + size), *fill));
        frame(&Place { x, y, width: BAR_WIDTH, height: size }, figure);
        figure.texts.push(text((x + BAR_WIDTH + 7.0, y + size / 2.0 + 4.0), SMALL, Anchor::Start, name));
        y += step;
    }
}
