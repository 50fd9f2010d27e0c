use super::*;
use proptest::prelude::*;

/// Numbers in 0..1 from a counter: the same for every run.
fn noise(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// A distribution whose values span some hundred decades, with zeros.
fn rough(n: usize, decades: f64, seed: u64) -> Vec<f64> {
    let mut next = noise(seed);
    let values: Vec<f64> = (0..n)
        .map(|_| if next() < 0.1 { 0.0 } else { 10_f64.powf(-decades * next()) })
        .map(|v: f64| if v < FLUSH { 0.0 } else { v })
        .collect();
    let sum: f64 = values.iter().sum();
    if sum > 0.0 { values.iter().map(|v| v / sum).collect() } else { vec![1.0 / n as f64; n] }
}

/// Relative agreement wherever either value can be seen.
fn agree(ours: &[f64], dense: &[f64], what: &str) {
    assert_eq!(ours.len(), dense.len());
    for (at, (&a, &b)) in ours.iter().zip(dense).enumerate() {
        let seen = a.max(b) > 1e-290;
        assert!(!seen || (a - b).abs() <= 1e-12 * b, "{what} {at}: {a:e} against {b:e}");
        assert!(a == 0.0 || a >= FLUSH, "{what} {at}: {a:e} is too small to keep");
    }
}

fn check(transition: &Transition, matrix: &[f64], what: &str) {
    let columns = transition.states().columns();
    let mut scratch = transition.scratch();
    let mut out = vec![f64::NAN; columns];
    for (seed, decades) in [(1, 1.0), (2, 30.0), (3, 299.0)] {
        let f = rough(columns, decades, seed);
        transition.predict(&f, &mut out, &mut scratch);
        agree(&out, &dense::predict(matrix, &f), &format!("{what}, predict over {decades} decades"));
        transition.pull_back(&f, &mut out, &mut scratch);
        agree(&out, &dense::pull_back(matrix, &f), &format!("{what}, pull back over {decades} decades"));
    }
    // Without zeros, so that weights are left out: more of them, the narrower the range.
    for (seed, decades) in [(4, 0.1), (5, 10.0), (6, 40.0), (7, 80.0), (8, 130.0), (9, 220.0)] {
        let mut next = noise(seed);
        let f: Vec<f64> = (0..columns).map(|_| 10_f64.powf(-decades * next())).collect();
        transition.predict(&f, &mut out, &mut scratch);
        agree(&out, &dense::predict(matrix, &f), &format!("{what}, predict of {decades} full decades"));
        transition.pull_back(&f, &mut out, &mut scratch);
        agree(&out, &dense::pull_back(matrix, &f), &format!("{what}, pull back of {decades} full decades"));
    }
    for column in [0, columns / 2, columns - 1] {
        let mut f = vec![0.0; columns];
        f[column] = 1.0;
        transition.predict(&f, &mut out, &mut scratch);
        agree(&out, &dense::predict(matrix, &f), &format!("{what}, predict of column {column}"));
        transition.pull_back(&f, &mut out, &mut scratch);
        agree(&out, &dense::pull_back(matrix, &f), &format!("{what}, pull back of column {column}"));
    }
}

/// Every kind of move at once: 1 column, walk, uniform, identity.
fn mixed(places: usize) -> StateSpace {
    use Move::{Identity as I, Uniform as U, Walk as W};
    let discrete = vec![
        0.7, 0.1, 0.1, 0.1, //
        0.05, 0.9, 0.03, 0.02, //
        0.2, 0.3, 0.4, 0.1, //
        0.0, 0.25, 0.25, 0.5,
    ];
    let moves = vec![U, U, U, U, U, W, U, W, U, W, I, U, U, U, W, I];
    StateSpace::new(places, vec![false, true, true, true], discrete, moves)
}

fn centers_of(axes: &[&[f64]], interior: &[usize]) -> Vec<f64> {
    let wide = axes.last().map_or(1, |axis| axis.len());
    interior
        .iter()
        .flat_map(|&bin| match axes {
            [only] => vec![only[bin]],
            [first, second] => vec![first[bin / wide], second[bin % wide]],
            _ => unreachable!(),
        })
        .collect()
}

fn check_grid(axes: &[&[f64]], interior: &[usize], variance: f64) {
    let centers = centers_of(axes, interior);
    let walk = dense::walk_between(&centers, axes.len(), variance);
    for level in CpuLevel::available() {
        for form in [Form::Rows, Form::Line, Form::Separable] {
            for states in [StateSpace::walk(interior.len()), mixed(interior.len())] {
                let matrix = dense::full(&states, &walk);
                let ours = Walk::with_form(level, axes, interior, variance, form);
                assert!(axes.len() == 1 || form == Form::Line || ours.form() == form);
                let what = format!("{level:?} {form:?} {} places", interior.len());
                check(&Transition::new(states, ours), &matrix, &what);
            }
        }
    }
}

fn line(n: usize, step: f64) -> Vec<f64> {
    (0..n).map(|i| 3.0 + step * (i as f64 + 0.5)).collect()
}

#[test]
fn odd_shapes_agree_with_the_dense_definition() {
    for (rows, columns) in [(1, 1), (1, 7), (9, 1), (2, 2), (17, 16), (13, 25), (50, 3)] {
        let (x, y) = (line(rows, 2.0), line(columns, 2.5));
        let all: Vec<usize> = (0..rows * columns).collect();
        check_grid(&[&x, &y], &all, 6.0);
    }
    for places in [1, 2, 15, 16, 17, 33, 150, 200] {
        let all: Vec<usize> = (0..places).collect();
        check_grid(&[&line(places, 2.0)], &all, 6.0);
    }
}

#[test]
fn masks_with_holes_and_isolated_bins_agree() {
    let (x, y) = (line(21, 2.0), line(30, 2.0));
    let ring: Vec<usize> = (0..21 * 30)
        .filter(|bin| {
            let (i, j) = (bin / 30, bin % 30);
            (i == 3 || i == 17 || j == 4 || j == 22) && (i > 2 && i < 18 && j > 3) || (i, j) == (20, 29)
        })
        .collect();
    check_grid(&[&x, &y], &ring, 6.0);
    // Two bins that no walk of this variance connects.
    check_grid(&[&x, &y], &[0, 629], 0.5);
    check_grid(&[&x, &y], &[300], 6.0);
}

#[test]
fn uneven_centres_and_wide_or_narrow_walks_agree() {
    let mut next = noise(5);
    let mut at = -40.0;
    let uneven: Vec<f64> = (0..60)
        .map(|_| {
            at += 0.2 + 5.0 * next();
            at
        })
        .collect();
    let all: Vec<usize> = (0..60).filter(|i| i % 11 != 3).collect();
    for variance in [0.01, 6.0, 1e6] {
        check_grid(&[&uneven], &all, variance);
    }
}

/// One peak far from everything else, which falls off by a steady slope: the worst case for what
/// is left out.
#[test]
fn what_is_left_out_cannot_be_seen_beside_what_is_kept() {
    let x = line(160, 2.0);
    let all: Vec<usize> = (0..160).collect();
    let matrix = dense::walk_between(&x, 1, 6.0);
    for level in CpuLevel::available() {
        let walk = Walk::on_grid(level, &[&x], &all, 6.0);
        let transition = Transition::new(StateSpace::walk(160), walk);
        let (mut out, mut scratch) = (vec![0.0; 160], transition.scratch());
        for decades in (1..290).step_by(3) {
            let f: Vec<f64> = (0..160).map(|p| 10_f64.powf(-f64::from(decades) * p as f64 / 160.0)).collect();
            let valley: Vec<f64> =
                (0..160).map(|p| if p == 80 { 1.0 } else { 10_f64.powi(-decades) }).collect();
            for f in [f, valley] {
                transition.predict(&f, &mut out, &mut scratch);
                agree(&out, &dense::predict(&matrix, &f), &format!("{level:?} {decades} decades"));
                transition.pull_back(&f, &mut out, &mut scratch);
                agree(&out, &dense::pull_back(&matrix, &f), &format!("{level:?} {decades} decades back"));
            }
        }
    }
}

#[test]
fn distances_may_be_lopsided_or_missing() {
    let places = 37;
    let mut next = noise(8);
    let lopsided: Vec<f64> = (0..places * places)
        .map(|at| match (at / places, at % places) {
            (p, q) if p == q => 0.0,
            (p, q) if (p + q) % 13 == 0 => f64::INFINITY,
            _ => 60.0 * next(),
        })
        .collect();
    // A place that cannot even be stayed at: its row stays zero.
    let mut cut = lopsided.clone();
    cut[5 * places..6 * places].fill(f64::NAN);
    for distances in [&lopsided, &cut] {
        let walk = dense::walk_over(distances, places, 6.0);
        for level in CpuLevel::available() {
            let states = mixed(places);
            let matrix = dense::full(&states, &walk);
            let ours = Walk::over_distances(level, distances, places, 6.0);
            check(&Transition::new(states, ours), &matrix, &format!("{level:?}"));
        }
    }
    assert!(dense::walk_over(&cut, places, 6.0)[5 * places..6 * places].iter().all(|&w| w == 0.0));
}

#[test]
fn a_hard_jump_is_possible_with_the_weight_it_has() {
    let x = line(60, 2.0);
    let all: Vec<usize> = (0..60).collect();
    let walk = Walk::on_grid(CpuLevel::detect(), &[&x], &all, 6.0);
    let transition = Transition::new(StateSpace::walk(60), walk);
    let (mut f, mut out) = (vec![0.0; 60], vec![0.0; 60]);
    f[5] = 1.0;
    transition.predict(&f, &mut out, &mut transition.scratch());
    // 42 bins of 2 cm: 34 standard deviations, where single precision holds nothing any more.
    let ratio = out[47] / out[5];
    assert!((ratio.ln() + 84.0 * 84.0 / 12.0).abs() < 1e-9, "{ratio:e}");
    assert_eq!(out[5 + 46], 0.0);
}

#[test]
fn rows_of_the_whole_sum_to_one() {
    let (x, y) = (line(12, 2.0), line(9, 2.0));
    let interior: Vec<usize> = (0..108).filter(|bin| bin % 7 != 2).collect();
    let walk = Walk::on_grid(CpuLevel::detect(), &[&x, &y], &interior, 6.0);
    let transition = Transition::new(mixed(interior.len()), walk);
    let columns = transition.states().columns();
    let mut out = vec![0.0; columns];
    transition.pull_back(&vec![1.0; columns], &mut out, &mut transition.scratch());
    assert!(out.iter().all(|sum| (sum - 1.0).abs() < 1e-14), "{out:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_mask_agrees(
        rows in 1_usize..20,
        columns in 1_usize..20,
        steps in (0.5_f64..4.0, 0.5_f64..4.0),
        variance in 0.3_f64..80.0,
        seed in 1_u64..1000,
        filled in 0.05_f64..1.0,
    ) {
        let mut next = noise(seed);
        let mut interior: Vec<usize> = (0..rows * columns).filter(|_| next() < filled).collect();
        if interior.is_empty() {
            interior.push(rows * columns - 1);
        }
        check_grid(&[&line(rows, steps.0), &line(columns, steps.1)], &interior, variance);
    }
}

#[test]
fn weights_along_a_line_are_stored_once() {
    let centers: Vec<f64> = (0..2000).map(|k| 0.1 + 4000.0 * f64::from(k) / 1999.0).collect();
    let interior: Vec<usize> = (0..2000).collect();
    let gaps: Vec<usize> = (0..2000).filter(|k| k % 170 > 3).collect();
    // One for each distance, and the row sums; a few blocks at the ends, one for all between.
    // Gaps end what is alike: up to 2000 rows of 100 weights.
    for (form, most) in [(Form::Line, [20_000, 20_000]), (Form::Rows, [80_000, 1_600_000])] {
        for (places, most) in [&interior, &gaps].into_iter().zip(most) {
            let walk = Walk::with_form(CpuLevel::detect(), &[&centers], places, 6.0, form);
            assert!(walk.form() == form && walk.bytes() < most, "{form:?}: {} bytes", walk.bytes());
            assert_sums(&walk, |p, q| dense::weight((centers[places[p]] - centers[places[q]]).powi(2), 6.0));
        }
    }
}

/// One step back agrees with the sums over `weight(to, from)`, as far as rounded places allow.
fn assert_sums(walk: &Walk, weight: impl Fn(usize, usize) -> f64) {
    let source = rough(walk.places(), 3.0, 5);
    let mut buffers = walk.buffers();
    let (found, runs) = walk.back(std::iter::once((1.0, &source[..])), &mut buffers).unwrap();
    for run in runs {
        for (i, found) in found[run.cell..][..run.length].iter().enumerate() {
            let p = run.place + i;
            let expected: f64 = source.iter().enumerate().map(|(q, value)| weight(p, q) * value).sum();
            assert!((found - expected).abs() <= 2e-11 * expected, "{p}: {found} {expected}");
        }
    }
}

#[test]
fn a_line_is_taken_where_bins_are_even_and_near_each_other() {
    let even = line(300, 2.0);
    let mut uneven = even.clone();
    uneven[7] += 1e-6;
    let all: Vec<usize> = (0..300).collect();
    let form = |axis: &[f64], bins: &[usize]| Walk::on_grid(CpuLevel::detect(), &[axis], bins, 6.0).form();
    assert_eq!(form(&even, &all), Form::Line);
    assert_eq!(form(&uneven, &all), Form::Rows);
    assert_eq!(form(&line(100_000, 2.0), &[0, 99_999]), Form::Rows);
}
