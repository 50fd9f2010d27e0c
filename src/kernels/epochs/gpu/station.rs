//! One queue and its stretch of samples.

use super::{
    CORRELATE, DISTANCES, EXTREMES, GridLists, HEAP_UP, MEDIANS, PREDICT, Params, REPAIR, RepairLists, SUMS,
    SWEEP, SubsetLists, SweepLists,
};
use crate::backend::device::{Buffer, Kernel, Queue};
use crate::error::{Error, Result};
use std::ops::Range;

/// Copies `[epoch][channel][sample]` of some epochs and some samples.
pub type Read<'a> = dyn Fn(Range<usize>, Range<usize>, &mut [f64]) -> Result<()> + Sync + 'a;

/// Where epochs come from.
pub struct Loader<'a> {
    /// `[epoch][channel][sample]` of all of them, where they lie in memory.
    pub lent: Option<&'a [f64]>,
    /// For all else.
    pub read: &'a Read<'a>,
    /// Samples of the recording.
    pub samples: usize,
}

/// Values that are copied to the device in one piece: 16 MiB.
const PIECE: usize = 2 << 20;

/// Slabs begin at multiples of this in their stretch, so that rows are read in whole cache lines.
const STEP: usize = 32;

/// Groups along the second and third axis of a launch at most.
const MOST_GROUPS: usize = 65_535;

/// Buffers that every station has: measured epochs, and as many predicted or repaired ones.
const X: usize = 0;
const Y: usize = 1;

/// What the second buffer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Second {
    Nothing,
    Predictions,
}

/// All epochs of one stretch of samples, on one device.
pub struct Station {
    queue: Box<dyn Queue>,
    epochs: usize,
    channels: usize,
    /// Its samples of the recording.
    stretch: Range<usize>,
    /// Samples of a slab.
    width: usize,
    /// X and Y, then those of the stages by name.
    buffers: Vec<(&'static str, Buffer)>,
    /// Samples that X holds.
    held: Option<Range<usize>>,
    second: Second,
}

impl Station {
    /// A station for the samples `stretch`, in as few slabs as its device has room for.
    ///
    /// # Errors
    /// [`Error::DeviceMemory`] where not even one slab of 32 samples fits.
    pub fn new(queue: Box<dyn Queue>, [epochs, channels]: [usize; 2], stretch: Range<usize>) -> Result<Self> {
        if channels > MOST_GROUPS || epochs.saturating_mul(channels) > u32::MAX as usize / 8 {
            let found = format!("{epochs} epochs of {channels} channels are too many for a device");
            return Err(Error::Failed(found));
        }
        let width = stretch.len().max(1);
        let (buffers, held, second) = (Vec::new(), None, Second::Nothing);
        let mut station = Station { queue, epochs, channels, stretch, width, buffers, held, second };
        while !station.settle()? {}
        Ok(station)
    }

    /// Allocates X and Y; false where slabs became narrower instead.
    fn settle(&mut self) -> Result<bool> {
        let bytes = 8 * (self.epochs * self.channels * self.width) as u64;
        let queue = self.queue.as_mut();
        match queue.allocate(bytes).and_then(|x| Ok((x, queue.allocate(bytes)?))) {
            Ok((x, y)) => {
                self.buffers = vec![("x", x), ("y", y)];
                Ok(true)
            }
            Err(Error::DeviceMemory { .. }) if self.width > STEP => self.narrow().map(|()| false),
            Err(other) => Err(other),
        }
    }

    /// Halves the slabs and begins with an empty arena.
    fn narrow(&mut self) -> Result<()> {
        self.width = (self.width / 2).next_multiple_of(STEP).clamp(STEP, self.width - 1);
        (self.held, self.second) = (None, Second::Nothing);
        self.buffers.clear();
        self.queue.clear()
    }

