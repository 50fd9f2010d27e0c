//! `man/` and `completions/` are made from the clap definition and checked in. This test makes
//! them anew and compares; `UPDATE_DOCS=1 cargo test --test docs_fresh` rewrites them.
#![cfg(feature = "cli")]

use clap::{Arg, Command};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use nissl::cli;
use nissl::error::ExitCode;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const FILES: [(&str, &str); 5] = [
    ("OUTPUT.report.json", "Timing report of the run that wrote OUTPUT; nissl --from-report runs it again."),
    ("DIR/report.json", "The same in the output folder of nissl autoreject."),
    (
        "NAME.shard-I-of-N.EXT",
        "A part of the output NAME.EXT, written with --shard; for autoreject a folder. nissl merge takes them.",
    ),
    (".OUTPUT.nissl-*.kept", "What a run with --resume has done so far; it goes when the output is whole."),
    (
        ".OUTPUT.nissl-*.tmp",
        "Output in progress; renamed when it is whole. One that a killed run left may be deleted.",
    ),
];

const SCHEDULER: (&str, &str) = (
    "SLURM_CPUS_PER_TASK, SLURM_CPUS_ON_NODE, SLURM_MEM_PER_NODE, SLURM_MEM_PER_CPU",
    "Inside a SLURM job these bound the defaults of --threads and --memory.",
);

/// The command with its subcommands' full names filled in.
fn built() -> Command {
    let mut command = cli::command();
    command.build();
    command
}

/// The program and its commands, by the names of their manual pages.
fn commands() -> Vec<(String, Command)> {
    let program = built();
    let commands = program.get_subcommands().filter(|c| c.get_name() != "help");
    let pages = commands.map(|c| {
        let name = format!("nissl-{}", c.get_name());
        (name.clone(), c.clone().display_name(name))
    });
    std::iter::once(("nissl".into(), program.clone())).chain(pages).collect()
}

fn page(name: &str, command: &Command) -> Vec<u8> {
    let version = env!("CARGO_PKG_VERSION");
    let man = Man::new(command.clone());
    // The empty field is the date: the page changes when the program does.
    let title = format!(".TH {} 1 \"\" \"nissl {version}\" \"nissl manual\"\n", name.to_uppercase());
    let mut text = title.into_bytes();
    man.render_name_section(&mut text).unwrap();
    man.render_synopsis_section(&mut text).unwrap();
    man.render_description_section(&mut text).unwrap();
    man.render_options_section(&mut text).unwrap();
    if command.has_subcommands() {
        man.render_subcommands_section(&mut text).unwrap();
    }
    let mut more = Roff::new();
    let terms = |more: &mut Roff, heading: &str, terms: &[(String, String)]| {
        more.control("SH", [heading]);
        for (term, meaning) in terms {
            more.control("TP", []).text([bold(term)]).text([roman(meaning)]);
        }
    };
    terms(&mut more, "EXIT STATUS", &exit_codes());
    terms(&mut more, "ENVIRONMENT", &environment(command));
    terms(&mut more, "FILES", &FILES.map(|(f, m)| (f.to_owned(), m.to_owned())));
    examples(&mut more, command);
    more.to_writer(&mut text).unwrap();
    text
}

fn exit_codes() -> Vec<(String, String)> {
    ExitCode::MEANINGS.map(|(code, meaning)| ((code as u8).to_string(), meaning.to_owned())).to_vec()
}

/// Variables that stand for flags of `command` or of those below it.
fn environment(command: &Command) -> Vec<(String, String)> {
    let mut found = BTreeMap::new();
    for command in std::iter::once(command).chain(command.get_subcommands()) {
        for argument in command.get_arguments() {
            if let (Some(variable), Some(flag)) = (argument.get_env(), argument.get_long()) {
                let meaning = format!("Stands for --{flag} where that is not given.");
                found.insert(variable.to_string_lossy().into_owned(), meaning);
            }
        }
    }
    found.insert(SCHEDULER.0.into(), SCHEDULER.1.into());
    found.into_iter().collect()
}

fn examples(more: &mut Roff, command: &Command) {
    let Some(text) = command.get_after_help().map(ToString::to_string) else { return };
    more.control("SH", ["EXAMPLES"]);
    more.control("nf", []);
    for line in text.lines().filter(|l| *l != "Examples:") {
        more.text([roman(line)]);
    }
    more.control("fi", []);
}

