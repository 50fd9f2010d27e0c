//! Filter and smoother on a device with float64: stretches of rows go there, what is asked of them
//! comes back; prediction and posterior stay there from stretch to stretch.
//!
//! The device does what [`Filter`](super::Filter) and [`Smoother`](super::Smoother) do, with sums in
//! another order and without leaving out weights that cannot be seen: probabilities agree to within
//! rounding, not bit for bit.

use super::{Chain, Outcome};
use crate::backend::device::{Buffer, Cuda, Device, Kernel, Queue};
use crate::error::{Error, Result};
use crate::kernels::transition::{Portable, Sparse};
use bytemuck::{Pod, Zeroable};

const CUDA: Cuda =
    Cuda { file: "chain.cu", source: include_str!("gpu/chain.cu"), ptx: include_bytes!("gpu/chain.ptx.gz") };

const fn kernel(name: &'static str) -> Kernel {
    let params = size_of::<ChainParams>();
    Kernel { name, group: [512, 1, 1], buffers: 8, params, wgsl: None, cuda: Some(CUDA) }
}

static FILTER: Kernel = kernel("chain_filter");
static SMOOTH: Kernel = kernel("chain_smooth");

/// Most rows of a stretch: more of them gain nothing.
const MOST_ROWS: usize = 4096;

/// What a launch is told; `chain.cu` says what it means.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, Pod, Zeroable)]
struct ChainParams {
    rows: u32,
    columns: u32,
    places: u32,
    states: u32,
    width: u32,
    wide: u32,
    high: u32,
    broad: u32,
    cells: u32,
    away: u32,
    away_weights: u32,
    fresh: u32,
    restarted: u32,
    pad: [u32; 3],
}

/// Element of a row of log likelihoods on a device.
pub trait Row: Pod {
    /// 1 for float64.
    const WIDE: u32;
}

impl Row for f32 {
    const WIDE: u32 = 0;
}

impl Row for f64 {
    const WIDE: u32 = 1;
}

/// What the filter says of one row besides its distribution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Told {
    /// Logarithm of the evidence, less the row's offset; none where the row excludes every column.
    pub log_evidence: Option<f64>,
    /// Whether the chain had to start anew.
    pub outcome: Outcome,
}

/// A chain whose tables and state lie on a device.
pub struct DeviceChain {
    queue: Box<dyn Queue>,
    params: ChainParams,
    /// Rows of a stretch at most.
    rows: usize,
    weights: Buffer,
    index: Buffer,
    numbers: Buffer,
    state: Buffer,
    likelihood: Buffer,
    filtered: Buffer,
    predicted: Buffer,
    told: Buffer,
}

/// Tables of a chain as they are uploaded.
struct Lists {
    params: ChainParams,
    weights: Vec<f64>,
    index: Vec<u32>,
    numbers: Vec<f64>,
}

impl Lists {
    fn of(chain: &Chain) -> Lists {
        let (states, walk) = (chain.states(), chain.transition().walk());
        let count = states.states();
        let mut params = ChainParams {
            columns: states.columns() as u32,
            places: states.places() as u32,
            states: count as u32,
            width: chain.row_width() as u32,
            cells: states.places() as u32,
            ..ChainParams::default()
        };
        let mut index = Vec::new();
        for s in 0..count {
            let places = [states.range(s).start, usize::from(states.is_spatial(s)), chain.source(s).start];
            index.extend(places.map(|value| value as u32));
        }
        let pairs = || (0..count).flat_map(|from| (0..count).map(move |to| (from, to)));
        index.extend(pairs().map(|(from, to)| match () {
            () if states.is_walk(from, to) => 0,
            () if states.is_identity(from, to) => 1,
            () => 2,
        }));
        let mut numbers = walk.row_scale().to_vec();
        numbers.extend(pairs().map(|(from, to)| states.discrete(from, to)));
        let lists = index.len();
        let mut weights = Vec::new();
        let push = |sparse: Sparse, index: &mut Vec<u32>, weights: &mut Vec<f64>| {
            index.extend(sparse.starts);
            index.extend(sparse.places);
            weights.extend(sparse.weights);
        };
        match walk.portable() {
            Portable::Box { first, second, shape: [high, broad], cells } => {
                (params.high, params.broad, params.cells) =
                    (high as u32, broad as u32, (high * broad) as u32);
                weights.extend(first);
                weights.extend(second);
                index.extend(cells);
            }
            Portable::Pairs { towards, away } => {
                push(towards, &mut index, &mut weights);
                if let Some(away) = away {
                    params.away = (index.len() - lists) as u32;
                    params.away_weights = weights.len() as u32;
                    push(away, &mut index, &mut weights);
                }
            }
        }
        Lists { params, weights, index, numbers }
    }
}

/// Begin of the posterior in the state, bytes.
fn posterior_at(params: &ChainParams) -> u64 {
    8 * u64::from(params.columns)
}

