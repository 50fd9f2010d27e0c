//! Lays out a gathered posterior: strips of time below each other, in each a map per position axis
//! and the state probabilities; keys above, caption below.

use super::maps::{Map, key, states};
use super::path::{INK as PATH, WIDTH};
use super::{ACROSS, AnimalPath, PosteriorPicture};
use crate::plot::figure::{Anchor, Curve, Figure};
use crate::plot::layout::{
    EDGE, LABEL, Place, TICK, TITLE, colour_bar, finish_with, line, text, x_axis, y_axis,
};
use crate::plot::ticks::ticks;
use crate::plot::{Axis, lettering};

/// Width of the maps, points: two pixels each.
const WIDTH_OF_MAPS: f64 = ACROSS as f64 / 2.0;
/// Height of the only map, of each of two, of those of a folded recording.
const HEIGHTS: (f64, f64, f64) = (240.0, 180.0, 130.0);
/// Space left of the maps (axis), right (colour bar), above the first (title and keys).
const LEFT: f64 = 78.0;
const RIGHT: f64 = 92.0;
const TOP: f64 = 34.0;
const KEY: f64 = 20.0;
/// Space between two maps or map and states, and under a strip for its time axis, with and without
/// the name of the axis.
const BETWEEN: f64 = 14.0;
const BELOW: (f64, f64) = (48.0, 34.0);
/// Height of the state probabilities, where there is one strip and where there are more.
const STATES: (f64, f64) = (52.0, 32.0);
/// Times from here on are counted from the first one: ten digits under each tick cannot be read.
const LONG_AGO: f64 = 1e6;

/// What every strip is drawn with.
struct Page<'a> {
    picture: &'a PosteriorPicture,
    maps: Vec<Map<'a>>,
    path: Option<&'a AnimalPath<'a>>,
    unit: &'a str,
    height: f64,
    states: f64,
}

pub(super) fn draw(
    picture: &PosteriorPicture,
    path: Option<&AnimalPath>,
    unit: &str,
    caption: &str,
) -> Figure {
    let width = EDGE + LEFT + WIDTH_OF_MAPS + RIGHT + EDGE;
    let mut figure = Figure { width, ..Figure::default() };
    let maps = Map::all(picture);
    let height = match (maps.len(), picture.strips) {
        (1, 1) => HEIGHTS.0,
        (_, 1) => HEIGHTS.1,
        _ => HEIGHTS.2,
    };
    let states = if picture.strips == 1 { STATES.0 } else { STATES.1 };
    let page = Page { picture, maps, path, unit, height, states };
    let mut y = page.heading(&mut figure);
    for strip in 0..picture.strips {
        y = page.strip(strip, y, &mut figure);
    }
    finish_with(&page.caption(caption), y, &mut figure);
    figure
}

