//! The program: reads its command line, runs it, returns an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(nissl::cli::run(std::env::args_os().collect()) as u8)
}
