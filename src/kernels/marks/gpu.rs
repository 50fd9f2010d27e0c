//! Mark intensities on a device: tables of an electrode, one lane of work.
//!
//! A lane is a queue with an arena. It holds the sums of a stretch of rows `[row, bin]`, as pairs of
//! floats where the device has no float64; electrodes come one after another, with their tables and
//! their decoding spikes, and add to them block by block; the sums go back once. What a spike adds is
//! what the CPU adds in the type of the electrode's tables, to within rounding. float64 is for CUDA.

use super::Intensity;
use super::tables::{Scheme, Tables};
use crate::backend::device::{Buffer, Device, Kernel, Queue};
use crate::error::{Error, Result};
use number::Number;
use params::MarksParams;
use upload::Uploads;

mod needs;
mod number;
mod params;
mod upload;

pub use needs::Needs;

/// Decoding spikes that are computed together at most.
const MOST_SPIKES: usize = 4096;

/// Groups along one axis of a launch at most.
const MOST_GROUPS: usize = 65_535;

/// One train's decoding spikes in a stretch of rows.
#[derive(Debug, Clone, Copy)]
pub struct Spikes<'a> {
    /// `[spike, feature]`, in time order.
    pub marks: &'a [f64],
    /// `[row + 1]`: the first spike of each row, and how many there are at the end.
    pub starts: &'a [u32],
}

/// A queue with an arena.
pub struct Lane {
    queue: Box<dyn Queue>,
    needs: Needs,
    /// Rows that the sums have room for.
    rows: usize,
    /// Spikes of a block.
    block: usize,
    /// Spikes that the buffer of marks has room for.
    spikes: usize,
    homes: Vec<Home>,
    marks: Buffer,
    moments: Buffer,
    fields: Buffer,
    intensity: Buffer,
    sums: Buffer,
    starts: Buffer,
    staging: Uploads,
    /// Sums are float64, not pairs of float32.
    doubles: bool,
    /// Sums on their way back.
    pairs: Vec<[f32; 2]>,
    numbers: Vec<f64>,
}

/// Where an electrode's tables live: one for each where they fit, else one for all in turn.
struct Home {
    /// Whose tables are there.
    number: Option<usize>,
    tables: Buffer,
    index: Buffer,
    params: MarksParams,
}

impl Home {
    fn make(queue: &mut dyn Queue, needs: &Needs) -> Result<Home> {
        let tables = queue.allocate(needs.tables.max(8))?;
        let index = queue.allocate(needs.index.max(16))?;
        Ok(Home { number: None, tables, index, params: MarksParams::default() })
    }

    fn fits<E: Number>(&self, tables: &Tables<E>, intensity: &Intensity) -> bool {
        let (numbers, index) = upload::lengths(tables, intensity.bins());
        (numbers * size_of::<E>()) as u64 <= self.tables.bytes() && 16 * index as u64 <= self.index.bytes()
    }
}

