//! The picture of a bench: where the time of each work goes, and how works scale with threads.

use super::colours::Rgb;
use super::figure::{Anchor, Curve, Dot, Figure};
use super::layout::{
    EDGE, LABEL, Place, SMALL, TICK, TITLE, area, finish_with, frame, line, shortened, text,
};
use super::ticks::ticks;

/// One work: its stages in order.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkTimes {
    /// Its name.
    pub name: String,
    /// Wall time of the whole as people say it.
    pub told: String,
    /// Wall time of the whole, s.
    pub wall_s: f64,
    /// Names of the stages and their wall times, s; they may overlap.
    pub stages: Vec<(String, f64)>,
}

/// How one work scales.
#[derive(Debug, Clone, PartialEq)]
pub struct Scaling {
    /// Its name.
    pub name: String,
    /// What its colour goes by.
    pub group: String,
    /// Numbers of threads and the speed-up over one, ascending.
    pub points: Vec<(usize, f64)>,
}

/// Colours that are told apart by most eyes; stages and groups take them in their order.
const COLOURS: [Rgb; 15] = [
    [0, 114, 178],
    [230, 159, 0],
    [0, 158, 115],
    [204, 121, 167],
    [86, 180, 233],
    [213, 94, 0],
    [150, 130, 60],
    [120, 94, 240],
    [90, 90, 90],
    [240, 228, 66],
    [136, 204, 136],
    [170, 68, 85],
    [160, 190, 220],
    [245, 180, 170],
    [160, 160, 160],
];
/// What no stage counts: start-up, planning, the gaps between stages.
const REST: Rgb = [225, 225, 225];
const GRID: Rgb = [205, 205, 205];
/// Width of the names of works, of their bars, of the times behind them, of the scaling.
const NAMES: f64 = 190.0;
const BARS: f64 = 360.0;
const TIMES: f64 = 76.0;
const SCALING: (f64, f64) = (250.0, 230.0);
const ROW: f64 = 22.0;
const BAR: f64 = 14.0;
const HEAD: f64 = 36.0;

/// Draws the shares of stages as bars, one for each work, and to their right the speed-up over one
/// thread, where several numbers of threads were measured.
pub fn times(works: &[WorkTimes], scalings: &[Scaling]) -> Figure {
    let right = EDGE + NAMES + BARS + TIMES + 60.0;
    let beside = if scalings.is_empty() { 0.0 } else { SCALING.0 + 4.0 * EDGE };
    let mut figure = Figure { width: (right + beside).ceil(), ..Figure::default() };
    let names = stage_names(works);
    let below = bars(works, &names, &mut figure);
    let caption = "Wall time of each stage as a share of all stages of a work, with the most threads measured; stages \
                   overlap, so that shares are of their sum. Light grey: what no stage counts.";
    if scalings.is_empty() {
        finish_with(caption, below, &mut figure);
        return figure;
    }
    let place = Place { x: right, y: EDGE + HEAD, width: SCALING.0, height: SCALING.1 };
    let beside = scaling(scalings, &place, &mut figure);
    let caption = format!(
        "{caption} Right: time with one thread over time with several; the line is as many times as threads."
    );
    finish_with(&caption, below.max(beside), &mut figure);
    figure
}

/// All names, those that take most time first.
fn stage_names(works: &[WorkTimes]) -> Vec<String> {
    let mut shares: Vec<(String, f64)> = Vec::new();
    for work in works {
        let sum = whole(work);
        for (name, wall_s) in &work.stages {
            let share = wall_s / sum;
            match shares.iter_mut().find(|(known, _)| known == name) {
                Some(known) => known.1 += share,
                None => shares.push((name.clone(), share)),
            }
        }
    }
    shares.sort_by(|a, b| b.1.total_cmp(&a.1));
    shares.into_iter().map(|(name, _)| name).collect()
}

/// What a bar is a share of: the stages, or the work where they leave gaps.
fn whole(work: &WorkTimes) -> f64 {
    work.stages.iter().map(|(_, wall_s)| wall_s).sum::<f64>().max(work.wall_s).max(1e-12)
}

/// The last colour is for all stages that have none of their own.
fn colour_of(names: &[String], name: &str) -> Rgb {
    let at = names.iter().position(|known| known == name).unwrap_or(names.len());
    COLOURS[at.min(COLOURS.len() - 1)]
}

fn bars(works: &[WorkTimes], names: &[String], figure: &mut Figure) -> f64 {
    let left = EDGE + NAMES;
    figure.texts.push(text((left, EDGE + 15.0), TITLE, Anchor::Start, "Time by stage"));
    let mut y = EDGE + HEAD;
    for work in works {
        let middle = y + BAR / 2.0 + 4.0;
        let name = shortened(&work.name, SMALL, NAMES - 12.0);
        figure.texts.push(text((left - 8.0, middle), SMALL, Anchor::End, name));
        figure.strokes.push(area((left, y), (left + BARS, y + BAR), REST));
        let (sum, mut x) = (whole(work), left);
        for (name, wall_s) in &work.stages {
            let wide = wall_s / sum * BARS;
            figure.strokes.push(area((x, y), (x + wide, y + BAR), colour_of(names, name)));
            x += wide;
        }
        figure.texts.push(text((left + BARS + 8.0, middle), SMALL, Anchor::Start, work.told.clone()));
        y += ROW;
    }
    legend(names, (left, y + 14.0), BARS + TIMES, figure)
}

