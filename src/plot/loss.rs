//! The picture of the grid search: mean loss over consensus and number of repaired channels.

use super::Scale;
use super::colours::{Rgb, colour};
use super::figure::{Anchor, Figure, Stroke, Text};
use super::layout::{
    EDGE, LABEL, Place, SMALL, TICK, TITLE, area, colour_bar, finish_with, frame, line, text, written_width,
};
use super::limits::{self, Limits};
use crate::units::signal_unit;

const BLANK: Rgb = [255, 255, 255];
const MARK: Rgb = [230, 20, 20];
/// Space left of a map (axis), above (title), right (colour bar), below (axis).
const MARGIN: (f64, f64, f64, f64) = (66.0, 40.0, 96.0, 52.0);
/// Width of all columns together, and limits of one; likewise for rows.
const ACROSS: (f64, f64, f64) = (484.0, 7.0, 60.0);
const DOWN: (f64, f64, f64) = (240.0, 7.0, 34.0);
/// Size of the numbers in the cells.
const NUMBER: u32 = 10;
const NARROWEST: f64 = 400.0;

/// The loss grid of one channel type.
#[derive(Debug, Clone, PartialEq)]
pub struct LossMap {
    /// Type by MNE's name: `eeg`, `mag`, ...
    pub kind: String,
    /// Shares of bad channels from which on an epoch is dropped.
    pub consensus: Vec<f64>,
    /// Numbers of channels repaired at most.
    pub n_interpolate: Vec<i64>,
    /// Loss averaged over folds, `[consensus][n_interpolate]`, SI units; infinite where nothing
    /// can be kept.
    pub mean: Vec<f64>,
}

impl LossMap {
    /// The loss at column `k` and row `r` of the map, in the unit shown.
    fn at(&self, k: usize, r: usize) -> Option<f64> {
        let value = self.mean.get(k * self.n_interpolate.len() + r)?;
        value.is_finite().then(|| value * signal_unit(&self.kind).1)
    }

    fn cells(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let rows = self.n_interpolate.len();
        (0..self.consensus.len()).flat_map(move |k| (0..rows).map(move |r| (k, r)))
    }

    /// The first minimum in row-major order, which is the one that is chosen.
    fn minimum(&self) -> Option<(usize, usize, f64)> {
        let known = self.cells().filter_map(|(k, r)| self.at(k, r).map(|v| (k, r, v)));
        known.reduce(|best, next| if next.2 < best.2 { next } else { best })
    }

    /// Known losses, ascending.
    fn known(&self) -> Vec<f64> {
        let mut known: Vec<f64> = self.cells().filter_map(|(k, r)| self.at(k, r)).collect();
        known.sort_unstable_by(f64::total_cmp);
        known
    }

    /// Ends of the colours. Losses far above most of the others share the brightest one: what
    /// matters is how the good ones differ.
    fn limits(&self) -> Limits {
        let known = self.known();
        let all: Vec<f32> = known.iter().map(|v| *v as f32).collect();
        let whole = limits::exact(&all, Scale::Sequential);
        match known.get(known.len() / 2) {
            Some(middle) if *middle > whole.low => {
                Limits { high: whole.high.min(middle + 3.0 * (middle - whole.low)), ..whole }
            }
            _ => whole,
        }
    }

    /// True where some loss is beyond the colours.
    fn is_cut(&self) -> bool {
        self.known().last().is_some_and(|most| *most > self.limits().high * (1.0 + 1e-6))
    }

    /// A loss with as many decimals as tell near ones apart.
    fn written(&self, value: f64) -> String {
        let known = self.known();
        let spread = known.last().zip(known.first()).map_or(0.0, |(most, least)| most - least);
        let needed = if spread > 0.0 { (2.0 - spread.log10()).ceil() } else { 0.0 };
        let usual = if value > 0.0 { 2.0 - value.log10().floor() } else { 0.0 };
        format!("{value:.*}", needed.max(usual).clamp(0.0, 9.0) as usize)
    }

    /// Width of a column and height of a row.
    fn cell(&self) -> (f64, f64) {
        let side = |count: usize, (all, least, most): (f64, f64, f64)| {
            (all / count.max(1) as f64).clamp(least, most).floor()
        };
        (side(self.consensus.len(), ACROSS), side(self.n_interpolate.len(), DOWN))
    }
}

/// Draws the loss grids of one or more channel types, each in a row of its own: consensus across,
/// n_interpolate down, a rectangle around the minimum, infinite cells blank.
pub fn loss(maps: &[LossMap]) -> Figure {
    let width = maps.iter().map(|m| m.cell().0 * m.consensus.len() as f64).fold(0.0, f64::max);
    let width = (2.0 * EDGE + MARGIN.0 + width + MARGIN.2).max(NARROWEST).ceil();
    let mut figure = Figure { width, ..Figure::default() };
    let mut y = EDGE;
    for map in maps {
        let (across, down) = map.cell();
        let (columns, rows) = (map.consensus.len() as f64, map.n_interpolate.len() as f64);
        let place =
            Place { x: EDGE + MARGIN.0, y: y + MARGIN.1, width: across * columns, height: down * rows };
        draw(map, &place, &mut figure);
        y += MARGIN.1 + place.height.max(60.0) + MARGIN.3;
    }
    let mut caption = String::from(
        "Loss: root mean square of the mean of the kept, repaired training epochs minus the median of the test \
         epochs, averaged over folds. Red: the minimum.",
    );
    if maps.iter().any(|m| m.cells().any(|(k, r)| m.at(k, r).is_none())) {
        caption +=
            " Blank: infinite, as no epoch is kept or more channels may be repaired than make an epoch bad.";
    }
    if maps.iter().any(LossMap::is_cut) {
        caption += " Brightest: the end of the colour bar and all above.";
    }
    finish_with(&caption, y, &mut figure);
    figure
}

