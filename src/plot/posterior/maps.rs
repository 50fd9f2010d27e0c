//! One map of a posterior, and the strip of state probabilities under it.

use super::{Cells, PosteriorPicture, UNIT};
use crate::plot::Scale;
use crate::plot::colours::{Rgb, colour, state_colour};
use crate::plot::figure::{Anchor, Figure, Image, Text};
use crate::plot::layout::{Place, SMALL, TICK, area, frame, line, shortened, text};
use crate::plot::lettering;
use crate::plot::limits::Limits;

/// Gaps of the recording and positions that are none.
const NOTHING: Rgb = [226, 226, 226];
/// Share of the columns whose peak has the darkest colour: the others use the whole range.
const SATURATED: f64 = 0.15;

/// One position axis of a picture.
pub(super) struct Map<'a> {
    picture: &'a PosteriorPicture,
    axis: usize,
    /// Where its stripes begin in the cells of a column.
    from: usize,
    pub limits: Limits,
}

impl<'a> Map<'a> {
    /// The maps of all axes with the ends of their colours.
    pub fn all(picture: &'a PosteriorPicture) -> Vec<Self> {
        let mut from = 0;
        let map = |axis: usize| {
            let range = from..from + picture.stripes[axis].seen.len();
            from = range.end;
            let seen = picture.cells.iter().filter(|cells| cells.rows > 0);
            let peaks = seen.map(|cells| cells.most[range.clone()].iter().copied().fold(0.0, f32::max));
            let limits = Limits { scale: Scale::Density, low: 0.0, high: darkest(peaks.collect()) };
            Map { picture, axis, from: range.start, limits }
        };
        (0..picture.stripes.len()).map(map).collect()
    }

    /// Draws the pixels of `cells`, which are one strip of time.
    pub fn draw(&self, cells: &[Cells], at: &Place, figure: &mut Figure) {
        let stripes = &self.picture.stripes[self.axis];
        let pixel = |stripe: usize, cells: &Cells| match cells.rows > 0 && stripes.seen[stripe] {
            true => colour(&self.limits, f64::from(cells.most[self.from + stripe])),
            false => NOTHING,
        };
        let rows = stripes.pixels((at.height * 2.0) as usize);
        let pixels = rows.iter().flat_map(|&stripe| cells.iter().map(move |cells| pixel(stripe, cells)));
        let (x, y, width, height) = (at.x, at.y, at.width, at.height);
        let columns = cells.len();
        figure.images.push(Image { x, y, width, height, pixels: pixels.collect(), columns });
        frame(at, figure);
    }
}

/// What the darkest colour stands for.
fn darkest(mut peaks: Vec<f32>) -> f64 {
    peaks.sort_unstable_by(f32::total_cmp);
    let place = ((1.0 - SATURATED) * peaks.len().saturating_sub(1) as f64).round() as usize;
    match peaks.get(place) {
        Some(&peak) if peak > 0.0 => f64::from(peak),
        _ => 1.0,
    }
}

fn colours(picture: &PosteriorPicture) -> Vec<Rgb> {
    picture.names.iter().enumerate().map(|(index, name)| state_colour(index, name)).collect()
}

/// Mean probabilities of the states during `cells`, piled up in their order.
pub(super) fn states(picture: &PosteriorPicture, cells: &[Cells], at: &Place, figure: &mut Figure) {
    let colours = colours(picture);
    let height = (at.height * 2.0) as usize;
    let mut pixels = Vec::with_capacity(height * cells.len());
    for row in 0..height {
        let share = 1.0 - (row as f64 + 0.5) / height as f64;
        for cells in cells {
            let mut above = 0.0;
            let reaches = |sum: &u64| {
                above += *sum as f64 / UNIT / cells.rows.max(1) as f64;
                above >= share
            };
            let state = cells.sums.iter().position(reaches).unwrap_or(colours.len() - 1);
            pixels.push(if cells.rows > 0 { colours[state] } else { NOTHING });
        }
    }
    let (x, y, width) = (at.x, at.y, at.width);
    figure.images.push(Image { x, y, width, height: at.height, pixels, columns: cells.len() });
    frame(at, figure);
    for (share, label) in [(0.0, "0"), (1.0, "1")] {
        let y = at.y + (1.0 - share) * at.height;
        figure.strokes.push(line((at.x - 0.5 - TICK, y), (at.x - 0.5, y)));
        figure.texts.push(text((at.x - TICK - 4.5, y + 4.0), SMALL, Anchor::End, label));
    }
    let label = text((at.x - 22.0, at.y + at.height / 2.0), SMALL, Anchor::Middle, "states");
    figure.texts.push(Text { upward: true, ..label });
}

/// A box and a name for every state, from left to right in a line at `(x, y)`.
pub(super) fn key(picture: &PosteriorPicture, (mut x, y): (f64, f64), width: f64, figure: &mut Figure) {
    let wanted = picture.names.iter().map(|name| 40.0 + lettering::width(name, SMALL)).sum::<f64>();
    let each = width / picture.names.len() as f64 - 40.0;
    let room = if wanted <= width { f64::INFINITY } else { each.max(20.0) };
    for (name, fill) in picture.names.iter().zip(colours(picture)) {
        figure.strokes.push(area((x, y), (x + 18.0, y + 9.0), fill));
        frame(&Place { x, y, width: 18.0, height: 9.0 }, figure);
        let name = shortened(name, SMALL, room);
        x += 24.0;
        figure.texts.push(text((x, y + 8.5), SMALL, Anchor::Start, name.clone()));
        x += (lettering::width(&name, SMALL) + 16.0).round();
    }
}
