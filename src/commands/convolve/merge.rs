//! Puts the parts of a sharded run together: the file that one run would have written, byte for
//! byte, in the memory of a few rows.
//!
//! The whole run is planned anew from the parts' own options, so the input's header and
//! coordinates are read again (its cells only for a picture); results come from the parts.

use super::options::{Options, Task};
use super::picture::Picture;
use super::plan::Plan;
use super::raster::ReadScratch;
use super::results::Results;
use super::sink::{Targets, append_by_rows};
use crate::array::{ByteOrder, Real, WorkType};
use crate::backend::Backend;
use crate::commands::{Context, InputFacts, Outcome, Planned};
use crate::error::{Error, Result};
use crate::io::{self, Block, Dataset, Format, Writer, block_bytes};
use crate::report::Work;
use crate::shards::{Part, Shard};
use crate::units::format_bytes;
use serde::Serialize;
use serde_json::{Map, Value};
use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

/// Results that are on their way at once, bytes; more gains nothing.
const ENOUGH_BYTES: u64 = 8 << 20;

/// What a merge will do.
#[derive(Debug, Serialize)]
pub struct MergePlan {
    /// The parts in their order.
    pub parts: Vec<PathBuf>,
    /// Rows that are on their way at once.
    pub rows_at_once: u64,
    /// The run that the parts belong to.
    pub whole: Plan,
    #[serde(skip)]
    opened: Vec<Opened>,
}

/// One part, open.
struct Opened {
    rows: Range<u64>,
    layers: Option<Arc<dyn Dataset>>,
    classes: Option<Arc<dyn Dataset>>,
    counts: Map<String, Value>,
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rows {:?}", self.rows)
    }
}

impl Planned for MergePlan {
    fn name(&self) -> Option<&str> {
        Some(&self.whole.run)
    }

    fn backend(&self) -> &Backend {
        &self.whole.backend
    }

    fn warnings(&self) -> &[String] {
        &self.whole.warnings
    }
}

impl fmt::Display for MergePlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "merge      {} parts, {} rows at once", self.parts.len(), self.rows_at_once)?;
        writeln!(f, "memory     {} for buffers", format_bytes(2 * ENOUGH_BYTES))?;
        self.whole.fmt(f)
    }
}

/// Plans the whole run of `options` and checks that `parts`, complete and in order, are its parts.
///
/// # Errors
/// What planning the run finds; an input that changed since; parts of other shapes.
pub fn plan(options: &Options, parts: &[Part], context: &Context) -> Result<MergePlan> {
    let whole = super::plan(options, context)?;
    let mut opened = Vec::new();
    for one in parts {
        let place = one.path.display().to_string();
        if one.identity.run != whole.run {
            return Err(Error::data(
                place,
                "a part of the same command on another input",
                format!("one of {} as it is now", whole.place()),
                "the input, the kernel file or the program changed since; run the shards again",
            ));
        }
        opened.push(open(&whole, one)?);
    }
    let row = whole.input.columns * whole.prepared.job.result_bytes(whole.work_type).max(1);
    Ok(MergePlan {
        parts: parts.iter().map(|one| one.path.clone()).collect(),
        rows_at_once: (ENOUGH_BYTES / row.max(1)).max(1),
        whole,
        opened,
    })
}

/// Opens a part and checks its arrays against what the whole run holds for its rows.
fn open(whole: &Plan, one: &Part) -> Result<Opened> {
    let Shard { index, of } = one.identity.shard;
    let (job, raster) = (&whole.prepared.job, &whole.prepared.found.raster);
    let rows = Shard { index, of }.rows(whole.input.rows, job.block_rows() as u64, raster.chunk_rows());
    let file = io::open(&one.path)?;
    let mut shape = whole.output.shape.clone();
    if let [.., height, _] = shape.as_mut_slice() {
        *height = rows.end - rows.start;
    }
    let checked = |name: &str, dtype: crate::array::Dtype| -> Result<Arc<dyn Dataset>> {
        let name = if file.format() == Format::Npy { "" } else { name };
        let dataset = file.dataset(name)?;
        let found = dataset.info();
        if found.shape != shape || found.stored != io::StoredType::Number(dtype, ByteOrder::Little) {
            return Err(Error::data(
                one.path.display().to_string(),
                format!("{} of shape {:?}", found.stored, found.shape),
                format!("{} of shape {shape:?}", dtype.name()),
                "the part is damaged; run that shard again",
            ));
        }
        Ok(dataset)
    };
    let work = whole.work_type.dtype();
    let hot = matches!(whole.task, Task::Hotspots);
    let npy = file.format() == Format::Npy;
    let classes = if hot { Some(checked(job.variable(), crate::array::Dtype::I8)?) } else { None };
    let layers = match (hot, npy) {
        (true, true) => None,
        (true, false) => Some(checked("hotspots_z", work)?),
        _ => Some(checked(job.variable(), work)?),
    };
    let counts = one.identity.details["counts"].as_object().cloned().unwrap_or_default();
    Ok(Opened { rows, layers, classes, counts })
}

/// Runs `plan`; the output appears under its name only when it is whole.
///
/// # Errors
/// A part or the output cannot be read or written, or the run was interrupted.
pub fn run(plan: &MergePlan, context: &Context) -> Result<Outcome> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(context.threads)
        .build()
        .map_err(|e| Error::Failed(format!("cannot start {} worker threads: {e}", context.threads)))?;
    pool.install(|| match plan.whole.work_type {
        WorkType::F32 => typed::<f32>(plan, context),
        WorkType::F64 => typed::<f64>(plan, context),
    })
}

