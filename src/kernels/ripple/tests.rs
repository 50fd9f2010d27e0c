//! Filters against stored values of scipy 1.17 (`signal.butter(n, [low, high], "bandpass", fs=rate,
//! output="sos")`, `sosfilt`, `sosfreqz`), and ripples that are there or not.

use super::*;

/// x[i] = ((7919 i) mod 1000) / 500 - 1; y at samples 0, 1, 2, 10, 50, 100, 399.
#[test]
fn filters_are_scipys() {
    type Case = ((f64, f64, f64, usize), [f64; 7]);
    let cases: [Case; 4] = [
        (
            (1500.0, 150.0, 250.0, 2),
            [
                -0.033571809367640704,
                -0.05038643608737783,
                0.06632471272415177,
                0.24278368125770772,
                -0.09518212435648737,
                0.014437642129126016,
                0.11557822680934893,
            ],
        ),
        (
            (1500.0, 150.0, 250.0, 4),
            [
                -0.001175279549570511,
                -0.004569884495873365,
                -0.0027783311879447654,
                0.1719657834241927,
                -0.21305805045571485,
                -0.33412776878262285,
                0.3618234955569428,
            ],
        ),
        (
            (30000.0, 150.0, 250.0, 4),
            [
                -1.1702898253422995e-08,
                -8.309920540886525e-08,
                -2.8222026143018415e-07,
                7.799766522271191e-06,
                0.00020904190905641527,
                -0.0012683307062616108,
                -0.0026655739260056316,
            ],
        ),
        (
            (1000.0, 80.0, 120.0, 3),
            [
                -0.0015670103505882665,
                -0.005713043767144568,
                -0.005403517508843049,
                -0.08008754588553263,
                0.2920030433177049,
                0.2171140127061335,
                -0.45966362706108643,
            ],
        ),
    ];
    for ((rate, low, high, order), expected) in cases {
        let mut filter = BandPass::new(order, (low, high), rate).unwrap();
        let out: Vec<f64> = (0..400).map(|i| filter.step(f64::from(i * 7919 % 1000) / 500.0 - 1.0)).collect();
        for (at, expected) in [0, 1, 2, 10, 50, 100, 399].into_iter().zip(expected) {
            // Sections are cut otherwise than scipy's: equal to rounding, which poles near 1 amplify.
            let allowed = 1e-11 * expected.abs() + 1e-13;
            assert!((out[at] - expected).abs() < allowed, "{rate} {order} {at}: {} {expected}", out[at]);
        }
        for edge in [low, high] {
            assert!((filter.gain(edge, rate) - 0.5f64.sqrt()).abs() < 1e-9);
        }
    }
    let filter = BandPass::new(4, (150.0, 250.0), 1500.0).unwrap();
    for (frequency, gain) in [(50.0, 0.0005100600240294082), (400.0, 0.005163037735833934)] {
        assert!((filter.gain(frequency, 1500.0) - gain).abs() < 1e-12);
    }
}

#[test]
fn real_pole_pairs_of_wide_bands_are_filters_too() {
    for order in 1..=12 {
        let filter = BandPass::new(order, (1.0, 700.0), 1500.0).unwrap();
        assert!((filter.gain(1.0, 1500.0) - 0.5f64.sqrt()).abs() < 1e-6, "{order}");
        assert!((filter.gain(100.0, 1500.0) - 1.0).abs() < 0.01 && filter.gain(0.0, 1500.0) < 1e-12);
    }
}

#[test]
fn bands_beyond_half_the_rate_are_refused() {
    for (rate, low, high) in [
        (500.0, 150.0, 250.0),
        (400.0, 150.0, 250.0),
        (1500.0, 0.0, 250.0),
        (1500.0, 250.0, 150.0),
        (1500.0, f64::NAN, 250.0),
        (0.0, 150.0, 250.0),
        (f64::INFINITY, 150.0, 250.0),
    ] {
        let settings = Settings { rate, band: (low, high), ..Settings::default() };
        let message = Detector::new(&settings, 1).unwrap_err().to_string();
        assert!(message.contains("ripple band") && message.lines().count() == 1, "{message}");
    }
    let at = |change: fn(&mut Settings)| {
        let mut settings = Settings::default();
        change(&mut settings);
        Detector::new(&settings, 2).is_err()
    };
    assert!(at(|s| s.order = 0) && at(|s| s.order = 13) && at(|s| s.needed = 3) && at(|s| s.needed = 0));
    assert!(at(|s| s.threshold = f64::NAN) && at(|s| s.release = 4.0) && at(|s| s.lockout = -1.0));
    assert!(at(|s| s.memory = 0.0) && at(|s| s.release = f64::NAN) && at(|s| s.warm_up = f64::INFINITY));
    assert!(Detector::new(&Settings::default(), 0).is_err() && !at(|_| {}));
}

