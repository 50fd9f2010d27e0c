//! The machine a run had, for the report.

use crate::backend::{CpuLevel, Surroundings, memory};
use serde::Serialize;
use std::collections::BTreeMap;

/// SLURM's variables that say which job, task and attempt this is.
const SLURM: [&str; 8] = [
    "SLURM_JOB_ID",
    "SLURM_ARRAY_JOB_ID",
    "SLURM_ARRAY_TASK_ID",
    "SLURM_STEP_ID",
    "SLURM_PROCID",
    "SLURM_NODEID",
    "SLURM_RESTART_COUNT",
    "SLURMD_NODENAME",
];

/// Processor, memory and job of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Host {
    /// The processor as it names itself, else its architecture.
    pub cpu: String,
    /// Best instruction set that kernels could use.
    pub level: CpuLevel,
    /// CPUs the process may be scheduled on.
    pub cores_allowed: usize,
    /// RAM of the machine, bytes; null where the system does not tell.
    pub ram: Option<u64>,
    /// SLURM's identifiers, by the names of their variables; empty outside of a job.
    pub slurm: BTreeMap<&'static str, String>,
}

impl Host {
    /// Looks at the machine.
    pub fn look(around: &Surroundings) -> Host {
        Host {
            cpu: around
                .read("/proc/cpuinfo")
                .and_then(|text| model(&text))
                .unwrap_or_else(|| std::env::consts::ARCH.into()),
            level: CpuLevel::detect(),
            cores_allowed: around.affinity(),
            ram: memory::installed(around),
            slurm: SLURM.iter().filter_map(|&n| Some((n, around.variable(n)?.to_owned()))).collect(),
        }
    }
}

fn model(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo.lines().find(|l| l.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_tells_processor_memory_and_job() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("proc")).unwrap();
        std::fs::write(root.path().join("proc/cpuinfo"), "processor : 0\nmodel name\t: Some CPU @ 2 GHz\n")
            .unwrap();
        std::fs::write(root.path().join("proc/meminfo"), "MemTotal: 2048 kB\n").unwrap();
        let slurm = [("SLURM_JOB_ID", "17"), ("SLURM_SUBMIT_DIR", "/home")];
        let host = Host::look(&Surroundings::made_up(root.path(), &slurm, 3));
        assert_eq!((host.cpu.as_str(), host.cores_allowed, host.ram), ("Some CPU @ 2 GHz", 3, Some(2 << 20)));
        assert_eq!(host.slurm.into_iter().collect::<Vec<_>>(), [("SLURM_JOB_ID", "17".to_owned())]);
    }

    #[test]
    fn a_machine_that_tells_nothing_still_has_a_name() {
        let host = Host::look(&Surroundings::made_up(std::path::Path::new("/nowhere"), &[], 1));
        assert_eq!((host.cpu.as_str(), host.ram), (std::env::consts::ARCH, None));
    }
}
