//! Tables of losses by their definition, for splits whose losses are not stored.

use crate::common::Array;
use crate::sets::{Set, ptp};
use nissl::commands::autoreject::search::LossTable;
use nissl::commands::autoreject::votes::fold_mean;
use nissl::kernels::spline::Spline;
use nissl::kernels::splits::{Split, stratified};

/// Rows `[channel][row][sample]` of the originals and, if `augmented`, of their predictions from
/// all other channels: the definition, one product per value.
pub fn rows_by_channel(set: &Set, augmented: bool) -> Vec<Vec<Vec<f64>>> {
    let (data, [epochs, channels, samples]) = (set.file("epochs").values, set.shape());
    let row = |e: usize, c: usize| &data[(e * channels + c) * samples..][..samples];
    let weights = Spline::new(&set.positions()).unwrap().leave_one_out();
    let predicted = |e: usize, c: usize| {
        let mut sum = vec![0.0; samples];
        for source in 0..channels {
            let weight = weights[c * channels + source];
            sum.iter_mut().zip(row(e, source)).for_each(|(sum, value)| *sum += weight * value);
        }
        sum
    };
    let of_channel = |c: usize| {
        let mut rows: Vec<Vec<f64>> = (0..epochs).map(|e| row(e, c).to_vec()).collect();
        if augmented {
            rows.extend((0..epochs).map(|e| predicted(e, c)));
        }
        rows
    };
    (0..channels).map(of_channel).collect()
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    (values[(values.len() - 1) / 2] + values[values.len() / 2]) / 2.0
}

/// Candidates and losses of one channel, each candidate scored by itself over a sorted prefix.
pub struct Table {
    pub candidates: Vec<f64>,
    pub loss: Vec<f64>,
}

impl Table {
    pub fn of(rows: &[Vec<f64>], splits: &[Split]) -> Table {
        let d: Vec<f64> = rows.iter().map(|row| ptp(row)).collect();
        let mut candidates = d.clone();
        candidates.sort_by(f64::total_cmp);
        let folds: Vec<Vec<f64>> =
            splits.iter().map(|split| fold_losses(rows, &d, split, &candidates)).collect();
        let mean = |i: usize| fold_mean(&folds.iter().map(|fold| fold[i]).collect::<Vec<_>>());
        let loss = (0..candidates.len()).map(mean).collect();
        Table { candidates, loss }
    }

    pub fn view(&self) -> LossTable<'_> {
        LossTable { candidates: &self.candidates, loss: &self.loss }
    }
}

fn fold_losses(rows: &[Vec<f64>], d: &[f64], split: &Split, candidates: &[f64]) -> Vec<f64> {
    let samples = rows[0].len();
    let middle: Vec<f64> = (0..samples)
        .map(|t| median(&mut split.test.iter().map(|&r| rows[r][t]).collect::<Vec<_>>()))
        .collect();
    let mut order = split.train.clone();
    order.sort_by(|&a, &b| d[a].total_cmp(&d[b]));
    let mut sum = vec![0.0; samples];
    let by_count: Vec<f64> = order
        .iter()
        .enumerate()
        .map(|(k, &r)| {
            sum.iter_mut().zip(&rows[r]).for_each(|(sum, value)| *sum += value);
            let off = |(s, m): (&f64, &f64)| (s / (k + 1) as f64 - m).powi(2);
            (sum.iter().zip(&middle).map(off).sum::<f64>() / samples as f64).sqrt()
        })
        .collect();
    let kept = |&tau: &f64| order.iter().filter(|&&r| d[r] <= tau).count().max(1);
    // The least train row and its ties are always kept.
    let least = order.iter().filter(|&&r| d[r] <= d[order[0]]).count();
    candidates.iter().map(|tau| by_count[kept(tau).max(least) - 1]).collect()
}

pub fn column(array: &Array, index: usize) -> Vec<f64> {
    array.values.chunks_exact(array.shape[1]).map(|row| row[index]).collect()
}

/// Tables of all channels for the splits of `seed`.
pub fn tables(set: &Set, rows: &[Vec<Vec<f64>>], seed: u32, augmented: bool) -> Vec<Table> {
    let [epochs, ..] = set.shape();
    let counts = vec![epochs; if augmented { 2 } else { 1 }];
    let splits = stratified(&counts, 10, seed).unwrap();
    rows.iter().map(|rows| Table::of(rows, &splits)).collect()
}
