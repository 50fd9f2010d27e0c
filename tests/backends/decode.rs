//! `decode` on devices: intensities against their definition, references through the program.

use crate::common::{Array, done, fixture, nissl, read, splitmix};
use nissl::backend::CpuLevel;
use nissl::backend::device::Devices;
use nissl::error::Error;
use nissl::kernels::marks::gpu::{Lane, Needs, Spikes};
use nissl::kernels::marks::{
    Bandwidths, Choice, EncodingSpikes, Intensity, Method, PlaceBins, Precision, Scratch, definition,
};
use std::path::{Path, PathBuf};

const FLOOR: f64 = -34.538_776_394_910_684;

/// One electrode's spikes and bins, `axes` position axes, `width` features.
struct Electrode {
    marks: Vec<f64>,
    positions: Vec<f64>,
    width: usize,
    centers: Vec<Vec<f64>>,
    interior: Vec<usize>,
    log_scale: Vec<f64>,
    std: Vec<f64>,
}

impl Electrode {
    fn new(axes: usize, width: usize, count: usize) -> Self {
        let mut chance = splitmix(7 + axes as u64, count * (axes + width));
        let mut next = |scale: f64| chance.next().unwrap() * scale;
        let positions: Vec<f64> = (0..count * axes).map(|_| next(60.0)).collect();
        let marks = (0..count * width).map(|_| next(120.0) + 40.0).collect();
        let centers: Vec<Vec<f64>> =
            (0..axes).map(|axis| (0..[19, 13][axis]).map(|k| 2.0 * k as f64).collect()).collect();
        let all: usize = centers.iter().map(Vec::len).product();
        let interior: Vec<usize> = (0..all).filter(|bin| bin % 7 != 3).collect();
        // Where no animal was, there is no intensity.
        let log_scale =
            interior.iter().map(|b| if b % 11 == 5 { f64::NEG_INFINITY } else { -2.0 + (*b as f64).sin() });
        Electrode {
            log_scale: log_scale.collect(),
            marks,
            positions,
            width,
            centers,
            interior,
            std: vec![if width > 8 { 4.0 } else { 24.0 }; width],
        }
    }

    fn with<R>(&self, run: impl FnOnce(&EncodingSpikes, &PlaceBins, &Bandwidths) -> R) -> R {
        let axes = self.centers.len();
        let spikes =
            EncodingSpikes { marks: &self.marks, width: self.width, positions: &self.positions, axes };
        let bins =
            PlaceBins { axes: self.centers.iter().map(Vec::as_slice).collect(), interior: &self.interior };
        run(&spikes, &bins, &Bandwidths { mark: &self.std, position: &[6.0, 6.0][..axes] })
    }

    fn intensity(&self, method: Method, precision: Precision) -> Intensity {
        self.with(|spikes, bins, bandwidths| {
            let ceiling = spikes.len() as f64;
            let choice = Choice {
                method,
                certificate: None,
                precision,
                cost: 1e6,
                full_cost: 1e6,
                bound: 1e-6,
                cut: 1e-7,
                ceiling_ln: -1.0 + ceiling.ln() + bandwidths.ln_peak(),
            };
            Intensity::new(spikes, bins, bandwidths, choice, (&self.log_scale, FLOOR))
        })
    }
}

/// Row sums of decoding spikes: 3 of 5 rows hold some.
fn rows(count: usize) -> Vec<u32> {
    let mut starts = vec![0];
    while starts.len() <= count {
        let last = starts[starts.len() - 1];
        starts.push(last + [0, 3, 0, 1, 70][starts.len() % 5]);
    }
    starts
}

fn open(devices: &Devices, intensity: &Intensity, rows: usize, spikes: usize) -> Result<Lane, Error> {
    let needs = Needs::of(intensity).unwrap();
    Lane::open(&**devices.iter().next().unwrap(), &[needs], (rows, spikes), 1)
}

/// Types that a device computes in, with the error that a logarithm may have: that of float32, and what
/// leaving out kernels may take from the floor.
fn types(devices: &Devices) -> Vec<(Precision, f64)> {
    let all = [(Precision::F32, 4e-6), (Precision::F64, 3e-7)];
    all.into_iter().take(1 + usize::from(devices.facts()[0].f64)).collect()
}

