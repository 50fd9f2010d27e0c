//! `--baseline`: what got slower since an earlier result. Pure.

use super::results::{BenchResult, HostFacts, WorkResult};
use super::table::{Table, percent};
use crate::report::text::seconds;

/// Stages that take a smaller share of their work are not judged by themselves.
const SHARE: f64 = 0.1;
/// Nor are those whose growth is below the clock's grain and a scheduler's whim, s.
const GRAIN: f64 = 2e-3;
/// Stages that wait for the disk vary with it from one bench to the next: they are named where their work
/// got slower, and are no failure by themselves.
const DISK: [&str; 2] = ["write", "finish"];
/// A difference of fewer spreads (of both results together) is within noise.
const SPREADS: f64 = 3.0;
/// Spread of a work of which there are too few runs to tell it.
const UNKNOWN: f64 = 0.05;
const FEW: usize = 3;
/// More than this is not put down to the machine, however noisy it was.
const MOST_NOISE: f64 = 0.5;

/// What a comparison of two times says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Longer than allowed, and by more than the spread.
    Slower,
    /// Longer than allowed, by less than the runs differ among themselves.
    WithinNoise,
    /// As it should be.
    Fine,
}

/// One time against its earlier one.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Work and threads, as people say them.
    pub name: String,
    /// A stage of it; none for the whole.
    pub stage: Option<String>,
    /// Median before, s.
    pub before: f64,
    /// Median now, s.
    pub now: f64,
    /// What to think of it.
    pub verdict: Verdict,
}

impl Row {
    /// Times as long.
    pub fn ratio(&self) -> f64 {
        self.now / self.before
    }

    /// One line for people who only read the last one.
    pub fn line(&self, allowed: f64) -> String {
        let stage = self.stage.as_ref().map_or(String::new(), |stage| format!(", stage {stage}"));
        format!(
            "{}{stage}: {} instead of {}, {:.2}x; allowed are {allowed}x",
            self.name,
            seconds(self.now),
            seconds(self.before),
            self.ratio()
        )
    }
}

/// Why two results are of different machines, if they are.
pub fn strange(own: &HostFacts, earlier: &HostFacts) -> Option<String> {
    let differs = [
        ("processor", own.cpu.clone(), earlier.cpu.clone()),
        ("instruction set", own.level.clone(), earlier.level.clone()),
        ("cores allowed", own.cores_allowed.to_string(), earlier.cores_allowed.to_string()),
    ];
    let found = differs.into_iter().find(|(_, own, earlier)| own != earlier);
    found.map(|(what, own, earlier)| format!("{what} {earlier}, here {own}"))
}

/// Every work that both have, and its stages.
pub fn compare(own: &BenchResult, earlier: &BenchResult, allowed: f64) -> Vec<Row> {
    let mut rows = Vec::new();
    let noise = own.noise.spread.max(earlier.noise.spread).min(MOST_NOISE);
    for now in &own.works {
        let same = |before: &&WorkResult| {
            before.work == now.work && before.threads == now.threads && before.backend == now.backend
        };
        let Some(before) = earlier.works.iter().find(same) else { continue };
        let plural = if now.threads == 1 { "" } else { "s" };
        let name = format!("{} with {} thread{plural}", now.work, now.threads);
        let judge = |stage: Option<&str>, times: (f64, f64), spread: f64| {
            let (before, now) = times;
            let verdict = match now / before {
                ratio if ratio.is_nan() || ratio <= allowed => Verdict::Fine,
                ratio if ratio - 1.0 <= noise.max(SPREADS * spread) || now - before < GRAIN => {
                    Verdict::WithinNoise
                }
                _ => Verdict::Slower,
            };
            Row { name: name.clone(), stage: stage.map(str::to_owned), before, now, verdict }
        };
        let few = [before, now].into_iter().filter(|work| work.runs_s.len() < FEW).count() as f64 * UNKNOWN;
        rows.push(judge(None, (before.wall_s, now.wall_s), few + before.spread + now.spread));
        let slower = rows.last().is_some_and(|row| row.verdict == Verdict::Slower);
        for stage in &now.stages {
            let Some(earlier) = before.stages.iter().find(|s| s.name == stage.name) else { continue };
            let disk = DISK.contains(&stage.name.as_str()) && !slower;
            if stage.wall_s >= SHARE * now.wall_s && !disk {
                let times = (earlier.wall_s, stage.wall_s);
                rows.push(judge(Some(&stage.name), times, few + earlier.spread + stage.spread));
            }
        }
    }
    rows
}

