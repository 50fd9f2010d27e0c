//! The record format under pieces of any size and under noise.

use super::*;
use proptest::prelude::*;

fn event(kind: Kind, at: i64, values: &[f32]) -> Event<'_> {
    Event { kind, channel: 7, at, values }
}

/// Kind, channel, time, bits of the values.
type Read = (Kind, u16, i64, Vec<u32>);

/// All events of `bytes`, handed over in pieces that end at `cuts`.
fn read(bytes: &[u8], cuts: &[usize]) -> (Vec<Read>, Malformed) {
    let mut reader = EventReader::default();
    let mut found = Vec::new();
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    ends.extend([0, bytes.len()]);
    ends.sort_unstable();
    for pair in ends.windows(2) {
        let mut piece = &bytes[pair[0]..pair[1]];
        while !piece.is_empty() {
            let room = reader.room();
            assert!(!room.is_empty(), "no room left although nothing whole waits");
            let taken = room.len().min(piece.len());
            room[..taken].copy_from_slice(&piece[..taken]);
            reader.filled(taken);
            piece = &piece[taken..];
            if reader.clock("s").unwrap().is_none() {
                continue;
            }
            while reader.advance() {
                let event = reader.event();
                let bits = event.values.iter().map(|value| value.to_bits()).collect();
                found.push((event.kind, event.channel, event.at, bits));
            }
        }
    }
    reader.close(false);
    (found, reader.malformed())
}

fn stream(events: &[Event]) -> Vec<u8> {
    let mut bytes = header(30_000.0).to_vec();
    events.iter().for_each(|event| append(event, &mut bytes));
    bytes
}

#[test]
fn records_come_back_as_they_were_written() {
    let events = [
        event(Kind::Position, -5, &[1.0, 2.0]),
        event(Kind::Spike, i64::MAX, &[f32::NAN; MOST_VALUES]),
        event(Kind::Lfp, 3, &[0.5]),
        event(Kind::Tick, 4, &[]),
        event(Kind::End, 5, &[]),
    ];
    let (found, malformed) = read(&stream(&events), &[]);
    let kinds: Vec<_> = found.iter().map(|one| (one.0, one.1, one.2, one.3.len())).collect();
    let expected: Vec<_> = events.iter().map(|e| (e.kind, e.channel, e.at, e.values.len())).collect();
    assert_eq!((kinds, malformed), (expected, Malformed::default()));
}

#[test]
fn bad_records_are_stepped_over_and_counted() {
    let mut bytes = header(1000.0).to_vec();
    let good = event(Kind::Spike, 9, &[1.0]);
    append(&good, &mut bytes);
    let mut strange = Vec::new();
    append(&event(Kind::Spike, 9, &[1.0, 2.0]), &mut strange);
    for (byte, value) in [(0, 0), (0, 200), (1, 1), (6, 1), (7, 9)] {
        let mut one = strange.clone();
        one[byte] = value;
        bytes.extend(&one);
    }
    // More values than anybody has: 65535 of them are stepped over.
    let mut huge = strange[..HEADER].to_vec();
    huge[4..6].copy_from_slice(&u16::MAX.to_le_bytes());
    bytes.extend(&huge);
    bytes.extend(vec![1; 4 * usize::from(u16::MAX)]);
    append(&event(Kind::Spike, 9, &[]), &mut bytes);
    append(&good, &mut bytes);
    bytes.extend(&strange[..20]);
    let (found, malformed) = read(&bytes, &[]);
    assert_eq!(found.len(), 2);
    let expected = Malformed { unknown: 5, wrong_size: 2, truncated: 1, bytes_behind_end: 0 };
    assert_eq!((malformed, malformed.records()), (expected, 8));
}

#[test]
fn what_is_no_stream_is_refused() {
    for (bytes, expected) in [
        (b"NISSLEV2".to_vec(), "NISSLEV1"),
        (b"\x89HDF".to_vec(), "NISSLEV1"),
        (header(f64::NAN).to_vec(), "clock"),
        (header(0.0).to_vec(), "clock"),
        (header(f64::INFINITY).to_vec(), "clock"),
    ] {
        let mut reader = EventReader::default();
        reader.room()[..bytes.len()].copy_from_slice(&bytes);
        reader.filled(bytes.len());
        assert!(reader.clock("s").unwrap_err().to_string().contains(expected));
    }
    let mut reader = EventReader::default();
    assert_eq!(reader.clock("s").unwrap(), None);
    reader.close(true);
    assert_eq!(reader.malformed(), Malformed::default());
}

proptest! {
    #[test]
    fn random_bytes_give_the_same_in_any_pieces(
        noise in prop::collection::vec(any::<u8>(), 0..6000),
        cuts in prop::collection::vec(any::<usize>(), 0..40),
    ) {
        let mut bytes = header(30_000.0).to_vec();
        bytes.extend(&noise);
        let (whole, cut) = (read(&bytes, &[]), read(&bytes, &cuts));
        prop_assert_eq!(&whole, &cut);
        let seen = whole.0.len() as u64 + whole.1.records();
        prop_assert!(seen <= noise.len() as u64 / HEADER as u64 + 1);
    }

    #[test]
    fn records_survive_any_pieces_and_a_cut_tail(
        records in prop::collection::vec((1u8..6, any::<u16>(), any::<i64>(), prop::collection::vec(any::<u32>(), 1..40)), 0..50),
        cuts in prop::collection::vec(any::<usize>(), 0..40),
        tail in 0usize..200,
    ) {
        let mut bytes = header(1e6).to_vec();
        let mut expected = Vec::new();
        for (code, channel, at, bits) in &records {
            let kind = Kind::of(*code).unwrap();
            let count = match kind { Kind::Lfp => 1, Kind::Tick | Kind::End => 0, _ => bits.len() };
            let values: Vec<f32> = bits[..count].iter().map(|b| f32::from_bits(*b)).collect();
            append(&Event { kind, channel: *channel, at: *at, values: &values }, &mut bytes);
            expected.push((bytes.len(), (kind, *channel, *at, bits[..count].to_vec())));
        }
        let kept = bytes.len().saturating_sub(tail).max(HEADER);
        let (found, malformed) = read(&bytes[..kept], &cuts);
        let whole: Vec<_> = expected.iter().filter(|(end, _)| *end <= kept).map(|(_, e)| e.clone()).collect();
        let partial = kept > expected.iter().map(|e| e.0).filter(|end| *end <= kept).max().unwrap_or(HEADER);
        prop_assert_eq!(found, whole);
        prop_assert_eq!(malformed.records(), u64::from(partial));
    }
}
