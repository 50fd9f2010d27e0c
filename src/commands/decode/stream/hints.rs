//! What a thread may ask of the system to be on time: class, core, memory that stays.
//!
//! All of it is a wish: where the system says no, the run goes on with a warning that tells what
//! would help. Asked for by the ticking thread, after the others have started, so that only this
//! one is favoured.

use rustix::mm::{MlockAllFlags, mlockall};
use rustix::thread::{CpuSet, gettid, sched_setaffinity};
use std::process::Command;

/// Wishes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Hints {
    /// Priority in the real-time class `SCHED_FIFO`, 1 to 99.
    pub priority: Option<u8>,
    /// The only core to run on.
    pub core: Option<usize>,
    /// Keep all memory resident.
    pub lock_memory: bool,
}

impl Hints {
    /// Asks for them on behalf of the calling thread; what was refused, with advice.
    pub fn ask(&self) -> Vec<String> {
        let mut refused = Vec::new();
        refused.extend(self.core.and_then(pin));
        if self.lock_memory
            // What is there by now: locking the future, too, would turn a limit into failed allocations.
            && let Err(error) = mlockall(MlockAllFlags::CURRENT)
        {
            refused.push(format!(
                "--lock-memory: the system refuses ({error}); raise the limit (ulimit -l unlimited, or memlock in \
                 /etc/security/limits.conf) or grant CAP_IPC_LOCK"
            ));
        }
        refused.extend(self.priority.and_then(real_time));
        refused
    }
}

fn pin(core: usize) -> Option<String> {
    let bad =
        |reason: String| Some(format!("--pin-core {core}: {reason}; the thread runs on any allowed core"));
    if core >= CpuSet::MAX_CPU {
        return bad(format!("cores are counted from 0 to {}", CpuSet::MAX_CPU - 1));
    }
    let mut only = CpuSet::new();
    only.set(core);
    match sched_setaffinity(None, &only) {
        Ok(()) => None,
        Err(error) => bad(format!("the system refuses ({error}): is it one of the cores of this process?")),
    }
}

/// The class is set by `chrt` of util-linux: none of the libraries here can without unsafe code.
fn real_time(priority: u8) -> Option<String> {
    let thread = gettid().as_raw_nonzero().get().to_string();
    let mut chrt = Command::new("chrt");
    chrt.args(["--fifo", "--pid", &priority.to_string(), &thread]);
    // What it says is caught: the reason is told here.
    let reason = match chrt.output() {
        Ok(ended) if ended.status.success() => return None,
        Ok(_) => "the system refuses it".to_owned(),
        Err(_) => "chrt (util-linux) is not installed".to_owned(),
    };
    let nicer = rustix::process::setpriority_process(None, -20).is_ok();
    let instead =
        if nicer { "the highest normal priority was taken" } else { "the priority stays as it was" };
    Some(format!(
        "--realtime-priority {priority}: {reason}; {instead}. Grant it with rtprio in /etc/security/limits.conf, \
         or start by: sudo chrt --fifo {priority} nissl ..."
    ))
}

/// Class and priority of the calling thread, as the system has them.
pub fn scheduling() -> Option<String> {
    let stat = std::fs::read_to_string("/proc/thread-self/stat").ok()?;
    class(&stat)
}

/// From a line of `/proc/.../stat`: fields 19 (nice), 40 (real-time priority) and 41 (policy).
fn class(stat: &str) -> Option<String> {
    // The name in brackets may hold blanks; fields from the third on follow it.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let field = |number: usize| fields.get(number - 3).copied();
    Some(match field(41)? {
        "0" => format!("normal, nice {}", field(19)?),
        "1" => format!("fifo, priority {}", field(40)?),
        "2" => format!("round robin, priority {}", field(40)?),
        other => format!("policy {other}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_class_is_read_from_the_line_of_the_system() {
        let fields = |policy: &str| {
            let mut fields = vec!["0"; 50];
            (fields[16], fields[37], fields[38]) = ("-5", "50", policy);
            format!("12 (a) name) R {}", fields[1..].join(" "))
        };
        assert_eq!(class(&fields("0")).unwrap(), "normal, nice -5");
        assert_eq!(class(&fields("1")).unwrap(), "fifo, priority 50");
        assert_eq!(class("nonsense"), None);
        assert!(scheduling().is_some());
    }

    #[test]
    fn a_core_that_is_not_there_is_told_and_nothing_fails() {
        let hints = Hints { core: Some(1 << 20), ..Hints::default() };
        let told = hints.ask();
        assert!(told.len() == 1 && told[0].contains("--pin-core"), "{told:?}");
        assert_eq!(Hints::default().ask(), [""; 0]);
    }
}
