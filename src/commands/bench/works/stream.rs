//! Event streams, replayed as fast as the decoder takes them.

use super::{CONFIG, INPUT, Input, Job, OUTPUT, Work, words};
use crate::commands::bench::options::{Group, Size};
use crate::commands::bench::synth::events::Events;

const SHAPES: [(&str, Events, Size); 3] = [
    ("electrodes8_2k", Events { electrodes: 8, marks: 2000, seconds: 60 }, Size::Quick),
    ("electrodes32_10k", Events { electrodes: 32, marks: 10_000, seconds: 300 }, Size::Standard),
    ("electrodes32_50k", Events { electrodes: 32, marks: 50_000, seconds: 1800 }, Size::Full),
];

/// Works of a size.
pub(super) fn works(size: Size) -> Vec<Work> {
    SHAPES.iter().filter(|shape| shape.2 <= size).map(|(name, events, _)| work(name, *events)).collect()
}

fn work(name: &str, events: Events) -> Work {
    let Events { electrodes, marks, seconds } = events;
    let flags = format!("decode --stream {INPUT} -o {OUTPUT} --realtime-config {CONFIG}");
    Work {
        name: format!("stream/{name}"),
        group: Group::Stream,
        about: format!("{electrodes} electrodes, {marks} marks each, {seconds} s of 6 ms ticks"),
        input: Input::Events(events),
        job: Job::Program(words(&flags)),
        output: "ticks.npy",
        // 123 posterior values of 8 bytes, as many of the likelihood, and what stands beside them.
        output_bytes: events.ticks() * 2048,
        memory: (60 << 20) + (electrodes * marks) as u64 * 64,
        items: events.ticks(),
        item: "ticks",
        single: &[],
        serial: true,
        long: seconds > 1000,
    }
}
