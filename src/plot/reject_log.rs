//! The picture of a reject log: channels across, epochs down, epoch 0 at the top, in the colours
//! that users of `autoreject` know (spec autoreject 12).

use super::colours::Rgb;
use super::figure::{Anchor, Figure, Image, Stroke, Text};
use super::folding::{Folding, GUTTER};
use super::layout::{EDGE, LABEL, Place, SMALL, TICK, area, finish_with, frame, line, shortened, text};
use super::lettering;
use super::ticks::ticks;

const GOOD: Rgb = [0x90, 0xee, 0x90];
const REPAIRED: Rgb = [0, 0, 255];
const BAD: Rgb = [255, 0, 0];
/// Channels that were not picked.
const ABSENT: Rgb = [255, 255, 255];

/// Size of channel names, and the distance of neighbouring ones that keeps them apart.
const NAME: u32 = 8;
const APART: f64 = 9.0;
/// Cells from this side on have room for an outline around each bad epoch.
const OUTLINED: f64 = 3.0;
/// Width of the bar that stands for the outlines beside smaller cells.
const BAR: f64 = 3.0;
/// Space above the maps, for the legend.
const TOP: f64 = 34.0;
const NARROWEST: f64 = 400.0;

/// A reject log by its parts.
struct Log<'a> {
    names: &'a [String],
    labels: &'a [f64],
    bad_epochs: &'a [bool],
}

/// Draws the reject log of `bad_epochs.len()` epochs and `names.len()` channels.
///
/// `labels` is `[epoch][channel]`: 0 good, 1 bad, 2 interpolated, all else not picked (white).
/// Bad epochs get a red outline; where cells are too small for that, red bars at
/// the right. Long recordings are folded into strips of consecutive epochs, to be read from
/// left to right. The map is embedded as pixels, so its size grows with the table's content only.
pub fn reject_log(names: &[String], labels: &[f64], bad_epochs: &[bool]) -> Figure {
    let log = Log { names, labels, bad_epochs };
    let folding = Folding::of(bad_epochs.len(), names.len());
    let columns = names.len().div_ceil(folding.shared.1);
    let (width, height) = (columns as f64 * folding.cell, folding.rows as f64 * folding.cell);
    let across = folding.strips as f64 * (GUTTER + width) + 4.0 * EDGE;
    let mut figure = Figure { width: across.max(NARROWEST).ceil(), ..Figure::default() };
    let left = ((figure.width - across) / 2.0).round() + 2.0 * EDGE;
    let mut lowest: f64 = 0.0;
    for strip in 0..folding.strips {
        let x = left + GUTTER + strip as f64 * (GUTTER + width);
        let place = Place { x: x.round(), y: EDGE + TOP, width, height };
        lowest = lowest.max(log.strip(strip, &folding, &place, &mut figure));
    }
    let middle = left + (GUTTER + folding.strips as f64 * (GUTTER + width)) / 2.0;
    legend(middle, &mut figure);
    figure.texts.push(text((middle, lowest + 18.0), LABEL, Anchor::Middle, "Channels"));
    let title = text((left + 2.0, EDGE + TOP + height / 2.0), LABEL, Anchor::Middle, "Epochs");
    figure.texts.push(Text { upward: true, ..title });
    finish_with(&log.caption(&folding), lowest + 26.0, &mut figure);
    figure
}

