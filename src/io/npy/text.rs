//! Arrays of text in `.npy`: numpy's fixed-width Unicode (four bytes a letter) and byte strings,
//! padded with zeros.

use crate::array::ByteOrder;
use crate::error::{Error, Result};
use crate::io::DatasetInfo;
use crate::io::block::{self, ReadAt};

/// Bytes of text read at once; names of channels or variables stay far below.
const MOST_BYTES: u64 = 256 << 20;

/// How one text is coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TextCode {
    /// So many letters of UTF-32.
    Letters(usize, ByteOrder),
    /// So many bytes.
    Bytes(usize),
}

impl TextCode {
    /// The code of a type string such as `<U5` or `|S3`; `None` for other types and empty texts.
    pub fn parse(descr: &str) -> Option<TextCode> {
        let order = match descr.chars().next()? {
            '<' => ByteOrder::Little,
            '>' => ByteOrder::Big,
            _ => ByteOrder::NATIVE,
        };
        let kind = descr.trim_start_matches(['<', '>', '=', '|']);
        let (letter, length) = kind.split_at_checked(1)?;
        let length = length.parse::<u32>().ok().filter(|&length| (1..=1 << 24).contains(&length))? as usize;
        match letter {
            "U" => Some(TextCode::Letters(length, order)),
            "S" | "a" => Some(TextCode::Bytes(length)),
            _ => None,
        }
    }

    /// The type string.
    pub fn descr(self) -> String {
        match self {
            TextCode::Letters(length, ByteOrder::Little) => format!("<U{length}"),
            TextCode::Letters(length, ByteOrder::Big) => format!(">U{length}"),
            TextCode::Bytes(length) => format!("|S{length}"),
        }
    }

    /// Bytes of one element.
    pub fn size(self) -> usize {
        match self {
            TextCode::Letters(length, _) => 4 * length,
            TextCode::Bytes(length) => length,
        }
    }

    /// Texts (UTF-8, else byte by byte as Latin-1) as elements as wide as the longest.
    pub fn encode(values: &[Vec<u8>]) -> (TextCode, Vec<u8>) {
        let letters = |value: &Vec<u8>| match std::str::from_utf8(value) {
            Ok(text) => text.chars().collect::<Vec<char>>(),
            Err(_) => value.iter().map(|&byte| char::from(byte)).collect(),
        };
        let texts: Vec<Vec<char>> = values.iter().map(letters).collect();
        // numpy has no texts of no letters: the least width is one.
        let width = texts.iter().map(Vec::len).max().unwrap_or(0).max(1);
        let mut bytes = Vec::with_capacity(4 * width * texts.len());
        for text in &texts {
            let end = bytes.len() + 4 * width;
            text.iter().for_each(|&letter| bytes.extend(u32::from(letter).to_le_bytes()));
            bytes.resize(end, 0);
        }
        (TextCode::Letters(width, ByteOrder::Little), bytes)
    }

    /// One element as UTF-8 (byte strings as they are), without its padding.
    fn decode(self, element: &[u8]) -> Option<Vec<u8>> {
        let unpadded = |bytes: &[u8]| bytes.iter().rposition(|&b| b != 0).map_or(0, |last| last + 1);
        let TextCode::Letters(_, order) = self else { return Some(element[..unpadded(element)].to_vec()) };
        let (words, _) = element.as_chunks::<4>();
        let letters = words.iter().map(|&word| match order {
            ByteOrder::Little => u32::from_le_bytes(word),
            ByteOrder::Big => u32::from_be_bytes(word),
        });
        let text = letters.map(char::from_u32).collect::<Option<String>>()?;
        Some(text.trim_end_matches('\0').as_bytes().to_vec())
    }
}

/// Reads all texts of an array.
pub(super) fn read(
    place: &str,
    info: &DatasetInfo,
    code: TextCode,
    source: &dyn ReadAt,
) -> Result<Vec<Vec<u8>>> {
    if info.fortran && info.shape.len() > 1 {
        let advice = "save it in C order";
        return Err(Error::data(place, "texts of several axes in Fortran order", "C order", advice));
    }
    let bytes = block::byte_length(&info.shape, code.size()).filter(|&bytes| bytes <= MOST_BYTES);
    let Some(bytes) = bytes else {
        let found = format!("texts of shape {:?}, {} bytes each", info.shape, code.size());
        return Err(Error::data(place, found, format!("at most {MOST_BYTES} bytes of text"), ""));
    };
    let mut stored = vec![0; bytes as usize];
    source.read_at(0, &mut stored)?;
    let elements = stored.chunks_exact(code.size()).enumerate();
    let text = |(at, element)| {
        code.decode(element).ok_or_else(|| {
            let found = format!("text {at} with a number that is no letter");
            Error::data(place, found, "Unicode", "the file is damaged; save it again")
        })
    };
    elements.map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_survive_both_ways() {
        let values: Vec<Vec<u8>> = ["Fp1", "", "µV²", "Ω"].map(|t| t.as_bytes().to_vec()).into();
        let (code, bytes) = TextCode::encode(&values);
        assert_eq!((code.descr().as_str(), bytes.len()), ("<U3", 48));
        assert_eq!(TextCode::parse("<U3"), Some(code));
        let back: Vec<_> = bytes.chunks(12).map(|element| code.decode(element).unwrap()).collect();
        assert_eq!(back, values);
        assert_eq!(TextCode::encode(&[]).0.descr(), "<U1");
    }

    #[test]
    fn other_orders_and_damage_are_seen() {
        let big = TextCode::parse(">U2").unwrap();
        assert_eq!(big.decode(&[0, 0, 0, 0x46, 0, 0, 0, 0]), Some(b"F".to_vec()));
        assert_eq!(big.decode(&[0xff; 8]), None);
        assert_eq!(TextCode::parse("|S4").unwrap().decode(b"Cz\0\0"), Some(b"Cz".to_vec()));
        for other in ["<U0", "<U99999999999", "<f8", "U", "<M8[ns]", ""] {
            assert_eq!(TextCode::parse(other), None, "{other}");
        }
    }
}
