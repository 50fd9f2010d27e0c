//! The output file of a run: datasets made before the first strip, finished after the last.

use super::job::Job;
use super::part;
use super::plan::Plan;
use super::sink::Targets;
use crate::array::Dtype;
use crate::error::Result;
use crate::io::netcdf::{OutVariable, create_raster_file, text_attribute};
use crate::io::{self, DatasetSpec, Format, Writer};
use serde_json::{Map, Value};

/// An output under construction.
pub struct Results {
    writer: Box<dyn Writer>,
    targets: Targets,
}

impl Results {
    /// Makes the file beside its final name, with its coordinates and datasets.
    ///
    /// # Errors
    /// The folder cannot be written, or a coordinate cannot be copied.
    pub fn create(plan: &Plan) -> Result<Self> {
        let mut writer = io::create(&plan.output.path)?;
        let targets = match io::output_format(&plan.output.path)? {
            Format::Hdf5 | Format::Netcdf4 if plan.shard.is_none() => {
                with_coordinates(plan, writer.as_mut())?
            }
            // Parts hold the bare results, plain: coordinates and compression are the merge's.
            _ => arrays(plan, writer.as_mut())?,
        };
        Ok(Results { writer, targets })
    }

    /// Where strips go.
    pub fn parts(&mut self) -> (&mut dyn Writer, Targets) {
        (self.writer.as_mut(), self.targets)
    }

    /// Closes the file under its name; a part gets its label with `counts` first.
    ///
    /// # Errors
    /// The disk is full, or the run was interrupted.
    pub fn finish(mut self, plan: &Plan, counts: &Map<String, Value>) -> Result<()> {
        part::label(plan, counts, self.writer.as_mut())?;
        self.writer.finish()
    }
}

/// Arrays without names for their axes. NPY of hot spots holds the classes, NPZ the scores too.
fn arrays(plan: &Plan, writer: &mut dyn Writer) -> Result<Targets> {
    let mut create = |name: &str, dtype| {
        writer.create(&DatasetSpec {
            path: name.into(),
            shape: plan.output.shape.clone(),
            dtype,
            chunks: None,
            deflate: plan.output.compress.filter(|_| plan.shard.is_none()),
            fill: None,
        })
    };
    let (name, work) = (plan.prepared.job.variable(), plan.work_type.dtype());
    if !matches!(plan.prepared.job, Job::Hotspots { .. }) {
        return Ok(Targets { layers: Some(create(name, work)?), classes: None });
    }
    let classes = Some(create(name, Dtype::I8)?);
    let both = io::output_format(&plan.output.path)? != Format::Npy;
    let layers = if both { Some(create("hotspots_z", work)?) } else { None };
    Ok(Targets { layers, classes })
}

/// Variables with the input's dimensions, coordinates and georeferencing.
fn with_coordinates(plan: &Plan, writer: &mut dyn Writer) -> Result<Targets> {
    let job = &plan.prepared.job;
    let labels: Vec<&str> = match job {
        Job::Stats(stats) => stats.statistics.iter().map(|s| s.name()).collect(),
        Job::Convolve(_) | Job::Hotspots { .. } | Job::Mean(_) => Vec::new(),
    };
    let variable = |name, dtype| OutVariable {
        name,
        dtype,
        labels: (!labels.is_empty()).then_some(("stats", labels.as_slice())),
        deflate: plan.output.compress,
        attributes: Vec::new(),
    };
    let work = plan.work_type.dtype();
    let hot = matches!(job, Job::Hotspots { .. });
    let variables = if hot {
        let percent = vec![text_attribute("unit", "%")];
        vec![
            OutVariable { attributes: percent, ..variable(job.variable(), Dtype::I8) },
            variable("hotspots_z", work),
        ]
    } else {
        vec![variable(job.variable(), work)]
    };
    let layout = plan.prepared.found.layout();
    let ids = create_raster_file(writer, layout, &variables, &plan.prepared.options.history)?;
    Ok(match ids[..] {
        [classes, z] => Targets { layers: Some(z), classes: Some(classes) },
        _ => Targets { layers: ids.first().copied(), classes: None },
    })
}
