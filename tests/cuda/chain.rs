//! Filter and smoother of decode on a device: against those of the CPU, and back to it.

use crate::common::{done, fixture, nissl, read, splitmix};
use crate::driver::{Told, on_device};
use nissl::backend::CpuLevel;
use nissl::error::Error;
use nissl::kernels::hmm::gpu::{DeviceChain, Row};
use nissl::kernels::hmm::{Chain, Filter, Likelihood, LogLikelihood, Outcome, Smoother};
use nissl::kernels::transition::{Form, Move, StateSpace, Transition, Walk};
use std::path::Path;

/// One spatial state that walks; one that walks and one that jumps; and these with states of one column
/// and one that stays where it is.
fn chains(walk: impl Fn() -> Walk) -> Vec<Chain> {
    use Likelihood::{Local, NoSpike, NonLocal};
    let even = |n: usize| vec![1.0 / n as f64; n];
    let sticky =
        |n: usize| (0..n * n).map(move |at| if at % (n + 1) == 0 { 0.9 } else { 0.1 / (n - 1) as f64 });
    let of = |takes: Vec<Likelihood>, moves: Vec<Move>, discrete: Vec<f64>| {
        let (walk, n) = (walk(), takes.len());
        let spatial = takes.iter().map(|&one| one == NonLocal).collect();
        let states = StateSpace::new(walk.places(), spatial, discrete, moves);
        Chain::new(Transition::new(states, walk), takes, even(n))
    };
    let mut many = vec![Move::Uniform; 25];
    (many[12], many[13], many[18], many[24]) = (Move::Walk, Move::Walk, Move::Uniform, Move::Identity);
    vec![
        of(vec![NonLocal], vec![Move::Walk], vec![1.0]),
        of(
            vec![NonLocal; 2],
            vec![Move::Walk, Move::Uniform, Move::Uniform, Move::Uniform],
            sticky(2).collect(),
        ),
        of(vec![Local, NoSpike, NonLocal, NonLocal, NonLocal], many, sticky(5).collect()),
    ]
}

/// Walks over a box with holes, along a line, over distances that differ there and back, and none at all.
fn walks() -> Vec<Box<dyn Fn() -> Walk>> {
    let level = CpuLevel::detect();
    let axis = |n: usize| (0..n).map(|k| 2.0 * k as f64).collect::<Vec<f64>>();
    let in_box = move || {
        let (rows, columns) = (axis(9), axis(13));
        let interior: Vec<usize> = (0..9 * 13).filter(|bin| bin % 7 != 3).collect();
        Walk::with_form(level, &[&rows, &columns], &interior, 8.0, Form::Separable)
    };
    let along = move || {
        let interior: Vec<usize> = (0..700).filter(|bin| bin / 50 != 3).collect();
        Walk::with_form(level, &[&axis(700)], &interior, 6.0, Form::Line)
    };
    let over = move || {
        let distance = |at: usize| match (at / 40, at % 40) {
            (from, to) if from < to => 3.0 * (to - from) as f64,
            (from, to) => 2.0 * (from - to) as f64,
        };
        let distances: Vec<f64> = (0..40 * 40).map(distance).collect();
        Walk::over_distances(level, &distances, 40, 9.0)
    };
    let alone = move || Walk::with_form(level, &[&[3.0]], &[0], 6.0, Form::Line);
    vec![Box::new(in_box), Box::new(along), Box::new(over), Box::new(alone)]
}

/// Log likelihoods `[row, value]` with what a recording may hold: rows that say nothing, rows that
/// exclude everything, and a jump that the walk does not know.
fn rows(chain: &Chain, count: usize) -> Vec<f64> {
    let width = chain.row_width();
    let mut rows: Vec<f64> = splitmix(5, count * width).map(|c| -30.0 * c * c).collect();
    let mut row = |at: usize, of: &dyn Fn(usize) -> f64| {
        rows[at * width..(at + 1) * width].iter_mut().enumerate().for_each(|(k, value)| *value = of(k));
    };
    row(2, &|_| f64::NAN);
    row(4, &|_| f64::NEG_INFINITY);
    row(6, &|k| if k == 0 { 0.0 } else { f64::NEG_INFINITY });
    row(7, &|k| if k + 1 == width { -3.0 } else { f64::NEG_INFINITY });
    row(9, &|k| if k % 3 == 0 { f64::INFINITY } else { -700.0 });
    rows
}

/// What the CPU says: filtered, predicted and smoothed rows, outcomes, log evidence.
struct Expected {
    filtered: Vec<f64>,
    predicted: Vec<f64>,
    posterior: Vec<f64>,
    outcomes: Vec<Outcome>,
    evidence: f64,
}

