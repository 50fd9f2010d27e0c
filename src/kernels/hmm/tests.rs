use super::*;
use crate::backend::CpuLevel;
use crate::kernels::transition::{Move, Walk, dense};

mod references;
mod sequence;

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

/// The four models of spec decode 5 over a walk, written out once more.
fn chain(model: &str, walk: Walk) -> Chain {
    use Likelihood::{Local, NoSpike, NonLocal};
    let leave = 0.02 / 3.0;
    let (takes, discrete, initial): (Vec<Likelihood>, Vec<f64>, Vec<f64>) = match model {
        "decoder" => (vec![NonLocal], vec![1.0], vec![1.0]),
        "contfrag" => (vec![NonLocal; 2], vec![0.98, 0.02, 0.02, 0.98], vec![0.5; 2]),
        "nonlocal" => (
            vec![Local, NoSpike, NonLocal, NonLocal],
            vec![
                0.99, 0.005, 0.0025, 0.0025, leave, 0.98, leave, leave, 0.0175, 0.005, 0.96, 0.0175, 0.0175,
                0.005, 0.0175, 0.96,
            ],
            vec![1.0, 0.0, 0.0, 0.0],
        ),
        _ => (
            vec![NoSpike, NonLocal, NonLocal],
            vec![0.99, 0.005, 0.005, 1e-5, 0.9, 0.09999, 1e-5, 0.01999, 0.98],
            vec![1.0 / 3.0; 3],
        ),
    };
    let n = takes.len();
    let mut moves = vec![Move::Uniform; n * n];
    let walks = takes.iter().position(|&t| t == NonLocal).unwrap();
    moves[walks * n + walks] = Move::Walk;
    let spatial = takes.iter().map(|&t| t == NonLocal).collect();
    let states = StateSpace::new(walk.places(), spatial, discrete, moves);
    Chain::new(Transition::new(states, walk), takes, initial)
}

const MODELS: [&str; 4] = ["decoder", "contfrag", "nonlocal", "nospike-contfrag"];

/// A row of all columns from a row of the sources.
fn columns_of(chain: &Chain, row: &[f64]) -> Vec<f64> {
    (0..chain.states().states()).flat_map(|s| row[chain.source(s)].to_vec()).collect()
}

fn log_likelihoods(chain: &Chain, rows: usize, depth: f64, seed: u64) -> Vec<f64> {
    let mut next = noise(seed);
    (0..rows * chain.row_width()).map(|_| -depth * next() * next()).collect()
}

/// Filter and smoother as spec decode 5.1 and 5.2 write them, over a dense matrix.
struct Plain {
    filtered: Vec<Vec<f64>>,
    predicted: Vec<Vec<f64>>,
    posterior: Vec<Vec<f64>>,
    log_likelihood: f64,
}

fn plain(chain: &Chain, matrix: &[f64], rows: &[Vec<f64>]) -> Plain {
    let mut a = chain.initial();
    let (mut filtered, mut predicted, mut log_likelihood) = (Vec::new(), Vec::new(), 0.0);
    for row in rows {
        let most = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let w: Vec<f64> = a.iter().zip(row).map(|(a, l)| a * (l - most).exp()).collect();
        let c: f64 = w.iter().sum();
        predicted.push(a);
        log_likelihood += c.ln() + most;
        let f: Vec<f64> = w.iter().map(|w| w / (c + 1e-15)).collect();
        a = dense::predict(matrix, &f);
        filtered.push(f);
    }
    let normalised = |g: Vec<f64>| -> Vec<f64> {
        let sum: f64 = g.iter().sum();
        g.iter().map(|g| g / (sum + 1e-15)).collect()
    };
    let mut posterior = vec![normalised(filtered[rows.len() - 1].clone())];
    for t in (0..rows.len() - 1).rev() {
        let ahead = dense::predict(matrix, &filtered[t]);
        let later = &posterior[posterior.len() - 1];
        let r: Vec<f64> =
            later.iter().zip(&ahead).map(|(g, p)| if *p == 0.0 { 0.0 } else { g / p }).collect();
        let back = dense::pull_back(matrix, &r);
        posterior.push(normalised(filtered[t].iter().zip(back).map(|(f, b)| f * b).collect()));
    }
    posterior.reverse();
    Plain { filtered, predicted, posterior, log_likelihood }
}

struct Run {
    filtered: Vec<Vec<f64>>,
    predicted: Vec<Vec<f64>>,
    posterior: Vec<Vec<f64>>,
    state: FilterState,
    outcomes: Vec<Outcome>,
}

