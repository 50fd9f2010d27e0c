//! Writes the pictures of a fit into the output folder, each as SVG and PNG (spec autoreject 12).

use super::fitted::{Fitted, FittedState, RejectLog};
use crate::error::{Error, Result};
use crate::io::atomic::Beside;
use crate::plot::{self, ChannelThreshold, Figure, LossMap};
use rayon::prelude::*;
use std::io::Write;
use std::path::{Path, PathBuf};

/// What there is to draw; parts that a method does not yield are left out.
#[derive(Debug, Clone, Copy, Default)]
pub struct FitPictures<'a> {
    /// Labels and bad epochs.
    pub log: Option<&'a RejectLog>,
    /// Thresholds and loss grids.
    pub state: Option<&'a FittedState>,
    /// Thresholds with the least loss of all candidates, `[group][pick]` as in the state, SI
    /// units; empty where they are not known.
    pub optima: &'a [Vec<f64>],
}

/// Writes `reject_log`, `thresholds` and `loss`, each `.svg` and `.png`, as far as there is
/// something to draw, and returns the paths. Existing files of these names are replaced.
///
/// # Errors
/// A picture cannot be drawn or its file not be written.
pub fn write_pictures(folder: &Path, pictures: &FitPictures) -> Result<Vec<PathBuf>> {
    let mut figures = Vec::new();
    if let Some(log) = pictures.log {
        figures.push(("reject_log", plot::reject_log(&log.ch_names, &log.labels, &log.bad_epochs)));
    }
    if let Some(state) = pictures.state {
        let dots = dots(&state.groups, pictures.optima);
        if !dots.is_empty() {
            figures.push(("thresholds", plot::thresholds(&dots)));
        }
        let maps: Vec<LossMap> = state.groups.iter().filter_map(|group| map(group, state)).collect();
        if !maps.is_empty() {
            figures.push(("loss", plot::loss(&maps)));
        }
    }
    // Text of a PNG takes longer to draw than small recordings to fit.
    let written: Vec<[PathBuf; 2]> =
        figures.par_iter().map(|(name, figure)| both(folder, name, figure)).collect::<Result<_>>()?;
    Ok(written.concat())
}

fn dots(groups: &[Fitted], optima: &[Vec<f64>]) -> Vec<ChannelThreshold> {
    let mut dots = Vec::new();
    for (index, group) in groups.iter().enumerate() {
        for (pick, (name, threshold)) in group.names.iter().zip(&group.thresholds).enumerate() {
            dots.push(ChannelThreshold {
                name: name.clone(),
                kind: group.kind.name().into(),
                threshold: *threshold,
                optimum: optima.get(index).and_then(|o| o.get(pick)).copied(),
            });
        }
    }
    dots
}

/// The loss grid of a group with the mean over folds; nothing where no grid was searched.
fn map(group: &Fitted, state: &FittedState) -> Option<LossMap> {
    let cells = state.consensus.len() * state.n_interpolate.len();
    let folds = group.loss.len().checked_div(cells).filter(|folds| *folds > 0)?;
    let mean = group.loss.chunks_exact(folds).map(|fold| fold.iter().sum::<f64>() / folds as f64);
    Some(LossMap {
        kind: group.kind.name().into(),
        consensus: state.consensus.clone(),
        n_interpolate: state.n_interpolate.clone(),
        mean: mean.collect(),
    })
}

fn both(folder: &Path, name: &str, figure: &Figure) -> Result<[PathBuf; 2]> {
    let paths = [folder.join(format!("{name}.svg")), folder.join(format!("{name}.png"))];
    let contents = [figure.svg()?.into_bytes(), figure.png()?];
    for (path, bytes) in paths.iter().zip(contents) {
        let mut file = Beside::create(path)?;
        file.file().write_all(&bytes).map_err(Error::io(path, "write"))?;
        file.finish()?;
    }
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::autoreject::channels::ChannelKind;

    fn state() -> FittedState {
        let group = Fitted {
            kind: ChannelKind::Eeg,
            picks: vec![0, 1],
            names: vec!["Fz".into(), "Cz".into()],
            thresholds: vec![80e-6, 60e-6],
            consensus: 0.5,
            n_interpolate: 1,
            loss: vec![f64::INFINITY, f64::INFINITY, 3e-6, 5e-6],
        };
        FittedState {
            consensus: vec![0.0, 0.5],
            n_interpolate: vec![1],
            cv: 2,
            seed: 42,
            thresh_method: "exact".into(),
            picks: vec![0, 1],
            groups: vec![group],
        }
    }

    #[test]
    fn all_pictures_are_written_and_show_the_mean_over_folds_and_the_optimum() {
        let folder = tempfile::tempdir().unwrap();
        let names = vec!["Fz".to_string(), "Cz".into()];
        let log =
            RejectLog { ch_names: names, bad_epochs: vec![false, true], labels: vec![0.0, 1.0, 2.0, 0.0] };
        let (state, optima) = (state(), [vec![70e-6, 60e-6]]);
        let pictures = FitPictures { log: Some(&log), state: Some(&state), optima: &optima };
        let written = write_pictures(folder.path(), &pictures).unwrap();
        let names: Vec<String> =
            written.iter().map(|p| p.file_name().unwrap().to_string_lossy().into_owned()).collect();
        assert_eq!(
            names,
            ["reject_log.svg", "reject_log.png", "thresholds.svg", "thresholds.png", "loss.svg", "loss.png"]
        );
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        assert!(read("loss.svg").contains("least loss 4.00 \u{b5}V at consensus 0.5, n_interpolate 1"));
        assert!(read("thresholds.svg").contains("exact optimum"));
        assert!(std::fs::read(folder.path().join("loss.png")).unwrap().starts_with(b"\x89PNG"));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 6, "nothing else is left");
    }

    /// The peer's own log of the real recording, beside which its own picture can be laid; needs
    /// a folder in NISSL_PICTURES.
    #[test]
    fn the_log_of_the_real_recording_for_looking_at() {
        use crate::commands::autoreject::{Recording, options::ChannelSources, reject_log};
        let visual = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/autoreject/visual");
        let input = crate::io::InputSpec::file(visual.join("epochs.h5"));
        let recording = Recording::open(&input, &ChannelSources::default(), &mut Vec::new()).unwrap();
        let log = reject_log::read(&visual.join("peer_reject_log.npz"), &recording).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let folder = std::env::var_os("NISSL_PICTURES").map_or(folder.path().to_owned(), PathBuf::from);
        let pictures = FitPictures { log: Some(&log), ..FitPictures::default() };
        let [svg, _] = &write_pictures(&folder, &pictures).unwrap()[..] else { panic!("two files") };
        let svg = std::fs::read_to_string(svg).unwrap();
        let bad = log.bad_epochs.iter().filter(|bad| **bad).count();
        assert!(svg.contains(&format!("80 epochs, {bad} of them bad")), "{svg}");
        assert!(svg.contains("EOG2") && svg.contains("White: not"), "eye movements are not picked");
    }

    #[test]
    fn what_there_is_not_is_not_drawn_and_a_missing_folder_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert!(write_pictures(folder.path(), &FitPictures::default()).unwrap().is_empty());
        let mut state = state();
        state.groups[0].loss.clear();
        let pictures = FitPictures { state: Some(&state), ..FitPictures::default() };
        assert_eq!(write_pictures(folder.path(), &pictures).unwrap().len(), 2);
        assert!(write_pictures(&folder.path().join("absent"), &pictures).is_err());
    }
}
