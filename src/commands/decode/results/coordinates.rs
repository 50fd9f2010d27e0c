//! Dimensions and coordinates of a result file (spec decode 6.1, table and attributes).

use super::ResultLayout;
use crate::array::Dtype;
use crate::error::Result;
use crate::io::netcdf::scales::{name_without_values, not_a_number, set_dimension_id, set_fill, set_scale};
use crate::io::{DatasetSpec, Writer};

/// All that is known before the first row.
pub(super) struct Coordinates<'a> {
    pub writer: &'a mut dyn Writer,
    pub layout: &'a ResultLayout<'a>,
    /// Length of `state_bins`.
    pub wide: usize,
}

impl Coordinates<'_> {
    /// Makes everything but the data variables.
    pub fn write(mut self) -> Result<()> {
        let states = self.layout.states.len();
        self.numbers("time", self.layout.time, true)?;
        set_dimension_id(self.writer, "time", 0)?;
        self.writer.create_dimension("state_bins", self.wide as u64)?;
        set_scale(self.writer, "state_bins", &name_without_values(self.wide as u64))?;
        set_dimension_id(self.writer, "state_bins", 1)?;
        self.of_states(states)?;
        self.of_bins()?;
        let of_bin: Vec<usize> = self.layout.state_bins().map(|(state, _)| state).collect();
        self.integers("state_ind", &of_bin, false)?;
        set_scale(self.writer, "state_ind", "state_ind")?;
        set_dimension_id(self.writer, "state_ind", if states > 1 { 3 } else { 2 })
    }

    /// `states` and what goes along them; scalars without any attribute where there is one state.
    fn of_states(&mut self, states: usize) -> Result<()> {
        let names: Vec<Vec<u8>> = self.layout.states.iter().map(|s| s.name.as_bytes().to_vec()).collect();
        let scalar = states == 1;
        let shape: &[u64] = if scalar { &[] } else { &[states as u64] };
        self.writer.create_text("states", shape, &names)?;
        self.writer.create_text("environments", shape, &vec![Vec::new(); states])?;
        self.integers("encoding_groups", &vec![0; states], scalar)?;
        if scalar {
            return Ok(());
        }
        set_scale(self.writer, "states", "states")?;
        set_dimension_id(self.writer, "states", 2)?;
        self.writer.attach_scale("environments", 0, "states")?;
        self.writer.attach_scale("encoding_groups", 0, "states")
    }

    /// State and position of every column.
    fn of_bins(&mut self) -> Result<()> {
        let layout = self.layout;
        let name = |state: usize| layout.states.get(state).map_or("", |s| s.name.as_str());
        let texts: Vec<Vec<u8>> =
            layout.state_bins().map(|(state, _)| name(state).as_bytes().to_vec()).collect();
        self.writer.create_text("state", &[self.wide as u64], &texts)?;
        self.writer.attach_scale("state", 0, "state_bins")?;
        for (axis, name) in layout.axis_names("").iter().enumerate() {
            let center = |bin: usize| layout.centers.get(bin * layout.axes + axis).copied();
            let along: Vec<f64> =
                layout.state_bins().map(|(_, bin)| bin.and_then(center).unwrap_or(f64::NAN)).collect();
            self.numbers(name, &along, false)?;
            self.writer.attach_scale(name, 0, "state_bins")?;
        }
        Ok(())
    }

    fn numbers(&mut self, name: &str, values: &[f64], scale: bool) -> Result<()> {
        let id = self.writer.create(&spec(name, Some(values.len()), Dtype::F64))?;
        // In pieces: millions of times need no copy of their own.
        for part in values.chunks(1 << 16) {
            let bytes: Vec<u8> = part.iter().flat_map(|value| value.to_le_bytes()).collect();
            self.writer.append(id, &bytes)?;
        }
        set_fill(self.writer, name, Dtype::F64)?;
        if scale { set_scale(self.writer, name, name) } else { Ok(()) }
    }

    fn integers(&mut self, name: &str, values: &[usize], scalar: bool) -> Result<()> {
        let length = (!scalar).then_some(values.len());
        let id = self.writer.create(&spec(name, length, Dtype::I64))?;
        let bytes: Vec<u8> = values.iter().flat_map(|&value| (value as i64).to_le_bytes()).collect();
        self.writer.append(id, &bytes)
    }
}

fn spec(name: &str, length: Option<usize>, dtype: Dtype) -> DatasetSpec {
    DatasetSpec {
        path: name.to_owned(),
        shape: length.map(|length| length as u64).into_iter().collect(),
        dtype,
        chunks: None,
        deflate: None,
        fill: not_a_number(dtype),
    }
}
