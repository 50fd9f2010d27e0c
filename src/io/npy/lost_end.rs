//! What happens when a mapped file loses its end while it is read: the system sends SIGBUS to whoever
//! touches what is gone. By default that is a crash without a word; here it is one line and an exit
//! code.

use crate::error::{Error, Result};
use rustix::io::write;
use signal_hook::consts::SIGBUS;
use signal_hook::low_level;
use std::os::fd::BorrowedFd;
use std::path::Path;

/// The number of standard error.
const STDERR: i32 = 2;

/// From now on a lost end ends the process with `line` on standard error and `code`; temporary files
/// stay, as after a kill.
///
/// # Errors
/// The system refuses the handler.
pub fn told_as(line: String, code: i32) -> Result<()> {
    let end = move || {
        // SAFETY: standard error is never closed by this program, and nothing but this write uses the
        // descriptor here.
        let stderr = unsafe { BorrowedFd::borrow_raw(STDERR) };
        // Nobody is left to be told of a failure.
        let _ = write(stderr, line.as_bytes());
        low_level::exit(code);
    };
    // SAFETY: the handler reads bytes made before it was installed and makes two system calls, write
    // and _exit, both allowed in a handler; it allocates nothing, takes no lock and does not return.
    let registered = unsafe { low_level::register(SIGBUS, end) };
    registered.map(drop).map_err(Error::io(Path::new("SIGBUS"), "handle"))
}
