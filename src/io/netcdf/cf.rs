//! Packed and missing values as the CF conventions declare them (spec convolve 7.2, 7.4).
//!
//! Order of work per element: a missing value is recognised on the *packed* element, bit for bit;
//! otherwise the element is cast to the decoded type, multiplied by `scale_factor`, then
//! `add_offset` is added: two separate roundings, each in the type numpy would compute in. The
//! decoded types are those of `xarray`. Four deliberate differences: an integer-typed scale alone
//! decodes to float64 (there: to that integer type); a missing value that a floating type cannot
//! hold is rounded to that type first (there: it never matches); a `missing_value` is reinterpreted
//! by `_Unsigned` as `_FillValue` is; half-precision data with packing decode to float32.

use super::missing::{Missing, numbers};
use crate::array::{ByteOrder, Dtype, Real};
use crate::error::{Error, Result};
use crate::io::{Attribute, AttributeValue};
use rayon::prelude::*;

/// Elements per inner block: three passes over 8 KiB stay in the first-level cache.
const BLOCK: usize = 1024;
/// Elements per parallel task.
const TASK: usize = 1 << 16;

/// A factor or offset, with the precision its type gives the arithmetic.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Constant {
    value: f64,
    dtype: Dtype,
}

/// Decodes stored elements of one variable.
#[derive(Debug, Clone, PartialEq)]
pub struct CfDecoder {
    /// Element type after `_Unsigned`.
    seen: Dtype,
    order: ByteOrder,
    decoded: Dtype,
    /// Missing values as stored: the element's bytes in file order, read as a native integer.
    missing: Vec<u64>,
    scale: Option<Constant>,
    offset: Option<Constant>,
    warnings: Vec<String>,
}

impl CfDecoder {
    /// The decoder of a variable stored as `stored` with `attributes`; `place` names it in messages.
    ///
    /// # Errors
    /// `scale_factor` or `add_offset` is not one number.
    pub fn new(stored: Dtype, order: ByteOrder, attributes: &[Attribute], place: &str) -> Result<Self> {
        let find = |name: &str| attributes.iter().find(|attribute| attribute.name == name);
        let mut warnings = Vec::new();
        let seen = reinterpreted(stored, find("_Unsigned"), &mut warnings);
        let (scale, offset) = (constant(find("scale_factor"), place)?, constant(find("add_offset"), place)?);
        let (mut missing, mut declared, mut any_number) = (Vec::new(), false, false);
        for name in ["_FillValue", "missing_value"] {
            let Some(attribute) = find(name) else { continue };
            let Some(values) = numbers(attribute) else {
                warnings.push(format!("attribute {name} is no number and was ignored"));
                continue;
            };
            let found = Missing::of(&values, stored, order, seen != stored);
            if found.any_number {
                any_number = true;
            } else if stored.is_integer() {
                warnings
                    .push(format!("attribute {name} is NaN, which {} cannot hold: ignored", stored.name()));
                continue;
            }
            declared = true;
            missing.extend(found.patterns);
        }
        missing.sort_unstable();
        missing.dedup();
        let decoded = decoded_type(seen, (scale, offset), any_number, declared);
        if scale.is_some_and(|scale| scale.value == 0.0) {
            warnings.push("scale_factor is 0: every cell decodes to the same value".to_owned());
        }
        Ok(CfDecoder { seen, order, decoded, missing, scale, offset, warnings })
    }

    /// The type of the decoded numbers: what decides the working type (spec convolve 1.2).
    pub fn decoded(&self) -> Dtype {
        self.decoded
    }

    /// Bytes of one stored element.
    pub fn stored_size(&self) -> usize {
        self.seen.size()
    }

    /// Things in the attributes that the user should know of, one line each.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Decodes stored elements (file byte order) to working values, in the decoded type first and
    /// rounded to `T` last. Large blocks are divided over the rayon pool the caller is in.
    ///
    /// `bytes` holds `out.len()` elements; the shorter of the two ends the work.
    pub fn decode<T: Real>(&self, bytes: &[u8], out: &mut [T]) {
        let size = self.stored_size();
        if out.len() <= TASK {
            self.decode_task(bytes, out);
        } else {
            let tasks = out.par_chunks_mut(TASK).zip(bytes.par_chunks(TASK * size));
            tasks.for_each(|(out, bytes)| self.decode_task(bytes, out));
        }
    }

    fn decode_task<T: Real>(&self, bytes: &[u8], out: &mut [T]) {
        let packed = self.scale.is_some() || self.offset.is_some();
        if !packed {
            // Without arithmetic one rounding leads from the stored value to the working type.
            T::from_stored(bytes, self.seen, self.order, out);
            self.mask(bytes, out);
        } else if self.decoded == Dtype::F32 {
            self.unpack::<f32, T>(bytes, out);
        } else {
            self.unpack::<f64, T>(bytes, out);
        }
    }

    fn unpack<D: Packed, T: Real>(&self, bytes: &[u8], out: &mut [T]) {
        let mut block = [D::NAN; BLOCK];
        for (bytes, out) in bytes.chunks(BLOCK * self.stored_size()).zip(out.chunks_mut(BLOCK)) {
            let block = &mut block[..out.len()];
            D::from_stored(bytes, self.seen, self.order, block);
            if let Some(scale) = self.scale {
                D::multiply(block, scale);
            }
            if let Some(offset) = self.offset {
                <D as Packed>::add(block, offset);
            }
            self.mask(bytes, block);
            out.iter_mut().zip(block.iter()).for_each(|(out, value)| *out = T::round_from(value.widen()));
        }
    }

