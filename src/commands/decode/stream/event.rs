//! The record format of event streams (spec decode 8.4), and its reader.
//!
//! Little-endian. A stream begins with 16 bytes: `NISSLEV1`, then the clock as float64, samples per
//! second. Records follow, 16 bytes and a payload each:
//!
//! | bytes | type | content |
//! |---|---|---|
//! | 0 | u8 | kind: 1 position, 2 spike, 3 tick, 4 local field potential, 5 end |
//! | 1 | u8 | 0 |
//! | 2, 3 | u16 | electrode of a spike, channel of a field potential, else 0 |
//! | 4, 5 | u16 | D, number of values behind the header |
//! | 6, 7 | u16 | 0 |
//! | 8-15 | i64 | time, samples of the clock |
//! | 16- | f32 x D | position: coordinates, then the speed if it is known; spike: its mark; field potential: one value; tick, end: none |
//!
//! Records have no mark to find them again by, so a bad one is stepped over by its own D and
//! counted; nothing is allocated and nothing can stall, whatever the bytes are.

use crate::error::{Error, Result};

/// First bytes of a stream.
pub const MAGIC: [u8; 8] = *b"NISSLEV1";
/// Bytes of the stream's header, and of a record's.
pub const HEADER: usize = 16;
/// Values of a record at most; one that says more is stepped over.
pub const MOST_VALUES: usize = 256;
/// Bytes that wait to be understood, at most.
const BUFFER: usize = 64 << 10;
/// Fastest clock that is believed, samples per second.
const FASTEST: f64 = 1e12;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The animal was somewhere.
    Position,
    /// An electrode saw a spike.
    Spike,
    /// Time to decode.
    Tick,
    /// A sample of the local field potential.
    Lfp,
    /// The stream is over.
    End,
}

impl Kind {
    fn of(code: u8) -> Option<Self> {
        match code {
            1 => Some(Kind::Position),
            2 => Some(Kind::Spike),
            3 => Some(Kind::Tick),
            4 => Some(Kind::Lfp),
            5 => Some(Kind::End),
            _ => None,
        }
    }

    fn code(self) -> u8 {
        match self {
            Kind::Position => 1,
            Kind::Spike => 2,
            Kind::Tick => 3,
            Kind::Lfp => 4,
            Kind::End => 5,
        }
    }

    /// True where a record of this kind may have so many values.
    fn takes(self, values: usize) -> bool {
        match self {
            Kind::Position | Kind::Spike => (1..=MOST_VALUES).contains(&values),
            Kind::Lfp => values == 1,
            Kind::Tick | Kind::End => values == 0,
        }
    }
}

/// One event.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Event<'a> {
    /// What happened.
    pub kind: Kind,
    /// Electrode of a spike, channel of a field potential.
    pub channel: u16,
    /// When, samples of the clock.
    pub at: i64,
    /// Its values.
    pub values: &'a [f32],
}

/// The header of a stream.
pub fn header(clock: f64) -> [u8; HEADER] {
    let mut bytes = [0; HEADER];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..].copy_from_slice(&clock.to_le_bytes());
    bytes
}

/// Appends the record of `event` to `bytes`; values beyond [`MOST_VALUES`] are left out.
pub fn append(event: &Event, bytes: &mut Vec<u8>) {
    let values = &event.values[..event.values.len().min(MOST_VALUES)];
    bytes.extend([event.kind.code(), 0]);
    bytes.extend(event.channel.to_le_bytes());
    bytes.extend((values.len() as u16).to_le_bytes());
    bytes.extend([0, 0]);
    bytes.extend(event.at.to_le_bytes());
    bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
}

/// What was wrong with records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Malformed {
    /// Of a kind that does not exist, or with reserved bytes that are not 0.
    pub unknown: u64,
    /// With a number of values that their kind does not have.
    pub wrong_size: u64,
    /// Cut off by the end of the stream.
    pub truncated: u64,
    /// Behind the record that ends the stream: bytes.
    pub bytes_behind_end: u64,
}

impl Malformed {
    /// Records, whatever the reason.
    pub fn records(&self) -> u64 {
        self.unknown + self.wrong_size + self.truncated
    }
}

/// Reads events out of bytes that come in pieces of any size.
#[derive(Debug)]
pub struct EventReader {
    buffer: Box<[u8]>,
    /// The bytes of `buffer` that wait.
    start: usize,
    end: usize,
    /// Bytes of a bad record that are yet to be stepped over.
    skip: usize,
    values: Box<[f32]>,
    /// The event read last: kind, channel, time, number of values.
    last: (Kind, u16, i64, usize),
    clock: Option<f64>,
    malformed: Malformed,
}

