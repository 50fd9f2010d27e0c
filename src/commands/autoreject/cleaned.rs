//! Writes the cleaned epochs: the input's container with the kept epochs and all else it held.
//!
//! Samples that were not repaired are the input's bits (big-endian ones turned into
//! little-endian); repaired ones come in SI units and are stored in the input's unit and element
//! type, integers to the nearest and no further than their range. Epochs go through in bounded
//! blocks; while one block is written the next is read and repaired (spec autoreject 12).

use super::copying::{Copying, spec_like, to_little};
use super::recording::Recording;
use crate::array::Dtype;
use crate::error::{Error, Result};
#[cfg(feature = "hdf5")]
use crate::io::hdf5::write::Hdf5Writer;
use crate::io::npy::NpyWriter;
use crate::io::npz::NpzWriter;
use crate::io::{Block, DatasetSpec, Entry, Format, Writer};
use rayon::prelude::*;
use std::collections::HashSet;
use std::ops::Range;
use std::path::Path;

/// Bytes of epochs in one block; two are in flight.
const BLOCK_BYTES: usize = 8 << 20;
/// Deflate level of numpy's `savez_compressed`.
const NPZ_LEVEL: u32 = 6;

/// Gives the repaired channels of an epoch, each with all its samples in SI units. Called for
/// several epochs at once, in the rayon pool of [`write_cleaned`].
pub type Repairs<'a> = dyn Fn(usize) -> Result<Vec<(usize, Vec<f64>)>> + Sync + 'a;

/// Writes the epochs `kept` (ascending) of `recording` to `path`, in the input's own format.
///
/// `compress` is a deflate level for the epochs; `None` does as the input. Beside the epochs
/// stands `selection`, the index of each in the input (not in NPY, which holds one array).
/// Returns warnings about what could not be copied.
///
/// # Errors
/// The input cannot be read, the output not written, or `repairs` fails.
pub fn write_cleaned(
    recording: &Recording,
    path: &Path,
    kept: &[usize],
    compress: Option<u32>,
    repairs: &Repairs,
) -> Result<Vec<String>> {
    let cleaning = Cleaning { recording, kept, repairs };
    let mut writer = writer(recording, path)?;
    let mut warnings = Vec::new();
    if recording.container().format() == Format::Npy {
        let id = writer.create(&cleaning.spec(compress)?)?;
        writer.only(id)?;
        cleaning.stream(&mut *writer, id)?;
        writer.finish()?;
        return Ok(warnings);
    }
    let entries = recording.container().list()?;
    let data = recording.info().path.clone();
    let selection = beside(&data, "selection");
    let left_out = [data.trim_matches('/').to_owned(), selection.trim_matches('/').to_owned()];
    let mut copying = Copying {
        container: recording.container(),
        writer: &mut *writer,
        left_out: &left_out,
        warnings: &mut warnings,
        made: HashSet::from([data.clone()]),
        groups: HashSet::new(),
    };
    copying.nodes(&entries)?;
    // The members of an archive follow each other; elsewhere the bulk comes last, when nothing
    // stands in its way any more.
    let in_order = recording.container().format() == Format::Npz;
    let id = copying.writer.create(&cleaning.spec(compress)?)?;
    if in_order {
        cleaning.stream(copying.writer, id)?;
    }
    cleaning.write_selection(copying.writer, &selection)?;
    copying.references(&entries)?;
    copy_attributes(&mut copying, &entries, recording, kept)?;
    if !in_order {
        writer.only(id)?;
        cleaning.stream(&mut *writer, id)?;
    }
    writer.finish()?;
    Ok(warnings)
}

