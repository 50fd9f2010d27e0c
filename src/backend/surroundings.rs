//! What the process can see of its machine: `/proc`, `/sys`, environment variables.
//!
//! A plain value, so that tests can feed made-up trees and variables.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Where limits are looked for.
#[derive(Debug, Clone)]
pub struct Surroundings {
    root: PathBuf,
    variables: HashMap<String, String>,
    affinity: usize,
}

impl Surroundings {
    /// Those of this process.
    pub fn of_this_process() -> Self {
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, _)| name.starts_with("SLURM"))
            .collect();
        Surroundings { root: PathBuf::from("/"), variables, affinity: allowed_cpus() }
    }

    /// Made-up ones: `root` stands for `/`, `affinity` is the number of CPUs the process may run on.
    pub fn made_up(root: &Path, variables: &[(&str, &str)], affinity: usize) -> Self {
        let variables = variables.iter().map(|&(n, v)| (n.to_owned(), v.to_owned())).collect();
        Surroundings { root: root.to_owned(), variables, affinity }
    }

    /// CPUs that the process may be scheduled on.
    pub fn affinity(&self) -> usize {
        self.affinity
    }

    /// A file by its absolute path; `None` where it is absent or not text.
    pub fn read(&self, path: &str) -> Option<String> {
        std::fs::read_to_string(self.root.join(path.trim_start_matches('/'))).ok()
    }

    /// The value of a SLURM variable; empty counts as absent.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(|v| v.trim()).filter(|v| !v.is_empty())
    }

    /// The value of a SLURM variable as a number; 0 and anything else that is no count is absent.
    ///
    /// SLURM itself writes 0 for "all there is", as in `--mem=0`.
    pub fn count(&self, name: &str) -> Option<u64> {
        self.variable(name)?.parse().ok().filter(|&n| n > 0)
    }

    /// How many tasks of this job step share the node: 1 outside of `srun`.
    ///
    /// A batch script is one process, whatever `--ntasks` says; only a step starts several.
    pub fn tasks_on_node(&self) -> u64 {
        if self.variable("SLURM_STEP_ID").is_none() {
            return 1;
        }
        let node = self.variable("SLURM_NODEID").and_then(|v| v.parse().ok()).unwrap_or(0);
        self.variable("SLURM_STEP_TASKS_PER_NODE")
            .and_then(|list| nth_of_repeated(list, node))
            .or_else(|| self.count("SLURM_NTASKS_PER_NODE"))
            .unwrap_or(1)
            .max(1)
    }
}

/// Entry `index` of SLURM's list form `2(x3),1`, which stands for 2, 2, 2, 1.
pub(super) fn nth_of_repeated(list: &str, index: u64) -> Option<u64> {
    let mut left = index;
    for item in list.split(',') {
        let (value, times) = match item.trim().split_once("(x") {
            Some((value, times)) => (value, times.strip_suffix(')')?.parse().ok()?),
            None => (item.trim(), 1u64),
        };
        if left < times {
            return value.parse().ok();
        }
        left -= times;
    }
    None
}

#[cfg(target_os = "linux")]
fn allowed_cpus() -> usize {
    // Asked here rather than through `available_parallelism`, which mixes the quota in and so
    // could not be told apart in the report.
    match rustix::thread::sched_getaffinity(None) {
        Ok(set) if set.count() > 0 => set.count() as usize,
        _ => std::thread::available_parallelism().map_or(1, usize::from),
    }
}

#[cfg(not(target_os = "linux"))]
fn allowed_cpus() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_lists_are_unrolled() {
        let at = |i| nth_of_repeated("2(x3),1", i);
        assert_eq!([at(0), at(2), at(3), at(4)], [Some(2), Some(2), Some(1), None]);
        assert_eq!(nth_of_repeated("4", 0), Some(4));
        assert_eq!(nth_of_repeated("2(x", 0), None);
    }

    #[test]
    fn only_a_step_shares_its_node_with_other_tasks() {
        let batch = Surroundings::made_up(Path::new("/"), &[("SLURM_NTASKS_PER_NODE", "4")], 8);
        assert_eq!(batch.tasks_on_node(), 1);
        let step = [("SLURM_STEP_ID", "0"), ("SLURM_STEP_TASKS_PER_NODE", "2(x2),3"), ("SLURM_NODEID", "2")];
        assert_eq!(Surroundings::made_up(Path::new("/"), &step, 8).tasks_on_node(), 3);
    }

    #[test]
    fn this_process_may_run_somewhere() {
        assert!(Surroundings::of_this_process().affinity() >= 1);
    }
}
