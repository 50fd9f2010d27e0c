//! CF decoding against `xarray`: 684 variables of every packed type, scale, offset, missing value
//! and `_Unsigned`, decoded type and every value bit for bit.

mod common;

use common::{done, python};
use nissl::array::{ByteOrder, Dtype, to_f64};
use nissl::io::netcdf::CfDecoder;
use nissl::io::{Attribute, AttributeValue};
use serde_json::Value;
use std::process::Command;

fn dtype(name: &Value) -> Dtype {
    let name = name.as_str().unwrap();
    Dtype::ALL.into_iter().find(|dtype| dtype.name() == name).unwrap_or_else(|| panic!("{name}"))
}

fn bytes(hex: &Value) -> Vec<u8> {
    let hex = hex.as_str().unwrap();
    (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()).collect()
}

fn widened(bytes: &[u8], dtype: Dtype) -> Vec<f64> {
    let mut out = vec![0.0; bytes.len() / dtype.size()];
    to_f64(bytes, dtype, ByteOrder::Little, &mut out);
    out
}

fn attribute(name: &str, typed: &Value) -> Attribute {
    if let Some(text) = typed["text"].as_str() {
        let value = AttributeValue::Text(vec![text.as_bytes().to_vec()]);
        return Attribute { name: name.to_owned(), shape: vec![], value };
    }
    let (dtype, bytes) = (dtype(&typed["dtype"]), bytes(&typed["bytes"]));
    let integers = bytes.chunks_exact(dtype.size()).map(|element| {
        let mut wide =
            if dtype.is_signed_integer() && element[dtype.size() - 1] >= 128 { [255; 8] } else { [0; 8] };
        wide[..dtype.size()].copy_from_slice(element);
        i64::from_le_bytes(wide)
    });
    let value = if !dtype.is_integer() {
        AttributeValue::Float(widened(&bytes, dtype), dtype)
    } else if dtype.is_signed_integer() {
        AttributeValue::Int(integers.collect(), dtype)
    } else {
        AttributeValue::Uint(integers.map(|value| value as u64).collect(), dtype)
    };
    Attribute { name: name.to_owned(), shape: vec![1], value }
}

/// Bits of `values` in the type `T` works in; every NaN alike.
macro_rules! decoded_bits {
    ($decoder:expr, $stored:expr, $length:expr, $t:ty) => {{
        let mut out = vec![0 as $t; $length];
        $decoder.decode(&$stored, &mut out);
        out.iter().map(|v| if v.is_nan() { u64::MAX } else { u64::from(v.to_bits()) }).collect::<Vec<u64>>()
    }};
}

macro_rules! expected_bits {
    ($values:expr, $t:ty) => {
        $values
            .iter()
            .map(|&v| if v.is_nan() { u64::MAX } else { u64::from((v as $t).to_bits()) })
            .collect::<Vec<u64>>()
    };
}

#[test]
fn every_packing_decodes_as_in_xarray() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let output = done(Command::new(python).arg("tests/interop/cf_types.py").arg(folder.path()));
    let (mut rows, mut wrong) = (0, Vec::new());
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let attributes: Vec<Attribute> = row["attributes"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| attribute(name, value))
            .collect();
        let order = if row["big"].as_bool().unwrap() { ByteOrder::Big } else { ByteOrder::Little };
        let decoder = CfDecoder::new(dtype(&row["dtype"]), order, &attributes, "packed.nc").unwrap();
        let (stored, expected) = (bytes(&row["stored"]), dtype(&row["decoded"]));
        let bits = bytes(&row["expected"]);
        let same = decoder.decoded() == expected
            && if expected == Dtype::F64 {
                decoded_bits!(decoder, stored, 40, f64) == expected_bits!(widened(&bits, expected), f64)
            } else if expected.is_integer() && expected.size() == 8 {
                // Both sides rounded once from the same integer.
                decoded_bits!(decoder, stored, 40, f64) == expected_bits!(widened(&bits, expected), f64)
            } else {
                decoded_bits!(decoder, stored, 40, f32) == expected_bits!(widened(&bits, expected), f32)
            };
        if !same {
            wrong.push(format!("{} -> {:?} {:?}", row["dtype"], decoder.decoded(), row["attributes"]));
        }
        rows += 1;
    }
    assert_eq!(rows, 684);
    assert!(wrong.is_empty(), "{} of {rows} differ:\n{}", wrong.len(), wrong.join("\n"));
}
