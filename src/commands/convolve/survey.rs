//! The first look at the raster that hot spots need: moments of every plane.
//!
//! Moments are taken row by row and joined in row order, so neither strips nor threads show.

use super::plan::Plan;
use super::raster::Raster;
use super::strips::{Strip, Strips};
use crate::error::Result;
use crate::kernels::hotspots::{GlobalStats, Moments};
use crate::kernels::window::Boundary;
use crate::pipeline::run::{Buffers, STAGES, run as stream};
use crate::pipeline::{Chunk, Pass, Sink};
use crate::report::Recorder;
use rayon::ThreadPool;
use rayon::prelude::*;

/// Moments of each row of a strip.
struct Survey;

impl Pass for Survey {
    type In = Strip<f32>;
    type Out = Vec<Moments>;

    fn process(&self, _: &Chunk, strip: &mut Strip<f32>, out: &mut Vec<Moments>) -> Result<()> {
        let window = strip.window();
        out.clear();
        if window.width > 0 {
            window.rows.par_chunks_exact(window.width).map(Moments::of_row).collect_into_vec(out);
        }
        Ok(())
    }
}

/// Joins rows into planes, in order.
struct Join {
    planes: Vec<Moments>,
}

impl Sink for Join {
    type Buffer = Vec<Moments>;

    fn write(&mut self, chunk: &Chunk, rows: &Vec<Moments>) -> Result<()> {
        self.planes.resize(chunk.plane as usize + 1, Moments::default());
        if let Some(plane) = self.planes.last_mut() {
            *plane = rows.iter().fold(*plane, |so_far, row| so_far.join(*row));
        }
        Ok(())
    }
}

/// Global statistics of every plane.
///
/// # Errors
/// The raster cannot be read, or a plane has no variation, an infinity, or fewer than two cells.
pub fn planes(
    plan: &Plan,
    raster: &Raster,
    chunks: impl Iterator<Item = Chunk> + Send,
    pool: &ThreadPool,
    recorder: &Recorder,
) -> Result<Vec<GlobalStats>> {
    let mut source = Strips::<f32>::new(raster, 0, Boundary::Nan);
    let mut join = Join { planes: Vec::new() };
    let buffers = Buffers {
        input: (0..plan.strips.in_flight).map(|_| Strip::empty(Boundary::Nan)).collect(),
        output: (0..plan.strips.in_flight).map(|_| Vec::new()).collect(),
    };
    stream(STAGES, chunks, (&mut source, &Survey, &mut join), buffers, pool, recorder)?;
    let place = plan.place();
    let many = join.planes.len() > 1;
    let of_plane = |(index, moments): (usize, &Moments)| {
        let place = if many { format!("{place}, plane {index}") } else { place.clone() };
        GlobalStats::new(moments, &place)
    };
    join.planes.iter().enumerate().map(of_plane).collect()
}
