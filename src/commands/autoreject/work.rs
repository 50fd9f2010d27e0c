//! Works on one input: fits or applies, decides on epochs and channels (spec autoreject 8-10).
//! What it decides is written by `deliver`.

use super::channels::{self, ChannelKind};
use super::checkpoint::Checkpoint;
use super::decision::{Decision, Given};
use super::epochs::{Epochs, Source};
use super::fit::{self, amplitudes};
use super::fitted::{Fitted, FittedState, RejectLog};
use super::global::{Decimated, epoch_maxima, global};
use super::options::{Method, Options, ThresholdSearch};
use super::passes_device;
use super::passes_measure::stop_if_asked;
use super::passes_ransac::{Subset, correlations};
use super::plan::SubjectPlan;
use super::prepare::{Subject, seed};
use super::ransac;
use super::recording::Recording;
use super::repairs::{Means, REPAIRED, Repair, Repairs};
use super::search::Found;
use super::votes;
use crate::array::pages::Lent;
use crate::backend::Backend;
use crate::commands::Context;
use crate::error::{Error, Result};
use crate::kernels::epochs::Predictor;
use crate::kernels::spline::{self, Spline};
use crate::report;
use std::ops::Range;
use std::path::PathBuf;

/// Some channels of a recording.
pub struct Picked<'a> {
    recording: &'a Recording,
    picks: &'a [usize],
}

impl<'a> Picked<'a> {
    /// The channels `picks` of `recording`.
    pub fn new(recording: &'a Recording, picks: &'a [usize]) -> Self {
        Picked { recording, picks }
    }
}

impl Source for Picked<'_> {
    fn shape(&self) -> [usize; 3] {
        [self.recording.epochs(), self.picks.len(), self.recording.samples()]
    }

    fn read(&self, epochs: Range<usize>, samples: Range<usize>, out: &mut [f64]) -> Result<()> {
        self.recording.read(epochs, self.picks, samples, out)
    }

    fn lend(&self) -> Result<Option<Lent>> {
        self.recording.lend(self.picks)
    }

    fn laborious(&self) -> bool {
        self.recording.is_laborious()
    }
}

/// One subject at work.
pub struct Work<'a> {
    /// The input.
    pub subject: &'a Subject,
    /// Its plan.
    pub plan: &'a SubjectPlan,
    /// What computes.
    pub backend: &'a Backend,
    /// What was asked.
    pub options: &'a Options,
    /// What files say.
    pub given: &'a Given,
    /// Limits and listener.
    pub context: &'a Context<'a>,
}