/// Boxes with names in as many lines as they need.
fn legend(names: &[String], (left, mut y): (f64, f64), width: f64, figure: &mut Figure) -> f64 {
    let mut x = left;
    let shown: Vec<(String, Rgb)> =
        names.iter().take(COLOURS.len() - 1).map(|n| (n.clone(), colour_of(names, n))).collect();
    let others = (names.len() >= COLOURS.len()).then(|| ("others".to_owned(), COLOURS[COLOURS.len() - 1]));
    for (name, colour) in shown.into_iter().chain(others) {
        let wide = 18.0 + super::lettering::width(&name, SMALL) + 14.0;
        if x > left && x + wide > left + width {
            (x, y) = (left, y + 18.0);
        }
        figure.strokes.push(area((x, y - 9.0), (x + 12.0, y + 1.0), colour));
        figure.texts.push(text((x + 17.0, y), SMALL, Anchor::Start, name));
        x += wide;
    }
    y + 12.0
}

fn scaling(scalings: &[Scaling], at: &Place, figure: &mut Figure) -> f64 {
    let points = || scalings.iter().flat_map(|scaling| &scaling.points);
    let most = points().map(|point| point.0).max().unwrap_or(1).max(2) as f64;
    let high = points().map(|point| point.1).fold(most, f64::max);
    figure.texts.push(text((at.x, EDGE + 15.0), TITLE, Anchor::Start, "Speed-up over one thread"));
    let place = |threads: f64, ratio: f64| {
        (at.x + (threads - 1.0) / (most - 1.0) * at.width, at.y + at.height * (1.0 - ratio / high))
    };
    for (value, label) in ticks(0.0, high, 5) {
        let y = place(1.0, value).1;
        figure.strokes.push(area((at.x, y - 0.3), (at.x + at.width, y + 0.3), GRID));
        figure.texts.push(text((at.x - TICK - 4.0, y + 4.0), SMALL, Anchor::End, label));
    }
    let mut counts: Vec<usize> = points().map(|point| point.0).collect();
    counts.sort_unstable();
    counts.dedup();
    for count in counts {
        let x = place(count as f64, 0.0).0;
        let bottom = at.y + at.height + 0.5;
        figure.strokes.push(line((x, bottom), (x, bottom + TICK)));
        figure.texts.push(text((x, bottom + TICK + 12.0), SMALL, Anchor::Middle, count.to_string()));
    }
    frame(at, figure);
    let below = at.y + at.height + TICK + 29.0;
    figure.texts.push(text((at.x + at.width / 2.0, below), LABEL, Anchor::Middle, "threads"));
    figure.curves.push(Curve { points: vec![place(1.0, 1.0), place(most, most)], width: 1.0, ink: GRID });
    let mut groups: Vec<String> = scalings.iter().map(|scaling| scaling.group.clone()).collect();
    groups.dedup();
    for scaling in scalings {
        let ink = colour_of(&groups, &scaling.group);
        let points: Vec<(f64, f64)> =
            scaling.points.iter().map(|&(n, ratio)| place(n as f64, ratio)).collect();
        figure.dots.extend(points.iter().map(|&(x, y)| Dot { x, y, radius: 2.6, fill: ink }));
        figure.curves.push(Curve { points, width: 1.4, ink });
    }
    legend(&groups, (at.x, below + 20.0), at.width, figure)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn works() -> Vec<WorkTimes> {
        let work = |name: &str, wall_s: f64, stages: &[(&str, f64)]| WorkTimes {
            name: name.into(),
            told: format!("{wall_s:.1} s"),
            wall_s,
            stages: stages.iter().map(|&(name, s)| (name.to_owned(), s)).collect(),
        };
        vec![
            work("a/one", 2.0, &[("read", 0.5), ("compute", 1.0)]),
            work("b/two", 1.0, &[("compute", 0.9), ("write", 0.9)]),
        ]
    }

    #[test]
    fn bars_fill_their_width_at_most_and_equal_input_gives_equal_bytes() {
        let scalings =
            [Scaling { name: "a/one".into(), group: "a".into(), points: vec![(1, 1.0), (2, 1.9)] }];
        let figure = times(&works(), &scalings);
        let right = EDGE + NAMES + BARS;
        let bars = figure.strokes.iter().filter(|s| s.fill.is_some_and(|f| COLOURS.contains(&f)));
        assert!(bars.clone().filter(|s| s.to.1 - s.from.1 == BAR).all(|s| s.to.0 <= right + 1e-6));
        let (svg, again) = (figure.svg().unwrap(), times(&works(), &scalings).svg().unwrap());
        assert_eq!(svg, again);
        for word in ["a/one", "compute", "2.0 s", "Speed-up over one thread", "threads"] {
            assert!(svg.contains(word), "{word}");
        }
        assert!(figure.png().unwrap().starts_with(b"\x89PNG"));
    }

    #[test]
    fn nothing_to_draw_is_still_a_picture() {
        let bare = times(&[], &[]).svg().unwrap();
        assert!(bare.contains("Time by stage") && !bare.contains("Speed-up"), "no axes without points");
        let many: Vec<(String, f64)> = (0..30).map(|at| (format!("stage {at}"), 0.1)).collect();
        let work = WorkTimes { name: "x".into(), told: "1 s".into(), wall_s: 1.0, stages: many };
        assert!(times(&[work], &[]).svg().unwrap().contains("others"));
    }
}
