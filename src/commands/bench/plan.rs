//! Options and machine -> the works that will be run, on how many threads, how often.

use super::Options;
use super::options::ThreadCount;
use super::works::{self, Work};
use crate::commands::Context;
use crate::error::Result;
use serde::Serialize;
use std::fmt;

/// What will run.
#[derive(Debug, Clone, Serialize)]
pub struct Plan {
    /// Works in the order in which they run.
    pub works: Vec<Work>,
    /// Numbers of threads, each once.
    pub threads: Vec<usize>,
}

/// Makes the plan.
///
/// # Errors
/// No work has one of the names asked for.
pub fn plan(options: &Options, context: &Context) -> Result<Plan> {
    let works = options.groups.iter().flat_map(|&group| works::of(group, options.size)).collect();
    let mut threads: Vec<usize> = Vec::new();
    for count in &options.threads {
        let count = match count {
            ThreadCount::Count(count) => *count,
            ThreadCount::All => context.threads,
        };
        if !threads.contains(&count) {
            threads.push(count);
        }
    }
    Ok(Plan { works, threads })
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for work in &self.works {
            writeln!(f, "{:<32}{}", work.name, work.about)?;
        }
        Ok(())
    }
}
