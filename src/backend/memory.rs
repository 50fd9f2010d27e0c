//! How much memory a run may use, and how much it did use.
//!
//! The default is 80 % of the least of: memory available on the machine, room left in the
//! cgroup and its parents, SLURM's grant. File cache that the kernel can drop counts as room.

use super::{Surroundings, cgroup};
use serde::Serialize;

/// Assumed where a system tells nothing about its memory.
const UNKNOWN: u64 = 2 << 30;

/// A memory limit and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MemoryLimit {
    /// Bytes, at least 1.
    pub bytes: u64,
    /// What set it: `80 % of available RAM`, `80 % of SLURM_MEM_PER_NODE`, `--memory`.
    pub why: String,
}

/// All memory a run could use at most, before the share of 80 %.
pub fn available(around: &Surroundings) -> MemoryLimit {
    let found = [
        (meminfo(around, "MemAvailable"), "available RAM"),
        (room_in_cgroups(around), "room in the cgroup"),
        slurm(around).map_or((None, ""), |(bytes, name)| (Some(bytes), name)),
    ];
    let least = found.into_iter().filter_map(|(bytes, why)| Some((bytes?, why))).min_by_key(|&(b, _)| b);
    let (bytes, why) = least.unwrap_or((UNKNOWN, "an assumed 2G, since this system does not tell"));
    MemoryLimit { bytes: bytes.max(1), why: why.into() }
}

/// The default limit: 80 % of [`available`].
pub fn allowed(around: &Surroundings) -> MemoryLimit {
    let all = available(around);
    MemoryLimit { bytes: (all.bytes / 5 * 4).max(1), why: format!("80 % of {}", all.why) }
}

/// RAM of the whole machine, bytes, where the system tells.
pub fn installed(around: &Surroundings) -> Option<u64> {
    meminfo(around, "MemTotal")
}

/// The most memory this process ever held, mapped pages included, bytes; `None` where the
/// system does not tell.
pub fn peak_rss(around: &Surroundings) -> Option<u64> {
    kib_field(&around.read("/proc/self/status")?, "VmHWM")
}

fn meminfo(around: &Surroundings, field: &str) -> Option<u64> {
    kib_field(&around.read("/proc/meminfo")?, field)
}