impl<'a> Work<'a> {
    /// The epochs of each group, held where the plan says so.
    ///
    /// # Errors
    /// They cannot be read, or hold values that are not finite.
    pub fn load<'b>(&self, sources: &'b [Picked<'b>]) -> Result<Vec<Epochs<'b>>> {
        let total: usize = sources.iter().map(|s| s.picks.len()).sum();
        let share =
            |s: &Picked| (self.subject.room as u128 * s.picks.len() as u128 / total.max(1) as u128) as usize;
        let beside = self.beside();
        let load = || sources.iter().map(|s| Epochs::beside(s, share(s), &beside)).collect();
        let loaded: Result<Vec<Epochs>> = self.context.recorder.time("read", load);
        let [epochs, _, samples] = self.plan.shape;
        let bytes = (8 * epochs * samples * total) as u64;
        if self.plan.held {
            let work = report::Work { items: epochs as u64, bytes_read: bytes, ..report::Work::default() };
            self.context.recorder.count("read", work);
        }
        loaded
    }

    /// Where files without a name lie: in the folder of the results.
    fn beside(&self) -> PathBuf {
        self.plan.folder.join("epochs.h5")
    }

    /// Decides on epochs and channels.
    ///
    /// # Errors
    /// The input refuses the method, cannot be read, or the run was interrupted.
    pub fn decide(&self, epochs: &[Epochs], checkpoint: &mut Checkpoint) -> Result<Decision> {
        match (self.options.method, &self.given.log, &self.given.state) {
            (Method::Local, Some(log), _) => self.as_logged(log),
            (Method::Local, None, Some(state)) => self.applied(epochs, state),
            (Method::Local, None, None) => self.local(epochs, checkpoint),
            (Method::Global, ..) => self.global(epochs),
            (Method::Ransac, ..) => self.ransac(epochs),
        }
    }

    fn tools(&self) -> (crate::backend::CpuLevel, &'a crate::report::Recorder) {
        (self.context.level, self.context.recorder)
    }

    fn names(&self, picks: &[usize]) -> Vec<String> {
        picks.iter().map(|&pick| self.subject.recording.list()[pick].name.clone()).collect()
    }

    fn local(&self, epochs: &[Epochs], checkpoint: &mut Checkpoint) -> Result<Decision> {
        let (options, plan) = (self.options, self.plan);
        let wishes = fit::Wishes {
            consensus: &plan.consensus,
            n_interpolate: &plan.n_interpolate,
            cv: plan.cv,
            search: options.search,
            augment: options.augment,
            fresh_labels: options.fresh_labels,
            seed: seed(options),
        };
        let mut decision = Decision::new(&self.subject.recording);
        let groups = self.subject.groups.iter().zip(&self.subject.means).zip(epochs);
        for (at, ((group, means), epochs)) in groups.enumerate() {
            let names = self.names(&group.picks);
            let (kind, picks, names) = (group.kind, &group.picks[..], &names[..]);
            let thresholds = self.given.thresholds.as_ref().map(|given| given[at].as_slice());
            let known = checkpoint.known(kind, plan.cv);
            let group = fit::Group { kind, picks, names, means, thresholds, known };
            let mut keep = |found: &[Found], loss: Option<&[f64]>| checkpoint.keep(kind, found, loss);
            passes_device::settle(epochs, self.backend, self.context.recorder)?;
            let fit = fit::fit(self.tools(), epochs, &group, &wishes, &mut keep)
                .map_err(Error::within(self.subject.recording.place()))?;
            passes_device::leave(epochs);
            self.warn_of_unit(kind, &fit.ptp);
            self.decide_group(&mut decision, means, &fit.fitted, &fit.ptp);
            decision.fits.push(fit);
        }
        let mut picks: Vec<usize> = self.subject.groups.iter().flat_map(|g| g.picks.clone()).collect();
        picks.sort_unstable();
        decision.state = Some(FittedState {
            consensus: plan.consensus.clone(),
            n_interpolate: plan.n_interpolate.clone(),
            cv: plan.cv,
            seed: seed(options),
            thresh_method: match options.search {
                ThresholdSearch::Bayesian => "bayesian_optimization",
                ThresholdSearch::Random => "random_search",
                ThresholdSearch::Exact => "exact",
            }
            .into(),
            picks,
            groups: decision.fits.iter().map(|f| f.fitted.clone()).collect(),
        });
        Ok(decision)
    }

    /// Labels, bad epochs and repairs of one group from its thresholds and choices.
    fn decide_group(&self, decision: &mut Decision, means: &Means, fitted: &Fitted, ptp: &[f64]) {
        let channels = fitted.picks.len();
        let mut labels = votes::votes(ptp, &fitted.thresholds);
        let counts = votes::bad_counts(&labels, channels);
        votes::step(&mut labels, ptp, channels, fitted.n_interpolate);
        let bad = votes::bad_epochs(&counts, fitted.consensus, channels);
        for (epoch, bad) in bad.into_iter().enumerate() {
            let unrepaired = self.options.drop_unrepaired && counts[epoch] as i64 > fitted.n_interpolate;
            decision.log.bad_epochs[epoch] |= bad || unrepaired;
        }
        decision.repairs.push(Repairs::new(means, &labels, channels));
        decision.label(&fitted.picks, &labels);
    }

    fn warn_of_unit(&self, kind: ChannelKind, ptp: &[f64]) {
        if kind == ChannelKind::Eeg {
            let median = crate::kernels::epochs::scalar::median(&mut ptp.to_vec());
            if let Some(warning) = self.subject.recording.unit_warning(median) {
                self.context.recorder.warn(warning);
            }
        }
    }

    /// Thresholds and choices of an earlier fit on these epochs (spec autoreject 9.4).
    fn applied(&self, epochs: &[Epochs], state: &FittedState) -> Result<Decision> {
        let recording = &self.subject.recording;
        let mut decision = Decision::new(recording);
        let mut kept = state.clone();
        kept.groups.clear();
        for ((group, means), epochs) in self.subject.groups.iter().zip(&self.subject.means).zip(epochs) {
            let names = self.names(&group.picks);
            let place = self.options.apply.as_ref().map_or(String::new(), |p| p.display().to_string());
            let Some(fitted) = state.groups.iter().find(|f| f.kind == group.kind) else {
                let found = format!("no fit of {} channels", group.kind.name());
                return Err(Error::data(place, found, "one for every type that is picked", "see --picks"));
            };
            if fitted.names != names {
                let differ = names.iter().zip(&fitted.names).find(|(a, b)| a != b);
                let found = differ
                    .map_or(format!("{} channels", fitted.names.len()), |(_, b)| format!("channel {b}"));
                let expected = differ
                    .map_or(format!("{}", names.len()), |(a, _)| format!("{a}, as in {}", recording.place()));
                return Err(Error::data(
                    place,
                    found,
                    expected,
                    "apply it to epochs with the same channels, or see --picks",
                ));
            }
            let fitted = Fitted { picks: group.picks.clone(), ..fitted.clone() };
            let ptp = amplitudes(self.tools(), epochs, None)?;
            self.warn_of_unit(group.kind, &ptp);
            self.decide_group(&mut decision, means, &fitted, &ptp);
            kept.groups.push(fitted);
        }
        kept.picks = self.subject.groups.iter().flat_map(|g| g.picks.clone()).collect();
        kept.picks.sort_unstable();
        decision.state = Some(kept);
        Ok(decision)
    }

    /// Exactly what a reject log says.
    fn as_logged(&self, log: &RejectLog) -> Result<Decision> {
        let mut decision = Decision::new(&self.subject.recording);
        let channels = log.ch_names.len();
        for (group, means) in self.subject.groups.iter().zip(&self.subject.means) {
            let label = |epoch: usize, pick: usize| log.labels[epoch * channels + pick];
            let at = |at: usize| (at / group.picks.len(), group.picks[at % group.picks.len()]);
            let count = log.bad_epochs.len() * group.picks.len();
            // A channel without a label (NaN) is left as it is.
            let labels: Vec<u8> = (0..count).map(|i| label(at(i).0, at(i).1) as u8).collect();
            decision.repairs.push(Repairs::new(means, &labels, group.picks.len()));
        }
        decision.log = log.clone();
        Ok(decision)
    }

    fn global(&self, epochs: &[Epochs]) -> Result<Decision> {
        let recording = &self.subject.recording;
        let mut decision = Decision::new(recording);
        for (group, epochs) in self.subject.groups.iter().zip(epochs) {
            let (channels, wanted) = (group.picks.len(), (self.plan.cv, self.options.search));
            let source = Picked::new(recording, &group.picks);
            let sfreq = recording.sfreq().unwrap_or(1.0);
            let searched = |epochs: &Epochs| {
                passes_device::settle(epochs, self.backend, self.context.recorder)?;
                let found = global(self.tools(), epochs, wanted);
                passes_device::leave(epochs);
                found
            };
            let fit = if self.options.decim > 1 {
                let thin = Decimated::new(&source, self.options.decim, recording.tmin(), sfreq);
                searched(&Epochs::beside(&thin, self.subject.room / self.options.decim, &self.beside())?)
            } else {
                searched(epochs)
            }
            .map_err(Error::within(recording.place()))?;
            let ptp = amplitudes(self.tools(), epochs, None)?;
            self.warn_of_unit(group.kind, &ptp);
            let limit = fit.found.threshold;
            let over: Vec<u8> = ptp.iter().map(|&p| u8::from(p > limit)).collect();
            for (bad, most) in decision.log.bad_epochs.iter_mut().zip(epoch_maxima(&ptp, channels)) {
                *bad |= most > limit;
            }
            decision.label(&group.picks, &over);
            decision.repairs.push(Repairs::none(recording.epochs()));
            decision.global.push((group.kind, fit));
        }
        Ok(decision)
    }

    fn ransac(&self, epochs: &[Epochs]) -> Result<Decision> {
        let recording = &self.subject.recording;
        let ([group], [epochs]) = (&self.subject.groups[..], epochs) else {
            let kinds: Vec<&str> = self.subject.groups.iter().map(|g| g.kind.name()).collect();
            let found = format!("channels of types {}", kinds.join(" and "));
            return Err(Error::data(
                recording.place(),
                found,
                "one type for --method ransac",
                "give --picks eeg",
            ));
        };
        let channels = group.picks.len();
        let positions = channels::positions(recording.place(), recording.list(), &group.picks)?;
        let spline = Spline::new(&positions).map_err(Error::within(recording.place()))?;
        let all: Vec<usize> = (0..channels).collect();
        let subset = |channels: Vec<usize>| {
            let weights = spline.mapping(&channels, &all);
            Subset { predictor: Predictor::new(&weights, all.len(), channels.len()), channels }
        };
        let unmarked: Vec<usize> =
            (0..channels).filter(|&at| !recording.list()[group.picks[at]].bad).collect();
        let resampling = ransac::Resampling { seed: seed(self.options), ..ransac::Resampling::default() };
        let drawn = ransac::ransac_subsets(&unmarked, channels, &resampling)
            .map_err(Error::within(recording.place()))?;
        let subsets: Vec<Subset> = drawn.into_iter().map(subset).collect();
        let corr = self.correlations(epochs, &subsets)?;
        let verdict = ransac::verdict(&corr, channels, &ransac::Limits::default());
        let mut decision = Decision::new(recording);
        let mut labels = verdict.bad_log.clone();
        for (at, label) in labels.iter_mut().enumerate() {
            if verdict.bad.contains(&(at % channels)) {
                *label = REPAIRED;
            }
        }
        decision.label(&group.picks, &labels);
        decision.repairs.push(self.centred(&positions, &verdict.bad)?);
        let name = |&bad: &usize| recording.list()[group.picks[bad]].name.clone();
        decision.bad_channels = verdict.bad.iter().map(name).collect();
        Ok(decision)
    }

    /// Correlation of each channel with what the subsets predict, `[epoch][channel]`.
    fn correlations(&self, epochs: &Epochs, subsets: &[Subset]) -> Result<Vec<f64>> {
        let (level, recorder) = self.tools();
        let [n, channels, _] = epochs.shape();
        passes_device::settle(epochs, self.backend, recorder)?;
        let found = recorder.time("correlations", || {
            if let Some(found) = passes_device::correlations(epochs, subsets, recorder)? {
                recorder.advance(n as u64);
                return Ok(found);
            }
            let mut corr = vec![0.0; n * channels];
            epochs.by_epochs(|slab| {
                let range = slab.first_epoch * channels..(slab.first_epoch + slab.epochs) * channels;
                correlations(level, subsets, slab, recorder, &mut corr[range]);
                recorder.advance(slab.epochs as u64);
                stop_if_asked(recorder)
            })?;
            Ok(corr)
        });
        passes_device::leave(epochs);
        found
    }

    /// The repair of the same channels in every epoch, positions seen from the head's centre
    /// (spec autoreject 4.1).
    fn centred(&self, positions: &[[f64; 3]], bad: &[usize]) -> Result<Repairs> {
        let epochs = self.subject.recording.epochs();
        if bad.is_empty() {
            return Ok(Repairs::none(epochs));
        }
        let place = self.subject.recording.place();
        let centred = spline::centred(positions, bad).map_err(Error::within(place))?;
        if centred.points <= 10 {
            self.context.recorder.warn(format!(
                "{}: the head's centre is fitted to {} electrodes only; repaired channels may be off",
                self.subject.recording.place(),
                centred.points
            ));
        }
        Ok(Repairs::same(Repair::with_weights(bad.to_vec(), centred.weights), epochs))
    }
}
