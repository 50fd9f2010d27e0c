//! The grid search in plain arrays, as devices take it.

use super::Grid;
use crate::kernels::epochs::gpu::{GridLists, RepairLists};

impl Grid<'_> {
    /// Epochs by fold and by the first consensus, ascending, at which they are good.
    pub fn lists(&self) -> GridLists {
        let limits: Vec<f64> =
            self.ascending().iter().map(|&k| self.consensus[k] * self.channels as f64).collect();
        let bins = limits.len();
        let mut lists = GridLists { bins, folds: vec![0], starts: vec![0], ..GridLists::default() };
        let bin = |epoch: usize| limits.iter().position(|&limit| (self.bad_counts[epoch] as f64) < limit);
        for fold in self.folds {
            for wanted in 0..bins {
                let members = fold.clone().filter(|&epoch| bin(epoch) == Some(wanted));
                lists.members.extend(members.map(|epoch| epoch as u32));
                lists.starts.push(lists.members.len() as u32);
            }
            lists.folds.push(fold.end as u32);
        }
        lists
    }

    /// The repairs of each entry of `n_interpolate`, and what its train sums are divided by.
    pub fn repair_lists(&self) -> Vec<RepairLists> {
        (0..self.n_interpolate.len()).map(|rho| self.repairs_of(rho)).collect()
    }

    fn repairs_of(&self, rho: usize) -> RepairLists {
        let (repairs, epochs) = (&self.repairs[rho], self.bad_counts.len());
        let mut lists = RepairLists { repaired: vec![0; epochs * self.channels], ..RepairLists::default() };
        let mut begins = Vec::new();
        for set in repairs.sets() {
            begins.push((lists.channels.len() as u32, lists.weights.len() as u32));
            lists.channels.extend(set.bad.iter().chain(&set.good).map(|&channel| channel as u32));
            lists.weights.extend(set.weights());
        }
        for epoch in 0..epochs {
            let Some(at) = repairs.set_of(epoch) else { continue };
            let (set, (channels, weights)) = (&repairs.sets()[at], begins[at]);
            let counts = (set.bad.len() as u32, set.good.len() as u32);
            lists.repairs.extend([epoch as u32, counts.0, counts.1, channels, weights]);
            for &channel in &set.bad {
                lists.repaired[epoch * self.channels + channel] = 1;
            }
        }
        for &kappa in &self.ascending() {
            for fold in 0..self.folds.len() {
                let open = self.is_open((kappa * self.n_interpolate.len() + rho) * self.folds.len() + fold);
                lists.shares.push(if open { 1.0 / self.kept(kappa, fold) as f64 } else { 0.0 });
            }
        }
        lists
    }

    /// Brings squares `[n_interpolate][ascending consensus][fold]` into the order of
    /// [`Grid::losses`].
    pub fn by_consensus(&self, squares: &[f64]) -> Vec<f64> {
        let (folds, rhos) = (self.folds.len(), self.n_interpolate.len());
        let order = self.ascending();
        let mut sorted = vec![0.0; squares.len()];
        for (at, square) in squares.chunks_exact(folds.max(1)).enumerate() {
            let (rho, kappa) = (at / order.len(), order[at % order.len()]);
            sorted[(kappa * rhos + rho) * folds..][..folds].copy_from_slice(square);
        }
        sorted
    }
}
