//! What a device is told besides the epochs themselves, in plain arrays.

/// Which rows each fold takes; rows at and beyond the number of epochs are predicted ones.
#[derive(Debug, Clone, Default)]
pub struct SweepLists {
    /// Train rows `[channel][fold][room]`, ascending by peak-to-peak; one channel's where all share
    /// them. What lies beyond a fold's count is 0.
    pub train: Vec<u32>,
    /// True where each channel has an order of its own.
    pub per_channel: bool,
    /// Train rows of each fold.
    pub counts: Vec<u32>,
    /// Room for the train rows of a fold.
    pub room: usize,
    /// Test rows, fold after fold.
    pub test: Vec<u32>,
    /// Where each fold's begin, and the end.
    pub starts: Vec<u32>,
}

/// Epochs of the grid search.
#[derive(Debug, Clone, Default)]
pub struct GridLists {
    /// Where the test epochs of each fold begin, and the end: folds are contiguous.
    pub folds: Vec<u32>,
    /// Bins of each fold.
    pub bins: usize,
    /// Epochs by fold, then bin.
    pub members: Vec<u32>,
    /// Where each group `[fold][bin]` begins among `members`, and the end.
    pub starts: Vec<u32>,
}

/// The repairs of one entry of the grid.
#[derive(Debug, Clone, Default)]
pub struct RepairLists {
    /// Five numbers a repair: epoch, repaired channels, sources, where its channels begin, where
    /// its weights do.
    pub repairs: Vec<u32>,
    /// Repaired channels, then sources, set after set.
    pub channels: Vec<u32>,
    /// `[repaired][source]`, set after set.
    pub weights: Vec<f64>,
    /// `[epoch][channel]`: 1 where repaired.
    pub repaired: Vec<u32>,
    /// `[bin][fold]`: one over the epochs counted, 0 where the entry is not open.
    pub shares: Vec<f64>,
}

/// Subsets that predict all channels.
#[derive(Debug, Clone, Default)]
pub struct SubsetLists {
    /// Members of a subset.
    pub members: usize,
    /// `[subset][member]`.
    pub subsets: Vec<u32>,
    /// `[subset][channel][member]`.
    pub weights: Vec<f64>,
}
