use super::*;

/// A posterior of one axis with its peak at `at(row)`, over `bins` bins of 2 cm.
fn rows(rows: std::ops::Range<usize>, bins: usize, at: impl Fn(usize) -> usize) -> Vec<f64> {
    rows.flat_map(|row| {
        let peak = at(row);
        (0..bins).map(move |bin| if bin == peak { 0.75 } else { 0.25 / (bins - 1) as f64 })
    })
    .collect()
}

fn edges(bins: usize) -> Vec<f64> {
    (0..=bins).map(|edge| 2.0 * edge as f64).collect()
}

fn seconds(rows: usize, step: f64) -> Vec<f64> {
    (0..rows).map(|row| 1000.0 + row as f64 * step).collect()
}

fn one_state<'a>(time: &'a [f64], edges: &'a [Vec<f64>], interior: &'a [bool]) -> PosteriorAxes<'a> {
    PosteriorAxes { time, states: &[("Continuous", false)], edges, interior }
}

#[test]
fn pictures_do_not_depend_on_blocks_or_their_order() {
    let (time, edges, states) =
        (seconds(5000, 0.01), [edges(20)], [("Local", true), ("A", false), ("B", false)]);
    let axes = PosteriorAxes { time: &time, states: &states, edges: &edges, interior: &[true; 20] };
    // 41 columns; sums of a third and the like, which float32 or another order would round anew.
    let all: Vec<f64> = (0..5000 * 41).map(|i| ((i * 7919) % 1013) as f64 / 1013.0 / 30.0).collect();
    let draw = |blocks: Vec<std::ops::Range<usize>>| {
        let mut picture = PosteriorPicture::new(&axes);
        for block in blocks {
            picture.add_rows(block.start, &all[block.start * 41..block.end * 41]);
        }
        picture.finish(None, "cm", "")
    };
    let cut = |step: usize| (0..5000).step_by(step).map(move |first| first..(first + step).min(5000));
    let whole = draw(cut(5000).collect());
    assert_eq!(draw(cut(333).rev().collect()), whole);
    assert_eq!(draw(cut(1).collect()), whole);
    assert_eq!(whole.png().unwrap(), draw(cut(4096).rev().collect()).png().unwrap());
}

#[test]
fn a_replay_shorter_than_a_pixel_is_seen() {
    // Ten minutes in two strips: 0.23 s a pixel; a sweep over the track takes 0.1 s.
    let (time, edges) = (seconds(300_000, 0.002), [edges(50)]);
    let axes = one_state(&time, &edges, &[true; 50]);
    let mut picture = PosteriorPicture::new(&axes);
    assert_eq!(picture.strips, 2);
    let sweep = 100_010;
    for first in (0..300_000).step_by(10_000) {
        let at = |row: usize| if (sweep..sweep + 50).contains(&row) { row - sweep } else { 3 };
        picture.add_rows(first, &rows(first..first + 10_000, 50, at));
    }
    let swept: Vec<usize> = (0..picture.cells.len()).filter(|&c| picture.cells[c].most[40] > 0.7).collect();
    assert!((1..=2).contains(&swept.len()), "{swept:?}");
    assert!((swept[0] as f64 / picture.cells.len() as f64 - sweep as f64 / 3e5).abs() < 1e-3);
    assert!(picture.cells.iter().all(|cells| cells.rows > 100));
    assert!(picture.bytes() < 2 << 20);
    let figure = picture.finish(None, "cm", "");
    assert!(figure.texts.iter().any(|text| text.content.contains("among up to 118 time bins")));
}

#[test]
fn two_axes_give_the_marginal_of_each() {
    // A grid of 3 x 4 with two corners outside, columns in C order.
    let mut interior = [true; 12];
    (interior[0], interior[11]) = (false, false);
    let (time, edges) = (seconds(2, 0.5), [edges(3), edges(4)]);
    let mut picture = PosteriorPicture::new(&one_state(&time, &edges, &interior));
    let row: Vec<f64> = (1..=10).map(|i| f64::from(i) / 55.0).collect();
    picture.add_rows(0, &row);
    let expected = [6.0, 4.0 + 5.0 + 6.0 + 7.0, 27.0, 4.0 + 8.0, 1.0 + 5.0 + 9.0, 2.0 + 6.0 + 10.0, 10.0];
    for (got, expected) in picture.cells[0].most.iter().zip(expected) {
        assert!((f64::from(*got) - expected / 55.0).abs() < 1e-7, "{got} {expected}");
    }
    assert_eq!(picture.cells.last().map(|cells| cells.rows), Some(0), "the second row did not come");
    let figure = picture.finish(None, "", "");
    for label in ["x position", "y position", "time [s]"] {
        assert!(figure.texts.iter().any(|text| text.content == label), "{label}");
    }
    assert!(figure.texts.iter().any(|text| text.content.contains("Grey: no time bin.")));
}