impl Page<'_> {
    /// Title and keys; where the maps begin.
    fn heading(&self, figure: &mut Figure) -> f64 {
        let (x, mut y) = (EDGE + LEFT, EDGE + TOP);
        figure.texts.push(text((x, y - 12.0), TITLE, Anchor::Start, "Posterior of position"));
        if self.path.is_some() {
            let name = "animal";
            let x = x + WIDTH_OF_MAPS - lettering::width(name, LABEL);
            figure.texts.push(text((x, y - 12.0), LABEL, Anchor::Start, name));
            let points = vec![(x - 34.0, y - 16.0), (x - 8.0, y - 16.0)];
            figure.curves.push(Curve { points, width: WIDTH * 1.5, ink: PATH });
        }
        if self.has_states() {
            key(self.picture, (x, y), WIDTH_OF_MAPS, figure);
            y += KEY;
        }
        y
    }

    fn has_states(&self) -> bool {
        self.picture.names.len() > 1
    }

    /// One strip of time from `y` on; where it ends.
    fn strip(&self, strip: usize, y: f64, figure: &mut Figure) -> f64 {
        let cells = &self.picture.cells[strip * ACROSS..(strip + 1) * ACROSS];
        let span = self.picture.columns.part(strip, self.picture.strips);
        let time = self.time_axis(span);
        let mut at = Place { x: EDGE + LEFT, y, width: WIDTH_OF_MAPS, height: self.height };
        let mut places = Vec::new();
        for (axis, map) in self.maps.iter().enumerate() {
            map.draw(cells, &at, figure);
            if strip == 0 {
                colour_bar("probability per bin", &map.limits, &at, figure);
            }
            let position = self.position_axis(axis);
            if let Some(path) = self.path {
                figure.curves.extend(path.curves((axis, self.maps.len()), position.edges, span, &at));
            }
            y_axis(&position, &at, true, figure);
            places.push(at);
            at.y += self.height + BETWEEN;
        }
        if self.has_states() {
            at.height = self.states;
            states(self.picture, cells, &at, figure);
            places.push(at);
        }
        let Some(lowest) = places.pop() else { return y };
        places.iter().for_each(|place| bare_ticks(&time, place, figure));
        let last = strip + 1 == self.picture.strips;
        let label = if last { time.label.clone() } else { String::new() };
        x_axis(&Axis { label, ..time }, &lowest, figure);
        lowest.y + lowest.height + if last { BELOW.0 } else { BELOW.1 }
    }

    /// Time in seconds, counted from the first row where absolute times are long.
    fn time_axis(&self, (begin, end): (f64, f64)) -> Axis {
        let first = self.picture.columns.span.0;
        if first.abs() < LONG_AGO {
            return Axis { label: "time [s]".into(), edges: (begin, end), positions: false };
        }
        let whole = first.floor();
        let label = format!("time [s] after {whole:.0} s");
        Axis { label, edges: (begin - whole, end - whole), positions: false }
    }

    fn position_axis(&self, axis: usize) -> Axis {
        let name = ["x", "y", "z", "w", "v", "u"].get(axis).filter(|_| self.maps.len() > 1);
        let label = name.map_or("position".to_owned(), |name| format!("{name} position"));
        let label = if self.unit.is_empty() { label } else { format!("{label} [{}]", self.unit) };
        Axis { label, edges: self.picture.stripes[axis].span(), positions: false }
    }

    /// The caption with what pixels, colours and the line mean.
    fn caption(&self, given: &str) -> String {
        let picture = self.picture;
        let mut sentences = vec![given.trim().to_owned()];
        let most = picture.columns.most();
        if picture.strips > 1 {
            sentences.push("Strips follow each other in time.".into());
        }
        if most > 1 {
            sentences.push(format!("A pixel shows the largest probability among up to {most} time bins."));
        }
        if picture.stripes.iter().any(|stripes| stripes.merged) {
            sentences.push("Neighbouring place bins are drawn as one.".into());
        }
        sentences.push("Darkest: the end of the colour bar and all above.".into());
        if self.has_states() {
            let which = if picture.without_places { "States with positions" } else { "States" };
            sentences.push(format!("{which} are summed in the map; below it their mean probabilities."));
        }
        let hidden = picture.stripes.iter().any(|stripes| stripes.seen.contains(&false));
        match (picture.cells.iter().any(|cells| cells.rows == 0), hidden) {
            (true, true) => sentences.push("Grey: no time bin, or no place to be.".into()),
            (true, false) => sentences.push("Grey: no time bin.".into()),
            (false, true) => sentences.push("Grey: no place to be.".into()),
            (false, false) => {}
        }
        sentences.join(" ").trim().to_owned()
    }
}

/// Ticks of the time axis without labels, under a map that is not the lowest of its strip.
fn bare_ticks(time: &Axis, at: &Place, figure: &mut Figure) {
    let bottom = at.y + at.height + 0.5;
    for (value, _) in ticks(time.edges.0, time.edges.1, (at.width / 68.0) as usize) {
        let x = at.x + (value - time.edges.0) / (time.edges.1 - time.edges.0) * at.width;
        figure.strokes.push(line((x, bottom), (x, bottom + TICK)));
    }
}
