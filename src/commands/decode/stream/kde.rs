//! The `kde` likelihood: a frozen encoding model and the causal filter, a tick a row (spec decode
//! 4, 5.1, 8.4).
//!
//! A spike's log intensities are computed on arrival, by the kernel of the offline run with its
//! other lanes idle; the tick adds them by electrode, then time, then arrival, and takes one step of
//! the filter: the bits are those of the offline filter over the same rows in the same precision. A
//! tick's row holds the spikes from the last tick on, before its own time; the first one reaches
//! back by a tick's length. (Offline, the last but one row takes a spike at the very last time too.)
//!
//! Records have the interior bins alone. A state of one bin stands in bin 0 of its row, the others
//! are 0. The likelihood is that of the spatial states, and so are credible counts. Spikes are named
//! in a record as the `realtime` likelihood does, by their own intensity over the bins.
//!
//! States that ask for the animal's own position are refused: offline it is interpolated to the
//! sample that follows.

use super::super::encoding::EncodingModel;
use super::super::mark_models::{Electrodes as Encoding, MarkModels};
use super::super::options::{Likelihood as Kind, Options, Precision};
use super::super::passes_likelihood::{Value, add, begin, settle};
use super::super::passes_local::no_spike_of;
use super::super::prepare;
use super::electrodes::Electrodes;
use super::engine::{Counts, Engine, SLOTS, Shape, TickRecord, fill};
use super::speed::Speed;
use super::waiting::Waiting;
use crate::backend::CpuLevel;
use crate::error::{Error, Result};
use crate::kernels::hmm::{Chain, Filter, Likelihood, Outcome};
use crate::kernels::marks::{Intensity, Scratch};
use crate::kernels::realtime::{Credible, greatest};

/// Bytes of a waiting spike besides its row, about.
const WAITING: usize = 64;

/// What the engine needs to know besides the model and the options of the offline run.
#[derive(Debug, Clone)]
pub struct KdeSettings {
    /// Samples of the event clock per second.
    pub clock: f64,
    /// Length of a tick, seconds.
    pub step: f64,
    /// Spikes that may wait for a tick.
    pub spike_buffer: usize,
    /// Credible share.
    pub credible_level: f64,
    /// Spikes of at most so many credible bins are named.
    pub credible_max: i32,
    /// Memory limit, bytes.
    pub memory: u64,
}

/// Makes the engine, in the precision that `options` ask for, and tells what it and its model take,
/// bytes.
///
/// # Errors
/// A model of sorted units, electrodes whose names are no numbers, states or penalties that need the
/// animal's position, probabilities that do not fit the states, or too little memory.
pub fn engine(
    options: &Options,
    model: &EncodingModel,
    settings: &KdeSettings,
    level: CpuLevel,
) -> Result<(Box<dyn Engine>, u64)> {
    fn boxed<T: Value + 'static>(kde: Kde<T>) -> (Box<dyn Engine>, u64) {
        let bytes = kde.bytes;
        (Box::new(kde), bytes)
    }
    Ok(match options.precision {
        Precision::F32 => boxed(Kde::<f32>::new(options, model, settings, level)?),
        Precision::F64 => boxed(Kde::<f64>::new(options, model, settings, level)?),
    })
}

/// The offline pieces ticked; rows of `T`.
#[derive(Debug)]
pub struct Kde<T> {
    shape: Shape,
    level: CpuLevel,
    electrodes: Electrodes,
    /// `[electrode]`: features of a mark.
    widths: Vec<usize>,
    intensities: Vec<Intensity>,
    /// `[bin]`: what a tick without spikes costs.
    ground: Vec<f64>,
    /// Spikes expected of an electrode in a tick, if it only fires in the background.
    expected: f64,
    filter: Filter<Chain>,
    waiting: Waiting<T>,
    scratch: Scratch,
    /// The mark at hand.
    mark: Vec<f64>,
    /// `[bin]`: its log intensities, and exponentials of rows.
    intensity: Vec<T>,
    relative: Vec<f64>,
    /// `[column]`: sums of the row, and the row.
    sum: Vec<f64>,
    row: Vec<T>,
    /// `[state column]`.
    filtered: Vec<f64>,
    places: Vec<f64>,
    credible: Credible,
    credible_max: i32,
    speed: Speed,
    velocity: f64,
    /// A tick's length, samples.
    step: i64,
    /// End of the last row.
    last: Option<i64>,
    counts: Counts,
    /// Tables, waiting spikes and the model they came from.
    bytes: u64,
}

