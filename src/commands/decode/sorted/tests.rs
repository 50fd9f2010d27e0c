use super::*;
use crate::commands::decode::encoding::{EncodingData, EncodingTrain, Likelihood, RateUnits, Settings};
#[cfg(feature = "hdf5")]
use crate::commands::decode::fixture;
#[cfg(feature = "hdf5")]
use crate::commands::decode::grid::GridOptions;
use crate::commands::decode::grid::PlaceGrid;

#[cfg(feature = "hdf5")]
#[test]
fn fields_and_likelihoods_are_the_peers() {
    let level = CpuLevel::detect();
    for set in ["track1d", "wtrack", "arena2d"] {
        let (data, grid) = fixture::encoding(set);
        let settings = fixture::settings(set, Likelihood::Sorted);
        let model = EncodingModel::fit(level, data, (grid, None), &settings).unwrap();
        let (shape, fields) = fixture::array(set, "sorted_place_fields");
        for (train, expected) in model.trains.iter().zip(fields.chunks_exact(shape[1])) {
            let expected: Vec<f64> = model.grid.interior_bins.iter().map(|&bin| expected[bin]).collect();
            fixture::assert_close("field", &train.field, &expected, (0.0, 1e-12));
        }
        let (rows, (_, time)) = (fixture::decoding_rows(set), fixture::input(set, "/decode/time"));
        let local = SortedLocal::new(level, &model, time.len(), 1.0);
        let found = local.rows(&rows, 0, &fixture::positions_at(set, &time));
        fixture::assert_close("local", &found, &fixture::values(set, "ll_sorted_local"), (1e-9, 0.0));
        let part = local.rows(&rows, 100, &fixture::positions_at(set, &time[100..107]));
        assert_eq!(part, found[100..107]);
        // The other sets keep no such array.
        if set == "track1d" {
            let expected = fixture::values(set, "ll_sorted_nonlocal");
            let mut found = vec![f64::NAN; expected.len()];
            let likelihood = SortedLikelihood::new(&model, 1.0);
            likelihood.rows(&rows, 0, &mut found);
            fixture::assert_close("non-local", &found, &expected, (1e-9, 0.0));
            let mut part = vec![f64::NAN; 5 * model.bins()];
            likelihood.rows(&rows, 17, &mut part);
            assert_eq!(part, found[17 * model.bins()..22 * model.bins()]);
        }
    }
}

/// A real recording: 24 units of a rat on a line (expected values: the peer in float32).
#[cfg(feature = "hdf5")]
#[test]
fn the_units_of_a_real_rat_have_the_peers_log_likelihood() {
    let stored = |dataset: &str| fixture::stored("real/sorted.h5", dataset).1;
    let (time, all, encodes) =
        (stored("/position/time"), stored("/position/data"), stored("/position/is_encoding"));
    let count = encodes.iter().filter(|&&e| e == 1.0).count();
    assert!(encodes[..count].iter().all(|&e| e == 1.0), "one run, at the start");
    let samples = all[..count].to_vec();
    let decoding = stored("/decode/time");
    let (mut trains, mut rows) = (Vec::new(), Vec::new());
    for unit in 0..24 {
        let spikes = stored(&format!("/units/{unit}/spike_times"));
        let encoding = spikes.iter().filter(|s| (time[0]..=time[count - 1]).contains(s));
        let at = |&s: &f64| {
            let k = time[..count].partition_point(|&t| t <= s).saturating_sub(1).min(count - 2);
            samples[k] + (samples[k + 1] - samples[k]) * (s - time[k]) / (time[k + 1] - time[k])
        };
        let positions = encoding.map(at).collect();
        trains.push(EncodingTrain { name: unit.to_string(), positions, ..Default::default() });
        let last = decoding.len() - 1;
        let inside = spikes.iter().filter(|s| (decoding[0]..=decoding[last]).contains(s));
        rows.push(inside.map(|s| decoding[1..last].partition_point(|t| t <= s)).collect::<Vec<_>>());
    }
    let options = GridOptions { bin_size: vec![6.0], ..GridOptions::default() };
    let grid = PlaceGrid::from_positions(&samples, 1, &options).unwrap();
    let data = EncodingData { samples, axes: 1, weights: Vec::new(), trains };
    let settings = Settings {
        kind: Likelihood::Sorted,
        bin_size: vec![6.0],
        position_std: vec![12.0],
        waveform_std: vec![24.0],
        rate_units: RateUnits::Samples,
    };
    let model = EncodingModel::fit(CpuLevel::detect(), data, (grid, None), &settings).unwrap();
    let (shape, expected) = fixture::stored("real/sorted_expected.npz", "log_likelihood");
    assert_eq!(shape, [decoding.len(), model.bins()]);
    let mut found = vec![0.0; expected.len()];
    SortedLikelihood::new(&model, 1.0).rows(&rows, 0, &mut found);
    fixture::assert_close("real", &found, &expected, (1e-4, 3e-6));
}

