//! The identities against the definition, and places that are not ordinary.

use super::*;

/// Places spread over the upper head, metres.
fn head(n: usize) -> Vec<[f64; 3]> {
    let place = |i: usize| {
        let (turn, height) = (2.399963 * i as f64, (i as f64 + 0.5) / n as f64);
        let ring = (1.0 - height * height).sqrt();
        [0.09 * ring * turn.cos(), 0.1 * ring * turn.sin() - 0.01, 0.095 * height + 0.04]
    };
    (0..n).map(place).collect()
}

fn assert_near(got: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(got.len(), expected.len());
    for (at, (a, b)) in got.iter().zip(expected).enumerate() {
        assert!((a - b).abs() <= tolerance, "at {at}: {a:e} instead of {b:e}");
    }
}

#[test]
fn the_one_inverse_gives_the_definitions_weights() {
    for n in [3, 10, 33] {
        let spline = Spline::new(&head(n)).unwrap();
        for count in 1..n {
            let bad: Vec<usize> = (0..count).map(|i| (i * 7 + 2) % n).collect();
            if (1..count).any(|i| bad[..i].contains(&bad[i])) {
                continue;
            }
            let repair = spline.repair_weights(&bad);
            let definition = spline.kernel().mapping_by_pseudo_inverse(&repair.good, &bad);
            assert_near(&repair.values, &definition, 1e-9);
            assert_near(&spline.mapping(&repair.good, &bad), &definition, 1e-9);
            for row in repair.values.chunks_exact(repair.good.len()) {
                assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-9);
            }
        }
    }
}

#[test]
fn leave_one_out_is_the_repair_of_each_alone() {
    let spline = Spline::new(&head(12)).unwrap();
    let all = spline.leave_one_out();
    for (k, row) in all.chunks_exact(12).enumerate() {
        assert_eq!(row[k], 0.0);
        let repair = spline.repair_weights(&[k]);
        let others: Vec<f64> = repair.good.iter().map(|&j| row[j]).collect();
        assert_near(&others, &repair.values, 1e-12);
    }
}

#[test]
fn no_source_leaves_no_weights() {
    let spline = Spline::new(&head(5)).unwrap();
    let repair = spline.repair_weights(&[0, 1, 2, 3, 4]);
    assert_eq!(repair, RepairWeights { good: vec![], values: vec![] });
    assert!(spline.mapping(&[], &[1, 2]).is_empty());
    assert!(spline.kernel().mapping_by_pseudo_inverse(&[], &[1, 2]).is_empty());
}

#[test]
fn one_source_is_copied() {
    let spline = Spline::new(&head(5)).unwrap();
    assert_eq!(spline.repair_weights(&[0, 1, 3, 4]), RepairWeights { good: vec![2], values: vec![1.0; 4] });
    assert_eq!(spline.mapping(&[2], &[0, 1]), [1.0, 1.0]);
    assert_near(&spline.kernel().mapping_by_pseudo_inverse(&[2], &[0, 1]), &[1.0, 1.0], 1e-9);
    assert_eq!(Spline::new(&head(2)).unwrap().leave_one_out(), [0.0, 1.0, 1.0, 0.0]);
}

#[test]
fn a_channel_alone_has_no_prediction() {
    let spline = Spline::new(&head(1)).unwrap();
    assert_eq!(spline.leave_one_out(), [0.0]);
    assert!(spline.repair_weights(&[0]).values.is_empty());
    assert!(Spline::new(&[]).unwrap().leave_one_out().is_empty());
}

#[test]
fn identical_positions_share_their_weight() {
    let mut positions = head(9);
    positions[6] = positions[1];
    let spline = Spline::new(&positions).unwrap();
    let repair = spline.repair_weights(&[3]);
    let weight = |channel| repair.values[repair.good.iter().position(|&g| g == channel).unwrap()];
    assert!((weight(6) - weight(1)).abs() < 1e-9, "{} and {}", weight(6), weight(1));
    assert_near(&repair.values, &spline.kernel().mapping_by_pseudo_inverse(&repair.good, &[3]), 1e-9);
}

