//! Losses of all prefixes of sorted rows, and what they say of every candidate threshold.

use super::order::{FoldRows, Order};

/// Sums of squares of every prefix of the train rows, of every channel and fold.
pub struct Losses {
    /// One per channel, or a single one for all.
    orders: Vec<Order>,
    /// `[channel][fold][prefix]`.
    losses: Vec<f64>,
    channels: usize,
    folds: usize,
    /// Room per fold.
    room: usize,
    /// Samples that were added up.
    samples: usize,
}

impl Losses {
    /// `losses` is `[channel][fold][room]`, added up over `samples` samples.
    pub fn new(
        orders: Vec<Order>,
        losses: Vec<f64>,
        [channels, folds, room]: [usize; 3],
        samples: usize,
    ) -> Self {
        Losses { orders, losses, channels, folds, room, samples }
    }

    /// Channels.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Losses of all candidates of one channel: sorted thresholds and the mean loss over folds;
    /// `least` keeps at least the smallest train row (spec autoreject 6), otherwise an empty
    /// train set is infinite (spec autoreject 8).
    pub fn candidates(&self, channel: usize, ptp: &[f64], least: bool) -> (Vec<f64>, Vec<f64>) {
        let order = &self.orders[channel];
        let sorted: Vec<f64> = order.rows.iter().map(|&row| ptp[row as usize]).collect();
        let scale = self.samples as f64;
        let losses = &self.losses[channel * self.folds * self.room..][..self.folds * self.room];
        let loss = mean_losses(&sorted, order, (losses, self.room, scale), least);
        (sorted, loss)
    }

    /// Like [`Losses::candidates`], over all channels together.
    pub fn candidates_of_all(&self, ptp: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let order = &self.orders[0];
        let sorted: Vec<f64> = order.rows.iter().map(|&row| ptp[row as usize]).collect();
        let scale = (self.samples * self.channels) as f64;
        let loss = mean_losses(&sorted, order, (&self.sums(), self.room, scale), false);
        (sorted, loss)
    }

    /// Losses of one threshold over all channels together, per fold; infinite where no train row
    /// is kept.
    pub fn losses_of_all_at(&self, ptp: &[f64], threshold: f64) -> Vec<f64> {
        let order = &self.orders[0];
        let (sums, scale) = (self.sums(), (self.samples * self.channels) as f64);
        let kept = |fold: &FoldRows| {
            fold.train.partition_point(|&at| ptp[order.rows[at as usize] as usize] <= threshold)
        };
        let folds = order.folds.iter().zip(sums.chunks_exact(self.room.max(1)));
        folds
            .map(|(fold, sums)| match kept(fold) {
                0 => f64::INFINITY,
                kept => (sums[kept - 1] / scale).sqrt(),
            })
            .collect()
    }

    /// Losses `[fold][prefix]` added over channels.
    fn sums(&self) -> Vec<f64> {
        let mut sums = vec![0.0; self.folds * self.room];
        for losses in self.losses.chunks_exact((self.folds * self.room).max(1)) {
            sums.iter_mut().zip(losses).for_each(|(sum, loss)| *sum += loss);
        }
        sums
    }
}

/// Mean over folds of the root of the mean squared difference, for each of the `sorted` candidates.
fn mean_losses(
    sorted: &[f64],
    order: &Order,
    (losses, room, scale): (&[f64], usize, f64),
    least: bool,
) -> Vec<f64> {
    let mut mean = vec![0.0; sorted.len()];
    for (fold, losses) in order.folds.iter().zip(losses.chunks_exact(room.max(1))) {
        let roots: Vec<f64> = losses[..fold.train.len()].iter().map(|l| (l / scale).sqrt()).collect();
        // Train rows at or below the candidate; candidates that tie enter together.
        let mut kept = 0;
        for (mean, &candidate) in mean.iter_mut().zip(sorted) {
            while kept < fold.train.len()
                && (sorted[fold.train[kept] as usize] <= candidate || (least && kept == 0))
            {
                kept += 1;
            }
            // With the smallest row alone, all rows that tie with it are kept.
            if least && kept > 0 {
                let smallest = sorted[fold.train[0] as usize];
                while kept < fold.train.len() && sorted[fold.train[kept] as usize] <= smallest {
                    kept += 1;
                }
            }
            *mean += if kept == 0 { f64::INFINITY } else { roots[kept - 1] };
        }
    }
    mean.iter_mut().for_each(|m| *m /= order.folds.len() as f64);
    mean
}