/// One unit with weighted samples and spikes on two bins.
fn weighted(rate_units: RateUnits) -> EncodingModel {
    let grid = PlaceGrid::from_edges(vec![vec![0.0, 1.0, 2.0]], vec![true; 2]).unwrap();
    let unit = EncodingTrain {
        name: "u".into(),
        positions: vec![0.5, 1.5],
        weights: vec![2.0, 0.5],
        ..Default::default()
    };
    let data = EncodingData {
        samples: vec![0.0, 1.0, 2.0],
        axes: 1,
        weights: vec![1.0, 3.0, 0.0],
        trains: vec![unit],
    };
    let settings = Settings {
        kind: Likelihood::Sorted,
        bin_size: vec![1.0],
        position_std: vec![1.0],
        waveform_std: vec![1.0],
        rate_units,
    };
    EncodingModel::fit(CpuLevel::detect(), data, (grid, None), &settings).unwrap()
}

#[test]
fn weights_of_samples_and_spikes_count() {
    let model = weighted(RateUnits::Samples);
    let k = |x: f64| (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt();
    let occupancy = (k(0.5) + 3.0 * k(0.5)) / 4.0;
    let marginal = (2.0 * k(0.0) + 0.5 * k(1.0)) / 2.5;
    assert!((model.occupancy[0] - occupancy).abs() < 1e-15);
    assert!((model.trains[0].rate - 2.5 / 4.0).abs() < 1e-15);
    let expected = 2.5 / 4.0 * marginal / occupancy;
    assert!((model.trains[0].field[0] - expected).abs() < 1e-14);
    // At a bin's centre the local form is the field of that bin.
    let local = SortedLocal::new(CpuLevel::detect(), &model, 2, 1.0);
    let found = local.rows(&[vec![1]], 0, &[0.5, 0.5]);
    assert!((found[0] + expected).abs() < 1e-14 && (found[1] - expected.ln() + expected).abs() < 1e-14);
}

#[test]
fn rates_per_second_are_multiplied_by_the_width_of_the_bin() {
    let (per_sample, per_second) =
        (weighted(RateUnits::Samples), weighted(RateUnits::Seconds { sample_period: 0.1 }));
    let (mut a, mut b) = ([0.0; 2], [0.0; 2]);
    SortedLikelihood::new(&per_sample, 0.02).rows(&[vec![0]], 0, &mut a);
    SortedLikelihood::new(&per_second, 0.02).rows(&[vec![0]], 0, &mut b);
    let field = &per_sample.trains[0].field;
    for bin in 0..2 {
        assert!((a[bin] - (field[bin].ln() - field[bin])).abs() < 1e-14);
        assert!((b[bin] - ((10.0 * field[bin]).ln() - 10.0 * field[bin] * 0.02)).abs() < 1e-14);
    }
    let local = SortedLocal::new(CpuLevel::detect(), &per_second, 1, 0.02);
    assert!((local.rows(&[vec![0]], 0, &[0.5])[0] - b[0]).abs() < 1e-14);
}
