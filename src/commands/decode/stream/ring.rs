//! A ring of tick records between the thread that ticks and the one that writes.
//!
//! One producer, one consumer, memory sized once. A record is stored as 64-bit words of atomics:
//! each word is a plain store, the ends are handed over by a release and an acquire. So both
//! sides are wait-free without a lock, a system call or `unsafe`. A full ring refuses a record; the
//! producer counts it and goes on.

use super::engine::{SLOTS, Shape, TickRecord};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

/// Words of a record besides its two arrays.
const FIXED: usize = 9 + SLOTS;
/// Bytes that a ring takes, about, and the records it has at least and at most.
const BYTES: usize = 16 << 20;
const LEAST: usize = 256;
const MOST: usize = 16_384;

/// Puts records in.
#[derive(Debug)]
pub struct Producer {
    ring: Arc<Ring>,
    dropped: u64,
}

/// Takes records out.
#[derive(Debug)]
pub struct Consumer {
    ring: Arc<Ring>,
}

#[derive(Debug)]
struct Ring {
    words: Box<[AtomicU64]>,
    /// Words of a record.
    width: usize,
    capacity: usize,
    /// Records put in so far; only the producer stores it.
    tail: Ahead,
    /// Records taken out so far; only the consumer stores it.
    head: Ahead,
    closed: AtomicBool,
}

/// A counter on a cache line of its own: the two sides would slow each other down.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Ahead(AtomicUsize);

/// A ring for records of `shape`.
pub fn ring(shape: &Shape) -> (Producer, Consumer) {
    let width = FIXED + shape.bins * (shape.states + 1);
    with_capacity(shape, (BYTES / (8 * width)).clamp(LEAST, MOST))
}

/// The same for `capacity` records.
pub fn with_capacity(shape: &Shape, capacity: usize) -> (Producer, Consumer) {
    let width = FIXED + shape.bins * (shape.states + 1);
    let ring = Arc::new(Ring {
        words: (0..width * capacity.max(1)).map(|_| AtomicU64::new(0)).collect(),
        width,
        capacity: capacity.max(1),
        tail: Ahead::default(),
        head: Ahead::default(),
        closed: AtomicBool::new(false),
    });
    (Producer { ring: Arc::clone(&ring), dropped: 0 }, Consumer { ring })
}

impl Ring {
    fn slot(&self, record: usize) -> &[AtomicU64] {
        let start = record % self.capacity * self.width;
        self.words.get(start..start + self.width).unwrap_or_default()
    }
}

impl Producer {
    /// Puts a copy of `record` in; false where the ring is full, which is counted.
    pub fn push(&mut self, record: &TickRecord) -> bool {
        if self.is_full() {
            self.dropped += 1;
            return false;
        }
        let tail = self.ring.tail.0.load(Ordering::Relaxed);
        let mut words = self.ring.slot(tail).iter();
        let mut put = |value: u64| {
            if let Some(word) = words.next() {
                word.store(value, Ordering::Relaxed);
            }
        };
        let counts = [
            (record.rank, record.spikes),
            (record.credible_posterior, record.credible_likelihood),
            (i32::from(record.ripple), 0),
        ];
        [record.tick, record.lower, record.upper].iter().for_each(|value| put(*value as u64));
        put(record.velocity.to_bits());
        counts.iter().for_each(|&(a, b)| put(pair(a, b)));
        record.encoder_credible.iter().zip(&record.encoder_best).for_each(|(&a, &b)| put(pair(a, b)));
        record.posterior.iter().chain(&record.likelihood).for_each(|value| put(value.to_bits()));
        self.ring.tail.0.store(tail.wrapping_add(1), Ordering::Release);
        true
    }

    /// True where no record can be put in now.
    pub fn is_full(&self) -> bool {
        self.waiting() >= self.ring.capacity
    }

    /// Records that wait to be taken.
    pub fn waiting(&self) -> usize {
        let head = self.ring.head.0.load(Ordering::Acquire);
        self.ring.tail.0.load(Ordering::Relaxed).wrapping_sub(head)
    }

    /// Records that found the ring full.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// No more records come.
    pub fn close(&self) {
        self.ring.closed.store(true, Ordering::Release);
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        self.close();
    }
}

