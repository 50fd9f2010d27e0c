//! Scalar variable-length text, which `rust-hdf5` cannot make.
//!
//! It makes arrays of one string instead; in the closed file the dataspace of each is then turned
//! from "one axis of length 1" into "scalar", in place: the element, its heap entry and everything
//! else stay as they are, only rank and checksum of one object header change.

use rust_hdf5::format::checksum::checksum_metadata;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Message number of a dataspace.
const DATASPACE: u8 = 1;
/// Longest first block of an object header that a one-string dataset with attributes may have;
/// attributes stay below 64 KiB each.
const MOST_HEADER: u64 = 16 << 20;

/// Turns the datasets at `paths` of the closed file `file` into scalars.
pub(super) fn make_scalar(file: &Path, paths: &[String]) -> Result<(), String> {
    if paths.is_empty() {
        return Ok(());
    }
    let text = |e: &dyn std::fmt::Display| e.to_string();
    let addresses = {
        let reader = hdf5_reader::Hdf5File::open(file).map_err(|e| text(&e))?;
        let address = |path: &String| reader.dataset(path).map(|d| d.address()).map_err(|e| text(&e));
        paths.iter().map(address).collect::<Result<Vec<u64>, String>>()?
    };
    let bytes = File::options().read(true).write(true).open(file).map_err(|e| text(&e))?;
    addresses.into_iter().try_for_each(|address| patch(&bytes, address))
}

/// Patches the version 2 object header at `address`.
fn patch(file: &File, address: u64) -> Result<(), String> {
    let mut front = [0u8; 64];
    file.read_exact_at(&mut front[..6], address).map_err(|e| e.to_string())?;
    if &front[..4] != b"OHDR" || front[4] != 2 {
        return Err("a scalar text has an object header of unknown version".into());
    }
    let flags = front[5];
    // Times and attribute limits are optional, then comes the first block's length.
    let times = if flags & 0x20 != 0 { 16 } else { 0 };
    let limits = if flags & 0x10 != 0 { 4 } else { 0 };
    let width = 1usize << (flags & 3);
    let size_at = 6 + times + limits;
    let messages = size_at + width;
    file.read_exact_at(&mut front[..messages], address).map_err(|e| e.to_string())?;
    let mut raw = [0u8; 8];
    raw[..width].copy_from_slice(&front[size_at..messages]);
    let length = u64::from_le_bytes(raw);
    if length > MOST_HEADER {
        return Err("a scalar text has an object header too long".into());
    }
    let mut header = vec![0; messages + length as usize];
    file.read_exact_at(&mut header, address).map_err(|e| e.to_string())?;
    let tracked = if flags & 4 != 0 { 2 } else { 0 };
    let space = dataspace(&mut header[messages..], 4 + tracked)
        .ok_or("a scalar text has no dataspace in its header's first block")?;
    match space {
        [2, rank @ 1, flags, class, dims @ ..] => {
            (*rank, *flags, *class) = (0, 0, 0);
            dims.fill(0);
        }
        [1, rank @ 1, flags, ..] => (*rank, *flags) = (0, 0),
        _ => return Err("a scalar text has an unknown dataspace".into()),
    }
    let checksum = checksum_metadata(&header);
    header.extend(checksum.to_le_bytes());
    file.write_all_at(&header, address).map_err(|e| e.to_string())
}

/// The body of the dataspace message; each message has `lead` bytes before its body.
fn dataspace(mut messages: &mut [u8], lead: usize) -> Option<&mut [u8]> {
    loop {
        let (head, rest) = messages.split_at_mut_checked(lead)?;
        let length = usize::from(u16::from_le_bytes([head[1], head[2]]));
        let (body, rest) = rest.split_at_mut_checked(length)?;
        if head[0] == DATASPACE {
            return Some(body);
        }
        messages = rest;
    }
}
