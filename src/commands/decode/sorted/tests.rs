use super::*;
use crate::commands::decode::encoding::{EncodingData, EncodingTrain, Likelihood, RateUnits, Settings};
#[cfg(feature = "hdf5")]
use crate::commands::decode::fixture;
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
    }
}

/// One unit with weighted samples and spikes on two bins.
fn weighted(rate_units: RateUnits) -> EncodingModel {
    let grid = PlaceGrid::from_edges(vec![vec![0.0, 1.0, 2.0]], vec![true; 2]).unwrap();
    let unit = EncodingTrain {
        name: "u".into(),
        positions: vec![0.5, 1.5].into(),
        weights: vec![2.0, 0.5].into(),
        ..Default::default()
    };
    let data = EncodingData {
        samples: vec![0.0, 1.0, 2.0],
        axes: 1,
        weights: vec![1.0, 3.0, 0.0],
        trains: vec![unit],
        beside: None,
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
    let field = per_sample.trains[0].field[0];
    assert!((per_second.trains[0].field[0] - 10.0 * field).abs() < 1e-14);
    let local = SortedLocal::new(CpuLevel::detect(), &per_second, 1, 0.02);
    let expected = (10.0 * field).ln() - 10.0 * field * 0.02;
    assert!((local.rows(&[vec![0]], 0, &[0.5])[0] - expected).abs() < 1e-14);
}
