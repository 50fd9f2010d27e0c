//! Element types as run-time facts, and the conversions from stored bytes to working values.
//!
//! Files say at run time what they hold; [`Dtype`] is the one list of what we know, and
//! [`to_f32`] / [`to_f64`] are the one dispatch from stored bytes to the two working types.

pub mod pages;

use half::f16;
use serde::{Deserialize, Serialize};
use std::ops::{Add, Sub};

/// Element type of a numeric array.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Dtype {
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    F16,
    F32,
    F64,
}

impl Dtype {
    /// All of them, for tests and tables.
    pub const ALL: [Dtype; 11] = [
        Dtype::I8,
        Dtype::I16,
        Dtype::I32,
        Dtype::I64,
        Dtype::U8,
        Dtype::U16,
        Dtype::U32,
        Dtype::U64,
        Dtype::F16,
        Dtype::F32,
        Dtype::F64,
    ];

    /// Bytes of one element.
    pub fn size(self) -> usize {
        match self {
            Dtype::I8 | Dtype::U8 => 1,
            Dtype::I16 | Dtype::U16 | Dtype::F16 => 2,
            Dtype::I32 | Dtype::U32 | Dtype::F32 => 4,
            Dtype::I64 | Dtype::U64 | Dtype::F64 => 8,
        }
    }

    /// numpy's name: `int16`, `float64`.
    pub fn name(self) -> &'static str {
        match self {
            Dtype::I8 => "int8",
            Dtype::I16 => "int16",
            Dtype::I32 => "int32",
            Dtype::I64 => "int64",
            Dtype::U8 => "uint8",
            Dtype::U16 => "uint16",
            Dtype::U32 => "uint32",
            Dtype::U64 => "uint64",
            Dtype::F16 => "float16",
            Dtype::F32 => "float32",
            Dtype::F64 => "float64",
        }
    }

    /// numpy's kind and size without the byte order: `i2`, `f8`.
    pub fn code(self) -> &'static str {
        match self {
            Dtype::I8 => "i1",
            Dtype::I16 => "i2",
            Dtype::I32 => "i4",
            Dtype::I64 => "i8",
            Dtype::U8 => "u1",
            Dtype::U16 => "u2",
            Dtype::U32 => "u4",
            Dtype::U64 => "u8",
            Dtype::F16 => "f2",
            Dtype::F32 => "f4",
            Dtype::F64 => "f8",
        }
    }

    /// True for signed and unsigned integers.
    pub fn is_integer(self) -> bool {
        !matches!(self, Dtype::F16 | Dtype::F32 | Dtype::F64)
    }

    /// True for signed integers only.
    pub fn is_signed_integer(self) -> bool {
        matches!(self, Dtype::I8 | Dtype::I16 | Dtype::I32 | Dtype::I64)
    }
}

/// Byte order in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ByteOrder {
    /// Least significant byte first.
    Little,
    /// Most significant byte first.
    Big,
}

impl ByteOrder {
    /// The order of this machine.
    pub const NATIVE: ByteOrder =
        if cfg!(target_endian = "little") { ByteOrder::Little } else { ByteOrder::Big };
}

/// The two types a kernel may work in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WorkType {
    /// 32-bit floating point values (sums still in 64 bits).
    F32,
    /// 64-bit floating point values.
    F64,
}

impl WorkType {
    /// Bytes of one value.
    pub fn size(self) -> usize {
        self.dtype().size()
    }

    /// The stored type of the same name.
    pub fn dtype(self) -> Dtype {
        match self {
            WorkType::F32 => Dtype::F32,
            WorkType::F64 => Dtype::F64,
        }
    }
}

/// A working value: `f32` or `f64`.
pub trait Real:
    Copy
    + Send
    + Sync
    + PartialOrd
    + Default
    + std::fmt::Debug
    + Add<Output = Self>
    + Sub<Output = Self>
    + bytemuck::Pod
{
    /// Which of the two it is.
    const WORK: WorkType;
    /// Not a number.
    const NAN: Self;
    /// Widens exactly.
    fn widen(self) -> f64;
    /// Rounds to nearest even.
    fn round_from(value: f64) -> Self;
    /// Converts stored elements, C order, into working values.
    fn from_stored(bytes: &[u8], dtype: Dtype, order: ByteOrder, out: &mut [Self]);
    /// The values as little-endian bytes, appended to `out`.
    fn push_le(values: &[Self], out: &mut Vec<u8>);
}

impl Real for f32 {
    const WORK: WorkType = WorkType::F32;
    const NAN: f32 = f32::NAN;
    #[inline(always)]
    fn widen(self) -> f64 {
        f64::from(self)
    }
    #[inline(always)]
    fn round_from(value: f64) -> f32 {
        value as f32
    }
    fn from_stored(bytes: &[u8], dtype: Dtype, order: ByteOrder, out: &mut [f32]) {
        to_f32(bytes, dtype, order, out);
    }
    fn push_le(values: &[f32], out: &mut Vec<u8>) {
        push_bytes::<4, _>(values, out, |v| v.to_le_bytes());
    }
}

impl Real for f64 {
    const WORK: WorkType = WorkType::F64;
    const NAN: f64 = f64::NAN;
    #[inline(always)]
    fn widen(self) -> f64 {
        self
    }
    #[inline(always)]
    fn round_from(value: f64) -> f64 {
        value
    }
    fn from_stored(bytes: &[u8], dtype: Dtype, order: ByteOrder, out: &mut [f64]) {
        to_f64(bytes, dtype, order, out);
    }
    fn push_le(values: &[f64], out: &mut Vec<u8>) {
        push_bytes::<8, _>(values, out, |v| v.to_le_bytes());
    }
}

