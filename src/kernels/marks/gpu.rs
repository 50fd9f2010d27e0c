//! Mark intensities on a device without float64: tables of an electrode, one lane of work.
//!
//! A lane is a queue with an arena. It holds the sums of a stretch of rows `[row, bin]` as pairs
//! of floats; electrodes come one after another, with their tables and their decoding spikes, and
//! add to them block by block; the sums go back once. What a spike adds is what the CPU adds in
//! single precision, to within rounding.

use super::tables::{Scheme, Tables};
use super::{Intensity, Method};
use crate::backend::device::{Buffer, Cuda, Device, Kernel, Queue};
use crate::error::{Error, Result};
use params::MarksParams;
use upload::Uploads;

mod params;
mod upload;

const SOURCE: &str = include_str!("gpu/marks.wgsl");

const CUDA: Cuda =
    Cuda { file: "marks.cu", source: include_str!("gpu/marks.cu"), ptx: include_bytes!("gpu/marks.ptx.gz") };

const fn kernel(name: &'static str, group: [u32; 3]) -> Kernel {
    let params = size_of::<MarksParams>();
    Kernel { name, group, buffers: 8, params, wgsl: Some(SOURCE), cuda: Some(CUDA) }
}

static MOMENTS: Kernel = kernel("marks_moments", [64, 1, 1]);
static ALONG: Kernel = kernel("marks_along", [64, 1, 1]);
static ACROSS: Kernel = kernel("marks_across", [64, 1, 1]);
static DIRECT: Kernel = kernel("marks_direct", [16, 16, 1]);
static ADD: Kernel = kernel("marks_add", [64, 1, 1]);

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

/// What lanes are made for: the most that any electrode needs.
#[derive(Debug, Clone, Copy, Default)]
pub struct Needs {
    /// Values of the tables.
    tables: usize,
    /// Entries of the index.
    index: usize,
    /// Values of one spike between weights and intensities.
    moments: usize,
    fields: usize,
    bins: usize,
    width: usize,
}

impl Needs {
    /// Of one electrode; none where the device cannot hold its tables in single precision.
    pub fn of(intensity: &Intensity) -> Option<Needs> {
        let Some(tables) = intensity.single() else {
            return intensity.is_constant().then(Needs::default);
        };
        let (moments, fields) = match &tables.scheme {
            Scheme::Direct(_) => (0, 0),
            Scheme::Moments(m) => {
                let degrees = if m.across.is_some() { m.q } else { 1 };
                (
                    m.cells.len() * m.terms.len(),
                    m.along.bands.len() * super::tables::GROUP * m.rows.len() * degrees,
                )
            }
        };
        let (numbers, index) = upload::lengths(tables, intensity.bins());
        Some(Needs { tables: numbers, index, moments, fields, bins: intensity.bins(), width: tables.width })
    }

    /// Interior bins.
    pub fn bins(&self) -> usize {
        self.bins
    }

    /// What serves both.
    pub fn and(self, other: Needs) -> Needs {
        Needs {
            tables: self.tables.max(other.tables),
            index: self.index.max(other.index),
            moments: self.moments.max(other.moments),
            fields: self.fields.max(other.fields),
            bins: self.bins.max(other.bins),
            width: self.width.max(other.width),
        }
    }

    /// Bytes of the tables.
    fn home(&self) -> u64 {
        4 * self.tables.max(1) as u64 + 16 * self.index.max(1) as u64
    }

