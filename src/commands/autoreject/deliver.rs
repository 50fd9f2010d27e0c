//! Writes what was decided on one input into its folder: cleaned epochs, reject log, state,
//! summary, pictures (spec autoreject 12).

use super::advice::{Trust, trust};
use super::channels;
use super::cleaned::write_cleaned;
use super::decision::Decision;
use super::epochs::Epochs;
use super::folders::cleaned_name;
use super::options::Method;
use super::pictures::{FitPictures, write_pictures};
use super::prepare::seed;
use super::repairs::Scratch;
use super::summary::{Named, Summary, in_unit, mean_loss};
use super::work as input;
use super::{reject_log, state};
use crate::error::Result;
use crate::report::Work;
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// Writes all files of one input; returns their paths and counts for the report.
///
/// # Errors
/// A file cannot be written, or the input not be read again.
pub fn deliver(
    work: &input::Work,
    decision: &Decision,
    epochs: &[Epochs],
    run: String,
) -> Result<(Vec<PathBuf>, Map<String, Value>)> {
    let (recording, folder) = (&work.subject.recording, &work.plan.folder);
    let recorder = work.context.recorder;
    let kept = decision.kept();
    let mut outputs = vec![folder.join(cleaned_name(&work.plan.path))];
    let cleaned = outputs[0].clone();
    let write = || {
        recorder.time("write", || {
            let repairs = |epoch: usize| {
                let rows = repaired(work, decision, epochs, epoch);
                recorder.advance(1);
                rows
            };
            write_cleaned(recording, &cleaned, &kept, work.options.compress, &repairs)
        })
    };
    let trusts = trusts(work, decision, &kept);
    let summary = Summary { run, ..summary(work, decision, &kept, &trusts) };
    let optima: Vec<Vec<f64>> =
        decision.fits.iter().map(|fit| fit.found.iter().map(|f| f.optimum_threshold).collect()).collect();
    let pictures = FitPictures { log: Some(&decision.log), state: decision.state.as_ref(), optima: &optima };
    // What is small keeps one worker busy while the others write.
    let beside = || {
        let small = write_small(decision, folder);
        small.and_then(|small| {
            let drawn = recorder.time("plot", || write_pictures(folder, &pictures))?;
            Ok([small, drawn].concat())
        })
    };
    let (written, beside) = rayon::join(write, beside);
    for warning in written? {
        recorder.warn(warning);
    }
    recorder.advance((decision.log.bad_epochs.len() - kept.len()) as u64);
    let bytes_written = std::fs::metadata(&cleaned).map_or(0, |found| found.len());
    recorder.count("write", Work { items: kept.len() as u64, bytes_written, ..Work::default() });
    outputs.extend(beside?);
    // Last of all: it tells that everything else is there.
    outputs.push(folder.join("summary.json"));
    summary.write(&folder.join("summary.json"))?;
    advise(work, &kept, &summary);
    Ok((outputs, counts(&summary)))
}

/// Writes the reject log, and the state of a fit; returns their paths.
fn write_small(decision: &Decision, folder: &Path) -> Result<Vec<PathBuf>> {
    let mut written = vec![folder.join("reject_log.npz")];
    reject_log::write(&decision.log, &written[0])?;
    if let Some(state) = &decision.state {
        let path = folder.join("autoreject.h5");
        state::write(state, &path)?;
        written.push(path);
    }
    Ok(written)
}

/// Repaired channels of one epoch with their samples, SI units.
fn repaired(
    work: &input::Work,
    decision: &Decision,
    epochs: &[Epochs],
    epoch: usize,
) -> Result<Vec<(usize, Vec<f64>)>> {
    let mut rows = Vec::new();
    let (mut scratch, mut values) = (Scratch::default(), Vec::new());
    for ((group, repairs), epochs) in work.subject.groups.iter().zip(&decision.repairs).zip(epochs) {
        let Some(repair) = repairs.of(epoch) else { continue };
        let [_, channels, samples] = epochs.shape();
        let measured = match epochs.held() {
            Some(all) => &all[epoch * channels * samples..][..channels * samples],
            None => {
                values.resize(channels * samples, 0.0);
                epochs.epoch(epoch, &mut values)?;
                &values[..]
            }
        };
        let predicted = repair.predict(work.context.level, (measured, samples), 0..samples, &mut scratch);
        for (&bad, row) in repair.bad.iter().zip(predicted.chunks_exact(samples)) {
            rows.push((group.picks[bad], row.to_vec()));
        }
    }
    Ok(rows)
}

/// How far the repairs of each group can be trusted; nothing where positions are not known.
fn trusts(work: &input::Work, decision: &Decision, kept: &[usize]) -> Vec<Trust> {
    let (list, channels) = (work.subject.recording.list(), decision.log.ch_names.len());
    let of_group = |(group, repairs): (&channels::Group, &super::repairs::Repairs)| {
        let positions: Option<Vec<[f64; 3]>> = group.picks.iter().map(|&pick| list[pick].position).collect();
        let labels = decision.log.labels.chunks_exact(channels.max(1));
        let labels: Vec<f64> = labels.flat_map(|row| group.picks.iter().map(|&pick| row[pick])).collect();
        positions.map(|positions| trust(repairs, kept, &labels, &positions)).unwrap_or_default()
    };
    work.subject.groups.iter().zip(&decision.repairs).map(of_group).collect()
}

