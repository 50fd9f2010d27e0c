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
mod tests {
    use super::*;

    fn attribute(name: &str, value: AttributeValue) -> Attribute {
        Attribute { name: name.to_owned(), shape: vec![], value }
    }

    fn float(name: &str, value: f64, dtype: Dtype) -> Attribute {
        attribute(name, AttributeValue::Float(vec![value], dtype))
    }

    fn integers(name: &str, values: &[i64], dtype: Dtype) -> Attribute {
        attribute(name, AttributeValue::Int(values.to_vec(), dtype))
    }

    fn unsigned(word: &str) -> Attribute {
        attribute("_Unsigned", AttributeValue::Text(vec![word.as_bytes().to_vec()]))
    }

    fn decoder(stored: Dtype, attributes: &[Attribute]) -> CfDecoder {
        CfDecoder::new(stored, ByteOrder::Little, attributes, "f.nc:/z").unwrap()
    }

    /// Decodes `values` and compares, NaN equal to NaN.
    fn check<T: Real>(decoder: &CfDecoder, bytes: &[u8], expected: &[f64]) {
        let mut out = vec![T::round_from(-1.0); expected.len()];
        decoder.decode(bytes, &mut out);
        let got: Vec<f64> = out.iter().map(|value| value.widen()).collect();
        let same = got.iter().zip(expected).all(|(a, b)| a == b || a.is_nan() && b.is_nan());
        assert!(same, "{got:?} {expected:?}");
    }

    #[test]
    fn missing_is_seen_before_unpacking_in_two_roundings() {
        let attributes = [
            float("scale_factor", 0.1, Dtype::F64),
            float("add_offset", 500.0, Dtype::F64),
            integers("_FillValue", &[-32768], Dtype::I16),
        ];
        let decoder = decoder(Dtype::I16, &attributes);
        assert_eq!(decoder.decoded(), Dtype::F64);
        let bytes: Vec<u8> = [3i16, -32768, 7].iter().flat_map(|v| v.to_le_bytes()).collect();
        check::<f64>(&decoder, &bytes, &[3.0 * 0.1 + 500.0, f64::NAN, 7.0 * 0.1 + 500.0]);
        let narrow = |v: f64| f64::from((v * 0.1 + 500.0) as f32);
        check::<f32>(&decoder, &bytes, &[narrow(3.0), f64::NAN, narrow(7.0)]);
    }

    #[test]
    fn missing_values_of_another_type_are_found() {
        let f4: Vec<u8> = [-9999.9f32, 1e20, 1.0, 0.0].iter().flat_map(|v| v.to_le_bytes()).collect();
        let rounded = decoder(Dtype::F32, &[float("missing_value", -9999.9, Dtype::F64)]);
        check::<f32>(&rounded, &f4, &[f64::NAN, f64::from(1e20f32), 1.0, 0.0]);
        let zero = decoder(Dtype::F32, &[float("_FillValue", -0.0, Dtype::F32)]);
        check::<f32>(&zero, &f4, &[f64::from(-9999.9f32), f64::from(1e20f32), 1.0, f64::NAN]);
        let int = decoder(Dtype::I8, &[float("missing_value", -1.0, Dtype::F32)]);
        check::<f32>(&int, &[255, 1], &[f64::NAN, 1.0]);
        // Values that the stored type cannot hold never match, but the type is promoted.
        let wide = decoder(Dtype::U8, &[integers("missing_value", &[-1, 256, 7], Dtype::I64)]);
        assert_eq!(wide.decoded(), Dtype::F32);
        check::<f32>(&wide, &[255, 0, 7], &[255.0, 0.0, f64::NAN]);
    }

    #[test]
    fn nan_as_missing_value_of_integers_is_dropped_aloud() {
        let decoder = decoder(Dtype::I32, &[float("_FillValue", f64::NAN, Dtype::F64)]);
        assert_eq!(decoder.decoded(), Dtype::I32);
        assert!(decoder.warnings()[0].contains("_FillValue"));
    }

    #[test]
    fn unsigned_turns_data_and_missing_values() {
        for fill in [-1i64, 255] {
            let decoder = decoder(Dtype::I8, &[unsigned("true"), integers("_FillValue", &[fill], Dtype::I8)]);
            check::<f32>(&decoder, &[255, 254, 1], &[f64::NAN, 254.0, 1.0]);
        }
        let signed = decoder(Dtype::U16, &[unsigned("false")]);
        assert_eq!(signed.decoded(), Dtype::I16);
        check::<f64>(&signed, &[255, 255], &[-1.0]);
        assert_eq!(decoder(Dtype::F32, &[unsigned("true")]).decoded(), Dtype::F32);
        assert_eq!(decoder(Dtype::U8, &[unsigned("maybe")]).warnings().len(), 1);
    }

    #[test]
    fn big_endian_patterns_match_in_file_order() {
        let attributes = [integers("_FillValue", &[-2], Dtype::I32)];
        let decoder = CfDecoder::new(Dtype::I32, ByteOrder::Big, &attributes, "z").unwrap();
        let bytes: Vec<u8> = [-2i32, 5].iter().flat_map(|v| v.to_be_bytes()).collect();
        check::<f64>(&decoder, &bytes, &[f64::NAN, 5.0]);
    }

    #[test]
    fn integer_scales_decode_to_float64_and_odd_ones_are_told() {
        let scaled = decoder(Dtype::I16, &[integers("scale_factor", &[2], Dtype::I16)]);
        assert_eq!(scaled.decoded(), Dtype::F64);
        assert!(!decoder(Dtype::I16, &[float("scale_factor", 0.0, Dtype::F32)]).warnings().is_empty());
        let text = attribute("scale_factor", AttributeValue::Text(vec![b"0.1".to_vec()]));
        let pair = attribute("add_offset", AttributeValue::Float(vec![1.0, 2.0], Dtype::F64));
        for bad in [text, pair] {
            let message =
                CfDecoder::new(Dtype::I16, ByteOrder::Little, &[bad], "f.nc:/z").unwrap_err().to_string();
            assert!(message.contains("f.nc:/z, attribute") && message.contains("--raw"), "{message}");
        }
    }

    #[test]
    fn large_blocks_are_the_same_as_small_ones() {
        let attributes =
            [float("scale_factor", 0.1, Dtype::F32), integers("missing_value", &[3, 9], Dtype::I16)];
        let decoder = decoder(Dtype::I16, &attributes);
        let bytes: Vec<u8> = (0..200_001u32).flat_map(|v| ((v % 777) as i16).to_le_bytes()).collect();
        let (mut whole, mut parts) = (vec![0f32; 200_001], vec![0f32; 200_001]);
        decoder.decode(&bytes, &mut whole);
        for (bytes, out) in bytes.chunks(2 * 999).zip(parts.chunks_mut(999)) {
            decoder.decode(bytes, out);
        }
        assert!(whole.iter().zip(&parts).all(|(a, b)| a.to_bits() == b.to_bits()));
        assert!(whole[3].is_nan() && whole[777 + 9].is_nan() && whole[1] == 0.1);
    }
}
