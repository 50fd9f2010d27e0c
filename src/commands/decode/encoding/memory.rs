//! Where the encoding spikes of a model lie: in memory, or in files without a name that come to memory
//! electrode after electrode.

use super::{EncodedTrain, EncodingModel};
use crate::error::Result;
use crate::io::column::Column;
use std::ops::Range;
use std::path::Path;

impl EncodedTrain {
    fn columns(&self) -> [&Column<f64>; 3] {
        [&self.marks, &self.positions, &self.weights]
    }

    /// Bytes of its spikes.
    fn spike_bytes(&self) -> usize {
        8 * self.columns().map(|column| column.len()).iter().sum::<usize>()
    }

    /// Gives back the memory of what was touched of spikes in files.
    pub fn release(&self) {
        self.columns().into_iter().for_each(Column::release);
    }
}

impl EncodingModel {
    /// Bytes of all arrays, wherever they are.
    pub fn bytes(&self) -> usize {
        self.own_bytes() + self.trains.iter().map(EncodedTrain::spike_bytes).sum::<usize>()
    }

    /// Bytes that are in memory whatever happens.
    pub fn held_bytes(&self) -> usize {
        let held =
            |train: &EncodedTrain| train.columns().map(|column| column.held_bytes()).iter().sum::<usize>();
        self.own_bytes() + self.trains.iter().map(held).sum::<usize>()
    }

    fn own_bytes(&self) -> usize {
        let own = self.samples.len() + self.weights.len() + self.occupancy.len() + self.ground.len();
        8 * (own + self.trains.iter().map(|train| train.field.len()).sum::<usize>())
    }

    /// True where the encoding spikes lie in files.
    pub fn is_mapped(&self) -> bool {
        self.trains.iter().any(|train| train.positions.is_mapped())
    }

    /// Moves encoding spikes that are held into files beside `output`.
    ///
    /// # Errors
    /// The folder is not writable, or the disk too full.
    pub fn keep_beside(&mut self, output: &Path) -> Result<()> {
        for train in &mut self.trains {
            for column in [&mut train.marks, &mut train.positions, &mut train.weights] {
                if !column.is_mapped() {
                    *column = Column::keep(std::mem::take(column).to_vec(), Some(output))?;
                }
            }
        }
        Ok(())
    }

    /// Trains whose encoding spikes are in memory together: neighbours that take `room` bytes at most, one
    /// at least; all of them where they are held anyway.
    pub fn groups(&self, room: u64) -> Vec<Range<usize>> {
        let all = 0..self.trains.len();
        if !self.is_mapped() {
            return vec![all];
        }
        let (mut groups, mut first, mut bytes) = (Vec::new(), 0, 0);
        for at in all.clone() {
            let more = self.trains[at].spike_bytes() as u64;
            if at > first && bytes + more > room {
                groups.push(first..at);
                (first, bytes) = (at, 0);
            }
            bytes += more;
        }
        groups.push(first..all.end);
        groups
    }

    /// Most bytes that one of [`EncodingModel::groups`] brings to memory.
    pub fn group_bytes(&self, room: u64) -> u64 {
        if !self.is_mapped() {
            return 0;
        }
        let of =
            |group: Range<usize>| self.trains[group].iter().map(EncodedTrain::spike_bytes).sum::<usize>();
        self.groups(room).into_iter().map(of).max().unwrap_or(0) as u64
    }
}
