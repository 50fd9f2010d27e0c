//! The streaming loop: a reader thread, the pass on the worker pool, a writer thread.
//!
//! A fixed number of buffers circulates on both sides of the pass, so memory does not depend on
//! the length of the work. The first error of any party stops all three; a request to stop
//! ([`Recorder::cancel`]) ends the loop with [`Error::Interrupted`] after the chunk in hand.

use super::{Chunk, Pass, Sink, Source};
use crate::error::{Error, Result};
use crate::report::Recorder;
use rayon::ThreadPool;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Buffers that circulate: as many chunks are in flight on each side of the pass.
#[derive(Debug)]
pub struct Buffers<I, O> {
    /// Between source and pass.
    pub input: Vec<I>,
    /// Between pass and sink.
    pub output: Vec<O>,
}

/// Usual names of the stages: of source, pass and sink.
pub const STAGES: [&str; 3] = ["read", "compute", "write"];

/// Both ends of a channel.
type Ends<T> = (SyncSender<T>, Receiver<T>);

/// One end of a conveyor: full buffers go forward, empty ones come back.
struct Conveyor<B> {
    full: Ends<(Chunk, B)>,
    empty: Ends<B>,
}

impl<B> Conveyor<B> {
    fn new(buffers: Vec<B>) -> Self {
        let depth = buffers.len().max(1);
        let conveyor = Conveyor { full: sync_channel(depth), empty: sync_channel(depth) };
        for buffer in buffers {
            // The channel was made deep enough for all of them and its receiver lives here.
            let _ = conveyor.empty.0.send(buffer);
        }
        conveyor
    }
}

/// Runs every chunk through `source`, `pass` and `sink`.
///
/// Reading and computing both happen inside `pool`, so that decompression and arithmetic share
/// the same workers. A pass adds the CPU time of its shares by [`Recorder::share`]. Times go to
/// `stages` of `recorder`, one for each party in this order ([`STAGES`] where nothing is more
/// telling), which also learns of every finished chunk's items.
///
/// # Errors
/// The first error in chunk order of progress; [`Error::Interrupted`] after a cancel.
pub fn run<S, P, K>(
    stages: [&'static str; 3],
    chunks: impl Iterator<Item = Chunk> + Send,
    parties: (&mut S, &P, &mut K),
    buffers: Buffers<P::In, P::Out>,
    pool: &ThreadPool,
    recorder: &Recorder,
) -> Result<()>
where
    S: Source<Buffer = P::In>,
    P: Pass,
    K: Sink<Buffer = P::Out>,
{
    let [reading, computing, writing] = stages;
    let (source, pass, sink) = parties;
    let (input, output) = (Conveyor::new(buffers.input), Conveyor::new(buffers.output));
    std::thread::scope(|scope| {
        let (to_pass, from_source) = input.full;
        let (input_back, input_empty) = input.empty;
        let (to_sink, from_pass) = output.full;
        let (output_back, output_empty) = output.empty;

        let reader = scope.spawn(move || -> Result<()> {
            for chunk in chunks {
                // A closed channel means that a later party stopped with an error of its own.
                let Ok(mut buffer) = input_empty.recv() else { break };
                if recorder.is_cancelled() {
                    return Err(Error::Interrupted);
                }
                recorder.time(reading, || {
                    pool.install(|| recorder.share(reading, || source.read(&chunk, &mut buffer)))
                })?;
                if to_pass.send((chunk, buffer)).is_err() {
                    break;
                }
            }
            Ok(())
        });
        let writer = scope.spawn(move || -> Result<()> {
            for (chunk, buffer) in from_pass {
                recorder.time(writing, || sink.write(&chunk, &buffer))?;
                recorder.advance(chunk.len());
                let _ = output_back.send(buffer);
            }
            Ok(())
        });
        let computed = (|| -> Result<()> {
            for (chunk, mut buffer) in from_source {
                let Ok(mut out) = output_empty.recv() else { break };
                recorder.time(computing, || pool.install(|| pass.process(&chunk, &mut buffer, &mut out)))?;
                let _ = input_back.send(buffer);
                if to_sink.send((chunk, out)).is_err() {
                    break;
                }
            }
            Ok(())
        })();
        // Closing both ends lets the reader and the writer see that nothing more comes.
        drop((to_sink, input_back, output_empty));
        let (read, written) = (joined(reader), joined(writer));
        // The sink is furthest along: its error explains the others' early end.
        written.and(computed).and(read)
    })
}

/// A thread's result; a panic there is a bug, told as a failure instead of another panic.
fn joined(thread: std::thread::ScopedJoinHandle<'_, Result<()>>) -> Result<()> {
    thread.join().unwrap_or_else(|_| Err(Error::Failed("internal error: a worker thread panicked".into())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::chunk::split;

    struct Count(u64);
    impl Source for Count {
        type Buffer = Vec<u64>;
        fn read(&mut self, chunk: &Chunk, buffer: &mut Vec<u64>) -> Result<()> {
            if chunk.index >= self.0 {
                return Err(Error::Failed("source".into()));
            }
            buffer.clear();
            buffer.extend(chunk.start..chunk.end);
            Ok(())
        }
    }
    struct Square;
    impl Pass for Square {
        type In = Vec<u64>;
        type Out = Vec<u64>;
        fn process(&self, _: &Chunk, input: &mut Vec<u64>, output: &mut Vec<u64>) -> Result<()> {
            output.clear();
            output.extend(input.iter().map(|v| v * v));
            Ok(())
        }
    }
    struct Collect {
        got: Vec<u64>,
        fail_at: u64,
    }
    impl Sink for Collect {
        type Buffer = Vec<u64>;
        fn write(&mut self, chunk: &Chunk, buffer: &Vec<u64>) -> Result<()> {
            if chunk.index >= self.fail_at {
                return Err(Error::Failed("sink".into()));
            }
            self.got.extend(buffer);
            Ok(())
        }
    }

    fn drive(source_fails: u64, sink_fails: u64, recorder: &Recorder) -> (Result<()>, Vec<u64>) {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        let mut sink = Collect { got: vec![], fail_at: sink_fails };
        let buffers = Buffers { input: vec![vec![], vec![]], output: vec![vec![], vec![]] };
        let result = run(
            STAGES,
            split(2, 50, 7),
            (&mut Count(source_fails), &Square, &mut sink),
            buffers,
            &pool,
            recorder,
        );
        (result, sink.got)
    }

    #[test]
    fn every_chunk_arrives_once_and_in_order() {
        let recorder = Recorder::new();
        let (result, got) = drive(u64::MAX, u64::MAX, &recorder);
        result.unwrap();
        let squares: Vec<u64> = (0..50).map(|v| v * v).collect();
        assert_eq!(got, [squares.clone(), squares].concat());
        assert_eq!(recorder.progress().done, 100);
    }

    #[test]
    fn the_first_error_of_any_party_stops_the_run() {
        let recorder = Recorder::new();
        assert_eq!(drive(3, u64::MAX, &recorder).0.unwrap_err().to_string(), "source");
        assert_eq!(drive(u64::MAX, 2, &recorder).0.unwrap_err().to_string(), "sink");
        assert_eq!(drive(0, 0, &recorder).0.unwrap_err().to_string(), "source");
    }

    #[test]
    fn a_request_to_stop_ends_the_run_as_interrupted() {
        let recorder = Recorder::new();
        recorder.cancel();
        assert!(matches!(drive(u64::MAX, u64::MAX, &recorder).0, Err(Error::Interrupted)));
    }
}
