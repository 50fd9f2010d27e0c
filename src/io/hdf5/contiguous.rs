//! Positioned reads of contiguous storage, several at once.

use super::source::Source;
use crate::error::Result;
use rayon::prelude::*;

/// Runs longer than this are read in several tasks.
const LONG: usize = 4 << 20;
/// Runs shorter than this are fetched together with their neighbours: one call to the system
/// costs as much as copying this many bytes.
const SHORT: usize = 8 << 10;
/// Bytes fetched at once for short runs.
const SPAN: u64 = 1 << 20;

/// Reads each piece from its address, and empties the list. Addresses rise.
pub(super) fn read_pieces(source: &Source, pieces: &mut Vec<(u64, &mut [u8])>) -> Result<()> {
    let mut tasks: Vec<Vec<(u64, &mut [u8])>> = Vec::new();
    for (address, piece) in pieces.drain(..) {
        if piece.len() >= SHORT {
            let parts = piece.chunks_mut(LONG).enumerate();
            tasks.extend(parts.map(|(i, part)| vec![(address + (i * LONG) as u64, part)]));
            continue;
        }
        let end = address + piece.len() as u64;
        match tasks.last_mut() {
            Some(task) if is_near(task, address, end) => task.push((address, piece)),
            _ => tasks.push(vec![(address, piece)]),
        }
    }
    tasks.into_par_iter().try_for_each(|task| read_task(source, task))
}

/// True when the run up to `end` is best fetched with the runs of `task` before it.
fn is_near(task: &[(u64, &mut [u8])], address: u64, end: u64) -> bool {
    let first = task.first().map_or(address, |(start, _)| *start);
    task.last().is_some_and(|(last, piece)| {
        piece.len() < SHORT && address - (last + piece.len() as u64) <= SHORT as u64 && end - first <= SPAN
    })
}

fn read_task(source: &Source, mut task: Vec<(u64, &mut [u8])>) -> Result<()> {
    if let [(address, piece)] = &mut task[..] {
        return source.read(*address, piece);
    }
    let start = task.first().map_or(0, |(address, _)| *address);
    let end = task.last().map_or(start, |(address, piece)| address + piece.len() as u64);
    let mut span = vec![0; (end - start) as usize];
    source.read(start, &mut span)?;
    for (address, piece) in task {
        let at = (address - start) as usize;
        piece.copy_from_slice(&span[at..at + piece.len()]);
    }
    Ok(())
}
