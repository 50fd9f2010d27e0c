//! HDF5 writer: groups, streamed datasets, text, attributes of every kind, dimension scales.
//!
//! `rust-hdf5` lays out the file; chunks are gathered, shuffled and deflated here, in parallel on
//! the rayon pool the caller is in, and handed to it ready made. Rows arrive in C order, axes slowest first.
//! Beside what a caller appends, one band of rows per dataset is held (at most `bands::MOST`
//! bytes, compressed another time), whatever the dataset's size. The file holds no time stamps.
//! Nothing valid exists before [`Writer::finish`]: the header is written on close, under a
//! temporary name. Spec: stack.md 1, convolve.md 7.3.

mod attributes;
mod bands;
mod growing;
mod names;
mod pack;
mod rows;
mod scalar_text;
mod text;
mod types;

use crate::array::Dtype;
use crate::error::{Error, Result};
use crate::io::atomic::Beside;
use crate::io::direct::{Direct, LEAST};
use crate::io::npy::Progress;
use crate::io::{Attribute, AttributeValue, DatasetId, DatasetSpec, Writer};
use bands::Bands;
use growing::{Growing, Last};
use names::{failed, parent_and_name, rooted};
use rows::{Rows, Waiting};
use rust_hdf5::dataset::FillTime;
use rust_hdf5::{DatatypeMessage, H5Dataset, H5File, H5Group};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use types::{big_endian_f32, number_type, truth_type};

/// Writer of one HDF5 file; netCDF-4 is this with the conventions of its caller.
pub struct Hdf5Writer {
    path: PathBuf,
    datasets: BTreeMap<String, Arc<H5Dataset>>,
    groups: BTreeMap<String, Arc<H5Group>>,
    growing: Vec<Growing>,
    waiting: Waiting,
    file: Option<H5File>,
    beside: Option<Beside>,
    /// Datasets whose `NAME` the caller set, and those that are scales already.
    named: BTreeSet<String>,
    scales: BTreeSet<String>,
    scalar_texts: Vec<String>,
    variable_text: bool,
    last: Option<Last>,
}

impl Hdf5Writer {
    /// Makes the temporary file beside `path`.
    ///
    /// # Errors
    /// The folder is missing or not writable.
    pub fn create(path: &Path) -> Result<Self> {
        let beside = Beside::create(path)?;
        // Locks would only fail here: nobody else knows the temporary name, and some cluster
        // file systems have none.
        let file = H5File::options().no_locking().create(beside.temporary()).map_err(failed(path))?;
        let groups = BTreeMap::from([("/".to_owned(), Arc::new(file.root_group()))]);
        Ok(Hdf5Writer {
            path: path.to_owned(),
            datasets: BTreeMap::new(),
            groups,
            growing: Vec::new(),
            waiting: Waiting::beside(path),
            file: Some(file),
            beside: Some(beside),
            named: BTreeSet::new(),
            scales: BTreeSet::new(),
            scalar_texts: Vec::new(),
            variable_text: false,
            last: None,
        })
    }

    /// Has the library complete the file, unsynced.
    fn close(&mut self) -> Result<()> {
        self.growing.iter().try_for_each(|growing| growing.progress.check_complete())?;
        for Growing { dataset, bands, rows, .. } in &self.growing {
            rows.deliver(dataset, bands, &self.waiting)?;
        }
        // Handles keep the file open after it is closed.
        self.growing.clear();
        self.datasets.clear();
        self.groups.clear();
        let (Some(file), Some(beside)) = (self.file.take(), &self.beside) else { return Ok(()) };
        // The rename at the end syncs; once is enough.
        file.close_no_sync().map_err(failed(&self.path))?;
        scalar_text::make_scalar(beside.temporary(), &self.scalar_texts)
            .map_err(|e| Error::Failed(format!("{}: cannot write: {e}", self.path.display())))
    }

    fn place(&self, path: &str) -> String {
        format!("{}:{}", self.path.display(), rooted(path))
    }

    /// The rooted path of a dataset to be, and its group, made where missing.
    fn vacant(&mut self, path: &str) -> Result<(String, Arc<H5Group>)> {
        let path = rooted(path);
        let (parent, name) = parent_and_name(&path);
        if name.is_empty() || self.datasets.contains_key(&path) || self.groups.contains_key(&path) {
            return Err(Error::Failed(format!("{}: made twice", self.place(&path))));
        }
        let group = self.group(parent)?;
        Ok((path, group))
    }

