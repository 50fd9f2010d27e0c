//! Epochs that are laborious to read again (compressed, or stored with samples slowest) and larger
//! than memory: read once, and laid down in a file without a name.
//!
//! Float64 in SI units, `[slab][epoch][channel][sample of the slab]`. A slab is a stretch of
//! samples as walks in time take them, so each walk reads the file from its first byte to its last.

use super::epochs::Source;
use crate::error::{Error, Result};
use crate::io::scratch::ScratchFile;
use rayon::prelude::*;
use std::ops::Range;
use std::path::Path;

/// The file, and how values lie in it.
pub struct Unpacked {
    file: ScratchFile,
    /// Epochs, channels, samples.
    shape: [usize; 3],
    /// Samples of a slab; the last one may be shorter.
    slab: usize,
}

impl Unpacked {
    /// Reads `source` once, at most `room` values (or one epoch) at a time; the file lies in the folder
    /// of `beside`, which is made if it is not there, and takes 8 bytes a value.
    ///
    /// # Errors
    /// The source cannot be read or holds values that are not finite; no room on the disk.
    pub fn new(source: &dyn Source, (room, slab): (usize, usize), beside: &Path) -> Result<Self> {
        let shape = source.shape();
        let [n, c, t] = shape;
        if let Some(folder) = beside.parent() {
            std::fs::create_dir_all(folder).map_err(Error::io(folder, "create"))?;
        }
        let unpacked = Unpacked { file: ScratchFile::beside(beside)?, shape, slab };
        // Half of the room for epochs as they come, half for what of them lies in one slab.
        let step = (room / 2 / (c * t).max(1)).clamp(1, n.max(1));
        let mut values = vec![0.0; step * c * t];
        let mut piece = vec![0.0; step * c * slab.min(t)];
        for start in (0..n).step_by(step) {
            let epochs = start..n.min(start + step);
            let values = &mut values[..epochs.len() * c * t];
            source.read(epochs.clone(), 0..t, values)?;
            for first in (0..t).step_by(slab) {
                let width = slab.min(t - first);
                let piece = &mut piece[..epochs.len() * c * width];
                let rows = piece.par_chunks_exact_mut(width).zip(values.par_chunks_exact(t));
                rows.with_min_len(64).for_each(|(row, all)| row.copy_from_slice(&all[first..first + width]));
                unpacked.file.write_at(unpacked.place(first, epochs.start), bytemuck::cast_slice(piece))?;
            }
        }
        Ok(unpacked)
    }

    /// The byte where the slab that begins with sample `first` holds `epoch`.
    fn place(&self, first: usize, epoch: usize) -> u64 {
        let [n, c, t] = self.shape;
        8 * (n * c * first + epoch * c * self.slab.min(t - first)) as u64
    }

    /// Reads `[epoch][channel][sample]` of some epochs and some samples, all channels.
    ///
    /// # Errors
    /// The disk fails.
    pub fn read(&self, epochs: Range<usize>, samples: Range<usize>, out: &mut [f64]) -> Result<()> {
        let [_, c, t] = self.shape;
        let wanted = samples.len();
        if out.is_empty() {
            return Ok(());
        }
        let whole =
            samples.start.is_multiple_of(self.slab) && samples.end == t.min(samples.start + self.slab);
        if whole {
            return self.file.read_at(self.place(samples.start, epochs.start), bytemuck::cast_slice_mut(out));
        }
        let each = out.par_chunks_exact_mut(c * wanted).zip(epochs);
        each.try_for_each_init(Vec::new, |piece, (out, epoch)| self.read_epoch(epoch, &samples, piece, out))
    }

    /// Gathers one epoch from the slabs that hold its `samples`.
    fn read_epoch(
        &self,
        epoch: usize,
        samples: &Range<usize>,
        piece: &mut Vec<f64>,
        out: &mut [f64],
    ) -> Result<()> {
        let [_, c, t] = self.shape;
        let begin = samples.start / self.slab * self.slab;
        for first in (begin..samples.end).step_by(self.slab) {
            let width = self.slab.min(t - first);
            piece.resize(c * width, 0.0);
            self.file.read_at(self.place(first, epoch), bytemuck::cast_slice_mut(piece))?;
            let (from, to) = (samples.start.max(first), samples.end.min(first + width));
            for (row, out) in piece.chunks_exact(width).zip(out.chunks_exact_mut(samples.len())) {
                out[from - samples.start..to - samples.start].copy_from_slice(&row[from - first..to - first]);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values that tell their place.
    struct Counted([usize; 3]);

    impl Source for Counted {
        fn shape(&self) -> [usize; 3] {
            self.0
        }

        fn read(&self, epochs: Range<usize>, samples: Range<usize>, out: &mut [f64]) -> Result<()> {
            let channels = self.0[1];
            for (at, row) in out.chunks_exact_mut(samples.len()).enumerate() {
                let (epoch, channel) = (epochs.start + at / channels, at % channels);
                for (value, sample) in row.iter_mut().zip(samples.clone()) {
                    *value = (epoch * 1_000_000 + channel * 1000 + sample) as f64;
                }
            }
            Ok(())
        }
    }

    #[test]
    fn any_part_is_as_the_source_gives_it() {
        let folder = tempfile::tempdir().unwrap();
        for (shape, slab, room) in [([5, 3, 200], 64, 1500), ([4, 2, 64], 64, 1), ([3, 1, 10], 64, 99)] {
            let source = Counted(shape);
            let unpacked = Unpacked::new(&source, (room, slab), &folder.path().join("result")).unwrap();
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "the file has no name");
            let [n, c, t] = shape;
            for epochs in [0..n, 1..2, n - 1..n] {
                for samples in [0..t, 0..t.min(64), (t - 1) / 64 * 64..t, 3..t - 2, t / 2..t / 2 + 1] {
                    let size = epochs.len() * c * samples.len();
                    let (mut found, mut expected) = (vec![f64::NAN; size], vec![0.0; size]);
                    unpacked.read(epochs.clone(), samples.clone(), &mut found).unwrap();
                    source.read(epochs.clone(), samples.clone(), &mut expected).unwrap_or_default();
                    assert!(found == expected, "{shape:?}, {epochs:?}, {samples:?}");
                }
            }
        }
    }
}
