//! Recording sessions: the shapes of non_local_detector's profiling script (a line, 2 features), an
//! arena, and what a day of recording is.

use super::{INPUT, Input, Job, OUTPUT, Work, words};
use crate::commands::bench::options::{Group, Size};
use crate::commands::bench::synth::session::Session;

/// Name, position samples, time bins, electrodes, encoding and decoding spikes of each, bins, least size.
type Shape = (&'static str, usize, usize, usize, usize, usize, usize, Size);

/// Side of a bin in an arena, cm.
const BIN: f64 = 2.0;

#[rustfmt::skip]
const LINES: [Shape; 5] = [
    ("tiny", 100, 50, 4, 20, 10, 100, Size::Quick),
    ("small", 500, 100, 8, 50, 30, 200, Size::Standard),
    ("medium", 2000, 500, 16, 200, 100, 500, Size::Quick),
    ("large", 5000, 1000, 32, 500, 300, 1000, Size::Standard),
    ("realistic", 10_000, 2000, 64, 1000, 400, 2000, Size::Standard),
];

/// Works of a size.
pub(super) fn works(size: Size) -> Vec<Work> {
    let lines = LINES.iter().filter(|shape| shape.7 <= size).map(line);
    let others = [
        ("arena", arena(4, 4000, 1000, 1000), Size::Quick),
        ("arena_64", arena(64, 4000, 1000, 5000), Size::Standard),
        ("production_line", production((200, 0)), Size::Full),
        ("production_arena", production((50, 40)), Size::Full),
    ];
    let others = others.into_iter().filter(|other| other.2 <= size);
    lines
        .chain(others.map(|(name, session, _)| work(name, session, 6.0, mark_std(session.features))))
        .collect()
}

/// Kernel width of the marks, uV, such that spikes are above the floor.
fn mark_std(features: usize) -> f64 {
    if features == 8 { 4.0 } else { 24.0 }
}

fn line(&(name, samples, decode, electrodes, encoding, decoding, bins, _): &Shape) -> Work {
    let session = Session {
        bins: (bins, 0),
        bin: 100.0 / bins as f64,
        samples,
        rate: samples as f64 / 100.0,
        decode,
        step: 20.0 / decode as f64,
        itself: false,
        electrodes,
        encoding,
        decoding,
        features: 2,
        scatter: 12.0,
    };
    work(name, session, 12.5f64.sqrt(), 24.0)
}

/// 1000 s in an arena of 1 m x 0.8 m, then some time to decode.
fn arena(electrodes: usize, encoding: usize, decoding: usize, decode: usize) -> Session {
    Session {
        bins: (50, 40),
        bin: BIN,
        samples: 50_000,
        rate: 50.0,
        decode,
        step: 0.02,
        itself: false,
        electrodes,
        encoding,
        decoding,
        features: 4,
        scatter: 14.0,
    }
}

/// 4000 s of which all encodes and all is decoded, 2 million time bins of 2 ms.
fn production(bins: (usize, usize)) -> Session {
    Session {
        bins,
        bin: BIN,
        samples: 2_000_000,
        rate: 500.0,
        decode: 2_000_000,
        step: 0.002,
        itself: true,
        electrodes: 64,
        encoding: 50_000,
        decoding: 0,
        features: 8,
        scatter: 2.5,
    }
}

fn work(name: &str, session: Session, position_std: f64, waveform_std: f64) -> Work {
    let places = session.bins.0 * session.bins.1.max(1);
    let Session { electrodes, encoding, decoding, decode, features, bin, .. } = session;
    let flags = format!(
        "decode {INPUT} -o {OUTPUT} --model decoder --position-std {position_std} --waveform-std {waveform_std} \
         --bin-size {bin}"
    );
    let spikes = match session.itself {
        true => format!("{encoding} spikes that encode and are decoded"),
        false => format!("{encoding} encoding, {decoding} decoding spikes"),
    };
    let (output, long) = (4 * (places * decode) as u64, session.itself);
    // A long run holds chunks of rows, a short one all of them.
    let rows = if long { 2 << 30 } else { 8 * (places * decode) as u64 };
    Work {
        name: format!("decode/{name}"),
        group: Group::Decode,
        about: format!(
            "{electrodes} electrodes of {spikes} of {features} features, {decode} time bins, {places} place bins"
        ),
        input: Input::Session(session),
        job: Job::Program(words(&flags)),
        output: "posterior.nc",
        output_bytes: output,
        memory: (20 << 20) + 3 * session.bytes() + rows,
        items: decode as u64,
        item: "time bins",
        single: &["likelihood"],
        serial: false,
        long,
    }
}
