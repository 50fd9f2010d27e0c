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
    let attributes = [float("scale_factor", 0.1, Dtype::F32), integers("missing_value", &[3, 9], Dtype::I16)];
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