/// Ours, with the filter put down and taken up again every `chunk` rows.
fn run<T: LogLikelihood>(chain: &Chain, rows: &[Vec<T>], offset: f64, chunk: usize, keep: bool) -> Run {
    let mut filter = Filter::new(chain);
    let columns = chain.states().columns();
    let (mut filtered, mut predicted, mut outcomes) = (Vec::new(), Vec::new(), Vec::new());
    for (t, row) in rows.iter().enumerate() {
        if t % chunk == chunk - 1 {
            filter = Filter::resume(chain, filter.state().clone());
        }
        let mut f = vec![0.0; columns];
        let before = filter.predicted().to_vec();
        outcomes.push(filter.step(row, offset, &mut f));
        predicted.push(before);
        filtered.push(f);
    }
    let mut smoother = Smoother::new(chain, &filtered[rows.len() - 1]);
    let mut posterior = vec![smoother.posterior().to_vec()];
    for t in (0..rows.len() - 1).rev() {
        if t % chunk == chunk - 1 {
            smoother = Smoother::resume(chain, smoother.posterior().to_vec());
        }
        let kept = keep.then(|| &predicted[t + 1][..]);
        smoother.step(&filtered[t], kept, outcomes[t + 1]);
        posterior.push(smoother.posterior().to_vec());
    }
    posterior.reverse();
    Run { filtered, predicted, posterior, state: filter.state().clone(), outcomes }
}

fn apart(a: &[Vec<f64>], b: &[Vec<f64>]) -> f64 {
    let pairs = a.iter().flatten().zip(b.iter().flatten());
    pairs.map(|(a, b)| (a - b).abs()).fold(0.0, |most, d| if d > most || d.is_nan() { d } else { most })
}

fn grid_walk(level: CpuLevel, rows: usize, columns: usize) -> (Walk, Vec<f64>) {
    let line = |n: usize| -> Vec<f64> { (0..n).map(|i| 2.0 * i as f64 + 1.0).collect() };
    let (x, y) = (line(rows), line(columns));
    let interior: Vec<usize> = (0..rows * columns).filter(|bin| bin % 5 != 3).collect();
    let centers: Vec<f64> = interior.iter().flat_map(|&b| [x[b / columns], y[b % columns]]).collect();
    (Walk::on_grid(level, &[&x, &y], &interior, 6.0), dense::walk_between(&centers, 2, 6.0))
}

#[test]
fn all_models_follow_the_plain_definition() {
    for level in CpuLevel::available() {
        for model in MODELS {
            let (walk, dense_walk) = grid_walk(level, 7, 9);
            let chain = chain(model, walk);
            let matrix = dense::full(chain.states(), &dense_walk);
            for depth in [3.0, 60.0, 600.0] {
                let width = chain.row_width();
                let sources = log_likelihoods(&chain, 40, depth, 3);
                let rows: Vec<Vec<f64>> = sources.chunks_exact(width).map(<[f64]>::to_vec).collect();
                let wide: Vec<Vec<f64>> = rows.iter().map(|row| columns_of(&chain, row)).collect();
                let want = plain(&chain, &matrix, &wide);
                let ours = run(&chain, &rows, 0.0, 7, false);
                assert_eq!(ours.state.restarts, 0);
                for (ours, want) in [
                    (&ours.filtered, &want.filtered),
                    (&ours.predicted, &want.predicted),
                    (&ours.posterior, &want.posterior),
                ] {
                    let apart = apart(ours, want);
                    assert!(apart < 1e-12, "{level:?} {model} depth {depth}: {apart:e}");
                }
                let apart = (ours.state.log_likelihood - want.log_likelihood).abs();
                assert!(apart < 1e-11 * want.log_likelihood.abs(), "{model} {apart:e}");
            }
        }
    }
}

#[test]
fn chunks_and_kept_predictions_change_no_bit() {
    for model in MODELS {
        let chain = chain(model, grid_walk(CpuLevel::detect(), 8, 8).0);
        let sources = log_likelihoods(&chain, 60, 200.0, 9);
        let rows: Vec<Vec<f64>> = sources.chunks_exact(chain.row_width()).map(<[f64]>::to_vec).collect();
        let whole = run(&chain, &rows, 0.0, 1000, true);
        for chunk in [1, 2, 17] {
            let cut = run(&chain, &rows, 0.0, chunk, false);
            assert!(cut.filtered == whole.filtered && cut.posterior == whole.posterior);
            assert!(cut.predicted == whole.predicted && cut.state == whole.state);
        }
    }
}

