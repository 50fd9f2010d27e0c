//! Reading of arrays from the page cache, through the library.

use super::{Input, Job, Storage, Work};
use crate::commands::bench::options::{Group, Size};
use crate::commands::bench::synth::raster::Raster;

const STORAGES: [(&str, Storage, &str); 3] = [
    ("npy", Storage::Npy, "NPY"),
    ("hdf5_plain", Storage::Hdf5, "HDF5, contiguous"),
    ("hdf5_gzip_shuffle", Storage::Hdf5Gzip, "HDF5 in chunks of 256 x 256, shuffle and deflate 4"),
];

/// Sides of the rasters and what their size is called.
const SIDES: [(&str, u64, u64, Size); 3] = [
    ("32m", 2048, 2048, Size::Quick),
    ("256m", 4096, 8192, Size::Standard),
    ("2g", 16_384, 16_384, Size::Full),
];

/// Works of a size.
pub(super) fn works(size: Size) -> Vec<Work> {
    let fitting = SIDES.iter().filter(|side| side.3 <= size);
    fitting
        .flat_map(|&(suffix, rows, columns, _)| {
            STORAGES.iter().map(move |&(name, storage, about)| {
                let raster = Raster { rows, columns, double: true };
                Work {
                    name: format!("io/{name}_{suffix}"),
                    group: Group::Io,
                    about: format!("{rows} x {columns} f64, {about}; files in the page cache"),
                    input: Input::Raster(raster, storage),
                    job: Job::Reading,
                    output: "",
                    output_bytes: 0,
                    memory: 64 << 20,
                    items: raster.cells() * 8,
                    item: "bytes",
                    single: &[],
                    serial: false,
                    long: false,
                }
            })
        })
        .collect()
}
