//! Which words of a command line are inputs, which outputs.

use crate::error::{Error, Result};
use crate::io::InputSpec;
use std::path::{Path, PathBuf};

/// A file or folder that the command line names.
#[derive(Debug, Clone, PartialEq)]
pub struct Given {
    /// Where it lies.
    pub path: PathBuf,
    /// The dataset named behind it.
    dataset: Option<String>,
    /// What stands in front of it in the same word: `--kernel=`.
    front: String,
}

/// A word.
#[derive(Debug, Clone, PartialEq)]
enum Word {
    Plain(String),
    Input(Given),
}

/// A command line taken apart.
#[derive(Debug, Clone, PartialEq)]
pub struct Words(Vec<Word>);

impl Words {
    /// How many files and folders are read.
    pub fn inputs(&self) -> usize {
        let mut paths: Vec<&Path> = Vec::new();
        for word in &self.0 {
            if let Word::Input(given) = word
                && !paths.contains(&given.path.as_path())
            {
                paths.push(&given.path);
            }
        }
        paths.len()
    }

    /// The words of a case, with inputs called as `name` says.
    ///
    /// # Errors
    /// Those of `name`.
    pub fn filled(&self, mut name: impl FnMut(&Given) -> Result<String>) -> Result<Vec<String>> {
        let word = |word: &Word| match word {
            Word::Plain(text) => Ok(text.clone()),
            Word::Input(given) => {
                let dataset = given.dataset.as_ref().map_or(String::new(), |dataset| format!(":{dataset}"));
                Ok(format!("{}{}{dataset}", given.front, name(given)?))
            }
        };
        self.0.iter().map(word).collect()
    }
}

/// Flags whose values are files that a run writes besides its output.
const WRITES: [&str; 1] = ["--plot"];

/// Flags without values: a bare word behind one is an input.
const SWITCHES: [&str; 15] = [
    "--stream",
    "--paced",
    "--exact",
    "--fast",
    "--flip",
    "--normalize",
    "--raw",
    "--hotspots",
    "--no-augment",
    "--fresh-labels",
    "--drop-unrepaired",
    "--position-weights",
    "--fit-only",
    "--force",
    "-q",
];

/// Takes `argv` apart, `nissl` in front of it or not.
///
/// # Errors
/// Another command than those that have results, no output, or standard input.
pub fn take_apart(argv: &[String]) -> Result<Words> {
    let program = |word: &String| Path::new(word).file_name().is_some_and(|name| name == "nissl");
    let argv = if argv.first().is_some_and(program) { &argv[1..] } else { argv };
    let command = argv.first().map_or("", String::as_str);
    if !["autoreject", "convolve", "decode"].contains(&command) {
        let line =
            format!("--record: the command '{command}'; expected autoreject, convolve or decode behind --");
        return Err(Error::usage(line));
    }
    let mut words = vec![Word::Plain(command.to_owned())];
    let (mut outputs, mut rest) = (0, argv[1..].iter());
    let mut flagged = false;
    while let Some(word) = rest.next() {
        let (flag, value) = match word.split_once('=') {
            Some((flag, value)) if flag.starts_with("--") => (flag, Some(value.to_owned())),
            _ => (word.as_str(), None),
        };
        let short = flag.strip_prefix("-o").filter(|value| !flag.starts_with("--") && !value.is_empty());
        match flag {
            // The report of a case is its own.
            "--report" if value.is_none() => drop(rest.next()),
            "--report" => {}
            "-o" | "--output" => {
                let value = value.or_else(|| rest.next().cloned());
                words.extend(["-o".to_owned(), written(value)?].map(Word::Plain));
                outputs += 1;
            }
            flag if WRITES.contains(&flag) => {
                let value = value.or_else(|| rest.next().cloned());
                words.extend([flag.to_owned(), written(value)?].map(Word::Plain));
            }
            _ if short.is_some() => {
                words.extend(["-o".to_owned(), written(short.map(str::to_owned))?].map(Word::Plain));
                outputs += 1;
            }
            "-" => return Err(Error::usage("--record: a case cannot hold standard input; give a file")),
            flag if flag.starts_with('-') => {
                words.push(match &value {
                    Some(value) => {
                        input(value, &format!("{flag}="), false)?.unwrap_or(Word::Plain(word.clone()))
                    }
                    None => Word::Plain(word.clone()),
                });
            }
            _ => words.push(input(word, "", !flagged)?.unwrap_or(Word::Plain(word.clone()))),
        }
        flagged = word.starts_with('-') && !word.contains('=') && !SWITCHES.contains(&word.as_str());
    }
    match outputs {
        1 => Ok(Words(words)),
        0 => Err(Error::usage("--record: the command line has no output; give -o")),
        _ => Err(Error::usage("--record: the command line has several outputs; give one -o")),
    }
}

/// An output in the temporary folder, by its last name.
fn written(value: Option<String>) -> Result<String> {
    let name = value.as_deref().and_then(|value| Path::new(value).file_name());
    let name = name.ok_or_else(|| Error::usage("--record: an output without a file name"))?;
    Ok(format!("{{out}}/{}", name.to_string_lossy()))
}

/// A word that names what is there. Behind a flag a bare word may be a choice that only happens to
/// be called as something in this folder: only `sure` words and those that look like paths count.
fn input(word: &str, front: &str, sure: bool) -> Result<Option<Word>> {
    if word.is_empty() || !(sure || word.contains(['/', '.'])) {
        return Ok(None);
    }
    let Ok(spec) = InputSpec::parse(word) else { return Ok(None) };
    if !spec.path.exists() {
        return Ok(None);
    }
    Ok(Some(Word::Input(Given { path: spec.path, dataset: spec.dataset, front: front.to_owned() })))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn argv(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn inputs_are_what_is_there_and_outputs_go_to_the_temporary_folder() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(at("dem.nc"), "").unwrap();
        std::fs::write(at("k.npy"), "").unwrap();
        let line = format!(
            "nissl convolve {}:/z -o far/away.nc --kernel={} --boundary wrap --plot p.svg --report r.json",
            at("dem.nc"),
            at("k.npy")
        );
        let words = take_apart(&argv(&line)).unwrap();
        assert_eq!(words.inputs(), 2);
        let name = |given: &Given| Ok(format!("<{}>", given.path.file_name().unwrap().display()));
        let expected =
            "convolve <dem.nc>:/z -o {out}/away.nc --kernel=<k.npy> --boundary wrap --plot {out}/p.svg";
        assert_eq!(words.filled(name).unwrap(), argv(expected));
    }

    #[test]
    fn what_is_no_case_is_a_slip() {
        for (line, part) in [
            ("bench -o x", "the command 'bench'"),
            ("convolve a.npy --kernel box:3x3", "no output"),
            ("convolve a.npy -o b.npy -oc.npy", "several outputs"),
            ("decode --stream - -o b.npy", "standard input"),
            ("convolve a.npy -o", "without a file name"),
        ] {
            let error = take_apart(&argv(line)).unwrap_err();
            assert!(matches!(error, Error::Usage(_)) && error.to_string().contains(part), "{line}: {error}");
        }
    }
}
