//! The header of an `.npy` file: a magic number and a Python dictionary as text.
//!
//! The dictionary is read by a small strict parser of literals (strings, `True`/`False`,
//! whole numbers, tuples, lists, dictionaries), never by anything that evaluates; what numpy
//! would refuse is refused. Versions 1, 2 and 3 differ in the length field and the text's
//! encoding only.

use super::literal::{Cursor, Literal};
use super::text::TextCode;
use crate::array::{ByteOrder, Dtype};
use crate::io::StoredType;

/// Longest dictionary taken; version 1 cannot hold more, and a number array needs about 100 bytes.
const MAX_TEXT: usize = 65_535;
/// numpy's own limit of axes.
const MAX_AXES: usize = 64;
/// Length of the whole header is a multiple of this, as numpy writes it.
const ALIGNMENT: usize = 64;
/// Room that numpy leaves for the first axis to grow in place.
const GROWTH_DIGITS: usize = 21;

pub(crate) const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// Bytes that suffice for any header that [`parse`] accepts.
pub(crate) const MAX_HEADER: usize = 12 + MAX_TEXT;

/// What the header says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Header {
    pub stored: StoredType,
    /// Bytes of one element; 0 for types that are not read.
    pub element: usize,
    /// How text is coded, for arrays of it.
    pub text: Option<TextCode>,
    pub fortran: bool,
    pub shape: Vec<u64>,
    /// Where the elements begin.
    pub data_offset: u64,
}

/// What is wrong with a header: found, expected.
pub(crate) type Fault = (String, String);

pub(super) fn fault<T>(found: impl Into<String>, expected: impl Into<String>) -> Result<T, Fault> {
    Err((found.into(), expected.into()))
}

/// Reads the header at the front of `bytes` (the first [`MAX_HEADER`] bytes of the file, or all of it).
pub(crate) fn parse(bytes: &[u8]) -> Result<Header, Fault> {
    let Some((magic, rest)) = bytes.split_at_checked(8) else {
        return fault(format!("{} bytes", bytes.len()), "the header of a .npy file");
    };
    if !magic.starts_with(MAGIC) {
        return fault("no numpy signature", "\\x93NUMPY at the start");
    }
    let version = magic[6];
    let (length, text) = match (version, rest) {
        (1, [a, b, text @ ..]) => (usize::from(u16::from_le_bytes([*a, *b])), text),
        (2 | 3, [a, b, c, d, text @ ..]) => (u32::from_le_bytes([*a, *b, *c, *d]) as usize, text),
        (1..=3, _) => return fault("a file that ends in its header", "the header of a .npy file"),
        _ => return fault(format!("format version {version}.{}", magic[7]), "version 1, 2 or 3"),
    };
    if length > MAX_TEXT {
        return fault(format!("a header of {length} bytes"), format!("at most {MAX_TEXT}"));
    }
    let Some(text) = text.get(..length) else {
        return fault(
            format!("a file that ends after {} bytes of its header", text.len()),
            format!("{length} bytes of header"),
        );
    };
    let lead = if version == 1 { 10 } else { 12 };
    let mut cursor = Cursor { text, at: 0 };
    let literal = cursor.value(0)?;
    cursor.spaces();
    if cursor.at != text.len() {
        return fault(format!("text after the dictionary, header byte {}", cursor.at), "its end");
    }
    from_literal(&literal, (lead + length) as u64)
}

fn from_literal(literal: &Literal, data_offset: u64) -> Result<Header, Fault> {
    let wanted = "a dictionary of exactly 'descr', 'fortran_order' and 'shape'";
    let Literal::Dictionary(entries) = literal else { return fault("no dictionary in the header", wanted) };
    let get = |name: &str| entries.iter().find(|(key, _)| key == name).map(|(_, value)| value);
    let (Some(descr), Some(fortran), Some(shape), 3) =
        (get("descr"), get("fortran_order"), get("shape"), entries.len())
    else {
        let keys: Vec<_> = entries.iter().map(|(key, _)| format!("'{}'", key.escape_debug())).collect();
        return fault(format!("keys {}", keys.join(", ")), wanted);
    };
    let Literal::Flag(fortran) = *fortran else {
        return fault(format!("fortran_order {fortran}"), "True or False");
    };
    let Literal::Tuple(axes) = shape else { return fault(format!("shape {shape}"), "a tuple of lengths") };
    if axes.len() > MAX_AXES {
        return fault(format!("{} axes", axes.len()), format!("at most {MAX_AXES}"));
    }
    let lengths = axes.iter().map(|axis| match axis {
        Literal::Whole(length) => Ok(*length),
        _ => fault(format!("shape {shape}"), "a tuple of lengths"),
    });
    let shape = lengths.collect::<Result<Vec<u64>, Fault>>()?;
    let text = match descr {
        Literal::Text(code) => TextCode::parse(code),
        _ => None,
    };
    let (stored, element) = match (descr, text) {
        (_, Some(text)) => (StoredType::Text, text.size()),
        (Literal::Text(code), None) => element_type(code),
        (structured, None) => (StoredType::Other(format!("structured {structured}")), 0),
    };
    Ok(Header { stored, element, text, fortran, shape, data_offset })
}

