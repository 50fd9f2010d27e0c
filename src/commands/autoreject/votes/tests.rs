//! The traps of votes, labels and grids.

use super::*;

#[test]
fn a_value_at_its_threshold_does_not_vote() {
    assert_eq!(votes(&[1.0, 2.0, 1.5, 1.9], &[1.0, 1.9]), [0, 1, 1, 0]);
    assert_eq!(bad_counts(&[0, 1, 1, 0, 1, 1], 2), [1, 1, 2]);
    assert!(votes(&[], &[]).is_empty() && bad_counts(&[], 0).is_empty());
}

#[test]
fn of_equal_values_the_channel_further_back_is_repaired_first() {
    let mut labels = vec![1, 1, 1, 0, 1];
    step(&mut labels, &[5.0, 7.0, 7.0, 9.0, 5.0], 5, 1);
    assert_eq!(labels, [1, 1, 2, 0, 1]);
    let mut labels = vec![1, 1, 1, 0, 1];
    step(&mut labels, &[5.0, 7.0, 7.0, 9.0, 5.0], 5, 3);
    assert_eq!(labels, [1, 2, 2, 0, 2]);
}

#[test]
fn a_repaired_channel_counts_twice_in_the_next_step() {
    let ptp = [4.0, 3.0, 2.0, 1.0];
    // Three bad: rho 1 repairs the largest; then 2 + 1 + 1 = 4 is at most 4, so all are repaired.
    assert_eq!(carried(&[1, 1, 1, 0], &ptp, 4, &[1, 4]), [[2, 1, 1, 0], [2, 2, 2, 0]]);
    // rho 3: the sum 4 is above it, but only two are still bad.
    assert_eq!(carried(&[1, 1, 1, 0], &ptp, 4, &[1, 3])[1], [2, 2, 2, 0]);
    // Four bad with 1 then 2: three repaired, where fresh labels have two.
    assert_eq!(carried(&[1; 4], &ptp, 4, &[1, 2])[1], [2, 2, 2, 1]);
    assert_eq!(fresh(&[1; 4], &ptp, 4, &[1, 2]), [[2, 1, 1, 1], [2, 2, 1, 1]]);
}

#[test]
fn the_order_of_the_n_interpolate_grid_matters() {
    let ptp = [4.0, 3.0, 2.0, 1.0];
    assert_eq!(carried(&[1; 4], &ptp, 4, &[2, 1])[1], [2, 2, 2, 1]);
    assert_eq!(carried(&[1; 4], &ptp, 4, &[2, 1])[0], [2, 2, 1, 1]);
}

#[test]
fn no_epoch_bad_and_nothing_to_repair_leave_labels_alone() {
    let mut labels = vec![0; 6];
    step(&mut labels, &[1.0; 6], 3, 2);
    assert_eq!(labels, [0; 6]);
    let mut labels = vec![1, 0, 1];
    step(&mut labels, &[1.0; 3], 3, 0);
    assert_eq!(labels, [1, 0, 1]);
    step(&mut labels, &[1.0; 3], 3, -1);
    assert_eq!(labels, [1, 0, 1]);
}

#[test]
fn all_channels_bad_may_all_be_repaired() {
    let mut labels = vec![1; 4];
    step(&mut labels, &[1.0; 4], 4, 5);
    assert_eq!(labels, [2; 4]);
}

#[test]
fn consensus_times_channels_is_compared_in_float64() {
    let third = default_consensus()[3];
    assert_eq!(third, 0.30000000000000004);
    assert_eq!(bad_epochs(&[2, 3, 4], third, 10), [false, false, true]);
    assert_eq!(bad_epochs(&[2, 3, 4], 0.3, 10), [false, true, true]);
    assert_eq!(bad_epochs(&[0, 1], 0.0, 10), [true, true]);
}

#[test]
fn the_first_least_mean_loss_is_chosen() {
    let infinite = f64::INFINITY;
    let loss = [infinite, 1.0, 3.0, 1.0, 2.0, 2.0, 1.0, infinite];
    assert_eq!(choice(&loss, (2, 2, 2)), (0, 1));
    assert_eq!(choice(&[infinite; 12], (3, 2, 2)), (0, 0));
    assert_eq!(choice(&[5.0, 1.0, 4.0, 1.0], (4, 1, 1)), (1, 0));
}

#[test]
fn means_are_added_in_numpys_order() {
    // numpy.mean of these: pairwise from eight values on.
    let values: Vec<f64> = (0..10).map(|i| 0.1 * f64::from(i) + 1.0 / 3.0).collect();
    assert_eq!(fold_mean(&values), 0.7833333333333333);
    let values: Vec<f64> = (0..300).map(|i| (f64::from(i) * 0.7).sqrt()).collect();
    assert_eq!(fold_mean(&values), 9.636192478204075);
    assert_eq!(fold_mean(&[1.0, 2.0, 6.0]), 3.0);
}

#[test]
fn grids_are_numpys() {
    let default = default_consensus();
    assert_eq!(default[6..8], [0.6000000000000001, 0.7000000000000001]);
    assert_eq!(linspace(0.0, 1.0, 11).unwrap(), default);
    assert_eq!(linspace(0.2, 0.9, 4).unwrap(), [0.2, 0.43333333333333335, 0.6666666666666666, 0.9]);
    assert_eq!(linspace(0.5, 0.5, 3).unwrap(), [0.5; 3]);
    assert_eq!(linspace(0.3, 0.9, 1).unwrap(), [0.3]);
    for (start, stop, count) in
        [(0.0, 1.0, 0), (0.0, 1.0, 2000), (0.0, f64::NAN, 3), (-f64::MAX, f64::MAX, 3)]
    {
        assert!(linspace(start, stop, count).is_err());
    }
}

#[test]
fn the_default_n_interpolate_grid_needs_four_picks() {
    assert_eq!(default_n_interpolate(128).unwrap(), [1, 4, 32]);
    assert_eq!(default_n_interpolate(32).unwrap(), [1, 4, 31]);
    assert_eq!(default_n_interpolate(4).unwrap(), [1, 4, 3]);
    let message = default_n_interpolate(3).unwrap_err().to_string();
    assert!(message.starts_with("channels: found 3 picks, expected at least 4"), "{message}");
}
