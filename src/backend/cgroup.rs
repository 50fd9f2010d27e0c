//! Limits of control groups, versions 1 and 2, found from the process's own group upwards.
//!
//! A limit anywhere on the way to the root binds, so all parents are asked. Inside a container the
//! mount shows only part of the tree; `mountinfo` says which, and paths are cut accordingly.

use super::Surroundings;

/// Folders of the groups that bind this process for one controller, the innermost first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Groups {
    /// True for the unified tree (version 2).
    pub unified: bool,
    /// Absolute paths without a trailing slash.
    pub folders: Vec<String>,
}

/// The trees in which `controller` (`cpu`, `memory`) may limit this process: at most one of
/// version 1 and one of version 2.
pub fn groups(around: &Surroundings, controller: &str) -> Vec<Groups> {
    let (Some(membership), Some(mounts)) =
        (around.read("/proc/self/cgroup"), around.read("/proc/self/mountinfo"))
    else {
        return Vec::new();
    };
    [false, true]
        .into_iter()
        .filter_map(|unified| {
            let path = own_path(&membership, controller, unified)?;
            let (mount_root, mount_point) = mount_of(&mounts, controller, unified)?;
            Some(Groups { unified, folders: folders(&mount_root, &mount_point, path) })
        })
        .collect()
}

/// The process's path in the tree of `controller`, from `/proc/self/cgroup`:
/// `4:memory:/user/job` in version 1, `0::/user/job` in version 2.
fn own_path<'a>(membership: &'a str, controller: &str, unified: bool) -> Option<&'a str> {
    membership.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':');
        let (number, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        let fits = if unified {
            number == "0" && controllers.is_empty()
        } else {
            controllers.split(',').any(|c| c == controller)
        };
        fits.then_some(path)
    })
}

/// Root (inside the tree) and mount point of the tree of `controller`, from `mountinfo`.
fn mount_of(mounts: &str, controller: &str, unified: bool) -> Option<(String, String)> {
    mounts.lines().find_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        let mut tail = after.split(' ');
        let (kind, options) = (tail.next()?, tail.nth(1)?);
        let fits = match kind {
            "cgroup2" => unified,
            "cgroup" => !unified && options.split(',').any(|o| o == controller),
            _ => false,
        };
        let mut fields = before.split(' ').skip(3);
        fits.then(|| Some((unescape(fields.next()?), unescape(fields.next()?))))?
    })
}

/// Undoes the kernel's `\040` for a blank.
fn unescape(field: &str) -> String {
    field.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")
}

/// All folders from the process's own group up to the mount point.
fn folders(mount_root: &str, mount_point: &str, path: &str) -> Vec<String> {
    let root = mount_root.trim_end_matches('/');
    // A path outside of the mounted part (another namespace) leaves only the mount point itself.
    let below = match path.strip_prefix(root) {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => rest.trim_matches('/'),
        _ => "",
    };
    let point = mount_point.trim_end_matches('/');
    let mut found = vec![point.to_owned()];
    let mut folder = point.to_owned();
    for part in below.split('/').filter(|p| !p.is_empty() && *p != "..") {
        folder = format!("{folder}/{part}");
        found.push(folder.clone());
    }
    found.reverse();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_are_listed_up_to_the_mount_point() {
        assert_eq!(
            folders("/", "/sys/fs/cgroup", "/a/b"),
            ["/sys/fs/cgroup/a/b", "/sys/fs/cgroup/a", "/sys/fs/cgroup"]
        );
    }

    #[test]
    fn a_container_sees_its_own_group_at_the_mount_point() {
        assert_eq!(
            folders("/docker/9f", "/sys/fs/cgroup", "/docker/9f/x"),
            ["/sys/fs/cgroup/x", "/sys/fs/cgroup"]
        );
        assert_eq!(folders("/docker/9f", "/sys/fs/cgroup", "/../other"), ["/sys/fs/cgroup"]);
        assert_eq!(folders("/docker/9", "/sys/fs/cgroup", "/docker/99"), ["/sys/fs/cgroup"]);
    }

    #[test]
    fn controllers_that_share_a_tree_are_told_apart() {
        let membership = "4:memory:/job\n3:cpu,cpuacct:/both\n0::/unified\n";
        assert_eq!(own_path(membership, "cpu", false), Some("/both"));
        assert_eq!(own_path(membership, "memory", false), Some("/job"));
        assert_eq!(own_path(membership, "cpu", true), Some("/unified"));
        let mounts = "30 25 0:26 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n\
                      31 25 0:27 /part /sys/fs/a\\040b rw shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";
        assert_eq!(mount_of(mounts, "cpu", false), Some(("/".into(), "/sys/fs/cgroup/cpu,cpuacct".into())));
        assert_eq!(mount_of(mounts, "cpu", true), Some(("/part".into(), "/sys/fs/a b".into())));
        assert_eq!(mount_of(mounts, "memory", false), None);
    }
}
