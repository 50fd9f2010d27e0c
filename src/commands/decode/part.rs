//! A part of a run as a file: rows of log likelihood `[row, column]` with the offset of each row, and
//! the part's identity as its label. Filter and smoother run over all of them in the merge.

use super::options::{Interior, Options};
use super::passes_likelihood::{LikelihoodRows, Value};
use super::plan::{Plan, ShardPlan};
use super::session::Session;
use super::store::Stored;
use crate::array::{ByteOrder, Dtype};
use crate::error::{Error, Result};
use crate::io::{self, Block, Dataset, DatasetId, DatasetSpec, InputSpec, StoredType, Writer, block_bytes};
use crate::pipeline::{Chunk, Pass, Sink, Source};
use crate::shards::{Identity, Part, Run};
use serde_json::json;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

const VALUES: &str = "log_likelihood_rows";
const OFFSETS: &str = "offset";

/// The name of a run: a hash of all that its results depend on. Parts of one run share it.
///
/// # Errors
/// A file given besides the recording cannot be read.
pub fn run_name(options: &Options, session: &Session) -> Result<String> {
    let mask = match &options.interior {
        Interior::File(path) => Some(path.clone()),
        Interior::Visited | Interior::All => None,
    };
    // Files count by what is in them, not by where they lie.
    let neutral = Options {
        input: InputSpec { path: PathBuf::new(), dataset: options.input.dataset.clone() },
        output: PathBuf::new(),
        track_graph: None,
        encoding_model: None,
        interior: if mask.is_some() { Interior::File(PathBuf::new()) } else { options.interior.clone() },
        plot: None,
        shard: None,
        resume: false,
        asked: Default::default(),
        ..options.clone()
    };
    let mut run = Run::of("decode").with(format!("{neutral:?}"));
    for facts in &session.inputs {
        run = run.with(format!("{:?} {} {}", facts.shape, facts.dtype, facts.sample_sha256));
    }
    for path in [&options.track_graph, &options.encoding_model, &mask].into_iter().flatten() {
        run = run.with_file(path)?;
    }
    Ok(run.name())
}

/// Writes the rows of a part as they come.
pub struct PartSink {
    writer: Box<dyn Writer>,
    values: DatasetId,
    offsets: DatasetId,
    bytes: Vec<u8>,
}

impl PartSink {
    /// Makes the file of a part whose rows have `columns` values of type `dtype`.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn create(plan: &Plan, part: &ShardPlan, columns: usize, dtype: Dtype) -> Result<Self> {
        let mut writer = io::create(&plan.output)?;
        let rows = part.rows.end - part.rows.start;
        let mut dataset = |path: &str, shape: Vec<u64>, dtype| {
            let spec =
                DatasetSpec { path: path.into(), shape, dtype, chunks: None, deflate: None, fill: None };
            writer.create(&spec)
        };
        let values = dataset(VALUES, vec![rows, columns as u64], dtype)?;
        let offsets = dataset(OFFSETS, vec![rows], Dtype::F64)?;
        Ok(PartSink { writer, values, offsets, bytes: Vec::new() })
    }

    /// Labels the part and closes it under its name; `floored` counts spikes by train.
    ///
    /// # Errors
    /// The disk is full, or the run was interrupted.
    pub fn finish(mut self, plan: &Plan, part: &ShardPlan, floored: &[u64]) -> Result<()> {
        let details = json!({ "rows": [part.rows.start, part.rows.end], "floored": floored });
        let asked = &plan.prepared.options.asked;
        Identity::new("decode", &plan.run, part.shard, asked, details).label(self.writer.as_mut())?;
        self.writer.finish()
    }
}

/// [`PartSink`] for rows of one type.
pub struct Rows<'a, T>(pub &'a mut PartSink, pub std::marker::PhantomData<fn() -> T>);

impl<T: Value> Sink for Rows<'_, T> {
    type Buffer = LikelihoodRows<T>;

    fn write(&mut self, _: &Chunk, rows: &LikelihoodRows<T>) -> Result<()> {
        let PartSink { writer, values, offsets, bytes } = &mut *self.0;
        bytes.clear();
        T::push_le(&rows.values, bytes);
        writer.append(*values, bytes)?;
        bytes.clear();
        f64::push(&rows.offset, bytes);
        writer.append(*offsets, bytes)
    }
}

