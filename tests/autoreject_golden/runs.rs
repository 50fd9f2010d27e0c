//! Runs, and made recordings for them.

use crate::common::{done, nissl, splitmix};
use nissl::array::Dtype;
use nissl::io::{self, DatasetSpec};
use serde_json::Value;
use std::path::Path;

pub fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

pub fn run(input: &Path, out: &Path, flags: &[&str]) -> Value {
    let mut command = nissl(&["autoreject", "-q", "--progress", "none"]);
    done(command.arg(input).arg("-o").arg(out).args(flags));
    json(&out.join("summary.json"))
}

/// The error line of a run that must fail with exit code 65.
pub fn refused(input: &Path, out: &Path, flags: &[&str]) -> String {
    let mut command = nissl(&["autoreject", "-q", "--progress", "none"]);
    let output = command.arg(input).arg("-o").arg(out).args(flags).output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(65), "{message}");
    assert!(!out.exists(), "an output was left");
    message
}

/// Epochs with channels on a sphere, names `E0`, `E1`...
pub struct Made {
    pub shape: [usize; 3],
    pub values: Vec<f64>,
    pub kinds: Vec<&'static str>,
    pub positions: Vec<[f64; 3]>,
}

impl Made {
    /// Waves with some noise, in volts.
    pub fn new(shape: [usize; 3]) -> Self {
        let [n, c, t] = shape;
        let noise: Vec<f64> = splitmix(11, n * c * t).collect();
        let wave = |at: usize| {
            let (epoch, channel, sample) = (at / (c * t), at / t % c, at % t);
            let phase = sample as f64 * 0.1 + epoch as f64;
            1e-5 * (phase.sin() * (1.0 + 0.3 * (channel as f64).cos()) + noise[at] - 0.5)
        };
        let position = |i: usize| {
            let (height, turn) = (0.9 - 1.2 * i as f64 / c as f64, 2.4 * i as f64);
            let radius = (1.0 - height * height).sqrt();
            [radius * turn.cos(), radius * turn.sin(), height].map(|v| 0.095 * v)
        };
        Made {
            shape,
            values: (0..n * c * t).map(wave).collect(),
            kinds: vec!["eeg"; c],
            positions: (0..c).map(position).collect(),
        }
    }

    /// Multiplies a channel of an epoch.
    pub fn scale(&mut self, epoch: usize, channel: usize, factor: f64) {
        let [_, c, t] = self.shape;
        self.values[(epoch * c + channel) * t..][..t].iter_mut().for_each(|v| *v *= factor);
    }

    pub fn write(&self, path: &Path) {
        let mut writer = io::create(path).unwrap();
        let mut add = |name: &str, shape: Vec<u64>, values: &[f64]| {
            let (chunks, deflate, fill) = (None, None, None);
            let path = format!("/epochs/{name}");
            let spec = DatasetSpec { path, shape, dtype: Dtype::F64, chunks, deflate, fill };
            let id = writer.create(&spec).unwrap();
            let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            writer.append(id, &bytes).unwrap();
        };
        add("data", self.shape.map(|n| n as u64).to_vec(), &self.values);
        add("ch_pos", vec![self.shape[1] as u64, 3], &self.positions.concat());
        add("sfreq", vec![], &[250.0]);
        let channels = [self.shape[1] as u64];
        let names: Vec<Vec<u8>> = (0..self.shape[1]).map(|c| format!("E{c}").into_bytes()).collect();
        writer.create_text("/epochs/ch_names", &channels, &names).unwrap();
        let kinds: Vec<Vec<u8>> = self.kinds.iter().map(|k| k.as_bytes().to_vec()).collect();
        writer.create_text("/epochs/ch_types", &channels, &kinds).unwrap();
        writer.finish().unwrap();
    }
}

/// Cheap grids for made data.
pub const SMALL: [&str; 6] = ["--cv", "4", "--n-interpolate", "1,2", "--consensus", "0.2,0.5,1"];