impl Lane {
    /// A queue of `device`, one of `lanes` that share its memory, with room for `rows` rows of sums,
    /// for `spikes` decoding spikes of one electrode in them, and for the tables of `electrodes`;
    /// blocks are as large as the rest of the memory allows. Kernels are compiled here.
    ///
    /// # Errors
    /// [`Error::DeviceMemory`] where not even 64 spikes fit; whatever the driver refuses.
    pub fn open(
        device: &dyn Device,
        electrodes: &[Needs],
        (rows, spikes): (usize, usize),
        lanes: usize,
    ) -> Result<Lane> {
        let facts = device.facts();
        let needs = electrodes.iter().copied().fold(Needs::default(), Needs::and);
        let share = facts.main_memory() / lanes.max(1) as u64;
        let mut queue = device.queue()?;
        let sums = queue.allocate(8 * (rows * needs.bins()).max(1) as u64)?;
        let starts = queue.allocate(4 * (rows + 1) as u64)?;
        let resident = electrodes.iter().map(Needs::home).sum::<u64>() <= share / 2;
        let homes = if resident { electrodes } else { &[needs][..] };
        let homes = homes.iter().map(|needs| Home::make(&mut *queue, needs)).collect::<Result<Vec<_>>>()?;
        let marks = queue.allocate((spikes as u64 * needs.marks).max(8))?;
        let own = homes.iter().flat_map(|home| [&home.tables, &home.index]);
        let fixed: u64 = own.chain([&sums, &starts, &marks]).map(Buffer::bytes).sum();
        let share = share.saturating_sub(fixed);
        let fitting = (share / needs.per_spike().max(1)).min(facts.largest_buffer / needs.longest()) as usize;
        let block = fitting.min(MOST_SPIKES) / 64 * 64;
        if block == 0 {
            return Err(Error::DeviceMemory { needed: 64 * needs.per_spike(), free: share });
        }
        let per_spike = |bytes: u64| (block as u64 * bytes).max(8);
        let moments = queue.allocate(per_spike(needs.moments))?;
        let fields = queue.allocate(per_spike(needs.fields))?;
        let intensity = queue.allocate(per_spike(needs.intensity))?;
        let kernels = [f32::KERNELS, f64::KERNELS].into_iter().zip(needs.types);
        for kernel in kernels.filter(|(_, used)| *used).flat_map(|(kernels, _)| kernels.all()) {
            queue.load(kernel)?;
        }
        Ok(Lane {
            queue,
            needs,
            rows,
            block,
            spikes,
            homes,
            marks,
            moments,
            fields,
            intensity,
            sums,
            starts,
            staging: Uploads::default(),
            doubles: facts.f64,
            pairs: Vec::new(),
            numbers: Vec::new(),
        })
    }

    /// Begins a stretch of at most as many rows as the lane was opened for: all sums are 0.
    ///
    /// # Errors
    /// The driver refuses.
    pub fn begin(&mut self) -> Result<()> {
        self.queue.zero(&self.sums, 0, self.sums.bytes())
    }

    /// Adds the spikes of electrode `number` to the rows; returns how many of them lie on the floor
    /// in every bin.
    ///
    /// # Errors
    /// The driver refuses.
    pub fn add(&mut self, number: usize, intensity: &Intensity, spikes: Spikes<'_>) -> Result<u64> {
        let count = spikes.starts.last().copied().unwrap_or(0) as usize;
        if count == 0 || spikes.starts.len() > self.rows + 1 {
            return Ok(0);
        }
        match (f32::tables(intensity), f64::tables(intensity)) {
            (Some(tables), _) => self.electrode(tables, (number, intensity), spikes, count),
            (None, Some(tables)) => self.electrode(tables, (number, intensity), spikes, count),
            (None, None) => {
                Err(Error::Failed("internal error: an electrode without tables on a device".into()))
            }
        }
    }

    fn electrode<E: Number>(
        &mut self,
        tables: &Tables<E>,
        (number, intensity): (usize, &Intensity),
        spikes: Spikes<'_>,
        count: usize,
    ) -> Result<u64> {
        let home = self.home(number, tables, intensity)?;
        let mut floored = 0;
        let mut from = 0;
        while from < count {
            let some = (count - from).min(self.spikes);
            floored += self.stretch((tables, home), intensity, spikes, (from, some))?;
            from += some;
        }
        Ok(floored)
    }

    /// Which home holds the tables of electrode `number`; they go up where they are not there yet.
    fn home<E: Number>(&mut self, number: usize, tables: &Tables<E>, intensity: &Intensity) -> Result<usize> {
        if let Some(at) = self.homes.iter().position(|home| home.number == Some(number)) {
            return Ok(at);
        }
        let fits = |at: &usize| self.homes[*at].fits(tables, intensity);
        let fitting = || (0..self.homes.len()).filter(fits);
        let at = fitting().find(|at| self.homes[*at].number.is_none()).or_else(|| fitting().next());
        let at =
            at.ok_or_else(|| Error::Failed("internal error: tables without a home on a device".into()))?;
        let home = &mut self.homes[at];
        self.staging.tables(tables, intensity);
        self.queue.upload(&home.tables, 0, &self.staging.numbers)?;
        self.queue.upload(&home.index, 0, bytemuck::cast_slice(&self.staging.index))?;
        (home.number, home.params) = (Some(number), self.staging.params);
        Ok(at)
    }

