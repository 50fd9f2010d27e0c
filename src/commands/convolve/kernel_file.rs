//! Kernels from files: NPY arrays and rows of text.

use super::kernel_spec::parse_table;
use crate::array::to_f64;
use crate::error::{Error, Result};
use crate::io::{self, Block, StoredType};
use crate::kernels::focal::weights::{KernelType, MAX_TAPS, Weights};
use std::path::Path;

/// Reads a 2-D NPY array as weights.
///
/// # Errors
/// A shape that no kernel can have is a usage error that names it; anything else is told of the file.
pub fn read_npy(path: &Path) -> Result<Weights> {
    let file = io::open(path)?;
    let dataset = file.dataset("")?;
    let info = dataset.info();
    let place = path.display().to_string();
    let (dtype, order, kind) = match &info.stored {
        StoredType::Number(dtype, order) => (*dtype, *order, KernelType::of(*dtype)),
        StoredType::Bool => (crate::array::Dtype::U8, crate::array::ByteOrder::NATIVE, KernelType::SmallInt),
        other => return Err(super::prepare::not_numbers(&place, other)),
    };
    let named = |error: Error| match error {
        Error::Usage(what) => Error::Usage(format!("{place}: {what}")),
        other => other,
    };
    let taps = info.shape.iter().try_fold(1u64, |product, &n| product.checked_mul(n));
    if info.shape.len() != 2 || taps.is_none_or(|taps| taps > MAX_TAPS) {
        // Refused by its shape alone, before anything of that size is read.
        let huge = info.shape.len() == 2;
        return Err(named(if huge {
            Error::usage(format!(
                "kernel of {}x{} cells: at most {MAX_TAPS} taps",
                info.shape[0], info.shape[1]
            ))
        } else {
            Weights::from_shape(Vec::new(), &info.shape, kind).err().unwrap_or(Error::usage("no kernel"))
        }));
    }
    crate::kernels::focal::weights::check_sides(info.shape[0], info.shape[1]).map_err(named)?;
    let block = Block { start: vec![0; 2], count: info.shape.clone() };
    let mut values = vec![0.0; taps.unwrap_or(0) as usize];
    let mut bytes = vec![0; values.len() * dtype.size()];
    dataset.read_block(&block, &mut bytes)?;
    to_f64(&bytes, dtype, order, &mut values);
    Weights::from_shape(values, &info.shape, kind).map_err(named)
}

/// Reads rows of text: commas in `.csv`, blanks in anything else.
///
/// # Errors
/// The file cannot be read, is no text, or its rows do not make a kernel.
pub fn read_text(path: &Path) -> Result<Weights> {
    /// Longest text that the largest kernel can need, with room for generous digits.
    const MOST_BYTES: u64 = 32 * MAX_TAPS;
    let length = std::fs::metadata(path).map_err(Error::io(path, "open"))?.len();
    let place = path.display().to_string();
    if length > MOST_BYTES {
        return Err(Error::data(place, format!("{length} bytes"), "a small table of weights", ""));
    }
    let text = std::fs::read(path).map_err(Error::io(path, "read"))?;
    let text = String::from_utf8(text).map_err(|_| {
        Error::data(&place, "bytes that are no text", "rows of numbers", "save it as UTF-8 or as .npy")
    })?;
    let comma = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("csv"));
    parse_table(&text, comma, &place)
}
