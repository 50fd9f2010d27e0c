//! Attributes of every kind, on groups and datasets.
//!
//! Scalar text is a fixed-length, null-terminated string, unless the writer is told otherwise:
//! netCDF recognises `CLASS` and others only so (convolve.md 7.3). Arrays of text are variable-length UTF-8. A value without elements
//! (null space) becomes an array of length 0, the nearest that can be written.

use crate::array::Dtype;
use crate::error::{Error, Result};
use crate::io::{Attribute, AttributeValue};
use half::f16;
use rust_hdf5::{DatatypeMessage, H5Dataset, H5Group, H5Type, Hdf5Error, VarLenUnicode};

/// What an attribute is set on.
pub(super) enum Node<'a> {
    Group(&'a H5Group),
    Dataset(&'a H5Dataset),
}

/// Half precision for the library's typed calls.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct Half(u16);

impl H5Type for Half {
    fn hdf5_type() -> DatatypeMessage {
        DatatypeMessage::f16_type()
    }
    fn element_size() -> usize {
        2
    }
}

/// h5py's truth value for the library's typed calls.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct Truth(i8);

impl H5Type for Truth {
    fn hdf5_type() -> DatatypeMessage {
        super::types::truth_type()
    }
    fn element_size() -> usize {
        1
    }
}

impl Node<'_> {
    fn array<T: H5Type>(&self, name: &str, shape: &[usize], values: &[T]) -> Result<(), Hdf5Error> {
        match self {
            Node::Group(group) => group.set_attr_array_numeric_nd(name, values, shape),
            Node::Dataset(dataset) => {
                dataset.new_attr::<T>().shape(shape.to_vec()).create(name)?.write_array(values)
            }
        }
    }

    fn text(&self, name: &str, value: &[u8]) -> Result<(), Hdf5Error> {
        let mut bytes = value.to_vec();
        bytes.push(0);
        let charset = u8::from(!value.is_ascii() && std::str::from_utf8(value).is_ok());
        let datatype = DatatypeMessage::FixedString { size: bytes.len() as u32, padding: 0, charset };
        match self {
            Node::Group(group) => group.set_attr_typed(name, datatype, bytes),
            Node::Dataset(dataset) => dataset.set_attr_typed(name, datatype, bytes),
        }
    }

    fn variable_text(&self, name: &str, value: &[u8]) -> Result<(), Hdf5Error> {
        let value = super::names::as_utf8(value);
        match self {
            Node::Group(group) => group.set_attr_string(name, &value),
            Node::Dataset(dataset) => {
                dataset.new_attr::<VarLenUnicode>().shape(()).create(name)?.write_string(&value)
            }
        }
    }

    fn texts(&self, name: &str, shape: &[usize], values: &[Vec<u8>]) -> Result<(), Hdf5Error> {
        let texts: Vec<String> = values.iter().map(|value| super::names::as_utf8(value)).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        match self {
            Node::Group(group) => group.set_attr_string_array_nd(name, &texts, shape),
            Node::Dataset(dataset) => {
                let attribute = dataset.new_attr::<VarLenUnicode>().shape(shape.to_vec()).create(name)?;
                attribute.write_string_array(&texts)
            }
        }
    }

    fn references(&self, name: &str, shape: &[usize], paths: &[&str]) -> Result<(), Hdf5Error> {
        match (self, shape, paths) {
            (Node::Group(group), [], [path]) => group.set_attr_object_reference(name, path),
            (Node::Group(group), [_], _) => group.set_attr_object_references(name, paths),
            (Node::Dataset(dataset), ..) => {
                dataset.new_attr::<u64>().shape(shape.to_vec()).create(name)?.write_object_references(paths)
            }
            _ => Err(Hdf5Error::Unsupported("references of several axes on a group".into())),
        }
    }

    /// Numbers given as the widest of their kind, stored as `dtype`.
    fn numbers<V: Copy + Into<Wide>>(
        &self,
        name: &str,
        shape: &[usize],
        values: &[V],
        dtype: Dtype,
    ) -> Result<(), Hdf5Error> {
        macro_rules! as_type {
            ($t:ty) => {{
                let values: Vec<$t> = values.iter().map(|&value| value.into().get() as $t).collect();
                self.array(name, shape, &values)
            }};
        }
        macro_rules! as_integer {
            ($t:ty) => {{
                let values: Vec<$t> = values.iter().map(|&value| value.into().integer() as $t).collect();
                self.array(name, shape, &values)
            }};
        }
        match dtype {
            Dtype::I8 => as_integer!(i8),
            Dtype::I16 => as_integer!(i16),
            Dtype::I32 => as_integer!(i32),
            Dtype::I64 => as_integer!(i64),
            Dtype::U8 => as_integer!(u8),
            Dtype::U16 => as_integer!(u16),
            Dtype::U32 => as_integer!(u32),
            Dtype::U64 => as_integer!(u64),
            Dtype::F32 => as_type!(f32),
            Dtype::F64 => as_type!(f64),
            Dtype::F16 => {
                let half = |&value: &V| Half(f16::from_f64(value.into().get()).to_bits());
                self.array(name, shape, &values.iter().map(half).collect::<Vec<_>>())
            }
        }
    }
}