/// Attributes and scales of everything that was copied; the epochs' own scale no longer fits
/// where epochs were dropped.
fn copy_attributes(
    copying: &mut Copying,
    entries: &[Entry],
    recording: &Recording,
    kept: &[usize],
) -> Result<()> {
    if recording.container().format() == Format::Npz {
        return Ok(());
    }
    let data = &recording.info().path;
    for entry in entries {
        match entry {
            Entry::Group(path) => copying.attributes(path)?,
            Entry::Dataset(info) if copying.is_made(info) => {
                copying.attributes(&info.path)?;
                let whole = info.path != *data || kept.len() == recording.epochs();
                copying.scales(&info.path, usize::from(!whole))?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// The writer of the input's format, whatever the output's extension.
fn writer(recording: &Recording, path: &Path) -> Result<Box<dyn Writer>> {
    match recording.container().format() {
        Format::Npy => Ok(Box::new(NpyWriter::create(path)?)),
        Format::Npz => Ok(Box::new(NpzWriter::create(path)?)),
        #[cfg(feature = "hdf5")]
        Format::Hdf5 | Format::Netcdf4 => Ok(Box::new(Hdf5Writer::create(path)?)),
        other => Err(Error::Failed(format!("{}: cannot write {other:?}", path.display()))),
    }
}

/// The path of `name` in the group of `dataset`.
fn beside(dataset: &str, name: &str) -> String {
    match dataset.rsplit_once('/') {
        Some((group, _)) => format!("{group}/{name}"),
        None => name.to_owned(),
    }
}

struct Cleaning<'a> {
    recording: &'a Recording,
    kept: &'a [usize],
    repairs: &'a Repairs<'a>,
}

impl Cleaning<'_> {
    fn spec(&self, compress: Option<u32>) -> Result<DatasetSpec> {
        let info = self.recording.info();
        let mut shape = info.shape.clone();
        shape[0] = self.kept.len() as u64;
        let mut spec = spec_like(info, self.recording.numbers().0, shape, compress);
        if self.recording.container().format() == Format::Npz && compress.is_none() {
            // An archive smaller than its array is a compressed one.
            let path = self.recording.container().path();
            let size = std::fs::metadata(path).map_err(Error::io(path, "read"))?.len();
            let bytes = (self.epoch_bytes() * self.recording.epochs()) as u64;
            spec.deflate = (size < bytes).then_some(NPZ_LEVEL);
        }
        Ok(spec)
    }

    fn epoch_bytes(&self) -> usize {
        self.recording.channels() * self.recording.samples() * self.recording.numbers().0.size()
    }

    /// Sends the kept epochs through, block by block.
    fn stream(&self, writer: &mut dyn Writer, id: crate::io::DatasetId) -> Result<()> {
        let step = (BLOCK_BYTES / self.epoch_bytes().max(1)).max(1);
        let mut ready: Vec<u8> = Vec::new();
        let mut next: Vec<u8> = Vec::new();
        for block in self.kept.chunks(step) {
            let (written, made) =
                rayon::join(|| writer.append(id, &ready), || self.prepare(block, &mut next));
            written.and(made)?;
            std::mem::swap(&mut ready, &mut next);
        }
        writer.append(id, &ready)
    }

    /// Reads epochs as stored, little-endian, and puts repaired channels in.
    fn prepare(&self, epochs: &[usize], out: &mut Vec<u8>) -> Result<()> {
        let (dtype, order) = self.recording.numbers();
        let bytes = self.epoch_bytes();
        out.resize(epochs.len() * bytes, 0);
        let mut rest = &mut out[..];
        let mut at = 0;
        let mut runs: Vec<(Range<usize>, &mut [u8])> = Vec::new();
        while at < epochs.len() {
            let follow = epochs[at..].windows(2).take_while(|pair| pair[1] == pair[0] + 1).count();
            // Contiguous storage is read by several workers; other storage in its own order.
            let length = if self.recording.stored().serial { follow + 1 } else { 1 };
            let (run, after) = rest.split_at_mut(length * bytes);
            rest = after;
            runs.push((epochs[at]..epochs[at] + length, run));
            at += length;
        }
        let read = |(epochs, out): (Range<usize>, &mut [u8])| self.read(epochs, out);
        if self.recording.stored().serial {
            runs.into_iter().try_for_each(read)?;
        } else {
            runs.into_par_iter().try_for_each(read)?;
        }
        let repaired = out.par_chunks_exact_mut(bytes).zip(epochs).map(|(stored, &epoch)| {
            to_little(stored, dtype, order);
            self.repair(epoch, stored)
        });
        repaired.collect::<Result<Vec<()>>>().map(drop)
    }

    fn read(&self, epochs: Range<usize>, out: &mut [u8]) -> Result<()> {
        let shape = &self.recording.info().shape;
        let block = Block {
            start: vec![epochs.start as u64, 0, 0],
            count: vec![epochs.len() as u64, shape[1], shape[2]],
        };
        self.recording.dataset().read_block(&block, out)
    }

    fn repair(&self, epoch: usize, stored: &mut [u8]) -> Result<()> {
        let dtype = self.recording.numbers().0;
        let (channels, samples) = (self.recording.channels(), self.recording.samples());
        for (channel, values) in (self.repairs)(epoch)? {
            if channel >= channels || values.len() != samples {
                return Err(Error::Failed(format!(
                    "{}: {} samples for channel {channel} of epoch {epoch}",
                    self.recording.place(),
                    values.len()
                )));
            }
            let scale = self.recording.scale(channel);
            let row = channel * samples * dtype.size();
            encode(&values, scale, dtype, &mut stored[row..row + samples * dtype.size()]);
        }
        Ok(())
    }

    fn write_selection(&self, writer: &mut dyn Writer, path: &str) -> Result<()> {
        let spec = DatasetSpec {
            path: path.to_owned(),
            shape: vec![self.kept.len() as u64],
            dtype: Dtype::I64,
            chunks: None,
            deflate: None,
            fill: None,
        };
        let bytes: Vec<u8> = self.kept.iter().flat_map(|&epoch| (epoch as i64).to_le_bytes()).collect();
        let id = writer.create(&spec)?;
        writer.append(id, &bytes)
    }
}

/// SI values as little-endian stored elements.
fn encode(values: &[f64], scale: f64, dtype: Dtype, out: &mut [u8]) {
    macro_rules! each {
        ($size:expr, $convert:expr) => {{
            let (cells, _) = out.as_chunks_mut::<{ $size }>();
            for (cell, &value) in cells.iter_mut().zip(values) {
                let value = if scale == 1.0 { value } else { value / scale };
                *cell = $convert(value).to_le_bytes();
            }
        }};
    }
    // A cast from float64 to an integer type ends at the type's range.
    match dtype {
        Dtype::F64 => each!(8, |v: f64| v),
        Dtype::F32 => each!(4, |v: f64| v as f32),
        Dtype::F16 => each!(2, half::f16::from_f64),
        Dtype::I8 => each!(1, |v: f64| v.round_ties_even() as i8),
        Dtype::I16 => each!(2, |v: f64| v.round_ties_even() as i16),
        Dtype::I32 => each!(4, |v: f64| v.round_ties_even() as i32),
        Dtype::I64 => each!(8, |v: f64| v.round_ties_even() as i64),
        Dtype::U8 => each!(1, |v: f64| v.round_ties_even() as u8),
        Dtype::U16 => each!(2, |v: f64| v.round_ties_even() as u16),
        Dtype::U32 => each!(4, |v: f64| v.round_ties_even() as u32),
        Dtype::U64 => each!(8, |v: f64| v.round_ties_even() as u64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::{ByteOrder, to_f64};

    #[test]
    fn repaired_samples_are_stored_in_the_inputs_unit_and_type() {
        let values = [1.4e-6, -2.4e-6, 300e-6];
        for (dtype, expected) in [
            (Dtype::F64, [1.4, -2.4, 300.0]),
            (Dtype::I16, [1.0, -2.0, 300.0]),
            (Dtype::I8, [1.0, -2.0, 127.0]),
            (Dtype::U16, [1.0, 0.0, 300.0]),
        ] {
            let mut bytes = vec![0; 3 * dtype.size()];
            encode(&values, 1e-6, dtype, &mut bytes);
            let mut back = [0.0; 3];
            to_f64(&bytes, dtype, ByteOrder::Little, &mut back);
            assert!(back.iter().zip(expected).all(|(b, e)| (b - e).abs() < 1e-9), "{dtype:?} {back:?}");
        }
    }
}