/// A part, open for the merge.
pub struct Opened {
    rows: Range<u64>,
    values: Arc<dyn Dataset>,
    offsets: Arc<dyn Dataset>,
    /// Spikes at the floor, by train.
    pub floored: Vec<u64>,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "time bins {:?}", self.rows)
    }
}

impl Opened {
    /// Opens a part and checks its arrays: `rows` time bins in all, of `columns` values of `dtype`.
    ///
    /// # Errors
    /// The part does not hold what its label promises.
    pub fn open(one: &Part, rows: u64, (columns, dtype): (usize, Dtype), trains: usize) -> Result<Self> {
        let rows = one.identity.shard.items(rows);
        let file = io::open(&one.path)?;
        let damaged = |found: String, expected: String| {
            let advice = "the part is damaged; run that shard again";
            Error::data(one.path.display().to_string(), found, expected, advice)
        };
        let checked = |name: &str, shape: Vec<u64>, dtype: Dtype| {
            let dataset = file.dataset(name)?;
            let found = dataset.info();
            if found.shape == shape && found.stored == StoredType::Number(dtype, ByteOrder::Little) {
                return Ok(dataset);
            }
            let found = format!("{} of shape {:?}", found.stored, found.shape);
            Err(damaged(found, format!("{} of shape {shape:?}", dtype.name())))
        };
        let count = rows.end - rows.start;
        let floored = one.identity.details["floored"].as_array();
        let floored: Vec<u64> = floored.into_iter().flatten().filter_map(serde_json::Value::as_u64).collect();
        if floored.len() != trains {
            return Err(damaged(format!("counts of {} trains", floored.len()), format!("{trains}")));
        }
        Ok(Opened {
            values: checked(VALUES, vec![count, columns as u64], dtype)?,
            offsets: checked(OFFSETS, vec![count], Dtype::F64)?,
            rows,
            floored,
        })
    }
}

/// Reads rows from the parts, which are in their order.
pub struct FromParts<'a> {
    parts: &'a [Opened],
    bytes: Vec<u8>,
}

impl<'a> FromParts<'a> {
    /// Of `parts`.
    pub fn new(parts: &'a [Opened]) -> Self {
        FromParts { parts, bytes: Vec::new() }
    }

    fn read(&mut self, dataset: &dyn Dataset, rows: Range<u64>) -> Result<&[u8]> {
        let (mut start, mut count) = (vec![0; dataset.info().shape.len()], dataset.info().shape.clone());
        if let (Some(start), Some(count)) = (start.first_mut(), count.first_mut()) {
            (*start, *count) = (rows.start, rows.end - rows.start);
        }
        let block = Block { start, count };
        self.bytes.resize(block_bytes(dataset.info(), &block), 0);
        dataset.read_block(&block, &mut self.bytes)?;
        Ok(&self.bytes)
    }
}

/// [`FromParts`] for rows of one type.
pub struct RowsOf<'a, T>(pub FromParts<'a>, pub std::marker::PhantomData<fn() -> T>);

impl<T: Value> Source for RowsOf<'_, T> {
    type Buffer = LikelihoodRows<T>;

    fn read(&mut self, chunk: &Chunk, rows: &mut LikelihoodRows<T>) -> Result<()> {
        rows.values.clear();
        rows.offset.clear();
        for part in self.0.parts {
            let wanted = chunk.start.max(part.rows.start)..chunk.end.min(part.rows.end);
            if wanted.is_empty() {
                continue;
            }
            let wanted = wanted.start - part.rows.start..wanted.end - part.rows.start;
            let bytes = self.0.read(part.values.as_ref(), wanted.clone())?;
            let before = rows.values.len();
            rows.values.resize(before + bytes.len() / size_of::<T>(), T::default());
            <T as Stored>::read(bytes, &mut rows.values[before..]);
            let bytes = self.0.read(part.offsets.as_ref(), wanted)?;
            let before = rows.offset.len();
            rows.offset.resize(before + bytes.len() / 8, 0.0);
            <f64 as Stored>::read(bytes, &mut rows.offset[before..]);
        }
        Ok(())
    }
}

/// Hands rows on as they are.
pub struct AsTheyAre<T>(pub std::marker::PhantomData<fn() -> T>);

impl<T: Value> Pass for AsTheyAre<T> {
    type In = LikelihoodRows<T>;
    type Out = LikelihoodRows<T>;

    fn process(
        &self,
        _: &Chunk,
        input: &mut LikelihoodRows<T>,
        output: &mut LikelihoodRows<T>,
    ) -> Result<()> {
        std::mem::swap(input, output);
        Ok(())
    }
}