    /// Writes NaN where the stored element is a missing value.
    fn mask<T: Real>(&self, bytes: &[u8], out: &mut [T]) {
        for &pattern in &self.missing {
            match self.stored_size() {
                1 => mask_equal(bytes, out, [pattern as u8]),
                2 => mask_equal(bytes, out, (pattern as u16).to_ne_bytes()),
                4 => mask_equal(bytes, out, (pattern as u32).to_ne_bytes()),
                _ => mask_equal(bytes, out, pattern.to_ne_bytes()),
            }
        }
    }
}

#[inline(always)]
fn mask_equal<const N: usize, T: Real>(bytes: &[u8], out: &mut [T], pattern: [u8; N]) {
    let (elements, _) = bytes.as_chunks::<N>();
    out.iter_mut().zip(elements).for_each(|(out, element)| {
        if *element == pattern {
            *out = T::NAN;
        }
    });
}

/// A type that packed values decode to.
trait Packed: Real {
    /// Multiplies in the wider of `Self` and the factor's type; one rounding to `Self`.
    fn multiply(block: &mut [Self], factor: Constant);
    /// Adds likewise.
    fn add(block: &mut [Self], term: Constant);
}

impl Packed for f64 {
    fn multiply(block: &mut [f64], factor: Constant) {
        block.iter_mut().for_each(|value| *value *= factor.value);
    }
    fn add(block: &mut [f64], term: Constant) {
        block.iter_mut().for_each(|value| *value += term.value);
    }
}

impl Packed for f32 {
    fn multiply(block: &mut [f32], factor: Constant) {
        if factor.needs_f64() {
            block.iter_mut().for_each(|value| *value = (f64::from(*value) * factor.value) as f32);
        } else {
            block.iter_mut().for_each(|value| *value *= factor.value as f32);
        }
    }
    fn add(block: &mut [f32], term: Constant) {
        if term.needs_f64() {
            block.iter_mut().for_each(|value| *value = (f64::from(*value) + term.value) as f32);
        } else {
            block.iter_mut().for_each(|value| *value += term.value as f32);
        }
    }
}

impl Constant {
    /// True where numpy computes a float32 array with a scalar of this type in float64.
    fn needs_f64(self) -> bool {
        !matches!(self.dtype, Dtype::F16 | Dtype::F32 | Dtype::I8 | Dtype::U8 | Dtype::I16 | Dtype::U16)
    }
}

/// The stored type as `_Unsigned` wants it seen.
fn reinterpreted(stored: Dtype, unsigned: Option<&Attribute>, warnings: &mut Vec<String>) -> Dtype {
    let Some(unsigned) = unsigned else { return stored };
    let word = match &unsigned.value {
        AttributeValue::Text(texts) => texts.first().map(|text| text.to_ascii_lowercase()),
        _ => None,
    };
    let yes = match word.as_deref() {
        Some(b"true") => true,
        Some(b"false") => false,
        _ => {
            warnings.push("attribute _Unsigned is neither \"true\" nor \"false\" and was ignored".to_owned());
            return stored;
        }
    };
    match (stored, yes) {
        (Dtype::I8, true) => Dtype::U8,
        (Dtype::I16, true) => Dtype::U16,
        (Dtype::I32, true) => Dtype::U32,
        (Dtype::I64, true) => Dtype::U64,
        (Dtype::U8, false) => Dtype::I8,
        (Dtype::U16, false) => Dtype::I16,
        (Dtype::U32, false) => Dtype::I32,
        (Dtype::U64, false) => Dtype::I64,
        (other, _) => other,
    }
}

/// The decoded type; `declared`: a missing value is declared, `any_number`: one that is not NaN.
fn decoded_type(
    seen: Dtype,
    packing: (Option<Constant>, Option<Constant>),
    any_number: bool,
    declared: bool,
) -> Dtype {
    let promoted = match (seen, seen.size()) {
        _ if !seen.is_integer() => seen,
        (_, 1 | 2) => Dtype::F32,
        _ => Dtype::F64,
    };
    let narrow = |constant: Constant| constant.dtype == Dtype::F32;
    match packing {
        (None, None) if any_number => promoted,
        (None, None) => seen,
        // With NaN alone declared as missing, xarray has nothing to mask and leaves the type be.
        _ if declared && !any_number && seen == Dtype::F16 => Dtype::F32,
        _ if declared && !any_number => promoted,
        (Some(scale), Some(offset)) if narrow(scale) && narrow(offset) => {
            if matches!(seen, Dtype::I32 | Dtype::U32) { Dtype::F64 } else { Dtype::F32 }
        }
        (_, Some(_)) => Dtype::F64,
        (Some(scale), None) => {
            if narrow(scale) || scale.dtype == Dtype::F16 {
                Dtype::F32
            } else {
                Dtype::F64
            }
        }
    }
}

/// `scale_factor` or `add_offset`: one number, as a scalar or an array of one.
fn constant(attribute: Option<&Attribute>, place: &str) -> Result<Option<Constant>> {
    let Some(attribute) = attribute else { return Ok(None) };
    let found = match &attribute.value {
        AttributeValue::Int(values, dtype) => values.first().map(|&v| (v as f64, *dtype, values.len())),
        AttributeValue::Uint(values, dtype) => values.first().map(|&v| (v as f64, *dtype, values.len())),
        AttributeValue::Float(values, dtype) => values.first().map(|&v| (v, *dtype, values.len())),
        _ => None,
    };
    match found {
        Some((value, dtype, 1)) => Ok(Some(Constant { value, dtype })),
        _ => Err(Error::data(
            format!("{place}, attribute {}", attribute.name),
            found.map_or_else(|| "no number".to_owned(), |(_, _, count)| format!("{count} numbers")),
            "one number",
            "give --raw to take the stored values as they are",
        )),
    }
}

#[cfg(test)]
mod tests;
