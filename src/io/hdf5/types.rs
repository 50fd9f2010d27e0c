//! Stored types: from the file's datatype messages to [`StoredType`].

use crate::array::{ByteOrder, Dtype};
use crate::io::StoredType;
use hdf5_reader::messages::datatype::{
    Datatype, EnumMember, ReferenceType, StringPadding, StringSize, VarLenKind,
};

/// How the text of a dataset or attribute lies in its elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextForm {
    /// So many bytes, padded.
    Fixed(usize, StringPadding),
    /// A count and a place in a heap.
    Variable,
}

/// How one element is stored.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Element {
    pub stored: StoredType,
    pub text: Option<TextForm>,
    /// Bytes of one element; zero where it is not known.
    pub size: usize,
}

/// Tells what a datatype is. `raw` holds the message's own bytes (empty when they are not at
/// hand): the parsed form does not keep the bit layout of numbers, and a bfloat16 or a 12-bit
/// integer must not be taken for the plain type of the same size.
pub(super) fn element(datatype: &Datatype, raw: &[u8], offset_size: u8) -> Element {
    let plain = |stored, size| Element { stored, text: None, size };
    let other = |name: String, size| plain(StoredType::Other(name), size);
    let heap = 8 + usize::from(offset_size);
    match datatype {
        Datatype::FixedPoint { .. } | Datatype::FloatingPoint { .. } => {
            let size = number_size(datatype);
            match number(datatype, raw) {
                Ok((dtype, order)) => plain(StoredType::Number(dtype, order), size),
                Err(name) => other(name, size),
            }
        }
        Datatype::Enum { base, members } => {
            let size = number_size(base);
            match number(base, raw.get(8..).unwrap_or_default()) {
                Ok((dtype, _)) if is_bool(dtype, members) => plain(StoredType::Bool, size),
                Ok((dtype, order)) => plain(StoredType::Number(dtype, order), size),
                Err(name) => other(format!("enumeration of {name}"), size),
            }
        }
        Datatype::String { size: StringSize::Fixed(size), padding, .. } => {
            let size = *size as usize;
            Element { stored: StoredType::Text, text: Some(TextForm::Fixed(size, *padding)), size }
        }
        Datatype::VarLen { kind: VarLenKind::String, base, .. } if base.is_vlen_string_base() => {
            Element { stored: StoredType::Text, text: Some(TextForm::Variable), size: heap }
        }
        Datatype::Reference { ref_type: ReferenceType::Object, size } if *size == offset_size => {
            plain(StoredType::Reference, usize::from(*size))
        }
        Datatype::Reference { size, .. } => other("region reference".to_owned(), usize::from(*size)),
        Datatype::VarLen { .. } => other("variable-length list".to_owned(), heap),
        Datatype::String { .. } => other("text of length 0".to_owned(), 0),
        Datatype::Compound { size, fields } => {
            let names: Vec<&str> = fields.iter().map(|f| f.name.as_str()).collect();
            let name = if names == ["r", "i"] { "complex".to_owned() } else { "compound".to_owned() };
            other(name, *size as usize)
        }
        Datatype::Array { .. } => other("array".to_owned(), 0),
        Datatype::Opaque { size, .. } => other("opaque".to_owned(), *size as usize),
        Datatype::Bitfield { size, .. } => other("bit field".to_owned(), usize::from(*size)),
    }
}

fn number_size(datatype: &Datatype) -> usize {
    match datatype {
        Datatype::FixedPoint { size, .. } | Datatype::FloatingPoint { size, .. } => usize::from(*size),
        _ => 0,
    }
}

/// h5py and netCDF write truth values as a one-byte enumeration of these two names.
fn is_bool(dtype: Dtype, members: &[EnumMember]) -> bool {
    let value = |name: &str| members.iter().find(|m| m.name == name).map(|m| m.value.as_slice());
    dtype.size() == 1 && members.len() == 2 && value("FALSE") == Some(&[0]) && value("TRUE") == Some(&[1])
}

fn order(inner: hdf5_reader::error::ByteOrder) -> ByteOrder {
    match inner {
        hdf5_reader::error::ByteOrder::LittleEndian => ByteOrder::Little,
        hdf5_reader::error::ByteOrder::BigEndian => ByteOrder::Big,
    }
}

/// The number type, or a name for what is not one of ours.
fn number(datatype: &Datatype, raw: &[u8]) -> Result<(Dtype, ByteOrder), String> {
    match datatype {
        Datatype::FixedPoint { size, signed, byte_order } => {
            let dtype = match (size, signed) {
                (1, true) => Dtype::I8,
                (2, true) => Dtype::I16,
                (4, true) => Dtype::I32,
                (8, true) => Dtype::I64,
                (1, false) => Dtype::U8,
                (2, false) => Dtype::U16,
                (4, false) => Dtype::U32,
                (8, false) => Dtype::U64,
                _ => return Err(format!("integer of {size} bytes")),
            };
            if raw.get(8..12).is_some_and(|b| b != [0, 0, size * 8, 0]) {
                return Err(format!("integer with padding bits in {size} bytes"));
            }
            Ok((dtype, order(*byte_order)))
        }
        Datatype::FloatingPoint { size, byte_order } => {
            // Bit offset, precision, exponent place and size, mantissa place and size, bias.
            let (dtype, layout): (Dtype, [u8; 12]) = match size {
                2 => (Dtype::F16, [0, 0, 16, 0, 10, 5, 0, 10, 15, 0, 0, 0]),
                4 => (Dtype::F32, [0, 0, 32, 0, 23, 8, 0, 23, 127, 0, 0, 0]),
                8 => (Dtype::F64, [0, 0, 64, 0, 52, 11, 0, 52, 255, 3, 0, 0]),
                _ => return Err(format!("float of {size} bytes")),
            };
            let vax = raw.get(1).is_some_and(|flags| flags & 0x41 == 0x41);
            if vax || raw.get(8..20).is_some_and(|b| b != layout) {
                return Err(format!("float of {size} bytes that is not IEEE 754"));
            }
            Ok((dtype, order(*byte_order)))
        }
        _ => Err("something else".to_owned()),
    }
}
