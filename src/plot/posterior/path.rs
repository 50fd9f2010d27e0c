//! The animal's path over a posterior.

use crate::plot::figure::Curve;
use crate::plot::layout::Place;

/// Deep magenta: stands out on white and on dark, in colour and in grey.
pub(super) const INK: [u8; 3] = [214, 0, 138];
pub(super) const WIDTH: f64 = 1.2;
/// Crossings of the map from which on the line gets thinner, down to a half.
const MANY: f64 = 12.0;
/// Two samples further apart than this share of an axis lie on two arms of a track, not on a way.
const JUMP: f64 = 0.15;
/// A gap of so many usual steps is not bridged.
const GAP: f64 = 20.0;

/// Where the animal was.
#[derive(Debug, Clone, Copy)]
pub struct AnimalPath<'a> {
    /// Sample times, s, increasing; more than the posterior spans is fine.
    pub time: &'a [f64],
    /// Positions `[sample][axis]`, axes and unit as the posterior's; NaN where unknown.
    pub positions: &'a [f64],
}

/// A point in pixels with the position it stands for.
type Point = (f64, f64);

impl AnimalPath<'_> {
    /// The path along one of `axes` position axes, between two times, in pieces without a jump,
    /// thinned to what two pixels per point can show.
    pub(super) fn curves(
        &self,
        (axis, axes): (usize, usize),
        (low, high): (f64, f64),
        (begin, end): (f64, f64),
        at: &Place,
    ) -> Vec<Curve> {
        let usual = self.usual_step();
        let mut thin = Thin::default();
        let mut before: Option<Point> = None;
        for (&time, sample) in self.time.iter().zip(self.positions.chunks_exact(axes.max(1))) {
            let here = sample.get(axis).copied().unwrap_or(f64::NAN);
            if !(here.is_finite() && (begin..=end).contains(&time)) {
                thin.lift();
                before = None;
                continue;
            }
            let apart = before.is_some_and(|(then, there)| {
                (here - there).abs() > JUMP * (high - low) || time - then > GAP * usual
            });
            if apart {
                thin.lift();
            }
            before = Some((time, here));
            let up = ((here - low) / (high - low)).clamp(0.0, 1.0);
            thin.add((at.x + (time - begin) / (end - begin) * at.width, at.y + (1.0 - up) * at.height));
        }
        thin.lift();
        let width = width(&thin.pieces, at);
        thin.pieces.into_iter().map(|points| Curve { points, width, ink: INK }).collect()
    }

    fn usual_step(&self) -> f64 {
        match self.time {
            [first, .., last] => (last - first) / (self.time.len() - 1) as f64,
            _ => f64::INFINITY,
        }
    }
}

/// A path that crosses the map often is drawn thinner, or it would hide what is under it.
fn width(pieces: &[Vec<Point>], at: &Place) -> f64 {
    let rise = |piece: &Vec<Point>| piece.windows(2).map(|pair| (pair[1].1 - pair[0].1).abs()).sum::<f64>();
    let crossings = pieces.iter().map(rise).sum::<f64>() / at.height;
    WIDTH * (MANY / crossings.max(1e-9)).clamp(0.5, 1.0)
}

/// Thins points: of those in one pixel column the first, the extremes and the last.
#[derive(Default)]
struct Thin {
    pieces: Vec<Vec<Point>>,
    piece: Vec<Point>,
    /// Points of the current pixel column: first, highest and lowest in their order, last.
    column: Vec<Point>,
}

impl Thin {
    fn add(&mut self, point: Point) {
        let column = |p: &Point| (p.0 * 2.0).floor();
        if self.column.first().is_some_and(|first| column(first) != column(&point)) {
            self.settle();
        }
        if self.column.len() > 3 {
            // Drop the one that is no extreme of those before.
            let middle = self.column.len() - 1;
            let within = |p: &Point| {
                let others = self.column.iter().filter(|o| *o != p).map(|o| o.1);
                let (low, high) = others.fold((f64::MAX, f64::MIN), |m, y| (m.0.min(y), m.1.max(y)));
                low <= p.1 && p.1 <= high
            };
            if let Some(drop) = (1..=middle).rev().find(|&at| within(&self.column[at])) {
                self.column.remove(drop);
            }
        }
        self.column.push(point);
    }

    fn settle(&mut self) {
        self.piece.append(&mut self.column);
    }

    fn lift(&mut self) {
        self.settle();
        match self.piece.as_slice() {
            [] => {}
            // A lonely sample: a dash of one point.
            [(x, y)] => self.pieces.push(vec![(x - 0.5, *y), (x + 0.5, *y)]),
            _ => self.pieces.push(std::mem::take(&mut self.piece)),
        }
        self.piece.clear();
    }
}