impl Consumer {
    /// Copies the oldest record into `record` and frees its place; false where none waits.
    pub fn pop(&mut self, record: &mut TickRecord) -> bool {
        let head = self.ring.head.0.load(Ordering::Relaxed);
        if head == self.ring.tail.0.load(Ordering::Acquire) {
            return false;
        }
        let mut words = self.ring.slot(head).iter();
        let mut take = || words.next().map_or(0, |word| word.load(Ordering::Relaxed));
        record.tick = take() as i64;
        record.lower = take() as i64;
        record.upper = take() as i64;
        record.velocity = f64::from_bits(take());
        (record.rank, record.spikes) = unpair(take());
        (record.credible_posterior, record.credible_likelihood) = unpair(take());
        record.ripple = unpair(take()).0 as u8;
        for (a, b) in record.encoder_credible.iter_mut().zip(&mut record.encoder_best) {
            (*a, *b) = unpair(take());
        }
        record.posterior.iter_mut().chain(&mut record.likelihood).for_each(|v| *v = f64::from_bits(take()));
        self.ring.head.0.store(head.wrapping_add(1), Ordering::Release);
        true
    }

    /// True once no more records come; some may wait.
    pub fn is_closed(&self) -> bool {
        self.ring.closed.load(Ordering::Acquire)
    }

    /// True where no record waits and none will come.
    pub fn is_over(&self) -> bool {
        // Closed first: whatever was put in before is seen by the second look.
        self.ring.closed.load(Ordering::Acquire)
            && self.ring.head.0.load(Ordering::Relaxed) == self.ring.tail.0.load(Ordering::Acquire)
    }
}

fn pair(a: i32, b: i32) -> u64 {
    u64::from(a as u32) | u64::from(b as u32) << 32
}

fn unpair(word: u64) -> (i32, i32) {
    (word as u32 as i32, (word >> 32) as u32 as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape() -> Shape {
        Shape { states: 2, bins: 3, state_names: vec!["a".into(), "b".into()], centers: vec![vec![0.0; 3]] }
    }

    /// A record whose every field tells `number`.
    fn numbered(number: i32) -> TickRecord {
        let mut record = TickRecord::new(&shape());
        let wide = f64::from(number);
        record.posterior.iter_mut().enumerate().for_each(|(at, value)| *value = wide + at as f64);
        record.likelihood.iter_mut().enumerate().for_each(|(at, value)| *value = -wide - at as f64);
        TickRecord {
            rank: -number,
            tick: i64::from(number) << 33,
            lower: -i64::from(number),
            upper: 7,
            velocity: wide / 3.0,
            credible_posterior: number,
            credible_likelihood: -number,
            encoder_credible: [number; SLOTS],
            encoder_best: [-1; SLOTS],
            spikes: number,
            ripple: number as u8,
            ..record
        }
    }

    #[test]
    fn records_come_out_as_they_went_in_and_a_full_ring_counts() {
        let (mut producer, mut consumer) = with_capacity(&shape(), 3);
        let mut out = TickRecord::new(&shape());
        assert!(!consumer.pop(&mut out) && !consumer.is_over());
        for round in 0..5 {
            for number in 0..3 {
                assert!(producer.push(&numbered(10 * round + number)));
            }
            assert!(producer.is_full() && !producer.push(&numbered(99)));
            for number in 0..3 {
                assert!(consumer.pop(&mut out));
                assert_eq!(out, numbered(10 * round + number));
            }
        }
        assert_eq!((producer.dropped(), producer.waiting()), (5, 0));
        producer.push(&numbered(1));
        drop(producer);
        assert!(!consumer.is_over() && consumer.pop(&mut out) && consumer.is_over());
    }

    #[test]
    fn two_threads_agree_on_every_record() {
        let (mut producer, mut consumer) = with_capacity(&shape(), 8);
        const COUNT: i32 = 50_000;
        let writing = std::thread::spawn(move || {
            let mut number = 0;
            while number < COUNT {
                match producer.push(&numbered(number)) {
                    true => number += 1,
                    false => std::thread::yield_now(),
                }
            }
        });
        let mut out = TickRecord::new(&shape());
        for number in 0..COUNT {
            while !consumer.pop(&mut out) {
                std::thread::yield_now();
            }
            assert_eq!(out, numbered(number));
        }
        writing.join().unwrap();
        assert!(consumer.is_over());
    }
}
