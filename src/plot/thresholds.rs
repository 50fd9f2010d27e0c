//! The picture of rejection thresholds: per channel type a histogram, and every channel by rank.

use super::colours::Rgb;
use super::figure::{Anchor, Dot, Figure, Text};
use super::layout::{
    EDGE, LABEL, Place, SMALL, TICK, TITLE, area, finish_with, frame, line, shortened, text, written_width,
};
use super::measure::Measure;
use crate::units::signal_unit;

const CHOSEN: Rgb = [38, 112, 150];
const OPTIMUM: Rgb = [216, 104, 50];
const CONNECT: Rgb = [190, 190, 190];
const BARS: Rgb = [122, 176, 199];

/// Space left of each part (tick labels and axis name), above (title), below (names).
const MARGIN: (f64, f64, f64) = (62.0, 40.0, 62.0);
/// Between the two parts.
const BETWEEN: f64 = 84.0;
const HEIGHT: f64 = 210.0;
const HISTOGRAM: f64 = 230.0;
/// Width of the part with one dot per channel.
const RANKS: (f64, f64) = (260.0, 560.0);
const NAME: u32 = 8;
const APART: f64 = 9.0;

/// The rejection threshold of one channel.
#[derive(Debug, Clone, PartialEq)]
pub struct ChannelThreshold {
    /// Name of the channel.
    pub name: String,
    /// Its type by MNE's name: `eeg`, `mag`, ...
    pub kind: String,
    /// Peak-to-peak threshold in use, SI units.
    pub threshold: f64,
    /// The threshold with the least loss of all candidates, where it is known.
    pub optimum: Option<f64>,
}

/// The channels of one type, smallest threshold first, in the unit people use.
struct Group<'a> {
    kind: &'a str,
    unit: &'static str,
    channels: Vec<(&'a str, f64, Option<f64>)>,
    left_out: usize,
}

/// Draws thresholds of one or more channel types, each type in a row of its own.
///
/// Left a histogram over channels; right a dot per channel in ascending order, with a bar at the
/// exact optimum where it is known. Thresholds that are not finite are left out and counted in
/// the caption.
pub fn thresholds(channels: &[ChannelThreshold]) -> Figure {
    let groups = groups(channels);
    let widest = groups.iter().fold(RANKS.0, |w, g| w.max(g.width()));
    let width = (EDGE * 2.0 + MARGIN.0 + BETWEEN + HISTOGRAM + widest).ceil();
    let mut figure = Figure { width, ..Figure::default() };
    let mut y = EDGE;
    for group in &groups {
        group.draw(y + MARGIN.1, &mut figure);
        y += MARGIN.1 + HEIGHT + MARGIN.2;
    }
    finish_with(&caption(&groups), y, &mut figure);
    figure
}

fn groups(channels: &[ChannelThreshold]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group> = Vec::new();
    for channel in channels {
        let (unit, factor) = signal_unit(&channel.kind);
        let at = groups.iter().position(|g| g.kind == channel.kind).unwrap_or_else(|| {
            groups.push(Group { kind: &channel.kind, unit, channels: Vec::new(), left_out: 0 });
            groups.len() - 1
        });
        let optimum = channel.optimum.filter(|v| v.is_finite()).map(|v| v * factor);
        match channel.threshold * factor {
            shown if shown.is_finite() => groups[at].channels.push((&channel.name, shown, optimum)),
            _ => groups[at].left_out += 1,
        }
    }
    for group in &mut groups {
        group.channels.sort_by(|a, b| a.1.total_cmp(&b.1));
    }
    groups
}

fn caption(groups: &[Group]) -> String {
    let mut out = String::from("Peak-to-peak threshold above which a channel is bad in an epoch.");
    for group in groups {
        let values: Vec<f64> = group.channels.iter().map(|c| c.1).collect();
        if let (Some(first), Some(last)) = (values.first(), values.last()) {
            let middle = values[values.len() / 2];
            let (kind, unit) = (group.kind, group.unit);
            out +=
                &format!(" {kind}: {} to {} {unit}, median {}.", short(*first), short(*last), short(middle));
        }
        if group.left_out > 0 {
            out += &format!(
                " {} {} channel(s) without a finite threshold are left out.",
                group.left_out, group.kind
            );
        }
    }
    if groups.iter().any(|g| g.has_optima()) {
        out += " Bars: threshold with the least loss of all candidates.";
    }
    out
}

/// Three digits, plainly.
fn short(value: f64) -> String {
    let size = value.abs();
    let decimals = if size >= 100.0 || size == 0.0 { 0 } else { (2 - size.log10().floor() as i32).min(9) };
    format!("{value:.*}", decimals as usize)
}

