//! Writes the synthetic inputs, piece by piece: neither a raster of 1.6 GB nor epochs of 6 GB are
//! ever in memory.

use super::synth::epochs::{Epochs, Head};
use super::synth::events::{self, Events, Rig};
use super::synth::raster::Raster;
use super::synth::session::Session;
use super::works::{Input, Storage};
use crate::array::Dtype;
use crate::commands::Context;
use crate::commands::decode::stream::event::{Event, Kind, append, header};
use crate::error::{Error, Result};
use crate::io::atomic::Beside;
use crate::io::{self, Attribute, AttributeValue, DatasetSpec, Writer};
use rayon::prelude::*;
use serde_json::json;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// Bytes that are made at a time, about.
const PIECE: u64 = 64 << 20;

/// Makes `input` in `folder` and returns its path.
///
/// # Errors
/// The disk is full or fails, or the bench was interrupted.
pub fn make(input: &Input, folder: &Path, context: &Context) -> Result<PathBuf> {
    let path = folder.join(input.file_name());
    match input {
        Input::Epochs(epochs) => recording(epochs, &path, context)?,
        Input::Raster(raster, storage) => terrain(raster, *storage, &path, context)?,
        Input::Session(session) => walk(session, &path, context)?,
        Input::Events(events) => {
            stream(events, &path, context)?;
            let text = format!("{:#}\n", set_up(events));
            std::fs::write(config(folder), text).map_err(Error::io(&config(folder), "write"))?;
        }
    }
    Ok(path)
}

/// The set-up file of a stream.
pub fn config(folder: &Path) -> PathBuf {
    folder.join("config.json")
}

fn stop_if_asked(context: &Context) -> Result<()> {
    if context.recorder.is_cancelled() { Err(Error::Interrupted) } else { Ok(()) }
}

fn plain(path: &str, shape: &[u64], dtype: Dtype) -> DatasetSpec {
    DatasetSpec { path: path.into(), shape: shape.to_vec(), dtype, chunks: None, deflate: None, fill: None }
}

fn bytes(values: impl IntoIterator<Item = f64>) -> Vec<u8> {
    values.into_iter().flat_map(f64::to_le_bytes).collect()
}

/// A whole small dataset of float64.
fn put(
    writer: &mut dyn Writer,
    path: &str,
    shape: &[u64],
    values: impl IntoIterator<Item = f64>,
) -> Result<()> {
    let id = writer.create(&plain(path, shape, Dtype::F64))?;
    writer.append(id, &bytes(values))
}

/// `/epochs/data` and its fellows.
fn recording(shape: &Epochs, path: &Path, context: &Context) -> Result<()> {
    let mut writer = io::create(path)?;
    let (names, places) = shape.cap();
    let channels = shape.channels as u64;
    let texts: Vec<Vec<u8>> = names.into_iter().map(String::into_bytes).collect();
    writer.create_text("/epochs/ch_names", &[channels], &texts)?;
    writer.create_text("/epochs/ch_types", &[channels], &vec![b"eeg".to_vec(); shape.channels])?;
    put(&mut *writer, "/epochs/ch_pos", &[channels, 3], places.into_iter().flatten())?;
    put(&mut *writer, "/epochs/sfreq", &[], [shape.sfreq])?;
    let head = Head::new(*shape);
    let values = shape.channels * shape.samples;
    let data = [shape.epochs as u64, channels, shape.samples as u64];
    let id = writer.create(&plain("/epochs/data", &data, Dtype::F64))?;
    writer.only(id)?;
    let at_a_time = (PIECE as usize / (8 * values).max(1)).max(1);
    let mut first = 0;
    while first < shape.epochs {
        stop_if_asked(context)?;
        let count = at_a_time.min(shape.epochs - first);
        let mut piece = vec![0.0; count * values];
        piece.par_chunks_exact_mut(values).enumerate().for_each(|(at, out)| head.epoch(first + at, out));
        let mut stored = vec![0u8; piece.len() * 8];
        let cells = stored.par_chunks_exact_mut(8).zip(&piece);
        cells.for_each(|(out, value)| out.copy_from_slice(&value.to_le_bytes()));
        writer.append(id, &stored)?;
        first += count;
    }
    writer.finish()
}

fn terrain(shape: &Raster, storage: Storage, path: &Path, context: &Context) -> Result<()> {
    const CHUNK: u64 = 256;
    let mut writer = io::create(path)?;
    let gzip = storage == Storage::Hdf5Gzip;
    let id = writer.create(&DatasetSpec {
        chunks: gzip.then(|| vec![CHUNK.min(shape.rows), CHUNK.min(shape.columns)]),
        deflate: gzip.then_some(4),
        ..plain("/data", &[shape.rows, shape.columns], shape.dtype())
    })?;
    writer.only(id)?;
    // Whole rows of chunks.
    let rows = (PIECE / (shape.columns * shape.width()).max(1)).next_multiple_of(CHUNK).max(CHUNK);
    let mut first = 0;
    while first < shape.rows {
        stop_if_asked(context)?;
        let until = (first + rows).min(shape.rows);
        let made: Vec<Vec<u8>> = (first..until)
            .into_par_iter()
            .map(|row| {
                let mut out = Vec::with_capacity((shape.columns * shape.width()) as usize);
                shape.row(row, &mut out);
                out
            })
            .collect();
        writer.append(id, &made.concat())?;
        first = until;
    }
    writer.finish()
}