impl<T: Value> Kde<T> {
    /// See [`engine`].
    ///
    /// # Errors
    /// See [`engine`].
    pub fn new(
        options: &Options,
        model: &EncodingModel,
        settings: &KdeSettings,
        level: CpuLevel,
    ) -> Result<Self> {
        let electrodes = electrodes(options, model)?;
        let (states, chain) = prepare::chain(options, model, level)?;
        refuse_positions(options, &chain)?;
        let floors = prepare::floors(model, options.log_floor);
        // A tick cannot wait for tables: all are held.
        let encoding = Encoding { model, floors: &floors };
        let waiting = settings.spike_buffer * (model.bins() * size_of::<T>() + WAITING);
        let taken = (model.bytes() + waiting) as u64;
        let models = MarkModels::whole(options, encoding, (settings.memory, taken), level)?;
        let bytes = taken + models.bytes();
        let intensities = models.into_tables();
        let (bins, per_bin) = (model.bins(), model.rate_units.per_bin(settings.step));
        let widths: Vec<usize> = model.trains.iter().map(|train| train.width).collect();
        let state_names = states.names.iter().map(ToString::to_string).collect();
        let centers = model.grid.interior_centers();
        let axis = |axis| centers.iter().skip(axis).step_by(model.axes()).copied().collect();
        let mut kde = Kde {
            shape: Shape {
                states: states.names.len(),
                bins,
                state_names,
                centers: (0..model.axes()).map(axis).collect(),
            },
            level,
            electrodes: Electrodes::new(&electrodes),
            ground: model.ground.iter().map(|ground| ground * per_bin).collect(),
            expected: options.no_spike_rate * settings.step,
            waiting: Waiting::new(settings.spike_buffer, bins),
            scratch: Scratch::default(),
            mark: Vec::with_capacity(widths.iter().copied().max().unwrap_or(0)),
            intensity: vec![T::default(); bins],
            relative: vec![1.0; bins],
            sum: vec![1.0; chain.row_width()],
            row: vec![T::default(); chain.row_width()],
            filtered: vec![1.0; chain.states().columns()],
            places: vec![1.0; bins],
            credible: Credible::new(settings.credible_level, bins),
            credible_max: settings.credible_max,
            speed: Speed::new(settings.clock, usize::MAX),
            velocity: 0.0,
            step: (settings.step * settings.clock).round() as i64,
            last: None,
            counts: Counts::default(),
            bytes,
            filter: Filter::new(chain),
            widths,
            intensities,
        };
        kde.warm_up();
        Ok(kde)
    }

    /// One spike through every electrode: working memory grows to what the largest one needs.
    fn warm_up(&mut self) {
        for electrode in 0..self.intensities.len() {
            self.mark.clear();
            self.mark.resize(self.widths[electrode], 0.0);
            self.encode(electrode);
        }
    }

    fn encode(&mut self, electrode: usize) {
        let Some(intensity) = self.intensities.get(electrode) else { return };
        intensity.log_intensity(self.level, &self.mark, &mut self.intensity, &mut self.scratch);
    }

    /// Credible count and best bin of the intensity at hand.
    fn judge(&mut self) -> (i32, i32) {
        T::relative(self.level, &self.intensity, &mut self.relative);
        divide(&mut self.relative);
        (self.credible.count(&self.relative), greatest(&self.relative) as i32)
    }

    /// Adds up the row of the spikes chosen; how many they are.
    fn add_up(&mut self, record: &mut TickRecord) -> usize {
        let bins = self.ground.len();
        let (sum, extras) = self.sum.split_at_mut(bins);
        begin(sum, &self.ground, false);
        (record.encoder_credible, record.encoder_best) = ([-1; SLOTS], [-1; SLOTS]);
        let mut count = 0;
        for (spike, intensity) in self.waiting.chosen() {
            add(sum, intensity);
            if spike.credible <= self.credible_max {
                let slot = count % SLOTS;
                record.encoder_credible[slot] = self.electrodes.id(spike.electrode).map_or(-1, i32::from);
                record.encoder_best[slot] = spike.best;
            }
            count += 1;
        }
        // The only one-bin state that is let in is the no-spike one.
        extras.fill(no_spike_of(self.widths.len(), self.expected)(count as u32));
        count
    }

