//! The HDF5 writer, judged by h5py, netCDF4, xarray and h5netcdf.
#![cfg(feature = "hdf5")]

#[path = "common/python.rs"]
mod python;

use nissl::array::Dtype;
use nissl::io::hdf5::write::Hdf5Writer;
use nissl::io::{self, Attribute, AttributeValue, DatasetSpec, Writer};
use python::python;
use std::path::Path;

fn spec(path: &str, shape: &[u64], dtype: Dtype) -> DatasetSpec {
    DatasetSpec { path: path.into(), shape: shape.to_vec(), dtype, chunks: None, deflate: None, fill: None }
}

fn attribute(name: &str, shape: &[u64], value: AttributeValue) -> Attribute {
    Attribute { name: name.into(), shape: shape.to_vec(), value }
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::Text(vec![value.as_bytes().to_vec()])
}

/// Cell i holds i % 251, exact in every type (halves up to 250 included).
fn cells(dtype: Dtype, count: u64) -> Vec<u8> {
    (0..count)
        .flat_map(|i| {
            let value = i % 251;
            match dtype {
                Dtype::F16 => half::f16::from_f64(value as f64).to_le_bytes().to_vec(),
                Dtype::F32 => (value as f32).to_le_bytes().to_vec(),
                Dtype::F64 => (value as f64).to_le_bytes().to_vec(),
                Dtype::I8 => vec![value as u8],
                _ => value.to_le_bytes()[..dtype.size()].to_vec(),
            }
        })
        .collect()
}

/// One dataset per type and layout, appended in uneven parts.
fn write_layouts(path: &Path) {
    let mut writer = io::create(path).unwrap();
    for dtype in Dtype::ALL {
        for (name, shape, chunks, deflate) in [
            ("contiguous", vec![57, 43], None, None),
            ("chunked", vec![57, 43], Some(vec![10, 20]), None),
            ("deflated", vec![57, 43], Some(vec![10, 20]), Some(4)),
            ("planes", vec![3, 57, 43], Some(vec![1, 16, 43]), Some(1)),
            ("thick", vec![5, 7, 9], Some(vec![2, 3, 4]), Some(9)),
            ("usual", vec![400, 300], None, Some(6)),
            ("line", vec![1000], None, Some(2)),
            ("scalar", vec![], None, None),
            ("empty", vec![0, 4], Some(vec![1, 4]), Some(4)),
        ] {
            let count: u64 = shape.iter().product();
            let mut spec = spec(&format!("/{}/{name}", dtype.name()), &shape, dtype);
            (spec.chunks, spec.deflate) = (chunks, deflate);
            if name == "chunked" {
                spec.fill = Some(cells(dtype, 8)[7 * dtype.size()..].to_vec());
            }
            let id = writer.create(&spec).unwrap();
            for part in cells(dtype, count).chunks(1009) {
                writer.append(id, part).unwrap();
            }
        }
    }
    writer.finish().unwrap();
}

const LAYOUTS: &str = "
import sys, h5py, numpy as np
f = h5py.File(sys.argv[1])
chunks = dict(chunked=(10, 20), deflated=(10, 20), planes=(1, 16, 43), thick=(2, 3, 4), usual=None, line=None)
n = 0
for dtype in f:
    for name, d in f[dtype].items():
        assert d.dtype == np.dtype(dtype), (d, dtype)
        want = (np.arange(d.size) % 251).astype(np.uint8).astype(dtype).reshape(d.shape)
        assert np.array_equal(d[()], want), d
        if name in chunks:
            assert chunks[name] in (None, d.chunks), (d, d.chunks)
        else:
            assert d.chunks is None, d
        level = dict(deflated=4, planes=1, thick=9, usual=6, line=2).get(name)
        assert d.compression_opts == level and d.compression == ('gzip' if level else None), d
        assert d.shuffle == bool(level and d.dtype.itemsize > 1), d
        if name == 'chunked': assert d.fillvalue == 7, d.fillvalue
        n += 1
print(n)
";

#[test]
fn h5py_reads_every_type_and_layout_and_equal_runs_give_equal_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let (path, again) = (folder.path().join("a.h5"), folder.path().join("b.h5"));
    write_layouts(&path);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    pool.install(|| write_layouts(&again));
    assert!(std::fs::read(&path).unwrap() == std::fs::read(&again).unwrap());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "temporary files stayed");
    let Some(seen) = python("h5py reads our datasets", LAYOUTS, &[&path]) else { return };
    assert_eq!(seen.trim(), "99");
}