fn typed<T: Real>(plan: &MergePlan, context: &Context) -> Result<Outcome> {
    let (whole, recorder) = (&plan.whole, context.recorder);
    let layers = whole.prepared.job.layers() as u64;
    recorder.expect(whole.input.planes * layers * whole.input.rows);
    let picture = Picture::of(whole);
    look_at_input::<T>(plan, &picture, context)?;
    let mut results = Results::create(whole)?;
    let mut pieces = Pieces { plan, z: Vec::new(), classes: Vec::new(), bytes: 0 };
    for plane in 0..whole.input.planes {
        for layer in 0..layers {
            for part in &plan.opened {
                for start in part.rows.clone().step_by(plan.rows_at_once as usize) {
                    if recorder.is_cancelled() {
                        return Err(Error::Interrupted);
                    }
                    let rows = start..part.rows.end.min(start + plan.rows_at_once);
                    recorder.time("read", || pieces.read(part, (plane, layer), &rows))?;
                    let (writer, targets) = results.parts();
                    recorder.time("write", || pieces.write(writer, targets, rows.end - rows.start))?;
                    pieces.show::<T>(&picture, (plane, layer), start);
                    recorder.advance(rows.end - rows.start);
                }
            }
        }
    }
    let bytes = pieces.bytes;
    recorder.time("finish", || results.finish(whole, &Map::new()))?;
    let mut outputs = vec![whole.output.path.clone()];
    outputs.extend(recorder.time("plot", || picture.draw(whole))?);
    recorder.count("read", Work { items: whole.cost.cells, bytes_read: bytes, ..Work::default() });
    recorder.count("write", Work { items: whole.cost.cells, bytes_written: bytes, ..Work::default() });
    Ok(Outcome { inputs: inputs(plan)?, outputs, counts: counts(plan), failures: Vec::new() })
}

/// The picture's left side is of the input: its first plane is read again for it.
fn look_at_input<T: Real>(plan: &MergePlan, picture: &Picture, context: &Context) -> Result<()> {
    let whole = &plan.whole;
    if whole.prepared.options.plot.is_none() {
        return Ok(());
    }
    let raster = &whole.prepared.found.raster;
    let (mut scratch, mut values) = (ReadScratch::<T>::empty(), Vec::new());
    let height = whole.input.rows;
    for start in (0..height).step_by(plan.rows_at_once as usize) {
        let rows = start..height.min(start + plan.rows_at_once);
        values.resize((rows.end - rows.start) as usize * raster.width(), T::NAN);
        context.recorder.time("look", || raster.read_rows(0, rows, &mut values, &mut scratch))?;
        picture.take_input(0, start, &values);
    }
    Ok(())
}

/// Rows on their way from a part to the output.
struct Pieces<'a> {
    plan: &'a MergePlan,
    z: Vec<u8>,
    classes: Vec<u8>,
    bytes: u64,
}

impl Pieces<'_> {
    /// Reads `rows` of one layer of a plane.
    fn read(&mut self, part: &Opened, (plane, layer): (u64, u64), rows: &Range<u64>) -> Result<()> {
        let lead = plane * self.plan.whole.prepared.job.layers() as u64 + layer;
        let rows = rows.start - part.rows.start..rows.end - part.rows.start;
        for (dataset, bytes) in [(&part.layers, &mut self.z), (&part.classes, &mut self.classes)] {
            if let Some(dataset) = dataset {
                let block = rows_of(&dataset.info().shape, lead, &rows);
                bytes.resize(block_bytes(dataset.info(), &block), 0);
                dataset.read_block(&block, bytes)?;
                self.bytes += bytes.len() as u64;
            }
        }
        Ok(())
    }

    fn write(&self, writer: &mut dyn Writer, targets: Targets, rows: u64) -> Result<()> {
        match (targets.layers, targets.classes) {
            (Some(z), Some(classes)) => {
                append_by_rows(writer, rows, [(z, &self.z), (classes, &self.classes)])
            }
            (Some(id), None) => writer.append(id, &self.z),
            (None, Some(id)) => writer.append(id, &self.classes),
            (None, None) => Ok(()),
        }
    }

    fn show<T: Real>(&self, picture: &Picture, (plane, layer): (u64, u64), row: u64) {
        if self.plan.whole.prepared.options.plot.is_some() && plane == 0 {
            let mut values = vec![T::NAN; self.z.len() / T::WORK.size()];
            T::from_stored(&self.z, T::WORK.dtype(), ByteOrder::Little, &mut values);
            picture.take_result(layer as usize, plane, row, &values);
        }
    }
}

/// The block of `rows` behind the `lead`-th index of all axes before the last two.
fn rows_of(shape: &[u64], lead: u64, rows: &Range<u64>) -> Block {
    let (mut start, mut count) = (vec![0; shape.len()], vec![1; shape.len()]);
    let mut rest = lead;
    let axes = shape.len().saturating_sub(2);
    for axis in (0..axes).rev() {
        start[axis] = rest % shape[axis].max(1);
        rest /= shape[axis].max(1);
    }
    if let ([.., row, _], [.., height, width]) = (start.as_mut_slice(), count.as_mut_slice()) {
        (*row, *height) = (rows.start, rows.end - rows.start);
        *width = shape[shape.len() - 1];
    }
    Block { start, count }
}

fn inputs(plan: &MergePlan) -> Result<Vec<InputFacts>> {
    let shape = &plan.whole.output.shape;
    plan.parts.iter().map(|path| InputFacts::of(path, &path.display().to_string(), shape, "part")).collect()
}

/// Counts of all parts together.
fn counts(plan: &MergePlan) -> Map<String, Value> {
    let mut all = Map::new();
    for (name, count) in plan.opened.iter().flat_map(|part| &part.counts) {
        let sum = all.get(name).and_then(Value::as_u64).unwrap_or(0) + count.as_u64().unwrap_or(0);
        all.insert(name.clone(), sum.into());
    }
    all
}