    /// From the filtered columns to the record.
    fn tell(&mut self, record: &mut TickRecord) {
        let chain = self.filter.chain();
        let (states, bins) = (chain.states(), self.ground.len());
        for (state, to) in record.posterior.chunks_mut(bins.max(1)).enumerate().take(states.states()) {
            let from = &self.filtered[states.range(state)];
            fill(to, from);
            to.get_mut(from.len()..).unwrap_or_default().fill(0.0);
        }
        self.places.fill(0.0);
        chain.place_probabilities(&self.filtered, &mut self.places);
        record.credible_posterior = self.credible.count(&self.places);
        T::relative(self.level, &self.row[..bins], &mut self.relative);
        divide(&mut self.relative);
        fill(&mut record.likelihood, &self.relative);
        record.credible_likelihood = self.credible.count(&self.relative);
        record.velocity = self.velocity;
    }
}

/// Numbers of the electrodes, which are their names.
fn electrodes(options: &Options, model: &EncodingModel) -> Result<Vec<u16>> {
    let place = options.encoding_model.as_deref().unwrap_or(&options.input.path).display().to_string();
    if model.kind != Kind::Clusterless {
        let advice = "fit one with --likelihood clusterless";
        return Err(Error::data(&place, "a model of sorted units", "one of electrodes with marks", advice));
    }
    let number = |train: &super::super::encoding::EncodedTrain| {
        let found = format!("electrode {:?}", train.name);
        train.name.parse().map_err(|_| {
            Error::data(&place, found, "a number from 0 to 65535", "events name electrodes by number")
        })
    };
    model.trains.iter().map(number).collect()
}

fn refuse_positions(options: &Options, chain: &Chain) -> Result<()> {
    if chain.takes(Likelihood::Local) {
        return Err(Error::usage(format!(
            "--model {}: its local state needs the animal's position between samples, which a stream does not \
             have in time; expected decoder, contfrag or nospike-contfrag",
            options.model.name()
        )));
    }
    if options.position_penalty.0 > 0.0 {
        return Err(Error::usage(
            "the position penalty needs the animal's position between samples: not with --stream",
        ));
    }
    Ok(())
}

impl<T: Value> Engine for Kde<T> {
    fn shape(&self) -> Shape {
        self.shape.clone()
    }

    fn position(&mut self, at: i64, coordinates: &[f32], speed: Option<f32>) {
        let velocity = self.speed.at(at, coordinates, speed);
        let sound = !coordinates.is_empty() && coordinates.iter().all(|x| x.is_finite());
        if !(sound && velocity.is_finite()) {
            self.counts.bad_positions += 1;
            return;
        }
        self.speed.keep(at, coordinates, velocity);
        self.velocity = velocity;
        self.counts.positions += 1;
    }

    fn spike(&mut self, at: i64, electrode: u16, mark: &[f32]) {
        self.counts.spikes += 1;
        let Some(electrode) = self.electrodes.index(electrode) else {
            self.counts.unknown_electrode += 1;
            return;
        };
        if mark.len() != self.widths[electrode] {
            self.counts.wrong_width += 1;
            return;
        }
        if !mark.iter().all(|value| value.is_finite()) {
            self.counts.non_finite += 1;
            return;
        }
        self.mark.clear();
        self.mark.extend(mark.iter().map(|&value| f64::from(value)));
        self.encode(electrode);
        let judged = self.judge();
        if !self.waiting.push((at, electrode), judged, &self.intensity) {
            self.counts.dropped += 1;
        }
    }

    fn tick(&mut self, at: i64, record: &mut TickRecord) {
        let lower = self.last.unwrap_or(at.saturating_sub(self.step)).min(at);
        self.counts.dropped += self.waiting.choose(lower, at);
        let spikes = self.add_up(record);
        self.waiting.let_go();
        self.last = Some(self.last.map_or(at, |last| last.max(at)));
        let offset = settle(&self.sum, &mut self.row);
        let outcome = self.filter.step(&self.row, offset, &mut self.filtered);
        (record.tick, record.lower, record.upper) = (at, lower, at);
        record.spikes = i32::try_from(spikes).unwrap_or(i32::MAX);
        self.tell(record);
        self.counts.ticks += 1;
        self.counts.used += spikes as u64;
        self.counts.fallbacks += u64::from(outcome == Outcome::Restarted);
    }

    fn counts(&self) -> Counts {
        self.counts
    }
}

/// To a sum of 1, where there is one.
fn divide(values: &mut [f64]) {
    let sum: f64 = values.iter().sum();
    if sum > 0.0 {
        values.iter_mut().for_each(|value| *value /= sum);
    }
}

#[cfg(test)]
mod tests;
