//! `--plot`: times by stage, and scaling.

use super::table::most_threads;
use super::{BenchResult, Options};
use crate::error::{Error, Result};
use crate::io::atomic::Beside;
use crate::plot::{self, Scaling, WorkTimes};
use crate::report::text::seconds;
use std::io::Write;

/// Draws the picture where one was asked for.
///
/// # Errors
/// It cannot be written.
pub fn draw(options: &Options, result: &BenchResult) -> Result<()> {
    let Some(path) = &options.plot else { return Ok(()) };
    let figure = plot::times(&times(result), &scalings(result));
    let svg = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("svg"));
    let bytes = if svg { figure.svg()?.into_bytes() } else { figure.png()? };
    let mut file = Beside::create(path)?;
    file.file().write_all(&bytes).map_err(Error::io(path, "write"))?;
    file.finish()
}

fn times(result: &BenchResult) -> Vec<WorkTimes> {
    let works = most_threads(&result.works);
    let told = works.map(|work| WorkTimes {
        name: work.work.clone(),
        told: seconds(work.wall_s),
        wall_s: work.wall_s,
        stages: work.stages.iter().map(|stage| (stage.name.clone(), stage.wall_s)).collect(),
    });
    told.collect()
}

/// Works that were run with one thread and with more.
fn scalings(result: &BenchResult) -> Vec<Scaling> {
    let mut found: Vec<Scaling> = Vec::new();
    for work in result.works.iter().filter(|work| work.threads == 1) {
        let same = result
            .works
            .iter()
            .filter(|other| other.work == work.work && other.backend == work.backend && other.wall_s > 0.0);
        let mut points: Vec<(usize, f64)> =
            same.map(|other| (other.threads, work.wall_s / other.wall_s)).collect();
        points.sort_by_key(|point| point.0);
        if points.len() > 1 {
            found.push(Scaling { name: work.work.clone(), group: work.command.clone(), points });
        }
    }
    found
}
