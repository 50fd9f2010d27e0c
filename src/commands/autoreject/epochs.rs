//! Epochs of some picks, held in memory or read piece by piece (spec autoreject 14, 16).

use super::unpacked::Unpacked;
use crate::array::pages::{Lent, Pages};
use crate::error::Result;
use crate::kernels::epochs::gpu::Station;
use rayon::prelude::*;
use std::ops::Range;
use std::path::Path;
use std::sync::Mutex;

/// Where epochs come from: float64, SI units.
pub trait Source: Sync {
    /// Epochs, channels, samples.
    fn shape(&self) -> [usize; 3];

    /// Reads `[epoch][channel][sample]` of some epochs and some samples, all channels.
    ///
    /// # Errors
    /// The file cannot be read, or holds values that are not finite.
    fn read(&self, epochs: Range<usize>, samples: Range<usize>, out: &mut [f64]) -> Result<()>;

    /// All of `[epoch][channel][sample]` where the file holds just these numbers, all finite.
    ///
    /// # Errors
    /// The file cannot be read.
    fn lend(&self) -> Result<Option<Lent>> {
        Ok(None)
    }

    /// True where some samples of all epochs cost as much to read as all of them: storage that is
    /// decoded in blocks.
    fn laborious(&self) -> bool {
        false
    }
}

/// All values of a recording.
enum Held {
    /// Read into memory.
    Own(Pages),
    /// The file's own, mapped.
    Lent(Lent),
}

/// A piece in memory: some epochs, all channels, some samples.
#[derive(Debug, Clone, Copy)]
pub struct Slab<'a> {
    /// `[epoch][channel][sample]`.
    pub values: &'a [f64],
    /// Epochs it holds.
    pub epochs: usize,
    /// Channels.
    pub channels: usize,
    /// Samples it holds.
    pub samples: usize,
    /// Its first epoch in the recording.
    pub first_epoch: usize,
    /// Its first sample in the recording.
    pub first_sample: usize,
}

impl<'a> Slab<'a> {
    /// The samples of one channel in one epoch (counted within the slab).
    pub fn row(&self, epoch: usize, channel: usize) -> &'a [f64] {
        &self.values[(epoch * self.channels + channel) * self.samples..][..self.samples]
    }

    /// All channels of one epoch.
    pub fn epoch(&self, epoch: usize) -> &'a [f64] {
        let length = self.channels * self.samples;
        &self.values[epoch * length..][..length]
    }
}

/// Slabs in time begin at multiples of this many samples, so that tiles lie in one slab each.
pub const SLAB_STEP: usize = 64;

/// Epochs as a run can have them: all in memory, or as much at a time as fits.
pub struct Epochs<'a> {
    source: &'a dyn Source,
    shape: [usize; 3],
    /// All values, where they fit.
    held: Option<Held>,
    /// All values on disk, where they do not and the source is laborious.
    unpacked: Option<Unpacked>,
    /// Values that may be in memory at once.
    room: usize,
    /// Where devices work on them, in order of time; none for the CPU.
    pub(super) stations: Mutex<Vec<Station>>,
}

impl<'a> Epochs<'a> {
    /// Loads all epochs if they are at most `room` values, and remembers to read pieces otherwise.
    ///
    /// # Errors
    /// The source cannot be read.
    pub fn new(source: &'a dyn Source, room: usize) -> Result<Self> {
        let shape = source.shape();
        let mut held = None;
        if shape.iter().product::<usize>() <= room {
            held = Some(match source.lend()? {
                Some(lent) if lent.values().len() == shape.iter().product::<usize>() => Held::Lent(lent),
                _ => {
                    let mut values = Pages::of_values(shape.iter().product())?;
                    source.read(0..shape[0], 0..shape[2], values.values_mut())?;
                    Held::Own(values)
                }
            });
        }
        Ok(Epochs { source, shape, held, unpacked: None, room, stations: Mutex::default() })
    }

    /// The same, where walks do not decode a laborious source again and again: what is not held is
    /// unpacked once into a nameless file in the folder of `beside`, 8 bytes a value.
    ///
    /// # Errors
    /// Those of [`Epochs::new`]; no room on the disk.
    pub fn beside(source: &'a dyn Source, room: usize, beside: &Path) -> Result<Self> {
        let mut epochs = Epochs::new(source, room)?;
        if epochs.passes() > 1 && source.laborious() {
            let slab = slab_samples(epochs.shape, room);
            epochs.unpacked = Some(Unpacked::new(source, (room, slab), beside)?);
        }
        Ok(epochs)
    }