    /// As many spikes as the buffer of marks takes, block by block.
    fn stretch<E: Number>(
        &mut self,
        (tables, home): (&Tables<E>, usize),
        intensity: &Intensity,
        spikes: Spikes<'_>,
        (from, some): (usize, usize),
    ) -> Result<u64> {
        let width = tables.width;
        self.staging.spikes::<E>(intensity, &spikes.marks[from * width..(from + some) * width]);
        self.queue.upload(&self.marks, 0, &self.staging.marks)?;
        // Rows count their spikes from the first that is up.
        let here = |start: &u32| (*start as usize).clamp(from, from + some) as u32 - from as u32;
        let starts: Vec<u32> = spikes.starts.iter().map(here).collect();
        self.queue.upload(&self.starts, 0, bytemuck::cast_slice(&starts))?;
        let mut floored = 0;
        for first in (0..some).step_by(self.block) {
            let params = MarksParams {
                first: first as u32,
                spikes: (some - first).min(self.block) as u32,
                stride: self.block as u32,
                ..self.homes[home].params
            };
            floored += self.block((tables, home), &starts, params)?;
        }
        Ok(floored)
    }

    fn block<E: Number>(
        &mut self,
        (tables, home): (&Tables<E>, usize),
        starts: &[u32],
        mut params: MarksParams,
    ) -> Result<u64> {
        let (count, bins, kernels) = (params.spikes as usize, params.bins as usize, E::KERNELS);
        let flags = (size_of::<E>() * self.block * bins) as u64;
        self.queue.zero(&self.intensity, flags, (size_of::<E>() * count) as u64)?;
        let lanes = count.div_ceil(64) as u32;
        match &tables.scheme {
            Scheme::Direct(_) => {
                self.launch(home, &kernels.direct, [lanes, bins.div_ceil(64) as u32, 1], params)?;
            }
            Scheme::Moments(moments) => {
                self.launch(home, &kernels.moments, [moments.cells.len() as u32, lanes, 1], params)?;
                self.launch(home, &kernels.along, [lanes, params.along, params.lines], params)?;
                self.launch(home, &kernels.across, [lanes, bins as u32, 1], params)?;
            }
        }
        let (first, end) = (params.first, params.first + params.spikes);
        let low = starts.partition_point(|&start| start <= first) - 1;
        let high = starts.partition_point(|&start| start < end);
        for row in (low..high).step_by(MOST_GROUPS) {
            (params.row, params.rows) = (row as u32, (high - row).min(MOST_GROUPS) as u32);
            self.launch(home, &kernels.add, [bins.div_ceil(64) as u32, params.rows, 1], params)?;
        }
        let mut above = vec![E::default(); count];
        self.queue.download(&self.intensity, flags, bytemuck::cast_slice_mut(&mut above))?;
        Ok(above.iter().filter(|flag| flag.wide() == 0.0).count() as u64)
    }

    fn launch(
        &mut self,
        home: usize,
        kernel: &'static Kernel,
        groups: [u32; 3],
        params: MarksParams,
    ) -> Result<()> {
        let buffers = [
            &self.homes[home].tables,
            &self.homes[home].index,
            &self.marks,
            &self.moments,
            &self.fields,
            &self.intensity,
            &self.sums,
            &self.starts,
        ];
        self.queue.launch(kernel, groups, &buffers, bytemuck::bytes_of(&params))
    }

    /// Adds the sums of rows `first ..` to `out`, `[row, bin]`.
    ///
    /// # Errors
    /// The driver refuses.
    pub fn end(&mut self, first: usize, out: &mut [f64]) -> Result<()> {
        let at = 8 * (first * self.needs.bins()) as u64;
        if self.doubles {
            self.numbers.resize(out.len(), 0.0);
            self.queue.download(&self.sums, at, bytemuck::cast_slice_mut(&mut self.numbers))?;
            out.iter_mut().zip(&self.numbers).for_each(|(value, sum)| *value += sum);
            return Ok(());
        }
        self.pairs.resize(out.len(), [0.0; 2]);
        self.queue.download(&self.sums, at, bytemuck::cast_slice_mut(&mut self.pairs))?;
        for (value, pair) in out.iter_mut().zip(&self.pairs) {
            *value += f64::from(pair[0]) + f64::from(pair[1]);
        }
        Ok(())
    }
}
