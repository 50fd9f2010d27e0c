//! Shapes of epochs: the 13 of autoreject's GPU branch (pull request 347), and a large one.

use super::{INPUT, Input, Job, OUTPUT, Work, words};
use crate::commands::bench::options::{Group, Size};
use crate::commands::bench::synth::epochs::Epochs;

/// Name, channels, epochs, samples, rate, folds, n_interpolate, consensus, share of epochs with
/// artefacts, least size.
type Shape = (&'static str, usize, usize, usize, f64, usize, &'static str, &'static str, f64, Size);

const FIVE: &str = "0.1:0.5:5";

#[rustfmt::skip]
const SHAPES: [Shape; 14] = [
    ("small_fast", 32, 300, 250, 250.0, 5, "1,4", "0.1,0.3,0.5", 0.3, Size::Quick),
    ("standard_64ch", 64, 300, 1000, 500.0, 10, "1,4,8", FIVE, 0.3, Size::Quick),
    ("highdensity_128ch", 128, 300, 1000, 500.0, 10, "1,2,4,8,12,16", FIVE, 0.3, Size::Standard),
    ("ultrahd_256ch", 256, 300, 1000, 500.0, 10, "1,2,4,8,12,16", FIVE, 0.3, Size::Full),
    ("scaling_32ch", 32, 300, 1000, 500.0, 10, "1,4,8", FIVE, 0.3, Size::Full),
    ("scaling_64ch", 64, 300, 1000, 500.0, 10, "1,4,8", FIVE, 0.3, Size::Full),
    ("scaling_128ch", 128, 300, 1000, 500.0, 10, "1,4,8", FIVE, 0.3, Size::Full),
    ("scaling_256ch", 256, 300, 1000, 500.0, 10, "1,4,8", FIVE, 0.3, Size::Full),
    ("duration_5min", 64, 150, 1000, 500.0, 10, "1,4,8", FIVE, 0.3, Size::Full),
    ("duration_10min", 64, 300, 1000, 500.0, 10, "1,4,8", FIVE, 0.3, Size::Full),
    ("duration_20min", 64, 600, 1000, 500.0, 10, "1,4,8", FIVE, 0.3, Size::Standard),
    ("clean_10pct", 64, 300, 1000, 500.0, 10, "1,4,8", FIVE, 0.1, Size::Full),
    ("noisy_30pct", 64, 300, 1000, 500.0, 10, "1,4,8", FIVE, 0.3, Size::Full),
    // The grid is the package's default.
    ("large_128ch", 128, 6000, 1000, 500.0, 10, "1,4,32", "0:1:11", 0.3, Size::Full),
];

/// Works of a size.
pub(super) fn works(size: Size) -> Vec<Work> {
    SHAPES.iter().filter(|shape| shape.9 <= size).map(work).collect()
}

fn work(&(name, channels, epochs, samples, sfreq, cv, n, consensus, artefacts, _): &Shape) -> Work {
    let shape = Epochs { epochs, channels, samples, sfreq, artefacts };
    let bytes = 8 * shape.values();
    let flags = format!(
        "autoreject {INPUT} -o {OUTPUT} --cv {cv} --n-interpolate {n} --consensus {consensus} --seed 42"
    );
    Work {
        name: format!("autoreject/{name}"),
        group: Group::Autoreject,
        about: format!(
            "{epochs} epochs x {channels} channels x {samples} samples f64, {cv} folds, grid {} x {}",
            n.split(',').count(),
            if consensus.contains(':') { consensus.rsplit(':').next().unwrap_or("") } else { "3" }
        ),
        input: Input::Epochs(shape),
        job: Job::Program(words(&flags)),
        output: "cleaned",
        output_bytes: bytes,
        memory: (60 << 20) + bytes,
        items: shape.values(),
        item: "samples",
        single: &[],
        serial: false,
        long: epochs > 1000,
    }
}
