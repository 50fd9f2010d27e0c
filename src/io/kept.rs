//! Results that are done, kept beside an output so that a run that is stopped can go on: a log of
//! records, each a stretch of rows with its bytes and a checksum.
//!
//! The file is called after the run (`.NAME.nissl-RUN.kept`), so another run's is another file.
//! A process that is killed leaves at most one torn record at the end, which is written anew; what
//! stands before it counts. The file goes when the output is whole.

use crate::error::{Error, Result};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

const MAGIC: &[u8; 8] = b"NISSLKP2";
/// Letters of the run's name in the file's name.
const LETTERS: usize = 16;
/// Plane, first row, end, bytes, checksum: 8 bytes each.
const HEAD: usize = 40;

/// Bytes after which the disk is told to begin.
#[cfg(target_os = "linux")]
const PIECE: u64 = 32 << 20;

/// A log of finished rows.
#[derive(Debug)]
pub struct Kept {
    file: File,
    path: PathBuf,
    /// Whole records end here.
    end: u64,
    /// The next record to be read begins here.
    next: u64,
    /// The disk was told to take what lies before.
    handed: u64,
}

/// A stretch of rows of one plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// The plane, from 0.
    pub plane: u64,
    /// First row.
    pub start: u64,
    /// One past the last row.
    pub end: u64,
}

/// Where the rows of the run `run` into `output` are kept.
pub fn place(output: &Path, run: &str) -> PathBuf {
    let name = output.file_name().unwrap_or_default().to_string_lossy();
    let short: String = run.chars().take(LETTERS).collect();
    output.with_file_name(format!(".{name}.nissl-{short}.kept"))
}

/// Kept rows of other runs into `output`.
pub fn strangers(output: &Path, run: &str) -> Vec<PathBuf> {
    let own = place(output, run);
    let begins = format!(".{}.nissl-", output.file_name().unwrap_or_default().to_string_lossy());
    let folder = output.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let other = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(&begins) && name.ends_with(".kept") && path.file_name() != own.file_name()
    };
    entries.filter(other).collect()
}

impl Kept {
    /// Opens what is kept of the run `run` into `output`, or begins.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn open(output: &Path, run: &str) -> Result<Self> {
        let path = place(output, run);
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(Error::io(&path, "open"))?;
        let head = [MAGIC, run.as_bytes()].concat();
        let mut found = vec![0; head.len()];
        let ours = file.read_exact_at(&mut found, 0).is_ok() && found == head;
        let end = head.len() as u64;
        if !ours {
            file.set_len(0).and_then(|()| file.write_all_at(&head, 0)).map_err(Error::io(&path, "write"))?;
        }
        Ok(Kept { file, path, end, next: end, handed: end })
    }

    /// Reads the next whole record into `bytes`; none behind the last one.
    ///
    /// # Errors
    /// The disk fails.
    pub fn next(&mut self, bytes: &mut Vec<u8>) -> Result<Option<Stretch>> {
        let fault = || Error::io(&self.path, "read");
        let length = self.file.metadata().map_err(fault())?.len();
        let mut head = [0; HEAD];
        if length < self.next.saturating_add(HEAD as u64) {
            return Ok(None);
        }
        self.file.read_exact_at(&mut head, self.next).map_err(fault())?;
        let [plane, start, end, size, sum] = numbers(&head);
        let body = self.next + HEAD as u64;
        if body.checked_add(size).is_none_or(|needed| needed > length) || start >= end {
            return Ok(None);
        }
        bytes.resize(size as usize, 0);
        self.file.read_exact_at(bytes, body).map_err(fault())?;
        if checksum(&head[..HEAD - 8], bytes) != sum {
            return Ok(None);
        }
        (self.next, self.end) = (body + size, body + size);
        Ok(Some(Stretch { plane, start, end }))
    }

    /// Gives the record that was read last back: it and all behind it do not fit.
    pub fn reject(&mut self, bytes: &[u8]) {
        self.end = self.end.saturating_sub((HEAD + bytes.len()) as u64);
        self.next = self.end;
    }

    /// Keeps a stretch behind those that were read or kept before.
    ///
    /// # Errors
    /// The disk is full or fails.
    pub fn push(&mut self, at: Stretch, bytes: &[u8]) -> Result<()> {
        let size = bytes.len() as u64;
        let mut head = Vec::with_capacity(HEAD);
        for number in [at.plane, at.start, at.end, size] {
            head.extend(number.to_le_bytes());
        }
        let sum = checksum(&head, bytes);
        head.extend(sum.to_le_bytes());
        let fault = || Error::io(&self.path, "write");
        let body = self.end + HEAD as u64;
        self.file.write_all_at(bytes, body).map_err(fault())?;
        // The head last: a record without one is none.
        self.file.write_all_at(&head, self.end).map_err(fault())?;
        (self.end, self.next) = (body + size, body + size);
        self.hand_over();
        Ok(())
    }

    /// Has the disk begin with what was kept, so that little waits when a stop asks for a sync, and the
    /// page cache stays with files that are read again.
    #[cfg(target_os = "linux")]
    fn hand_over(&mut self) {
        use rustix::fs::{Advice, fadvise};
        if self.end < self.handed + PIECE {
            return;
        }
        // A hint: where the system does not take it, the sync does all.
        let length = std::num::NonZeroU64::new(self.end - self.handed);
        let _ = fadvise(&self.file, self.handed, length, Advice::DontNeed);
        self.handed = self.end;
    }

    #[cfg(not(target_os = "linux"))]
    fn hand_over(&mut self) {
        self.handed = self.end;
    }

    /// Makes what is kept durable.
    ///
    /// # Errors
    /// The disk is full or fails.
    pub fn sync(&self) -> Result<()> {
        self.file.sync_all().map_err(Error::io(&self.path, "write"))
    }
}

