//! Which epochs train and which test: scikit-learn's stratified shuffle split and contiguous
//! folds, bit for bit (spec autoreject 3.2, 3.3).
//!
//! Rows are counted from 0; classes lie one after the other, so class 1 of a split over originals
//! and predictions holds the predictions.

use super::legacy_random::LegacyRandom;
use crate::error::{Error, Result};
use std::ops::Range;

/// Share of the rows that test.
const TEST_SHARE: f64 = 0.2;

/// One division of the rows, both lists in the order they were drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// Rows that train.
    pub train: Vec<usize>,
    /// Rows that test: a fifth, rounded up.
    pub test: Vec<usize>,
}

/// `splits` random divisions, each with every class in its share on both sides (spec 3.2).
///
/// `counts` are the members per class. One stream from `seed` makes all of them, so fewer splits
/// are the first of more.
///
/// # Errors
/// A class of one member, or fewer rows on a side than classes.
pub fn stratified(counts: &[usize], splits: usize, seed: u32) -> Result<Vec<Split>> {
    let rows: usize = counts.iter().sum();
    let tested = (TEST_SHARE * rows as f64).ceil() as usize;
    let trained = rows.saturating_sub(tested);
    let refuse = |found: String, expected: String| {
        Err(Error::data("epochs of the threshold search", found, expected, "give more epochs"))
    };
    if let Some(&few) = counts.iter().find(|&&count| count < 2) {
        return refuse(format!("{few} epochs"), "at least 2 (2 rows of each class)".into());
    }
    if counts.is_empty() || tested.min(trained) < counts.len() {
        let found = format!("{rows} rows: {trained} train and {tested} test");
        return refuse(found, format!("at least {} of each", counts.len().max(1)));
    }
    let mut random = LegacyRandom::new(seed);
    Ok((0..splits).map(|_| draw(counts, trained, tested, &mut random)).collect())
}

fn draw(counts: &[usize], trained: usize, tested: usize, random: &mut LegacyRandom) -> Split {
    let train_shares = shares(counts, trained, random);
    let left: Vec<usize> = counts.iter().zip(&train_shares).map(|(c, n)| c - n).collect();
    let test_shares = shares(&left, tested, random);
    let (mut train, mut test) = (Vec::with_capacity(trained), Vec::with_capacity(tested));
    let mut first = 0;
    for ((&count, &n), &t) in counts.iter().zip(&train_shares).zip(&test_shares) {
        let order = random.permutation(count);
        train.extend(order.iter().take(n).map(|p| first + p));
        test.extend(order.iter().skip(n).take(t).map(|p| first + p));
        first += count;
    }
    random.shuffle(&mut train);
    random.shuffle(&mut test);
    Split { train, test }
}

/// `total` rows handed to the classes by their counts: whole shares first, what is missing to the
/// largest remainders, by lot among equal ones.
fn shares(counts: &[usize], total: usize, random: &mut LegacyRandom) -> Vec<usize> {
    let sum: usize = counts.iter().sum();
    let exact: Vec<f64> = counts.iter().map(|&c| c as f64 / sum as f64 * total as f64).collect();
    let mut shares: Vec<usize> = exact.iter().map(|e| e.floor() as usize).collect();
    let rests: Vec<f64> = exact.iter().map(|e| e - e.floor()).collect();
    let mut distinct = rests.clone();
    distinct.sort_by(|a, b| b.total_cmp(a));
    distinct.dedup();
    let mut missing = total.saturating_sub(shares.iter().sum());
    for rest in distinct {
        if missing == 0 {
            break;
        }
        let tied: Vec<usize> = (0..counts.len()).filter(|&class| rests[class] == rest).collect();
        let more = tied.len().min(missing);
        for class in random.choice(&tied, more) {
            shares[class] += 1;
        }
        missing -= more;
    }
    shares
}

/// Test blocks of `k` contiguous folds over `n` epochs; the first `n mod k` are one longer
/// (spec 3.3). What is not in a block trains for it.
///
/// # Errors
/// Fewer epochs than folds, or fewer than two folds.
pub fn folds(n: usize, k: usize) -> Result<Vec<Range<usize>>> {
    if k < 2 {
        return Err(Error::usage(format!("--cv {k}: at least 2 folds are needed")));
    }
    if n < k {
        let (found, expected) = (format!("{n} epochs"), format!("at least {k}, one per fold"));
        return Err(Error::data("epochs of the cross-validation", found, expected, "give a smaller --cv"));
    }
    let (length, longer) = (n / k, n % k);
    let start = |fold: usize| fold * length + fold.min(longer);
    Ok((0..k).map(|fold| start(fold)..start(fold + 1)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fewer_epochs_than_folds_are_refused() {
        let message = folds(3, 5).unwrap_err().to_string();
        let expected = "epochs of the cross-validation: found 3 epochs, expected at least 5, one per fold; \
                        give a smaller --cv";
        assert_eq!(message, expected);
        assert!(folds(5, 1).is_err() && folds(0, 2).is_err());
        assert_eq!(folds(5, 5).unwrap(), [0..1, 1..2, 2..3, 3..4, 4..5]);
        assert_eq!(folds(8, 3).unwrap(), [0..3, 3..6, 6..8]);
    }

    #[test]
    fn a_class_of_one_epoch_is_refused() {
        let message = stratified(&[1, 1], 10, 0).unwrap_err().to_string();
        assert!(message.contains("found 1 epochs"), "{message}");
        assert!(stratified(&[1], 10, 0).is_err() && stratified(&[], 10, 0).is_err());
    }

    #[test]
    fn a_test_side_smaller_than_the_classes_is_refused() {
        // 2 epochs with predictions: 4 rows, 1 of them tests, but there are 2 classes.
        let message = stratified(&[2, 2], 10, 0).unwrap_err().to_string();
        assert!(message.contains("4 rows: 3 train and 1 test"), "{message}");
        assert!(stratified(&[2], 10, 0).is_ok() && stratified(&[3, 3], 10, 0).is_ok());
    }

    #[test]
    fn both_sides_hold_every_row_once_and_the_classes_in_their_shares() {
        for n in 3..40 {
            for split in stratified(&[n, n], 10, n as u32).unwrap() {
                let mut rows = [split.train.clone(), split.test.clone()].concat();
                rows.sort_unstable();
                assert_eq!(rows, (0..2 * n).collect::<Vec<_>>());
                let predicted = split.test.iter().filter(|&&r| r >= n).count();
                assert!(predicted.abs_diff(split.test.len() - predicted) <= 1, "{n}: {split:?}");
            }
        }
    }

    #[test]
    fn fewer_splits_are_the_first_of_more() {
        let ten = stratified(&[21, 21], 10, 5).unwrap();
        assert_eq!(stratified(&[21, 21], 3, 5).unwrap(), ten[..3]);
    }
}
