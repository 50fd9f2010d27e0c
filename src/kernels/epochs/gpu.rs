//! Epochs on a device: the same numbers as the CPU's kernels, for recordings as a whole.
//!
//! A [`Station`] is one queue with a stretch of samples of all epochs and channels. Everything that
//! a fit adds up is additive over samples, so stations and slabs are stretches of time, and what
//! they give is added by the host in order of time. If a station's stretch fits its memory it is
//! copied once and stays; otherwise its slabs come again for every stage.

mod lists;
mod station;

pub use lists::{GridLists, RepairLists, SubsetLists, SweepLists};
pub use station::{Loader, Station};

use crate::backend::device::{Cuda, Kernel};

const SOURCE: Cuda =
    Cuda { file: "epochs.cu", source: include_str!("epochs.cu"), ptx: include_bytes!("epochs.ptx.gz") };

const fn kernel(name: &'static str, group: [u32; 3], buffers: usize) -> Kernel {
    Kernel { name, group, buffers, params: 32, wgsl: None, cuda: Some(SOURCE) }
}

static PREDICT: Kernel = kernel("epochs_predict", [128, 1, 1], 3);
static EXTREMES: Kernel = kernel("epochs_extremes", [32, 4, 1], 2);
static MEDIANS: Kernel = kernel("epochs_medians", [32, 8, 1], 5);
static SWEEP: Kernel = kernel("epochs_sweep", [128, 1, 1], 7);
static REPAIR: Kernel = kernel("epochs_repair", [128, 1, 1], 5);
static SUMS: Kernel = kernel("epochs_sums", [128, 1, 1], 6);
static HEAP_UP: Kernel = kernel("epochs_heap_up", [128, 1, 1], 1);
static DISTANCES: Kernel = kernel("epochs_distances", [128, 1, 1], 4);
static CORRELATE: Kernel = kernel("epochs_correlate", [128, 1, 1], 4);

/// Subsets of channels that one thread can hold the predictions of.
pub const MOST_SUBSETS: usize = 64;

/// `EpochsParams` of the source.
#[derive(Debug, Clone, Copy, Default)]
struct Params {
    epochs: usize,
    channels: usize,
    samples: usize,
    rows: usize,
    sets: usize,
    room: usize,
    stride: usize,
    begin: bool,
}

impl Params {
    fn words(self) -> [u32; 8] {
        let Params { epochs, channels, samples, rows, sets, room, stride, begin } = self;
        [epochs, channels, samples, rows, sets, room, stride, usize::from(begin)].map(|word| word as u32)
    }
}