/// Sums of rows in float64 on the CPU.
fn on_the_cpu(intensity: &Intensity, (marks, starts): (&[f64], &[u32])) -> Vec<f64> {
    let (bins, spikes) = (intensity.bins(), starts[starts.len() - 1] as usize);
    let mut values = vec![0.0_f64; spikes * bins];
    intensity.log_intensity(CpuLevel::detect(), marks, &mut values, &mut Scratch::default());
    let mut sums = vec![0.0; (starts.len() - 1) * bins];
    for (row, sums) in sums.chunks_mut(bins).enumerate() {
        for spike in starts[row] as usize..starts[row + 1] as usize {
            sums.iter_mut().zip(&values[spike * bins..]).for_each(|(sum, value)| *sum += value);
        }
    }
    sums
}

#[test]
fn row_sums_of_both_methods_agree_with_the_definition() {
    for devices in crate::devices(None) {
        for (axes, width, count) in [(1, 4, 700), (2, 4, 900), (2, 2, 1), (1, 9, 130)] {
            let electrode = Electrode::new(axes, width, count);
            let starts = rows(6);
            let spikes = starts[6] as usize;
            let marks: Vec<f64> = splitmix(99, spikes * width).map(|c| 150.0 * c + 30.0).collect();
            let bins = electrode.interior.len();
            let mut expected = vec![0.0; 6 * bins];
            let mut least = vec![FLOOR; spikes];
            for row in 0..6 {
                for spike in starts[row] as usize..starts[row + 1] as usize {
                    let mark = &marks[spike * width..(spike + 1) * width];
                    let l = electrode.with(|from, at, bandwidths| {
                        definition::log_intensity(from, at, bandwidths, (&electrode.log_scale, FLOOR), mark)
                    });
                    least[spike] = l.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                    expected[row * bins..(row + 1) * bins].iter_mut().zip(&l).for_each(|(sum, l)| *sum += l);
                }
            }
            let floored = least.iter().filter(|l| **l <= FLOOR).count() as u64;
            let moments = |cell, terms_below| Method::Moments { cell, terms_below };
            let methods = [Method::Direct, moments(1.0 / 3.0, 9), moments(1.0, 16)];
            let each = methods.into_iter().flat_map(|m| types(&devices).into_iter().map(move |t| (m, t)));
            for (method, (precision, error)) in each {
                let intensity = electrode.intensity(method, precision);
                let same = (precision == Precision::F64).then(|| on_the_cpu(&intensity, (&marks, &starts)));
                // Room for all spikes at once, and for fewer than there are.
                for room in [4096, 64] {
                    let mut lane = open(&devices, &intensity, 6, room).unwrap();
                    for _ in 0..2 {
                        lane.begin().unwrap();
                        let found =
                            lane.add(0, &intensity, Spikes { marks: &marks, starts: &starts }).unwrap();
                        assert_eq!(found, floored);
                        let mut sums = vec![0.0; 6 * bins];
                        lane.end(0, &mut sums).unwrap();
                        for (at, (sum, want)) in sums.iter().zip(&expected).enumerate() {
                            let spikes = (starts[at / bins + 1] - starts[at / bins]) as f64;
                            let allowed = error * spikes.max(1.0);
                            assert!(
                                (sum - want).abs() <= allowed,
                                "{method:?} {precision:?} {axes} axes, {at}: {sum} {want}"
                            );
                        }
                        for (sum, want) in sums.iter().zip(same.iter().flatten()) {
                            assert!((sum - want).abs() <= 1e-11 * want.abs(), "{method:?}: {sum} {want}");
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn electrodes_over_two_virtual_devices_sum_to_what_one_gives() {
    let electrodes = [Electrode::new(2, 4, 300), Electrode::new(2, 4, 200), Electrode::new(2, 2, 150)];
    let moments = Method::Moments { cell: 1.0 / 3.0, terms_below: 9 };
    let made: Vec<Intensity> = electrodes.iter().map(|one| one.intensity(moments, Precision::F32)).collect();
    let needs: Vec<Needs> = made.iter().map(|one| Needs::of(one).unwrap()).collect();
    let starts = rows(6);
    let bins = electrodes[0].interior.len();
    for devices in crate::devices(None) {
        let device = devices.iter().next().unwrap();
        let summed = |lanes: usize| {
            let mut sums = vec![0.0; 6 * bins];
            for own in 0..lanes {
                let mine: Vec<Needs> = needs.iter().copied().skip(own).step_by(lanes).collect();
                let mut lane = Lane::open(&**device, &mine, (6, 4096), 2).unwrap();
                lane.begin().unwrap();
                for number in (own..made.len()).step_by(lanes) {
                    let width = electrodes[number].width;
                    let marks = splitmix(number as u64, starts[6] as usize * width);
                    let marks: Vec<f64> = marks.map(|c| 150.0 * c + 30.0).collect();
                    lane.add(number, &made[number], Spikes { marks: &marks, starts: &starts }).unwrap();
                }
                lane.end(0, &mut sums).unwrap();
            }
            sums
        };
        let (one, two) = (summed(1), summed(2));
        assert!(one.iter().any(|sum| *sum != 0.0));
        assert!(one.iter().zip(&two).all(|(a, b)| (a - b).abs() <= 1e-10 * b.abs()));
    }
}

#[test]
fn too_little_memory_is_told_with_what_is_needed() {
    let electrode = Electrode::new(2, 4, 900);
    let intensity = electrode.intensity(Method::Moments { cell: 1.0 / 3.0, terms_below: 9 }, Precision::F32);
    for devices in crate::devices(Some(100 << 10)) {
        assert!(matches!(open(&devices, &intensity, 12, 64), Err(Error::DeviceMemory { .. })));
    }
}

/// A synthetic set with the flags of its parameters.
struct Set {
    folder: PathBuf,
    flags: Vec<String>,
}

impl Set {
    fn new(name: &str, folder: &Path) -> Self {
        let set = fixture("decode").join(name);
        let text = std::fs::read(set.join("parameters.json")).unwrap();
        let parameters: serde_json::Value = serde_json::from_slice(&text).unwrap();
        let mut flags = Vec::new();
        for (flag, key) in [
            ("--position-std", "position_std"),
            ("--waveform-std", "waveform_std"),
            ("--bin-size", "place_bin_size"),
            ("--movement-var", "movement_var"),
        ] {
            flags.extend([flag.to_owned(), parameters[key].as_f64().unwrap().to_string()]);
        }
        if parameters["track_graph"].is_object() {
            let graph = folder.join(format!("{name}.graph.json"));
            std::fs::write(&graph, parameters["track_graph"].to_string()).unwrap();
            flags.extend(["--track-graph".into(), graph.display().to_string()]);
        }
        Set { folder: set, flags }
    }

    fn decode(&self, backend: &str, out: &Path, more: &[&str]) -> serde_json::Value {
        let mut command = nissl(&["decode", "-q", "--progress", "none", "--backend", backend, "--force"]);
        command.env("XDG_RUNTIME_DIR", std::env::temp_dir());
        command.arg(self.folder.join("inputs.h5")).arg("-o").arg(out).args(&self.flags).args(more);
        done(&mut command);
        let report = std::fs::read(format!("{}.report.json", out.display())).unwrap();
        serde_json::from_slice(&report).unwrap()
    }

    fn array(&self, name: &str) -> Vec<f64> {
        read(&self.folder.join(format!("{name}.npy")), "").values
    }
}

fn near(what: &str, got: &Array, expected: &Array, allowed: impl Fn(f64) -> f64) {
    assert_eq!(got.shape, expected.shape, "{what}");
    for (at, (g, e)) in got.values.iter().zip(&expected.values).enumerate() {
        let equal = g == e || (g.is_nan() && e.is_nan());
        assert!(equal || (g - e).abs() <= allowed(*e), "{what}: {g} instead of {e} at {at}");
    }
}

#[test]
fn the_references_come_out_within_their_tolerances_with_the_same_map_bins() {
    let folder = tempfile::tempdir().unwrap();
    for devices in crate::devices(None) {
        let backend = devices.facts()[0].backend;
        for name in ["track1d", "wtrack", "arena2d"] {
            let set = Set::new(name, folder.path());
            let (ours, cpu) = (folder.path().join("device.nc"), folder.path().join("cpu.nc"));
            let more = ["--model", "nonlocal", "--save", "filter,loglik,map"];
            let report = set.decode(backend, &ours, &more);
            assert_eq!(report["backend"]["name"], backend);
            assert!(report["stages"].as_array().unwrap().iter().any(|s| s["name"] == "device set-up"));
            set.decode("cpu", &cpu, &more);
            let at = |path: &str| (read(&ours, path), read(&cpu, path));
            let (got, want) = at("/log_likelihood");
            near(&format!("{name} log likelihood"), &got, &want, |e| 1e-4 + 3e-6 * e.abs());
            for path in ["/acausal_posterior", "/causal_posterior"] {
                let (got, want) = at(path);
                near(&format!("{name} {path}"), &got, &want, |_| 2e-5);
            }
            let position = if name == "arena2d" { "/map_x_position" } else { "/map_position" };
            let (got, want) = at(position);
            near(&format!("{name} {position}"), &got, &want, |_| 0.0);
            let states = read(&ours, "/acausal_state_probabilities").values;
            let peer = set.array("nonlocal_acausal_state_probabilities");
            assert!(states.iter().zip(&peer).all(|(a, b)| (a - b).abs() <= 2e-5), "{name}");
        }
    }
}