#[test]
fn single_precision_rows_and_offsets_count_as_what_they_are() {
    let chain = chain("nonlocal", grid_walk(CpuLevel::detect(), 5, 6).0);
    let sources = log_likelihoods(&chain, 30, 40.0, 4);
    let single: Vec<Vec<f32>> =
        sources.chunks_exact(chain.row_width()).map(|row| row.iter().map(|&v| v as f32).collect()).collect();
    let double: Vec<Vec<f64>> =
        single.iter().map(|row| row.iter().map(|&v| f64::from(v)).collect()).collect();
    let (a, b) = (run(&chain, &single, 0.0, 99, true), run(&chain, &double, 0.0, 99, true));
    assert!(a.posterior == b.posterior && a.state == b.state);
    let shifted = run(&chain, &double, -1000.0, 99, true);
    assert!(shifted.posterior == b.posterior);
    let expected = b.state.log_likelihood - 30_000.0;
    assert!((shifted.state.log_likelihood - expected).abs() < 1e-7);
}

#[test]
fn missing_and_broken_rows_poison_nothing() {
    let chain = chain("nonlocal", grid_walk(CpuLevel::detect(), 5, 6).0);
    let width = chain.row_width();
    let sources = log_likelihoods(&chain, 30, 40.0, 4);
    let clean: Vec<Vec<f64>> = sources.chunks_exact(width).map(<[f64]>::to_vec).collect();
    let mut rows = clean.clone();
    rows[4].fill(0.0);
    rows[9][3..20].fill(f64::NEG_INFINITY);
    rows[10][2] = f64::NAN;
    rows[11][1] = f64::INFINITY;
    rows[15].fill(f64::NEG_INFINITY);
    rows[20].fill(f64::NAN);
    let ours = run(&chain, &rows, 0.0, 99, true);
    let sums = |rows: &[Vec<f64>]| -> Vec<f64> { rows.iter().map(|row| row.iter().sum()).collect() };
    for sum in sums(&ours.filtered).into_iter().chain(sums(&ours.posterior)) {
        assert!((sum - 1.0).abs() < 1e-9, "{sum}");
    }
    assert!(ours.state.log_likelihood.is_finite());
    // A missing row changes nothing: the filter says what was predicted.
    assert!(apart(&ours.filtered[4..5], &ours.predicted[4..5]) < 1e-14);
    // Excluded columns are excluded.
    assert!(
        columns_of(&chain, &rows[9]).iter().zip(&ours.filtered[9]).all(|(l, f)| l.is_finite() || *f == 0.0)
    );
    let restarted: Vec<usize> = (0..30).filter(|&t| ours.outcomes[t] == Outcome::Restarted).collect();
    assert_eq!((restarted, ours.state.restarts), (vec![15, 20], 2));
    let mut anywhere = vec![0.0; chain.states().columns()];
    chain.anywhere(&mut anywhere);
    assert!(ours.filtered[15] == anywhere);
    // What comes before a restart knows nothing of it.
    let cut = run(&chain, &rows[..15], 0.0, 99, true);
    assert!(cut.posterior[..] == ours.posterior[..15]);
}

#[test]
fn a_hard_jump_is_followed_and_an_impossible_one_restarts() {
    let line: Vec<f64> = (0..400).map(|i| 2.0 * i as f64).collect();
    let all: Vec<usize> = (0..400).collect();
    let chain = chain("decoder", Walk::on_grid(CpuLevel::detect(), &[&line], &all, 6.0));
    let at =
        |place: usize| -> Vec<f64> { (0..400).map(|p| if p == place { 0.0 } else { -2000.0 }).collect() };
    // 40 bins are 80 cm: weight exp(-533), which is followed as it is. The peer's normaliser gives
    // back 15 decades of the lost mass per row, ours the same.
    let mut rows = vec![at(100)];
    rows.extend(vec![at(140); 40]);
    let ours = run(&chain, &rows, 0.0, 99, true);
    assert_eq!(ours.state.restarts, 0);
    let sum: f64 = ours.filtered[1].iter().sum();
    assert!((sum.ln() + 533.33 - 15.0 * 10_f64.ln()).abs() < 3.0, "{sum:e}");
    assert!(ours.filtered[1][140] > sum * (1.0 - 1e-12));
    assert!(ours.filtered[40][140] > 1.0 - 1e-12 && ours.posterior[0][100] > 1.0 - 1e-12);
    // 200 bins are exp(-13333), which no number holds.
    let ours = run(&chain, &[at(100), at(300), at(300)], 0.0, 99, true);
    assert_eq!(ours.outcomes[1], Outcome::Restarted);
    assert!(ours.posterior[0][100] > 1.0 - 1e-12 && ours.posterior[1][300] > 1.0 - 1e-12);
    assert!(ours.state.log_likelihood.is_finite());
}

