//! Datasets of text.

use super::Hdf5Writer;
use super::names::{as_utf8, failed, parent_and_name};
use crate::error::{Error, Result};
use rust_hdf5::{DatatypeMessage, H5Dataset, H5Group};
use std::sync::Arc;

impl Hdf5Writer {
    /// Adds a dataset of `values`, C order.
    pub(super) fn add_text(&mut self, path: &str, shape: &[u64], values: &[Vec<u8>]) -> Result<()> {
        if shape.iter().product::<u64>() != values.len() as u64 {
            let expected = format!("those of shape {shape:?}");
            return Err(Error::data(self.place(path), format!("{} texts", values.len()), expected, ""));
        }
        let (path, group) = self.vacant(path)?;
        let name = parent_and_name(&path).1;
        let texts: Vec<String> = values.iter().map(|value| as_utf8(value)).collect();
        let dataset = if shape.len() > 1 || texts.is_empty() {
            let shape: Vec<usize> = shape.iter().map(|&n| n as usize).collect();
            self.fixed_text(&group, name, &shape, &texts)?
        } else {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            if shape.is_empty() {
                self.scalar_texts.push(path.clone());
            }
            group.write_vlen_strings(name, &texts).map_err(failed(&self.path))?
        };
        self.datasets.insert(path, Arc::new(dataset));
        Ok(())
    }

    /// Text of two and more axes, or none at all, as fixed-length strings.
    fn fixed_text(
        &self,
        group: &H5Group,
        name: &str,
        shape: &[usize],
        texts: &[String],
    ) -> Result<H5Dataset> {
        let size = texts.iter().map(String::len).max().unwrap_or(0) + 1;
        let mut bytes = Vec::with_capacity(size * texts.len());
        for text in texts {
            bytes.extend(text.as_bytes());
            bytes.resize(bytes.len() + size - text.len(), 0);
        }
        let charset = u8::from(!texts.iter().all(|text| text.is_ascii()));
        let datatype = DatatypeMessage::FixedString { size: size as u32, padding: 0, charset };
        let dataset = group
            .new_dataset::<u8>()
            .datatype(datatype)
            .shape(shape)
            .create(name)
            .map_err(failed(&self.path))?;
        if !bytes.is_empty() {
            dataset.write_raw_bytes(&bytes).map_err(failed(&self.path))?;
        }
        Ok(dataset)
    }
}