impl Log<'_> {
    /// Colour of a cell that stands for `shared` epochs and channels: its worst label.
    fn colour(&self, (row, column): (usize, usize), folding: &Folding) -> Rgb {
        let span = |at: usize, by: usize, of: usize| at * by..((at + 1) * by).min(of);
        let epochs = span(row, folding.shared.0, self.bad_epochs.len());
        let channels = span(column, folding.shared.1, self.names.len());
        let mut worst = ABSENT;
        for at in epochs.flat_map(|e| channels.clone().map(move |c| e * self.names.len() + c)) {
            match self.labels.get(at) {
                Some(1.0) => return BAD,
                Some(2.0) => worst = REPAIRED,
                Some(0.0) if worst == ABSENT => worst = GOOD,
                _ => {}
            }
        }
        worst
    }

    /// True for a row with a bad epoch.
    fn is_bad(&self, row: usize, folding: &Folding) -> bool {
        let epochs = self.bad_epochs.iter().skip(row * folding.shared.0).take(folding.shared.0);
        epochs.into_iter().any(|bad| *bad)
    }

    /// Draws the `strip`-th part and returns where its channel names end.
    fn strip(&self, strip: usize, folding: &Folding, at: &Place, figure: &mut Figure) -> f64 {
        let all = self.bad_epochs.len().div_ceil(folding.shared.0);
        let rows = strip * folding.rows..((strip + 1) * folding.rows).min(all);
        let columns = self.names.len().div_ceil(folding.shared.1);
        let whole = *at;
        let at = Place { height: rows.len() as f64 * folding.cell, ..whole };
        if rows.is_empty() || columns == 0 {
            return whole.y + whole.height;
        }
        let cells = rows.clone().flat_map(|row| (0..columns).map(move |column| (row, column)));
        let pixels = cells.map(|cell| self.colour(cell, folding)).collect();
        figure.images.push(Image { x: at.x, y: at.y, width: at.width, height: at.height, pixels, columns });
        frame(&at, figure);
        let bad: Vec<bool> = rows.clone().map(|row| self.is_bad(row, folding)).collect();
        if folding.cell >= OUTLINED {
            outlines(&bad, folding.cell, &at, figure)
        } else {
            bars(&bad, &at, figure)
        }
        self.epoch_axis(rows, folding, &at, figure);
        self.channel_axis(folding, &at, figure).max(whole.y + whole.height)
    }

    /// Whole numbers of epochs beside a strip.
    fn epoch_axis(&self, rows: std::ops::Range<usize>, folding: &Folding, at: &Place, figure: &mut Figure) {
        let (first, shared) = (rows.start * folding.shared.0, folding.shared.0 as f64);
        let last = first as f64 + rows.len() as f64 * shared - 1.0;
        let left = at.x - 0.5;
        for (epoch, _) in ticks(first as f64, last, (at.height / 40.0) as usize) {
            if epoch.fract() != 0.0 {
                continue;
            }
            let y = at.y + ((epoch - first as f64 + 0.5) / shared) * folding.cell;
            figure.strokes.push(line((left - TICK, y), (left, y)));
            figure.texts.push(text((left - TICK - 3.0, y + 4.0), SMALL, Anchor::End, format!("{epoch:.0}")));
        }
    }

    /// Names under a strip, as many as have room; where the longest of them ends.
    fn channel_axis(&self, folding: &Folding, at: &Place, figure: &mut Figure) -> f64 {
        let bottom = at.y + at.height + 4.0;
        let each = folding.cell / folding.shared.1 as f64;
        let sparse = [1, 5, 10, 20, 25, 50, 100, 200, 500];
        let fitting = sparse.into_iter().skip(usize::from(self.names.len() >= 25));
        let step = fitting.into_iter().find(|s| *s as f64 * each >= APART).unwrap_or(1000);
        let mut longest: f64 = 0.0;
        for (index, name) in self.names.iter().enumerate().step_by(step) {
            let name = shortened(name, NAME, 60.0);
            longest = longest.max(lettering::width(&name, NAME));
            let x = at.x + (index as f64 + 0.5) * each + f64::from(NAME) * 0.36;
            figure.texts.push(Text { upward: true, ..text((x, bottom), NAME, Anchor::End, name) });
        }
        bottom + longest
    }

    fn caption(&self, folding: &Folding) -> String {
        let share = |count: usize, of: usize| 100.0 * count as f64 / of.max(1) as f64;
        let count = |label: f64| self.labels.iter().filter(|l| **l == label).count();
        let (good, bad, repaired) = (count(0.0), count(1.0), count(2.0));
        let (epochs, cells) = (self.bad_epochs.len(), good + bad + repaired);
        let dropped = self.bad_epochs.iter().filter(|bad| **bad).count();
        let mark = if folding.cell >= OUTLINED { "outlined in red" } else { "red bars at the right" };
        let mut caption = format!(
            "{epochs} epochs, {dropped} of them bad ({:.1} %; {mark}). Of {cells} signals {repaired} \
             interpolated ({:.1} %), {bad} bad ({:.1} %).",
            share(dropped, epochs),
            share(repaired, cells),
            share(bad, cells)
        );
        if self.labels.iter().any(|l| l.is_nan()) {
            caption += " White: not picked.";
        }
        if folding.strips > 1 {
            caption += " Strips follow each other from left to right.";
        }
        if folding.shared != (1, 1) {
            let (e, c) = folding.shared;
            caption += &format!(" Each cell shows the worst of {e} epoch(s) by {c} channel(s).");
        }
        caption
    }
}

/// A red outline around every bad row, each line once.
fn outlines(bad: &[bool], cell: f64, at: &Place, figure: &mut Figure) {
    let red = |from, to| Stroke { ink: BAD, ..line(from, to) };
    let (left, right) = (at.x - 0.5, at.x + at.width + 0.5);
    let is_bad = |row: usize| bad.get(row).copied().unwrap_or(false);
    for edge in 0..=bad.len() {
        let (above, below) = (edge > 0 && is_bad(edge - 1), is_bad(edge));
        let y = at.y + edge as f64 * cell;
        if above || below {
            figure.overlay.push(red((left, y), (right, y)));
        }
        if below && !above {
            let length = bad[edge..].iter().take_while(|b| **b).count();
            let end = y + length as f64 * cell;
            figure.overlay.extend([red((left, y), (left, end)), red((right, y), (right, end))]);
        }
    }
}

/// A column of pixels right of the map, red beside bad rows: runs of them merge by themselves.
fn bars(bad: &[bool], at: &Place, figure: &mut Figure) {
    let pixels: Vec<Rgb> = bad.iter().map(|b| if *b { BAD } else { ABSENT }).collect();
    let x = at.x + at.width + 1.5;
    figure.images.push(Image { x, y: at.y, width: BAR, height: at.height, pixels, columns: 1 });
}

/// Three boxes above the map, in the order the peer has them.
fn legend(middle: f64, figure: &mut Figure) {
    let entries = [("good", GOOD), ("interpolated", REPAIRED), ("bad", BAD)];
    let (swatch, gap, after) = (24.0, 7.0, 20.0);
    let entry = |name: &str| swatch + gap + lettering::width(name, SMALL);
    let width: f64 = entries.iter().map(|(name, _)| entry(name)).sum::<f64>() + 2.0 * after;
    let last = figure.width - width - 2.0 * EDGE;
    let (mut x, y) = ((middle - width / 2.0).min(last).max(2.0 * EDGE).round(), EDGE + 4.0);
    frame(&Place { x: x - 8.0, y: y - 6.0, width: width + 16.0, height: 21.0 }, figure);
    for (name, colour) in entries {
        figure.strokes.push(area((x, y), (x + swatch, y + 9.0), colour));
        figure.texts.push(text((x + swatch + gap, y + 8.5), SMALL, Anchor::Start, name));
        x += (entry(name) + after).round();
    }
}
