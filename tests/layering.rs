//! Holds the walls of the house: who may import whom, and where printing, exiting, the clock and
//! `unsafe` may stand. Reads `src/` as tokens, so comments, strings and line breaks do not matter;
//! code under `#[cfg(test)]` is free.

mod source;

use source::{Source, sources};

/// Who may import what: (files, modules they may name below the crate's root). The first row that
/// fits a file holds. `error::` and re-exports at the root (`Error`, `Result`) count as `error`.
const IMPORTS: &[(&str, &[&str])] = &[
    ("main.rs", &["cli"]),
    ("lib.rs", &["error"]),
    (
        "cli/**",
        &[
            "cli",
            "commands",
            "backend",
            "report",
            "shards",
            "io::atomic",
            "io::kept",
            "io::npy::lost_end",
            "error",
            "units",
        ],
    ),
    // The edge of the library: what a command is given and gives back.
    ("commands/mod.rs", &["backend", "report", "error"]),
    ("commands/keep.rs", &["commands", "io::kept", "error"]),
    // Options may hold what their values are made of; they are plain data.
    ("commands/*/options.rs", &["io::InputSpec", "shards", "kernels", "array", "units", "error"]),
    // Binds kernels to chunks; of the report only the recorder, which is told which threads worked.
    (
        "commands/*/{passes*,bind,fit,repairs,global}.rs",
        &[
            "commands",
            "kernels",
            "pipeline",
            "backend",
            "report::Recorder",
            "report::Work",
            "array",
            "units",
            "error",
        ],
    ),
    // References: case files, what runs left, and the runs themselves.
    (
        "commands/bench/{record,record/part,record/words,verify,verify/find,verify/load,verify/judge,verify/child}.rs",
        &["commands", "io", "report", "array", "units", "error"],
    ),
    // Tables print times as reports do.
    ("commands/bench/{against,verify/rows}.rs", &["commands", "report", "error"]),
    // What a device can do of a plan, and devices at work beside the passes of the CPU.
    ("commands/{convolve/device,decode/devices}.rs", &["commands", "kernels", "backend", "array"]),
    (
        "commands/decode/passes_likelihood/devices.rs",
        &["commands", "kernels", "pipeline", "backend", "report::Recorder", "error"],
    ),
    // Everything that opens files or runs the pipeline for a command.
    (
        "commands/*/{mod,plan,prepare,assemble,run,raster,sink,strips,picture,pictures,budget,locate,results,survey,kernel_file,work,decision,deliver,checkpoint,part,merge,keeping}.rs",
        &[
            "commands", "shards", "pipeline", "kernels", "backend", "io", "report", "plot", "array", "units",
            "error",
        ],
    ),
    ("commands/decode/run/{likelihood,backwards}.rs", &["commands", "pipeline", "kernels", "error"]),
    ("commands/decode/keeping/back.rs", &["commands", "io::kept", "pipeline", "error"]),
    ("commands/decode/run/tell.rs", &["commands", "report"]),
    (
        "commands/decode/{session,simple,numbers,nwb,series,ragged,reading,tree}.rs",
        &["commands", "io", "array", "units", "error"],
    ),
    (
        "commands/autoreject/{recording,reading,reading/cutting,fellows,sources,placing,cleaned,copying,reject_log,state,state/read,state/write,summary,unpacked}.rs",
        &["commands", "io", "array", "error"],
    ),
    (
        "commands/decode/{store,mask,results,results/coordinates,model_file,model_file/read,model_file/write}.rs",
        &["commands", "io", "array", "error"],
    ),
    // Runs of the program, their inputs, the machine's ceilings, what is told about them.
    (
        "commands/bench/{ceilings,child,compare,inputs,keep,measure,reading,table,workplace}.rs",
        &["commands", "kernels", "backend", "io", "report", "array", "units", "error"],
    ),
    // The shell of the tick mode: sources, files, threads.
    (
        "commands/decode/stream/{bytes,engines,lfp,netcdf,plan,prepare,recording,run,told,writer,writer/output}.rs",
        &["commands", "kernels", "backend", "io", "report", "array", "units", "error"],
    ),
    // Spikes are slices to them, whether in memory or in a file.
    (
        "commands/decode/{condition,selection,encoding,encoding/memory}.rs",
        &["commands", "io::column::Column", "error"],
    ),
    (
        "commands/decode/{encode,encoding/fit}.rs",
        &["commands", "kernels", "backend", "io::column::Column", "units", "error"],
    ),
    // They give kernels the machine's instruction set.
    (
        "commands/decode/{mark_models,encoding/local,walks,sorted,states,stream/realtime,stream/kde}.rs",
        &["commands", "kernels", "backend", "units", "error"],
    ),
    // All else in a command's folder is pure.
    ("commands/*/**", &["commands", "kernels", "array", "units", "error"]),
    // Names, identities and sets of parts.
    ("shards/**", &["shards", "io", "error"]),
    ("pipeline/**", &["pipeline", "report", "array", "units", "error"]),
    ("kernels/**", &["kernels", "backend", "array", "error"]),
    ("io/**", &["io", "pipeline", "array", "units", "error"]),
    ("plot/**", &["plot", "array", "units", "error"]),
    ("plot.rs", &["plot", "array", "units", "error"]),
    ("report/**", &["report", "backend", "array", "units", "error"]),
    ("backend/**", &["backend", "units", "error"]),
    ("array.rs", &["array", "error"]),
    ("array/**", &["array", "error"]),
    ("units.rs", &["units", "error"]),
    // Messages print sizes as flags take them.
    ("error.rs", &["error", "units"]),
];