/// Works as a whole, and stages that are slower.
pub fn table(rows: &[Row], allowed: f64) -> Table {
    let mut table = Table::new(&["compared with the baseline", "before", "now", "ratio", ""], &[0, 4]);
    for row in rows.iter().filter(|row| row.stage.is_none() || row.verdict == Verdict::Slower) {
        let stage = row.stage.as_ref().map_or(String::new(), |stage| format!(", stage {stage}"));
        let verdict = match row.verdict {
            Verdict::Slower => format!("slower than {allowed}x"),
            Verdict::WithinNoise => "within noise".into(),
            Verdict::Fine if row.ratio() < 1.0 / allowed => format!("faster, {}", percent(row.ratio() - 1.0)),
            Verdict::Fine => String::new(),
        };
        table.row(vec![
            format!("{}{stage}", row.name),
            seconds(row.before),
            seconds(row.now),
            format!("{:.2}x", row.ratio()),
            verdict,
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::super::results::StageResult;
    use super::*;

    fn result(wall_s: f64, spread: f64, stage: f64) -> BenchResult {
        let stages =
            vec![StageResult { name: "grid".into(), wall_s: stage, spread, ..StageResult::default() }];
        let work = WorkResult {
            work: "a/b".into(),
            threads: 2,
            runs_s: vec![wall_s; 3],
            wall_s,
            spread,
            stages,
            ..WorkResult::default()
        };
        BenchResult { works: vec![work], ..super::super::results::empty() }
    }

    fn verdicts(own: &BenchResult, earlier: &BenchResult) -> Vec<Verdict> {
        compare(own, earlier, 1.2).iter().map(|row| row.verdict).collect()
    }

    #[test]
    fn slower_is_slower_only_beyond_the_spread() {
        let before = result(1.0, 0.01, 0.5);
        assert_eq!(verdicts(&result(1.1, 0.01, 0.5), &before), [Verdict::Fine; 2]);
        assert_eq!(verdicts(&result(1.5, 0.01, 0.5), &before), [Verdict::Slower, Verdict::Fine]);
        assert_eq!(verdicts(&result(1.5, 0.2, 0.5), &before), [Verdict::WithinNoise, Verdict::Fine]);
        // A stage that is hidden by others still counts.
        assert_eq!(verdicts(&result(1.1, 0.01, 0.9), &before), [Verdict::Fine, Verdict::Slower]);
        let line = compare(&result(1.5, 0.01, 0.9), &before, 1.2)[1].line(1.2);
        assert_eq!(
            line,
            "a/b with 2 threads, stage grid: 900.0 ms instead of 500.0 ms, 1.80x; allowed are 1.2x"
        );
    }

    #[test]
    fn few_runs_and_a_noisy_machine_are_given_the_benefit_of_the_doubt() {
        let before = result(1.0, 0.0, 0.5);
        let mut now = result(1.28, 0.0, 0.5);
        assert_eq!(verdicts(&now, &before)[0], Verdict::Slower);
        now.works[0].runs_s.truncate(1);
        assert_eq!(verdicts(&now, &before)[0], Verdict::Slower);
        let mut once = before.clone();
        once.works[0].runs_s.truncate(1);
        assert_eq!(verdicts(&now, &once)[0], Verdict::WithinNoise);
        let mut now = result(1.4, 0.0, 0.5);
        now.noise.spread = 0.45;
        assert_eq!(verdicts(&now, &before)[0], Verdict::WithinNoise);
        let mut now = result(1.6, 0.0, 0.5);
        now.noise.spread = 9.0;
        assert_eq!(verdicts(&now, &before)[0], Verdict::Slower);
    }

    #[test]
    fn a_slow_disk_alone_is_no_regression() {
        let named = |wall_s, stage| {
            let mut result = result(wall_s, 0.0, stage);
            result.works[0].stages[0].name = "write".into();
            result
        };
        assert_eq!(verdicts(&named(1.1, 0.9), &named(1.0, 0.3)), [Verdict::Fine]);
        assert_eq!(verdicts(&named(1.6, 0.9), &named(1.0, 0.3)), [Verdict::Slower; 2]);
    }

    #[test]
    fn only_what_both_have_is_compared_and_microseconds_are_not() {
        let mut other = result(9.0, 0.0, 9.0);
        other.works[0].threads = 1;
        assert!(compare(&other, &result(1.0, 0.0, 1.0), 1.2).is_empty());
        let (slow, quick) = (result(0.002, 0.0, 0.002), result(0.001, 0.0, 0.001));
        assert_eq!(verdicts(&slow, &quick), [Verdict::WithinNoise; 2]);
    }

    #[test]
    fn another_machine_is_told_by_what_differs() {
        let own =
            HostFacts { cpu: "A".into(), level: "avx2".into(), cores_allowed: 2, ..HostFacts::default() };
        assert_eq!(strange(&own, &own.clone()), None);
        let other = HostFacts { cores_allowed: 8, ..own.clone() };
        assert_eq!(strange(&own, &other).unwrap(), "cores allowed 8, here 2");
    }
}