#[test]
fn states_have_their_colours_and_their_share_of_the_strip() {
    let states = [("Local", true), ("Non-Local Continuous", false)];
    let (time, edges) = (seconds(10, 0.1), [edges(4)]);
    let axes = PosteriorAxes { time: &time, states: &states, edges: &edges, interior: &[true; 4] };
    let mut picture = PosteriorPicture::new(&axes);
    let row = [0.75, 0.25, 0.0, 0.0, 0.0];
    picture.add_rows(0, &row.repeat(10));
    assert!(picture.cells.iter().all(|cells| cells.most == [0.25, 0.0, 0.0, 0.0]));
    let figure = picture.finish(None, "cm", "");
    let strip = figure.images.last().unwrap();
    let local = [44, 160, 44];
    let share =
        strip.pixels.iter().filter(|pixel| **pixel == local).count() as f64 / strip.pixels.len() as f64;
    assert!((share - 0.75).abs() < 0.01, "{share}");
    assert!(figure.texts.iter().any(|text| text.content == "Non-Local Continuous"));
}

#[test]
fn the_path_follows_the_animal_and_breaks_where_it_jumps() {
    let (time, edges) = (seconds(100, 0.1), [edges(50)]);
    let picture = PosteriorPicture::new(&one_state(&time, &edges, &[true; 50]));
    // Times before and after the posterior, a jump between arms, a gap of NaN.
    let samples: Vec<f64> = (0..600).map(|i| 995.0 + f64::from(i) / 30.0).collect();
    let position = |t: f64| match t - 1000.0 {
        t if t < 4.0 => 10.0 + 2.0 * t,
        t if t < 6.0 => 80.0 + t,
        t if t < 7.0 => f64::NAN,
        t => 80.0 + t,
    };
    let positions: Vec<f64> = samples.iter().map(|&t| position(t)).collect();
    let path = AnimalPath { time: &samples, positions: &positions };
    let figure = picture.finish(Some(&path), "cm", "");
    // The first one is the key.
    let pieces: Vec<&Vec<(f64, f64)>> = figure.curves[1..].iter().map(|curve| &curve.points).collect();
    assert_eq!(pieces.len(), 3);
    let place = &figure.images[0];
    let up = |y: f64| 100.0 * (1.0 - (y - place.y) / place.height);
    let (first, last) = (pieces[0][0], *pieces[0].last().unwrap());
    assert!((first.0 - place.x).abs() < 1.0 && (up(first.1) - 10.0).abs() < 0.1, "{first:?}");
    assert!((last.0 - place.x - 0.4 * place.width).abs() < 3.0 && (up(last.1) - 18.0).abs() < 0.2);
    assert!((up(pieces[2].last().unwrap().1) - 90.0).abs() < 0.2);
    let whole = pieces.iter().flat_map(|piece| piece.iter());
    assert!(whole.clone().all(|p| p.0 >= place.x && p.0 <= place.x + place.width + 0.01));
}

#[test]
fn paths_of_many_samples_keep_their_extremes_and_few_points() {
    let (time, edges) = (seconds(1000, 0.1), [edges(50)]);
    let picture = PosteriorPicture::new(&one_state(&time, &edges, &[true; 50]));
    let samples: Vec<f64> = (0..1_000_000).map(|i| 1000.0 + f64::from(i) * 1e-4).collect();
    let positions: Vec<f64> = (0..1_000_000).map(|i| 50.0 + 5.0 * (f64::from(i) * 0.02).sin()).collect();
    let path = AnimalPath { time: &samples, positions: &positions };
    let figure = picture.finish(Some(&path), "cm", "");
    let points: usize = figure.curves.iter().map(|curve| curve.points.len()).sum();
    assert!(points < 6 * ACROSS, "{points}");
    let place = &figure.images[0];
    let ups = figure.curves[1].points.iter().map(|p| 100.0 * (1.0 - (p.1 - place.y) / place.height));
    let (low, high) = ups.fold((f64::MAX, f64::MIN), |m, up| (m.0.min(up), m.1.max(up)));
    assert!((low - 45.0).abs() < 0.01 && (high - 55.0).abs() < 0.01, "{low} {high}");
}

#[test]
fn odd_recordings_are_drawn_all_the_same() {
    let flat = [edges(3)];
    for time in [vec![], vec![5.0], vec![1.6e9, 1.6e9 + 0.002], vec![0.0, f64::NAN, 2.0]] {
        let mut picture = PosteriorPicture::new(&one_state(&time, &flat, &[true, false, true]));
        picture.add_rows(0, &vec![f64::NAN; 2 * time.len()]);
        let figure = picture.finish(None, "", "");
        assert!(figure.png().is_ok() && figure.svg().is_ok(), "{time:?}");
    }
    let none = PosteriorAxes { time: &[0.0, 1.0], states: &[], edges: &[], interior: &[] };
    let mut picture = PosteriorPicture::new(&none);
    picture.add_rows(0, &[1.0f32]);
    assert!(picture.finish(None, "", "").svg().is_ok());
    let dark = PosteriorPicture::new(&one_state(&[0.0, 1.0], &flat, &[false; 3]));
    assert!(dark.finish(None, "", "").png().is_ok());
}