impl DeviceChain {
    /// Brings `chain` to `device`, with room for stretches of up to `rows` rows, or fewer where its
    /// memory asks for it. Before the first row.
    ///
    /// # Errors
    /// [`Error::DeviceMemory`] where not one row fits; whatever the driver refuses.
    pub fn open(device: &dyn Device, chain: &Chain, rows: usize) -> Result<DeviceChain> {
        let Lists { params, weights, index, numbers } = Lists::of(chain);
        let (columns, width) = (u64::from(params.columns), u64::from(params.width));
        let state = 8 * (4 * columns + width + 2 * u64::from(params.cells) + u64::from(params.states));
        let fixed = state + 8 * (weights.len() + numbers.len()) as u64 + 4 * index.len() as u64;
        let per_row = 8 * (2 * columns + width + 3);
        let facts = device.facts();
        let room = facts.side_memory().saturating_sub(fixed) / per_row;
        let rows = room.min(facts.largest_buffer / (8 * columns.max(width))).min(rows as u64) as usize;
        let rows = rows.min(MOST_ROWS);
        if rows == 0 {
            return Err(Error::DeviceMemory { needed: fixed + per_row, free: facts.side_memory() });
        }
        let mut queue = device.queue()?;
        let mut full = |bytes: &[u8]| -> Result<Buffer> {
            let buffer = queue.allocate(bytes.len() as u64)?;
            queue.upload(&buffer, 0, bytes)?;
            Ok(buffer)
        };
        let weights = full(bytemuck::cast_slice(&weights))?;
        let index = full(bytemuck::cast_slice(&index))?;
        let numbers = full(bytemuck::cast_slice(&numbers))?;
        let rows_of = |values: u64| 8 * rows as u64 * values;
        let state = queue.allocate(state)?;
        let likelihood = queue.allocate(rows_of(width))?;
        let filtered = queue.allocate(rows_of(columns))?;
        let predicted = queue.allocate(rows_of(columns))?;
        let told = queue.allocate(rows_of(3))?;
        queue.load(&FILTER)?;
        queue.load(&SMOOTH)?;
        let mut made = DeviceChain {
            queue,
            params,
            rows,
            weights,
            index,
            numbers,
            state,
            likelihood,
            filtered,
            predicted,
            told,
        };
        made.predict(&chain.initial())?;
        Ok(made)
    }

    /// Rows of a stretch at most.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Sets the prediction for the next row, one value per column.
    ///
    /// # Errors
    /// The driver refuses.
    pub fn predict(&mut self, predicted: &[f64]) -> Result<()> {
        self.queue.upload(&self.state, 0, bytemuck::cast_slice(predicted))
    }

    /// Sets the posterior of the row behind the next stretch to smooth, one value per column.
    ///
    /// # Errors
    /// The driver refuses.
    pub fn know(&mut self, posterior: &[f64]) -> Result<()> {
        self.queue.upload(&self.state, posterior_at(&self.params), bytemuck::cast_slice(posterior))
    }

    /// Filters a stretch of at most [`DeviceChain::rows`] rows `[row, value]` of
    /// [`Chain::row_width`] log likelihoods.
    ///
    /// # Errors
    /// The driver refuses.
    pub fn filter<T: Row>(&mut self, rows: &[T]) -> Result<Vec<Told>> {
        let count = rows.len() / self.params.width.max(1) as usize;
        self.queue.upload(&self.likelihood, 0, bytemuck::cast_slice(rows))?;
        self.launch(&FILTER, ChainParams { rows: count as u32, wide: T::WIDE, ..self.params })?;
        let mut told = vec![[0.0_f64; 3]; count];
        self.queue.download(&self.told, 0, bytemuck::cast_slice_mut(&mut told))?;
        let of = |[sum, largest, anew]: [f64; 3]| Told {
            log_evidence: (sum > 0.0).then(|| sum.ln() + largest),
            outcome: if anew == 0.0 { Outcome::Went } else { Outcome::Restarted },
        };
        Ok(told.into_iter().map(of).collect())
    }

    /// Filtered distributions of rows `first ..` of the stretch, `[row, column]`.
    ///
    /// # Errors
    /// The driver refuses.
    pub fn filtered(&mut self, first: usize, out: &mut [f64]) -> Result<()> {
        let at = first as u64 * posterior_at(&self.params);
        self.queue.download(&self.filtered, at, bytemuck::cast_slice_mut(out))
    }

    /// What rows `first ..` of the stretch predict for the row after them, `[row, column]`.
    ///
    /// # Errors
    /// The driver refuses.
    pub fn predicted(&mut self, first: usize, out: &mut [f64]) -> Result<()> {
        let at = first as u64 * posterior_at(&self.params);
        self.queue.download(&self.predicted, at, bytemuck::cast_slice_mut(out))
    }

    /// Smooths the stretch that was filtered last, backwards, into `posterior` `[row, column]`; `later` is
    /// what the filter said of the row behind it, none where there is no such row.
    ///
    /// # Errors
    /// The driver refuses.
    pub fn smooth(&mut self, later: Option<Outcome>, posterior: &mut [f64]) -> Result<()> {
        let rows = posterior.len() / self.params.columns.max(1) as usize;
        let params = ChainParams {
            rows: rows as u32,
            fresh: u32::from(later.is_none()),
            restarted: u32::from(later == Some(Outcome::Restarted)),
            ..self.params
        };
        self.launch(&SMOOTH, params)?;
        self.filtered(0, posterior)
    }

    fn launch(&mut self, kernel: &'static Kernel, params: ChainParams) -> Result<()> {
        let buffers = [
            &self.weights,
            &self.index,
            &self.numbers,
            &self.state,
            &self.likelihood,
            &self.filtered,
            &self.predicted,
            &self.told,
        ];
        self.queue.launch(kernel, [1, 1, 1], &buffers, bytemuck::bytes_of(&params))
    }
}
