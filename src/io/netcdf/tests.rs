//! Finding, laying out and writing rasters, over files in memory.

use super::layout::{text, text_attribute};
use super::*;
use crate::array::{ByteOrder, Dtype};
use crate::error::Result;
use crate::io::memory::{MemoryFile, MemoryWriter};
use crate::io::{
    Attribute, AttributeValue, Block, Container, Dataset, DatasetId, DatasetSpec, StoredType, Writer,
    block_bytes,
};

fn numbers(name: &str, values: &[f64]) -> Attribute {
    let value = AttributeValue::Float(values.to_vec(), Dtype::F64);
    Attribute { name: name.to_owned(), shape: vec![values.len() as u64], value }
}

fn made(
    writer: &mut MemoryWriter,
    path: &str,
    shape: &[u64],
    dtype: Dtype,
    bytes: &[u8],
) -> Result<DatasetId> {
    let spec = DatasetSpec {
        path: path.into(),
        shape: shape.to_vec(),
        dtype,
        chunks: (shape.len() > 1).then(|| vec![1; shape.len()]),
        deflate: None,
        fill: None,
    };
    let id = writer.create(&spec)?;
    writer.append(id, bytes)?;
    Ok(id)
}

fn doubles(values: &[f64]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// time x lat x lon with a packed coordinate, a scalar, a 1-D and a 2-D coordinate, a grid
/// mapping, a second raster of other axes, and a dimension without values (lon).
fn sample() -> MemoryFile {
    let (mut writer, output) = MemoryWriter::new();
    let w = &mut writer;
    made(w, "/time", &[2], Dtype::F64, &doubles(&[0.0, 1.0])).unwrap();
    made(w, "/lat", &[3], Dtype::I16, &[30, 0, 20, 0, 10, 0]).unwrap();
    made(w, "/lon", &[4], Dtype::F32, &[0; 16]).unwrap();
    made(w, "/elevation", &[2, 3, 4], Dtype::I16, &[0; 48]).unwrap();
    made(w, "/height", &[], Dtype::F64, &doubles(&[2.0])).unwrap();
    made(w, "/season", &[2], Dtype::I8, &[1, 2]).unwrap();
    made(w, "/area", &[3, 4], Dtype::F64, &doubles(&[1.0; 12])).unwrap();
    made(w, "/crs", &[], Dtype::I32, &[0; 4]).unwrap();
    w.create_text("/label", &[2], &[b"a".to_vec(), b"b".to_vec()]).unwrap();
    for (dataset, axis, scale) in [
        ("/elevation", 0, "/time"),
        ("/elevation", 1, "/lat"),
        ("/elevation", 2, "/lon"),
        ("/season", 0, "/time"),
        ("/label", 0, "/time"),
        ("/area", 0, "/lat"),
        ("/area", 1, "/lon"),
    ] {
        w.attach_scale(dataset, axis, scale).unwrap();
    }
    for scale in ["/time", "/lat", "/lon"] {
        w.set_attribute(scale, &text_attribute("CLASS", "DIMENSION_SCALE")).unwrap();
    }
    let name = "This is a netCDF dimension but not a netCDF variable.         4";
    w.set_attribute("/lon", &text_attribute("NAME", name)).unwrap();
    w.set_attribute("/lat", &text_attribute("units", "degrees_north")).unwrap();
    w.set_attribute("/lat", &numbers("scale_factor", &[0.5])).unwrap();
    w.set_attribute("/crs", &text_attribute("grid_mapping_name", "latitude_longitude")).unwrap();
    for attribute in [
        text_attribute("units", "m"),
        text_attribute("coordinates", "height season area label gone"),
        text_attribute("grid_mapping", "crs"),
        text_attribute("comment", "dropped"),
        numbers("scale_factor", &[0.1]),
        numbers("valid_range", &[0.0, 1.0]),
        numbers("_FillValue", &[-1.0]),
        Attribute { name: "res".into(), shape: vec![2], value: AttributeValue::Int(vec![3, 4], Dtype::I64) },
    ] {
        w.set_attribute("/elevation", &attribute).unwrap();
    }
    w.set_attribute("/", &text_attribute("title", "sample")).unwrap();
    w.set_attribute("/", &text_attribute("history", "made by hand")).unwrap();
    w.set_attribute("/", &text_attribute("_NCProperties", "version=2")).unwrap();
    Box::new(writer).finish().unwrap();
    output.take().unwrap()
}

fn names(layout: &RasterLayout) -> Vec<&str> {
    layout.dimensions.iter().map(|dimension| dimension.name.as_str()).collect()
}

/// Writes a result like the layout, with zeros for cells.
fn written(layout: &RasterLayout, variables: &[OutVariable]) -> MemoryFile {
    let (mut writer, output) = MemoryWriter::new();
    let ids = create_raster_file(&mut writer, layout, variables, "nissl convolve --kernel laplace").unwrap();
    for (variable, id) in variables.iter().zip(ids) {
        let cells = variable.shape(layout).iter().product::<u64>() as usize;
        writer.append(id, &vec![0; cells * variable.dtype.size()]).unwrap();
    }
    Box::new(writer).finish().unwrap();
    output.take().unwrap()
}

fn variable(name: &str) -> OutVariable<'_> {
    OutVariable { name, dtype: Dtype::F64, labels: None, deflate: None, attributes: Vec::new() }
}

