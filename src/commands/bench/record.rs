//! `--record`: runs a command line and keeps it, its inputs and its outputs as a case for `--verify`.
//!
//! Inputs up to 3 MB are copied into the case, larger ones named with their size and SHA-256. The
//! case is made beside its folder, run as it will be run later, and put in place when its outputs
//! are there: what cannot be run leaves nothing.

mod part;
mod words;

use super::options::Record;
use super::verify::case::{Case, Expect, Referenced};
use super::verify::{REPORT, Terms, load, run_case, sum};
use super::workplace::Workplace;
use super::{Answer, Options};
use crate::commands::Context;
use crate::error::{Error, ExitCode, Result};
use crate::io::atomic;
use part::Part;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use words::{Given, Words};

/// Larger inputs are not copied, bytes.
const LARGEST_COPY: u64 = 3_000_000;

/// Keys of JSON outputs that tell where the input lay.
const PLACES: [&str; 2] = ["input", "run"];

/// Runs `--record`.
///
/// # Errors
/// The case is there already, the command line is none that a case can hold, its run fails, or a
/// file cannot be read or written.
pub fn run(options: &Options, context: &Context) -> Result<Answer> {
    let Some(record) = &options.record else { return Err(Error::usage("--record: no folder")) };
    atomic::check_folder(&record.folder, record.force)?;
    let words = words::take_apart(&record.argv)?;
    let part = Part::new(&record.folder)?;
    let mut case = Case {
        name: name_of(&record.folder)?,
        about: Some(concat!("recorded by nissl ", env!("CARGO_PKG_VERSION")).into()),
        command: Vec::new(),
        exit: 0,
        inputs: Default::default(),
        expect: Vec::new(),
    };
    let mut stored = Stored { folder: part.path(), known: Vec::new() };
    case.command = words.filled(|given| stored.place(given, &mut case.inputs))?;
    let place = Workplace::make(options.work.as_deref(), 0)?;
    let terms = Terms {
        program: &options.program,
        threads: context.threads,
        memory: context.memory,
        backend: &options.backend,
        context,
    };
    let whole = |path: &Path| path.canonicalize().map_err(Error::io(path, "open"));
    let out = &whole(place.folder())?;
    let ended = run_case(&case, &whole(part.path())?, out, terms)?;
    if ended.code != Some(0) {
        let code = if ended.code == Some(65) { ExitCode::BadData } else { ExitCode::Failed };
        return Err(Error::Refused(format!("--record: the command line fails: {}", ended.said), code));
    }
    case.expect = outputs(out, part.path(), record)?;
    if case.expect.is_empty() {
        let line = "--record: the run left no array, text or JSON that could be compared";
        return Err(Error::Failed(line.into()));
    }
    write(&case, part.path())?;
    part.put_in_place(&record.folder)?;
    Ok(Answer::fine(told(&case, &words, record)))
}

fn name_of(folder: &Path) -> Result<String> {
    let name = std::path::absolute(folder).ok().and_then(|path| Some(path.file_name()?.to_owned()));
    let name =
        name.ok_or_else(|| Error::usage(format!("--record {}: expected a folder's name", folder.display())))?;
    Ok(name.to_string_lossy().into_owned())
}

/// Inputs as they are stored.
struct Stored<'a> {
    folder: &'a Path,
    /// What each input is called in the command line.
    known: Vec<(PathBuf, String)>,
}

impl Stored<'_> {
    /// Copies an input or names it; how the command line calls it.
    fn place(
        &mut self,
        given: &Given,
        referenced: &mut std::collections::BTreeMap<String, Referenced>,
    ) -> Result<String> {
        let path = given.path.canonicalize().map_err(Error::io(&given.path, "open"))?;
        if let Some((_, name)) = self.known.iter().find(|(known, _)| *known == path) {
            return Ok(name.clone());
        }
        let (bytes, sha256) = sum(&path)?;
        let name = if bytes > LARGEST_COPY {
            let key = format!("input{}", referenced.len() + 1);
            let text = path.to_string_lossy().into_owned();
            referenced.insert(key.clone(), Referenced { path: text, bytes, sha256 });
            format!("{{{key}}}")
        } else {
            format!("{{case}}/inputs/{}", self.copied(&path)?)
        };
        self.known.push((path, name.clone()));
        Ok(name)
    }

    /// Copies a file or folder and what belongs to it; its path below `inputs`.
    fn copied(&self, path: &Path) -> Result<String> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // Equal names of different folders.
        let below = (1..).map(|n| if n == 1 { name.clone() } else { format!("{n}/{name}") });
        let below = below.into_iter().find(|below| !self.folder.join("inputs").join(below).exists());
        let below = below.unwrap_or(name);
        let to = self.folder.join("inputs").join(&below);
        if path.is_dir() {
            for file in load::files(path)? {
                let inside = file.strip_prefix(path).unwrap_or(&file);
                copy(&file, &to.join(inside))?;
            }
            return Ok(below);
        }
        copy(path, &to)?;
        for fellow in fellows(path)? {
            copy(&fellow, &to.with_file_name(fellow.file_name().unwrap_or_default()))?;
        }
        Ok(below)
    }
}

