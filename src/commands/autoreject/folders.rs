//! Which folder the results of each input go to; pure arithmetic on paths.

use super::Options;
use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Names of files that a run may write into a result folder, besides the cleaned epochs.
pub const WRITTEN: [&str; 10] = [
    "reject_log.npz",
    "autoreject.h5",
    "summary.json",
    "report.json",
    "reject_log.svg",
    "reject_log.png",
    "thresholds.svg",
    "thresholds.png",
    "loss.svg",
    "loss.png",
];

/// The result folder of every input, in their order: the target itself for a single input, else
/// a folder in it called as the input's stem. Inputs with equal stems get the name of the folder
/// they lie in in front: `sub-01_epochs`.
///
/// # Errors
/// [`Error::Usage`] where two inputs would share a folder all the same.
pub fn result_folders(options: &Options) -> Result<Vec<PathBuf>> {
    let target = options.target()?;
    if options.inputs.len() < 2 {
        return Ok(vec![target; options.inputs.len()]);
    }
    let stems: Vec<OsString> = options.inputs.iter().map(|input| stem(&input.path)).collect();
    let mut shared: BTreeMap<&OsString, usize> = BTreeMap::new();
    stems.iter().for_each(|stem| *shared.entry(stem).or_default() += 1);
    let names = options.inputs.iter().zip(&stems).map(|(input, own)| {
        if shared.get(own).is_some_and(|&count| count > 1) {
            with_folder(&input.path, own)
        } else {
            own.clone()
        }
    });
    let names: Vec<OsString> = names.collect();
    let mut taken: BTreeMap<&OsString, usize> = BTreeMap::new();
    for (at, name) in names.iter().enumerate() {
        if let Some(first) = taken.insert(name, at) {
            return Err(Error::usage(format!(
                "inputs {} and {}: the results of both would go to {}; give them to two runs with a -o each",
                options.inputs[first],
                options.inputs[at],
                target.join(name).display()
            )));
        }
    }
    Ok(names.into_iter().map(|name| target.join(name)).collect())
}

/// The name of the cleaned epochs of `input`.
pub fn cleaned_name(input: &Path) -> OsString {
    let mut name = OsString::from("epochs");
    if let Some(extension) = input.extension() {
        name.push(".");
        name.push(extension);
    }
    name
}

fn stem(path: &Path) -> OsString {
    path.file_stem().unwrap_or(path.as_os_str()).to_owned()
}

/// `FOLDER_stem` for `.../FOLDER/stem.ext`; the stem alone where no folder is named.
fn with_folder(path: &Path, stem: &OsString) -> OsString {
    match path.parent().and_then(Path::file_name) {
        Some(folder) => {
            let mut name = folder.to_owned();
            name.push("_");
            name.push(stem);
            name
        }
        None => stem.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::InputSpec;

    fn folders(inputs: &[&str]) -> Result<Vec<String>> {
        let inputs = inputs.iter().map(|i| InputSpec::file(*i)).collect();
        let options = Options { inputs, output: "out".into(), ..Options::default() };
        Ok(result_folders(&options)?.into_iter().map(|p| p.display().to_string()).collect())
    }

    #[test]
    fn one_input_takes_the_folder_itself_and_several_take_their_stems() {
        assert_eq!(folders(&["a/x.h5"]).unwrap(), ["out"]);
        assert_eq!(folders(&["a/x.h5", "b/y.npy"]).unwrap(), ["out/x", "out/y"]);
    }

    #[test]
    fn equal_stems_get_their_folder_in_front() {
        let found = folders(&["d/sub-01/epochs.h5", "d/sub-02/epochs.h5", "z.h5"]).unwrap();
        assert_eq!(found, ["out/sub-01_epochs", "out/sub-02_epochs", "out/z"]);
        assert_eq!(folders(&["epochs.h5", "s/epochs.h5"]).unwrap(), ["out/epochs", "out/s_epochs"]);
    }

    #[test]
    fn names_that_stay_equal_are_refused_with_both_inputs() {
        for inputs in [
            &["s/epochs.h5", "s/epochs.npy"][..],
            &["a/s/x.h5", "b/s/x.h5"],
            &["x.h5", "x.h5"],
            &["s/x.h5", "t/x.h5", "u/s_x.h5"],
        ] {
            let message = folders(inputs).unwrap_err().to_string();
            assert!(matches!(folders(inputs), Err(Error::Usage(_))), "{inputs:?}");
            assert!(message.contains(inputs[0]) && message.contains("out/"), "{message}");
        }
    }

    #[test]
    fn cleaned_epochs_keep_the_extension() {
        assert_eq!(cleaned_name(Path::new("a/b.h5")), "epochs.h5");
        assert_eq!(cleaned_name(Path::new("a/b")), "epochs");
    }
}
