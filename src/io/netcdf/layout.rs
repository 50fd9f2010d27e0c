//! What belongs to a raster besides its cells: dimensions, coordinates, georeferencing, attributes.
//!
//! A [`RasterLayout`] comes from an input file ([`super::read`]) or is bare, and says how a result
//! file is to be laid out ([`super::write`]). Dimensions stand in the order in which planes are
//! treated: the axes that count planes, slowest first, then rows (y), then columns (x).

use crate::array::Dtype;
use crate::io::{Attribute, AttributeValue, Dataset};
use std::sync::Arc;

/// A named axis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dimension {
    /// Name, unique but for an axis that uses the same dimension twice.
    pub name: String,
    /// Number of cells along it.
    pub length: u64,
}

/// Values of a variable that goes with the raster.
#[derive(Clone)]
pub enum Values {
    /// In the input file; copied block by block, whatever its size.
    Stored(Arc<dyn Dataset>),
    /// One text for each position, C order.
    Text(Vec<Vec<u8>>),
}

/// A coordinate or grid mapping, copied to the result as it is.
#[derive(Clone)]
pub struct Companion {
    /// Name in the result file.
    pub name: String,
    /// Its axes as indices into [`RasterLayout::dimensions`]; empty for a scalar.
    pub axes: Vec<usize>,
    /// Its values.
    pub values: Values,
    /// Its attributes, without those of the file format.
    pub attributes: Vec<Attribute>,
}

impl std::fmt::Debug for Companion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Companion({} over {:?})", self.name, self.axes)
    }
}

/// Everything about a raster file but the cells.
#[derive(Debug, Clone, Default)]
pub struct RasterLayout {
    /// Planes' axes, then y, then x.
    pub dimensions: Vec<Dimension>,
    /// Coordinates and grid mappings. One that has its dimension's name and that axis alone is the
    /// dimension's coordinate variable.
    pub companions: Vec<Companion>,
    /// Attributes of the raster that hold for a result too (spec convolve 7.3).
    pub attributes: Vec<Attribute>,
    /// Global attributes.
    pub globals: Vec<Attribute>,
    /// Storage chunks of the raster, in the order of `dimensions`.
    pub chunks: Option<Vec<u64>>,
    /// Deflate level of the raster's storage.
    pub deflate: Option<u32>,
}

impl RasterLayout {
    /// A layout without names: `dim_0`, `dim_1`, ..., `y`, `x` over `shape`.
    pub fn bare(shape: &[u64]) -> Self {
        let rank = shape.len();
        let name = |axis| default_name(axis, rank);
        let dimensions =
            shape.iter().enumerate().map(|(axis, &length)| Dimension { name: name(axis), length }).collect();
        RasterLayout { dimensions, ..RasterLayout::default() }
    }

    /// Lengths of the dimensions.
    pub fn shape(&self) -> Vec<u64> {
        self.dimensions.iter().map(|dimension| dimension.length).collect()
    }

    /// The coordinate variable of an axis.
    pub fn coordinate(&self, axis: usize) -> Option<&Companion> {
        let name = &self.dimensions.get(axis)?.name;
        self.companions.iter().find(|companion| companion.name == *name && companion.axes == [axis])
    }

    /// True where there is anything that a format without names (NPY) would lose.
    pub fn has_coordinates(&self) -> bool {
        !self.companions.is_empty()
    }

    /// True where the grid mapping or the attribute `crs` says that coordinates are angles.
    pub fn is_geographic(&self) -> bool {
        let mapping = self.companions.iter().any(|companion| {
            let named = text(&companion.attributes, "grid_mapping_name")
                .is_some_and(|name| name.ends_with("latitude_longitude"));
            let wkt = ["crs_wkt", "spatial_ref"].iter().any(|attribute| {
                text(&companion.attributes, attribute).is_some_and(|wkt| is_geographic_wkt(&wkt))
            });
            named || wkt
        });
        let crs = text(&self.attributes, "crs").is_some_and(|crs| {
            let crs = crs.to_ascii_lowercase();
            is_geographic_wkt(&crs) || crs.contains("epsg:4326") || crs.contains("+proj=longlat")
        });
        mapping || crs
    }
}

