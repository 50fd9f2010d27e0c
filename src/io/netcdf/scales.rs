//! Dimension scales and fill values as the netCDF library writes them.

use super::text_attribute;
use crate::array::Dtype;
use crate::error::Result;
use crate::io::{Attribute, AttributeValue, Writer};

/// What the netCDF library writes into `NAME` of a dimension without values, before its length.
const NO_VARIABLE: &str = "This is a netCDF dimension but not a netCDF variable.";

/// `NAME` of a dimension of `length` without values.
pub fn name_without_values(length: u64) -> String {
    format!("{NO_VARIABLE}{length:>10}")
}

/// Makes the dataset `path` a scale called `name`, by its attributes alone: nothing need ever be
/// attached to it.
///
/// # Errors
/// The file cannot be written.
pub fn set_scale(writer: &mut dyn Writer, path: &str, name: &str) -> Result<()> {
    writer.set_attribute(path, &text_attribute("CLASS", "DIMENSION_SCALE"))?;
    writer.set_attribute(path, &text_attribute("NAME", name))
}

/// Numbers a dimension; without it the netCDF library leaves their order to chance.
///
/// # Errors
/// The file cannot be written.
pub fn set_dimension_id(writer: &mut dyn Writer, path: &str, id: usize) -> Result<()> {
    let value = AttributeValue::Int(vec![id as i64], Dtype::I32);
    writer.set_attribute(path, &Attribute { name: "_Netcdf4Dimid".into(), shape: Vec::new(), value })
}

/// NaN of a floating type as a little-endian element; nothing for integers.
pub fn not_a_number(dtype: Dtype) -> Option<Vec<u8>> {
    match dtype {
        Dtype::F32 => Some(f32::NAN.to_le_bytes().to_vec()),
        Dtype::F64 => Some(f64::NAN.to_le_bytes().to_vec()),
        _ => None,
    }
}

/// Sets `_FillValue` of a float variable to NaN; integers have none.
///
/// # Errors
/// The file cannot be written.
pub fn set_fill(writer: &mut dyn Writer, name: &str, dtype: Dtype) -> Result<()> {
    if not_a_number(dtype).is_none() {
        return Ok(());
    }
    let value = AttributeValue::Float(vec![f64::NAN], dtype);
    writer.set_attribute(name, &Attribute { name: "_FillValue".into(), shape: vec![1], value })
}