/// Words that only some files may use: (what, tokens in a row, files, why).
const WORDS: &[(&str, &[&str], &[&str])] = &[
    ("println!", &["println", "!"], &[]),
    ("eprintln!", &["eprintln", "!"], &[]),
    ("print!", &["print", "!"], &[]),
    ("eprint!", &["eprint", "!"], &[]),
    ("dbg!", &["dbg", "!"], &[]),
    // A bench also says where the streams of its children go.
    (
        "stdout",
        &["stdout", "("],
        &["cli/edge.rs", "commands/bench/{child,record}.rs", "commands/bench/verify/*.rs"],
    ),
    (
        "stderr",
        &["stderr", "("],
        &[
            "cli/edge.rs",
            "cli/session/mod.rs",
            "cli/signals.rs",
            "report/progress.rs",
            "commands/bench/{child,record}.rs",
            "commands/bench/verify/*.rs",
        ],
    ),
    ("process::exit", &["process", "::", "exit"], &["cli/signals.rs"]),
    ("process::abort", &["process", "::", "abort"], &[]),
    ("Instant::now", &["Instant", "::", "now"], &["report/recorder.rs"]),
    ("SystemTime::now", &["SystemTime", "::", "now"], &[]),
    ("unwrap()", &[".", "unwrap", "("], &[]),
    ("expect(\"...\")", &[".", "expect", "(", "\""], &[]),
    ("panic!", &["panic", "!"], &[]),
    ("todo!", &["todo", "!"], &[]),
    ("unimplemented!", &["unimplemented", "!"], &[]),
    (
        "unsafe",
        &["unsafe"],
        &[
            "kernels/**/{simd,avx2,avx512,neon,gpu}.rs",
            "kernels/**/simd/**",
            "backend/cuda/{driver,compile}.rs",
            "io/npy.rs",
            "io/npy/*.rs",
            "io/scratch.rs",
        ],
    ),
    ("clap", &["clap", "::"], &["cli/**"]),
];

/// True where `path` fits `pattern`: `*` is part of one name, `**` any rest, `{a,b}` a choice.
fn fits(pattern: &str, path: &str) -> bool {
    if let (Some(open), Some(close)) = (pattern.find('{'), pattern.find('}')) {
        let (before, after) = (&pattern[..open], &pattern[close + 1..]);
        return pattern[open + 1..close].split(',').any(|c| fits(&format!("{before}{c}{after}"), path));
    }
    match pattern.find('*') {
        None => pattern == path,
        Some(at) => {
            let Some(rest) = path.strip_prefix(&pattern[..at]) else { return false };
            let (deep, after) = match pattern[at..].strip_prefix("**") {
                Some(after) => (true, after.strip_prefix('/').unwrap_or(after)),
                None => (false, &pattern[at + 1..]),
            };
            (0..=rest.len())
                .filter(|&n| rest.is_char_boundary(n) && (deep || !rest[..n].contains('/')))
                .any(|n| fits(after, &rest[n..]) || (deep && after.is_empty()))
        }
    }
}