#[test]
fn exponentials_are_exact_to_the_last_places() {
    let mut next = noise(2);
    for n in [1, 3, 8, 33, 2000] {
        let mut row: Vec<f64> = (0..n).map(|_| -680.0 * next() * next()).collect();
        row[n / 2] = 0.0;
        for level in CpuLevel::available() {
            let mut out = vec![f64::NAN; n];
            assert_eq!(f64::relative(level, &row, &mut out), 0.0);
            for (x, y) in row.iter().zip(&out) {
                assert!((y / x.exp() - 1.0).abs() < 5e-16, "{level:?} exp({x}) = {y:e}");
            }
        }
    }
    let row = [f64::NAN, -5.0, f64::NEG_INFINITY, -696.0, f64::INFINITY, -5.5, -f64::NAN, -694.9, -5.0];
    for level in CpuLevel::available() {
        let mut out = [9.0; 9];
        assert_eq!(f64::relative(level, &row, &mut out), -5.0);
        assert_eq!([out[0], out[2], out[3], out[6]], [0.0; 4]);
        assert_eq!([out[1], out[4], out[8]], [1.0; 3]);
        assert!(out[7] > 1e-300 && out[7] < 3e-300);
        assert_eq!(f64::relative(level, &[f64::NAN, f64::NEG_INFINITY], &mut out), 0.0);
        assert_eq!(out[..2], [0.0; 2]);
    }
}

#[test]
fn estimates_follow_their_definitions() {
    let row = [0.1, 0.3, 0.2, 0.3, 0.1];
    assert_eq!(estimates::most_likely(&row), 1);
    let mut mean = [0.0; 2];
    let centers = [0.0, 1.0, 1.0, 1.0, 2.0, 1.0, 3.0, 1.0, 4.0, 2.0];
    estimates::mean_position(&row, &centers, &mut mean);
    assert!((mean[0] - 2.0).abs() < 1e-15 && (mean[1] - 1.1).abs() < 1e-15);
    let (mut thresholds, mut room) = ([0.0; 4], Vec::new());
    estimates::highest_density(&row, &[0.2, 0.5, 0.7, 0.95], &mut thresholds, &mut room);
    assert_eq!(thresholds, [0.3, 0.3, 0.2, 0.1]);
    assert_eq!(estimates::region_size(&row, 0.2), 3);
    estimates::highest_density(&[0.0, 0.0], &[0.5, 0.95, 1.0, 1.0], &mut thresholds, &mut room);
    assert_eq!(thresholds, [0.0; 4]);

    // Against the whole sorted row, on posteriors from sharp to flat.
    let mut next = noise(12);
    for sharpness in [0.0, 1.0, 30.0, 600.0] {
        let row: Vec<f64> = (0..500).map(|_| (-sharpness * next()).exp()).collect();
        let total: f64 = row.iter().sum();
        let mut sorted: Vec<f64> = row.iter().map(|v| v / total).collect();
        sorted.sort_by(|a, b| b.total_cmp(a));
        let coverages = [0.5, 0.95, 0.999_999, 1.1];
        estimates::highest_density(&row, &coverages, &mut thresholds, &mut room);
        for (coverage, threshold) in coverages.iter().zip(thresholds) {
            let mut sum = 0.0;
            let at = sorted.iter().position(|v| {
                sum += v;
                sum >= *coverage
            });
            let want = sorted[at.unwrap_or(499)] * total;
            assert!((threshold - want).abs() <= 1e-15 * want, "{sharpness} {coverage}");
        }
    }
}

#[test]
fn sums_of_states_and_places() {
    let chain = chain("nonlocal", grid_walk(CpuLevel::detect(), 3, 4).0);
    let places = chain.states().places();
    let row: Vec<f64> = (0..chain.states().columns()).map(|c| c as f64).collect();
    let (mut states, mut by_place) = (vec![0.0; 4], vec![0.0; places]);
    chain.state_probabilities(&row, &mut states);
    chain.place_probabilities(&row, &mut by_place);
    assert_eq!((states[0], states[1], by_place[0]), (0.0, 1.0, (2 + 2 + places) as f64));
    assert_eq!(states[2] + states[3], by_place.iter().sum::<f64>());
    assert_eq!(chain.row_width(), places + 2);
    let initial = chain.initial();
    assert_eq!((initial[0], initial[1..].iter().sum::<f64>()), (1.0, 0.0));
}
