//! Attributes of groups and datasets, and the dimension scales that they name.

use super::header::Object;
use super::heap::Budget;
use super::source::{DAMAGED, Source};
use super::text;
use super::types::{self, Element};
use crate::array::{ByteOrder, Dtype, to_f64};
use crate::error::{Error, Result};
use crate::io::{Attribute, AttributeValue, StoredType};
use hdf5_reader::io::Cursor;
use hdf5_reader::messages::HdfMessage;
use hdf5_reader::messages::attribute::{self, AttributeMessage};
use hdf5_reader::messages::dataspace::{DataspaceMessage, DataspaceType};
use hdf5_reader::messages::datatype::{Datatype, VarLenKind};

/// One attribute with the raw bytes of its datatype, or the name of one that did not parse and why.
pub(super) type Parsed = Result<(AttributeMessage, Vec<u8>), (String, String)>;

/// Parses one attribute message.
pub(super) fn parse(source: &Source, bytes: &[u8]) -> Parsed {
    let (name, datatype) = head(bytes);
    attribute::parse(&mut Cursor::new(bytes), source.offset_size, source.length_size, bytes.len())
        .map(|message| (message, datatype))
        .map_err(|err| (name, err.to_string()))
}

/// Name and datatype bytes of an attribute message, whatever its datatype is.
fn head(bytes: &[u8]) -> (String, Vec<u8>) {
    let word = |at: usize| bytes.get(at..at + 2).map_or(0, |b| usize::from(u16::from_le_bytes([b[0], b[1]])));
    let version = bytes.first().copied().unwrap_or(0);
    let start = if version == 3 { 9 } else { 8 };
    let len = word(2);
    let name = bytes.get(start..start + len).unwrap_or_default();
    let name = name.split(|&b| b == 0).next().unwrap_or_default();
    let datatype = start + if version == 1 { len.next_multiple_of(8) } else { len };
    let datatype = bytes.get(datatype..datatype + word(4)).unwrap_or_default();
    (String::from_utf8_lossy(name).into_owned(), datatype.to_vec())
}

/// All attributes of an object, compact ones first.
fn collect(source: &Source, path: &str, object: &Object) -> Result<Vec<Parsed>> {
    let mut all: Vec<Parsed> = object.attributes.clone();
    for message in &object.messages {
        match message {
            HdfMessage::Attribute(attribute) => all.push(Ok((attribute.clone(), Vec::new()))),
            HdfMessage::AttributeInfo(info) if !source.is_undefined(info.fractal_heap_address) => {
                let tree = info
                    .btree_creation_order_address
                    .filter(|&tree| !source.is_undefined(tree))
                    .unwrap_or(info.btree_name_index_address);
                source.dense_objects(info.fractal_heap_address, tree, path, &mut |bytes| {
                    all.push(parse(source, &bytes));
                    Ok(())
                })?;
            }
            _ => {}
        }
    }
    Ok(all)
}

/// Reads all attributes; one of a type that is not read here comes as `Unsupported`.
pub(super) fn read(source: &Source, path: &str, object: &Object) -> Result<Vec<Attribute>> {
    let convert = |parsed: Parsed| match parsed {
        Ok((message, raw)) => value(source, path, message, &raw),
        Err((name, reason)) => {
            Ok(Attribute { name, shape: Vec::new(), value: AttributeValue::Unsupported(reason) })
        }
    };
    collect(source, path, object)?.into_iter().map(convert).collect()
}

/// Number of elements of a data space; `None` when it overflows.
fn count(space: &DataspaceMessage) -> Option<usize> {
    match space.dataspace_type {
        DataspaceType::Null => Some(0),
        DataspaceType::Scalar => Some(1),
        DataspaceType::Simple => {
            space.dims.iter().try_fold(1usize, |n, &d| n.checked_mul(usize::try_from(d).ok()?))
        }
    }
}