impl Default for EventReader {
    fn default() -> Self {
        EventReader {
            buffer: vec![0; BUFFER].into_boxed_slice(),
            start: 0,
            end: 0,
            skip: 0,
            values: vec![0.0; MOST_VALUES].into_boxed_slice(),
            last: (Kind::End, 0, 0, 0),
            clock: None,
            malformed: Malformed::default(),
        }
    }
}

impl EventReader {
    /// Room for more bytes; never empty once [`EventReader::advance`] found nothing.
    pub fn room(&mut self) -> &mut [u8] {
        // Moving few bytes is cheap; waiting for the end of the buffer would shrink the reads.
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        &mut self.buffer[self.end..]
    }

    /// Notes that so many bytes were put into [`EventReader::room`].
    pub fn filled(&mut self, bytes: usize) {
        self.end = (self.end + bytes).min(self.buffer.len());
    }

    /// The clock, samples per second, once the stream's header is there.
    ///
    /// # Errors
    /// The stream at `place` does not begin as one.
    pub fn clock(&mut self, place: &str) -> Result<Option<f64>> {
        if self.clock.is_some() {
            return Ok(self.clock);
        }
        let waiting = &self.buffer[self.start..self.end];
        let begun = waiting.len().min(MAGIC.len());
        if waiting[..begun] != MAGIC[..begun] {
            let found = format!("a stream that begins with {:02x?}", &waiting[..begun]);
            return Err(Error::data(place, found, "NISSLEV1", "see the format in nissl decode --help"));
        }
        let Some((_, rest)) = waiting.split_first_chunk::<8>() else { return Ok(None) };
        let Some((bytes, _)) = rest.split_first_chunk::<8>() else { return Ok(None) };
        let clock = f64::from_le_bytes(*bytes);
        if !(clock > 0.0 && clock <= FASTEST) {
            let expected = format!("samples per second, above 0 and at most {FASTEST:e}");
            let advice = "bytes 8 to 15 of the stream hold it as little-endian float64";
            return Err(Error::data(place, format!("a clock of {clock}"), expected, advice));
        }
        self.start += HEADER;
        self.clock = Some(clock);
        Ok(self.clock)
    }

    /// Goes on to the next event that is whole; false where more bytes are needed.
    pub fn advance(&mut self) -> bool {
        loop {
            let stepped = self.skip.min(self.end - self.start);
            self.start += stepped;
            self.skip -= stepped;
            let waiting = &self.buffer[self.start..self.end];
            let Some((head, rest)) = waiting.split_first_chunk::<HEADER>() else { return false };
            let values = usize::from(u16::from_le_bytes([head[4], head[5]]));
            let kind = Kind::of(head[0]).filter(|_| head[1] == 0 && head[6] == 0 && head[7] == 0);
            let Some(kind) = kind.filter(|kind| kind.takes(values)) else {
                let count = match kind {
                    None => &mut self.malformed.unknown,
                    Some(_) => &mut self.malformed.wrong_size,
                };
                *count += 1;
                self.start += HEADER;
                self.skip = 4 * values;
                continue;
            };
            let Some(payload) = rest.get(..4 * values) else { return false };
            for (value, bytes) in self.values.iter_mut().zip(payload.as_chunks::<4>().0) {
                *value = f32::from_le_bytes(*bytes);
            }
            let [_, _, c0, c1, _, _, _, _, at @ ..] = *head;
            self.last = (kind, u16::from_le_bytes([c0, c1]), i64::from_le_bytes(at), values);
            self.start += HEADER + 4 * values;
            return true;
        }
    }

    /// The event that [`EventReader::advance`] came to last.
    pub fn event(&self) -> Event<'_> {
        let (kind, channel, at, values) = self.last;
        Event { kind, channel, at, values: &self.values[..values] }
    }

    /// The stream is over, by an end record or because no more bytes come.
    pub fn close(&mut self, by_record: bool) {
        let left = (self.end - self.start) as u64;
        match by_record {
            true => self.malformed.bytes_behind_end += left,
            false if left > 0 || self.skip > 0 => self.malformed.truncated += 1,
            false => {}
        }
        (self.start, self.end, self.skip) = (0, 0, 0);
    }

    /// What was wrong so far.
    pub fn malformed(&self) -> Malformed {
        self.malformed
    }
}

#[cfg(test)]
mod tests;
