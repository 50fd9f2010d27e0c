//! Declared missing values as bit patterns of the stored type, for comparing packed elements.

use crate::array::{ByteOrder, Dtype};
use crate::io::{Attribute, AttributeValue};
use half::f16;

/// An attribute's numbers.
pub(super) enum Numbers {
    /// Integers of any width and sign.
    Integers(Vec<i128>),
    /// Floating point of any width.
    Floats(Vec<f64>),
}

/// The numbers of an attribute; `None` where it holds something else.
pub(super) fn numbers(attribute: &Attribute) -> Option<Numbers> {
    match &attribute.value {
        AttributeValue::Int(values, _) => {
            Some(Numbers::Integers(values.iter().map(|&value| i128::from(value)).collect()))
        }
        AttributeValue::Uint(values, _) => {
            Some(Numbers::Integers(values.iter().map(|&value| i128::from(value)).collect()))
        }
        AttributeValue::Float(values, _) => Some(Numbers::Floats(values.clone())),
        _ => None,
    }
}

/// Missing values as an element of the stored type would hold them.
pub(super) struct Missing {
    /// The bytes of an element in file order, read as a native integer of its size.
    pub(super) patterns: Vec<u64>,
    /// At least one is not NaN.
    pub(super) any_number: bool,
}

impl Missing {
    /// The missing values among `values` for elements of type `stored`; `reinterpret` where
    /// `_Unsigned` gives the bits another reading.
    pub(super) fn of(values: &Numbers, stored: Dtype, order: ByteOrder, reinterpret: bool) -> Self {
        let mut found = Missing { patterns: Vec::new(), any_number: false };
        let mut push = |bits: Option<u64>| {
            found.any_number = true;
            found.patterns.extend(bits.map(|bits| in_file_order(bits, stored.size(), order)));
        };
        match values {
            Numbers::Integers(values) => values.iter().for_each(|&value| {
                if stored.is_integer() {
                    push(integer_bits(value, stored, reinterpret));
                } else {
                    float_bits(value as f64, stored).for_each(|bits| push(Some(bits)));
                }
            }),
            Numbers::Floats(values) => values.iter().filter(|value| !value.is_nan()).for_each(|&value| {
                if !stored.is_integer() {
                    float_bits(value, stored).for_each(|bits| push(Some(bits)));
                } else if value.fract() == 0.0 && value.abs() < 1e30 {
                    push(integer_bits(value as i128, stored, reinterpret));
                } else {
                    push(None);
                }
            }),
        }
        found
    }
}

/// The bits of an integer of type `stored`; `None` where it does not fit. With `reinterpret` the
/// value may be given in the signed or the unsigned reading of the same bits.
fn integer_bits(value: i128, stored: Dtype, reinterpret: bool) -> Option<u64> {
    let width = 8 * stored.size() as u32;
    let signed = -(1i128 << (width - 1))..1i128 << (width - 1);
    let unsigned = 0..1i128 << width;
    let own = if stored.is_signed_integer() { &signed } else { &unsigned };
    let fits = own.contains(&value) || reinterpret && (signed.contains(&value) || unsigned.contains(&value));
    fits.then(|| (value as u64) & (u64::MAX >> (64 - width)))
}

/// The bits of a float of type `stored` nearest to `value`; both zeros for zero.
fn float_bits(value: f64, stored: Dtype) -> impl Iterator<Item = u64> {
    let bits = |value: f64| match stored {
        Dtype::F16 => u64::from(f16::from_f64(value).to_bits()),
        Dtype::F32 => u64::from((value as f32).to_bits()),
        _ => value.to_bits(),
    };
    let other = (value == 0.0).then(|| bits(-value));
    std::iter::once(bits(value)).chain(other)
}

/// The `size` low bytes of `bits` as a file of `order` holds them, read back as a native integer.
fn in_file_order(bits: u64, size: usize, order: ByteOrder) -> u64 {
    if order == ByteOrder::NATIVE { bits } else { bits.swap_bytes() >> (64 - 8 * size as u32) }
}
