//! What a run tells about itself: the recorder of times and counts, progress, host, report.

pub mod recorder;

pub use recorder::{Recorder, Stage, Work};