    /// Does a stage, with narrower slabs where its arrays do not fit beside them.
    fn stage<R>(&mut self, mut work: impl FnMut(&mut Self) -> Result<R>) -> Result<R> {
        loop {
            match work(self) {
                Err(Error::DeviceMemory { .. }) if self.width > STEP => {
                    self.narrow()?;
                    while !self.settle()? {}
                }
                done => return done,
            }
        }
    }

    /// Its slabs, in order of time.
    fn slabs(&self) -> Vec<Range<usize>> {
        let Range { start, end } = self.stretch;
        (start..end).step_by(self.width).map(|first| first..end.min(first + self.width)).collect()
    }

    /// Parameters for a slab.
    fn params(&self, slab: &Range<usize>) -> Params {
        let (epochs, channels) = (self.epochs, self.channels);
        Params {
            epochs,
            channels,
            samples: slab.len(),
            begin: slab.start == self.stretch.start,
            ..Params::default()
        }
    }

    /// A buffer for `name` with at least `bytes`; what it holds is undefined.
    fn room(&mut self, name: &'static str, bytes: u64) -> Result<usize> {
        if let Some(at) = self.buffers.iter().position(|(own, b)| *own == name && b.bytes() >= bytes) {
            return Ok(at);
        }
        let buffer = self.queue.allocate(bytes.max(16))?;
        self.buffers.push((name, buffer));
        Ok(self.buffers.len() - 1)
    }

    /// A buffer for `name` that begins with `values`.
    fn put<T: bytemuck::Pod>(&mut self, name: &'static str, values: &[T]) -> Result<usize> {
        let at = self.room(name, size_of_val(values) as u64)?;
        self.queue.upload(&self.buffers[at].1, 0, bytemuck::cast_slice(values))?;
        Ok(at)
    }

    /// The first `count` values of a buffer, once all work is done.
    fn get(&mut self, at: usize, count: usize) -> Result<Vec<f64>> {
        let mut values = vec![0.0; count];
        self.queue.download(&self.buffers[at].1, 0, bytemuck::cast_slice_mut(&mut values))?;
        Ok(values)
    }

    fn run(
        &mut self,
        kernel: &'static Kernel,
        groups: [usize; 3],
        buffers: &[usize],
        params: Params,
    ) -> Result<()> {
        let buffers: Vec<&Buffer> = buffers.iter().map(|&at| &self.buffers[at].1).collect();
        let words = params.words();
        self.queue.launch(kernel, groups.map(|n| n as u32), &buffers, bytemuck::cast_slice(&words))
    }

    /// Brings a slab to the device, unless it is there.
    fn load(&mut self, loader: &Loader, slab: &Range<usize>) -> Result<()> {
        if self.held.as_ref() == Some(slab) {
            return Ok(());
        }
        (self.held, self.second) = (None, Second::Nothing);
        let row = self.channels * slab.len();
        match loader.lent {
            Some(values) if *slab == (0..loader.samples) => {
                self.queue.upload(&self.buffers[X].1, 0, bytemuck::cast_slice(values))?;
            }
            _ => {
                let step = (PIECE / row.max(1)).clamp(1, self.epochs.max(1));
                let mut piece = vec![0.0; step * row];
                for first in (0..self.epochs).step_by(step) {
                    let epochs = first..self.epochs.min(first + step);
                    let piece = &mut piece[..epochs.len() * row];
                    (loader.read)(epochs, slab.clone(), piece)?;
                    let at = 8 * (first * row) as u64;
                    self.queue.upload(&self.buffers[X].1, at, bytemuck::cast_slice(piece))?;
                }
            }
        }
        self.held = Some(slab.clone());
        Ok(())
    }

    /// Brings the epochs to the device for all stages, where one slab holds its whole stretch.
    ///
    /// # Errors
    /// The loader's error, or the driver's.
    pub fn hold(&mut self, loader: &Loader) -> Result<()> {
        match self.slabs().as_slice() {
            [only] => self.load(loader, only).and_then(|()| self.queue.finish()),
            _ => Ok(()),
        }
    }

