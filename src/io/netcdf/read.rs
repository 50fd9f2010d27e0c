//! Finds the raster of a file, with its axes and all that belongs to it (spec convolve 7.2).
//!
//! Works on any container: netCDF-4 with dimension scales, plain HDF5, NPZ, NPY. What a format
//! does not have (names, coordinates, attributes) is simply absent.

use super::layout::{
    Companion, Dimension, RasterLayout, Values, belongs_to_format, default_name, kept_attributes, reals, text,
    unique,
};
use super::CfDecoder;
use crate::array::Real;
use crate::error::{Error, Result};
use crate::io::{Attribute, AttributeValue, Block, Container, Dataset, DatasetInfo, Entry, StoredType, block_bytes};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Longest coordinate whose values are looked at: 64 Mi cells, far above any raster's side.
const LONGEST_COORDINATE: u64 = 1 << 26;
/// netCDF's prefix for a variable that has a dimension's name but other axes.
const NON_COORDINATE: &str = "_nc4_non_coord_";

/// A raster in an open file.
pub struct FoundRaster {
    /// The dataset.
    pub dataset: Arc<dyn Dataset>,
    /// `dem.nc:/elevation`, for messages.
    pub place: String,
    /// File axes of the rows and of the columns.
    pub axes: (usize, usize),
    /// All attributes of the dataset, as stored: for [`CfDecoder::new`].
    pub attributes: Vec<Attribute>,
    /// Dimensions, coordinates and attributes as a result file should have them.
    pub layout: RasterLayout,
    /// Things the user should know, one line each.
    pub warnings: Vec<String>,
}

/// What the file says about one of the two raster axes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AxisFacts {
    /// Cells along the axis.
    pub length: u64,
    /// Decoded coordinate values, where there are numbers.
    pub coordinates: Option<Vec<f64>>,
    /// The coordinate's `units`.
    pub units: Option<String>,
}

/// What the file says about the raster's grid: all that a cell size follows from.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GridFacts {
    /// Columns.
    pub x: AxisFacts,
    /// Rows.
    pub y: AxisFacts,
    /// Numbers of the attribute `res`.
    pub res: Option<Vec<f64>>,
    /// Text of the attribute `unit`.
    pub unit: Option<String>,
    /// The reference system is geographic.
    pub geographic: bool,
}

/// Finds the raster: the dataset `variable`, or the only one that can be meant; over the axes
/// named `dims` = (rows, columns), or the last two.
///
/// # Errors
/// No dataset or several fit (they are listed), it does not hold numbers, has fewer than two
/// axes, or has no axes of the given names.
pub fn find_raster(file: &dyn Container, variable: Option<&str>, dims: Option<(&str, &str)>) -> Result<FoundRaster> {
    let contents = Contents::of(file)?;
    let info = contents.choose(variable)?;
    let place = place(file, &info.path);
    if !matches!(info.stored, StoredType::Number(..)) {
        return Err(Error::data(place, format!("{:?} values", info.stored), "integers or floating point", "name another dataset with --var"));
    }
    if info.shape.len() < 2 {
        return Err(Error::data(
            place,
            format!("{} axes", info.shape.len()),
            "a raster of at least 2 axes (rows, columns)",
            "name another dataset with --var",
        ));
    }
    let attributes = file.attributes(&info.path)?;
    let mut axes = contents.axes(info, &attributes)?;
    let chosen = chosen_axes(&axes, dims, &place)?;
    // Planes' axes first, then rows, then columns.
    let mut order: Vec<usize> = (0..axes.len()).filter(|&axis| axis != chosen.0 && axis != chosen.1).collect();
    order.extend([chosen.0, chosen.1]);
    let named = axes.iter().any(|axis| axis.scale.is_some());
    axes = order.iter().map(|&axis| axes[axis].clone()).collect();
    let mut layout = RasterLayout {
        dimensions: axes.iter().map(|axis| axis.dimension.clone()).collect(),
        companions: Vec::new(),
        attributes: kept_attributes(&attributes, named),
        globals: contents.globals(info)?,
        chunks: info.chunks.as_ref().map(|chunks| order.iter().map(|&axis| chunks[axis]).collect()),
        deflate: info.deflate,
    };
    let mut warnings = Vec::new();
    contents.companions(info, &axes, &mut layout, &mut warnings)?;
    keep_named_only(&mut layout);
    Ok(FoundRaster { dataset: file.dataset(&info.path)?, place, axes: chosen, attributes, layout, warnings })
}

impl FoundRaster {
    /// Reads what a cell size follows from.
    ///
    /// # Errors
    /// A coordinate cannot be read or decoded, or is longer than any raster's side can be.
    pub fn grid(&self) -> Result<GridFacts> {
        let rank = self.layout.dimensions.len();
        Ok(GridFacts {
            x: self.axis_facts(rank - 1)?,
            y: self.axis_facts(rank - 2)?,
            res: reals(&self.attributes, "res"),
            unit: text(&self.attributes, "unit"),
            geographic: self.layout.is_geographic(),
        })
    }