fn whole(dataset: &dyn Dataset) -> Vec<u8> {
    let block = Block { start: vec![0; dataset.info().shape.len()], count: dataset.info().shape.clone() };
    let mut bytes = vec![0; block_bytes(dataset.info(), &block)];
    dataset.read_block(&block, &mut bytes).unwrap();
    bytes
}

#[test]
fn the_raster_is_found_with_all_that_belongs_to_it() {
    let found = find_raster(&sample(), None, None).unwrap();
    assert_eq!(found.dataset.info().path, "/elevation");
    assert_eq!(found.place, "memory:/elevation");
    assert_eq!(found.axes, (1, 2));
    assert_eq!(names(&found.layout), ["time", "lat", "lon"]);
    let companions: Vec<&str> = found.layout.companions.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(companions, ["time", "lat", "crs", "height", "season", "area", "label"]);
    assert!(found.layout.coordinate(2).is_none());
    let grid = found.grid().unwrap();
    assert_eq!(grid.y.coordinates.as_deref(), Some(&[15.0, 10.0, 5.0][..]));
    assert_eq!((grid.x.length, grid.x.coordinates), (4, None));
    assert_eq!(grid.y.units.as_deref(), Some("degrees_north"));
    assert_eq!(grid.res.as_deref(), Some(&[3.0, 4.0][..]));
    assert!(grid.geographic);
    let decoder = CfDecoder::new(Dtype::I16, ByteOrder::Little, &found.attributes, &found.place).unwrap();
    assert_eq!(decoder.decoded(), Dtype::F64);
}

#[test]
fn a_result_file_keeps_names_coordinates_and_attributes() {
    let found = find_raster(&sample(), None, None).unwrap();
    let file = written(&found.layout, &[variable("convolution_2d")]);
    let again = find_raster(&file, None, None).unwrap();
    assert_eq!(again.dataset.info().path, "/convolution_2d");
    assert_eq!(again.dataset.info().chunks.as_deref(), Some(&[1, 1, 1][..]));
    assert_eq!(names(&again.layout), ["time", "lat", "lon"]);
    assert_eq!(again.layout.companions.len(), found.layout.companions.len());
    let attributes = file.attributes("/convolution_2d").unwrap();
    let mut kept: Vec<&str> = attributes.iter().map(|attribute| attribute.name.as_str()).collect();
    kept.sort_unstable();
    assert_eq!(kept, ["_FillValue", "coordinates", "grid_mapping", "res", "units"]);
    // `gone` is no variable of the input.
    assert_eq!(text(&attributes, "coordinates").unwrap(), "height season area label");
    let res = attributes.iter().find(|attribute| attribute.name == "res").unwrap();
    assert_eq!(res.value, AttributeValue::Float(vec![3.0, 4.0], Dtype::F64));
    assert_eq!(text(&file.attributes("/lat").unwrap(), "units").unwrap(), "degrees_north");
    assert_eq!(whole(file.dataset("/lat").unwrap().as_ref()), [30, 0, 20, 0, 10, 0]);
    assert_eq!(file.dataset("/label").unwrap().read_text().unwrap(), [b"a", b"b"]);
    assert_eq!(file.dimension_scales("/area").unwrap(), [["/lat"], ["/lon"]]);
    let globals = file.attributes("/").unwrap();
    assert_eq!(text(&globals, "history").unwrap(), "made by hand\nnissl convolve --kernel laplace");
    assert_eq!(text(&globals, "Conventions").unwrap(), "CF-1.8");
    assert!(text(&globals, "_NCProperties").is_none());
    assert!(text(&file.attributes("/lon").unwrap(), "NAME").unwrap().ends_with("         4"));
}