fn expected<T: LogLikelihood>(chain: &Chain, rows: &[T]) -> Expected {
    let columns = chain.states().columns();
    let mut filter = Filter::new(chain);
    let (mut filtered, mut predicted, mut outcomes) = (Vec::new(), Vec::new(), Vec::new());
    let mut own = vec![0.0; columns];
    for row in rows.chunks_exact(chain.row_width()) {
        outcomes.push(filter.step(row, 0.0, &mut own));
        filtered.extend_from_slice(&own);
        predicted.extend_from_slice(filter.predicted());
    }
    let mut posterior = vec![0.0; filtered.len()];
    let at = |row: usize| row * columns..(row + 1) * columns;
    let mut smoother = Smoother::new(chain, &filtered[at(outcomes.len() - 1)]);
    posterior[at(outcomes.len() - 1)].copy_from_slice(smoother.posterior());
    for row in (0..outcomes.len() - 1).rev() {
        smoother.step(&filtered[at(row)], Some(&predicted[at(row)]), outcomes[row + 1]);
        posterior[at(row)].copy_from_slice(smoother.posterior());
    }
    Expected { filtered, predicted, posterior, outcomes, evidence: filter.state().log_likelihood }
}

fn near(what: &str, got: &[f64], expected: &[f64]) {
    for (at, (g, e)) in got.iter().zip(expected).enumerate() {
        assert!((g - e).abs() <= 1e-15 + 1e-10 * e.abs(), "{what}: {g:e} instead of {e:e} at {at}");
    }
}

/// The same on the device, in stretches of `most` rows.
fn check<T: Row + LogLikelihood>(device: &mut DeviceChain, chain: &Chain, rows: &[T], most: usize) {
    let want = expected(chain, rows);
    let (columns, width) = (chain.states().columns(), chain.row_width());
    let count = rows.len() / width;
    let mut evidence = 0.0;
    for first in (0..count).step_by(most) {
        let these = first..count.min(first + most);
        let told = device.filter(&rows[these.start * width..these.end * width]).unwrap();
        evidence += told.iter().filter_map(|one| one.log_evidence).sum::<f64>();
        let outcomes: Vec<Outcome> = told.iter().map(|one| one.outcome).collect();
        assert_eq!(outcomes, want.outcomes[these.clone()]);
        let mut got = vec![f64::NAN; these.len() * columns];
        device.filtered(0, &mut got).unwrap();
        near("filtered", &got, &want.filtered[these.start * columns..these.end * columns]);
        device.predicted(0, &mut got).unwrap();
        near("predicted", &got, &want.predicted[these.start * columns..these.end * columns]);
    }
    assert!((evidence - want.evidence).abs() <= 1e-9 * want.evidence.abs());
    for first in (0..count).step_by(most).rev() {
        let these = first..count.min(first + most);
        let before = match first {
            0 => chain.initial(),
            _ => want.predicted[(first - 1) * columns..first * columns].to_vec(),
        };
        device.predict(&before).unwrap();
        device.filter(&rows[these.start * width..these.end * width]).unwrap();
        let mut got = vec![f64::NAN; these.len() * columns];
        device.smooth(want.outcomes.get(these.end).copied(), &mut got).unwrap();
        near("posterior", &got, &want.posterior[these.start * columns..these.end * columns]);
    }
    device.predict(&chain.initial()).unwrap();
}

#[test]
fn on_a_device_rows_come_out_as_on_the_cpu() {
    for devices in crate::devices(None) {
        for walk in walks() {
            for chain in chains(&walk) {
                let rows = rows(&chain, 14);
                let mut device = DeviceChain::open(&**devices.iter().next().unwrap(), &chain, 14).unwrap();
                assert_eq!(device.rows(), 14);
                check(&mut device, &chain, &rows, 14);
                check(&mut device, &chain, &rows, 5);
                let single: Vec<f32> = rows.iter().map(|&value| value as f32).collect();
                check(&mut device, &chain, &single, 14);
            }
        }
    }
}

#[test]
fn on_too_small_a_device_there_are_fewer_rows_or_an_error() {
    let walk = &walks()[1];
    for (memory, fits) in [(10 << 20, true), (1 << 20, false)] {
        for devices in crate::devices(Some(memory)) {
            let chain = &chains(walk)[1];
            match DeviceChain::open(&**devices.iter().next().unwrap(), chain, 500) {
                Ok(mut device) => {
                    assert!(fits && device.rows() < 500 && device.rows() > 4, "{}", device.rows());
                    check(&mut device, chain, &rows(chain, 12), 4);
                }
                Err(error) => assert!(!fits && matches!(error, Error::DeviceMemory { .. }), "{error}"),
            }
        }
    }
}

