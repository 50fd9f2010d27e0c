//! The picture of a run: input and results side by side, gathered as rows stream by.

use super::job::Job;
use super::plan::Plan;
use crate::array::Real;
use crate::error::{Error, Result};
use crate::io::atomic::Beside;
use crate::io::netcdf::{AxisFacts, layout};
use crate::plot::{self, Axis, Panel, Reduce, Scale, Thinner};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Pixels per side of a map at most: more than a page shows.
const SIDE: usize = 800;
/// Maps of results at most: more would be too small to look at.
const MOST_RESULTS: usize = 5;

/// Thumbnails of the first plane, or nothing where no picture is asked.
pub struct Picture {
    path: Option<PathBuf>,
    input: Mutex<Thinner>,
    results: Vec<Mutex<Thinner>>,
}

impl Picture {
    /// Ready to look on, if `plan` asks for a picture.
    pub fn of(plan: &Plan) -> Self {
        // Of a part there is nothing to show: the merge draws.
        let path = plan.prepared.options.plot.clone().filter(|_| plan.shard.is_none());
        let shape = (plan.input.rows as usize, plan.input.columns as usize);
        let asked = usize::from(path.is_some());
        let shape = if asked == 0 { (0, 0) } else { shape };
        let thinner = || Mutex::new(Thinner::new(shape, SIDE, Reduce::Mean));
        let layers = asked * plan.prepared.job.layers().min(MOST_RESULTS);
        Picture { path, input: thinner(), results: (0..layers).map(|_| thinner()).collect() }
    }

    /// Looks at rows of the input.
    pub fn take_input<T: Real>(&self, plane: u64, row: u64, rows: &[T]) {
        if self.path.is_some() && plane == 0 {
            lock(&self.input).take(row as usize, rows);
        }
    }

    /// Looks at rows of a result layer.
    pub fn take_result<T: Real>(&self, layer: usize, plane: u64, row: u64, rows: &[T]) {
        if let Some(thinner) = self.results.get(layer).filter(|_| plane == 0) {
            lock(thinner).take(row as usize, rows);
        }
    }

    /// Draws and writes the picture; its path, if one was asked for.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn draw(&self, plan: &Plan) -> Result<Option<PathBuf>> {
        let Some(path) = &self.path else { return Ok(None) };
        let grid = plan.prepared.found.facts.grid()?;
        let names = plan.prepared.found.layout().dimensions.iter().rev().map(|d| d.name.as_str());
        let axes: Vec<Axis> = names.zip([&grid.x, &grid.y]).map(|(name, facts)| axis(name, facts)).collect();
        let [x, y] = axes.as_slice() else { return Ok(None) };
        let unit = unit(plan);
        let panel = |title: String, thinner: &Mutex<Thinner>, unit: &str, scale| Panel {
            title,
            grid: lock(thinner).grid(),
            x: x.clone(),
            y: y.clone(),
            unit: unit.into(),
            scale,
            relief: false,
        };
        let mut panels = vec![panel(title(plan), &self.input, &unit, Scale::Auto)];
        for (index, thinner) in self.results.iter().enumerate() {
            let (title, scale, unit) = describe(plan, index, &unit);
            panels.push(panel(title, thinner, unit, scale));
        }
        let figure = plot::panels(&panels, &self.caption(plan));
        let png = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("png"));
        let bytes = if png { figure.png()? } else { figure.svg()?.into_bytes() };
        write(path, &bytes)?;
        Ok(Some(path.clone()))
    }

    fn caption(&self, plan: &Plan) -> String {
        let kernel = plan.kernel.as_ref().map_or(String::new(), |kernel| {
            format!("Kernel {} ({} x {} cells), ", kernel.given, kernel.shape[0], kernel.shape[1])
        });
        let mut caption = format!("{kernel}boundary {}.", plan.boundary);
        if plan.input.planes > 1 {
            caption += &format!(" First of {} planes.", plan.input.planes);
        }
        let layers = plan.prepared.job.layers();
        if layers > self.results.len() {
            caption += &format!(" First {} of {layers} statistics.", self.results.len());
        }
        caption
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // A thumbnail is whole after every call; a panic elsewhere cannot leave it half made.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the input map is called: its long name, its dataset, or its file.
fn title(plan: &Plan) -> String {
    let long = layout::text(&plan.prepared.found.layout().attributes, "long_name");
    let dataset = plan.input.dataset.trim_matches('/');
    let file = plan.input.path.file_stem().unwrap_or_default().to_string_lossy();
    long.unwrap_or_else(|| if dataset.is_empty() { file.into_owned() } else { dataset.to_owned() })
}

fn unit(plan: &Plan) -> String {
    layout::text(&plan.prepared.found.layout().attributes, "units").unwrap_or_default()
}

/// Title, colours and unit of a result layer.
fn describe<'a>(plan: &Plan, layer: usize, unit: &'a str) -> (String, Scale, &'a str) {
    match &plan.prepared.job {
        Job::Convolve(_) => {
            // Weights that add up to 1 leave the unit as it is; any others change it.
            let mean = plan.kernel.as_ref().is_some_and(|kernel| (kernel.sum - 1.0).abs() < 1e-9);
            ("convolution_2d".into(), Scale::Auto, if mean { unit } else { "" })
        }
        Job::Mean(smoothing) => (format!("focal mean, {} pass(es)", smoothing.passes), Scale::Auto, unit),
        Job::Hotspots { .. } => ("hot spots, z score".into(), Scale::Diverging, ""),
        Job::Stats(stats) => {
            let name = stats.statistics.get(layer).map_or("", |s| s.name());
            (format!("focal {name}"), Scale::Auto, if matches!(name, "var" | "variety") { "" } else { unit })
        }
    }
}

fn axis(name: &str, facts: &AxisFacts) -> Axis {
    let cells = facts.length as usize;
    match facts.coordinates.as_deref() {
        Some([first, .., last]) => {
            Axis::coordinates(name, facts.units.as_deref().unwrap_or(""), (*first, *last), cells)
        }
        _ => Axis::positions(name, cells),
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = Beside::create(path)?;
    file.file().write_all(bytes).map_err(Error::io(path, "write"))?;
    file.finish()
}
