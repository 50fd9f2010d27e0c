//! Which backend a run takes: the one asked for, or what the estimate prefers.

use super::device::{Device, DeviceFacts, Devices};
use super::{CpuLevel, Request};
use crate::error::{Error, Result};
use serde::Serialize;
use std::fmt;
use std::sync::{Arc, OnceLock};

/// The backend a run uses.
#[derive(Debug, Clone, Serialize)]
pub struct Backend {
    /// Its name: `cpu`, `cuda` or `wgpu`.
    pub name: &'static str,
    /// Instruction set that its kernels use on the CPU.
    pub level: CpuLevel,
    /// Devices that compute; none on the CPU.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<DeviceFacts>,
    /// Why it was taken.
    pub why: String,
    /// Chosen by an estimate, not asked for by name: where it fails the CPU takes over.
    #[serde(skip)]
    pub by_estimate: bool,
    /// The devices themselves.
    #[serde(skip)]
    pub handles: Devices,
}

impl Backend {
    /// The CPU.
    pub fn cpu(level: CpuLevel, why: impl Into<String>) -> Self {
        let (devices, handles) = (Vec::new(), Devices::default());
        Backend { name: "cpu", level, devices, why: why.into(), by_estimate: false, handles }
    }

    /// `devices`, which are of one backend and at least one.
    pub fn on(devices: Devices, level: CpuLevel, why: impl Into<String>) -> Self {
        let facts = devices.facts();
        let name = facts.first().map_or("cpu", |first| first.backend);
        Backend { name, level, devices: facts, why: why.into(), by_estimate: false, handles: devices }
    }

    /// True where a device computes.
    pub fn is_device(&self) -> bool {
        !self.handles.is_empty()
    }
}

impl fmt::Display for Backend {
    /// One line of a plan for each device, the reason on the last.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for device in &self.devices {
            let (name, memory) = (&device.name, crate::units::format_bytes(device.memory));
            writeln!(f, "device     {name}, {memory}, {}", if device.f64 { "float64" } else { "float32" })?;
        }
        write!(f, "backend    {}: {}", self.name, self.why)
    }
}

/// What a plan knows of its work, for the choice between CPU and device.
#[derive(Debug, Clone, Copy, Default)]
pub struct Work {
    /// Bytes to the device and back.
    pub transfer: f64,
    /// Bytes that kernels read and write in device memory.
    pub touched: f64,
    /// float32 operations on the device.
    pub flop_f32: f64,
    /// float64 operations on the device.
    pub flop_f64: f64,
    /// Seconds that all threads of the run together would take on the CPU.
    pub cpu_s: f64,
}

impl Work {
    /// Seconds on one device like `facts`, set-up included: copies and work overlap, so the slower
    /// of the two counts.
    pub fn device_s(&self, facts: &DeviceFacts) -> f64 {
        let rates = &facts.ceilings;
        // Kernels reach about half of a ceiling.
        let share = |amount: f64, rate: f64| if amount == 0.0 { 0.0 } else { 2.0 * amount / rate };
        let work = share(self.flop_f32, rates.flop_f32) + share(self.flop_f64, rates.flop_f64);
        let work = work.max(share(self.touched, rates.memory));
        facts.set_up_s + work.max(self.transfer / rates.bus)
    }
}

/// What a command can do on a device, for one plan.
#[derive(Debug, Clone)]
pub enum Fit {
    /// Everything, at this cost, on devices that have float64 if `f64` is set.
    Whole {
        /// What it takes.
        work: Work,
        /// Set where float64 is needed, with what needs it.
        f64: Option<String>,
    },
    /// Nothing: why not.
    Not(String),
}

/// Everything that a run may compute on. Devices are only opened when somebody wants one: that
/// takes longer than small jobs do.
pub struct Seat {
    request: Request,
    level: CpuLevel,
    /// Device memory a run may use at most, bytes.
    limit: Option<u64>,
    found: OnceLock<Vec<Arc<dyn Device>>>,
}

/// Below this time on the CPU no device is looked for: opening one takes as long.
const WORTH_LOOKING_S: f64 = 1.0;