fn is_geographic_wkt(wkt: &str) -> bool {
    let wkt = wkt.trim_start().to_ascii_uppercase();
    ["GEOGCS[", "GEOGCRS[", "GEODCRS[", "GEODETICCRS[", "GEOGRAPHICCRS["]
        .iter()
        .any(|start| wkt.starts_with(start))
}

/// Name of an unnamed axis of an array of `rank` axes: `y` and `x` for the last two.
pub(super) fn default_name(axis: usize, rank: usize) -> String {
    match rank - axis {
        1 => "x".to_owned(),
        2 => "y".to_owned(),
        _ => format!("dim_{axis}"),
    }
}

/// `name`, or `name_1`, `name_2`, ... where it is taken.
pub(super) fn unique(name: String, taken: &dyn Fn(&str) -> bool) -> String {
    if !taken(&name) {
        return name;
    }
    (1..).map(|n: u64| format!("{name}_{n}")).find(|candidate| !taken(candidate)).unwrap_or(name)
}

/// The first text of a text attribute; bytes that are no UTF-8 are replaced.
pub fn text(attributes: &[Attribute], name: &str) -> Option<String> {
    match &attributes.iter().find(|attribute| attribute.name == name)?.value {
        AttributeValue::Text(texts) => {
            let text = String::from_utf8_lossy(texts.first()?);
            Some(text.trim_end_matches('\0').to_owned())
        }
        _ => None,
    }
}

/// The numbers of a numeric attribute.
pub(super) fn reals(attributes: &[Attribute], name: &str) -> Option<Vec<f64>> {
    match &attributes.iter().find(|attribute| attribute.name == name)?.value {
        AttributeValue::Int(values, _) => Some(values.iter().map(|&value| value as f64).collect()),
        AttributeValue::Uint(values, _) => Some(values.iter().map(|&value| value as f64).collect()),
        AttributeValue::Float(values, _) => Some(values.clone()),
        _ => None,
    }
}

/// A text attribute, a scalar.
pub fn text_attribute(name: &str, value: &str) -> Attribute {
    let value = AttributeValue::Text(vec![value.as_bytes().to_vec()]);
    Attribute { name: name.to_owned(), shape: Vec::new(), value }
}

/// Attributes of the file format itself, which the writer makes anew.
pub(super) fn belongs_to_format(attribute: &Attribute) -> bool {
    let name = attribute.name.as_str();
    let known = ["CLASS", "NAME", "REFERENCE_LIST", "DIMENSION_LIST", "DIMENSION_LABELS", "_NCProperties"];
    known.contains(&name)
        || name.starts_with("_Netcdf4")
        || name == "_nc3_strict"
        || matches!(attribute.value, AttributeValue::Reference(_) | AttributeValue::Unsupported(_))
}

/// Attributes that describe the stored numbers and not the result's (spec convolve 7.3).
fn describes_storage(name: &str) -> bool {
    let known = [
        "scale_factor",
        "add_offset",
        "_FillValue",
        "missing_value",
        "valid_min",
        "valid_max",
        "valid_range",
        "_Unsigned",
        "actual_range",
    ];
    known.contains(&name)
}

/// The raster's attributes that go to the result. A netCDF variable keeps the listed ones only; a
/// plain HDF5 dataset (`named` false) keeps all that do not describe its stored numbers.
pub(super) fn kept_attributes(attributes: &[Attribute], named: bool) -> Vec<Attribute> {
    let listed = [
        "long_name",
        "units",
        "standard_name",
        "res",
        "crs",
        "transform",
        "grid_mapping",
        "coordinates",
        "unit",
    ];
    let keep = |attribute: &&Attribute| {
        let name = attribute.name.as_str();
        !belongs_to_format(attribute) && !describes_storage(name) && (!named || listed.contains(&name))
    };
    attributes.iter().filter(keep).map(widened_res).collect()
}

/// `res` as float64: the peer's test for a resolution accepts no integers from a file.
fn widened_res(attribute: &Attribute) -> Attribute {
    match (attribute.name.as_str(), reals(std::slice::from_ref(attribute), "res")) {
        ("res", Some(values)) => {
            Attribute { value: AttributeValue::Float(values, Dtype::F64), ..attribute.clone() }
        }
        _ => attribute.clone(),
    }
}
