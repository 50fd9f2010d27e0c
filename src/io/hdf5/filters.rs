//! The filter pipeline of a chunk, backwards.
//!
//! Deflate, shuffle, fletcher32 and LZF are undone here, every output bounded by what the chunk
//! can hold, so that a bomb ends at that size. The others go to `rust-hdf5`, bounded as well.

use flate2::{Decompress, FlushDecompress, Status};
use hdf5_reader::messages::filter_pipeline::FilterPipelineMessage;
use rust_hdf5::format::messages::filter as other;

/// Filters that `rust-hdf5` undoes for us.
const OTHERS: [u16; 9] = [
    other::FILTER_SHUFFLE,
    other::FILTER_SZIP,
    other::FILTER_NBIT,
    other::FILTER_SCALEOFFSET,
    other::FILTER_BZIP2,
    other::FILTER_BLOSC,
    other::FILTER_LZ4,
    other::FILTER_BSHUF,
    other::FILTER_ZSTD,
];

/// One filter in the order of writing.
#[derive(Debug, Clone)]
enum Stage {
    Deflate(u32),
    Shuffle,
    Fletcher32,
    Lzf,
    Other(other::FilterPipeline),
}

/// The filters of a dataset.
#[derive(Debug, Clone, Default)]
pub(super) struct Pipeline {
    stages: Vec<Stage>,
    element: usize,
}

/// Buffers of one worker, kept between chunks.
#[derive(Default)]
pub(super) struct Scratch {
    /// The chunk as stored, then as decoded.
    pub bytes: Vec<u8>,
    spare: Vec<u8>,
    inflate: Option<Box<Decompress>>,
}

impl Scratch {
    /// Gives buffers beyond `kept` bytes back.
    pub fn trim(&mut self, kept: usize) {
        for buffer in [&mut self.bytes, &mut self.spare] {
            if buffer.capacity() > kept {
                *buffer = Vec::new();
            }
        }
    }
}

impl Pipeline {
    /// The pipeline of elements of `element` bytes.
    pub fn new(message: Option<&FilterPipelineMessage>, element: usize) -> Pipeline {
        let filters = message.map(|m| m.filters.as_slice()).unwrap_or_default();
        let stages = filters.iter().map(|filter| match filter.id {
            other::FILTER_DEFLATE => Stage::Deflate(filter.client_data.first().copied().unwrap_or(0)),
            // The filter states the element size itself; only the plain case is fused with the copy.
            other::FILTER_SHUFFLE if filter.client_data.first().is_none_or(|&s| s as usize == element) => {
                Stage::Shuffle
            }
            other::FILTER_FLETCHER32 => Stage::Fletcher32,
            other::FILTER_LZF => Stage::Lzf,
            id => {
                let cd_values = filter.client_data.clone();
                Stage::Other(other::FilterPipeline {
                    filters: vec![other::Filter { id, flags: 0, cd_values }],
                })
            }
        });
        Pipeline { stages: stages.collect(), element }
    }

    /// The first filter that is not read here, by a name for a message.
    pub fn unknown(&self) -> Option<String> {
        self.stages.iter().find_map(|stage| match stage {
            Stage::Other(one) => {
                one.filters.first().filter(|f| !OTHERS.contains(&f.id)).map(|f| match f.id {
                    other::FILTER_BLOSC2 => "filter 32026 (Blosc 2)".to_owned(),
                    other::FILTER_ZFP => "filter 32013 (ZFP)".to_owned(),
                    id => format!("filter {id}"),
                })
            }
            _ => None,
        })
    }

    /// True when chunks are stored as they are.
    pub fn is_empty(&self) -> bool {
        self.stages.is_empty()
    }

    /// The level of the deflate filter, if there is one.
    pub fn deflate_level(&self) -> Option<u32> {
        self.stages.iter().find_map(|s| if let Stage::Deflate(level) = s { Some(*level) } else { None })
    }

    /// True when bytes are shuffled.
    pub fn shuffles(&self) -> bool {
        self.stages.iter().any(|stage| matches!(stage, Stage::Shuffle))
    }

    /// Decodes `scratch.bytes` in place to a chunk of `expected` bytes; filters whose bit is set in
    /// `mask` were left out. Answers true when the bytes are still shuffled: the reader undoes
    /// that while it copies.
    pub fn decode(&self, scratch: &mut Scratch, mask: u32, expected: usize) -> Result<bool, String> {
        let used = |i: usize| i >= 32 || mask & 1 << i == 0;
        let mut shuffled = false;
        for (i, stage) in self.stages.iter().enumerate().rev().filter(|(i, _)| used(*i)) {
            let first = !(0..i).any(used);
            // What stands before this filter: the chunk itself, checksums of four bytes, or the
            // output of other filters, whose size is not known but bounded.
            let before = self.stages[..i].iter().enumerate().filter(|(j, _)| used(*j));
            let limit = before.fold(expected, |n, (_, stage)| match stage {
                Stage::Shuffle => n,
                Stage::Fletcher32 => n.saturating_add(4),
                _ => n.saturating_mul(2).saturating_add(1024),
            });
            match stage {
                Stage::Deflate(_) => inflate(scratch, limit)?,
                Stage::Shuffle if first && self.element > 1 && scratch.bytes.len() == expected => {
                    shuffled = true
                }
                Stage::Shuffle => unshuffle(scratch, self.element),
                Stage::Fletcher32 => strip_checksum(&mut scratch.bytes)?,
                Stage::Lzf => scratch.bytes = unlzf(&scratch.bytes, limit)?,
                Stage::Other(one) => {
                    scratch.bytes = other::reverse_filters_masked_bounded(one, &scratch.bytes, 0, limit)
                        .map_err(|err| one_line(&err.to_string()))?;
                }
            }
        }
        if scratch.bytes.len() != expected {
            return Err(format!("{} bytes after decoding", scratch.bytes.len()));
        }
        Ok(shuffled)
    }
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect()
}