/// Takes away what is kept of the run `run` into `output`, if anything is.
///
/// # Errors
/// The file cannot be removed.
pub fn forget(output: &Path, run: &str) -> Result<()> {
    let path = place(output, run);
    match std::fs::remove_file(&path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::io(&path, "remove")(e)),
        _ => Ok(()),
    }
}

fn numbers(head: &[u8; HEAD]) -> [u64; 5] {
    let mut numbers = [0; 5];
    for (number, bytes) in numbers.iter_mut().zip(head.as_chunks::<8>().0) {
        *number = u64::from_le_bytes(*bytes);
    }
    numbers
}

/// Tells torn and overwritten records from whole ones; four lanes, since it runs beside the work.
fn checksum(head: &[u8], body: &[u8]) -> u64 {
    const ODD: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut lanes = [1u64, 2, 3, 4];
    for bytes in [head, body] {
        let (blocks, rest) = bytes.as_chunks::<32>();
        for block in blocks {
            for (lane, word) in lanes.iter_mut().zip(block.as_chunks::<8>().0) {
                *lane = (*lane ^ u64::from_le_bytes(*word)).wrapping_mul(ODD).rotate_left(29);
            }
        }
        for &byte in rest {
            lanes[0] = (lanes[0] ^ u64::from(byte)).wrapping_mul(ODD).rotate_left(29);
        }
        lanes[1] = (lanes[1] ^ bytes.len() as u64).wrapping_mul(ODD);
    }
    lanes.iter().fold(0, |sum, lane| (sum ^ lane).wrapping_mul(ODD).rotate_left(31))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = "0123456789abcdef0123456789abcdef";

    fn at(start: u64) -> Stretch {
        Stretch { plane: 0, start, end: start + 10 }
    }

    fn all(kept: &mut Kept) -> Vec<(u64, Vec<u8>)> {
        let (mut found, mut bytes) = (Vec::new(), Vec::new());
        while let Some(stretch) = kept.next(&mut bytes).unwrap() {
            found.push((stretch.start, bytes.clone()));
        }
        found
    }

    #[test]
    fn whole_records_come_back_and_a_torn_one_is_written_anew() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("out.npy");
        let mut kept = Kept::open(&output, RUN).unwrap();
        kept.push(at(0), b"abcde").unwrap();
        kept.push(at(10), &[7; 100]).unwrap();
        kept.push(at(20), &[9; 100]).unwrap();
        let path = place(&output, RUN);
        let whole = std::fs::read(&path).unwrap();
        for cut in 0..=140 {
            std::fs::write(&path, &whole[..whole.len() - cut]).unwrap();
            let mut again = Kept::open(&output, RUN).unwrap();
            let expected = if cut == 0 { 3 } else { 2 };
            assert_eq!(all(&mut again).len(), expected, "{cut}");
            if cut > 0 {
                again.push(at(20), &[9; 100]).unwrap();
            }
            assert!(std::fs::read(&path).unwrap() == whole, "{cut}");
        }
        // A bit that changed takes its record and all behind it away.
        let mut bad = whole.clone();
        let middle = bad.len() - 200;
        bad[middle] ^= 1;
        std::fs::write(&path, &bad).unwrap();
        assert_eq!(all(&mut Kept::open(&output, RUN).unwrap()), [(0, b"abcde".to_vec())]);
    }

    #[test]
    fn rows_of_another_run_are_another_file() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("out.npy");
        Kept::open(&output, RUN).unwrap().push(at(0), b"abc").unwrap();
        let other = RUN.chars().rev().collect::<String>();
        assert!(all(&mut Kept::open(&output, &other).unwrap()).is_empty());
        assert_eq!(strangers(&output, &other), [place(&output, RUN)]);
        // Names that begin alike differ in the file.
        let near = format!("{}x", &RUN[..31]);
        assert!(all(&mut Kept::open(&output, &near).unwrap()).is_empty());
        let kept = Kept::open(&output, &near).unwrap();
        kept.sync().unwrap();
        forget(&output, &near).unwrap();
        assert!(!place(&output, RUN).exists());
    }
}
