//! `--verify`: every reference below a folder, run through the program and compared.
//!
//! A case is run as a user would run it, by this program as a child process in a temporary folder;
//! what it leaves is compared with what is stored ([`case`] tells what a case is). All cases run,
//! whatever becomes of the others: differing ones end in exit code 3, bad case files in 65.

pub mod case;
mod child;
mod compare;
mod expand;
mod find;
mod focal;
mod judge;
pub mod load;
mod rows;
mod steps;

pub use child::{Terms, run as run_case};
pub use find::sum;
pub use judge::REPORT;

use super::options::ThreadCount;
use super::workplace::Workplace;
use super::{Answer, Options};
use crate::commands::Context;
use crate::error::{Error, ExitCode, Result};
use case::{Case, Expect};
use compare::{Compared, Worst};
use find::Found;
use judge::Sides;
use rows::Row;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

/// More children at once than this share the disk rather than the work.
const MOST_AT_ONCE: usize = 8;
/// Lines on stderr, at most.
const MOST_LINES: usize = 20;

/// What became of a run.
#[derive(Debug)]
enum Verdict {
    /// Everything is within its tolerance.
    Holds,
    /// Something is not, or the run ended in another way than it should.
    Differs(String),
    /// The case itself is at fault.
    Bad(Error),
    /// This build cannot run it.
    Skipped(&'static str),
}

/// A run and what became of it.
#[derive(Debug)]
struct Judged {
    verdict: Verdict,
    /// Values compared.
    cells: usize,
    /// The value that takes most of its tolerance: its output, and the difference.
    worst: Option<(String, Worst)>,
    /// The tolerances of its outputs, in words.
    allowed: String,
}

/// Runs `--verify`.
///
/// # Errors
/// No case is found, or the run was cancelled.
pub fn run(options: &Options, context: &Context) -> Result<Answer> {
    let folder = options.verify.as_deref().unwrap_or(Path::new("fixtures"));
    let found = find::cases(folder, &options.only)?;
    let at_once = at_once(options, context);
    let terms = Terms {
        program: &options.program,
        // Two show what one could hide; more would only wait for each other.
        threads: at_once.min(2),
        memory: context.memory / at_once as u64,
        backend: &options.backend,
        context,
    };
    let place = Workplace::make(options.work.as_deref(), 0)?;
    // Children run in folders of their own: a relative path would lead them astray.
    let at = place.folder().canonicalize().map_err(Error::io(place.folder(), "open"))?;
    let judged = judge_all(&found, &at, (at_once, terms))?;
    drop(place);
    let rows = rows::rows(&found, &judged);
    let lines: Vec<Error> = found.bad.into_iter().chain(rows.iter().flat_map(Row::lines)).collect();
    let bad = lines.iter().filter(|error| error.exit_code() != ExitCode::Mismatch).count();
    let tally = rows::Tally::of(&rows, bad);
    let text = rows::table(&rows, options.markdown) + &tally.told(context.recorder.elapsed_s());
    Ok(Answer { text, result: None, code: tally.code(), failures: shortened(lines) })
}

/// How many children run at once.
fn at_once(options: &Options, context: &Context) -> usize {
    let count = |count: &ThreadCount| match count {
        ThreadCount::Count(count) => *count,
        ThreadCount::All => context.threads,
    };
    options.threads.iter().map(count).max().unwrap_or(context.threads).clamp(1, MOST_AT_ONCE)
}

fn shortened(mut lines: Vec<Error>) -> Vec<Error> {
    if lines.len() > MOST_LINES {
        let more = lines.len() - MOST_LINES;
        let code = lines[MOST_LINES..].iter().map(Error::exit_code).next().unwrap_or(ExitCode::Mismatch);
        lines.truncate(MOST_LINES);
        lines.push(Error::Refused(format!("and {more} more, see the table"), code));
    }
    lines
}

/// Judges all runs, several at once; in their order.
fn judge_all(found: &Found, place: &Path, (at_once, terms): (usize, Terms)) -> Result<Vec<Judged>> {
    terms.context.recorder.expect(found.runs.len() as u64);
    let next = AtomicUsize::new(0);
    let worker = || -> Result<Vec<(usize, Judged)>> {
        let mut judged = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(run) = found.runs.get(at) else { return Ok(judged) };
            let out = place.join(at.to_string());
            let one = judge_one(&run.case, &found.files[run.file].folder, &out, terms);
            judged.push((at, one?));
            // Large outputs make room for those of others; what stays goes with the workplace.
            let _ = std::fs::remove_dir_all(&out);
            terms.context.recorder.advance(1);
        }
    };
    let parts = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..at_once).map(|_| scope.spawn(worker)).collect();
        threads.into_iter().map(|thread| thread.join()).collect::<Vec<_>>()
    });
    let mut judged = Vec::new();
    for part in parts {
        judged.extend(part.map_err(|_| Error::Failed("a thread of --verify panicked".into()))??);
    }
    judged.sort_by_key(|(at, _)| *at);
    Ok(judged.into_iter().map(|(_, judged)| judged).collect())
}