/// Element type and size from a type string such as `<f8`.
fn element_type(code: &str) -> (StoredType, usize) {
    let (order, kind) = match code.split_at_checked(1) {
        Some(("<", kind)) => (ByteOrder::Little, kind),
        Some((">", kind)) => (ByteOrder::Big, kind),
        Some(("=" | "|", kind)) => (ByteOrder::NATIVE, kind),
        _ => (ByteOrder::NATIVE, code),
    };
    if let Some(dtype) = Dtype::ALL.into_iter().find(|dtype| dtype.code() == kind) {
        // One byte has no order; say little so that equal types compare equal.
        let order = if dtype.size() == 1 { ByteOrder::Little } else { order };
        return (StoredType::Number(dtype, order), dtype.size());
    }
    let name = match kind.chars().next() {
        Some('b' | '?') if kind == "b1" || kind == "?" => return (StoredType::Bool, 1),
        Some('O') => "object",
        Some('c') => "complex",
        Some('f') => "long double",
        Some('S' | 'a') => "byte string",
        Some('U') => "string",
        Some('M') => "datetime",
        Some('m') => "timedelta",
        Some('V') => "void",
        _ => "unknown",
    };
    (StoredType::Other(format!("{name} ('{}')", code.escape_debug())), 0)
}

/// The whole header numpy would write for this array: version 1, C order, little-endian.
pub(crate) fn render(dtype: Dtype, shape: &[u64]) -> Vec<u8> {
    let order = if dtype.size() == 1 { '|' } else { '<' };
    render_as(&format!("{order}{}", dtype.code()), shape)
}

/// Like [`render`], for elements of the type string `descr`.
pub(crate) fn render_as(descr: &str, shape: &[u64]) -> Vec<u8> {
    let lengths: Vec<_> = shape.iter().map(u64::to_string).collect();
    let tuple = match lengths.as_slice() {
        [one] => format!("({one},)"),
        several => format!("({})", several.join(", ")),
    };
    let mut text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {tuple}, }}");
    if let Some(first) = lengths.first() {
        text.push_str(&" ".repeat(GROWTH_DIGITS.saturating_sub(first.len())));
    }
    let length = (10 + text.len() + 1).next_multiple_of(ALIGNMENT) - 10;
    let mut bytes = MAGIC.to_vec();
    bytes.extend([1, 0]);
    // 64 axes of 20 digits stay far below the 65535 that version 1 can say.
    bytes.extend((length as u16).to_le_bytes());
    bytes.extend(text.as_bytes());
    bytes.resize(10 + length - 1, b' ');
    bytes.push(b'\n');
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(text: &str) -> Result<Header, Fault> {
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((text.len() as u16).to_le_bytes());
        bytes.extend(text.as_bytes());
        parse(&bytes)
    }

    fn descr(code: &str) -> StoredType {
        header(&format!("{{'descr': {code}, 'fortran_order': False, 'shape': (2,)}}")).unwrap().stored
    }

    #[test]
    fn what_is_rendered_is_parsed_back() {
        for dtype in Dtype::ALL {
            for shape in [vec![], vec![0], vec![7], vec![3, 1 << 40, 2]] {
                let bytes = render(dtype, &shape);
                assert_eq!(bytes.len() % 64, 0);
                let header = parse(&bytes).unwrap();
                assert_eq!(header.stored, StoredType::Number(dtype, ByteOrder::Little));
                assert_eq!((header.shape, header.fortran), (shape, false));
                assert_eq!(header.data_offset as usize, bytes.len());
            }
        }
    }

    #[test]
    fn types_that_are_not_numbers_are_named() {
        assert_eq!(descr("'|b1'"), StoredType::Bool);
        assert_eq!((descr("'<U3'"), descr("'|S5'")), (StoredType::Text, StoredType::Text));
        assert_eq!(descr("'=f4'"), StoredType::Number(Dtype::F32, ByteOrder::NATIVE));
        for (code, name) in [
            ("'|O'", "object ('|O')"),
            ("'<c16'", "complex ('<c16')"),
            ("'<U0'", "string ('<U0')"),
            ("'<M8[ns]'", "datetime ('<M8[ns]')"),
            ("'<f16'", "long double ('<f16')"),
            ("[('a', '<f4'), ('b', '<i2', (3,))]", "structured [('a', '<f4'), ('b', '<i2', (3))]"),
            ("'\\u0000'", "unknown ('\\\\u0000')"),
        ] {
            assert_eq!(descr(code), StoredType::Other(name.into()));
        }
    }

    #[test]
    fn malformed_dictionaries_are_refused() {
        let deep = "[".repeat(100);
        for bad in [
            "",
            "{}",
            "{'descr': '<f8', 'fortran_order': False}",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (2,), 'x': 1}",
            "{'descr': '<f8', 'fortran_order': 0, 'shape': (2,)}",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (2)}",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (-2,)}",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999999999,)}",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (2,)} import os",
            "{'descr': '<f8, 'fortran_order': False, 'shape': (2,)}",
            "{'descr': '<f8', 'fortran_order': Falsy, 'shape': (2,)}",
            "{'descr': '<f8' 'fortran_order': False, 'shape': (2,)}",
            "{'descr",
            "{'descr\\",
            &deep,
        ] {
            assert!(header(bad).is_err(), "{bad}");
        }
        assert!(header("{'shape': (3L, 4L,), 'descr': \"<f8\", 'fortran_order': True, }  \n").is_ok());
    }
}
