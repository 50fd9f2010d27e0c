//! Event streams: replayed as fast as the decoder takes them, and paced by their own clock.

use super::{CONFIG, INPUT, Input, Job, OUTPUT, Work, words};
use crate::commands::bench::options::{Group, Size};
use crate::commands::bench::synth::events::Events;

/// Name, stream, paced, least size.
type Shape = (&'static str, Events, bool, Size);

#[rustfmt::skip]
const SHAPES: [Shape; 5] = [
    ("electrodes8_2k", Events { electrodes: 8, marks: 2000, seconds: 60 }, false, Size::Quick),
    ("electrodes32_10k", Events { electrodes: 32, marks: 10_000, seconds: 300 }, false, Size::Standard),
    ("paced32_2k", Events { electrodes: 32, marks: 2000, seconds: 60 }, true, Size::Standard),
    ("electrodes32_50k", Events { electrodes: 32, marks: 50_000, seconds: 1800 }, false, Size::Full),
    ("paced32_20k", Events { electrodes: 32, marks: 20_000, seconds: 600 }, true, Size::Full),
];

/// Works of a size.
pub(super) fn works(size: Size) -> Vec<Work> {
    SHAPES.iter().filter(|shape| shape.3 <= size).map(work).collect()
}

fn work(&(name, events, paced, _): &Shape) -> Work {
    let Events { electrodes, marks, seconds } = events;
    let flags = format!("decode --stream {INPUT} -o {OUTPUT} --realtime-config {CONFIG}");
    let mut command = words(&flags);
    if paced {
        command.push("--paced".into());
    }
    Work {
        name: format!("stream/{name}"),
        group: Group::Stream,
        about: format!(
            "{electrodes} electrodes, {marks} marks each, {:.0} spikes a second each, {seconds} s of 6 ms ticks, {}",
            events.rate(),
            if paced { "at their own pace" } else { "at full speed" }
        ),
        input: Input::Events(events),
        job: Job::Program(command),
        output: "ticks.npy",
        // 123 posterior values of 8 bytes, as many of the likelihood, and what stands beside them.
        output_bytes: events.ticks() * 2048,
        memory: (24 << 20) + (electrodes * marks) as u64 * 64,
        items: events.ticks(),
        item: "ticks",
        single: &[],
        serial: true,
        long: paced || seconds > 1000,
    }
}