    /// Epochs, channels, samples.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// All values `[epoch][channel][sample]`, where they are in memory.
    pub fn held(&self) -> Option<&[f64]> {
        self.held.as_ref().map(|held| match held {
            Held::Own(pages) => pages.values(),
            Held::Lent(lent) => lent.values(),
        })
    }

    /// Passes over the input that one walk in time takes.
    pub fn passes(&self) -> usize {
        if self.held.is_some() { 1 } else { self.shape[2].div_ceil(slab_samples(self.shape, self.room)) }
    }

    /// What is not held, from where it lies.
    fn fetch(&self, epochs: Range<usize>, samples: Range<usize>, out: &mut [f64]) -> Result<()> {
        match &self.unpacked {
            Some(unpacked) => unpacked.read(epochs, samples, out),
            None => self.source.read(epochs, samples, out),
        }
    }

    fn slab<'b>(&self, values: &'b [f64], epochs: &Range<usize>, samples: &Range<usize>) -> Slab<'b> {
        Slab {
            values,
            epochs: epochs.len(),
            channels: self.shape[1],
            samples: samples.len(),
            first_epoch: epochs.start,
            first_sample: samples.start,
        }
    }

    /// Hands out whole epochs, in order.
    ///
    /// # Errors
    /// The source's, or what `take` refuses.
    pub fn by_epochs(&self, mut take: impl FnMut(Slab) -> Result<()>) -> Result<()> {
        let [n, c, t] = self.shape;
        if let Some(values) = self.held() {
            return take(self.slab(values, &(0..n), &(0..t)));
        }
        let step = (self.room / (c * t).max(1)).clamp(1, n.max(1));
        let mut buffer = Pages::of_values(step * c * t)?;
        for start in (0..n).step_by(step) {
            let epochs = start..n.min(start + step);
            let values = &mut buffer.values_mut()[..epochs.len() * c * t];
            self.fetch(epochs.clone(), 0..t, values)?;
            take(self.slab(values, &epochs, &(0..t)))?;
        }
        Ok(())
    }

    /// Hands out all epochs, some samples at a time, in order; slabs begin at multiples of
    /// [`SLAB_STEP`].
    ///
    /// # Errors
    /// The source's, or what `take` refuses.
    pub fn by_times(&self, mut take: impl FnMut(Slab) -> Result<()>) -> Result<()> {
        let [n, c, t] = self.shape;
        if let Some(values) = self.held() {
            return take(self.slab(values, &(0..n), &(0..t)));
        }
        let step = slab_samples(self.shape, self.room);
        let mut buffer = Pages::of_values(n * c * step.min(t))?;
        for start in (0..t).step_by(step) {
            let samples = start..t.min(start + step);
            let values = &mut buffer.values_mut()[..n * c * samples.len()];
            self.fetch(0..n, samples.clone(), values)?;
            take(self.slab(values, &(0..n), &samples))?;
        }
        Ok(())
    }

    /// Copies `[epoch][channel][sample]` of some epochs and some samples.
    ///
    /// # Errors
    /// The source cannot be read.
    pub fn read(&self, epochs: Range<usize>, samples: Range<usize>, out: &mut [f64]) -> Result<()> {
        let [_, c, t] = self.shape;
        let Some(values) = self.held() else { return self.fetch(epochs, samples, out) };
        let rows = values[epochs.start * c * t..epochs.end * c * t].par_chunks_exact(t.max(1));
        rows.zip(out.par_chunks_exact_mut(samples.len().max(1))).with_min_len(c).for_each(|(row, out)| {
            out.copy_from_slice(&row[samples.clone()]);
        });
        Ok(())
    }

    /// Copies one epoch.
    ///
    /// # Errors
    /// The source cannot be read.
    pub fn epoch(&self, epoch: usize, out: &mut [f64]) -> Result<()> {
        let length = self.shape[1] * self.shape[2];
        match self.held() {
            Some(values) => {
                out.copy_from_slice(&values[epoch * length..][..length]);
                Ok(())
            }
            None => self.fetch(epoch..epoch + 1, 0..self.shape[2], out),
        }
    }
}

/// Samples of a slab of all epochs within `room` values.
pub fn slab_samples([n, c, t]: [usize; 3], room: usize) -> usize {
    let fit = room / (n * c).max(1) / SLAB_STEP * SLAB_STEP;
    fit.clamp(SLAB_STEP, t.next_multiple_of(SLAB_STEP).max(SLAB_STEP))
}
