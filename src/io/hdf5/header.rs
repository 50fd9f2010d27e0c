//! Object headers: the list of messages that describes a group or dataset.
//!
//! Both header versions are walked here rather than in `hdf5-reader`, so that one attribute of a
//! type it does not know costs that attribute alone, and so that the raw bytes of the datatype
//! and layout messages are at hand. Messages are then parsed by the crate one at a time.

use super::attributes;
use super::source::{DAMAGED, Source};
use crate::error::{Error, Result};
use hdf5_reader::io::Cursor;
use hdf5_reader::messages::{self, HdfMessage, shared::SharedMessage};
use std::collections::HashSet;

/// All blocks of one header together; real ones are a few KiB.
const HEADER_LIMIT: u64 = 16 << 20;
const SHARED: u8 = 2;

/// One message as it lies in the file.
pub(super) struct RawMessage {
    pub kind: u16,
    pub flags: u8,
    pub bytes: Vec<u8>,
}

/// A parsed object header.
#[derive(Default)]
pub(super) struct Object {
    pub address: u64,
    /// Messages that parsed, shared ones resolved, in file order.
    pub messages: Vec<HdfMessage>,
    /// Compact attributes, those that did not parse with name and reason.
    pub attributes: Vec<attributes::Parsed>,
    /// The datatype message as stored.
    pub raw_datatype: Option<Vec<u8>>,
    /// The layout message as stored.
    pub raw_layout: Option<Vec<u8>>,
    /// Why the datatype could not be parsed, when it could not.
    pub unread_type: Option<String>,
    /// Why the layout could not be parsed, when it could not.
    pub unread_layout: Option<String>,
    /// Bytes of all messages.
    pub bytes: u64,
    uses_table: bool,
}

impl Object {
    /// Reads the header at `address`.
    pub fn read(source: &Source, address: u64) -> Result<Object> {
        let place = format!("{}: object header at {address:#x}", source.path.display());
        let raw = scan(source, address)
            .map_err(|found| Error::data(place.clone(), found, "a sound object header", DAMAGED))?;
        let mut object = Object {
            address,
            bytes: raw.iter().map(|m| m.bytes.len() as u64 + 64).sum(),
            ..Object::default()
        };
        for message in raw {
            object.take(source, message, &place)?;
        }
        if object.uses_table {
            // Files with a shared message table are rare: the crate reads the whole header then.
            let whole = source.whole_header(address)?;
            object.messages.clone_from(&whole.messages);
            object.attributes.clear();
        }
        Ok(object)
    }

    fn take(&mut self, source: &Source, message: RawMessage, place: &str) -> Result<()> {
        let kind = message.kind;
        let message = if message.flags & SHARED == 0 {
            message
        } else {
            match fetch_shared(source, &message) {
                Ok(Shared::Raw(found)) => found,
                Ok(Shared::Table) => {
                    self.uses_table = true;
                    return Ok(());
                }
                Err(found) if kind == messages::MSG_ATTRIBUTE => {
                    self.attributes.push(Err((String::new(), found)));
                    return Ok(());
                }
                Err(found) => return Err(Error::data(place, found, "a shared message", DAMAGED)),
            }
        };
        match kind {
            messages::MSG_ATTRIBUTE => {
                self.attributes.push(attributes::parse(source, &message.bytes));
                return Ok(());
            }
            messages::MSG_DATATYPE => self.raw_datatype = Some(message.bytes.clone()),
            messages::MSG_DATA_LAYOUT => self.raw_layout = Some(message.bytes.clone()),
            _ => {}
        }
        match parse(source, kind, &message.bytes) {
            Ok(parsed) => self.messages.push(parsed),
            Err(found) => match kind {
                messages::MSG_DATATYPE => self.unread_type = Some(found),
                messages::MSG_DATA_LAYOUT => self.unread_layout = Some(found),
                // Neither dates nor comments nor storage hints bear on values.
                messages::MSG_COMMENT
                | messages::MSG_MODIFICATION_TIME
                | messages::MSG_MODIFICATION_TIME_OLD
                | messages::MSG_BTREE_K
                | messages::MSG_GROUP_INFO
                | messages::MSG_REFERENCE_COUNT => {}
                _ => {
                    let what = messages::message_type_name(kind);
                    return Err(Error::data(place, format!("{what}: {found}"), "a sound message", DAMAGED));
                }
            },
        }
        Ok(())
    }
}

fn parse(source: &Source, kind: u16, bytes: &[u8]) -> Result<HdfMessage, String> {
    let mut cursor = Cursor::new(bytes);
    messages::parse_message(kind, bytes.len(), &mut cursor, source.offset_size, source.length_size)
        .map_err(|err| err.to_string())
}

enum Shared {
    Raw(RawMessage),
    /// It lies in the file's shared message table.
    Table,
}

/// Follows a shared message to the header that holds it (a committed datatype), or through the
/// file's shared message table.
fn fetch_shared(source: &Source, message: &RawMessage) -> Result<Shared, String> {
    let mut cursor = Cursor::new(&message.bytes);
    let (os, ls) = (source.offset_size, source.length_size);
    let parsed = messages::shared::parse(&mut cursor, message.kind, os, ls, message.bytes.len());
    match parsed.map_err(|err| err.to_string())? {
        SharedMessage::SharedInOhdr { message_type, address } => scan(source, address)?
            .into_iter()
            .find(|m| m.kind == message_type && m.flags & SHARED == 0)
            .map(Shared::Raw)
            .ok_or_else(|| format!("no message of type {message_type} in the header at {address:#x}")),
        SharedMessage::SharedInSohm { .. } => Ok(Shared::Table),
    }
}

