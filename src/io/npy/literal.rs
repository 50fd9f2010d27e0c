//! A strict parser of the Python literals that `.npy` headers are made of.

use super::header::{Fault, fault};

/// Deepest nesting of tuples and lists in a structured type.
const MAX_DEPTH: usize = 16;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Literal {
    Text(String),
    Flag(bool),
    Whole(u64),
    Tuple(Vec<Literal>),
    List(Vec<Literal>),
    Dictionary(Vec<(String, Literal)>),
}

impl std::fmt::Display for Literal {
    /// Short, for messages.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let items = |f: &mut std::fmt::Formatter<'_>, items: &[Literal], ends: [&str; 2]| {
            let shown: Vec<_> = items.iter().take(4).map(ToString::to_string).collect();
            let more = if items.len() > 4 { ", ..." } else { "" };
            write!(f, "{}{}{more}{}", ends[0], shown.join(", "), ends[1])
        };
        match self {
            Literal::Text(text) => write!(f, "'{}'", text.escape_debug()),
            Literal::Flag(true) => f.write_str("True"),
            Literal::Flag(false) => f.write_str("False"),
            Literal::Whole(value) => write!(f, "{value}"),
            Literal::Tuple(values) => items(f, values, ["(", ")"]),
            Literal::List(values) => items(f, values, ["[", "]"]),
            Literal::Dictionary(_) => f.write_str("{...}"),
        }
    }
}

pub(super) struct Cursor<'a> {
    pub text: &'a [u8],
    pub at: usize,
}

impl Cursor<'_> {
    fn peek(&self) -> u8 {
        // A zero byte stands for the end; it is no part of any literal either.
        self.text.get(self.at).copied().unwrap_or(0)
    }

    pub fn spaces(&mut self) {
        while matches!(self.peek(), b' ' | b'\n' | b'\t' | b'\r') {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        self.spaces();
        let here = self.peek() == byte;
        self.at += usize::from(here);
        here
    }

    fn bad<T>(&self, expected: &str) -> Result<T, Fault> {
        let found = match self.text.get(self.at) {
            Some(&byte) => format!("'{}' at header byte {}", byte.escape_ascii(), self.at),
            None => "the header's end".to_owned(),
        };
        fault(found, expected)
    }

    pub fn value(&mut self, depth: usize) -> Result<Literal, Fault> {
        if depth > MAX_DEPTH {
            return fault("a deeply nested type", "a number type");
        }
        self.spaces();
        match self.peek() {
            b'\'' | b'"' => self.string().map(Literal::Text),
            b'0'..=b'9' => self.whole(),
            b'T' => self.word(b"True", true),
            b'F' => self.word(b"False", false),
            b'(' => self.items(b')', depth).map(Literal::Tuple),
            b'[' => self.items(b']', depth).map(Literal::List),
            b'{' => self.dictionary(depth),
            _ => self.bad("a string, a length, True, False, a tuple or a dictionary"),
        }
    }

    fn word(&mut self, word: &[u8], flag: bool) -> Result<Literal, Fault> {
        if !self.text[self.at..].starts_with(word) {
            return self.bad("True or False");
        }
        self.at += word.len();
        Ok(Literal::Flag(flag))
    }

    fn whole(&mut self) -> Result<Literal, Fault> {
        let mut value = 0u64;
        while let digit @ b'0'..=b'9' = self.peek() {
            let next = value.checked_mul(10).and_then(|v| v.checked_add(u64::from(digit - b'0')));
            let Some(next) = next else { return fault("a length beyond 64 bits", "a length in cells") };
            value = next;
            self.at += 1;
        }
        // Python 2 wrote long integers with an L.
        self.at += usize::from(self.peek() == b'L');
        Ok(Literal::Whole(value))
    }

    fn string(&mut self) -> Result<String, Fault> {
        let quote = self.peek();
        self.at += 1;
        let start = self.at;
        while self.peek() != quote {
            // Escapes occur in field names of structured types only, which are not read.
            self.at += if self.peek() == b'\\' { 2 } else { 1 };
            if self.at >= self.text.len() {
                return fault("a string without end in the header", "a closing quote");
            }
        }
        let text = String::from_utf8_lossy(&self.text[start..self.at]).into_owned();
        self.at += 1;
        Ok(text)
    }

    fn items(&mut self, end: u8, depth: usize) -> Result<Vec<Literal>, Fault> {
        self.at += 1;
        let mut items = Vec::new();
        while !self.take(end) {
            items.push(self.value(depth + 1)?);
            if !self.take(b',') {
                // `(3)` is a number in Python, not a tuple.
                if end == b')' && items.len() == 1 {
                    return self.bad("a comma");
                }
                if !self.take(end) {
                    return self.bad("a comma or a closing bracket");
                }
                break;
            }
        }
        Ok(items)
    }

    fn dictionary(&mut self, depth: usize) -> Result<Literal, Fault> {
        self.at += 1;
        let mut entries: Vec<(String, Literal)> = Vec::new();
        while !self.take(b'}') {
            let Literal::Text(key) = self.value(depth + 1)? else { return self.bad("a key in quotes") };
            if !self.take(b':') {
                return self.bad("a colon");
            }
            let value = self.value(depth + 1)?;
            // The last of equal keys counts, as in Python.
            entries.retain(|(known, _)| *known != key);
            entries.push((key, value));
            if !self.take(b',') {
                if !self.take(b'}') {
                    return self.bad("a comma or a closing brace");
                }
                break;
            }
        }
        Ok(Literal::Dictionary(entries))
    }
}
