//! How the file describes elements.

use crate::array::Dtype;
use rust_hdf5::DatatypeMessage;
use rust_hdf5::format::messages::datatype::{ByteOrder, EnumMember};

/// How the file describes a number.
pub(super) fn number_type(dtype: Dtype) -> DatatypeMessage {
    match dtype {
        Dtype::I8 => DatatypeMessage::i8_type(),
        Dtype::I16 => DatatypeMessage::i16_type(),
        Dtype::I32 => DatatypeMessage::i32_type(),
        Dtype::I64 => DatatypeMessage::i64_type(),
        Dtype::U8 => DatatypeMessage::u8_type(),
        Dtype::U16 => DatatypeMessage::u16_type(),
        Dtype::U32 => DatatypeMessage::u32_type(),
        Dtype::U64 => DatatypeMessage::u64_type(),
        Dtype::F16 => DatatypeMessage::f16_type(),
        Dtype::F32 => DatatypeMessage::f32_type(),
        Dtype::F64 => DatatypeMessage::f64_type(),
    }
}

/// h5py's truth value: an enumeration over signed bytes.
pub(super) fn truth_type() -> DatatypeMessage {
    let member = |name: &str, value| EnumMember { name: name.to_owned(), value: vec![value] };
    DatatypeMessage::Enum {
        base: Box::new(DatatypeMessage::i8_type()),
        members: vec![member("FALSE", 0), member("TRUE", 1)],
    }
}

/// What the netCDF library stores for a dimension that has no values.
pub(super) fn big_endian_f32() -> DatatypeMessage {
    let mut datatype = DatatypeMessage::f32_type();
    if let DatatypeMessage::FloatingPoint { byte_order, .. } = &mut datatype {
        *byte_order = ByteOrder::BigEndian;
    }
    datatype
}