/// A number of any kind, without loss.
#[derive(Clone, Copy)]
enum Wide {
    Int(i64),
    Uint(u64),
    Float(f64),
}

impl From<i64> for Wide {
    fn from(value: i64) -> Self {
        Wide::Int(value)
    }
}
impl From<u64> for Wide {
    fn from(value: u64) -> Self {
        Wide::Uint(value)
    }
}
impl From<f64> for Wide {
    fn from(value: f64) -> Self {
        Wide::Float(value)
    }
}

impl Wide {
    fn get(self) -> f64 {
        match self {
            Wide::Int(value) => value as f64,
            Wide::Uint(value) => value as f64,
            Wide::Float(value) => value,
        }
    }

    fn integer(self) -> i128 {
        match self {
            Wide::Int(value) => value.into(),
            Wide::Uint(value) => value.into(),
            Wide::Float(value) => value as i128,
        }
    }
}

/// Sets or replaces one attribute; `place` names it in errors. Scalar text is of variable length
/// where the flag beside the node says so.
pub(super) fn set(
    (node, variable_text): (&Node, bool),
    attribute: &Attribute,
    place: &str,
    failed: &dyn Fn(Hdf5Error) -> Error,
) -> Result<()> {
    let name = attribute.name.as_str();
    let shape: Vec<usize> = attribute.shape.iter().map(|&n| n as usize).collect();
    let cells = attribute.shape.iter().product::<u64>();
    let done = match &attribute.value {
        AttributeValue::Int(v, _) if v.len() as u64 != cells => {
            return Err(wrong_count(place, v.len(), &shape));
        }
        AttributeValue::Int(values, dtype) => node.numbers(name, &shape, values, *dtype),
        AttributeValue::Uint(v, _) if v.len() as u64 != cells => {
            return Err(wrong_count(place, v.len(), &shape));
        }
        AttributeValue::Uint(values, dtype) => node.numbers(name, &shape, values, *dtype),
        AttributeValue::Float(v, _) if v.len() as u64 != cells => {
            return Err(wrong_count(place, v.len(), &shape));
        }
        AttributeValue::Float(values, dtype) => node.numbers(name, &shape, values, *dtype),
        AttributeValue::Bool(values) => {
            let values: Vec<Truth> = values.iter().map(|&value| Truth(value.into())).collect();
            node.array(name, &shape, &values)
        }
        AttributeValue::Text(values) => match (values.as_slice(), shape.is_empty()) {
            ([value], true) if variable_text => node.variable_text(name, value),
            ([value], true) => node.text(name, value),
            _ => node.texts(name, &shape, values),
        },
        AttributeValue::Reference(paths) => {
            let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
            node.references(name, &shape, &paths)
        }
        AttributeValue::Empty => node.array::<f32>(name, &[0], &[]),
        AttributeValue::Unsupported(kind) => {
            let expected = "numbers, text, truth values or references";
            return Err(Error::data(place, format!("an attribute of type {kind}"), expected, "leave it out"));
        }
    };
    done.map_err(failed)
}

fn wrong_count(place: &str, found: usize, shape: &[usize]) -> Error {
    Error::data(place, format!("{found} values"), format!("those of shape {shape:?}"), "")
}