    /// Predicts the slab at hand by `weights`, unless that was done.
    fn predict(&mut self, weights: usize, slab: &Range<usize>) -> Result<()> {
        if self.second == Second::Predictions {
            return Ok(());
        }
        let groups = [slab.len().div_ceil(64), self.channels.div_ceil(64), self.epochs.min(MOST_GROUPS)];
        self.run(&PREDICT, groups, &[weights, X, Y], self.params(slab))?;
        self.second = Second::Predictions;
        Ok(())
    }

    /// Least and greatest value of every row, `[kind][epoch][channel][2]`: measured, and predicted
    /// where there are `weights` `[channel][channel]`.
    ///
    /// # Errors
    /// Too little memory, the loader's error, or the driver's.
    pub fn extremes(&mut self, loader: &Loader, weights: Option<&[f64]>) -> Result<Vec<f64>> {
        self.stage(|own| {
            let count = 2 * own.epochs * own.channels;
            let weights = weights.map(|w| own.put("weights", w)).transpose()?;
            let measured = own.room("extremes", 8 * count as u64)?;
            let predicted = own.room("predicted extremes", 8 * count as u64)?;
            let groups = [(count / 2).div_ceil(4).clamp(1, 1 << 20), 1, 1];
            for slab in own.slabs() {
                own.load(loader, &slab)?;
                let params = own.params(&slab);
                own.run(&EXTREMES, groups, &[X, measured], params)?;
                if let Some(weights) = weights {
                    own.predict(weights, &slab)?;
                    own.run(&EXTREMES, groups, &[Y, predicted], params)?;
                }
            }
            let mut found = own.get(measured, count)?;
            if weights.is_some() {
                found.extend(own.get(predicted, count)?);
            }
            Ok(found)
        })
    }

    /// Sums of squares of every prefix of the train rows, `[channel][fold][room]`.
    ///
    /// # Errors
    /// As [`Station::extremes`].
    pub fn sweep(
        &mut self,
        loader: &Loader,
        weights: Option<&[f64]>,
        lists: &SweepLists,
        reciprocals: &[f64],
    ) -> Result<Vec<f64>> {
        self.stage(|own| {
            let sets = lists.counts.len();
            let count = own.channels * sets * lists.room;
            let weights = weights.map(|w| own.put("weights", w)).transpose()?;
            let (train, counts) = (own.put("train", &lists.train)?, own.put("counts", &lists.counts)?);
            let (test, starts) = (own.put("test", &lists.test)?, own.put("starts", &lists.starts)?);
            let reciprocals = own.put("reciprocals", reciprocals)?;
            let medians = own.room("medians", 8 * (own.channels * sets * own.width) as u64)?;
            let losses = own.room("losses", 8 * count as u64)?;
            for slab in own.slabs() {
                own.load(loader, &slab)?;
                if let Some(weights) = weights {
                    own.predict(weights, &slab)?;
                }
                let stride = usize::from(lists.per_channel);
                let params = Params { sets, room: lists.room, stride, ..own.params(&slab) };
                let groups = [slab.len().div_ceil(32), sets, own.channels];
                own.run(&MEDIANS, groups, &[X, Y, test, starts, medians], params)?;
                let buffers = [X, Y, train, counts, reciprocals, medians, losses];
                own.run(&SWEEP, [sets, own.channels, 1], &buffers, params)?;
            }
            own.get(losses, count)
        })
    }

