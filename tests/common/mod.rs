//! What the integration tests share: the binary, temporary folders, fixtures, array differences.
#![allow(dead_code)]

use nissl::array::{ByteOrder, Dtype, to_f64};
use nissl::io::{self, Block, StoredType};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// An array read back from a file, widened to float64.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    pub shape: Vec<usize>,
    pub dtype: Dtype,
    pub values: Vec<f64>,
}

impl Array {
    /// The `index`-th part along the first axis.
    pub fn part(&self, index: usize) -> Array {
        let length: usize = self.shape[1..].iter().product();
        Array {
            shape: self.shape[1..].to_vec(),
            dtype: self.dtype,
            values: self.values[index * length..(index + 1) * length].to_vec(),
        }
    }
}

/// The program under test, with no report beside the output and no progress.
pub fn nissl(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nissl"));
    command.args(arguments);
    for variable in ["NISSL_THREADS", "NISSL_MEMORY", "NISSL_BACKEND"] {
        command.env_remove(variable);
    }
    command
}

/// Runs it and demands success; the message of a failure holds the command and its stderr.
pub fn done(command: &mut Command) -> Output {
    let output = command.output().expect("the binary starts");
    assert!(
        output.status.success(),
        "{command:?} ended with {:?}:\n{}",
        output.status.code(),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// A path under `fixtures/`.
pub fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(path)
}

/// Reads a whole dataset; `dataset` is empty for NPY.
pub fn read(path: &Path, dataset: &str) -> Array {
    let file = io::open(path).unwrap_or_else(|e| panic!("{e}"));
    let dataset = file.dataset(dataset).unwrap_or_else(|e| panic!("{e}"));
    let info = dataset.info();
    let (dtype, order) = match info.stored {
        StoredType::Number(dtype, order) => (dtype, order),
        StoredType::Bool => (Dtype::U8, ByteOrder::Little),
        _ => panic!("{path:?} holds {:?}", info.stored),
    };
    let block = Block { start: vec![0; info.shape.len()], count: info.shape.clone() };
    let mut bytes = vec![0; io::block_bytes(info, &block)];
    dataset.read_block(&block, &mut bytes).unwrap_or_else(|e| panic!("{e}"));
    let mut values = vec![0.0; bytes.len() / dtype.size()];
    to_f64(&bytes, dtype, order, &mut values);
    Array { shape: info.shape.iter().map(|&n| n as usize).collect(), dtype, values }
}

/// Compares cell by cell; `allowed` gives the tolerance of a cell (0: equal numbers).
/// NaN equals NaN only, and an infinity only itself.
pub fn assert_close(what: &str, got: &Array, expected: &Array, allowed: impl Fn(usize) -> f64) {
    assert_eq!(got.shape, expected.shape, "{what}: shape");
    assert_eq!(got.dtype, expected.dtype, "{what}: element type");
    let mut worst: Option<(f64, usize)> = None;
    for (index, (&a, &b)) in got.values.iter().zip(&expected.values).enumerate() {
        let equal = a == b || (a.is_nan() && b.is_nan());
        let excess = match () {
            () if equal => continue,
            () if !(a.is_finite() && b.is_finite()) => f64::INFINITY,
            () => (a - b).abs() / allowed(index).max(f64::MIN_POSITIVE),
        };
        if excess > 1.0 && worst.is_none_or(|(most, _)| excess > most) {
            worst = Some((excess, index));
        }
    }
    if let Some((excess, index)) = worst {
        let mut place = Vec::new();
        let mut rest = index;
        for length in got.shape.iter().rev() {
            place.insert(0, rest % length);
            rest /= length;
        }
        panic!(
            "{what}: worst at {place:?}: {:e} instead of {:e}, {excess:.3} times the tolerance {:e}",
            got.values[index],
            expected.values[index],
            allowed(index)
        );
    }
}

/// The Python interpreter with the packages of `tests/interop/requirements.txt`, or none: then
/// the test says that it is skipped, which is a failure under `NISSL_REQUIRE_ALL=1`.
pub fn python() -> Option<PathBuf> {
    let found = std::env::var_os("NISSL_PYTHON").map(PathBuf::from);
    if found.is_none() {
        assert!(std::env::var_os("NISSL_REQUIRE_ALL").is_none(), "NISSL_PYTHON is not set");
        eprintln!("skipped: set NISSL_PYTHON to a Python with tests/interop/requirements.txt installed");
    }
    found
}

/// Writes an NPY file as numpy would: version 1, C order, `code` such as `<f8`.
pub fn write_npy(path: &Path, code: &str, shape: &[usize], bytes: &[u8]) {
    let shape: String = shape.iter().map(|n| format!("{n}, ")).collect();
    let mut header = format!("{{'descr': '{code}', 'fortran_order': False, 'shape': ({shape}), }}");
    header += &" ".repeat(117 - header.len());
    header.push('\n');
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend((header.len() as u16).to_le_bytes());
    file.extend(header.as_bytes());
    file.extend(bytes);
    std::fs::write(path, file).unwrap();
}

/// `splitmix64(seed)[i] * 2^-53` as the manifest defines the large rasters.
pub fn splitmix(seed: u64, count: usize) -> impl Iterator<Item = f64> {
    (0..count as u64).map(move |i| {
        let mut z = seed.wrapping_add((i + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        (z >> 11) as f64 / (1u64 << 53) as f64
    })
}