fn write_attributes(path: &Path) {
    let mut writer = Hdf5Writer::create(path).unwrap();
    writer.create_group("/g/h").unwrap();
    let id = writer.create(&spec("/g/d", &[2, 2], Dtype::F32)).unwrap();
    writer.append(id, &cells(Dtype::F32, 4)).unwrap();
    let truth = writer.create_truth(&spec("/truth", &[3], Dtype::I8)).unwrap();
    writer.append(truth, &[0, 1, 1]).unwrap();
    writer.create_text("/names", &[3], &[b"one".to_vec(), "dvě".into(), b"".to_vec()]).unwrap();
    writer.create_text("/g/state", &[], &["rest µ".into()]).unwrap();
    writer.create_text("/note", &[], &[b"".to_vec()]).unwrap();
    writer.create_text("/latin", &[1], &[b"\xb5m".to_vec()]).unwrap();
    let table = [&b"a"[..], b"bb", b"ccc", b"d"].map(<[u8]>::to_vec);
    writer.create_text("/table", &[2, 2], &table).unwrap();
    writer.create_text("/nothing", &[0], &[]).unwrap();
    writer.create_references("/refs", &["/g/d", "/g", "/"]).unwrap();
    for node in ["/", "/g", "/g/d", "/note"] {
        let mut set = |name: &str, shape: &[u64], value| {
            writer.set_attribute(node, &attribute(name, shape, value)).unwrap();
        };
        for dtype in Dtype::ALL {
            let name = dtype.name();
            let (one, two) = match dtype {
                _ if dtype.is_signed_integer() => {
                    (AttributeValue::Int(vec![-7], dtype), AttributeValue::Int(vec![1, -2], dtype))
                }
                _ if dtype.is_integer() => {
                    (AttributeValue::Uint(vec![200], dtype), AttributeValue::Uint(vec![1, 255], dtype))
                }
                _ => (
                    AttributeValue::Float(vec![0.5], dtype),
                    AttributeValue::Float(vec![f64::NAN, -2.0], dtype),
                ),
            };
            set(name, &[], one);
            set(&format!("{name}s"), &[2], two);
        }
        set("wide", &[1], AttributeValue::Uint(vec![u64::MAX], Dtype::U64));
        set("matrix", &[2, 2], AttributeValue::Int(vec![1, 2, 3, 4], Dtype::I32));
        set("true", &[], AttributeValue::Bool(vec![true]));
        set("truths", &[2], AttributeValue::Bool(vec![false, true]));
        set("text", &[], text("plain"));
        set("blank", &[], text(""));
        set("micro", &[], text("µm"));
        set("bytes", &[], AttributeValue::Text(vec![b"\xb5m".to_vec()]));
        set("texts", &[2], AttributeValue::Text(vec![b"a".to_vec(), "bé".into()]));
        set("owner", &[], AttributeValue::Reference(vec!["/g/d".into()]));
        set("owners", &[2], AttributeValue::Reference(vec!["/g".into(), "/names".into()]));
        set("none", &[], AttributeValue::Empty);
        set("text", &[], text("replaced"));
    }
    let odd = attribute("odd", &[], AttributeValue::Unsupported("compound".into()));
    assert!(
        writer.set_attribute("/g", &odd).unwrap_err().to_string().contains("a.h5:/g@odd: found an attribute")
    );
    assert!(writer.set_attribute("/nowhere", &odd).is_err());
    assert!(writer.create(&spec("/g/d", &[1], Dtype::F32)).is_err());
    Box::new(writer).finish().unwrap();
}