    /// The group at a rooted path, made with its parents where missing.
    fn group(&mut self, path: &str) -> Result<Arc<H5Group>> {
        if let Some(group) = self.groups.get(path) {
            return Ok(group.clone());
        }
        if self.datasets.contains_key(path) {
            return Err(Error::Failed(format!("{}: is a dataset, not a group", self.place(path))));
        }
        let (parent, name) = parent_and_name(path);
        let group = Arc::new(self.group(parent)?.create_group(name).map_err(failed(&self.path))?);
        self.groups.insert(path.to_owned(), group.clone());
        Ok(group)
    }

    fn create_typed(&mut self, spec: &DatasetSpec, datatype: DatatypeMessage) -> Result<DatasetId> {
        let progress = Progress::new(self.place(&spec.path), spec)?;
        let element = spec.dtype.size();
        if spec.fill.as_ref().is_some_and(|fill| fill.len() != element) {
            return Err(Error::data(
                self.place(&spec.path),
                "a fill value of another size",
                format!("{element} bytes"),
                "",
            ));
        }
        let bands = Bands::new(spec)
            .map_err(|(found, expected)| Error::data(self.place(&spec.path), found, expected, ""))?;
        let (path, group) = self.vacant(&spec.path)?;
        let shape: Vec<usize> = spec.shape.iter().map(|&n| n as usize).collect();
        let mut build = group.new_dataset::<u8>().datatype(datatype).shape(&shape);
        match bands.chunks() {
            Some(chunks) => build = build.chunk(chunks),
            // Every cell will be written; filling the whole space first would write it twice.
            None => build = build.fill_time(FillTime::Never),
        }
        if let Some(level) = bands.deflate() {
            build = if bands.shuffle() { build.shuffle_deflate(level) } else { build.deflate(level) };
        }
        if let Some(fill) = &spec.fill {
            build = build.fill_value_bytes(fill);
        }
        let dataset = Arc::new(build.create(parent_and_name(&path).1).map_err(failed(&self.path))?);
        self.growing.push(Growing { dataset: dataset.clone(), progress, bands, rows: Rows::default() });
        self.datasets.insert(path, dataset);
        Ok(DatasetId(self.growing.len() - 1))
    }

    fn dataset(&self, path: &str) -> Result<&H5Dataset> {
        let path = rooted(path);
        self.datasets
            .get(&path)
            .map(AsRef::as_ref)
            .ok_or_else(|| Error::Failed(format!("{}: no such dataset was made", self.place(&path))))
    }

    /// Makes `scale` a dimension scale, once; its `NAME` is the caller's or its own.
    fn make_scale(&mut self, scale: &str) -> Result<()> {
        if self.scales.contains(scale) {
            return Ok(());
        }
        let name = (!self.named.contains(scale)).then(|| parent_and_name(scale).1);
        self.dataset(scale)?.set_scale(name).map_err(failed(&self.path))?;
        self.scales.insert(scale.to_owned());
        Ok(())
    }
}

impl Drop for Hdf5Writer {
    fn drop(&mut self) {
        // Left to itself the library would complete the abandoned file, sync it, and complain on
        // stderr where it cannot.
        if let Some(file) = self.file.take() {
            let _ = file.close_no_sync();
        }
    }
}

impl Writer for Hdf5Writer {
    fn create(&mut self, spec: &DatasetSpec) -> Result<DatasetId> {
        self.create_typed(spec, number_type(spec.dtype))
    }

    fn append(&mut self, id: DatasetId, bytes: &[u8]) -> Result<()> {
        if let Some(last) = self.last.as_mut().filter(|last| last.id == id) {
            last.progress.add(bytes.len())?;
            return last.direct.append(bytes);
        }
        let Some(growing) = self.growing.get_mut(id.0) else {
            return Err(Error::Failed(format!("{}: no dataset of number {}", self.path.display(), id.0)));
        };
        growing.progress.add(bytes.len())?;
        growing.bands.append(&growing.dataset, bytes).map_err(failed(&self.path))
    }

