//! Runs a plan: opens the output, streams every strip through the job, finishes the file.
//! No arithmetic here.

use super::bind::{Bound, Tally};
use super::job::Job;
use super::keeping::KeepingSink;
use super::passes_device::DevicePass;
use super::picture::Picture;
use super::plan::Plan;
use super::raster::ReadScratch;
use super::results::Results;
use super::sink::{ResultSink, StripOut};
use super::strips::{Onlooker, Strip, Strips};
use super::survey;
use crate::array::{Real, WorkType};
use crate::commands::keep::Keeper;
use crate::commands::{Context, InputFacts, Outcome};
use crate::error::{Error, Result};
use crate::kernels::focal::gpu::Shape;
use crate::pipeline::chunk;
use crate::pipeline::run::{Buffers, STAGES, run as stream};
use crate::report::{Recorder, Work};
use rayon::ThreadPool;

/// Runs `plan`; the output appears under its name only when it is whole.
///
/// # Errors
/// Input or output cannot be read or written, a chunk does not decode, the data refuse the job
/// (hot spots of a constant raster), or the run was interrupted.
pub fn run(plan: &Plan, context: &Context) -> Result<Outcome> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(context.threads)
        .build()
        .map_err(|e| Error::Failed(format!("cannot start {} worker threads: {e}", context.threads)))?;
    let rows = plan.rows();
    let looked = (plan.prepared.job.passes_over_input() - 1) * plan.input.rows;
    context.recorder.expect(plan.input.planes * (looked + rows.end - rows.start));
    if plan.done {
        tracing::info!("{}: this part is done already", plan.output.path.display());
        return Ok(Outcome {
            inputs: vec![facts(plan)?],
            outputs: vec![],
            counts: Default::default(),
            failures: vec![],
        });
    }
    match plan.work_type {
        WorkType::F32 => typed::<f32>(plan, context, &pool),
        WorkType::F64 => typed::<f64>(plan, context, &pool),
    }
}

fn typed<T: Real>(plan: &Plan, context: &Context, pool: &ThreadPool) -> Result<Outcome> {
    let (raster, recorder) = (&plan.prepared.found.raster, context.recorder);
    let (height, width) = (raster.height(), raster.width());
    // Before the work: the file may be gone by its end, and its results right all the same.
    let inputs = vec![facts(plan)?];
    let globals = match plan.prepared.job {
        Job::Hotspots { .. } => {
            let all = chunk::split(plan.input.planes, height as u64, plan.strips.rows);
            survey::planes(plan, raster, all, pool, recorder)?
        }
        _ => Vec::new(),
    };
    let mut tally = Tally::default();
    let device = devices(plan, recorder)?;
    let bound = Bound::new((&plan.prepared.job, device.as_ref()), width, &globals, recorder);
    let picture = Picture::of(plan);
    let resume = plan.prepared.options.resume;
    let mut keeper = Keeper::begin(&plan.output.path, &plan.run, resume, context)?;
    let mut results = Results::create(plan)?;
    let walked = {
        let wide = wide_integers(plan, recorder);
        let seen = |plane: u64, row: u64, rows: &[T]| {
            if let Some(wide) = &wide {
                wide(rows);
            }
            picture.take_input(plane, row, rows);
        };
        let onlooker: Onlooker<'_, T> = Box::new(seen);
        let mut source = Strips::new(raster, plan.strips.halo, plan.boundary).watched_by(onlooker);
        let (writer, targets) = results.parts();
        let watch = |layer, plane, row, rows: &[T]| picture.take_result(layer, plane, row, rows);
        let sink =
            ResultSink::new(writer, targets, plan.rows().end, &plan.output.path).watched_by(Box::new(watch));
        let mut sink = KeepingSink::new(sink, &mut keeper, &mut tally);
        walk(plan, (&mut source, &bound, &mut sink), &picture, (pool, recorder))
    };
    let resumed = keeper.after(walked)?;
    let mut counts = tally.into_counts();
    if let Some(device) = &device {
        counts.extend(device.counts().map(|(name, count)| (name.to_owned(), count.into())));
    }
    if resumed > 0 {
        counts.insert("resumed_rows".into(), resumed.into());
    }
    keeper.mark()?;
    recorder.time("finish", || results.finish(plan, &counts))?;
    let mut outputs = vec![plan.output.path.clone()];
    outputs.extend(recorder.time("plot", || picture.draw(plan))?);
    count_work(plan, context);
    Ok(Outcome { inputs, outputs, counts, failures: Vec::new() })
}