const ATTRIBUTES: &str = r"
import sys, h5py, numpy as np
f = h5py.File(sys.argv[1])
def same(a, b): return np.array_equal(a, b, equal_nan=True)
for node in ['/', '/g', '/g/d', '/note']:
    a = f[node].attrs
    for t in 'int8 int16 int32 int64'.split():
        assert a[t] == -7 and a[t].dtype == t and list(a[t + 's']) == [1, -2] and a[t + 's'].dtype == t
    for t in 'uint8 uint16 uint32 uint64'.split():
        assert a[t] == 200 and a[t].dtype == t and list(a[t + 's']) == [1, 255] and a[t + 's'].dtype == t
    for t in 'float16 float32 float64'.split():
        assert a[t] == 0.5 and a[t].dtype == t and same(a[t + 's'], np.array([np.nan, -2], t))
    assert list(a['wide']) == [2**64 - 1]
    assert same(a['matrix'], [[1, 2], [3, 4]]) and a['matrix'].dtype == 'i4'
    assert a['true'] == True and a['true'].dtype == bool and list(a['truths']) == [False, True]
    s = {k: h5py.h5a.open(f[node].id, k.encode()).get_type() for k in ['text', 'micro', 'bytes', 'texts']}
    assert not s['text'].is_variable_str() and s['text'].get_strpad() == h5py.h5t.STR_NULLTERM
    assert s['text'].get_size() == 9 and s['micro'].get_cset() == h5py.h5t.CSET_UTF8
    assert s['texts'].is_variable_str()
    assert a['text'] == b'replaced' and a['blank'] == b'' and a['micro'].decode() == 'µm'
    assert a['bytes'] == b'\xb5m' and list(a['texts']) == ['a', 'bé']
    assert f[a['owner']].name == '/g/d' and [f[r].name for r in a['owners']] == ['/g', '/names']
    assert len(a['none']) == 0
assert f['truth'].dtype == bool and list(f['truth']) == [False, True, True]
assert list(f['names'].asstr()) == ['one', 'dvě', ''] and list(f['latin'].asstr()) == ['µm']
assert f['g/state'].shape == () and f['g/state'].asstr()[()] == 'rest µ'
assert h5py.check_string_dtype(f['g/state'].dtype).length is None
assert f['note'].shape == () and f['note'].asstr()[()] == ''
assert f['table'].shape == (2, 2) and f['table'][1, 0] == b'ccc' and f['nothing'].shape == (0,)
assert [f[r].name for r in f['refs']] == ['/g/d', '/g', '/']
assert f['g/h'].attrs.keys() == set()
print('good')
";

#[test]
fn h5py_reads_attributes_text_truth_and_references() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.h5");
    write_attributes(&path);
    let Some(seen) = python("h5py reads our attributes", ATTRIBUTES, &[&path]) else { return };
    assert_eq!(seen.trim(), "good");
}

/// A small netCDF-4 file by hand, as the conventions of convolve.md 7.3 ask.
fn write_netcdf(path: &Path) {
    let mut writer = io::create(path).unwrap();
    let mut result = spec("/elevation", &[3, 4], Dtype::F32);
    (result.chunks, result.deflate) = (Some(vec![2, 4]), Some(4));
    result.fill = Some(f32::NAN.to_le_bytes().to_vec());
    let id = writer.create(&result).unwrap();
    writer.append(id, &cells(Dtype::F32, 12)).unwrap();
    for (name, length) in [("y", 3), ("x", 4)] {
        let scale = writer.create(&spec(name, &[length], Dtype::F64)).unwrap();
        writer.append(scale, &cells(Dtype::F64, length)).unwrap();
        writer.set_attribute(name, &attribute("units", &[], text("m"))).unwrap();
    }
    let crs = writer.create(&spec("/spatial_ref", &[], Dtype::I64)).unwrap();
    writer.append(crs, &[0; 8]).unwrap();
    writer.set_attribute("spatial_ref", &attribute("crs_wkt", &[], text("PROJCS[\"x\"]"))).unwrap();
    // A dimension without coordinates, as netCDF writes it.
    let bare = writer.create(&spec("/band", &[2], Dtype::F32)).unwrap();
    writer.append(bare, &[0; 8]).unwrap();
    let name = "This is a netCDF dimension but not a netCDF variable.         2";
    writer.set_attribute("/band", &attribute("NAME", &[], text(name))).unwrap();
    let weights = writer.create(&spec("/weights", &[2], Dtype::F64)).unwrap();
    writer.append(weights, &cells(Dtype::F64, 2)).unwrap();
    writer.attach_scale("/elevation", 0, "/y").unwrap();
    writer.attach_scale("/elevation", 1, "/x").unwrap();
    writer.attach_scale("/weights", 0, "/band").unwrap();
    let nan = attribute("_FillValue", &[1], AttributeValue::Float(vec![f64::NAN], Dtype::F32));
    writer.set_attribute("/elevation", &nan).unwrap();
    writer.set_attribute("/elevation", &attribute("grid_mapping", &[], text("spatial_ref"))).unwrap();
    let res = attribute("res", &[2], AttributeValue::Float(vec![30.0, 30.0], Dtype::F64));
    writer.set_attribute("/elevation", &res).unwrap();
    writer.set_attribute("/", &attribute("Conventions", &[], text("CF-1.8"))).unwrap();
    writer.create_text("/state", &[], &[b"rest".to_vec()]).unwrap();
    writer.finish().unwrap();
}

