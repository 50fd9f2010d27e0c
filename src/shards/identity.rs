//! What a part says of itself: which run it is of and which part of it.
//!
//! Files carry it as a label ([`crate::io::Writer::label`]), folders as [`FOLDER_LABEL`].

use super::{Asked, Shard};
use crate::error::{Error, Result};
use crate::io::atomic::Beside;
use crate::io::{self, Container, Writer};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// File in a part that is a folder; written last, so that a folder without it is no whole part.
pub const FOLDER_LABEL: &str = "shard.json";

/// Largest label that is read: a long kernel typed out, and room.
const LONGEST: u64 = 64 << 20;

/// Which run a part is of and which part of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    /// Version of the program that made it.
    pub nissl: String,
    /// The command.
    pub command: String,
    /// Hash of inputs, options that matter to the result, and version.
    pub run: String,
    /// Which part.
    pub shard: Shard,
    /// The command line as typed; the merge takes its options from it.
    pub argv: Vec<String>,
    /// The folder it was typed in.
    pub directory: PathBuf,
    /// What the command wants to know besides.
    #[serde(default)]
    pub details: serde_json::Value,
}

impl Identity {
    /// The identity of a part of the present program.
    pub fn new(command: &str, run: &str, shard: Shard, asked: &Asked, details: serde_json::Value) -> Self {
        Identity {
            nissl: env!("CARGO_PKG_VERSION").into(),
            command: command.into(),
            run: run.into(),
            shard,
            argv: asked.argv.clone(),
            directory: asked.directory.clone(),
            details,
        }
    }

    fn text(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|e| Error::Failed(format!("cannot write a part's identity: {e}")))
    }

    fn parse(text: &[u8], path: &Path) -> Result<Self> {
        serde_json::from_slice(text).map_err(|_| {
            let place = path.display().to_string();
            Error::data(place, "a damaged part", "one that --shard wrote", "run that shard again")
        })
    }
}

/// Bytes of a file that are hashed at a time.
const PIECE: usize = 1 << 20;

/// Hashes what a run depends on, item by item.
#[derive(Debug, Default)]
pub struct Run(Sha256);

impl Run {
    /// Starts with the program's version and the command.
    pub fn of(command: &str) -> Self {
        Run::default().with(env!("CARGO_PKG_VERSION")).with(command)
    }

    /// Takes one more item in; its length keeps neighbours apart.
    pub fn with(mut self, item: impl AsRef<[u8]>) -> Self {
        self.0.update((item.as_ref().len() as u64).to_le_bytes());
        self.0.update(item);
        self
    }

    /// Takes in what is in a file, however large: the same as its bytes at once.
    ///
    /// # Errors
    /// The file cannot be read, or changes meanwhile.
    pub fn with_file(mut self, path: &Path) -> Result<Self> {
        let failed = || Error::io(path, "read");
        let mut file = File::open(path).map_err(failed())?;
        let length = file.metadata().map_err(failed())?.len();
        self.0.update(length.to_le_bytes());
        let (mut piece, mut read) = (vec![0; PIECE], 0);
        loop {
            match file.read(&mut piece) {
                Ok(0) if read == length => return Ok(self),
                Ok(0) => return Err(failed()(std::io::ErrorKind::UnexpectedEof.into())),
                Ok(more) => {
                    self.0.update(&piece[..more]);
                    read += more as u64;
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed()(error)),
            }
        }
    }

    /// The hash, hexadecimal.
    pub fn name(self) -> String {
        self.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl Identity {
    /// Labels the file under construction.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn label(&self, writer: &mut dyn Writer) -> Result<()> {
        writer.label(&self.text()?)
    }
}

/// The identity of an open file; none where it is no part.
///
/// # Errors
/// The file cannot be read, or its label is damaged.
pub fn read_label(file: &dyn Container) -> Result<Option<Identity>> {
    file.label()?.map(|text| Identity::parse(&text, file.path())).transpose()
}

/// True where `path` is the part `shard` of the run `run`.
///
/// # Errors
/// Something else lies there and `force` was not given.
pub fn is_done(path: &Path, shard: Shard, run: &str, force: bool) -> Result<bool> {
    // A damaged or foreign file is somebody's: as without --resume.
    let found = io::open(path).and_then(|file| read_label(file.as_ref())).ok().flatten();
    match found {
        Some(identity) if identity.run == run && identity.shard == shard => Ok(true),
        _ if force => Ok(false),
        _ => Err(Error::OutputExists(path.to_owned())),
    }
}

/// Labels a folder whose results are all there.
///
/// # Errors
/// The file cannot be written.
pub fn write_folder(folder: &Path, identity: &Identity) -> Result<()> {
    let path = folder.join(FOLDER_LABEL);
    let mut file = Beside::create(&path)?;
    file.file().write_all(identity.text()?.as_bytes()).map_err(Error::io(&path, "write"))?;
    file.finish()
}

/// The identity of a folder; none where it is no whole part.
///
/// # Errors
/// Its label is there and cannot be read.
pub fn read_folder(folder: &Path) -> Result<Option<Identity>> {
    let path = folder.join(FOLDER_LABEL);
    match std::fs::metadata(&path) {
        Ok(found) if found.is_file() && found.len() <= LONGEST => {
            let text = std::fs::read(&path).map_err(Error::io(&path, "read"))?;
            Identity::parse(&text, &path).map(Some)
        }
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_counts_as_its_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.h5");
        let bytes: Vec<u8> = (0..2 * PIECE + 77).map(|at| (at * 31 % 251) as u8).collect();
        std::fs::write(&path, &bytes).unwrap();
        let name = |run: Run| run.with("after").name();
        assert_eq!(name(Run::of("decode").with_file(&path).unwrap()), name(Run::of("decode").with(&bytes)));
        let missing = Run::of("decode").with_file(&folder.path().join("none")).unwrap_err().to_string();
        assert!(missing.contains("none"), "{missing}");
    }
}
