//! The table of `--verify` (pure): one row for each case as written, and one more for each of its
//! runs that does not hold.

use super::compare::{Worst, number};
use super::find::Found;
use super::{Judged, Verdict};
use crate::commands::bench::table::Table;
use crate::error::{Error, ExitCode};
use crate::report::text::seconds;

/// A row.
#[derive(Debug, Default)]
pub struct Row {
    case: String,
    runs: usize,
    cells: usize,
    worst: Option<(String, Worst)>,
    /// Of several runs, whose it is.
    worst_run: String,
    /// What would have been allowed, in words.
    allowed: String,
    verdict: Kind,
    /// Why it does not hold.
    why: Option<String>,
}

/// A verdict's name.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
enum Kind {
    #[default]
    Holds,
    Differs,
    Bad,
    Skipped,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Holds => "ok",
            Kind::Differs => "DIFFERS",
            Kind::Bad => "BAD CASE",
            Kind::Skipped => "skipped",
        }
    }
}

/// Rows in the order of the cases.
pub fn rows(found: &Found, judged: &[Judged]) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let mut of_family: Option<(usize, usize)> = None;
    for (run, judged) in found.runs.iter().zip(judged) {
        let (kind, why) = match &judged.verdict {
            Verdict::Holds => (Kind::Holds, None),
            Verdict::Differs(why) => (Kind::Differs, Some(why.clone())),
            Verdict::Bad(error) => (Kind::Bad, Some(error.to_string())),
            Verdict::Skipped(why) => (Kind::Skipped, Some((*why).to_owned())),
        };
        // What holds is told together, by the name as written where it has several runs.
        let joined = matches!(kind, Kind::Holds | Kind::Skipped);
        let at = match of_family {
            Some((family, at)) if joined && family == run.family && rows[at].verdict == kind => at,
            _ => {
                rows.push(Row { case: run.id.clone(), verdict: kind, why, ..Row::default() });
                rows.len() - 1
            }
        };
        if joined {
            of_family = Some((run.family, at));
        }
        let row = &mut rows[at];
        row.runs += 1;
        row.cells += judged.cells;
        if row.runs == 2 {
            row.case.clone_from(&found.families[run.family]);
        }
        if row.allowed.is_empty() {
            row.allowed.clone_from(&judged.allowed);
        }
        if let Some((output, worst)) = &judged.worst
            && row.worst.as_ref().is_none_or(|(_, most)| worst.worse_than(most))
        {
            row.worst = Some((format!("{output} {}", worst.place), worst.clone()));
            row.worst_run.clone_from(&run.case.name);
        }
    }
    rows
}

impl Row {
    /// The line on stderr of a case that does not hold.
    pub fn lines(&self) -> Option<Error> {
        let why = self.why.as_deref().unwrap_or_default();
        let code = match self.verdict {
            Kind::Differs => ExitCode::Mismatch,
            Kind::Bad => ExitCode::BadData,
            Kind::Holds | Kind::Skipped => return None,
        };
        Some(Error::Refused(format!("{}: {why}", self.case), code))
    }

    fn texts(&self) -> Vec<String> {
        let (place, apart, allowed) = match &self.worst {
            Some((place, worst)) => {
                let run = if self.runs > 1 { format!("{}, ", self.worst_run) } else { String::new() };
                (run + place, difference(worst), short(worst.allowed))
            }
            None if self.cells > 0 => (String::new(), "0".into(), self.allowed.clone()),
            None => (String::new(), String::new(), String::new()),
        };
        let count = |n: usize| if n == 0 { String::new() } else { n.to_string() };
        let verdict = self.verdict.name().to_owned();
        vec![self.case.clone(), self.runs.to_string(), count(self.cells), apart, allowed, place, verdict]
    }
}

/// By how much; where that is no number, what stands instead of what.
fn difference(worst: &Worst) -> String {
    if worst.apart.is_finite() {
        return short(worst.apart);
    }
    let text = format!("{} for {}", worst.found, worst.expected);
    if text.chars().count() <= 30 { text } else { text.chars().take(27).chain("...".chars()).collect() }
}

/// Two digits tell enough of a difference.
fn short(value: f64) -> String {
    if value == 0.0 || !value.is_finite() { number(value) } else { format!("{value:.1e}") }
}

/// How many of each.
#[derive(Debug, PartialEq)]
pub struct Tally {
    runs: usize,
    cells: usize,
    differ: usize,
    bad: usize,
    skipped: usize,
}

impl Tally {
    /// Counts; `bad` cases and files.
    pub fn of(rows: &[Row], bad: usize) -> Tally {
        let runs = |kind: Kind| rows.iter().filter(|row| row.verdict == kind).map(|row| row.runs).sum();
        Tally {
            runs: rows.iter().map(|row| row.runs).sum(),
            cells: rows.iter().map(|row| row.cells).sum(),
            differ: runs(Kind::Differs),
            bad,
            skipped: runs(Kind::Skipped),
        }
    }

    /// The line under the table.
    pub fn told(&self, elapsed_s: f64) -> String {
        let Tally { runs, cells, differ, bad, skipped } = self;
        let verdict = match (differ, bad) {
            (0, 0) => "all within tolerance".to_owned(),
            (differ, 0) => format!("{differ} DIFFER"),
            (0, bad) => format!("{bad} BAD"),
            (differ, bad) => format!("{differ} DIFFER, {bad} BAD"),
        };
        let skipped = if *skipped > 0 { format!(", {skipped} skipped") } else { String::new() };
        format!("\n{runs} runs, {cells} values compared in {}: {verdict}{skipped}\n", seconds(elapsed_s))
    }

    /// A mismatch weighs more than a file that cannot be read.
    pub fn code(&self) -> ExitCode {
        match (self.differ, self.bad) {
            (0, 0) => ExitCode::Done,
            (0, _) => ExitCode::BadData,
            _ => ExitCode::Mismatch,
        }
    }
}

const HEADS: [&str; 7] = ["case", "runs", "values", "worst difference", "allowed", "where", "verdict"];
/// Columns of words.
const WORDS: [usize; 5] = [0, 3, 4, 5, 6];

/// The table, plain or as Markdown.
pub fn table(rows: &[Row], markdown: bool) -> String {
    let mut table = Table::new(&HEADS, &WORDS);
    rows.iter().for_each(|row| table.row(row.texts()));
    table.render(markdown)
}
