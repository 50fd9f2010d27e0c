use super::*;
use crate::backend::CpuLevel;
#[cfg(feature = "hdf5")]
use crate::commands::decode::fixture;

#[cfg(feature = "hdf5")]
const SETS: [&str; 3] = ["track1d", "wtrack", "arena2d"];

#[cfg(feature = "hdf5")]
fn model(set: &str, kind: Likelihood) -> EncodingModel {
    let (data, grid) = fixture::encoding(set);
    let settings = fixture::settings(set, kind);
    EncodingModel::fit(CpuLevel::detect(), data, (grid, None), &settings).unwrap()
}

#[cfg(feature = "hdf5")]
#[test]
fn occupancy_rates_and_ground_process_are_the_peers() {
    for set in SETS {
        let model = model(set, Likelihood::Clusterless);
        let reference = |name: &str| fixture::values(set, name);
        fixture::assert_close("occupancy", &model.occupancy, &reference("occupancy"), (0.0, 1e-12));
        fixture::assert_close("ground", &model.ground, &reference("summed_gpi"), (0.0, 1e-12));
        let rates: Vec<f64> = model.trains.iter().map(|train| train.rate).collect();
        fixture::assert_close("rates", &rates, &reference("mean_rates"), (0.0, 1e-14));
        let (shape, gpi) = fixture::array(set, "gpi_density");
        for (train, expected) in model.trains.iter().zip(gpi.chunks_exact(shape[1])) {
            let spikes = model.positions(&train.positions);
            let count = spikes.len().max(1) as f64;
            let level = CpuLevel::detect();
            let sums = PositionDensity::at_bins(level, spikes, &model.position_std, &model.grid);
            let found: Vec<f64> = sums.iter().map(|sum| sum / count).collect();
            fixture::assert_close("gpi", &found, expected, (0.0, 1e-12));
        }
    }
}

#[cfg(feature = "hdf5")]
#[test]
fn ceilings_are_those_that_the_method_is_chosen_by() {
    for (set, expected) in SETS.into_iter().zip([-14.7, -5.6, -9.2]) {
        let model = model(set, Likelihood::Clusterless);
        let largest = (0..model.trains.len()).map(|e| model.ln_ceiling(e)).fold(f64::NEG_INFINITY, f64::max);
        assert!((largest - expected).abs() < 0.06, "{set}: {largest}");
    }
    let model = model("track1d", Likelihood::Clusterless);
    assert_eq!(model.silent_trains(), ["e1"]);
    assert!(model.log_scale(1).iter().all(|&scale| scale == f64::NEG_INFINITY));
    assert_eq!(model.ln_ceiling(1), f64::NEG_INFINITY);
    let occupancy = model.occupancy[3];
    let spikes = model.trains[0].positions.len() as f64;
    assert!((model.log_scale(0)[3] - (model.trains[0].rate / (occupancy * spikes)).ln()).abs() < 1e-14);
}

#[cfg(feature = "hdf5")]
#[test]
fn the_local_rate_term_is_what_rows_without_spikes_hold() {
    for set in SETS {
        let model = model(set, Likelihood::Clusterless);
        let (_, time) = fixture::input(set, "/decode/time");
        let spikes = model.all_spikes();
        let local = LocalModel::new(CpuLevel::detect(), &model, &spikes, time.len());
        let rate = local.rate(&fixture::positions_at(set, &time));
        let expected = fixture::values(set, "ll_linear_local");
        let rows = fixture::decoding_rows(set);
        let quiet: Vec<usize> =
            (0..time.len()).filter(|row| !rows.iter().flatten().any(|r| r == row)).collect();
        assert!(!quiet.is_empty(), "{set}");
        for row in quiet {
            assert!((-rate[row] - expected[row]).abs() < 1e-11, "{set} {row}: {}", rate[row]);
        }
    }
}

/// Two samples, one spike at 0, bins at 0.5 .. 9.5 and one far away that nothing reaches.
fn tiny(kind: Likelihood, rate_units: RateUnits) -> EncodingModel {
    let edges = vec![vec![0.0, 1.0, 2.0, 1000.0, 1002.0]];
    let grid = PlaceGrid::from_edges(edges, vec![true, true, false, true]).unwrap();
    let train = |name: &str, positions: Vec<f64>| EncodingTrain {
        name: name.into(),
        width: 1,
        marks: vec![0.0; positions.len()].into(),
        positions: positions.into(),
        ..EncodingTrain::default()
    };
    let trains = vec![train("a", vec![0.0]), train("b", Vec::new())];
    let data = EncodingData { samples: vec![0.0, 1.0], axes: 1, trains, ..EncodingData::default() };
    let settings =
        Settings { kind, bin_size: vec![1.0], position_std: vec![2.0], waveform_std: vec![3.0], rate_units };
    EncodingModel::fit(CpuLevel::detect(), data, (grid, None), &settings).unwrap()
}