fn summary(work: &input::Work, decision: &Decision, kept: &[usize], trusts: &[Trust]) -> Summary {
    let recording = &work.subject.recording;
    let list = recording.list();
    let mut summary = Summary::new(work.options.method, seed(work.options), recording);
    let mut picks: Vec<usize> = work.subject.groups.iter().flat_map(|g| g.picks.clone()).collect();
    picks.sort_unstable();
    summary.picks = picks.iter().map(|&pick| list[pick].name.clone()).collect();
    if let Some(state) = &decision.state {
        let by_type = |value: &dyn Fn(&super::fitted::Fitted) -> f64| -> Named<f64> {
            state.groups.iter().map(|g| (g.kind.name().to_owned(), value(g))).collect()
        };
        summary.consensus = Some(by_type(&|g| g.consensus));
        summary.n_interpolate =
            Some(state.groups.iter().map(|g| (g.kind.name().to_owned(), g.n_interpolate)).collect());
        summary.consensus_grid = Some(state.consensus.clone());
        summary.n_interpolate_grid = Some(state.n_interpolate.clone());
        let thresholds = state.groups.iter().flat_map(|g| g.names.iter().zip(&g.thresholds).zip(&g.picks));
        summary.thresholds = Some(
            thresholds.map(|((name, &t), &pick)| (name.clone(), in_unit(t, recording.scale(pick)))).collect(),
        );
        let loss = |g: &super::fitted::Fitted| mean_loss(&g.loss, state.n_interpolate.len(), state.cv);
        summary.loss = Some(state.groups.iter().map(|g| (g.kind.name().to_owned(), loss(g))).collect());
    }
    if decision.fits.iter().any(|fit| !fit.found.is_empty()) {
        let each =
            || decision.fits.iter().flat_map(|f| f.fitted.names.iter().zip(&f.fitted.picks).zip(&f.found));
        summary.threshold_search = Some(work.options.search);
        summary.optimum = Some(
            each()
                .map(|((n, &p), f)| (n.clone(), in_unit(f.optimum_threshold, recording.scale(p))))
                .collect(),
        );
        let excess = |f: &super::search::Found| if f.optimum > 0.0 { f.loss / f.optimum - 1.0 } else { 0.0 };
        summary.excess_loss = Some(each().map(|((n, _), f)| (n.clone(), excess(f))).collect());
    }
    if work.options.method == Method::Global {
        let scale = |kind| list.iter().position(|c| c.kind == kind).map_or(1.0, |at| recording.scale(at));
        let limit = |(kind, fit): &(channels::ChannelKind, super::global::GlobalFit)| {
            (kind.name().to_owned(), in_unit(fit.found.threshold, scale(*kind)))
        };
        summary.reject = Some(decision.global.iter().map(limit).collect());
        summary.threshold_search = Some(work.options.search);
        let curve = |(kind, fit): &(channels::ChannelKind, super::global::GlobalFit)| {
            (kind.name().to_owned(), fit.curve.clone())
        };
        summary.validation_curve = Some(decision.global.iter().map(curve).collect());
    }
    if work.options.method == Method::Ransac {
        summary.bad_channels = Some(decision.bad_channels.clone());
    }
    let bad = decision.log.bad_epochs.iter().enumerate().filter(|(_, bad)| **bad);
    summary.bad_epochs = bad.map(|(epoch, _)| epoch).collect();
    summary.selection = kept.to_vec();
    let channels = list.len().max(1);
    let repaired = decision.log.labels.iter().enumerate().filter(|(_, label)| **label == 2.0);
    summary.interpolated =
        repaired.map(|(at, _)| (at / channels, list[at % channels].name.clone())).collect();
    let mut distances: Vec<(usize, usize, f64)> = work
        .subject
        .groups
        .iter()
        .zip(trusts)
        .flat_map(|(g, t)| t.distances.iter().map(|&(epoch, pick, d)| (epoch, g.picks[pick], d)))
        .collect();
    distances.sort_by_key(|&(epoch, pick, _)| (epoch, pick));
    summary.nearest_source = distances.into_iter().map(|(.., distance)| distance).collect();
    summary.leaning_repairs = trusts.iter().map(|t| t.leaning).sum();
    summary.sourceless_epochs = trusts.iter().map(|t| t.sourceless).sum();
    summary
}

/// Warnings about what was decided, with advice.
fn advise(work: &input::Work, kept: &[usize], summary: &Summary) {
    let (recorder, place) = (work.context.recorder, work.subject.recording.place());
    if kept.is_empty() {
        recorder.warn(format!(
            "{place}: every epoch is bad, the cleaned file is empty; look at reject_log.png and the thresholds"
        ));
    }
    if summary.sourceless_epochs > 0 {
        recorder.warn(format!(
            "{place}: in {} kept epoch(s) all channels were to be repaired and became zeros; \
             lower --n-interpolate or give --drop-unrepaired",
            summary.sourceless_epochs
        ));
    }
    if summary.leaning_repairs > 0 {
        recorder.warn(format!(
            "{place}: {} repaired channel(s) have a nearest source that is bad itself and not repaired; \
             see nearest_source in summary.json, a larger --n-interpolate may help",
            summary.leaning_repairs
        ));
    }
}

fn counts(summary: &Summary) -> Map<String, Value> {
    let mut counts = Map::new();
    let mut set = |name: &str, count: usize| counts.insert(name.into(), count.into());
    set("epochs", summary.epochs);
    set("dropped", summary.bad_epochs.len());
    set("repaired", summary.interpolated.len());
    set("leaning_repairs", summary.leaning_repairs);
    set("sourceless_epochs", summary.sourceless_epochs);
    counts
}
