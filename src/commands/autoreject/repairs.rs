//! Which channels of which epochs are predicted from which others (spec autoreject 4, 9).

use crate::backend::CpuLevel;
use crate::kernels::epochs::{COLUMNS, Predictor, copy_rows, gather};
use crate::kernels::spline::{RepairWeights, Spline};
use rayon::prelude::*;
use std::collections::HashMap;
use std::ops::Range;

/// Label of a channel that is repaired.
pub const REPAIRED: u8 = 2;

/// How the channels of one group can be repaired.
#[derive(Debug)]
pub enum Means {
    /// By spherical splines of all channels of the group (EEG).
    Spline(Spline),
    /// Repair leaves the samples as they are (ecog, seeg, hbo, hbr; spec autoreject 1).
    Unchanged,
}

/// One set of repaired channels with its weights.
#[derive(Debug)]
pub struct Repair {
    /// Repaired channels, ascending, positions within the group.
    pub bad: Vec<usize>,
    /// Their sources, ascending.
    pub good: Vec<usize>,
    predictor: Predictor,
}

impl Repair {
    fn new(spline: &Spline, bad: Vec<usize>) -> Self {
        let weights = spline.repair_weights(&bad);
        Repair::with_weights(bad, weights)
    }

    /// The channels `bad` from the sources and by the weights of `weights`.
    pub fn with_weights(bad: Vec<usize>, weights: RepairWeights) -> Self {
        let RepairWeights { good, values } = weights;
        let predictor = Predictor::new(&values, bad.len(), good.len());
        Repair { bad, good, predictor }
    }

    /// Weights `[bad][good]`.
    pub fn weights(&self) -> Vec<f64> {
        self.predictor.weights()
    }

    /// Predicts the repaired channels, `[bad][sample]`, for some samples of one epoch, whose
    /// channels lie in `epoch` with `stride` values each.
    pub fn predict(
        &self,
        level: CpuLevel,
        (epoch, stride): (&[f64], usize),
        samples: Range<usize>,
        scratch: &mut Scratch,
    ) -> Vec<f64> {
        let wanted = samples.len();
        let mut predicted = vec![0.0; self.bad.len() * wanted];
        let Scratch { starts, from, to } = scratch;
        from.resize(self.good.len() * COLUMNS, 0.0);
        to.resize(self.bad.len() * COLUMNS, 0.0);
        for first in samples.clone().step_by(COLUMNS) {
            let count = COLUMNS.min(samples.end - first);
            starts.clear();
            starts.extend(self.good.iter().map(|good| good * stride + first));
            if count == COLUMNS {
                gather(level, epoch, starts, COLUMNS, from);
            } else {
                for (&start, from) in starts.iter().zip(from.chunks_exact_mut(COLUMNS)) {
                    from[..count].copy_from_slice(&epoch[start..start + count]);
                    from[count..].fill(0.0);
                }
            }
            self.predictor.product(level, (from, COLUMNS), (to, COLUMNS), COLUMNS);
            let done = first - samples.start;
            let rows = (&mut predicted[done..], wanted);
            copy_rows(level, (to, COLUMNS), rows, self.bad.len(), count);
        }
        predicted
    }
}

/// Room for [`Repair::predict`].
#[derive(Debug, Default)]
pub struct Scratch {
    starts: Vec<usize>,
    from: Vec<f64>,
    to: Vec<f64>,
}

/// The repairs of all epochs for one set of labels; equal sets share their weights.
#[derive(Debug, Default)]
pub struct Repairs {
    sets: Vec<Repair>,
    /// Per epoch: its set.
    of_epoch: Vec<Option<u32>>,
}

impl Repairs {
    /// Weights for each epoch of `labels` `[epoch][channel]`.
    pub fn new(means: &Means, labels: &[u8], channels: usize) -> Self {
        let Means::Spline(spline) = means else { return Repairs::none(labels.len() / channels.max(1)) };
        let mut known: HashMap<Vec<usize>, u32> = HashMap::new();
        let mut sets: Vec<Vec<usize>> = Vec::new();
        let of_epoch = labels
            .chunks_exact(channels.max(1))
            .map(|labels| {
                let bad: Vec<usize> = (0..channels).filter(|&c| labels[c] == REPAIRED).collect();
                if bad.is_empty() {
                    return None;
                }
                Some(*known.entry(bad).or_insert_with_key(|bad| {
                    sets.push(bad.clone());
                    sets.len() as u32 - 1
                }))
            })
            .collect();
        let sets = sets.into_par_iter().map(|bad| Repair::new(spline, bad)).collect();
        Repairs { sets, of_epoch }
    }

    /// No repairs at all.
    pub fn none(epochs: usize) -> Self {
        Repairs { sets: Vec::new(), of_epoch: vec![None; epochs] }
    }

    /// The same repair in every epoch.
    pub fn same(repair: Repair, epochs: usize) -> Self {
        Repairs { sets: vec![repair], of_epoch: vec![Some(0); epochs] }
    }

    /// The distinct repairs.
    pub fn sets(&self) -> &[Repair] {
        &self.sets
    }

    /// Which of [`Repairs::sets`] one epoch has, if any.
    pub fn set_of(&self, epoch: usize) -> Option<usize> {
        self.of_epoch.get(epoch).copied().flatten().map(|set| set as usize)
    }

    /// The repair of one epoch, if it has any.
    pub fn of(&self, epoch: usize) -> Option<&Repair> {
        self.of_epoch.get(epoch).copied().flatten().map(|set| &self.sets[set as usize])
    }
}
