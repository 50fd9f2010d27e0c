//! From what was typed after `merge` to the parts of one run, in their order.

use super::{Identity, Shard, name, read_folder, read_label};
use crate::error::{Error, Result};
use crate::io;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A part and what it says of itself.
#[derive(Debug, Clone)]
pub struct Part {
    /// File or folder.
    pub path: PathBuf,
    /// What it says.
    pub identity: Identity,
}

/// Finds the parts at `given` (parts, or folders in which those of `output` lie) and puts them in
/// their order.
///
/// # Errors
/// [`Error::Data`]: no part at all, something that is none, parts of different runs, one part
/// twice, or parts that are missing (told in the form of `--array=`).
pub fn gather(given: &[PathBuf], output: &Path) -> Result<Vec<Part>> {
    let mut parts: BTreeMap<u64, Part> = BTreeMap::new();
    for path in candidates(given, output)? {
        let identity = identity(&path)?;
        if let Some(first) = parts.values().next() {
            same_run(first, &path, &identity)?;
        }
        let number = identity.shard.index;
        if let Some(twin) = parts.get(&number) {
            if io::atomic::same_file(&twin.path, &path) {
                continue;
            }
            return Err(Error::data(
                path.display().to_string(),
                format!("part {} a second time", identity.shard),
                format!("each part once ({} is it too)", twin.path.display()),
                "leave one of them out",
            ));
        }
        parts.insert(number, Part { path, identity });
    }
    let Some((_, first)) = parts.first_key_value() else {
        let place = given.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", ");
        let wanted = Shard { index: 1, of: 1 }.part_of(output, false)?;
        let wanted = wanted.display().to_string().replace("001-of-001", "*-of-*");
        return Err(Error::data(place, "no part", format!("parts called {wanted}"), "run the shards first"));
    };
    let Shard { of, .. } = first.identity.shard;
    let missing: Vec<u64> = (1..=of).filter(|number| !parts.contains_key(number)).collect();
    if !missing.is_empty() {
        return Err(Error::data(
            output.display().to_string(),
            format!("{} of {of} parts; missing: {}", parts.len(), array_list(&missing)),
            "all of them",
            format!("run those shards again (--array={}), then merge", array_list(&missing)),
        ));
    }
    Ok(parts.into_values().collect())
}

/// Numbers as `sbatch --array=` takes them: `1-3,7`.
pub fn array_list(numbers: &[u64]) -> String {
    let mut stretches: Vec<(u64, u64)> = Vec::new();
    for &number in numbers {
        match stretches.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => stretches.push((number, number)),
        }
    }
    let told = stretches.iter().map(|&(first, last)| match last - first {
        0 => first.to_string(),
        1 => format!("{first},{last}"),
        _ => format!("{first}-{last}"),
    });
    told.collect::<Vec<_>>().join(",")
}

/// What was typed, with folders of parts replaced by the parts of `output` in them.
fn candidates(given: &[PathBuf], output: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in given {
        if path.is_dir() && !looks_like_part(path) {
            found.extend(parts_in(path, output)?);
        } else {
            found.push(path.clone());
        }
    }
    Ok(found)
}

/// True for a folder that is a part itself by its name.
fn looks_like_part(path: &Path) -> bool {
    path.file_name().is_some_and(|name| number_in(&name.to_string_lossy()).is_some())
}

/// What stands behind `.shard-NNN-of-NNN`, if that is in the name.
fn number_in(name: &str) -> Option<&str> {
    let (_, rest) = name.rsplit_once(".shard-")?;
    let digits = |text: &str| text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (index, rest) = rest.split_at(digits(rest));
    let rest = rest.strip_prefix("-of-")?;
    let (of, rest) = rest.split_at(digits(rest));
    (!index.is_empty() && !of.is_empty()).then_some(rest)
}

/// The parts of `output` in `folder`, by their names; folders that are no whole part are left
/// out, so that they are told as missing.
fn parts_in(folder: &Path, output: &Path) -> Result<Vec<PathBuf>> {
    let of_file = name(output, false)?;
    let of_folder = name(output, true)?;
    let entries = std::fs::read_dir(folder).map_err(Error::io(folder, "read"))?;
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(Error::io(folder, "read"))?.path();
        let (stem, extension) = if path.is_dir() { &of_folder } else { &of_file };
        let whole = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let begins =
            whole.strip_prefix(&*stem.to_string_lossy()).is_some_and(|rest| rest.starts_with(".shard-"));
        let ends = number_in(&whole) == Some(&*extension.to_string_lossy());
        let whole_part = !path.is_dir() || path.join(super::FOLDER_LABEL).is_file();
        if begins && ends && whole_part {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn identity(path: &Path) -> Result<Identity> {
    let found = if path.is_dir() { read_folder(path)? } else { read_label(io::open(path)?.as_ref())? };
    found.ok_or_else(|| {
        let what =
            if path.is_dir() { "an unfinished part or another folder" } else { "a file that is no part" };
        Error::data(
            path.display().to_string(),
            what,
            "a part that --shard wrote",
            "run that shard again, or leave it out",
        )
    })
}

fn same_run(first: &Part, path: &Path, identity: &Identity) -> Result<()> {
    let differs = |what: &str, found: &str, expected: &str| {
        Err(Error::data(
            path.display().to_string(),
            format!("a part of another run ({what} {found})"),
            format!("{what} {expected}, as {}", first.path.display()),
            "merge the parts of one run: same version, inputs, options and number of shards",
        ))
    };
    let one = &first.identity;
    if identity.command != one.command {
        return differs("command", &identity.command, &one.command);
    }
    if identity.nissl != one.nissl {
        return differs("version", &identity.nissl, &one.nissl);
    }
    if identity.shard.of != one.shard.of {
        return differs("number of shards", &identity.shard.of.to_string(), &one.shard.of.to_string());
    }
    if identity.run != one.run {
        let short = |run: &str| run.chars().take(12).collect::<String>();
        return differs("inputs or options", &short(&identity.run), &short(&one.run));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_parts_are_told_as_an_array_takes_them() {
        assert_eq!(array_list(&[3, 7]), "3,7");
        assert_eq!(array_list(&[1, 2, 3, 7, 9, 10]), "1-3,7,9,10");
        assert_eq!(array_list(&[]), "");
    }

    #[test]
    fn names_of_parts_are_recognised() {
        assert_eq!(number_in("out.shard-003-of-008.nc"), Some(".nc"));
        assert_eq!(number_in("out.shard-003-of-008"), Some(""));
        for other in ["out.nc", "out.shard-x-of-8.nc", "out.shard-1-8.nc", "out.shard--of-8.nc"] {
            assert_eq!(number_in(other), None, "{other}");
        }
    }
}