/// One decoding of the real recording with more `settings` of the driver; what it warned of.
fn decode(folder: &Path, out: &str, settings: &[(&str, &str)]) -> (Told, String) {
    let log = folder.join(format!("{out}.log"));
    let log_of = log.display().to_string();
    let settings = [&[("LOG", &log_of[..])], settings].concat();
    let mut command = on_device(&["decode"], &settings, &folder.join("cache"));
    let output = done(words(&mut command, &folder.join(out)));
    (Told::read(&log), String::from_utf8(output.stderr).unwrap())
}

fn words<'a>(command: &'a mut std::process::Command, out: &Path) -> &'a mut std::process::Command {
    command.args(["--progress", "none", "--encode-interval", "4397:4997"]);
    command.args(["--time", "4997:4999:0.0166666666666667", "--position-std", "12", "--bin-size", "6"]);
    command.args(["--movement-var", "36", "--save", "filter,predictive,loglik,map", "--memory", "300M"]);
    command.arg(fixture("decode/real/clusterless.h5")).arg("-o").arg(out)
}

#[test]
fn a_run_filters_on_the_device_and_goes_on_without_it() {
    let folder = tempfile::tempdir().unwrap();
    let cpu = folder.path().join("cpu.nc");
    done(words(&mut nissl(&["decode", "--backend", "cpu"]), &cpu));
    let same = |name: &str, what: &str| {
        let got = folder.path().join(name);
        for path in ["/acausal_posterior", "/causal_posterior", "/predictive_posterior", "/log_likelihood"] {
            let (got, want) = (read(&got, path), read(&cpu, path));
            assert_eq!(got.shape, want.shape);
            for (g, e) in got.values.iter().zip(&want.values) {
                let near = (g - e).abs() <= 2e-5 * (1.0 + e.abs()) || (g.is_nan() && e.is_nan()) || g == e;
                assert!(near, "{what} {path}: {g} instead of {e}");
            }
        }
    };
    let (told, said) = decode(folder.path(), "device.nc", &[]);
    assert!(told.launches("chain_filter") > 1 && told.launches("chain_smooth") > 0, "{said}");
    assert!(!said.contains("the CPU"), "{said}");
    same("device.nc", "on the device");
    // The first launch, one in the middle of the way back, and the first of the smoother.
    for (at, warned) in [
        ("chain_filter:1", "the CPU filters the rest"),
        ("chain_filter:4", "the CPU smooths the rest"),
        ("chain_smooth:1", "the CPU smooths the rest"),
        ("chain_smooth:3", "the CPU smooths the rest"),
    ] {
        let name = format!("{}.nc", at.replace(':', "-"));
        let (_, said) = decode(folder.path(), &name, &[("FAIL_LAUNCH", at)]);
        assert!(said.contains(warned), "{at}: {said}");
        same(&name, at);
    }
}

#[test]
fn sorted_units_leave_filter_and_smoother_to_the_device() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let words = |command: &mut std::process::Command, out: &str| {
        command.args([
            "--progress",
            "none",
            "-q",
            "--likelihood",
            "sorted",
            "--encode-interval",
            "4397:4997",
        ]);
        command.args(["--time", "4997:4999:0.0166666666666667", "--position-std", "12", "--bin-size", "6"]);
        done(
            command
                .args(["--movement-var", "36"])
                .arg(fixture("decode/real/sorted.h5"))
                .arg("-o")
                .arg(at(out)),
        );
    };
    let log = at("log").display().to_string();
    words(&mut on_device(&["decode"], &[("LOG", &log)], &at("cache")), "device.nc");
    words(&mut nissl(&["decode", "--backend", "cpu"]), "cpu.nc");
    let told = Told::read(&at("log"));
    assert!(told.launches("chain_filter") > 0 && told.launches("chain_smooth") > 0);
    assert!(told.launches("marks_add") + told.launches("marks_add_f64") == 0);
    let read = |name: &str| read(&at(name), "/acausal_posterior").values;
    let (got, want) = (read("device.nc"), read("cpu.nc"));
    let near = |(g, w): (&f64, &f64)| (g - w).abs() <= 1e-6 || (g.is_nan() && w.is_nan());
    assert!(got.len() > 1000 && got.iter().zip(&want).all(near));
    assert!(want.iter().filter(|w| w.is_finite()).count() > 1000);
}
