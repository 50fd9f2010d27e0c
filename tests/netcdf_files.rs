//! netCDF-4 and plain HDF5 rasters: the reference files are found and decoded as `xarray` does,
//! and what is written opens there with dimensions, coordinates and attributes in place.

mod common;

use common::{done, fixture, python, read};
use nissl::array::Dtype;
use nissl::io::netcdf::layout::text_attribute;
use nissl::io::netcdf::{CfDecoder, FoundRaster, OutVariable, RasterLayout, create_raster_file, find_raster};
use nissl::io::{self, Block, StoredType, block_bytes};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

fn found(name: &str, variable: Option<&str>) -> FoundRaster {
    let file = io::open(&fixture("convolve/geo").join(name)).unwrap();
    find_raster(file.as_ref(), variable, None).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// All cells, decoded in the type the file asks for.
fn decoded(raster: &FoundRaster) -> (Dtype, Vec<f64>) {
    let info = raster.dataset.info();
    let StoredType::Number(dtype, order) = info.stored else { panic!("{:?}", info.stored) };
    let block = Block { start: vec![0; info.shape.len()], count: info.shape.clone() };
    let mut bytes = vec![0; block_bytes(info, &block)];
    raster.dataset.read_block(&block, &mut bytes).unwrap();
    let decoder = CfDecoder::new(dtype, order, &raster.attributes, &raster.place).unwrap();
    let mut values = vec![0f64; bytes.len() / dtype.size()];
    decoder.decode(&bytes, &mut values);
    (decoder.decoded(), values)
}

fn names(layout: &RasterLayout) -> Vec<&str> {
    layout.dimensions.iter().map(|dimension| dimension.name.as_str()).collect()
}

fn same(got: &[f64], expected: &[f64]) -> bool {
    got.len() == expected.len()
        && got.iter().zip(expected).all(|(a, b)| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan())
}

#[test]
fn the_reference_files_are_found_and_decoded() {
    let packed = found("packed_int16.nc", None);
    assert_eq!(packed.dataset.info().path, "/elevation");
    assert_eq!(names(&packed.layout), ["lat", "lon"]);
    let (dtype, values) = decoded(&packed);
    assert_eq!(dtype, Dtype::F64);
    assert!(same(&values, &read(&fixture("convolve/geo/packed_int16__decoded.npy"), "").values));
    let grid = packed.grid().unwrap();
    assert!(grid.geographic);
    assert_eq!(grid.y.units.as_deref(), Some("degrees_north"));
    assert_eq!(grid.x.coordinates.as_ref().map(Vec::len), Some(72));
    assert_eq!(grid.res.as_ref().map(Vec::len), Some(2));

    let stack = found("stack_time.nc", None);
    assert_eq!(names(&stack.layout), ["time", "lat", "lon"]);
    let (dtype, values) = decoded(&stack);
    assert_eq!(dtype, Dtype::F32);
    assert!(values.iter().all(|&value| value != -9999.0) && values.iter().any(|value| value.is_nan()));

    assert_eq!(decoded(&found("plain_float32.nc", Some("elevation"))).0, Dtype::F32);
    let bare = found("bare_bigendian.h5", Some("grp/z"));
    assert_eq!(names(&bare.layout), ["y", "x"]);
    assert!(!bare.layout.has_coordinates());
    assert_eq!(decoded(&bare).1.len(), 60 * 72);
}

/// Writes `values` as a variable over `layout`.
fn write(path: &Path, layout: &RasterLayout, variable: &OutVariable, values: &[f64]) {
    let mut writer = io::create(path).unwrap();
    let ids = create_raster_file(
        writer.as_mut(),
        layout,
        std::slice::from_ref(variable),
        "nissl convolve --kernel rand5x7.npy",
    )
    .unwrap();
    let bytes: Vec<u8> = match variable.dtype {
        Dtype::F64 => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        Dtype::F32 => values.iter().flat_map(|&value| (value as f32).to_le_bytes()).collect(),
        _ => values.iter().map(|&value| value as i8 as u8).collect(),
    };
    writer.append(ids[0], &bytes).unwrap();
    writer.finish().unwrap();
}

fn variable(name: &str, dtype: Dtype) -> OutVariable<'_> {
    OutVariable { name, dtype, labels: None, deflate: None, attributes: Vec::new() }
}

/// What the readers see in a file.
fn described(python: &Path, path: &Path) -> Value {
    let output = done(Command::new(python).arg("tests/interop/describe.py").arg(path));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_result_equals_the_peers_in_both_engines() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("result.nc");
    let raster = found("packed_int16.nc", None);
    let values = read(&fixture("convolve/geo/packed_int16__reflect.npy"), "").values;
    let result = OutVariable { deflate: Some(4), ..variable("convolution_2d", Dtype::F64) };
    write(&path, &raster.layout, &result, &values);
    let ours = described(&python, &path);
    let peers = described(&python, &fixture("convolve/geo/packed_int16__result.nc"));
    for engine in ["netcdf4", "h5netcdf"] {
        let (ours, peers) = (&ours[engine], &peers[engine]);
        assert_eq!(ours["dims"], peers["dims"], "{engine}");
        assert_eq!(ours["variables"], peers["variables"], "{engine}");
        let mut attributes = ours["attributes"].clone();
        let history = attributes.as_object_mut().unwrap().remove("history").unwrap();
        assert_eq!(history, "nissl convolve --kernel rand5x7.npy", "{engine}");
        assert_eq!(attributes, peers["attributes"], "{engine}");
    }
    assert_eq!(ours["library"]["dims"], peers["library"]["dims"]);
    assert_eq!(ours["library"]["variables"], peers["library"]["variables"]);
    let storage = &ours["library"]["storage"]["convolution_2d"];
    assert_eq!(storage["chunks"], json!([32, 40]));
    assert_eq!((&storage["filters"]["complevel"], &storage["filters"]["shuffle"]), (&json!(4), &json!(true)));
    // netCDF recognises a scale by 16 null-terminated bytes only; text is fixed-length throughout.
    assert_eq!(ours["text"]["lat@CLASS"], json!(["fixed, padding 0", 16]));
    for (name, form) in ours["text"].as_object().unwrap() {
        assert_eq!(form[0], "fixed, padding 0", "{name}");
    }
}

