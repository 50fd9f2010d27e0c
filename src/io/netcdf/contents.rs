//! The datasets of a file by path: which can be the raster, what its axes are called, and what
//! goes with it.

use super::layout::{
    Companion, Dimension, RasterLayout, Values, belongs_to_format, default_name, text, unique,
};
use crate::error::{Error, Result};
use crate::io::{Attribute, AttributeValue, Container, DatasetInfo, Entry, StoredType};
use std::collections::BTreeMap;

/// netCDF's prefix for a variable that has a dimension's name but other axes.
const NON_COORDINATE: &str = "_nc4_non_coord_";

/// An axis of the raster and the dataset that is its scale.
#[derive(Clone)]
pub(super) struct Axis {
    pub(super) dimension: Dimension,
    /// Path of the scale.
    pub(super) scale: Option<String>,
}

/// The datasets of a file by path.
pub(super) struct Contents<'a> {
    file: &'a dyn Container,
    datasets: BTreeMap<String, DatasetInfo>,
}

impl<'a> Contents<'a> {
    pub(super) fn of(file: &'a dyn Container) -> Result<Self> {
        let datasets = file.list()?.into_iter().filter_map(|entry| match entry {
            Entry::Dataset(info) => Some((info.path.clone(), info)),
            _ => None,
        });
        Ok(Contents { file, datasets: datasets.collect() })
    }

    /// The dataset asked for, or the only one that can be the raster.
    pub(super) fn choose(&self, variable: Option<&str>) -> Result<&DatasetInfo> {
        let file = self.file.path().display().to_string();
        if let Some(name) = variable {
            let wanted = name.trim_matches('/');
            return self.datasets.values().find(|info| info.path.trim_matches('/') == wanted).ok_or_else(
                || {
                    let known = listed(self.datasets.keys().map(String::as_str));
                    Error::data(
                        file,
                        format!("no dataset '{name}'"),
                        format!("one of {known}"),
                        "check --var",
                    )
                },
            );
        }
        if let [only] = self.datasets.values().collect::<Vec<_>>()[..] {
            // Whatever it is, nothing else can be meant; what is wrong with it is told later.
            return Ok(only);
        }
        let candidates = self.candidates()?;
        match candidates[..] {
            [only] => Ok(only),
            [] => Err(Error::data(
                file,
                format!("the datasets {}", listed(self.datasets.keys().map(String::as_str))),
                "a dataset of numbers with at least 2 axes (rows, columns)",
                "name one with --var",
            )),
            _ => Err(Error::data(
                file,
                format!("several datasets: {}", listed(candidates.iter().map(|info| info.path.as_str()))),
                "one",
                "name it with --var",
            )),
        }
    }

    /// Numeric datasets of two or more axes that are neither scales nor another's coordinates.
    fn candidates(&self) -> Result<Vec<&DatasetInfo>> {
        let mut named: Vec<String> = Vec::new();
        let mut candidates = Vec::new();
        for info in self.datasets.values() {
            let attributes = self.file.attributes(&info.path)?;
            for attribute in ["coordinates", "bounds", "grid_mapping"] {
                let words = text(&attributes, attribute).unwrap_or_default();
                named.extend(words.split_whitespace().filter_map(|name| self.resolve(&info.path, name)));
            }
            let scale = text(&attributes, "CLASS").is_some_and(|class| class == "DIMENSION_SCALE");
            if !scale && info.shape.len() >= 2 && matches!(info.stored, StoredType::Number(..)) {
                candidates.push(info);
            }
        }
        candidates.retain(|info| !named.contains(&info.path));
        Ok(candidates)
    }

    /// The dataset that `name` means inside the group of `path` or, failing that, in its parents.
    fn resolve(&self, path: &str, name: &str) -> Option<String> {
        let name = name.trim_end_matches(':');
        if name.starts_with('/') {
            return self.datasets.contains_key(name).then(|| name.to_owned());
        }
        let mut group = path;
        while let Some((parent, _)) = group.rsplit_once('/') {
            let candidate = format!("{parent}/{name}");
            if self.datasets.contains_key(&candidate) {
                return Some(candidate);
            }
            group = parent;
        }
        None
    }

    /// The raster's axes, named by their scales, by labels, or by position.
    pub(super) fn axes(&self, info: &DatasetInfo, attributes: &[Attribute]) -> Result<Vec<Axis>> {
        let scales = self.file.dimension_scales(&info.path)?;
        let rank = info.shape.len();
        let labels = labels(attributes);
        let mut axes: Vec<Axis> = Vec::with_capacity(rank);
        for (at, &length) in info.shape.iter().enumerate() {
            let scale = scales.get(at).and_then(|scales| scales.first()).cloned();
            let taken = |name: &str| axes.iter().any(|axis| axis.dimension.name == name);
            let name = match (&scale, labels.get(at)) {
                // The same scale twice is the same dimension twice.
                (Some(scale), _) => variable_name(scale),
                (None, Some(label)) if !label.is_empty() => unique(label.clone(), &taken),
                _ => unique(default_name(at, rank), &taken),
            };
            axes.push(Axis { dimension: Dimension { name, length }, scale });
        }
        Ok(axes)
    }