#[test]
fn floors_hold_where_nobody_was_and_where_nothing_fired() {
    let model = tiny(Likelihood::Clusterless, RateUnits::Samples);
    assert_eq!((model.occupancy[2], model.unvisited_bins()), (0.0, 1));
    assert_eq!(model.ground[2], EPS + EPS);
    assert_eq!(model.log_scale(0)[2], f64::NEG_INFINITY);
    let kernel = |x: f64| (-x * x / 8.0).exp();
    let expected = 0.5 * kernel(0.5) / ((kernel(0.5) + kernel(0.5)) / 2.0) + EPS;
    assert!((model.ground[0] - expected).abs() < 1e-15);
    assert_eq!(local_log_intensity(0.5, 0.1, 0.0, LOG_EPS), LOG_EPS);
    assert_eq!(local_log_intensity(0.0, 0.0, 0.1, LOG_EPS), LOG_EPS);
    assert_eq!(local_log_intensity(0.5, 0.1, 0.2, LOG_EPS), 0.25f64.ln());
    assert!(local_log_intensity(0.5, f64::NAN, 0.2, LOG_EPS).is_nan());
    let spikes = model.all_spikes();
    let local = LocalModel::new(CpuLevel::detect(), &model, &spikes, 2);
    assert_eq!(local.rate(&[5000.0]), [0.0]);
    assert!(local.rate(&[f64::NAN])[0].is_nan());
}

#[test]
fn rates_per_second_count_the_sample_period() {
    let per_sample = tiny(Likelihood::Clusterless, RateUnits::Samples);
    let per_second = tiny(Likelihood::Clusterless, RateUnits::Seconds { sample_period: 0.01 });
    assert_eq!((per_sample.trains[0].rate, per_second.trains[0].rate), (0.5, 50.0));
    assert!((per_second.ground[0] - 100.0 * per_sample.ground[0]).abs() < 1e-12);
    assert_eq!(per_second.rate_units.per_bin(0.002), 0.002);
    assert_eq!(per_sample.rate_units.per_bin(0.002), 1.0);
}

#[test]
fn bad_settings_and_data_are_errors_that_name_the_fault() {
    let grid = PlaceGrid::from_edges(vec![vec![0.0, 1.0, 2.0]], vec![true; 2]).unwrap();
    let good = Settings {
        kind: Likelihood::Clusterless,
        bin_size: vec![1.0],
        position_std: vec![2.0],
        waveform_std: vec![3.0, 3.0],
        rate_units: RateUnits::Samples,
    };
    let train = EncodingTrain {
        name: "tetrode 7".into(),
        width: 2,
        marks: vec![1.0; 2].into(),
        positions: vec![0.5].into(),
        ..EncodingTrain::default()
    };
    let trains = vec![train];
    let data = EncodingData { samples: vec![0.0, 1.0], axes: 1, trains, ..EncodingData::default() };
    let message = |data: &EncodingData, settings: &Settings| {
        let fitted = EncodingModel::fit(CpuLevel::detect(), data.clone(), (grid.clone(), None), settings);
        fitted.unwrap_err().to_string()
    };
    assert!(EncodingModel::fit(CpuLevel::detect(), data.clone(), (grid.clone(), None), &good).is_ok());
    let with = |std: Vec<f64>| Settings { waveform_std: std, ..good.clone() };
    assert!(message(&data, &with(vec![1.0; 3])).contains("3 values given, electrode tetrode 7 has 2"));
    assert!(message(&data, &with(vec![0.0])).contains("--waveform-std 0"));
    assert!(message(&data, &Settings { position_std: vec![f64::NAN], ..good.clone() }).contains("NaN"));
    assert!(message(&data, &Settings { position_std: vec![1.0; 2], ..good.clone() }).contains("2 values"));
    let mut bad = data.clone();
    bad.trains[0].marks.truncate(1);
    assert!(message(&bad, &good).contains("tetrode 7"));
    let none = EncodingData { samples: Vec::new(), ..data.clone() };
    assert!(message(&none, &good).contains("--encode-interval"));
    let still = Settings { rate_units: RateUnits::Seconds { sample_period: f64::NAN }, ..good.clone() };
    assert!(message(&data, &still).contains("median step of NaN"));
    let plane = EncodingData { samples: vec![0.0; 4], axes: 2, trains: Vec::new(), ..data.clone() };
    assert!(message(&plane, &good).contains("positions of 2 axes"));
    let weights = EncodingData { weights: vec![0.0, 0.0], ..data.clone() };
    assert!(message(&weights, &good).contains("position weights"));
}

#[test]
fn differing_steps_are_told() {
    let (fast, slow) = ([0.0, 0.002, 0.004, 0.006], [0.0, 0.01, 0.02, 0.03, 0.04]);
    let (a, b) = step_mismatch(&fast, &slow).unwrap();
    assert!((a - 0.002).abs() < 1e-12 && (b - 0.01).abs() < 1e-12);
    assert!(step_mismatch(&slow, &[5.0, 5.01, 5.02]).is_none());
    assert_eq!(median_step(&[0.0, 1.0, 3.0]), 1.5);
    assert_eq!(median_step(&[0.0, 1.0, 3.0, 4.0]), 1.0);
    assert!(median_step(&[1.0]).is_nan());
}