#[test]
fn statistics_of_planes_get_a_text_axis() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stats.nc");
    let raster = found("stack_time.nc", None);
    let labels = ["mean", "max"];
    let stats = OutVariable { labels: Some(("stats", &labels)), ..variable("focal_stats", Dtype::F32) };
    let shape = stats.shape(&raster.layout);
    assert_eq!(shape, [3, 2, 40, 44]);
    let values: Vec<f64> = (0..shape.iter().product::<u64>()).map(|v| v as f64).collect();
    write(&path, &raster.layout, &stats, &values);
    let seen = described(&python, &path);
    for engine in ["netcdf4", "h5netcdf"] {
        let variables = &seen[engine]["variables"];
        assert_eq!(variables["focal_stats"]["dims"], json!(["time", "stats", "lat", "lon"]), "{engine}");
        assert_eq!(variables["stats"]["values"], json!(["mean", "max"]), "{engine}");
        assert_eq!(variables["stats"]["coordinate"], true, "{engine}");
        assert_eq!(variables["time"]["attributes"]["units"], "days since 2000-01-01", "{engine}");
        let hex = variables["focal_stats"]["values"].as_str().unwrap();
        assert_eq!(&hex[hex.len() - 8..], hex_of(10559.0), "{engine}");
    }
    // Our own reader finds the same again.
    let again = io::open(&path).unwrap();
    let again = find_raster(again.as_ref(), None, None).unwrap();
    assert_eq!(names(&again.layout), ["time", "stats", "lat", "lon"]);
    assert!(again.layout.coordinate(1).is_some());
    assert!(same(&decoded(&again).1, &values));
}

fn hex_of(value: f32) -> String {
    value.to_le_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn bare_arrays_get_dimensions_without_coordinates() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    for name in ["classes.nc", "classes.h5"] {
        let path = folder.path().join(name);
        let classes =
            OutVariable { attributes: vec![text_attribute("unit", "%")], ..variable("hotspots", Dtype::I8) };
        write(&path, &RasterLayout::bare(&[2, 3, 4]), &classes, &[-99.0; 24]);
        let seen = described(&python, &path);
        for engine in ["netcdf4", "h5netcdf"] {
            let file = &seen[engine];
            assert_eq!(file["dims"], json!({"dim_0": 2, "y": 3, "x": 4}), "{engine}");
            assert_eq!(file["variables"].as_object().unwrap().len(), 1, "{engine}");
            assert_eq!(file["variables"]["hotspots"]["attributes"], json!({"unit": "%"}), "{engine}");
            assert_eq!(file["variables"]["hotspots"]["dtype"], "int8", "{engine}");
            assert_eq!(file["variables"]["hotspots"]["fill"], Value::Null, "{engine}");
        }
        let mut order: Vec<&String> = seen["library"]["dims"].as_object().unwrap().keys().collect();
        order.sort_unstable();
        assert_eq!(order, ["dim_0", "x", "y"]);
    }
}

#[test]
fn equal_inputs_give_equal_files() {
    let folder = tempfile::tempdir().unwrap();
    let raster = found("packed_int16.nc", None);
    let values = read(&fixture("convolve/geo/packed_int16__reflect.npy"), "").values;
    let result = OutVariable { deflate: Some(1), ..variable("convolution_2d", Dtype::F64) };
    let files: Vec<Vec<u8>> = ["a.nc", "b.nc"]
        .iter()
        .map(|name| {
            let path = folder.path().join(name);
            write(&path, &raster.layout, &result, &values);
            std::fs::read(&path).unwrap()
        })
        .collect();
    assert!(files[0] == files[1]);
}

#[test]
fn layouts_of_many_kinds_survive() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let script = |step: &str| {
        done(Command::new(&python).arg("tests/interop/layouts.py").arg(step).arg(folder.path())).stdout
    };
    let rasters = String::from_utf8(script("make")).unwrap();
    assert_eq!(rasters.lines().count(), 5);
    for line in rasters.lines() {
        let raster: Value = serde_json::from_str(line).unwrap();
        let path = folder.path().join(raster["file"].as_str().unwrap());
        let file = io::open(&path).unwrap();
        let raster = find_raster(file.as_ref(), raster["variable"].as_str(), None)
            .unwrap_or_else(|e| panic!("{line}: {e}"));
        assert!(raster.warnings.is_empty(), "{line}: {:?}", raster.warnings);
        let cells = raster.layout.shape().iter().product::<u64>() as usize;
        let result = variable("convolution_2d", Dtype::F64);
        write(&path.with_extension("result.nc"), &raster.layout, &result, &vec![1.0; cells]);
    }
    let checked = String::from_utf8(script("check")).unwrap();
    assert_eq!(checked.lines().count(), 5, "{checked}");
}