const NETCDF: &str = "
import sys, h5py, netCDF4, numpy as np, xarray as xr
path = sys.argv[1]
with h5py.File(path) as f:
    t = h5py.h5a.open(f['y'].id, b'CLASS').get_type()
    assert t.get_size() == 16 and t.get_strpad() == h5py.h5t.STR_NULLTERM
    assert f['elevation'].dims[0][0] == f['y'] and f['elevation'].dims[1][0] == f['x']
    assert f['y'].attrs['NAME'] == b'y' and len(f['y'].attrs['REFERENCE_LIST']) == 1
with netCDF4.Dataset(path) as n:
    assert list(n.dimensions) == ['y', 'x', 'band'] or set(n.dimensions) == {'y', 'x', 'band'}
    assert n['elevation'].dimensions == ('y', 'x') and np.isnan(n['elevation']._FillValue)
    assert n['elevation'].grid_mapping == 'spatial_ref' and n.Conventions == 'CF-1.8', repr(n.Conventions)
    assert 'band' not in n.variables and n['state'][...] == 'rest', n['state'][...]
for engine in ['netcdf4', 'h5netcdf']:
    with xr.open_dataset(path, engine=engine) as d:
        e = d['elevation']
        assert e.dims == ('y', 'x') and e.dtype == 'f4' and list(e.x.values) == [0, 1, 2, 3]
        assert np.array_equal(e.values, np.arange(12, dtype='f4').reshape(3, 4))
        assert e.x.attrs == {'units': 'm'}, e.x.attrs
        assert list(e.attrs['res']) == [30, 30] and np.isnan(e.encoding['_FillValue'])
        assert (e.attrs.get('grid_mapping') or e.encoding.get('grid_mapping')) == 'spatial_ref'
        assert d['spatial_ref'].attrs['crs_wkt'] == 'PROJCS[\"x\"]'
        assert d['weights'].dims == ('band',) and d.attrs == {'Conventions': 'CF-1.8'}, d.attrs
        assert d['state'].values == 'rest'
print('good')
";

#[test]
fn netcdf4_xarray_and_h5netcdf_see_dimensions_and_attributes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.nc");
    write_netcdf(&path);
    let Some(seen) = python("netCDF4 and xarray read our scales", NETCDF, &[&path]) else { return };
    assert_eq!(seen.trim(), "good");
}

#[test]
fn wrong_amounts_shapes_and_names_are_errors_and_leave_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.h5");
    let mut writer = io::create(&path).unwrap();
    let id = writer.create(&spec("/a", &[2], Dtype::F64)).unwrap();
    assert!(writer.append(id, &[0; 17]).is_err());
    writer.append(id, &[0; 9]).unwrap();
    let mut bad = spec("/b", &[4, 4], Dtype::F64);
    bad.chunks = Some(vec![2]);
    assert!(writer.create(&bad).unwrap_err().to_string().contains("found chunks [2]"));
    bad.chunks = Some(vec![2, 0]);
    assert!(writer.create(&bad).is_err());
    bad = spec("/c", &[2], Dtype::F64);
    bad.fill = Some(vec![0; 4]);
    assert!(writer.create(&bad).is_err());
    assert!(writer.create(&spec("/a/b", &[1], Dtype::F64)).is_err());
    assert!(writer.create(&spec("/huge", &[1 << 40, 1 << 40], Dtype::F64)).is_err());
    assert!(writer.create_text("/t", &[2], &[b"one".to_vec()]).is_err());
    assert!(writer.attach_scale("/a", 0, "/none").is_err());
    let error = writer.finish().unwrap_err().to_string();
    assert!(error.contains("a.h5:/a: 9 bytes were produced for an array of 16"), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

const LARGE: &str = "
import sys, h5py, numpy as np
d = h5py.File(sys.argv[1])['big']
assert d.shape == (34000, 131072) and d.size > 2**32, d.shape
for row in [0, 1, 32767, 32768, 33999]:
    assert np.all(d[row] == row % 256), row
print('good')
";

/// 4.5 GB of rows, compressed to next to nothing: counts and offsets beyond 32 bits.
#[test]
fn arrays_over_four_gigabytes_stream_through_little_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("big.h5");
    let mut writer = io::create(&path).unwrap();
    let (height, width) = (34_000, 131_072);
    let mut big = spec("/big", &[height, width], Dtype::U8);
    (big.chunks, big.deflate) = (Some(vec![64, 16_384]), Some(1));
    let id = writer.create(&big).unwrap();
    for row in 0..height {
        writer.append(id, &vec![row as u8; width as usize]).unwrap();
    }
    writer.finish().unwrap();
    let size = std::fs::metadata(&path).unwrap().len();
    assert!(size < 200 << 20, "{size}");
    let peak = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = peak.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    // The other tests of this process run meanwhile; a held array would be 4.5 GB.
    assert!(peak < 400 << 10, "{peak} KiB");
    let Some(seen) = python("h5py reads 4.5 GB of ours", LARGE, &[&path]) else { return };
    assert_eq!(seen.trim(), "good");
}