impl Group<'_> {
    fn has_optima(&self) -> bool {
        self.channels.iter().any(|c| c.2.is_some())
    }

    /// Width of the part with the dots.
    fn width(&self) -> f64 {
        (self.channels.len() as f64 * (APART + 1.0)).clamp(RANKS.0, RANKS.1)
    }

    fn draw(&self, y: f64, figure: &mut Figure) {
        let optima = self.channels.iter().filter_map(|c| c.2);
        let axis = Measure::around(self.channels.iter().map(|c| c.1).chain(optima));
        let title = format!("{} ({} channels)", self.kind, self.channels.len() + self.left_out);
        figure.texts.push(text((EDGE + MARGIN.0, y - 16.0), TITLE, Anchor::Start, title));
        let left = Place { x: EDGE + MARGIN.0, y, width: HISTOGRAM, height: HEIGHT };
        self.histogram(&axis, &left, figure);
        let right = Place { x: left.x + left.width + BETWEEN, width: self.width(), ..left };
        self.ranks(&axis, &right, figure);
    }

    fn label(&self) -> String {
        if self.unit.is_empty() { "threshold".into() } else { format!("threshold [{}]", self.unit) }
    }

    fn histogram(&self, axis: &Measure, at: &Place, figure: &mut Figure) {
        let bins = ((self.channels.len() as f64).sqrt() * 1.5).ceil().clamp(4.0, 28.0) as usize;
        let mut counts = vec![0usize; bins];
        for (_, value, _) in &self.channels {
            counts[((axis.share(*value) * bins as f64) as usize).min(bins - 1)] += 1;
        }
        let most = counts.iter().copied().max().unwrap_or(0).max(1) as f64 * 1.08;
        let bottom = at.y + at.height;
        for (bin, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let edge = |bin: usize| at.x + at.width * bin as f64 / bins as f64;
            let top = bottom - at.height * *count as f64 / most;
            figure.strokes.push(area((edge(bin), top), (edge(bin + 1) - 1.0, bottom), BARS));
        }
        frame(at, figure);
        for (value, label) in axis.ticks((at.width / 52.0) as usize) {
            let x = at.x + axis.share(value) * at.width;
            figure.strokes.push(line((x, bottom + 0.5), (x, bottom + 0.5 + TICK)));
            figure.texts.push(text((x, bottom + TICK + 13.0), SMALL, Anchor::Middle, label));
        }
        let whole = |v: f64| (v.fract() == 0.0).then(|| (v / most, format!("{v:.0}")));
        let ticks = super::ticks::ticks(0.0, most, 5).into_iter().filter_map(|(v, _)| whole(v));
        y_axis(ticks, "channels", at, figure);
        let below = (at.x + at.width / 2.0, bottom + TICK + 30.0);
        figure.texts.push(text(below, LABEL, Anchor::Middle, self.label()));
    }

    fn ranks(&self, axis: &Measure, at: &Place, figure: &mut Figure) {
        let step = at.width / self.channels.len().max(1) as f64;
        let radius = (step * 0.42).clamp(0.9, 3.2);
        let down = |value: f64| at.y + (1.0 - axis.share(value)) * at.height;
        for (rank, (_, chosen, optimum)) in self.channels.iter().enumerate() {
            let x = at.x + (rank as f64 + 0.5) * step;
            if let Some(optimum) = optimum {
                let (low, high) = (down(*chosen).max(down(*optimum)), down(*chosen).min(down(*optimum)));
                figure.strokes.push(area((x - 0.5, high), (x + 0.5, low), CONNECT));
                let half = (step * 0.45).clamp(0.8, 4.5);
                let y = down(*optimum);
                figure.strokes.push(area((x - half, y - 1.0), (x + half, y + 1.0), OPTIMUM));
            }
            figure.dots.push(Dot { x, y: down(*chosen), radius, fill: CHOSEN });
        }
        frame(at, figure);
        let ticks = axis.ticks((at.height / 36.0) as usize).into_iter().map(|(v, l)| (axis.share(v), l));
        y_axis(ticks, &self.label(), at, figure);
        self.names(step, at, figure);
        if self.has_optima() {
            key(at, figure);
        }
    }

    /// Names of channels under their dots, as many as have room.
    fn names(&self, step: f64, at: &Place, figure: &mut Figure) {
        let every = (APART / step).ceil().max(1.0) as usize;
        let bottom = at.y + at.height + 4.0;
        for (rank, (name, ..)) in self.channels.iter().enumerate().step_by(every) {
            let x = at.x + (rank as f64 + 0.5) * step + f64::from(NAME) * 0.36;
            let name = text((x, bottom), NAME, Anchor::End, shortened(name, NAME, 44.0));
            figure.texts.push(Text { upward: true, ..name });
        }
    }
}

/// Tick labels and name of a vertical axis; ticks come as shares of its height.
fn y_axis(ticks: impl Iterator<Item = (f64, String)>, name: &str, at: &Place, figure: &mut Figure) {
    let left = at.x - 0.5;
    let mut longest = 0;
    for (share, label) in ticks.filter(|(share, _)| (0.0..=1.0).contains(share)) {
        let y = at.y + (1.0 - share) * at.height;
        longest = longest.max(label.chars().count());
        figure.strokes.push(line((left - TICK, y), (left, y)));
        figure.texts.push(text((left - TICK - 3.0, y + 4.0), SMALL, Anchor::End, label));
    }
    let x = (left - TICK - 11.0 - longest as f64 * f64::from(SMALL) * 0.64).max(at.x - BETWEEN + 12.0);
    let upright = text((x, at.y + at.height / 2.0), LABEL, Anchor::Middle, name);
    figure.texts.push(Text { upward: true, ..upright });
}

/// What dots and bars stand for, above the upper right corner.
fn key(at: &Place, figure: &mut Figure) {
    let letters = |name: &str| written_width(name, SMALL);
    let (first, second, y) = ("chosen", "exact optimum", at.y - 20.0);
    let mut x = at.x + at.width - letters(first) - letters(second) - 40.0;
    figure.dots.push(Dot { x, y, radius: 3.2, fill: CHOSEN });
    figure.texts.push(text((x + 8.0, y + 4.0), SMALL, Anchor::Start, first));
    x += letters(first) + 22.0;
    figure.strokes.push(area((x - 4.5, y - 1.0), (x + 4.5, y + 1.0), OPTIMUM));
    figure.texts.push(text((x + 9.0, y + 4.0), SMALL, Anchor::Start, second));
}
