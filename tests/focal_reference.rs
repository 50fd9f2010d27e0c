//! The published tool's answers, through every algorithm (spec convolve 12).
//!
//! The folder of references is named by `NISSL_REFERENCE_DIR`, with `manifest.json` in it.

mod focal_common;

use focal_common::{Plane, compare, requests, run};
use nissl::array::{ByteOrder, Dtype, Real};
use nissl::backend::CpuLevel;
use nissl::kernels::focal::{KernelType, NanRule, Weights, choose};
use nissl::kernels::window::Boundary;
use std::path::{Path, PathBuf};

const MODES: [Boundary; 4] = [Boundary::Nan, Boundary::Nearest, Boundary::Reflect, Boundary::Wrap];

/// The little of NPY that the references use.
struct Npy {
    bytes: Vec<u8>,
    dtype: Dtype,
    order: ByteOrder,
    shape: Vec<usize>,
    fortran: bool,
}

impl Npy {
    fn read(path: &Path) -> Npy {
        let bytes = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let length = u16::from_le_bytes([bytes[8], bytes[9]]) as usize;
        let header = std::str::from_utf8(&bytes[10..10 + length]).unwrap().to_owned();
        let after = |key: &str| header.split(&format!("'{key}': ")).nth(1).unwrap().to_owned();
        let descr = after("descr").split('\'').nth(1).unwrap().to_owned();
        let dtype = Dtype::ALL.into_iter().find(|d| d.code() == &descr[1..]).unwrap();
        let shape = after("shape")
            .split(['(', ')'])
            .nth(1)
            .unwrap()
            .split(',')
            .filter_map(|n| n.trim().parse().ok())
            .collect();
        Npy {
            dtype,
            order: if descr.starts_with('>') { ByteOrder::Big } else { ByteOrder::Little },
            shape,
            fortran: after("fortran_order").starts_with("True"),
            bytes: bytes[10 + length..].to_vec(),
        }
    }

    fn values<T: Real>(&self) -> Vec<T> {
        let mut out = vec![T::NAN; self.shape.iter().product()];
        T::from_stored(&self.bytes, self.dtype, self.order, &mut out);
        if self.fortran {
            let (rows, cols) = (self.shape[0], self.shape[1]);
            out = (0..rows * cols).map(|at| out[at % cols * rows + at / cols]).collect();
        }
        out
    }

    fn weights(&self) -> Weights {
        let kind = match self.dtype {
            Dtype::F64 => KernelType::F64,
            Dtype::F32 | Dtype::F16 => KernelType::F32,
            Dtype::I8 | Dtype::U8 | Dtype::I16 => KernelType::SmallInt,
            _ => KernelType::WideInt,
        };
        Weights::new(self.values(), self.shape[0], self.shape[1], kind).unwrap()
    }
}

fn folder() -> Option<PathBuf> {
    let found = std::env::var_os("NISSL_REFERENCE_DIR").map(PathBuf::from);
    assert!(
        found.is_some() || std::env::var_os("NISSL_REQUIRE_ALL").is_none(),
        "NISSL_REFERENCE_DIR is not set"
    );
    if found.is_none() {
        eprintln!("skipped: NISSL_REFERENCE_DIR is not set");
    }
    found
}

/// One case in four modes through every request; returns how many runs were compared and the
/// largest share of a tolerance by request.
fn check<T: Real>(folder: &Path, case: &serde_json::Value, worst: &mut Vec<(String, f64, String)>) -> usize {
    let file = |key: &str| Npy::read(&folder.join(case[key].as_str().unwrap()));
    let (input, weights, expected) = (file("input"), file("kernel").weights(), file("expected"));
    let plane = Plane { values: input.values::<T>(), height: input.shape[0], width: input.shape[1] };
    let expected: Vec<T> = expected.values();
    let cells = plane.values.len();
    let mut runs = 0;
    for (mode, boundary) in MODES.into_iter().enumerate() {
        let want = &expected[mode * cells..(mode + 1) * cells];
        for (name, request) in requests(NanRule::Propagate, T::WORK) {
            let Ok(recipe) = choose(&weights, plane.shape(), T::WORK, &request) else { continue };
            for level in CpuLevel::available() {
                let (got, _) = run(&plane, &weights, recipe.clone(), level, boundary);
                let share = compare((&got, want), &plane, (&weights, &recipe, boundary))
                    .unwrap_or_else(|e| panic!("{} {name} {level:?}: {e}", case["id"]));
                runs += 1;
                match worst.iter_mut().find(|w| w.0 == name) {
                    Some(w) if w.1 >= share => {}
                    Some(w) => (w.1, w.2) = (share, case["id"].to_string()),
                    None => worst.push((name.into(), share, case["id"].to_string())),
                }
            }
        }
    }
    runs
}

#[test]
fn all_reference_cases_through_all_algorithms() {
    let Some(folder) = folder() else { return };
    let manifest: serde_json::Value =
        serde_json::from_slice(&std::fs::read(folder.join("manifest.json")).unwrap()).unwrap();
    let cases = manifest["convolve"].as_array().unwrap();
    assert_eq!(cases.len(), 97);
    let (mut worst, mut runs) = (Vec::new(), 0);
    for case in cases {
        let wide = case["out_dtype"] == "<f8";
        runs += if wide {
            check::<f64>(&folder, case, &mut worst)
        } else {
            check::<f32>(&folder, case, &mut worst)
        };
    }
    eprintln!("{runs} runs, largest share of the tolerance: {worst:?}");
    assert!(runs >= 97 * 4 * 3);
}
