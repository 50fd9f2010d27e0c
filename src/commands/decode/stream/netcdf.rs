//! Records as netCDF-4 with labelled dimensions, which xarray opens.
//!
//! Dimensions: `time` (seconds), `state` (names), `position` (bin centres; with several axes `bin`,
//! and a coordinate for each), `slot` (spikes named in a record). One variable for each field of the
//! records. Rows are turned into columns piece by piece, so that memory does not grow with time.

use super::engine::{SLOTS, Shape};
use super::record::{Code, Field, Layout};
use crate::array::Dtype;
use crate::error::Result;
use crate::io::netcdf::scales::{name_without_values, set_dimension_id, set_scale};
use crate::io::netcdf::text_attribute;
use crate::io::scratch::ScratchFile;
use crate::io::{self, Attribute, AttributeValue, DatasetId, DatasetSpec, Writer};
use std::path::PathBuf;

/// Bytes of records that are turned at a time.
const PIECE: usize = 4 << 20;

/// A file to be made.
#[derive(Debug)]
pub struct Results {
    /// Its name.
    pub path: PathBuf,
    /// Labels.
    pub shape: Shape,
    /// Where fields lie in a record.
    pub layout: Layout,
    /// Samples per second.
    pub clock: f64,
}

impl Results {
    /// Makes the file of so many `records`, which lie in `scratch` one behind the other.
    ///
    /// # Errors
    /// A full disk.
    pub fn write(&self, scratch: &ScratchFile, records: u64) -> Result<()> {
        let mut writer = io::create(&self.path)?;
        let out = writer.as_mut();
        let clock = AttributeValue::Float(vec![self.clock], Dtype::F64);
        out.set_attribute("/", &Attribute { name: "clock".into(), shape: Vec::new(), value: clock })?;
        let time = self.labels(out, records)?;
        let mut columns = Vec::new();
        for field in &self.layout.fields {
            columns.push((field, self.variable(out, field, records)?));
        }
        let size = self.layout.size;
        let at_once = (PIECE / size).max(1) as u64;
        let (mut rows, mut column, mut first) = (Vec::new(), Vec::new(), 0);
        while first < records {
            let count = at_once.min(records - first);
            rows.resize(count as usize * size, 0);
            scratch.read_at(first * size as u64, &mut rows)?;
            for (field, id) in &columns {
                take(&rows, size, field, &mut column);
                out.write_rows(*id, first, &column)?;
                if field.name == "tick" {
                    out.write_rows(time, first, &self.seconds(&column))?;
                }
            }
            first += count;
        }
        writer.finish()
    }

    fn seconds(&self, ticks: &[u8]) -> Vec<u8> {
        let ticks = ticks.as_chunks::<8>().0.iter().map(|tick| i64::from_le_bytes(*tick) as f64);
        ticks.flat_map(|tick| (tick / self.clock).to_le_bytes()).collect()
    }

    /// Dimensions and what labels them; the times, which follow, are returned.
    fn labels(&self, out: &mut dyn Writer, records: u64) -> Result<DatasetId> {
        let time = create(out, "time", &[records], Dtype::F64)?;
        scale(out, "time", 0)?;
        out.set_attribute("time", &text_attribute("long_name", "time of the tick in seconds"))?;
        let names: Vec<Vec<u8>> =
            self.shape.state_names.iter().map(|name| name.as_bytes().to_vec()).collect();
        out.create_text("state", &[self.shape.states as u64], &names)?;
        scale(out, "state", 1)?;
        match self.shape.centers.as_slice() {
            [centers] => {
                numbers(out, "position", centers)?;
                scale(out, "position", 2)?;
            }
            axes => {
                dimension(out, "bin", self.shape.bins, 2)?;
                for (name, centers) in ["x_position", "y_position", "z_position"].iter().zip(axes) {
                    numbers(out, name, centers)?;
                    out.attach_scale(name, 0, "bin")?;
                }
            }
        }
        dimension(out, "slot", SLOTS, 3)?;
        Ok(time)
    }

    fn variable(&self, out: &mut dyn Writer, field: &Field, records: u64) -> Result<DatasetId> {
        let place = if self.shape.centers.len() == 1 { "position" } else { "bin" };
        let (about, axes): (&str, &[&str]) = match field.name {
            "rank" => ("number of the decoder", &[]),
            "tick" => ("time of the tick in samples of the clock", &[]),
            "lb" => ("first sample of the spikes used", &[]),
            "ub" => ("first sample behind the spikes used", &[]),
            "posterior" => ("posterior of state and position", &["state", place]),
            "likelihood" => ("likelihood of position", &[place]),
            "velocity" => ("speed at the last position sample", &[]),
            "cred_int_post" => ("bins that hold the credible share of the posterior", &[]),
            "cred_int_lk" => ("bins that hold the credible share of the likelihood", &[]),
            "enc_cred_intervals" => {
                ("electrodes of spikes whose own estimate is sharp, -1 for none", &["slot"])
            }
            "enc_argmaxes" => ("bin of the greatest probability of those spikes, -1 for none", &["slot"]),
            "spike_count" => ("spikes used", &[]),
            _ => ("1 while a ripple is on", &[]),
        };
        let shape: Vec<u64> =
            std::iter::once(records).chain(field.shape.iter().map(|&length| length as u64)).collect();
        let dtype = match field.code {
            Code::U8 => Dtype::U8,
            Code::I32 => Dtype::I32,
            Code::I64 => Dtype::I64,
            Code::F64 => Dtype::F64,
        };
        let id = create(out, field.name, &shape, dtype)?;
        out.set_attribute(field.name, &text_attribute("long_name", about))?;
        for (axis, name) in std::iter::once("time").chain(axes.iter().copied()).enumerate() {
            out.attach_scale(field.name, axis, name)?;
        }
        if self.shape.centers.len() > 1 && axes.contains(&"bin") {
            out.set_attribute(field.name, &text_attribute("coordinates", "x_position y_position"))?;
        }
        Ok(id)
    }
}

/// The values of `field` of all `rows`.
fn take(rows: &[u8], size: usize, field: &Field, column: &mut Vec<u8>) {
    column.clear();
    for row in rows.chunks_exact(size) {
        column.extend(row.get(field.offset..field.offset + field.size()).unwrap_or_default());
    }
}

fn create(out: &mut dyn Writer, name: &str, shape: &[u64], dtype: Dtype) -> Result<DatasetId> {
    let path = name.to_owned();
    out.create(&DatasetSpec { path, shape: shape.to_vec(), dtype, chunks: None, deflate: None, fill: None })
}

fn numbers(out: &mut dyn Writer, name: &str, values: &[f64]) -> Result<()> {
    let id = create(out, name, &[values.len() as u64], Dtype::F64)?;
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    out.append(id, &bytes)
}

/// A dimension without values.
fn dimension(out: &mut dyn Writer, name: &str, length: usize, id: usize) -> Result<()> {
    out.create_dimension(name, length as u64)?;
    set_scale(out, name, &name_without_values(length as u64))?;
    set_dimension_id(out, name, id)
}

/// A variable that is the scale of the dimension of its name.
fn scale(out: &mut dyn Writer, name: &str, id: usize) -> Result<()> {
    set_scale(out, name, name)?;
    set_dimension_id(out, name, id)
}