/// Streams all strips but those that an earlier run kept; how many rows it had.
fn walk<T: Real>(
    plan: &Plan,
    (source, bound, sink): (&mut Strips<'_, T>, &Bound<'_, T>, &mut KeepingSink<'_, '_, T>),
    picture: &Picture,
    (pool, recorder): (&ThreadPool, &Recorder),
) -> Result<u64> {
    let (planes, rows, layers) = (plan.input.planes, plan.rows(), plan.prepared.job.layers());
    let mut leg = |from: (u64, u64), to: (u64, u64), sink: &mut KeepingSink<'_, '_, T>| {
        let chunks = chunk::between(planes, rows.clone(), plan.strips.rows, (from, to));
        let buffers = Buffers {
            input: (0..plan.strips.in_flight).map(|_| Strip::empty(plan.boundary)).collect(),
            output: (0..plan.strips.in_flight).map(|_| StripOut::empty(layers)).collect(),
        };
        stream(STAGES, chunks, (&mut *source, bound, sink), buffers, pool, recorder)
    };
    let begin = (0, rows.start);
    let gap = sink.first()?.unwrap_or(begin);
    leg(begin, gap, sink)?;
    let (mut strip, width) = (StripOut::empty(layers), plan.input.columns);
    let from = recorder.time("resume", || sink.replay(gap, (&rows, width), &mut strip))?;
    let resumed = rows_before(plan, from) - rows_before(plan, gap);
    if resumed > 0 {
        tracing::info!("{}: resuming at row {} of plane {}", plan.output.path.display(), from.1, from.0);
    }
    recorder.advance(resumed);
    look_again::<T>(plan, picture, gap, from)?;
    leg(from, (planes, rows.start), sink)?;
    Ok(resumed)
}

/// The devices of a plan at work; none where their memory is too small for anything.
fn devices(plan: &Plan, recorder: &Recorder) -> Result<Option<DevicePass>> {
    let (Some(device), Job::Convolve(pass)) = (&plan.prepared.device, &plan.prepared.job) else {
        return Ok(None);
    };
    let raster = &plan.prepared.found.raster;
    let (height, width) = (raster.height(), raster.width());
    let shape = Shape { height, width, rows: device.rows, boundary: plan.boundary };
    DevicePass::open(&plan.backend, &device.recipe, pass, (shape, plan.work_type), recorder)
}

/// Rows of all planes before the row `from.1` of the plane `from.0`.
fn rows_before(plan: &Plan, from: (u64, u64)) -> u64 {
    let rows = plan.rows();
    from.0 * (rows.end - rows.start) + (from.1 - rows.start)
}

/// The picture has to see the input that an earlier run saw.
fn look_again<T: Real>(plan: &Plan, picture: &Picture, gap: (u64, u64), from: (u64, u64)) -> Result<()> {
    if plan.prepared.options.plot.is_none() || plan.shard.is_some() || gap.0 > 0 {
        return Ok(());
    }
    let raster = &plan.prepared.found.raster;
    let seen = if from.0 > 0 { plan.rows().end } else { from.1 };
    let (mut scratch, mut values) = (ReadScratch::<T>::empty(), Vec::new());
    for start in (gap.1..seen).step_by(plan.strips.rows.max(1) as usize) {
        let rows = start..seen.min(start + plan.strips.rows);
        values.resize((rows.end - rows.start) as usize * raster.width(), T::NAN);
        raster.read_rows(0, rows, &mut values, &mut scratch)?;
        picture.take_input(0, start, &values);
    }
    Ok(())
}

fn facts(plan: &Plan) -> Result<InputFacts> {
    InputFacts::of(&plan.input.path, &plan.place(), &plan.input.shape, &plan.input.stored)
}

/// Integers that float32 cannot hold are told once, with advice (spec convolve 1.2).
fn wide_integers<'a, T: Real>(plan: &Plan, recorder: &'a Recorder) -> Option<impl Fn(&[T]) + 'a> {
    let decoding = plan.prepared.found.raster.decoding().dtype();
    let narrowed = plan.work_type == WorkType::F32 && decoding.is_integer() && decoding.size() >= 4;
    let warned = std::sync::atomic::AtomicBool::new(false);
    narrowed.then_some(move |rows: &[T]| {
        use std::sync::atomic::Ordering::Relaxed;
        if !warned.load(Relaxed) && rows.iter().any(|v| v.widen().abs() >= f64::from(1 << 24)) {
            warned.store(true, Relaxed);
            recorder.warn(
                "some integers reach 2^24 and lose digits in float32, as in the peer; give --dtype f64 to keep them",
            );
        }
    })
}

fn count_work(plan: &Plan, context: &Context) {
    let cost = plan.cost;
    context
        .recorder
        .count("read", Work { items: cost.cells, bytes_read: cost.bytes_read, ..Work::default() });
    // Every cell comes from memory once and every result goes there once, whatever the way.
    let computed = Work {
        items: cost.cells,
        bytes_read: cost.cells * plan.work_type.size() as u64,
        bytes_written: cost.bytes_written,
        flop: cost.flop,
    };
    context.recorder.count("compute", computed);
    let written = Work { items: cost.cells, bytes_written: cost.bytes_written, ..Work::default() };
    context.recorder.count("write", written);
}