fn draw(map: &LossMap, at: &Place, figure: &mut Figure) {
    let (limits, (across, down)) = (map.limits(), map.cell());
    let corner = |k: usize, r: usize| (at.x + k as f64 * across, at.y + r as f64 * down);
    let widest = map.known().last().map_or(0.0, |most| written_width(&map.written(*most), NUMBER));
    let roomy = across >= widest + 6.0 && down >= f64::from(NUMBER) + 4.0;
    for (k, r) in map.cells() {
        let (from, to) = (corner(k, r), corner(k + 1, r + 1));
        let Some(value) = map.at(k, r) else {
            figure.strokes.push(area(from, to, BLANK));
            continue;
        };
        let fill = colour(&limits, value);
        figure.strokes.push(area(from, to, fill));
        if roomy {
            let place = (from.0 + across / 2.0, from.1 + down / 2.0 + 4.0);
            let number = text(place, NUMBER, Anchor::Middle, map.written(value));
            figure.texts.push(Text { ink: readable_on(fill), ..number });
        }
    }
    frame(at, figure);
    title(map, at, figure);
    axes(map, at, figure);
    if let Some((k, r, _)) = map.minimum() {
        mark(corner(k, r), corner(k + 1, r + 1), figure);
        let unit = signal_unit(&map.kind).0;
        let name = if unit.is_empty() { "mean loss".into() } else { format!("mean loss [{unit}]") };
        let bar = Place { height: at.height.max(60.0), ..*at };
        colour_bar(&name, &limits, &bar, figure);
    }
}

/// Black or white, whichever stands out.
fn readable_on([r, g, b]: Rgb) -> Rgb {
    let light = 0.2126 * f64::from(r) + 0.7152 * f64::from(g) + 0.0722 * f64::from(b);
    if light > 120.0 { [20, 20, 20] } else { [255, 255, 255] }
}

fn title(map: &LossMap, at: &Place, figure: &mut Figure) {
    let unit = signal_unit(&map.kind).0;
    let title = match map.minimum() {
        Some((k, r, value)) => {
            let (consensus, n) = (share(map.consensus[k]), map.n_interpolate[r]);
            format!(
                "{}: least loss {} {unit} at consensus {consensus}, n_interpolate {n}",
                map.kind,
                map.written(value)
            )
        }
        None => format!("{}: no finite loss", map.kind),
    };
    figure.texts.push(text((at.x, at.y - 14.0), TITLE - 2, Anchor::Start, title));
}

/// A share without the digits that float64 adds: 0.3, not 0.30000000000000004.
fn share(value: f64) -> String {
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

fn axes(map: &LossMap, at: &Place, figure: &mut Figure) {
    let (bottom, left) = (at.y + at.height + 0.5, at.x - 0.5);
    let (across, down) = map.cell();
    let every = |room: f64, cell: f64| (room / cell).ceil().max(1.0) as usize;
    for (k, consensus) in map.consensus.iter().enumerate().step_by(every(34.0, across)) {
        let x = at.x + (k as f64 + 0.5) * across;
        figure.strokes.push(line((x, bottom), (x, bottom + TICK)));
        figure.texts.push(text((x, bottom + TICK + 12.0), SMALL, Anchor::Middle, share(*consensus)));
    }
    for (r, n) in map.n_interpolate.iter().enumerate().step_by(every(14.0, down)) {
        let y = at.y + (r as f64 + 0.5) * down;
        figure.strokes.push(line((left - TICK, y), (left, y)));
        figure.texts.push(text((left - TICK - 3.0, y + 4.0), SMALL, Anchor::End, n.to_string()));
    }
    let below = (at.x + at.width / 2.0, bottom + TICK + 29.0);
    figure.texts.push(text(below, LABEL, Anchor::Middle, "consensus"));
    let beside = text((at.x - 44.0, at.y + at.height / 2.0), LABEL, Anchor::Middle, "n_interpolate");
    figure.texts.push(Text { upward: true, ..beside });
}

/// Two points thick, inside the cell.
fn mark((x, y): (f64, f64), (to_x, to_y): (f64, f64), figure: &mut Figure) {
    let side = |from, to| Stroke { ink: MARK, ..area(from, to, MARK) };
    figure.overlay.extend([
        side((x, y), (to_x, y + 2.0)),
        side((x, to_y - 2.0), (to_x, to_y)),
        side((x, y), (x + 2.0, to_y)),
        side((to_x - 2.0, y), (to_x, to_y)),
    ]);
}
