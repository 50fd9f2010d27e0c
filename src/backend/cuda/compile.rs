//! PTX for a source: compiled by NVRTC where it is installed and kept on disk, otherwise carried
//! along, compiled for compute capability 8.0.
#![allow(unsafe_code)] // NVRTC is a C library.

use super::driver::Told;
use crate::backend::device::Cuda;
use cudarc::nvrtc::{result, sys};
use flate2::read::GzDecoder;
use sha2::{Digest, Sha256};
use std::ffi::{CStr, CString, c_char};
use std::fmt::Write as _;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Options besides the architecture. Sources say where they mean a fused multiply-add.
const OPTIONS: [&str; 2] = ["--std=c++17", "--fmad=false"];

/// PTX, and where it comes from in words.
pub struct Compiled {
    /// Text with a NUL at its end.
    pub ptx: CString,
    /// `compiled for compute_90 by NVRTC 12.4`.
    pub from: String,
}

/// Version of the NVRTC on this machine, if there is one that can be used.
fn nvrtc() -> Option<(i32, i32)> {
    // SAFETY: loading a system library runs its initialisers; NVRTC's are made for that.
    if !unsafe { sys::is_culib_present() } {
        return None;
    }
    // SAFETY: the library is there, so this cannot panic.
    let library = unsafe { sys::culib() };
    let called: [&[u8]; 8] = [
        b"nvrtcVersion\0",
        b"nvrtcCreateProgram\0",
        b"nvrtcCompileProgram\0",
        b"nvrtcDestroyProgram\0",
        b"nvrtcGetPTXSize\0",
        b"nvrtcGetPTX\0",
        b"nvrtcGetProgramLogSize\0",
        b"nvrtcGetProgramLog\0",
    ];
    // SAFETY: symbols are looked up, never called through this type.
    let whole = called.iter().all(|name| unsafe { library.get::<unsafe extern "C" fn()>(*name) }.is_ok());
    let (mut major, mut minor) = (0, 0);
    // SAFETY: plain out parameters; the symbol was found.
    let answered = whole && unsafe { sys::nvrtcVersion(&mut major, &mut minor) }.result().is_ok();
    answered.then_some((major, minor))
}

/// `compute_90`.
fn architecture((major, minor): (i32, i32)) -> String {
    format!("compute_{major}{minor}")
}

/// What an earlier run compiled, if it is still there.
pub fn kept(cuda: &Cuda, capability: (i32, i32)) -> Told<Option<Compiled>> {
    let Some(path) = nvrtc().and_then(|version| cached(cuda, capability, version)) else { return Ok(None) };
    let ptx = std::fs::read(&path).ok().and_then(|bytes| CString::new(bytes).ok());
    Ok(ptx.map(|ptx| Compiled { ptx, from: format!("from {}", path.display()) }))
}

/// Compiled now, and kept for later runs.
pub fn made(cuda: &Cuda, capability: (i32, i32)) -> Told<Option<Compiled>> {
    let Some(version) = nvrtc() else { return Ok(None) };
    let architecture = architecture(capability);
    let ptx = compiled(cuda, &architecture)?;
    if let Some(path) = cached(cuda, capability, version)
        && let Err(reason) = keep(&path, ptx.as_bytes())
    {
        tracing::info!("{}: cannot keep compiled kernels: {reason}", path.display());
    }
    let from = format!("compiled for {architecture} by NVRTC {}.{}", version.0, version.1);
    Ok(Some(Compiled { ptx, from }))
}

/// What the program carries.
pub fn carried(cuda: &Cuda, _: (i32, i32)) -> Told<Option<Compiled>> {
    let mut ptx = Vec::new();
    let read = GzDecoder::new(cuda.ptx).read_to_end(&mut ptx);
    let ptx = read.ok().and_then(|_| CString::new(ptx).ok());
    let ptx = ptx.ok_or_else(|| format!("internal error: the compiled form of {} is damaged", cuda.file))?;
    Ok(Some(Compiled { ptx, from: "as the program carries them, for compute_80".into() }))
}