/// What is wrong with the imports of `source`.
fn wrong_imports(source: &Source) -> Vec<String> {
    let Some((_, allowed)) = IMPORTS.iter().find(|(pattern, _)| fits(pattern, &source.path)) else {
        return vec![format!("{}: no row of the import table fits", source.path)];
    };
    let mut wrong = Vec::new();
    for import in source.imports() {
        let path = match import.path.first().map(String::as_str) {
            Some("Error" | "Result") => "error".to_owned(),
            // A bare `use crate::*` or `use crate::{self}` could name anything.
            None | Some("*" | "self") => "*".to_owned(),
            Some(_) => import.path.join("::"),
        };
        let inside = |module: &&str| path == **module || path.starts_with(&format!("{module}::"));
        if !allowed.iter().any(inside) {
            wrong.push(format!("{}:{}: may not import {path}", source.path, import.line));
        }
        if let Some(other) = other_command(&source.path, &import.path) {
            wrong.push(format!("{}:{}: may not reach into the command {other}", source.path, import.line));
        }
    }
    wrong
}

/// The command that a file of another command (or a pure part of the library) reaches into;
/// `commands::keep` is none, but what they share.
fn other_command<'a>(file: &str, path: &'a [String]) -> Option<&'a str> {
    let own = file.strip_prefix("commands/")?.split_once('/')?.0;
    match path {
        [first, second, ..] if first == "commands" => {
            let is_module = second.starts_with(|c: char| c.is_ascii_lowercase());
            (is_module && second != own && second != "keep" && own != "bench").then_some(second.as_str())
        }
        _ => None,
    }
}

fn wrong_words(source: &Source) -> Vec<String> {
    let mut wrong = Vec::new();
    for (what, words, places) in WORDS {
        if places.iter().any(|pattern| fits(pattern, &source.path)) {
            continue;
        }
        for line in source.lines_with(words) {
            wrong.push(format!("{}:{line}: {what} has no place here", source.path));
        }
    }
    wrong
}

/// Blocks of `unsafe` without a `SAFETY` comment in the lines above them.
fn unexplained(source: &Source) -> Vec<String> {
    let lines: Vec<&str> = source.text.lines().collect();
    // Files of nothing but intrinsics may say it once for all blocks.
    let for_all = lines.iter().position(|l| l.contains("SAFETY (every block below)"));
    let explained = |line: usize| {
        if for_all.is_some_and(|at| at < line) {
            return true;
        }
        let above = lines.get(line.saturating_sub(6)..line).unwrap_or_default();
        above.iter().any(|l| l.contains("SAFETY") || l.contains("# Safety"))
    };
    let found = source.lines_with(&["unsafe", "{"]).into_iter().filter(|&line| !explained(line));
    found.map(|line| format!("{}:{line}: unsafe without a SAFETY comment", source.path)).collect()
}

