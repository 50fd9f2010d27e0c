//! The front doors: [`open`] chooses a reader by the file's first bytes, [`create`] a writer by
//! the output's extension.

#[cfg(feature = "hdf5")]
use super::hdf5;
use super::npy::{NpyFile, NpyWriter};
use super::npz::{NpzFile, NpzWriter};
use super::{Container, Format, Writer};
use crate::error::{Error, Result};
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::path::Path;

const HDF5_SIGNATURE: &[u8; 8] = b"\x89HDF\r\n\x1a\n";
const READABLE: &str = "NPY, NPZ, HDF5 or netCDF-4";
const WRITABLE: &str = ".npy, .npz, .h5, .hdf5, .nc, .nc4 or .cdf";

/// What a file's first bytes say it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    Npy,
    Zip,
    Hdf5,
    ClassicNetcdf,
    Tiff,
    Unknown,
}

/// Opens a file for reading; its content decides, not its name.
///
/// # Errors
/// A missing file, a format that is not read (named, with the conversion that helps), or one
/// whose own structure is damaged.
pub fn open(path: &Path) -> Result<Box<dyn Container>> {
    let found = std::fs::metadata(path).map_err(Error::io(path, "open"))?;
    if found.is_dir() {
        return Err(folder(path));
    }
    if !found.is_file() {
        return Err(unreadable(path, "a device, pipe or socket", "copy its data to a file first"));
    }
    let file = File::open(path).map_err(Error::io(path, "open"))?;
    let name = path.display();
    match content(&file).map_err(Error::io(path, "read"))? {
        Content::Npy => Ok(Box::new(NpyFile::open(path)?)),
        Content::Zip => Ok(Box::new(NpzFile::open(path)?)),
        Content::Hdf5 => open_hdf5(path),
        Content::ClassicNetcdf => {
            let stem = path.with_extension("");
            let advice = format!("convert it: nccopy -k nc4 {name} {}-nc4.nc", stem.display());
            Err(unreadable(path, "a classic netCDF file (CDF), which is not HDF5", &advice))
        }
        Content::Tiff => {
            let stem = path.with_extension("");
            let advice = format!(
                "not supported yet, convert it: gdal_translate -of netCDF {name} {}.nc",
                stem.display()
            );
            Err(unreadable(path, "a TIFF file", &advice))
        }
        Content::Unknown if found.len() == 0 => Err(unreadable(path, "an empty file", "")),
        Content::Unknown => {
            Err(unreadable(path, "a file of unknown format", "convert or save it as one of these"))
        }
    }
}

#[cfg(feature = "hdf5")]
fn open_hdf5(path: &Path) -> Result<Box<dyn Container>> {
    Ok(Box::new(hdf5::open(path)?))
}

#[cfg(not(feature = "hdf5"))]
fn open_hdf5(path: &Path) -> Result<Box<dyn Container>> {
    Err(unreadable(path, "an HDF5 file", "this program was built without the hdf5 feature"))
}

fn unreadable(path: &Path, found: &str, advice: &str) -> Error {
    Error::data(path.display().to_string(), found, READABLE, advice)
}

/// A folder is a Zarr store or a mistake.
fn folder(path: &Path) -> Error {
    let zarr = [".zarray", ".zgroup", ".zmetadata", "zarr.json"];
    if zarr.iter().any(|name| path.join(name).exists()) {
        let name = path.display();
        let advice = format!(
            "not supported yet, convert it: python -c \"import xarray; xarray.open_zarr('{name}').to_netcdf('out.nc')\""
        );
        return unreadable(path, "a Zarr folder", &advice);
    }
    unreadable(path, "a folder", "give the file inside it")
}

fn content(file: &File) -> std::io::Result<Content> {
    let mut front = [0u8; 8];
    let length = read_up_to(file, 0, &mut front)?;
    let front = &front[..length];
    let starts = |magic: &[u8]| front.starts_with(magic);
    Ok(if starts(b"\x93NUMPY") {
        Content::Npy
    } else if starts(b"PK\x03\x04") || starts(b"PK\x05\x06") {
        Content::Zip
    } else if is_hdf5(file)? {
        Content::Hdf5
    } else if starts(b"CDF\x01") || starts(b"CDF\x02") || starts(b"CDF\x05") {
        Content::ClassicNetcdf
    } else if [b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"].into_iter().any(|magic| starts(magic)) {
        Content::Tiff
    } else {
        Content::Unknown
    })
}