#[test]
fn a_zero_position_has_cosine_zero_to_all() {
    let mut positions = head(9);
    positions[4] = [0.0; 3];
    let spline = Spline::new(&positions).unwrap();
    for other in 0..9 {
        assert_eq!(spline.kernel().at(4, other), green(0.0));
    }
    for bad in [vec![4], vec![0, 4], vec![1, 2]] {
        let repair = spline.repair_weights(&bad);
        assert_near(&repair.values, &spline.kernel().mapping_by_pseudo_inverse(&repair.good, &bad), 1e-9);
    }
}

#[test]
fn float32_positions_move_weights() {
    let rounded: Vec<[f64; 3]> = head(20).iter().map(|p| p.map(|c| f64::from(c as f32))).collect();
    let (exact, rounded) = (Spline::new(&head(20)).unwrap(), Spline::new(&rounded).unwrap());
    let moved = exact.leave_one_out().into_iter().zip(rounded.leave_one_out()).map(|(a, b)| (a - b).abs());
    assert!(moved.fold(0.0, f64::max) > 1e-9);
}

#[test]
fn a_position_that_is_no_number_and_too_many_channels_are_refused() {
    let mut positions = head(4);
    positions[2][1] = f64::NAN;
    let message = Spline::new(&positions).unwrap_err().to_string();
    assert!(message.starts_with("channel 2: found position ["), "{message}");
    let message = Spline::new(&vec![[0.1; 3]; 5000]).unwrap_err().to_string();
    assert!(message.contains("found 5000, expected at most 4096"), "{message}");
}

#[test]
fn a_sphere_is_found_and_points_on_the_face_left_out_of_the_head() {
    let centre = [0.001, -0.02, 0.03];
    let on_sphere = |[x, y, z]: [f64; 3]| {
        let [a, b, c] = kernel::on_unit_sphere(&[x, y, z]);
        [a * 0.09 + centre[0], b * 0.09 + centre[1], c * 0.09 + centre[2]]
    };
    let mut positions: Vec<[f64; 3]> = head(14).into_iter().map(on_sphere).collect();
    let sphere = fit_sphere(&positions);
    assert_near(&sphere.origin, &centre, 1e-14);
    assert!((sphere.radius - 0.09).abs() < 1e-14 && sphere.departure(&positions) < 1e-12);
    positions.push([0.0, 0.13, -0.05]);
    let repair = centred(&positions, &[3]).unwrap();
    assert_eq!(repair.points, 14);
    assert_near(&repair.sphere.origin, &centre, 1e-14);
    assert!(fit_sphere(&[]).radius.is_nan() && fit_sphere(&[[f64::NAN; 3]]).radius.is_nan());
    assert!(fit_sphere(&[[0.0; 3]; 5]).radius.is_finite());
}

#[test]
fn the_centred_repair_refuses_bad_channels_without_a_place_and_heads_of_few_points() {
    let mut positions = head(6);
    positions[1] = [0.0, 1e-17, 0.0];
    let message = centred(&positions, &[1]).unwrap_err().to_string();
    assert!(message.contains("bad channel 1: found position [0.0, 1e-17, 0.0]"), "{message}");
    let message = centred(&head(3), &[0]).unwrap_err().to_string();
    assert!(message.contains("found 3 electrodes above the face, expected at least 4"), "{message}");
}

#[test]
fn positions_beyond_all_measure_end_in_an_error() {
    let far = [[1e300, -1e299, 1e300], [1e300, 1e300, 1e298], [-1e300, 0.0, 1e300], [1e280, 1e300, 1e300]];
    let _ = fit_sphere(&far);
    assert!(centred(&far, &[1]).is_err());
}

#[test]
fn the_nearest_source_is_found() {
    let positions = [[0.0; 3], [0.03, 0.0, 0.0], [0.0, 0.04, 0.0], [0.03, 0.04, 0.0]];
    assert_eq!(nearest_source(&positions, &[0, 3], &[1, 2]), [Some((1, 0.03)), Some((2, 0.03))]);
    assert_eq!(nearest_source(&positions, &[0], &[3]), [Some((3, 0.05))]);
    assert_eq!(nearest_source(&positions, &[0], &[]), [None]);
}
