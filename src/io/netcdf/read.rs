//! Finds the raster of a file, with its axes and all that belongs to it (spec convolve 7.2).
//!
//! Works on any container: netCDF-4 with dimension scales, plain HDF5, NPZ, NPY. What a format
//! does not have (names, coordinates, attributes) is simply absent.

use super::CfDecoder;
use super::contents::{Axis, Contents};
use super::layout::{RasterLayout, Values, kept_attributes, reals, text};
use crate::array::Real;
use crate::error::{Error, Result};
use crate::io::{Attribute, AttributeValue, Block, Container, Dataset, StoredType, block_bytes};
use std::sync::Arc;

/// Longest coordinate whose values are looked at: 64 Mi cells, far above any raster's side.
const LONGEST_COORDINATE: u64 = 1 << 26;

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
pub fn find_raster(
    file: &dyn Container,
    variable: Option<&str>,
    dims: Option<(&str, &str)>,
) -> Result<FoundRaster> {
    let contents = Contents::of(file)?;
    let info = contents.choose(variable)?;
    let place = place(file, &info.path);
    if !matches!(info.stored, StoredType::Number(..)) {
        return Err(Error::data(
            place,
            format!("{} values", info.stored),
            "integers or floating point",
            "name another dataset with --var",
        ));
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
    let mut order: Vec<usize> =
        (0..axes.len()).filter(|&axis| axis != chosen.0 && axis != chosen.1).collect();
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
                return Err(Error::data(
                    place,
                    format!("{} values", facts.length),
                    "the side of a raster",
                    "give --cell-size",
                ));
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
        let kept: Vec<&str> =
            all.iter().copied().filter(|word| names.contains(&word.trim_end_matches(':'))).collect();
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
