//! Reads a whole array through the library, in this process: the same path that commands take, with
//! nothing behind it.

use super::child::Run;
use super::results::StageResult;
use crate::commands::Context;
use crate::error::{Error, Result};
use crate::io::{self, Block, Dataset, StoredType};
use crate::report::recorder::process_cpu_s;
use rayon::ThreadPool;
use rayon::prelude::*;
use std::collections::HashSet;
use std::path::Path;
use std::sync::Mutex;

/// Bytes that are read at a time.
const PIECE: u64 = 8 << 20;

/// Reads the only array of the file at `path` with the threads of `pool`.
///
/// # Errors
/// It cannot be read, or the bench was interrupted.
pub fn run(path: &Path, pool: &ThreadPool, context: &Context) -> Result<Run> {
    let (start, cpu) = (context.recorder.elapsed_ns(), process_cpu_s());
    let dataset = the_array(path)?;
    let workers = Mutex::new(HashSet::new());
    let (bytes, checksum) = pool.install(|| all(&*dataset, &workers, context))?;
    let wall_s = (context.recorder.elapsed_ns() - start) as f64 * 1e-9;
    let cpu_s = process_cpu_s() - cpu;
    tracing::debug!("{}: {bytes} bytes, sum {checksum:x}", path.display());
    let rate = (wall_s > 0.0).then(|| bytes as f64 / wall_s);
    let stored = std::fs::metadata(path).map_err(Error::io(path, "look at"))?.len();
    let stage = StageResult {
        name: "read".into(),
        wall_s,
        cpu_s,
        items: bytes,
        bytes_read: stored,
        bytes_written: bytes,
        rate,
        ..StageResult::default()
    };
    let workers = workers.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner).len();
    Ok(Run {
        wall_s,
        cpu_s: Some(cpu_s),
        peak_rss: None,
        workers: Some(workers),
        backend: "cpu".into(),
        stages: vec![stage],
        latency: None,
    })
}

fn the_array(path: &Path) -> Result<std::sync::Arc<dyn Dataset>> {
    let container = io::open(path)?;
    let found = container.list()?.into_iter().find_map(|entry| match entry {
        io::Entry::Dataset(info) => Some(info.path),
        _ => None,
    });
    let missing = || Error::data(path.display().to_string(), "no array", "one", "");
    container.dataset(&found.ok_or_else(missing)?)
}

/// Reads bands of whole rows of chunks side by side; bytes, and a sum so that none is left out.
fn all(
    dataset: &dyn Dataset,
    workers: &Mutex<HashSet<Option<usize>>>,
    context: &Context,
) -> Result<(u64, u64)> {
    let info = dataset.info();
    let StoredType::Number(dtype, _) = info.stored else {
        return Err(Error::data(&info.path, info.stored.to_string(), "numbers", ""));
    };
    let rows = info.shape.first().copied().unwrap_or(0);
    let row: u64 = info.shape.iter().skip(1).product::<u64>() * dtype.size() as u64;
    let chunk = info.chunks.as_ref().and_then(|chunks| chunks.first().copied()).unwrap_or(1).max(1);
    let band = (PIECE / row.max(1)).max(1).next_multiple_of(chunk);
    let bands: Vec<u64> = (0..rows).step_by(band as usize).collect();
    let sums = bands.into_par_iter().map_init(Vec::new, |scratch, first| -> Result<(u64, u64)> {
        if context.recorder.is_cancelled() {
            return Err(Error::Interrupted);
        }
        if let Ok(mut workers) = workers.lock() {
            workers.insert(rayon::current_thread_index());
        }
        let (mut start, mut count) = (vec![0; info.shape.len()], info.shape.clone());
        (start[0], count[0]) = (first, band.min(rows - first));
        let block = Block { start, count };
        scratch.resize(io::block_bytes(info, &block), 0);
        dataset.read_block(&block, scratch)?;
        // One word of each page, so that nobody could leave the reading out.
        let pages = scratch.chunks(4096).filter_map(|page| page.first_chunk::<8>());
        let words = pages.map(|word| u64::from_le_bytes(*word)).fold(0, u64::wrapping_add);
        Ok((scratch.len() as u64, words))
    });
    sums.try_reduce(|| (0, 0), |a, b| Ok((a.0 + b.0, a.1.wrapping_add(b.1))))
}