    fn axis_facts(&self, axis: usize) -> Result<AxisFacts> {
        let mut facts = AxisFacts { length: self.layout.dimensions[axis].length, ..AxisFacts::default() };
        let Some(coordinate) = self.layout.coordinate(axis) else { return Ok(facts) };
        facts.units = text(&coordinate.attributes, "units");
        if let Values::Stored(dataset) = &coordinate.values
            && let StoredType::Number(dtype, order) = dataset.info().stored
        {
            let place = format!("{}, coordinate {}", self.place, coordinate.name);
            if facts.length > LONGEST_COORDINATE {
                return Err(Error::data(place, format!("{} values", facts.length), "the side of a raster", "give --cell-size"));
            }
            let decoder = CfDecoder::new(dtype, order, &coordinate.attributes, &place)?;
            facts.coordinates = Some(read_whole(dataset.as_ref(), &decoder)?);
        }
        Ok(facts)
    }
}

fn read_whole<T: Real>(dataset: &dyn Dataset, decoder: &CfDecoder) -> Result<Vec<T>> {
    let info = dataset.info();
    let block = Block { start: vec![0; info.shape.len()], count: info.shape.clone() };
    let mut bytes = vec![0; block_bytes(info, &block)];
    dataset.read_block(&block, &mut bytes)?;
    let mut values = vec![T::NAN; bytes.len() / decoder.stored_size()];
    decoder.decode(&bytes, &mut values);
    Ok(values)
}

/// `dem.nc:/elevation`; the file alone where it holds one array without a name.
fn place(file: &dyn Container, path: &str) -> String {
    let name = file.path().display();
    if path.is_empty() { name.to_string() } else { format!("{name}:{path}") }
}

/// An axis of the raster and the dataset that is its scale.
#[derive(Clone)]
struct Axis {
    dimension: Dimension,
    scale: Option<String>,
}

fn chosen_axes(axes: &[Axis], dims: Option<(&str, &str)>, place: &str) -> Result<(usize, usize)> {
    let Some((y, x)) = dims else { return Ok((axes.len() - 2, axes.len() - 1)) };
    let find = |name: &str| {
        axes.iter().position(|axis| axis.dimension.name == name).ok_or_else(|| {
            let names: Vec<&str> = axes.iter().map(|axis| axis.dimension.name.as_str()).collect();
            Error::data(
                place,
                format!("the dimensions {}", names.join(", ")),
                format!("one named '{name}'"),
                "give --dims Y,X with two of them",
            )
        })
    };
    let found = (find(y)?, find(x)?);
    if found.0 == found.1 {
        return Err(Error::usage(format!("--dims {y},{x}: two different dimensions are needed")));
    }
    Ok(found)
}

/// Leaves in `coordinates` and `grid_mapping` only names of variables that are copied.
fn keep_named_only(layout: &mut RasterLayout) {
    let names: Vec<&str> = layout.companions.iter().map(|companion| companion.name.as_str()).collect();
    let prune = |attributes: &mut Vec<Attribute>, name: &str| {
        let Some(words) = text(attributes, name) else { return };
        let all: Vec<&str> = words.split_whitespace().collect();
        let kept: Vec<&str> = all.iter().copied().filter(|word| names.contains(&word.trim_end_matches(':'))).collect();
        if kept.is_empty() {
            attributes.retain(|attribute| attribute.name != name);
        } else if kept.len() < all.len() {
            let value = AttributeValue::Text(vec![kept.join(" ").into_bytes()]);
            attributes.iter_mut().filter(|a| a.name == name).for_each(|a| a.value = value.clone());
        }
    };
    prune(&mut layout.attributes, "coordinates");
    prune(&mut layout.attributes, "grid_mapping");
    prune(&mut layout.globals, "coordinates");
}

/// The datasets of a file by path.
struct Contents<'a> {
    file: &'a dyn Container,
    datasets: BTreeMap<String, DatasetInfo>,
}

impl<'a> Contents<'a> {
    fn of(file: &'a dyn Container) -> Result<Self> {
        let datasets = file.list()?.into_iter().filter_map(|entry| match entry {
            Entry::Dataset(info) => Some((info.path.clone(), info)),
            _ => None,
        });
        Ok(Contents { file, datasets: datasets.collect() })
    }

    /// The dataset asked for, or the only one that can be the raster.
    fn choose(&self, variable: Option<&str>) -> Result<&DatasetInfo> {
        let file = self.file.path().display().to_string();
        if let Some(name) = variable {
            let wanted = name.trim_matches('/');
            return self.datasets.values().find(|info| info.path.trim_matches('/') == wanted).ok_or_else(|| {
                let known = listed(self.datasets.keys().map(String::as_str));
                Error::data(file, format!("no dataset '{name}'"), format!("one of {known}"), "check --var")
            });
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
    fn axes(&self, info: &DatasetInfo, attributes: &[Attribute]) -> Result<Vec<Axis>> {
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
    fn globals(&self, info: &DatasetInfo) -> Result<Vec<Attribute>> {
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
    fn companions(
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
        let Some(found) = found else { return Ok(Err(Some("it has other dimensions than the raster".into()))) };
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
            let clean = |text: &Vec<u8>| String::from_utf8_lossy(text).trim_end_matches('\0').replace('/', "_");
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