impl Seat {
    /// A seat that was asked for as `request`; `found` are the devices, where they are open already.
    pub(super) fn new(
        request: Request,
        level: CpuLevel,
        limit: Option<u64>,
        found: Option<Vec<Arc<dyn Device>>>,
    ) -> Self {
        let cell = OnceLock::new();
        if let Some(found) = found {
            let _ = cell.set(found);
        }
        Seat { request, level, limit, found: cell }
    }

    /// The CPU alone.
    pub fn cpu(level: CpuLevel) -> Self {
        Seat::new(Request::Cpu, level, None, Some(Vec::new()))
    }

    /// Given devices, taken whatever the estimate says.
    pub fn with(devices: Vec<Arc<dyn Device>>, level: CpuLevel) -> Self {
        let request = match devices.first().map(|device| device.facts().backend) {
            Some("cuda") => Request::Cuda,
            Some(_) => Request::Wgpu,
            None => Request::Cpu,
        };
        Seat::new(request, level, None, Some(devices))
    }

    /// Instruction set of the CPU.
    pub fn level(&self) -> CpuLevel {
        self.level
    }

    fn devices(&self) -> &[Arc<dyn Device>] {
        self.found.get_or_init(|| super::find_any(self.limit))
    }

    /// True where a device is more than the CPU in disguise.
    pub fn has_hardware(&self) -> bool {
        self.devices().iter().any(|device| !device.facts().software)
    }

    /// The backend for work that fits a device as `fit` says; under `auto` the faster one.
    ///
    /// # Errors
    /// A device asked for by name cannot do this work; the error says why.
    pub fn choose(&self, fit: &Fit) -> Result<Backend> {
        match self.request {
            Request::Cpu => Ok(Backend::cpu(self.level, "asked for")),
            Request::Cuda | Request::Wgpu => self.named(fit),
            Request::Auto => Ok(self.estimated(fit)),
        }
    }

    /// The backend for a part of a run whose other parts may be done elsewhere: under `auto` always
    /// the CPU, whose bits are the same on all machines.
    ///
    /// # Errors
    /// As [`Seat::choose`].
    pub fn choose_for_part(&self, fit: &Fit) -> Result<Backend> {
        let why = "auto: parts have the same bits wherever they are done; name a backend to use devices";
        match self.request {
            Request::Auto => Ok(Backend::cpu(self.level, why)),
            _ => self.choose(fit),
        }
    }

    fn named(&self, fit: &Fit) -> Result<Backend> {
        let devices = self.devices();
        let name = self.request.name();
        let refuse = |reason: String| Err(Error::Unavailable { name, reason });
        match fit {
            Fit::Not(why) => refuse(format!("{why}; use --backend cpu or auto")),
            Fit::Whole { f64: Some(what), .. } if devices.iter().any(|one| !one.facts().f64) => {
                refuse(format!("it computes in float32 only, and {what}; use --backend cpu or auto"))
            }
            Fit::Whole { .. } => Ok(Backend::on(Devices::new(devices.to_vec()), self.level, "asked for")),
        }
    }