/// Little-endian number of one to eight bytes.
fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |sum, &b| sum << 8 | u64::from(b))
}

/// Messages of one header with its continuation blocks.
struct Scan<'a> {
    source: &'a Source,
    messages: Vec<RawMessage>,
    /// Address and length of blocks still to read.
    pending: Vec<(u64, u64)>,
    total: u64,
}

/// Reads all messages of the header at `address`.
pub(super) fn scan(source: &Source, address: u64) -> Result<Vec<RawMessage>, String> {
    let mut scan = Scan { source, messages: Vec::new(), pending: Vec::new(), total: 0 };
    let start = scan.bytes(address, 16.min(source.len.saturating_sub(address)))?;
    let second = start.starts_with(b"OHDR");
    let order = if second { scan.first_v2(address, &start)? } else { scan.first_v1(address, &start)? };
    let mut seen = HashSet::new();
    while let Some((offset, len)) = scan.pending.pop() {
        if !seen.insert(offset) {
            return Err(format!("a loop of continuation blocks at {offset:#x}"));
        }
        let block = scan.bytes(offset, len)?;
        if second {
            let body = checked(&block, b"OCHK")?;
            scan.split(&body[4..], 4, order)?;
        } else {
            scan.split(&block, 8, false)?;
        }
    }
    Ok(scan.messages)
}

/// A block of a version 2 header without its checksum, which is compared.
fn checked<'a>(block: &'a [u8], signature: &[u8; 4]) -> Result<&'a [u8], String> {
    let Some((body, sum)) = block.split_last_chunk::<4>().filter(|(body, _)| body.starts_with(signature))
    else {
        return Err("a block without its signature".to_owned());
    };
    if hdf5_reader::checksum::jenkins_lookup3(body) != u32::from_le_bytes(*sum) {
        return Err("a block whose checksum does not match".to_owned());
    }
    Ok(body)
}

impl Scan<'_> {
    fn bytes(&mut self, address: u64, len: u64) -> Result<Vec<u8>, String> {
        self.total = self.total.saturating_add(len);
        if self.total > HEADER_LIMIT {
            return Err(format!("a header of more than {HEADER_LIMIT} bytes"));
        }
        let read = self.source.storage.read_range(address, len as usize);
        read.map(|b| b.as_ref().to_vec()).map_err(|err| err.to_string())
    }

    /// Version 1: a 16-byte prefix, then messages on 8-byte boundaries.
    fn first_v1(&mut self, address: u64, start: &[u8]) -> Result<bool, String> {
        if start.len() < 16 || start[0] != 1 {
            return Err("neither version 1 nor version 2".to_owned());
        }
        let len = number(&start[8..12]);
        let block = self.bytes(address.saturating_add(16), len)?;
        self.split(&block, 8, false)?;
        Ok(false)
    }

    /// Version 2: signature, flags, optional times and limits, length, messages, checksum.
    fn first_v2(&mut self, address: u64, start: &[u8]) -> Result<bool, String> {
        if start.get(4) != Some(&2) {
            return Err("version 2 signature with another version".to_owned());
        }
        let flags = start.get(5).copied().unwrap_or(0);
        let times = if flags & 0x20 != 0 { 16 } else { 0 };
        let limits = if flags & 0x10 != 0 { 4 } else { 0 };
        let width = 1u64 << (flags & 3);
        let prefix = 6 + times + limits + width;
        let head = self.bytes(address, prefix)?;
        let len = number(&head[(prefix - width) as usize..]);
        let block = self.bytes(address, len.saturating_add(prefix + 4))?;
        let body = checked(&block, b"OHDR")?;
        let order = flags & 4 != 0;
        self.split(&body[prefix as usize..], 4, order)?;
        Ok(order)
    }

    /// Cuts a block into messages; `head` is the length of a message's own prefix: 8 in version 1,
    /// 4 in version 2, which adds two bytes of creation order when `order` is set.
    fn split(&mut self, mut block: &[u8], head: usize, order: bool) -> Result<(), String> {
        let head = head + if order { 2 } else { 0 };
        while block.len() >= head {
            let (kind, size, flags) = if head == 8 {
                (number(&block[..2]) as u16, number(&block[2..4]) as usize, block[4])
            } else {
                (u16::from(block[0]), number(&block[1..3]) as usize, block[3])
            };
            let Some(bytes) = block.get(head..head + size) else {
                return Err(format!("a message of {size} bytes where {} are left", block.len() - head));
            };
            match kind {
                messages::MSG_NIL => {}
                messages::MSG_CONTINUATION => {
                    let os = usize::from(self.source.offset_size);
                    let ls = usize::from(self.source.length_size);
                    if bytes.len() < os + ls {
                        return Err("a short continuation message".to_owned());
                    }
                    self.pending.push((number(&bytes[..os]), number(&bytes[os..os + ls])));
                }
                _ => self.messages.push(RawMessage { kind, flags, bytes: bytes.to_vec() }),
            }
            block = &block[head + size..];
        }
        Ok(())
    }
}