    fn write_rows(&mut self, id: DatasetId, first_row: u64, bytes: &[u8]) -> Result<()> {
        let Some(growing) = self.growing.get_mut(id.0) else {
            return Err(Error::Failed(format!("{}: no dataset of number {}", self.path.display(), id.0)));
        };
        growing.check_rows(first_row, bytes.len())?;
        growing.progress.add(bytes.len())?;
        let Growing { dataset, bands, rows, .. } = growing;
        rows.take(first_row as usize, bytes, (bands, dataset), &mut self.waiting)
    }

    fn create_dimension(&mut self, path: &str, length: u64) -> Result<()> {
        let (path, group) = self.vacant(path)?;
        let build = group.new_dataset::<u8>().datatype(big_endian_f32()).shape([length as usize]);
        let dataset = build.create(parent_and_name(&path).1).map_err(failed(&self.path))?;
        self.datasets.insert(path, Arc::new(dataset));
        Ok(())
    }

    fn only(&mut self, id: DatasetId) -> Result<()> {
        let plain = |growing: &Growing| {
            growing.bands.chunks().is_none()
                && growing.progress.is_untouched()
                && growing.progress.promised() >= LEAST
        };
        if !self.growing.get(id.0).is_some_and(plain) {
            return Ok(());
        }
        let growing = self.growing.swap_remove(id.0);
        let path = self.datasets.iter().find(|(_, dataset)| Arc::ptr_eq(dataset, &growing.dataset));
        let path = path.map_or_else(String::new, |(path, _)| path.clone());
        let progress = growing.progress;
        drop(growing.dataset);
        self.close()?;
        let Some(beside) = &self.beside else { return Ok(()) };
        // Where the array lies the library does not tell, but its file does.
        let stretch = super::open(beside.temporary())?.contiguous(&path)?;
        let direct = Direct::new(&self.path, beside.temporary(), stretch)?;
        self.last = Some(Last { id, progress, direct });
        Ok(())
    }

    fn create_text(&mut self, path: &str, shape: &[u64], values: &[Vec<u8>]) -> Result<()> {
        self.add_text(path, shape, values)
    }

    fn create_truth(&mut self, spec: &DatasetSpec) -> Result<DatasetId> {
        if spec.dtype != Dtype::I8 {
            let place = self.place(&spec.path);
            return Err(Error::data(place, format!("truth values as {}", spec.dtype.name()), "int8", ""));
        }
        self.create_typed(spec, truth_type())
    }

    fn create_references(&mut self, path: &str, targets: &[&str]) -> Result<()> {
        let (path, group) = self.vacant(path)?;
        let name = parent_and_name(&path).1;
        let build = group.new_dataset::<u64>().object_references().shape([targets.len()]);
        let dataset = build.create(name).map_err(failed(&self.path))?;
        dataset.write_object_references(targets).map_err(failed(&self.path))?;
        self.datasets.insert(path, Arc::new(dataset));
        Ok(())
    }

    fn use_variable_text(&mut self, on: bool) {
        self.variable_text = on;
    }

    fn create_group(&mut self, path: &str) -> Result<()> {
        self.group(&rooted(path)).map(drop)
    }

    fn set_attribute(&mut self, path: &str, attribute: &Attribute) -> Result<()> {
        let path = rooted(path);
        let place = format!("{}@{}", self.place(&path), attribute.name);
        if attribute.name == "NAME" && matches!(attribute.value, AttributeValue::Text(_)) {
            self.named.insert(path.clone());
        }
        let node = match (self.datasets.get(&path), self.groups.get(&path)) {
            (Some(dataset), _) => attributes::Node::Dataset(dataset),
            (None, Some(group)) => attributes::Node::Group(group),
            (None, None) => {
                return Err(Error::Failed(format!("{place}: no such group or dataset was made")));
            }
        };
        attributes::set((&node, self.variable_text), attribute, &place, &failed(&self.path))
    }

    fn attach_scale(&mut self, dataset: &str, axis: usize, scale: &str) -> Result<()> {
        let scale = rooted(scale);
        self.make_scale(&scale)?;
        self.dataset(dataset)?.attach_scale(axis, self.dataset(&scale)?).map_err(failed(&self.path))
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        self.close()?;
        if let Some(last) = self.last.take() {
            last.progress.check_complete()?;
            last.direct.finish()?;
        }
        self.beside.take().map_or(Ok(()), Beside::finish)
    }
}
