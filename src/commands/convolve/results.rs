//! The output file of a run: datasets made before the first strip, finished after the last.

use super::job::Job;
use super::plan::Plan;
use super::sink::Targets;
use crate::array::Dtype;
use crate::error::Result;
use crate::io::{self, DatasetSpec, Writer};

/// An output under construction.
pub struct Results {
    writer: Box<dyn Writer>,
    targets: Targets,
}

impl Results {
    /// Makes the file beside its final name, with its datasets.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn create(plan: &Plan) -> Result<Self> {
        let mut writer = io::create(&plan.output.path)?;
        let hot = matches!(plan.prepared.job, Job::Hotspots { .. });
        let spec = DatasetSpec {
            path: plan.prepared.job.variable().into(),
            shape: plan.output.shape.clone(),
            dtype: if hot { Dtype::I8 } else { plan.work_type.dtype() },
            chunks: None,
            deflate: plan.output.compress,
            fill: None,
        };
        let id = writer.create(&spec)?;
        let targets = if hot {
            Targets { layers: None, classes: Some(id) }
        } else {
            Targets { layers: Some(id), classes: None }
        };
        Ok(Results { writer, targets })
    }

    /// Where strips go.
    pub fn parts(&mut self) -> (&mut dyn Writer, Targets) {
        (self.writer.as_mut(), self.targets)
    }

    /// Closes the file under its name.
    ///
    /// # Errors
    /// The disk is full, or the run was interrupted.
    pub fn finish(self) -> Result<()> {
        self.writer.finish()
    }
}
