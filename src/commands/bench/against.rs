//! `--against`: works side by side, pure.

use super::results::BenchResult;

/// The table of `own` beside each of `peers`.
pub fn table(_own: &BenchResult, _peers: &[BenchResult], _markdown: bool) -> String {
    String::new()
}
