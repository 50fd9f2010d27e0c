//! The simulated driver: built once, then given to the program.

use crate::common::{done, nissl};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Folder of the simulated `libcuda.so.1`, made by g++ from this checkout's kernels.
pub fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("simulated-cuda");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cuda/build.sh");
        done(Command::new(script).arg(&folder));
        folder
    })
}

/// What the driver did during a run.
pub struct Told(Value);

impl Told {
    pub fn read(path: &Path) -> Self {
        Told(serde_json::from_slice(&std::fs::read(path).expect("the driver was used")).unwrap())
    }

    pub fn count(&self, name: &str) -> u64 {
        self.0[name].as_u64().unwrap()
    }

    /// Launches of one kernel.
    pub fn launches(&self, kernel: &str) -> u64 {
        self.0["launches"][kernel].as_u64().unwrap_or(0)
    }

    /// Launches on each device.
    pub fn by_device(&self) -> Vec<u64> {
        self.0["launches_of_device"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect()
    }
}

/// The program on the simulated device, with what its driver is told in `settings`
/// (`MEMORY`, `DEVICES`, ...); compiled kernels are kept in `cache`.
pub fn on_device(arguments: &[&str], settings: &[(&str, &str)], cache: &Path) -> Command {
    let mut command = nissl(arguments);
    command.args(["--backend", "cuda"]).env("LD_LIBRARY_PATH", folder()).env("XDG_CACHE_HOME", cache);
    for (name, value) in settings {
        command.env(format!("NISSL_SIM_CUDA_{name}"), value);
    }
    command
}
