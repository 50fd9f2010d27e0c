//! Rasters and kernels.

use super::{INPUT, Input, Job, OUTPUT, Storage, Work, words};
use crate::commands::bench::options::{Group, Size};
use crate::commands::bench::synth::Draws;
use crate::commands::bench::synth::raster::Raster;

/// What stands in a window.
#[derive(Clone, Copy)]
enum Kernel {
    /// Weights without structure, side by side.
    Dense(usize),
    /// Flags as they are typed.
    Flags(&'static str),
}

/// Name, side of the raster, float64, kernel, what it is, least size.
type Shape = (&'static str, u64, bool, Kernel, &'static str, Size);

#[rustfmt::skip]
const SHAPES: [Shape; 12] = [
    ("dense3_2000", 2000, true, Kernel::Dense(3), "dense 3 x 3", Size::Quick),
    ("dense15_2000", 2000, true, Kernel::Dense(15), "dense 15 x 15", Size::Quick),
    ("separable15_2000", 2000, true, Kernel::Flags("--kernel gauss:2.5,2.8"), "Gaussian 15 x 15", Size::Quick),
    ("box15_2000", 2000, true, Kernel::Flags("--kernel box:15x15"), "box 15 x 15", Size::Quick),
    ("dense7_2000", 2000, true, Kernel::Dense(7), "dense 7 x 7", Size::Standard),
    ("dense11_2000", 2000, true, Kernel::Dense(11), "dense 11 x 11", Size::Standard),
    ("dense31_2000", 2000, true, Kernel::Dense(31), "dense 31 x 31", Size::Standard),
    ("dense15_4000_f32", 4000, false, Kernel::Dense(15), "dense 15 x 15", Size::Standard),
    ("circle31_2000", 2000, true, Kernel::Flags("--kernel circle:15 --cell-size 1"), "circle of 15 cells", Size::Standard),
    ("stats_2000", 2000, true, Kernel::Flags("--kernel circle:5 --cell-size 1 --stat mean,std,range"), "mean, std, range in a circle of 5 cells", Size::Standard),
    ("dense15_20000_f32", 20_000, false, Kernel::Dense(15), "dense 15 x 15", Size::Full),
    ("dense3_20000_f32", 20_000, false, Kernel::Dense(3), "dense 3 x 3", Size::Full),
];

/// Works of a size.
pub(super) fn works(size: Size) -> Vec<Work> {
    SHAPES.iter().filter(|shape| shape.5 <= size).map(work).collect()
}

fn work(&(name, side, double, kernel, about, _): &Shape) -> Work {
    let raster = Raster { rows: side, columns: side, double };
    let bytes = raster.cells() * raster.width();
    let mut command = words(&format!("convolve {INPUT} -o {OUTPUT} --boundary nearest"));
    match kernel {
        Kernel::Dense(side) => command.extend(["--kernel".into(), dense(side)]),
        Kernel::Flags(flags) => command.extend(words(flags)),
    }
    let layers = if name.starts_with("stats") { 3 } else { 1 };
    Work {
        name: format!("convolve/{name}"),
        group: Group::Convolve,
        about: format!("{side} x {side} {}, {about}", if double { "f64" } else { "f32" }),
        input: Input::Raster(raster, Storage::Npy),
        job: Job::Program(command),
        output: "filtered.npy",
        output_bytes: layers * bytes,
        // Strips of large rasters come and go.
        memory: (16 << 20) + ((1 + layers) * bytes).min(160 << 20),
        items: raster.cells(),
        item: "cells",
        single: if double { &[] } else { &["compute"] },
        serial: false,
        long: side > 10_000,
    }
}

/// Rows of weights that no algorithm can take apart, as they are typed.
fn dense(side: usize) -> String {
    let mut draws = Draws::new("kernel", side as u64);
    let row = |_| (0..side).map(|_| format!("{:.6}", draws.between(0.1, 1.0))).collect::<Vec<_>>().join(" ");
    (0..side).map(row).collect::<Vec<_>>().join("; ")
}