#[test]
fn axes_can_be_chosen_by_name() {
    let found = find_raster(&sample(), Some("elevation"), Some(("lon", "time"))).unwrap();
    assert_eq!(found.axes, (2, 0));
    assert_eq!(names(&found.layout), ["lat", "lon", "time"]);
    let file = written(&found.layout, &[variable("r")]);
    assert_eq!(file.dimension_scales("/r").unwrap(), [["/lat"], ["/lon"], ["/time"]]);
    let message = find_raster(&sample(), None, Some(("row", "lon"))).err().unwrap().to_string();
    assert!(message.contains("time, lat, lon") && message.contains("'row'"), "{message}");
    assert!(find_raster(&sample(), None, Some(("lon", "lon"))).is_err());
}

#[test]
fn labels_make_an_axis_before_the_rows() {
    let found = find_raster(&sample(), None, None).unwrap();
    let labels = ["mean", "max"];
    let stats = OutVariable { labels: Some(("stats", &labels)), ..variable("focal_stats") };
    let file = written(&found.layout, &[stats]);
    assert_eq!(file.dataset("/focal_stats").unwrap().info().shape, [2, 2, 3, 4]);
    assert_eq!(file.dimension_scales("/focal_stats").unwrap(), [["/time"], ["/stats"], ["/lat"], ["/lon"]]);
    assert_eq!(file.dataset("/stats").unwrap().read_text().unwrap(), [b"mean".to_vec(), b"max".to_vec()]);
    // Statistics of statistics: the new axis takes another name.
    let again = find_raster(&file, None, None).unwrap();
    let stats = OutVariable { labels: Some(("stats", &labels)), ..variable("focal_stats") };
    let twice = written(&again.layout, &[stats]);
    assert_eq!(twice.dimension_scales("/focal_stats").unwrap()[2], ["/stats_1"]);
}

#[test]
fn bare_arrays_get_names_and_several_results_share_them() {
    let layout = RasterLayout::bare(&[2, 2, 3, 4]);
    assert_eq!(names(&layout), ["dim_0", "dim_1", "y", "x"]);
    let classes = OutVariable {
        dtype: Dtype::I8,
        attributes: vec![text_attribute("unit", "%")],
        ..variable("hotspots")
    };
    let file = written(&layout, &[classes, variable("hotspots_z")]);
    assert_eq!(text(&file.attributes("/hotspots").unwrap(), "unit").unwrap(), "%");
    assert!(file.attributes("/hotspots").unwrap().iter().all(|attribute| attribute.name != "_FillValue"));
    assert_eq!(file.dataset("/x").unwrap().info().shape, [4]);
    let message = find_raster(&file, None, None).err().unwrap().to_string();
    assert!(message.contains("/hotspots, /hotspots_z") && message.contains("--var"), "{message}");
    let mut clash = layout.clone();
    clash.dimensions[0].name = "r".into();
    let (mut writer, _) = MemoryWriter::new();
    assert!(create_raster_file(&mut writer, &clash, &[variable("r")], "h").is_err());
}

#[test]
fn plain_files_degrade_to_positions() {
    let mut file = MemoryFile::new();
    let big = StoredType::Number(Dtype::F32, ByteOrder::Big);
    file.insert("/grp/z", &[3, 4], big, vec![0; 48]).unwrap();
    file.set_attribute("/grp/z", text_attribute("sensor", "kept")).unwrap();
    file.set_attribute("/grp", text_attribute("owner", "group")).unwrap();
    let found = find_raster(&file, None, None).unwrap();
    assert_eq!(names(&found.layout), ["y", "x"]);
    assert_eq!(text(&found.layout.attributes, "sensor").unwrap(), "kept");
    assert_eq!(text(&found.layout.globals, "owner").unwrap(), "group");
    assert!(
        find_raster(&file, Some("grp/z"), None).is_ok() && find_raster(&file, Some("/grp/z"), None).is_ok()
    );
    assert!(find_raster(&file, Some("z"), None).err().unwrap().to_string().contains("/grp/z"));
    let mut line = MemoryFile::new();
    line.insert("/v", &[3], StoredType::Number(Dtype::U8, ByteOrder::Little), vec![0; 3]).unwrap();
    assert!(find_raster(&line, None, None).err().unwrap().to_string().contains("1 axes"));
    line.insert("/b", &[3, 1], StoredType::Bool, vec![0; 3]).unwrap();
    assert!(find_raster(&line, None, None).err().unwrap().to_string().contains("/b, /v"));
    assert!(find_raster(&line, Some("b"), None).err().unwrap().to_string().contains("bool"));
}