    /// Sums of x y, x x and y y over samples, `[epoch][channel][3]`, y being the median of what the
    /// subsets predict; for at most [`MOST_SUBSETS`](super::MOST_SUBSETS) subsets.
    ///
    /// # Errors
    /// As [`Station::extremes`].
    pub fn correlate(&mut self, loader: &Loader, lists: &SubsetLists) -> Result<Vec<f64>> {
        self.stage(|own| {
            let count = 3 * own.epochs * own.channels;
            let sets = lists.subsets.len() / lists.members.max(1);
            let (subsets, weights) =
                (own.put("subsets", &lists.subsets)?, own.put("weights", &lists.weights)?);
            let products = own.room("products", 8 * count as u64)?;
            for slab in own.slabs() {
                own.load(loader, &slab)?;
                let params = Params { sets, room: lists.members, ..own.params(&slab) };
                let groups = [own.channels, own.epochs.min(MOST_GROUPS), 1];
                own.run(&CORRELATE, groups, &[X, subsets, weights, products], params)?;
            }
            own.get(products, count)
        })
    }

    /// Sums of squares of the grid search, `[entry][bin][fold]`, one entry for each of `repairs`.
    ///
    /// # Errors
    /// As [`Station::extremes`].
    pub fn grid(&mut self, loader: &Loader, lists: &GridLists, repairs: &[RepairLists]) -> Result<Vec<f64>> {
        self.stage(|own| {
            let (sets, bins) = (lists.folds.len().saturating_sub(1), lists.bins);
            let size = own.channels * own.width;
            let every: Vec<u32> = (0..own.epochs as u32).collect();
            let (every, folds) = (own.put("every", &every)?, own.put("folds", &lists.folds)?);
            let (members, groups) = (own.put("members", &lists.members)?, own.put("groups", &lists.starts)?);
            let medians = own.room("medians", 8 * (sets * size) as u64)?;
            let sums = own.room("sums", 8 * (sets * bins * size) as u64)?;
            let parts = own.room("parts", 8 * (bins * sets * PARTS) as u64)?;
            let mut squares = vec![0.0; repairs.len() * bins * sets];
            for slab in own.slabs() {
                own.load(loader, &slab)?;
                let params = Params { sets, room: bins, ..own.params(&slab) };
                let wide = [slab.len().div_ceil(32), sets, own.channels];
                own.run(&MEDIANS, wide, &[X, Y, every, folds, medians], params)?;
                own.second = Second::Nothing;
                let all = (own.channels * slab.len()).div_ceil(128);
                for (entry, squares) in repairs.iter().zip(squares.chunks_exact_mut((bins * sets).max(1))) {
                    own.repair(entry, &slab)?;
                    let (flags, shares) =
                        (own.put("repaired", &entry.repaired)?, own.put("shares", &entry.shares)?);
                    own.run(&SUMS, [all, sets * bins, 1], &[X, Y, flags, members, groups, sums], params)?;
                    own.run(&HEAP_UP, [all, sets, 1], &[sums], params)?;
                    let blocks = all.clamp(1, PARTS);
                    own.run(&DISTANCES, [blocks, bins * sets, 1], &[sums, medians, shares, parts], params)?;
                    let parts = own.get(parts, bins * sets * blocks)?;
                    for (square, parts) in squares.iter_mut().zip(parts.chunks_exact(blocks)) {
                        *square += parts.iter().sum::<f64>();
                    }
                }
            }
            Ok(squares)
        })
    }

    /// Puts the repaired channels of one entry into Y.
    fn repair(&mut self, entry: &RepairLists, slab: &Range<usize>) -> Result<()> {
        let count = entry.repairs.len() / 5;
        if count == 0 {
            return Ok(());
        }
        let (repairs, channels) =
            (self.put("repairs", &entry.repairs)?, self.put("sources", &entry.channels)?);
        let weights = self.put("repair weights", &entry.weights)?;
        let params = Params { sets: count, ..self.params(slab) };
        let groups = [slab.len().div_ceil(128), count.min(MOST_GROUPS), 1];
        self.run(&REPAIR, groups, &[X, repairs, channels, weights, Y], params)
    }
}

/// Blocks that share the work of a distance, and so parts of it at most.
const PARTS: usize = 256;