    fn estimated(&self, fit: &Fit) -> Backend {
        let cpu = |why: String| Backend::cpu(self.level, format!("auto: {why}"));
        let (work, double) = match fit {
            Fit::Not(why) => return cpu(why.clone()),
            Fit::Whole { work, f64 } => (work, f64),
        };
        if !super::any_built() {
            return cpu("this nissl was built for the CPU only".into());
        }
        if work.cpu_s < WORTH_LOOKING_S {
            return cpu(format!(
                "about {:.2} s of work; no device is looked for below {WORTH_LOOKING_S} s",
                work.cpu_s
            ));
        }
        let Some(first) = self.devices().first() else { return cpu("no device was found".into()) };
        let facts = first.facts();
        if facts.software {
            return cpu(format!("{} is the CPU itself", facts.name));
        }
        if let (Some(what), false) = (double, facts.f64) {
            return cpu(format!("{} computes in float32 only, and {what}", facts.name));
        }
        let many = self.devices().len() as f64;
        let device_s = facts.set_up_s + (work.device_s(facts) - facts.set_up_s) / many;
        let told = format!("about {device_s:.2} s on {} and {:.2} s on the CPU", facts.name, work.cpu_s);
        if device_s >= work.cpu_s {
            return cpu(told);
        }
        let devices = Devices::new(self.devices().to_vec());
        Backend { by_estimate: true, ..Backend::on(devices, self.level, format!("auto: {told}")) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::device::{Ceilings, Queue};
    use super::*;

    struct Paper(DeviceFacts);

    impl Device for Paper {
        fn facts(&self) -> &DeviceFacts {
            &self.0
        }
        fn queue(&self) -> Result<Box<dyn Queue>> {
            Err(Error::Failed("made of paper".into()))
        }
    }

    fn paper(f64: bool, software: bool) -> Vec<Arc<dyn Device>> {
        let ceilings = Ceilings { bus: 12e9, memory: 1e12, flop_f32: 1e13, flop_f64: 5e12, known: true };
        let facts = DeviceFacts {
            backend: if f64 { "cuda" } else { "wgpu" },
            name: "paper".into(),
            driver: String::new(),
            memory: 1 << 30,
            largest_buffer: 1 << 27,
            f64,
            software,
            ceilings,
            set_up_s: 0.5,
        };
        vec![Arc::new(Paper(facts))]
    }

    fn whole(cpu_s: f64, f64: Option<&str>) -> Fit {
        let work = Work { transfer: 12e9, flop_f32: 1e12, cpu_s, ..Work::default() };
        Fit::Whole { work, f64: f64.map(str::to_owned) }
    }

    fn auto(devices: Vec<Arc<dyn Device>>) -> Seat {
        Seat::new(Request::Auto, CpuLevel::Baseline, None, Some(devices))
    }

    #[test]
    fn transfer_and_work_overlap_in_the_estimate() {
        let facts = paper(true, false)[0].facts().clone();
        let work = Work { transfer: 24e9, flop_f32: 1e13, ..Work::default() };
        assert!((work.device_s(&facts) - 2.5).abs() < 1e-9);
        let work = Work { transfer: 24e9, flop_f32: 2e13, ..Work::default() };
        assert!((work.device_s(&facts) - 4.5).abs() < 1e-9);
    }

    #[test]
    fn a_device_by_name_refuses_what_it_cannot_do_and_says_why() {
        let seat = Seat::with(paper(false, false), CpuLevel::Baseline);
        assert_eq!(seat.choose(&whole(0.0, None)).unwrap().name, "wgpu");
        let message = seat.choose(&whole(9.0, Some("autoreject needs float64"))).unwrap_err().to_string();
        assert!(message.contains("wgpu") && message.contains("autoreject needs float64"), "{message}");
        let message = seat.choose(&Fit::Not("no kernel".into())).unwrap_err().to_string();
        assert!(message.contains("no kernel"), "{message}");
        let double = Seat::with(paper(true, false), CpuLevel::Baseline);
        assert_eq!(double.choose(&whole(0.0, Some("x"))).unwrap().name, "cuda");
    }

    #[test]
    fn auto_takes_a_device_only_where_the_estimate_is_lower() {
        if !crate::backend::any_built() {
            let backend = auto(paper(true, false)).choose(&whole(100.0, None)).unwrap();
            assert_eq!(backend.name, "cpu");
            return;
        }
        let chosen = |seat: &Seat, fit: &Fit| {
            let backend = seat.choose(fit).unwrap();
            (backend.name, backend.why)
        };
        assert_eq!(chosen(&auto(paper(true, false)), &whole(100.0, None)).0, "cuda");
        assert_eq!(chosen(&auto(paper(true, false)), &whole(1.2, None)).0, "cpu");
        assert!(chosen(&auto(paper(false, false)), &whole(100.0, Some("it"))).1.contains("float32 only"));
        assert!(chosen(&auto(paper(false, true)), &whole(100.0, None)).1.contains("the CPU itself"));
        assert!(chosen(&auto(Vec::new()), &whole(100.0, None)).1.contains("no device"));
        assert!(chosen(&auto(paper(true, false)), &whole(0.1, None)).1.contains("looked for"));
        let part = auto(paper(true, false)).choose_for_part(&whole(100.0, None)).unwrap();
        assert_eq!(part.name, "cpu");
    }
}