/// Grows `out` once and fills it in a loop that compiles to a copy on little-endian machines.
fn push_bytes<const N: usize, T: Copy>(values: &[T], out: &mut Vec<u8>, bytes_of: impl Fn(T) -> [u8; N]) {
    let start = out.len();
    out.resize(start + values.len() * N, 0);
    for (bytes, value) in out[start..].chunks_exact_mut(N).zip(values) {
        bytes.copy_from_slice(&bytes_of(*value));
    }
}

/// One stored element type: how to get it from bytes and to the working types.
trait Stored: Copy {
    const SIZE: usize;
    fn le(bytes: &[u8]) -> Self;
    fn be(bytes: &[u8]) -> Self;
    fn f32(self) -> f32;
    fn f64(self) -> f64;
}

macro_rules! stored {
    ($($t:ty),*) => {$(
        impl Stored for $t {
            const SIZE: usize = size_of::<$t>();
            #[inline(always)]
            fn le(bytes: &[u8]) -> Self {
                let mut raw = [0; size_of::<$t>()];
                raw.copy_from_slice(bytes);
                <$t>::from_le_bytes(raw)
            }
            #[inline(always)]
            fn be(bytes: &[u8]) -> Self {
                let mut raw = [0; size_of::<$t>()];
                raw.copy_from_slice(bytes);
                <$t>::from_be_bytes(raw)
            }
            // One rounding from the stored value: never through the other width.
            #[inline(always)]
            fn f32(self) -> f32 { self as f32 }
            #[inline(always)]
            fn f64(self) -> f64 { self as f64 }
        }
    )*};
}
stored!(i8, i16, i32, i64, u8, u16, u32, u64, f32, f64);

impl Stored for f16 {
    const SIZE: usize = 2;
    fn le(bytes: &[u8]) -> Self {
        f16::from_bits(<u16 as Stored>::le(bytes))
    }
    fn be(bytes: &[u8]) -> Self {
        f16::from_bits(<u16 as Stored>::be(bytes))
    }
    fn f32(self) -> f32 {
        self.to_f32()
    }
    fn f64(self) -> f64 {
        self.to_f64()
    }
}

#[inline(always)]
fn each<S: Stored, T>(bytes: &[u8], order: ByteOrder, out: &mut [T], convert: impl Fn(S) -> T) {
    let elements = bytes.chunks_exact(S::SIZE);
    match order {
        ByteOrder::Little => out.iter_mut().zip(elements).for_each(|(o, b)| *o = convert(S::le(b))),
        ByteOrder::Big => out.iter_mut().zip(elements).for_each(|(o, b)| *o = convert(S::be(b))),
    }
}

macro_rules! dispatch {
    ($bytes:expr, $dtype:expr, $order:expr, $out:expr, $convert:ident) => {
        match $dtype {
            Dtype::I8 => each::<i8, _>($bytes, $order, $out, Stored::$convert),
            Dtype::I16 => each::<i16, _>($bytes, $order, $out, Stored::$convert),
            Dtype::I32 => each::<i32, _>($bytes, $order, $out, Stored::$convert),
            Dtype::I64 => each::<i64, _>($bytes, $order, $out, Stored::$convert),
            Dtype::U8 => each::<u8, _>($bytes, $order, $out, Stored::$convert),
            Dtype::U16 => each::<u16, _>($bytes, $order, $out, Stored::$convert),
            Dtype::U32 => each::<u32, _>($bytes, $order, $out, Stored::$convert),
            Dtype::U64 => each::<u64, _>($bytes, $order, $out, Stored::$convert),
            Dtype::F16 => each::<f16, _>($bytes, $order, $out, Stored::$convert),
            Dtype::F32 => each::<f32, _>($bytes, $order, $out, Stored::$convert),
            Dtype::F64 => each::<f64, _>($bytes, $order, $out, Stored::$convert),
        }
    };
}

/// Converts stored elements to `f32`, one rounding to nearest even each.
///
/// `bytes` holds `out.len()` elements of `dtype`; the shorter of the two ends the work.
pub fn to_f32(bytes: &[u8], dtype: Dtype, order: ByteOrder, out: &mut [f32]) {
    dispatch!(bytes, dtype, order, out, f32);
}

/// Converts stored elements to `f64`; only 64-bit integers beyond 2^53 are rounded.
///
/// `bytes` holds `out.len()` elements of `dtype`; the shorter of the two ends the work.
pub fn to_f64(bytes: &[u8], dtype: Dtype, order: ByteOrder, out: &mut [f64]) {
    dispatch!(bytes, dtype, order, out, f64);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_integers_are_rounded_once() {
        // 2^60 + 2^36 + 1 lies just above a tie in float32: through float64 the 1 would be lost
        // and the tie would go to even.
        let value: i64 = (1 << 60) + (1 << 36) + 1;
        let mut out = [0f32];
        to_f32(&value.to_be_bytes(), Dtype::I64, ByteOrder::Big, &mut out);
        assert_eq!(out[0], ((1u64 << 60) + (1 << 37)) as f32);
    }

    #[test]
    fn both_byte_orders_and_half_precision_are_read() {
        let mut out = [0f64; 2];
        to_f64(&[0x3c, 0x00, 0xc0, 0x00], Dtype::F16, ByteOrder::Big, &mut out);
        assert_eq!(out, [1.0, -2.0]);
        to_f64(&[1, 0, 0, 1], Dtype::U16, ByteOrder::Little, &mut out);
        assert_eq!(out, [1.0, 256.0]);
    }
}