/// Where the compiled form of a source is kept: named by all that it depends on.
fn cached(cuda: &Cuda, capability: (i32, i32), version: (i32, i32)) -> Option<PathBuf> {
    let folder = match std::env::var_os("XDG_CACHE_HOME").filter(|path| Path::new(path).is_absolute()) {
        Some(path) => PathBuf::from(path),
        None => PathBuf::from(std::env::var_os("HOME").filter(|home| !home.is_empty())?).join(".cache"),
    };
    let mut hash = Sha256::new();
    for part in [cuda.source, &architecture(capability), &OPTIONS.join(" ")] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let mut name = cuda.file.replace(['/', '.'], "-");
    for byte in &hash.finalize()[..12] {
        let _ = write!(name, "{byte:02x}");
    }
    Some(folder.join("nissl").join(format!("{name}-nvrtc{}.{}.ptx", version.0, version.1)))
}

/// Writes beside and renames, so that other processes see whole files only.
fn keep(path: &Path, ptx: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    // Nodes of a cluster may share the folder and the number of a process.
    let mark: u64 = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), std::process::id());
    let beside = path.with_extension(format!("{}-{mark:x}.part", std::process::id()));
    std::fs::write(&beside, ptx)?;
    std::fs::rename(&beside, path).inspect_err(|_| {
        let _ = std::fs::remove_file(&beside);
    })
}

/// A program of NVRTC's, destroyed at the end.
struct Program(sys::nvrtcProgram);

impl Drop for Program {
    fn drop(&mut self) {
        // SAFETY: created by `create_program`, destroyed once.
        let _ = unsafe { result::destroy_program(self.0) };
    }
}

fn compiled(cuda: &Cuda, architecture: &str) -> Told<CString> {
    let text = |text: &str| CString::new(text).map_err(|_| format!("{} holds a NUL", cuda.file));
    let (source, file) = (text(cuda.source)?, text(cuda.file)?);
    let refused = |doing: &str| format!("NVRTC cannot {doing} {} for {architecture}", cuda.file);
    let program = result::create_program(&source, Some(&file)).map_err(|_| refused("take"))?;
    let program = Program(program);
    let mut options = vec![format!("--gpu-architecture={architecture}")];
    options.extend(OPTIONS.map(str::to_owned));
    // SAFETY: the program is alive; source and name outlive it.
    if unsafe { result::compile_program(program.0, &options) }.is_err() {
        // SAFETY: as above.
        let log = unsafe { result::get_program_log(program.0) }.map(|log| words(&log)).unwrap_or_default();
        // An error is one line.
        let first = log.lines().find(|line| line.contains("error")).unwrap_or("no reason given").to_owned();
        return Err(format!("{}: {first}", refused("compile")));
    }
    // SAFETY: as above; the program is compiled.
    let ptx = unsafe { result::get_ptx(program.0) }.map_err(|_| refused("hand out"))?;
    CString::new(words(&ptx)).map_err(|_| refused("hand out"))
}

/// C text as Rust's, without the NUL at its end.
fn words(text: &[c_char]) -> String {
    let bytes: &[u8] = bytemuck::cast_slice(text);
    CStr::from_bytes_until_nul(bytes).map_or_else(
        |_| String::from_utf8_lossy(bytes).into_owned(),
        |text| text.to_string_lossy().into_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const CUDA: Cuda = Cuda { file: "focal/focal.cu", source: "extern", ptx: &[] };

    #[test]
    fn what_is_kept_is_named_by_all_it_depends_on() {
        let name = |cuda: &Cuda, capability, version| cached(cuda, capability, version);
        let first = name(&CUDA, (9, 0), (12, 4));
        assert!(first.is_none() || first == name(&CUDA, (9, 0), (12, 4)));
        let other = Cuda { source: "extern ", ..CUDA };
        let others =
            [name(&other, (9, 0), (12, 4)), name(&CUDA, (8, 0), (12, 4)), name(&CUDA, (9, 0), (12, 5))];
        assert!(first.is_none() || others.iter().all(|path| *path != first));
    }

    #[test]
    fn a_kept_file_appears_whole_and_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deeper").join("a.ptx");
        keep(&path, b"first").unwrap();
        keep(&path, b"second").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"second");
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_damaged_carried_form_is_an_error() {
        assert!(carried(&CUDA, (8, 0)).is_err());
    }
}
