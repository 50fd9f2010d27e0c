//! The `history` line of outputs: only what matters to their values, in one fixed order, so that
//! equal inputs and options give equal files wherever and however they were run.

use super::values::{algorithm_name, boundary_name, statistic_name};
use crate::commands::convolve::Options;
use crate::commands::convolve::options::{DtypeChoice, NanRule, Task};
use std::path::Path;

/// `nissl 0.1.0 convolve dem.nc --kernel circle:3`; flags at their defaults are left out.
pub fn line(options: &Options) -> String {
    let mut words = vec![input(options)];
    let mut add = |flag: &str, value: Option<String>| {
        words.push(flag.to_owned());
        words.extend(value);
    };
    if let Some(kernel) = &options.kernel {
        add("--kernel", Some(quoted(&kernel_name(kernel))));
    }
    for (set, flag) in [
        (options.normalize, "--normalize"),
        (options.flip, "--flip"),
        (options.exact, "--exact"),
        (options.fast, "--fast"),
        (options.raw, "--raw"),
    ] {
        if set {
            add(flag, None);
        }
    }
    let boundary = boundary_name(options.boundary);
    if boundary != "nan" {
        add("--boundary", Some(boundary));
    }
    match options.nan {
        NanRule::Propagate => {}
        NanRule::Footprint => add("--nan", Some("footprint".into())),
        NanRule::Ignore => add("--nan", Some("ignore".into())),
    }
    match options.dtype {
        DtypeChoice::Auto => {}
        DtypeChoice::F32 => add("--dtype", Some("f32".into())),
        DtypeChoice::F64 => add("--dtype", Some("f64".into())),
    }
    if let Some(algorithm) = options.algorithm {
        add("--algorithm", Some(algorithm_name(algorithm).into()));
    }
    if let Some((x, y)) = options.cell_size {
        add("--cell-size", Some(format!("{x},{y}")));
    }
    if let Some((y, x)) = &options.dims {
        add("--dims", Some(quoted(&format!("{y},{x}"))));
    }
    for (flag, value) in task(&options.task) {
        add(flag, value);
    }
    format!("nissl {} convolve {}", env!("CARGO_PKG_VERSION"), words.join(" "))
}

/// The file without its folder: the same file elsewhere gives the same result.
fn input(options: &Options) -> String {
    let name = file_name(&options.input.path);
    match &options.input.dataset {
        Some(dataset) => quoted(&format!("{name}:{dataset}")),
        None => quoted(&name),
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// A kernel file goes by its name, too; generators and rows have no folder.
fn kernel_name(kernel: &str) -> String {
    let path = Path::new(kernel);
    let is_file = ["npy", "csv", "txt"].iter().any(|known| path.extension().is_some_and(|e| e == *known));
    if is_file { file_name(path) } else { kernel.to_owned() }
}

fn task(task: &Task) -> Vec<(&'static str, Option<String>)> {
    match task {
        Task::Convolve => Vec::new(),
        Task::Hotspots => vec![("--hotspots", None)],
        Task::Stats(list) => {
            let names: Vec<_> = list.iter().map(|&s| statistic_name(s)).collect();
            vec![("--stat", Some(names.join(",")))]
        }
        Task::Mean { passes, exclude } => {
            let mut values: Vec<String> = exclude.iter().map(|v| v.to_string().to_lowercase()).collect();
            if values.is_empty() {
                values.push("none".into());
            }
            vec![("--mean-passes", Some(passes.to_string())), ("--exclude", Some(values.join(",")))]
        }
    }
}

/// Quoted for a shell where it needs to be.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,+=@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use crate::cli::Cli;
    use clap::Parser;

    fn history(words: &[&str]) -> String {
        let argv = ["nissl", "convolve", "-o", "out.npy"].iter().chain(words);
        let Some(crate::cli::Command::Convolve(args)) = Cli::parse_from(argv).command else {
            panic!("another command");
        };
        let line = args.options().unwrap().history;
        line.strip_prefix(&format!("nissl {} convolve ", env!("CARGO_PKG_VERSION"))).unwrap().to_owned()
    }

    #[test]
    fn only_what_matters_to_values_is_told() {
        let bare = history(&["a/dem.nc", "--kernel", "circle:3"]);
        assert_eq!(bare, "dem.nc --kernel circle:3");
        let unimportant = [
            "--threads",
            "2",
            "--memory",
            "1G",
            "--report",
            "-",
            "--progress",
            "none",
            "--force",
            "--plot",
            "p.svg",
        ];
        let words = [
            &["b/dem.nc", "--kernel", "circle:3", "--boundary", "nan", "--nan", "propagate"][..],
            &unimportant,
        ];
        assert_eq!(history(&words.concat()), bare);
    }

    #[test]
    fn every_flag_that_matters_is_told_and_quoted_for_a_shell() {
        let words =
            ["d.h5:/my data", "--kernel", "0 1 0; 1 -4 1; 0 1 0", "--flip", "--boundary", "constant:-1"];
        let more =
            ["--dtype", "f64", "--algorithm", "direct", "--cell-size", "3", "--dims", "lat,lon", "--raw"];
        assert_eq!(
            history(&[&words[..], &more].concat()),
            "'d.h5:/my data' --kernel '0 1 0; 1 -4 1; 0 1 0' --flip --raw --boundary constant:-1 \
             --dtype f64 --algorithm direct --cell-size 3,3 --dims lat,lon"
        );
        assert_eq!(history(&["a.npy", "--mean-passes", "2"]), "a.npy --mean-passes 2 --exclude nan");
        assert_eq!(
            history(&["a.npy", "--kernel", "x/w.csv", "--stat", "max,min"]),
            "a.npy --kernel w.csv --stat max,min"
        );
    }
}