/// HDF5 may stand behind a user block: at 0, 512, 1024, 2048 and so on (MATLAB files do).
fn is_hdf5(file: &File) -> std::io::Result<bool> {
    let length = file.metadata()?.len();
    let mut at = 0;
    while at + 8 <= length {
        let mut bytes = [0u8; 8];
        if read_up_to(file, at, &mut bytes)? == 8 && &bytes == HDF5_SIGNATURE {
            return Ok(true);
        }
        at = if at == 0 { 512 } else { at.saturating_mul(2) };
    }
    Ok(false)
}

fn read_up_to(file: &File, at: u64, out: &mut [u8]) -> std::io::Result<usize> {
    let mut got = 0;
    while got < out.len() {
        match file.read_at(&mut out[got..], at + got as u64) {
            Ok(0) => break,
            Ok(n) => got += n,
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(got)
}

/// The format that an output's extension names.
///
/// # Errors
/// [`Error::Usage`] that lists the known extensions.
pub fn output_format(path: &Path) -> Result<Format> {
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or("").to_ascii_lowercase();
    match extension.as_str() {
        "npy" => Ok(Format::Npy),
        "npz" => Ok(Format::Npz),
        "h5" | "hdf5" if cfg!(feature = "hdf5") => Ok(Format::Hdf5),
        "nc" | "nc4" | "cdf" if cfg!(feature = "hdf5") => Ok(Format::Netcdf4),
        _ => {
            let found = if extension.is_empty() { "no extension".into() } else { format!("'.{extension}'") };
            let known = if cfg!(feature = "hdf5") { WRITABLE } else { ".npy or .npz" };
            Err(Error::usage(format!("{}: output with {found}; expected {known}", path.display())))
        }
    }
}

/// Begins an output file beside its final name; the extension decides the format. netCDF is HDF5
/// here: its conventions are the caller's.
///
/// # Errors
/// As [`output_format`], and a folder that is missing or not writable.
pub fn create(path: &Path) -> Result<Box<dyn Writer>> {
    match output_format(path)? {
        Format::Npy => Ok(Box::new(NpyWriter::create(path)?)),
        Format::Npz => Ok(Box::new(NpzWriter::create(path)?)),
        #[cfg(feature = "hdf5")]
        Format::Hdf5 | Format::Netcdf4 => Ok(Box::new(hdf5::write::Hdf5Writer::create(path)?)),
        _ => Err(Error::usage(format!("{}: expected {WRITABLE}", path.display()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(name: &str, bytes: &[u8]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        match open(&path) {
            Ok(container) => format!("{:?}", container.format()),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn foreign_formats_are_named_with_the_conversion_that_helps() {
        for (name, bytes, wanted) in [
            ("a.nc", b"CDF\x01....".as_slice(), "nccopy -k nc4 "),
            ("a.nc", b"CDF\x05....", "classic netCDF"),
            ("a.tif", b"II*\0....", "not supported yet, convert it: gdal_translate -of netCDF"),
            ("a.tif", b"MM\0+....", "TIFF"),
            ("a.npy", b"", "an empty file"),
            ("a.npy", b"1,2,3\n", "expected NPY, NPZ, HDF5 or netCDF-4"),
        ] {
            let message = opened(name, bytes);
            assert!(message.contains(wanted), "{message}");
        }
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("zarr.json"), b"{}").unwrap();
        let message = open(folder.path()).err().unwrap().to_string();
        assert!(message.contains("a Zarr folder") && message.contains("not supported yet"), "{message}");
        assert!(open(Path::new("/dev/null")).is_err());
    }

    #[test]
    fn signatures_behind_a_user_block_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.mat");
        for (at, wanted) in [(0, true), (512, true), (2048, true), (513, false)] {
            let mut bytes = vec![b' '; at];
            bytes.extend(HDF5_SIGNATURE);
            std::fs::write(&path, &bytes).unwrap();
            assert_eq!(is_hdf5(&File::open(&path).unwrap()).unwrap(), wanted, "{at}");
        }
    }

    #[test]
    fn unknown_extensions_are_usage_errors_that_list_the_known() {
        for name in ["out", "out.tif", "out.", "/dev/null"] {
            let error = output_format(Path::new(name)).unwrap_err();
            assert!(matches!(error, Error::Usage(_)) && error.to_string().contains(".npz"), "{error}");
        }
        assert_eq!(output_format(Path::new("out.NPY")).unwrap(), Format::Npy);
    }
}