/// Noise in [-1, 1] with bursts of a sine: (first sample, samples, frequency).
fn field(samples: usize, bursts: &[(usize, usize, f64)], amplitude: f64) -> Vec<f32> {
    let mut seed = 17u64;
    (0..samples)
        .map(|i| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let noise = (seed >> 11) as f64 / (1u64 << 52) as f64 - 1.0;
            let burst = bursts.iter().find(|(first, length, _)| (*first..first + length).contains(&i));
            let sine =
                |&(_, _, f): &(usize, usize, f64)| (std::f64::consts::TAU * f * i as f64 / 1500.0).sin();
            (noise + burst.map_or(0.0, |burst| amplitude * sine(burst))) as f32
        })
        .collect()
}

/// Samples at which a ripple begins.
fn begins(detector: &mut Detector, channels: &[&[f32]]) -> Vec<usize> {
    let mut found = Vec::new();
    for at in 0..channels[0].len() {
        let frame: Vec<f32> = channels.iter().map(|channel| channel[at]).collect();
        let before = detector.is_on();
        if detector.frame(&frame) && !before {
            found.push(at);
        }
    }
    found
}

#[test]
fn bursts_in_the_band_are_found_and_others_not() {
    let bursts = [(6000, 120, 200.0), (9000, 120, 20.0), (12_000, 120, 500.0), (15_000, 120, 180.0)];
    let field = field(30_000, &bursts, 4.0);
    let settings = Settings { threshold: 6.0, ..Settings::default() };
    let mut detector = Detector::new(&settings, 1).unwrap();
    let found = begins(&mut detector, &[&field]);
    assert_eq!((found.len(), detector.begun(), detector.is_on()), (2, 2, false), "{found:?}");
    // Found within 20 ms of the beginning: the filter's delay and the rise of the envelope.
    assert!((6000..6030).contains(&found[0]) && (15_000..15_030).contains(&found[1]), "{found:?}");
}

#[test]
fn the_envelope_is_the_amplitude_of_a_sine() {
    let mut detector = Detector::new(&Settings::default(), 1).unwrap();
    let mut mean = 0.0;
    for i in 0..6000 {
        detector.frame(&[(7.0 * (std::f64::consts::TAU * 193.6 * f64::from(i) / 1500.0).sin()) as f32]);
        if i >= 3000 {
            mean += detector.envelope(0).unwrap() / 3000.0;
        }
    }
    assert!((mean - 7.0).abs() < 0.05, "{mean}");
}

#[test]
fn lockout_and_warm_up_hold_back() {
    let bursts = [(600, 60, 200.0), (6000, 60, 200.0), (6180, 60, 200.0), (6600, 60, 200.0)];
    let field = field(9000, &bursts, 8.0);
    let at = |lockout: f64, warm_up: f64| {
        let settings = Settings { threshold: 6.0, lockout, warm_up, ..Settings::default() };
        begins(&mut Detector::new(&settings, 1).unwrap(), &[&field]).len()
    };
    assert_eq!([at(0.0, 0.1), at(0.0, 1.0), at(0.2, 1.0), at(10.0, 1.0)], [4, 3, 2, 1]);
}

#[test]
fn channels_are_counted_and_holes_are_stepped_over() {
    let quiet = field(9000, &[], 0.0);
    let loud = field(9000, &[(6000, 90, 200.0)], 8.0);
    let mut broken = loud.clone();
    broken.iter_mut().skip(5).step_by(7).for_each(|value| *value = f32::NAN);
    broken[8000] = f32::INFINITY;
    let with = |needed: usize, channels: &[&[f32]]| {
        let settings = Settings { threshold: 6.0, needed, ..Settings::default() };
        let mut detector = Detector::new(&settings, channels.len()).unwrap();
        (begins(&mut detector, channels).len(), detector.not_finite())
    };
    assert_eq!(with(1, &[&quiet, &loud]), (1, 0));
    assert_eq!(with(2, &[&quiet, &loud]), (0, 0));
    assert_eq!(with(2, &[&loud, &loud, &quiet]), (1, 0));
    assert_eq!(with(1, &[&quiet, &broken]), (1, 1286), "a channel with holes goes on");
    let mut detector = Detector::new(&Settings::default(), 2).unwrap();
    for _ in 0..5000 {
        assert!(!detector.frame(&[0.0]) && detector.deviation(0) == Some(0.0), "silence is no ripple");
    }
    assert_eq!((detector.not_finite(), detector.deviation(2)), (5000, None));
    assert!(!detector.frame(&[f32::MAX, f32::MIN, 3.0]));
}