/// `Name:   123 kB` as bytes.
fn kib_field(text: &str, field: &str) -> Option<u64> {
    let line = text.lines().find_map(|l| l.strip_prefix(field)?.strip_prefix(':'))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// What SLURM grants this task, bytes, and the variable that says so. SLURM counts in MiB; the
/// grant of a node is shared by the tasks of a step.
fn slurm(around: &Surroundings) -> Option<(u64, &'static str)> {
    let tasks = around.tasks_on_node();
    if let Some(mib) = around.count("SLURM_MEM_PER_NODE") {
        return Some((mib.saturating_mul(1 << 20) / tasks, "SLURM_MEM_PER_NODE"));
    }
    let mib = around.count("SLURM_MEM_PER_CPU")?;
    let cpus = around
        .count("SLURM_CPUS_PER_TASK")
        .or_else(|| around.count("SLURM_CPUS_ON_NODE").map(|n| (n / tasks).max(1)))
        .unwrap_or(1);
    Some((mib.saturating_mul(cpus).saturating_mul(1 << 20), "SLURM_MEM_PER_CPU x CPUs"))
}

/// The least room (limit minus what cannot be dropped) over the own cgroup and its parents.
fn room_in_cgroups(around: &Surroundings) -> Option<u64> {
    let trees = cgroup::groups(around, "memory");
    let folders = trees.iter().flat_map(|t| t.folders.iter().map(move |folder| (t.unified, folder)));
    folders.filter_map(|(unified, folder)| room(around, unified, folder)).min()
}

fn room(around: &Surroundings, unified: bool, folder: &str) -> Option<u64> {
    let number = |name: &str| around.read(&format!("{folder}/{name}"))?.trim().parse::<u64>().ok();
    let (limit, used, cache) = if unified {
        // memory.high does not kill, but slows down to a crawl: it is a limit as well.
        let limit = [number("memory.max"), number("memory.high")].into_iter().flatten().min()?;
        (limit, number("memory.current")?, ["inactive_file", "active_file"])
    } else {
        let limit = number("memory.limit_in_bytes")?;
        (limit, number("memory.usage_in_bytes")?, ["total_inactive_file", "total_active_file"])
    };
    let statistics = around.read(&format!("{folder}/memory.stat")).unwrap_or_default();
    let droppable: u64 = cache.iter().filter_map(|field| stat_field(&statistics, field)).sum();
    Some(limit.saturating_sub(used.saturating_sub(droppable)))
}

/// `name 123` in bytes.
fn stat_field(text: &str, field: &str) -> Option<u64> {
    text.lines().find_map(|l| l.strip_prefix(field)?.strip_prefix(' '))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    const MIB: u64 = 1 << 20;

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        root
    }

    fn found(root: &Path, variables: &[(&str, &str)]) -> (u64, String) {
        let limit = available(&Surroundings::made_up(root, variables, 4));
        (limit.bytes, limit.why)
    }

    const MEMINFO: (&str, &str) =
        ("proc/meminfo", "MemTotal:  8388608 kB\nMemFree: 1 kB\nMemAvailable:  4194304 kB\n");

    #[test]
    fn four_fifths_of_what_is_available() {
        let root = tree(&[MEMINFO]);
        assert_eq!(found(root.path(), &[]), (4096 * MIB, "available RAM".into()));
        let limit = allowed(&Surroundings::made_up(root.path(), &[], 4));
        assert_eq!((limit.bytes, limit.why.as_str()), (4096 * MIB / 5 * 4, "80 % of available RAM"));
        assert_eq!(installed(&Surroundings::made_up(root.path(), &[], 4)), Some(8192 * MIB));
    }

    #[test]
    fn a_group_leaves_its_limit_minus_what_cannot_be_dropped() {
        let root = tree(&[
            MEMINFO,
            ("proc/self/cgroup", "4:memory:/job/step\n"),
            ("proc/self/mountinfo", "30 25 0:26 / /cg/memory rw - cgroup cgroup rw,memory\n"),
            ("cg/memory/job/step/memory.limit_in_bytes", "9223372036854771712\n"),
            ("cg/memory/job/step/memory.usage_in_bytes", "1048576\n"),
            ("cg/memory/job/memory.limit_in_bytes", "104857600\n"),
            ("cg/memory/job/memory.usage_in_bytes", "41943040\n"),
            ("cg/memory/job/memory.stat", "total_inactive_file 20971520\ntotal_active_file 10485760\n"),
        ]);
        assert_eq!(found(root.path(), &[]), (90 * MIB, "room in the cgroup".into()));
    }

    #[test]
    fn the_unified_tree_and_its_soft_limit_bind_too() {
        let root = tree(&[
            MEMINFO,
            ("proc/self/cgroup", "0::/job\n"),
            ("proc/self/mountinfo", "30 25 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"),
            ("sys/fs/cgroup/job/memory.max", "max\n"),
            ("sys/fs/cgroup/job/memory.high", "524288000\n"),
            ("sys/fs/cgroup/job/memory.current", "104857600\n"),
        ]);
        assert_eq!(found(root.path(), &[]).0, 400 * MIB);
    }

    #[test]
    fn slurm_grants_are_counted_in_mebibytes_and_shared_by_tasks() {
        let root = tree(&[MEMINFO]);
        assert_eq!(
            found(root.path(), &[("SLURM_MEM_PER_NODE", "100")]),
            (100 * MIB, "SLURM_MEM_PER_NODE".into())
        );
        let step =
            [("SLURM_MEM_PER_NODE", "100"), ("SLURM_STEP_ID", "0"), ("SLURM_STEP_TASKS_PER_NODE", "2")];
        assert_eq!(found(root.path(), &step).0, 50 * MIB);
        let per_cpu = [("SLURM_MEM_PER_CPU", "100"), ("SLURM_CPUS_PER_TASK", "3")];
        assert_eq!(found(root.path(), &per_cpu).0, 300 * MIB);
        assert_eq!(found(root.path(), &[("SLURM_MEM_PER_NODE", "0")]).0, 4096 * MIB);
    }

    #[test]
    fn a_system_that_tells_nothing_gets_a_cautious_limit() {
        let root = tree(&[]);
        let (bytes, why) = found(root.path(), &[]);
        assert_eq!(bytes, UNKNOWN);
        assert!(why.contains("assumed"), "{why}");
    }
}