fn inflate(scratch: &mut Scratch, limit: usize) -> Result<(), String> {
    let Scratch { bytes, spare, inflate } = scratch;
    let state = inflate.get_or_insert_with(|| Box::new(Decompress::new(true)));
    state.reset(true);
    // Never cleared: zeroing a buffer that is overwritten anyway costs a pass over it.
    if spare.len() < limit {
        spare.resize(limit, 0);
    }
    let status = state.decompress(bytes, &mut spare[..limit], FlushDecompress::Finish);
    let made = state.total_out() as usize;
    match status {
        Ok(Status::StreamEnd) => {
            spare.truncate(made);
            std::mem::swap(bytes, spare);
            Ok(())
        }
        Ok(_) if made == limit => Err(format!("a deflate stream of more than {limit} bytes")),
        Ok(_) => Err(format!("a deflate stream that ends early, after {made} bytes")),
        Err(err) => Err(format!("a bad deflate stream ({err})")),
    }
}

fn unshuffle(scratch: &mut Scratch, size: usize) {
    let Scratch { bytes, spare, .. } = scratch;
    let elements = bytes.len() / size.max(1);
    spare.clear();
    // Bytes that fill no whole element are not shuffled.
    spare.extend_from_slice(bytes);
    super::unshuffle::gather(bytes, elements, size, 0, &mut spare[..elements * size]);
    std::mem::swap(bytes, spare);
}

fn unlzf(bytes: &[u8], limit: usize) -> Result<Vec<u8>, String> {
    lzf::decompress(bytes, limit).map_err(|err| format!("a bad LZF stream ({err})"))
}

/// Compares and removes the four-byte checksum.
fn strip_checksum(bytes: &mut Vec<u8>) -> Result<(), String> {
    let Some((data, stored)) = bytes.split_last_chunk::<4>() else {
        return Err("fewer bytes than a checksum".to_owned());
    };
    let (stored, sum) = (u32::from_le_bytes(*stored), fletcher32(data));
    // HDF5 before 1.6.3 swapped the bytes of each half on little-endian machines.
    let old = (sum & 0x00FF_00FF) << 8 | (sum & 0xFF00_FF00) >> 8;
    if stored != sum && stored != old {
        return Err(format!("checksum {sum:08x} where {stored:08x} is stored"));
    }
    let len = data.len();
    bytes.truncate(len);
    Ok(())
}

/// Fletcher's checksum over big-endian 16-bit words, folded to 16 bits per sum.
fn fletcher32(data: &[u8]) -> u32 {
    let (mut low, mut high) = (0u64, 0u64);
    // Sums over 2^16 words stay far below 2^64, and 2^16 is 1 modulo 65535: folding once is enough.
    for block in data.chunks(1 << 16) {
        let words = block.chunks_exact(2);
        let odd = words.remainder().first().map(|&b| u64::from(b) << 8);
        for value in words.map(|w| u64::from(u16::from_be_bytes([w[0], w[1]]))).chain(odd) {
            low += value;
            high += low;
        }
        low %= 0xFFFF;
        high %= 0xFFFF;
    }
    // HDF5 folds carries instead of taking the remainder: a sum that is a multiple of 65535 but
    // not zero stays 65535.
    let any = data.iter().any(|&b| b != 0);
    let fold = |sum: u64| if sum == 0 && any { 0xFFFF } else { sum as u32 };
    fold(high) << 16 | fold(low)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fletcher_sums_keep_their_multiples_of_65535() {
        assert_eq!(fletcher32(&[0; 8]), 0);
        assert_eq!(fletcher32(&[0xFF, 0xFF]), 0xFFFF_FFFF);
        // Words 1 and 2: sums 3 and 1 + 3.
        assert_eq!(fletcher32(&[0, 1, 0, 2]), 4 << 16 | 3);
        // An odd byte counts as the high half of a word.
        assert_eq!(fletcher32(&[0, 1, 1]), 0x0102 << 16 | 0x0101);
    }

    #[test]
    fn a_deflate_bomb_ends_at_the_size_of_the_chunk() {
        use std::io::Write;
        let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        packer.write_all(&vec![0; 64 << 20]).expect("packs");
        let bytes = packer.finish().expect("packs");
        let pipeline = Pipeline { stages: vec![Stage::Deflate(9)], element: 1 };
        let mut scratch = Scratch { bytes, ..Scratch::default() };
        let err = pipeline.decode(&mut scratch, 0, 1000).expect_err("refused");
        assert!(err.contains("more than 1000 bytes"), "{err}");
        assert!(scratch.spare.capacity() < 4096);
    }
}