fn assert_none(wrong: Vec<String>) {
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn imports_run_one_way() {
    assert_none(sources().iter().flat_map(wrong_imports).collect());
}

#[test]
fn printing_exiting_the_clock_and_unsafe_stand_where_they_may() {
    assert_none(sources().iter().flat_map(wrong_words).collect());
}

#[test]
fn every_unsafe_block_says_why_it_is_sound() {
    assert_none(sources().iter().flat_map(unexplained).collect());
}

#[test]
fn the_table_names_only_files_that_could_be() {
    let known = [
        "array", "backend", "cli", "commands", "error", "io", "kernels", "pipeline", "plot", "report",
        "shards", "units",
    ];
    for source in sources() {
        let top = source.path.split(['/', '.']).next().unwrap().to_owned();
        assert!(
            known.contains(&top.as_str()) || ["main", "lib"].contains(&top.as_str()),
            "{}: a new module needs a row",
            source.path
        );
    }
    for (_, modules) in IMPORTS {
        assert!(modules.iter().all(|m| known.contains(&m.split("::").next().unwrap())));
    }
}

fn planted(path: &str, text: &str) -> Source {
    Source::new(path, text)
}

#[test]
fn planted_imports_are_caught_in_every_spelling() {
    for text in [
        "use crate::io::open;",
        "use crate::{array::Dtype, io};",
        "use crate::{\n    array,\n    pipeline::{Pass, Sink},\n};",
        "fn f() { crate::io::open(p); }",
        "fn f() -> crate::report::Recorder { todo }",
        "use super::super::io;",
        "use super::super::{io::open, array};",
        "pub use crate::io as files;",
        "use crate::*;",
        "type T = <crate :: io :: Npy as X>::Y;",
        "mod inner { use super::super::super::io; }",
        "use nissl::io;",
        "macro_rules! m { () => { $crate::io::open() } }",
    ] {
        assert!(!wrong_imports(&planted("kernels/focal/mod.rs", text)).is_empty(), "not caught: {text}");
    }
}

#[test]
fn allowed_imports_comments_and_tests_pass() {
    for text in [
        "use crate::{array::Dtype, backend::CpuLevel};",
        "// use crate::io;\n/* crate::io */ /// [`crate::io`]\nfn f() {}",
        "fn f() { let s = \"crate::io\"; let r = r#\"crate::io\"#; let c = '\\''; }",
        "#[cfg(test)]\nmod tests { use crate::io; mod deep { use crate::cli; } }",
        "#[cfg(test)] use crate::io;",
        "use super::super::array;",
        "fn f<'a>(x: &'a str) -> &'a str { x }",
    ] {
        let wrong = wrong_imports(&planted("kernels/focal/mod.rs", text));
        assert!(wrong.is_empty(), "{text}: {wrong:?}");
    }
}

#[test]
fn commands_keep_out_of_each_other_and_their_pure_files_out_of_io() {
    assert!(
        !wrong_imports(&planted("commands/convolve/run.rs", "use crate::commands::decode::Plan;")).is_empty()
    );
    assert!(
        wrong_imports(&planted("commands/convolve/run.rs", "use crate::commands::{Context, convolve::x};"))
            .is_empty()
    );
    assert!(!wrong_imports(&planted("commands/convolve/footprint.rs", "use crate::io::open;")).is_empty());
    assert!(
        !wrong_imports(&planted("cli/convolve/mod.rs", "use crate::kernels::window::Boundary;")).is_empty()
    );
    assert!(wrong_imports(&planted("cli/session.rs", "use crate::io::atomic::Beside;")).is_empty());
    assert!(!wrong_imports(&planted("cli/session.rs", "use crate::io::open;")).is_empty());
}

#[test]
fn planted_words_are_caught_and_likenesses_pass() {
    for text in [
        "fn f() { println!(\"x\"); }",
        "fn f() { std::process::exit(1) }",
        "fn f() { x.unwrap(); }",
        "fn f() { x\n  .expect(\"why\"); }",
        "fn f() { let t = Instant :: now(); }",
        "fn f() { unsafe { g() } }",
        "fn f() { panic!(\"x\") }",
        "use clap::Parser;",
    ] {
        assert!(!wrong_words(&planted("io/block.rs", text)).is_empty(), "not caught: {text}");
    }
    for text in [
        "fn f() { x.unwrap_or(1); recorder.expect(items); // x.unwrap()\n }",
        "#![allow(unsafe_code)]",
        "#[cfg(test)]\nmod tests { fn f() { x.unwrap(); } }",
    ] {
        assert!(wrong_words(&planted("io/block.rs", text)).is_empty(), "{text}");
    }
    assert!(unexplained(&planted("io/npy.rs", "fn f() { unsafe { g() } }")).len() == 1);
    assert!(
        unexplained(&planted("io/npy.rs", "// SAFETY: g is sound here\nlet x = unsafe { g() };")).is_empty()
    );
}

#[test]
fn patterns_fit_what_they_should() {
    assert!(
        fits("cli/**", "cli/convolve/mod.rs")
            && fits("commands/*/options.rs", "commands/convolve/options.rs")
    );
    assert!(!fits("commands/*/options.rs", "commands/a/b/options.rs"));
    assert!(
        fits("kernels/**/{simd,gpu}.rs", "kernels/a/b/gpu.rs")
            && !fits("kernels/**/simd.rs", "kernels/a/mod.rs")
    );
    assert!(fits("kernels/**/simd.rs", "kernels/simd.rs") && fits("io/npy/*.rs", "io/npy/header.rs"));
}
