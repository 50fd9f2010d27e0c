//! `nissl completions`: the script that makes a shell complete commands, flags and values.

use super::edge;
use crate::error::{ExitCode, Result};
use clap::Args;
use clap_complete::Shell;

const EXAMPLES: &str = "\
Examples:
  nissl completions bash > ~/.local/share/bash-completion/completions/nissl
  nissl completions zsh > ~/.zfunc/_nissl
  nissl completions fish > ~/.config/fish/completions/nissl.fish";

/// Print the completion script of a shell
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

impl CompletionsArgs {
    /// Prints the script on stdout.
    pub(super) fn run(&self) -> Result<ExitCode> {
        edge::print(&render(self.shell))?;
        Ok(ExitCode::Done)
    }
}

/// The completion script of `shell`.
pub fn render(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut super::command(), "nissl", &mut script);
    script
}