/// Runs a case and compares what it left.
///
/// # Errors
/// [`Error::Interrupted`] only: all else is the case's verdict.
fn judge_one(case: &Case, folder: &Path, out: &Path, terms: Terms) -> Result<Judged> {
    let allowed = case.expect.iter().map(Expect::allowed).find(|told| told != "0").unwrap_or("0".into());
    let mut judged = Judged { verdict: Verdict::Holds, cells: 0, worst: None, allowed };
    judged.verdict = match find::missing_feature(case) {
        Some(why) => Verdict::Skipped(why),
        None => match verdict(case, folder, out, terms, &mut judged) {
            Ok(verdict) => verdict,
            Err(Error::Interrupted) => return Err(Error::Interrupted),
            Err(error) => Verdict::Bad(error),
        },
    };
    Ok(judged)
}

fn verdict(case: &Case, folder: &Path, out: &Path, terms: Terms, judged: &mut Judged) -> Result<Verdict> {
    for (name, input) in &case.inputs {
        find::check_input(folder, name, input)?;
    }
    std::fs::create_dir(out).map_err(Error::io(out, "make the folder"))?;
    let ended = child::run(case, folder, out, terms)?;
    if ended.code != Some(i32::from(case.exit)) {
        let code = ended.code.map_or("a signal".to_owned(), |code| format!("code {code}"));
        return Ok(Verdict::Differs(format!("ended with {code}, expected {}: {}", case.exit, ended.said)));
    }
    let sides = Sides { case: folder, out, memory: terms.memory };
    let mut wrong = None;
    for expect in &case.expect {
        match judge::judge(expect, sides)? {
            Ok(compared) => wrong = wrong.or(take_in(compared, expect, judged)),
            Err(why) => wrong = wrong.or(Some(format!("{}: {why}", named(expect)))),
        }
    }
    Ok(wrong.map_or(Verdict::Holds, Verdict::Differs))
}

/// Output and pointer, for messages.
fn named(expect: &Expect) -> String {
    format!("{}{}", expect.output, expect.pointer.as_deref().unwrap_or_default())
}

/// Adds a comparison to the run's; what is wrong with it.
fn take_in(compared: Compared, expect: &Expect, judged: &mut Judged) -> Option<String> {
    judged.cells += compared.cells;
    let worst = compared.worst?;
    let name = named(expect);
    let wrong = (!compared.holds).then(|| {
        let Worst { place, found, expected, .. } = &worst;
        let of = format!("{} of {} values", compared.outside, compared.cells);
        format!("{name} {place}: {found} instead of {expected}; {of} beyond the tolerance")
    });
    if judged.worst.as_ref().is_none_or(|(_, most)| worst.worse_than(most)) {
        judged.worst = Some((name, worst));
    }
    wrong
}