    /// Bytes of one decoding spike in a block.
    fn per_spike(&self) -> u64 {
        4 * (self.moments + self.fields + self.bins + 1) as u64
    }
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
        let tables = queue.allocate(4 * needs.tables.max(1) as u64)?;
        let index = queue.allocate(16 * needs.index.max(1) as u64)?;
        Ok(Home { number: None, tables, index, params: MarksParams::default() })
    }

    fn fits(&self, tables: &Tables<f32>, intensity: &Intensity) -> bool {
        let (numbers, index) = upload::lengths(tables, intensity.bins());
        4 * numbers as u64 <= self.tables.bytes() && 16 * index as u64 <= self.index.bytes()
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
        let sums = queue.allocate(8 * (rows * needs.bins).max(1) as u64)?;
        let starts = queue.allocate(4 * (rows + 1) as u64)?;
        let resident = electrodes.iter().map(Needs::home).sum::<u64>() <= share / 2;
        let homes = if resident { electrodes } else { &[needs][..] };
        let homes = homes.iter().map(|needs| Home::make(&mut *queue, needs)).collect::<Result<Vec<_>>>()?;
        let marks = queue.allocate(4 * (spikes * needs.width).max(1) as u64)?;
        let own = homes.iter().flat_map(|home| [&home.tables, &home.index]);
        let fixed: u64 = own.chain([&sums, &starts, &marks]).map(Buffer::bytes).sum();
        let share = share.saturating_sub(fixed);
        let longest = 4 * needs.moments.max(needs.fields).max(needs.bins + 1).max(1) as u64;
        let fitting = (share / needs.per_spike()).min(facts.largest_buffer / longest) as usize;
        let block = fitting.min(MOST_SPIKES) / 64 * 64;
        if block == 0 {
            return Err(Error::DeviceMemory { needed: 64 * needs.per_spike(), free: share });
        }
        let per_spike = |values: usize| 4 * (block * values).max(1) as u64;
        let moments = queue.allocate(per_spike(needs.moments))?;
        let fields = queue.allocate(per_spike(needs.fields))?;
        let intensity = queue.allocate(per_spike(needs.bins + 1))?;
        for kernel in [&MOMENTS, &ALONG, &ACROSS, &DIRECT, &ADD] {
            queue.load(kernel)?;
        }
        let staging = Uploads::default();
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
            staging,
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
        let Some(tables) = intensity.single() else {
            return Err(Error::Failed("internal error: an electrode without tables on a device".into()));
        };
        let count = spikes.starts.last().copied().unwrap_or(0) as usize;
        if count == 0 || spikes.starts.len() > self.rows + 1 {
            return Ok(0);
        }
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
    fn home(&mut self, number: usize, tables: &Tables<f32>, intensity: &Intensity) -> Result<usize> {
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
        self.queue.upload(&home.tables, 0, bytemuck::cast_slice(&self.staging.numbers))?;
        self.queue.upload(&home.index, 0, bytemuck::cast_slice(&self.staging.index))?;
        (home.number, home.params) = (Some(number), self.staging.params);
        Ok(at)
    }

    /// As many spikes as the buffer of marks takes, block by block.
    fn stretch(
        &mut self,
        (tables, home): (&Tables<f32>, usize),
        intensity: &Intensity,
        spikes: Spikes<'_>,
        (from, some): (usize, usize),
    ) -> Result<u64> {
        let width = tables.width;
        self.staging.spikes(intensity, &spikes.marks[from * width..(from + some) * width]);
        self.queue.upload(&self.marks, 0, bytemuck::cast_slice(&self.staging.marks))?;
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

    fn block(
        &mut self,
        (tables, home): (&Tables<f32>, usize),
        starts: &[u32],
        mut params: MarksParams,
    ) -> Result<u64> {
        let (count, bins) = (params.spikes as usize, params.bins as usize);
        let flags = 4 * (self.block * bins) as u64;
        self.queue.zero(&self.intensity, flags, 4 * count as u64)?;
        let lanes = count.div_ceil(64) as u32;
        match &tables.scheme {
            Scheme::Direct(_) => self.launch(home, &DIRECT, [lanes, bins.div_ceil(64) as u32, 1], params)?,
            Scheme::Moments(moments) => {
                self.launch(home, &MOMENTS, [moments.cells.len() as u32, lanes, 1], params)?;
                self.launch(home, &ALONG, [lanes, params.along, params.lines], params)?;
                self.launch(home, &ACROSS, [lanes, bins as u32, 1], params)?;
            }
        }
        let (first, end) = (params.first, params.first + params.spikes);
        let low = starts.partition_point(|&start| start <= first) - 1;
        let high = starts.partition_point(|&start| start < end);
        for row in (low..high).step_by(MOST_GROUPS) {
            (params.row, params.rows) = (row as u32, (high - row).min(MOST_GROUPS) as u32);
            self.launch(home, &ADD, [bins.div_ceil(64) as u32, params.rows, 1], params)?;
        }
        let mut above = vec![0.0_f32; count];
        self.queue.download(&self.intensity, flags, bytemuck::cast_slice_mut(&mut above))?;
        Ok(above.iter().filter(|flag| **flag == 0.0).count() as u64)
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
        self.staging.pairs.resize(out.len(), [0.0; 2]);
        let at = 8 * (first * self.needs.bins) as u64;
        self.queue.download(&self.sums, at, bytemuck::cast_slice_mut(&mut self.staging.pairs))?;
        for (value, pair) in out.iter_mut().zip(&self.staging.pairs) {
            *value += f64::from(pair[0]) + f64::from(pair[1]);
        }
        Ok(())
    }
}

/// Operations of one decoding spike of an electrode on a device.
pub fn flop(intensity: &Intensity) -> f64 {
    let Some(tables) = intensity.single() else { return 0.0 };
    let count = tables.spikes() as f64;
    // Distances, the exponential, its range.
    let weight = 3.0 * tables.width as f64 + 20.0;
    match (&tables.scheme, intensity.choice().method) {
        (Scheme::Moments(_), Method::Moments { .. }) => {
            // The choice counts weights and multiply-adds as slots; products of polynomials come on top.
            2.0 * intensity.choice().cost + count * weight
        }
        _ => {
            let bins = intensity.bins() as f64;
            count * (2.0 * bins + weight * (bins / 64.0).ceil())
        }
    }
}