    /// Global attributes: the root's, then those of the groups down to the raster's.
    pub(super) fn globals(&self, info: &DatasetInfo) -> Result<Vec<Attribute>> {
        if !info.path.starts_with('/') {
            return Ok(Vec::new());
        }
        let mut globals: Vec<Attribute> = Vec::new();
        let ends = info.path.match_indices('/').map(|(at, _)| at.max(1));
        for end in ends.collect::<Vec<_>>() {
            for attribute in self.file.attributes(&info.path[..end])? {
                globals.retain(|known| known.name != attribute.name);
                if !belongs_to_format(&attribute) {
                    globals.push(attribute);
                }
            }
        }
        Ok(globals)
    }

    /// Collects coordinates and grid mappings whose axes are all the raster's.
    pub(super) fn companions(
        &self,
        info: &DatasetInfo,
        axes: &[Axis],
        layout: &mut RasterLayout,
        warnings: &mut Vec<String>,
    ) -> Result<()> {
        let mut paths: Vec<String> = axes.iter().filter_map(|axis| axis.scale.clone()).collect();
        for attributes in [&layout.attributes, &layout.globals] {
            for attribute in ["grid_mapping", "coordinates"] {
                let words = text(attributes, attribute).unwrap_or_default();
                paths.extend(words.split_whitespace().filter_map(|name| self.resolve(&info.path, name)));
            }
        }
        for path in paths {
            let name = variable_name(&path);
            if path == info.path || layout.companions.iter().any(|known| known.name == name) {
                continue;
            }
            match self.companion(&path, axes)? {
                Ok(companion) => layout.companions.push(companion),
                Err(Some(why)) => warnings.push(format!("coordinate {path} is not copied: {why}")),
                Err(None) => {}
            }
        }
        Ok(())
    }

    /// One companion; `Err(None)` where the dataset is no variable at all, with words where it is
    /// one that cannot be copied.
    fn companion(&self, path: &str, axes: &[Axis]) -> Result<Result<Companion, Option<String>>> {
        let Some(info) = self.datasets.get(path) else { return Ok(Err(None)) };
        let mut attributes = self.file.attributes(path)?;
        let named = text(&attributes, "NAME").unwrap_or_default();
        if named.starts_with("This is a netCDF dimension but not a netCDF variable") {
            return Ok(Err(None));
        }
        let own_axis = axes.iter().position(|axis| axis.scale.as_deref() == Some(path));
        let found = match own_axis {
            Some(axis) if info.shape.len() == 1 => Some(vec![axis]),
            _ => {
                let scales = self.file.dimension_scales(path)?;
                let axis_of = |at: usize| {
                    let scale = scales.get(at)?.first()?;
                    axes.iter().position(|axis| axis.scale.as_ref() == Some(scale))
                };
                (0..info.shape.len()).map(axis_of).collect()
            }
        };
        let Some(found) = found else {
            return Ok(Err(Some("it has other dimensions than the raster".into())));
        };
        if info.shape.iter().zip(&found).any(|(&length, &axis)| length != axes[axis].dimension.length) {
            return Ok(Err(Some("its length is not that of its dimension".into())));
        }
        if !matches!(info.stored, StoredType::Number(..) | StoredType::Text) {
            return Ok(Err(Some(format!("it holds {:?} values", info.stored))));
        }
        attributes.retain(|attribute| !belongs_to_format(attribute));
        let values = Values::Stored(self.file.dataset(path)?);
        Ok(Ok(Companion { name: variable_name(path), axes: found, values, attributes }))
    }
}

/// The last part of a path, as netCDF names the variable.
fn variable_name(path: &str) -> String {
    let last = path.rsplit('/').next().unwrap_or(path);
    last.strip_prefix(NON_COORDINATE).unwrap_or(last).to_owned()
}

/// Labels of the axes that plain HDF5 may carry.
fn labels(attributes: &[Attribute]) -> Vec<String> {
    let found = attributes.iter().find(|attribute| attribute.name == "DIMENSION_LABELS");
    match found.map(|attribute| &attribute.value) {
        Some(AttributeValue::Text(texts)) => {
            let clean =
                |text: &Vec<u8>| String::from_utf8_lossy(text).trim_end_matches('\0').replace('/', "_");
            texts.iter().map(clean).collect()
        }
        _ => Vec::new(),
    }
}

/// Names for a message, not more than twenty.
fn listed<'b>(names: impl Iterator<Item = &'b str>) -> String {
    let names: Vec<&str> = names.collect();
    match names.len() {
        0 => "none".to_owned(),
        1..=20 => names.join(", "),
        more => format!("{} and {} more", names[..20].join(", "), more - 20),
    }
}