fn documents() -> Vec<(PathBuf, Vec<u8>)> {
    let pages = commands();
    let pages = pages.iter().map(|(name, command)| (format!("man/{name}.1"), page(name, command)));
    let shells = [(Shell::Bash, "nissl.bash"), (Shell::Zsh, "_nissl"), (Shell::Fish, "nissl.fish")];
    let scripts =
        shells.map(|(shell, file)| (format!("completions/{file}"), cli::completions::render(shell)));
    pages.chain(scripts).map(|(path, text)| (PathBuf::from(path), text)).collect()
}

#[test]
fn manual_and_completions_are_those_of_this_command_line() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let documents = documents();
    for (path, text) in &documents {
        let place = root.join(path);
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::create_dir_all(place.parent().unwrap()).unwrap();
            std::fs::write(&place, text).unwrap();
        }
        let found = std::fs::read(&place).unwrap_or_default();
        assert!(
            found == *text,
            "{} is not fresh; run UPDATE_DOCS=1 cargo test --test docs_fresh",
            path.display()
        );
    }
    for folder in ["man", "completions"] {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            let path = Path::new(folder).join(entry.unwrap().file_name());
            assert!(documents.iter().any(|(p, _)| *p == path), "{} is of no command", path.display());
        }
    }
}

#[test]
fn pages_hold_no_date_and_all_sections() {
    for (name, command) in commands() {
        let text = String::from_utf8(page(&name, &command)).unwrap();
        for section in
            ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "ENVIRONMENT", "FILES", "EXAMPLES"]
        {
            let found =
                text.contains(&format!(".SH {section}\n")) || text.contains(&format!(".SH \"{section}\"\n"));
            assert!(found, "{name}: no section {section}");
        }
        // Sides of rasters are no years.
        assert!((2..=9).all(|decade| !text.contains(&format!(" 20{decade}"))), "{name}: a year");
    }
}

fn help(argument: &Arg) -> String {
    argument.get_long_help().or(argument.get_help()).map(ToString::to_string).unwrap_or_default()
}

fn all_flags() -> Vec<(String, Arg)> {
    let flags = commands().into_iter().flat_map(|(name, command)| {
        command.get_arguments().map(|a| (name.clone(), a.clone())).collect::<Vec<_>>()
    });
    flags.filter(|(_, a)| !["help", "version"].contains(&a.get_id().as_str())).collect()
}

#[test]
fn every_flag_has_help_and_every_value_a_name() {
    for (command, flag) in all_flags() {
        assert!(help(&flag).len() > 5, "{command}: {} has no help", flag.get_id());
        if flag.get_action().takes_values() {
            assert!(
                flag.get_value_names().is_some(),
                "{command}: {} has no name for its value",
                flag.get_id()
            );
        }
    }
}

#[test]
fn every_value_that_may_be_left_out_tells_its_default() {
    // Each of these does something only when it is given.
    let off_unless_given = [
        "from_report",
        "instead",
        "stat",
        "mean_passes",
        "plot",
        "thresholds",
        "apply",
        "reject_log",
        "channels",
        "electrodes",
        "montage",
        "track_graph",
        "encoding_model",
        "tol",
        "tol_observed",
        "save",
        "lfp",
        "realtime_priority",
        "pin_core",
        "only",
        "keep",
        "baseline",
        "against",
        "from",
        "verify",
        "record",
        "argv",
        "shard",
        "shards",
        "slurm",
    ];
    for (command, flag) in all_flags() {
        let id = flag.get_id().as_str();
        let optional = flag.get_action().takes_values() && !flag.is_required_set();
        if optional && !off_unless_given.contains(&id) && id != "kernel" {
            let told = !flag.get_default_values().is_empty() || help(&flag).contains("[default: ");
            assert!(told, "{command}: --{id} does not tell its default");
        }
    }
}

#[test]
fn a_flag_of_several_commands_means_the_same_in_all() {
    let mut known: BTreeMap<String, (String, String)> = BTreeMap::new();
    for (command, flag) in all_flags() {
        let Some(long) = flag.get_long() else { continue };
        let text = help(&flag);
        // A bench takes several numbers of threads, one after the other.
        if (command.as_str(), long) == ("nissl-bench", "threads") {
            continue;
        }
        let (first, meaning) =
            known.entry(long.to_owned()).or_insert_with(|| (command.clone(), text.clone()));
        assert_eq!(*meaning, text, "--{long} of {first} and {command}");
    }
}
