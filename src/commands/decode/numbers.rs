//! One numeric dataset, given block by block along its first axis; and numbers in attributes.
//!
//! Blocks hold a whole number of chunks, so that every chunk is decoded once.

use crate::array::{ByteOrder, Dtype, to_f64};
use crate::error::{Error, Result};
use crate::io::{Attribute, AttributeValue, Block, Dataset};
use std::ops::Range;
use std::sync::Arc;

/// Bytes of a block, where chunks are not larger.
const BLOCK_BYTES: u64 = 8 << 20;
/// Features of a spike at most; whole waveforms of a few channels would fit.
const MOST_FEATURES: usize = 4096;
/// A numeric dataset and where it lies.
pub(super) struct Numbers {
    /// The data.
    pub dataset: Arc<dyn Dataset>,
    /// File and dataset, for messages.
    pub place: String,
    /// Element type as stored.
    pub dtype: Dtype,
    /// Byte order as stored.
    pub order: ByteOrder,
    /// Lengths of the axes, slowest first.
    pub shape: Vec<u64>,
}

impl Numbers {
    /// Length of the first axis.
    pub fn rows(&self) -> u64 {
        self.shape.first().copied().unwrap_or(1)
    }

    /// Elements of one row.
    pub fn row(&self) -> u64 {
        // Beside an empty first axis the others may claim anything.
        self.shape.iter().skip(1).fold(1, |row, &length| row.saturating_mul(length))
    }

    /// Refuses anything but one axis.
    pub fn flat(&self) -> Result<()> {
        if self.shape.len() == 1 {
            return Ok(());
        }
        Err(self.wrong(format!("shape {:?}", self.shape), "one axis"))
    }

    /// Features of a spike, where each row is one: a length that is no mistake.
    pub fn features(&self, width: u64, label: &str) -> Result<usize> {
        match usize::try_from(width) {
            Ok(width @ 1..=MOST_FEATURES) => Ok(width),
            _ => {
                let found = format!("rows of {width} features for {label}");
                Err(self.wrong(found, format!("1 to {MOST_FEATURES} features a spike")))
            }
        }
    }

    /// An error about this dataset.
    pub fn wrong(&self, found: impl Into<String>, expected: impl Into<String>) -> Error {
        Error::data(&self.place, found, expected, "")
    }

    /// Converts stored elements.
    pub fn convert(&self, bytes: &[u8], out: &mut [f64]) {
        to_f64(bytes, self.dtype, self.order, out);
    }

    /// Gives `rows` block by block, ascending, to `visit`: first row and stored bytes.
    pub fn each_block(
        &self,
        rows: Range<u64>,
        visit: &mut dyn FnMut(u64, &[u8]) -> Result<()>,
    ) -> Result<()> {
        let row_bytes = self.row().saturating_mul(self.dtype.size() as u64).max(1);
        let chunk = self.dataset.info().chunks.as_ref().and_then(|c| c.first()).map_or(1, |&c| c.max(1));
        let step = (BLOCK_BYTES / row_bytes / chunk).max(1).saturating_mul(chunk);
        let mut scratch = Vec::new();
        let mut at = rows.start;
        while at < rows.end {
            let next = (at / step + 1).saturating_mul(step).min(rows.end);
            let mut block = Block { start: vec![0; self.shape.len()], count: self.shape.clone() };
            if let (Some(start), Some(count)) = (block.start.first_mut(), block.count.first_mut()) {
                (*start, *count) = (at, next - at);
            }
            self.dataset.with_block(&block, &mut scratch, &mut |bytes| visit(at, bytes))?;
            at = next;
        }
        Ok(())
    }
}

/// A text attribute.
pub(super) fn text_of(attributes: &[Attribute], name: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.name == name)?;
    match &found.value {
        AttributeValue::Text(values) => {
            values.first().map(|value| String::from_utf8_lossy(value).into_owned())
        }
        _ => None,
    }
}

/// A numeric attribute of one value.
pub(super) fn number_of(attributes: &[Attribute], name: &str) -> Option<f64> {
    let found = attributes.iter().find(|attribute| attribute.name == name)?;
    match &found.value {
        AttributeValue::Float(values, _) => values.first().copied(),
        AttributeValue::Int(values, _) => values.first().map(|&value| value as f64),
        AttributeValue::Uint(values, _) => values.first().map(|&value| value as f64),
        _ => None,
    }
}