/// What is read with a file without being named: the unit of an `electrodes.tsv`.
fn fellows(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.to_string_lossy().ends_with("electrodes.tsv") {
        return Ok(Vec::new());
    }
    let folder = path.parent().unwrap_or(path);
    let entries = std::fs::read_dir(folder).map_err(Error::io(folder, "open"))?;
    let found = entries.filter_map(|entry| Some(entry.ok()?.path()));
    Ok(found.filter(|path| path.to_string_lossy().ends_with("coordsystem.json")).collect())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let folder = to.parent().unwrap_or(to);
    std::fs::create_dir_all(folder).map_err(Error::io(folder, "make"))?;
    std::fs::copy(from, to).map(drop).map_err(Error::io(from, "copy"))
}

/// Copies what the run left and tells what must come out again.
fn outputs(out: &Path, part: &Path, record: &Record) -> Result<Vec<Expect>> {
    let mut expects = Vec::new();
    let mut copied: Option<String> = None;
    for place in load::places(out)? {
        let file = place.split_once(':').map_or(place.as_str(), |(file, _)| file).to_owned();
        if copied.as_deref() != Some(file.as_str()) {
            copy(&out.join(&file), &part.join("expected").join(&file))?;
            copied = Some(file.clone());
        }
        let expected = Some(format!("expected/{place}"));
        let expect =
            Expect { output: place, expected, rtol: record.rtol, atol: record.atol, ..Expect::default() };
        match load::json(&out.join(&file)) {
            Ok(Value::Object(fields)) if file.ends_with(".json") => {
                let keys = fields.keys().filter(|key| !PLACES.contains(&key.as_str()));
                let pointers =
                    keys.map(|key| Some(format!("/{}", key.replace('~', "~0").replace('/', "~1"))));
                expects.extend(pointers.map(|pointer| Expect {
                    pointer: pointer.clone(),
                    expected_pointer: pointer,
                    ..expect.clone()
                }));
            }
            Ok(_) if file.ends_with(".json") => expects.push(expect),
            _ => expects.push(Expect { same_type: true, ..expect }),
        }
    }
    debug_assert!(expects.iter().all(|expect| expect.output != REPORT));
    Ok(expects)
}

/// Fields of the case, entries of `expect` on a line each.
fn write(case: &Case, folder: &Path) -> Result<()> {
    let failed = |e: serde_json::Error| Error::Failed(format!("cannot write the case: {e}"));
    let mut value = serde_json::to_value(case).map_err(failed)?;
    let lines = case.expect.iter().map(|expect| serde_json::to_string(expect).map_err(failed));
    let lines = lines.collect::<Result<Vec<_>>>()?;
    value["expect"] = json!("EXPECT");
    let text = format!("{:#}\n", json!({ "cases": [value] }));
    let text = text.replace("\"EXPECT\"", &format!("[\n        {}\n      ]", lines.join(",\n        ")));
    let path = folder.join("case.json");
    std::fs::write(&path, text).map_err(Error::io(&path, "write"))
}

fn told(case: &Case, words: &Words, record: &Record) -> String {
    let copied = words.inputs().saturating_sub(case.inputs.len());
    let far = case.inputs.values().map(|input| format!("not copied: {}\n", input.path)).collect::<String>();
    let folder = record.folder.display();
    format!(
        "{folder}/case.json: {copied} of {} inputs copied, {} outputs to compare; check with nissl bench --verify {folder}\n{far}",
        words.inputs(),
        case.expect.len(),
    )
}
