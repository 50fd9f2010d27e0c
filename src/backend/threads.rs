//! How many threads a run may use.
//!
//! The default is the least of what binds: CPU affinity (which shows cpusets too), the cgroup's
//! CPU quota, and SLURM's grant. A quota of 2.5 CPUs gives 2 threads: a third one would only be
//! throttled in the middle of its work. A number given with `--threads` is taken as it is.

use super::{Surroundings, cgroup};
use serde::Serialize;

/// A number of worker threads and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ThreadLimit {
    /// Worker threads, at least 1.
    pub count: usize,
    /// What set it: `CPU affinity`, `cgroup quota`, `SLURM_CPUS_PER_TASK`, `--threads`.
    pub why: String,
}

/// The default number of threads.
pub fn allowed(around: &Surroundings) -> ThreadLimit {
    let mut limit = ThreadLimit { count: around.affinity().max(1), why: "CPU affinity".into() };
    let others = [
        (quota(around), "cgroup CPU quota"),
        slurm(around).map_or((None, ""), |(count, name)| (Some(count), name)),
    ];
    for (count, why) in others {
        if let Some(count) = count
            && count < limit.count
        {
            limit = ThreadLimit { count: count.max(1), why: why.into() };
        }
    }
    limit
}

/// What SLURM grants this task, and the variable that says so.
fn slurm(around: &Surroundings) -> Option<(usize, &'static str)> {
    let as_usize = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    if let Some(count) = around.count("SLURM_CPUS_PER_TASK") {
        return Some((as_usize(count), "SLURM_CPUS_PER_TASK"));
    }
    let on_node = around.count("SLURM_CPUS_ON_NODE")?;
    Some((as_usize((on_node / around.tasks_on_node()).max(1)), "SLURM_CPUS_ON_NODE"))
}

/// The tightest CPU quota of the own cgroup and its parents, in whole CPUs.
fn quota(around: &Surroundings) -> Option<usize> {
    let mut least: Option<f64> = None;
    for tree in cgroup::groups(around, "cpu") {
        for folder in &tree.folders {
            let cpus = if tree.unified {
                around.read(&format!("{folder}/cpu.max")).and_then(|text| quota_v2(&text))
            } else {
                let read = |name: &str| around.read(&format!("{folder}/{name}"));
                quota_v1(read("cpu.cfs_quota_us"), read("cpu.cfs_period_us"))
            };
            if let Some(cpus) = cpus {
                least = Some(least.map_or(cpus, |l| l.min(cpus)));
            }
        }
    }
    least.map(|cpus| (cpus.floor() as usize).max(1))
}

/// `max 100000` or `150000 100000`.
fn quota_v2(text: &str) -> Option<f64> {
    let mut fields = text.split_whitespace();
    ratio(fields.next()?, fields.next()?)
}

fn quota_v1(quota: Option<String>, period: Option<String>) -> Option<f64> {
    ratio(quota?.trim(), period?.trim())
}

/// Microseconds of CPU per microseconds of time; `None` for no limit (`max`, -1).
fn ratio(quota: &str, period: &str) -> Option<f64> {
    let (quota, period): (f64, f64) = (quota.parse().ok()?, period.parse().ok()?);
    (quota > 0.0 && period > 0.0).then_some(quota / period)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::surroundings::Surroundings;
    use std::path::Path;

    /// A made-up root with the files given as (path, text).
    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        root
    }

    fn threads(root: &Path, variables: &[(&str, &str)], affinity: usize) -> (usize, String) {
        let limit = allowed(&Surroundings::made_up(root, variables, affinity));
        (limit.count, limit.why)
    }

    const V2: &str = "31 25 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";

    #[test]
    fn affinity_is_the_limit_where_nothing_else_binds() {
        let root = tree(&[]);
        assert_eq!(threads(root.path(), &[], 6), (6, "CPU affinity".into()));
        assert_eq!(threads(root.path(), &[("SLURM_CPUS_PER_TASK", "8")], 6).0, 6);
    }

    #[test]
    fn a_quota_on_a_parent_group_binds_and_is_rounded_down() {
        let root = tree(&[
            ("proc/self/cgroup", "0::/job/step\n"),
            ("proc/self/mountinfo", V2),
            ("sys/fs/cgroup/job/step/cpu.max", "max 100000\n"),
            ("sys/fs/cgroup/job/cpu.max", "250000 100000\n"),
        ]);
        assert_eq!(threads(root.path(), &[], 8), (2, "cgroup CPU quota".into()));
    }

    #[test]
    fn a_quota_below_one_cpu_still_leaves_one_thread() {
        let root = tree(&[
            ("proc/self/cgroup", "3:cpu,cpuacct:/job\n"),
            ("proc/self/mountinfo", "30 25 0:26 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"),
            ("sys/fs/cgroup/cpu/job/cpu.cfs_quota_us", "50000\n"),
            ("sys/fs/cgroup/cpu/job/cpu.cfs_period_us", "100000\n"),
            ("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n"),
            ("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"),
        ]);
        assert_eq!(threads(root.path(), &[], 8).0, 1);
    }

    #[test]
    fn slurm_grants_bind_per_task_first_then_the_node_share() {
        let root = tree(&[]);
        let per_task = [("SLURM_CPUS_PER_TASK", "3"), ("SLURM_CPUS_ON_NODE", "2")];
        assert_eq!(threads(root.path(), &per_task, 8), (3, "SLURM_CPUS_PER_TASK".into()));
        assert_eq!(threads(root.path(), &[("SLURM_CPUS_ON_NODE", "4")], 8).0, 4);
        let step =
            [("SLURM_CPUS_ON_NODE", "4"), ("SLURM_STEP_ID", "0"), ("SLURM_STEP_TASKS_PER_NODE", "2(x2)")];
        assert_eq!(threads(root.path(), &step, 8), (2, "SLURM_CPUS_ON_NODE".into()));
        assert_eq!(threads(root.path(), &[("SLURM_CPUS_PER_TASK", "many")], 8).0, 8);
    }
}
