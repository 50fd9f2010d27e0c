//! The searches over tables that are not ordinary.

use super::*;

fn table<'a>(candidates: &'a [f64], loss: &'a [f64]) -> LossTable<'a> {
    LossTable { candidates, loss }
}

#[test]
fn ties_go_to_the_smallest_threshold() {
    let (candidates, loss) = ([1e-5, 2e-5, 2e-5, 3e-5, 4e-5], [3e-6, 1e-6, 1e-6, 2e-6, 1e-6]);
    for found in [exact(&table(&candidates, &loss)), bayesian(&table(&candidates, &loss), 40)] {
        let found = found.unwrap();
        assert_eq!((found.threshold, found.loss, found.optimum), (2e-5, 1e-6, 1e-6));
    }
}

#[test]
fn the_initial_grid_has_even_steps_and_the_last_candidate() {
    let values: Vec<f64> = (0..1000).map(f64::from).collect();
    let grid = |n: usize, points| table(&values[..n], &values[..n]).grid(points);
    assert_eq!(grid(3, 40), [0, 1, 2]);
    assert_eq!(grid(39, 40), (0..39).collect::<Vec<_>>());
    assert_eq!(grid(40, 40).len(), 40);
    assert_eq!(grid(41, 40).len(), 41);
    assert_eq!(grid(64, 40)[..6], [0, 1, 3, 4, 6, 8]);
    assert_eq!(grid(1, 40), [0]);
    assert_eq!(grid(32, 5), [0, 6, 12, 19, 25, 31]);
}

#[test]
fn a_constant_channel_is_searched() {
    // Originals all 0, predictions not: N zeros among the candidates.
    let mut candidates = vec![0.0; 60];
    candidates.extend((0..60).map(|i| 1e-6 * f64::from(i + 1)));
    let loss: Vec<f64> = candidates.iter().map(|c| (c - 2e-5).abs() + 1e-7).collect();
    let found = bayesian(&table(&candidates, &loss), 40).unwrap();
    assert!(found.loss <= found.initial_best && found.visited.len() == 51);
    let found = bayesian(&table(&[0.0; 50], &[1e-6; 50]), 40).unwrap();
    assert_eq!((found.threshold, found.loss), (0.0, 1e-6));
}

#[test]
fn in_tesla_the_kernel_is_one_and_all_iterations_hit_the_first_candidate() {
    let candidates: Vec<f64> = (0..120).map(|i| 1e-12 + 1e-14 * f64::from(i)).collect();
    let loss: Vec<f64> = (0..120).map(|i| 1e-13 * (f64::from(i) - 71.5).abs()).collect();
    let found = bayesian(&table(&candidates, &loss), 40).unwrap();
    assert_eq!(found.visited[found.visited.len() - 10..], [0; 10]);
    assert_eq!(found.loss, found.initial_best);
}

#[test]
fn infinite_losses_are_skipped_and_alone_refused() {
    let candidates: Vec<f64> = (0..20).map(|i| 1e-5 * f64::from(i + 1)).collect();
    let mut loss: Vec<f64> = (0..20).map(|i| 1e-6 * f64::from(30 - i)).collect();
    loss[..4].fill(f64::INFINITY);
    let found = bayesian(&table(&candidates, &loss), 5).unwrap();
    assert!(found.loss.is_finite() && found.visited[..6] == [0, 4, 8, 12, 16, 19]);
    assert_eq!(exact(&table(&candidates, &loss)).unwrap().threshold, candidates[19]);
    let infinite = [f64::INFINITY; 20];
    for result in [bayesian(&table(&candidates, &infinite), 5), exact(&table(&candidates, &infinite))] {
        let message = result.unwrap_err().to_string();
        assert!(message.starts_with("threshold search: found 20 candidates, each with a fold"), "{message}");
    }
    // Finite only off the initial grid: the Bayesian search cannot begin.
    let mut hidden = infinite;
    hidden[1] = 1e-6;
    let message = bayesian(&table(&candidates, &hidden), 5).unwrap_err().to_string();
    assert!(message.contains("no finite loss among 6 initial candidates"), "{message}");
    assert!(exact(&table(&[], &[])).is_err() && random(&table(&[], &[]), 1).is_err());
}

#[test]
fn an_infinite_loss_met_on_the_way_ends_the_search() {
    let candidates: Vec<f64> = (0..200).map(|i| 1e-6 * f64::from(i + 1)).collect();
    let grid = table(&candidates, &candidates).grid(5);
    let loss: Vec<f64> = (0..200).map(|i| if grid.contains(&i) { 1e-6 } else { f64::INFINITY }).collect();
    let found = bayesian(&table(&candidates, &loss), 5).unwrap();
    assert!(found.visited.len() <= 16 && found.loss == 1e-6);
}

#[test]
fn random_thresholds_may_lie_over_every_candidate() {
    let (candidates, loss) = ([3.0, 4.0], [2.0, 1.0]);
    let found = random(&table(&candidates, &loss), 42).unwrap();
    // The first draw of seed 42 is 0.3745...; the range is [3, 3 + 4], and the first of equals wins.
    assert_eq!(found.threshold, 0.3745401188473625 * 4.0 + 3.0);
    assert!(found.threshold > 4.0 && found.visited.len() == 20);
}

#[test]
fn losses_out_of_step_with_candidates_are_refused() {
    assert!(exact(&table(&[1.0, 2.0], &[1.0])).is_err());
}
