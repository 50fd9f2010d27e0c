//! How a request is cut: picks into runs of neighbouring channels, ranges at the borders of the
//! storage's own grid.

use crate::io::Block;
use std::ops::Range;

/// Unwanted channels between two wanted ones that are read along rather than sought over.
const JOINED_GAP: usize = 3;

/// Neighbouring channels that are read together, for the picks at `picks`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Run {
    pub channels: Range<usize>,
    pub picks: Range<usize>,
}

/// Cuts picks into runs of channels that follow each other closely.
pub(super) fn runs(picks: &[usize]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (at, &channel) in picks.iter().enumerate() {
        match runs.last_mut() {
            Some(run) if channel >= run.channels.end && channel - run.channels.end <= JOINED_GAP => {
                run.channels.end = channel + 1;
                run.picks.end = at + 1;
            }
            _ => runs.push(Run { channels: channel..channel + 1, picks: at..at + 1 }),
        }
    }
    runs
}

/// Cuts a range at multiples of `length`.
pub(super) fn cuts(range: &Range<usize>, length: usize) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let mut at = range.start;
    while at < range.end {
        let next = (at / length + 1).saturating_mul(length).min(range.end);
        parts.push(at..next);
        at = next;
    }
    parts
}

pub(super) fn block_of(epochs: &Range<usize>, channels: &Range<usize>, samples: &Range<usize>) -> Block {
    let axes = [epochs, channels, samples];
    Block {
        start: axes.iter().map(|range| range.start as u64).collect(),
        count: axes.iter().map(|range| range.len() as u64).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn picks_fall_into_runs_of_near_channels() {
        let run = |channels, picks| Run { channels, picks };
        assert_eq!(runs(&[0, 1, 2]), [run(0..3, 0..3)]);
        assert_eq!(runs(&[0, 4, 9]), [run(0..5, 0..2), run(9..10, 2..3)]);
        assert_eq!(runs(&[5, 2, 3]), [run(5..6, 0..1), run(2..4, 1..3)]);
        assert_eq!(runs(&[2, 2]), [run(2..3, 0..1), run(2..3, 1..2)]);
    }

    #[test]
    fn cuts_fall_on_multiples() {
        assert_eq!(cuts(&(3..10), 4), [3..4, 4..8, 8..10]);
        assert_eq!(cuts(&(0..10), usize::MAX), vec![std::ops::Range { start: 0, end: 10 }]);
        assert!(cuts(&(4..4), 3).is_empty());
    }
}