const SPARSE: &str = "
import sys, h5py
f = h5py.File(sys.argv[1])
assert f['a'].shape == (640000000,) and f['a'][-1] == 0 and list(f['b']) == [0, 1, 2], f['b'][()]
print('good')
";

/// The bytes of the first dataset never come, so the file has a hole of 5 GB and costs no disk:
/// what lies behind it must be found all the same.
#[test]
fn addresses_beyond_four_gigabytes_are_right() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sparse.h5");
    {
        let file = rust_hdf5::H5File::create(&path).unwrap();
        file.new_dataset::<f64>().shape([640_000_000]).create("a").unwrap();
        let b = file.new_dataset::<u8>().shape([3]).create("b").unwrap();
        b.write_raw(&[0u8, 1, 2]).unwrap();
        drop(b);
        file.close().unwrap();
    }
    assert!(std::fs::metadata(&path).unwrap().len() > 4 << 30);
    let Some(seen) = python("h5py reads beyond 4 GiB", SPARSE, &[&path]) else { return };
    assert_eq!(seen.trim(), "good");
}

/// The victim of the next test: run as its own process, it writes for ever.
#[test]
fn victim_of_the_kill() {
    let Some(path) = std::env::var_os("NISSL_TEST_VICTIM") else { return };
    let mut writer = io::create(Path::new(&path)).unwrap();
    let mut endless = spec("/endless", &[1 << 40], Dtype::U8);
    endless.chunks = Some(vec![1 << 16]);
    let deflated = std::path::Path::new(&path).to_string_lossy().contains("deflated");
    endless.deflate = deflated.then_some(1);
    let id = match Path::new(&path).extension() {
        Some(extension) if extension == "npy" => writer.create(&spec("", &[1 << 40], Dtype::U8)).unwrap(),
        _ => writer.create(&endless).unwrap(),
    };
    println!("begun");
    // A gigabyte at most, should nobody kill it.
    for part in 0..1024u32 {
        writer.append(id, &vec![part as u8; 1 << 20]).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

#[test]
fn a_kill_in_mid_write_leaves_the_old_file_or_none() {
    for name in ["plain.h5", "deflated.h5", "array.npy", "archive-deflated.npz"] {
        for old in [None, Some(&b"the old content"[..])] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join(name);
            if let Some(bytes) = old {
                std::fs::write(&path, bytes).unwrap();
            }
            let mut child = std::process::Command::new(std::env::current_exe().unwrap())
                .args(["victim_of_the_kill", "--exact", "--nocapture"])
                .env("NISSL_TEST_VICTIM", &path)
                .stdout(std::process::Stdio::piped())
                .spawn()
                .unwrap();
            let begun = std::io::BufReader::new(child.stdout.take().unwrap());
            assert!(std::io::BufRead::lines(begun).any(|line| line.unwrap().contains("begun")), "{name}");
            std::thread::sleep(std::time::Duration::from_millis(120));
            // SIGKILL: nothing of ours runs any more.
            child.kill().unwrap();
            child.wait().unwrap();
            assert_eq!(std::fs::read(&path).ok().as_deref(), old, "{name}");
            let left: Vec<_> = std::fs::read_dir(folder.path())
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .filter(|left| left != name)
                .collect();
            assert!(left.iter().all(|left| left.contains(".nissl-") && left.ends_with(".tmp")), "{left:?}");
            assert!(!left.is_empty(), "{name}: the victim had not begun");
        }
    }
}