/// A session of layout `decode-inputs-1`.
fn walk(shape: &Session, path: &Path, context: &Context) -> Result<()> {
    let mut writer = io::create(path)?;
    let value = AttributeValue::Text(vec![b"decode-inputs-1".to_vec()]);
    writer.set_attribute("/", &Attribute { name: "layout".into(), shape: Vec::new(), value })?;
    let (samples, axes) = (shape.samples as u64, shape.axes());
    put(&mut *writer, "/position/time", &[samples], shape.times())?;
    let places = (0..shape.samples).flat_map(|sample| shape.position(sample).into_iter().take(axes));
    put(&mut *writer, "/position/data", &[samples, axes as u64], places)?;
    put(&mut *writer, "/decode/time", &[shape.decode as u64], shape.decode_times())?;
    // A handful of electrodes at a time, in their order.
    let each = (shape.encoding + shape.decoding) * (8 + 4 * shape.features);
    let together = (PIECE as usize / each.max(1)).clamp(1, 64);
    let electrodes: Vec<usize> = (0..shape.electrodes).collect();
    for some in electrodes.chunks(together) {
        stop_if_asked(context)?;
        let made: Vec<(Vec<f64>, Vec<f32>)> = some.par_iter().map(|&e| shape.spikes(e)).collect();
        for (electrode, (times, marks)) in some.iter().zip(made) {
            let count = times.len() as u64;
            put(&mut *writer, &format!("/electrodes/{electrode}/spike_times"), &[count], times)?;
            let features = [count, shape.features as u64];
            let path = format!("/electrodes/{electrode}/features");
            let id = writer.create(&plain(&path, &features, Dtype::F32))?;
            writer.append(id, &marks.into_iter().flat_map(f32::to_le_bytes).collect::<Vec<u8>>())?;
        }
    }
    writer.finish()
}

/// A file of event records.
fn stream(shape: &Events, path: &Path, context: &Context) -> Result<()> {
    /// Positions that are made at a time.
    const TOGETHER: usize = 4096;
    let rig = Rig::new(*shape);
    let mut beside = Beside::create(path)?;
    let mut file = BufWriter::new(beside.file());
    let written = Error::io;
    file.write_all(&header(events::CLOCK)).map_err(written(path, "write"))?;
    let positions: Vec<usize> = (0..shape.positions()).collect();
    for some in positions.chunks(TOGETHER) {
        stop_if_asked(context)?;
        let made: Vec<Vec<u8>> = some.par_iter().map(|&index| records(&rig, index)).collect();
        made.iter().try_for_each(|bytes| file.write_all(bytes)).map_err(written(path, "write"))?;
    }
    let mut end = Vec::new();
    append(&Event { kind: Kind::End, channel: 0, at: rig.end(), values: &[] }, &mut end);
    file.write_all(&end).and_then(|()| file.flush()).map_err(written(path, "write"))?;
    drop(file);
    beside.finish()
}

fn records(rig: &Rig, index: usize) -> Vec<u8> {
    let piece = rig.piece(index);
    let mut bytes = Vec::new();
    let position = [piece.place, 25.0];
    append(&Event { kind: Kind::Position, channel: 0, at: piece.at, values: &position }, &mut bytes);
    for (at, electrode, mark) in &piece.spikes {
        append(&Event { kind: Kind::Spike, channel: *electrode, at: *at, values: mark }, &mut bytes);
    }
    bytes
}

/// The set-up of the decoder, as realtime_decoder's file has it: three states on 41 bins.
fn set_up(shape: &Events) -> serde_json::Value {
    let [stem, left, right] = events::ARMS;
    let electrodes: Vec<usize> = (1..=shape.electrodes).collect();
    json!({
        "algorithm": "clusterless_classifier",
        "decoder_assignment": {"1": electrodes},
        "sampling_rate": {"spikes": events::CLOCK, "lfp": 1500, "position": 30},
        "encoder": {
            "spk_amp": 100, "mark_dim": events::FEATURES, "bufsize": shape.marks, "vel_thresh": 10,
            "num_pos_points": 150,
            "position": {"lower": 0, "upper": right.1 + 1, "num_bins": right.1 + 1, "arm_ids": [0, 1, 2],
                         "arm_coords": [[stem.0, stem.1], [left.0, left.1], [right.0, right.1]]},
            "mark_kernel": {"mean": 0, "std": 20, "use_filter": true, "n_std": 1, "n_marks_min": 10}
        },
        "decoder": {"bufsize": 2000, "num_pos_points": 150,
                    "time_bin": {"samples": events::TICK, "delay_samples": events::TICK}},
        "clusterless_classifier": {
            "state_labels": ["stationary", "continuous", "fragmented"],
            "discrete_transition": {"type": ["strong_diagonal"], "diagonal": 0.98},
            "continuous_transition": {
                "type": [["identity", "random_walk", "uniform"], ["identity", "random_walk", "uniform"],
                         ["uniform", "uniform", "uniform"]],
                "cm_per_bin": 5, "gaussian_std": 6
            }
        },
        "cred_interval": {"val": 0.5, "max_num": 5}
    })
}
