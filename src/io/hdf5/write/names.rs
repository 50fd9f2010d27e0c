//! Paths inside a file, its texts, and what the library says of it.

use crate::error::Error;
use rust_hdf5::Hdf5Error;
use std::path::Path;

/// The path with one leading slash and none behind.
pub(super) fn rooted(path: &str) -> String {
    format!("/{}", path.trim_matches('/'))
}

pub(super) fn parent_and_name(path: &str) -> (&str, &str) {
    match path.rsplit_once('/') {
        Some(("", name)) => ("/", name),
        Some((parent, name)) => (parent, name),
        None => ("/", path),
    }
}

/// An error of the library as ours, with the file named and the system's own reason where it has one.
pub(super) fn failed(path: &Path) -> impl Fn(Hdf5Error) -> Error {
    let path = path.to_owned();
    move |error| {
        let text = one_line(&error.to_string());
        // The library's errors have no source; the system's number stands in their text only.
        let code = text.split("(os error ").nth(1).and_then(|rest| rest.split(')').next()?.parse().ok());
        match code {
            Some(code) => Error::io(&path, "write")(std::io::Error::from_raw_os_error(code)),
            None => Error::Failed(format!("{}: cannot write: {text}", path.display())),
        }
    }
}

pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Text for the file: as it is where it is UTF-8, otherwise byte by byte as Latin-1, which is
/// what old netCDF writers meant.
pub(super) fn as_utf8(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|&b| char::from(b)).collect(),
    }
}