fn value(source: &Source, path: &str, message: AttributeMessage, raw: &[u8]) -> Result<Attribute> {
    let place = format!("{path}, attribute {}", message.name);
    let AttributeMessage { name, datatype, dataspace, raw_data } = message;
    if dataspace.dataspace_type == DataspaceType::Null {
        return Ok(Attribute { name, shape: Vec::new(), value: AttributeValue::Empty });
    }
    let element = types::element(&datatype, raw, source.offset_size);
    let needed = count(&dataspace).and_then(|n| n.checked_mul(element.size));
    let known = !matches!(element.stored, StoredType::Other(_));
    let value = match needed.and_then(|n| raw_data.get(..n)) {
        Some(bytes) if known => decode(source, &place, &element, bytes)?,
        None if known => {
            let found = format!("{} bytes", raw_data.len());
            let expected = format!("{:?} elements of {} bytes", dataspace.dims, element.size);
            return Err(Error::data(source.place(&place), found, expected, DAMAGED));
        }
        _ => AttributeValue::Unsupported(match element.stored {
            StoredType::Other(name) => name,
            _ => "unknown type".to_owned(),
        }),
    };
    let shape = if dataspace.dataspace_type == DataspaceType::Simple { dataspace.dims } else { Vec::new() };
    Ok(Attribute { name, shape, value })
}

fn decode(source: &Source, place: &str, element: &Element, bytes: &[u8]) -> Result<AttributeValue> {
    Ok(match (&element.stored, element.text) {
        (StoredType::Number(dtype, order), _) => numbers(bytes, *dtype, *order),
        (StoredType::Bool, _) => AttributeValue::Bool(bytes.iter().map(|&b| b != 0).collect()),
        (StoredType::Text, Some(form)) => AttributeValue::Text(text::texts(source, bytes, form, place)?),
        (StoredType::Reference, _) => match text::references(source, bytes, place) {
            Ok(paths) => AttributeValue::Reference(paths),
            Err(reason) => AttributeValue::Unsupported(reason.to_string()),
        },
        _ => AttributeValue::Unsupported("unknown type".to_owned()),
    })
}

fn numbers(bytes: &[u8], dtype: Dtype, order: ByteOrder) -> AttributeValue {
    let size = dtype.size();
    // The number's bits, sign not yet extended.
    let bits = |b: &[u8]| match order {
        ByteOrder::Little => b.iter().rev().fold(0u64, |sum, &x| sum << 8 | u64::from(x)),
        ByteOrder::Big => b.iter().fold(0u64, |sum, &x| sum << 8 | u64::from(x)),
    };
    if !dtype.is_integer() {
        let mut values = vec![0.0; bytes.len() / size];
        to_f64(bytes, dtype, order, &mut values);
        AttributeValue::Float(values, dtype)
    } else if dtype.is_signed_integer() {
        let unused = 64 - 8 * size as u32;
        let signed = |b: &[u8]| ((bits(b) << unused) as i64) >> unused;
        AttributeValue::Int(bytes.chunks_exact(size).map(signed).collect(), dtype)
    } else {
        AttributeValue::Uint(bytes.chunks_exact(size).map(bits).collect(), dtype)
    }
}

/// Paths of the scales attached to each axis, from `DIMENSION_LIST`: one variable-length list of
/// object references per axis. Empty when nothing is attached.
pub(super) fn dimension_scales(source: &Source, path: &str, object: &Object) -> Result<Vec<Vec<String>>> {
    let lists =
        collect(source, path, object)?.into_iter().flatten().find(|(m, _)| m.name == "DIMENSION_LIST");
    let Some((message, _)) = lists else {
        return Ok(Vec::new());
    };
    let place = format!("{path}, attribute DIMENSION_LIST");
    let of_references = matches!(&message.datatype, Datatype::VarLen { kind: VarLenKind::Sequence, base, .. }
        if matches!(**base, Datatype::Reference { size, .. } if size == source.offset_size));
    let size = 8 + usize::from(source.offset_size);
    let axes = count(&message.dataspace)
        .filter(|n| n.checked_mul(size).is_some_and(|len| len <= message.raw_data.len()));
    let Some(axes) = axes.filter(|_| of_references) else {
        let expected = "a list of references per axis";
        return Err(Error::data(source.place(&place), "another type", expected, DAMAGED));
    };
    let mut budget = Budget::new(source);
    let mut scales = Vec::with_capacity(axes);
    for element in message.raw_data.chunks_exact(size).take(axes) {
        let list = source.variable(element, usize::from(source.offset_size), &mut budget, &place)?;
        scales.push(text::references(source, &list, &place)?);
    }
    Ok(scales)
}
