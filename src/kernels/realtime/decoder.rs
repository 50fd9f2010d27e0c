//! What a tick makes of its spikes (spec decode 8.3 steps 3-7).

use super::movement::{FLUSH, Movements};
use super::touched;

/// What became of a tick's evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// The usual.
    Told,
    /// Spikes, or spikes and prior, had no place in common: the posterior is the prior.
    Contradicted,
}

/// Firing rates, likelihood and posterior.
#[derive(Debug)]
pub struct Decoder {
    movements: Movements,
    /// Length of a time bin, seconds.
    step: f64,
    /// `[electrode][bin]`: spikes used, plus one.
    fired: Vec<f64>,
    /// `[electrode]`: their sum.
    fired_in_all: Vec<f64>,
    /// `[bin]`: sum over electrodes of the share of spikes.
    rates: Vec<f64>,
    /// `[bin]`.
    likelihood: Vec<f64>,
    /// `[state][bin]`.
    posterior: Vec<f64>,
    prior: Vec<f64>,
    /// `[bin]`: posterior summed over states.
    places: Vec<f64>,
}

impl Decoder {
    /// Before the first tick: every bin of every state alike, gaps included; `step` in seconds.
    pub fn new(movements: Movements, electrodes: usize, step: f64) -> Self {
        let (states, bins) = (movements.states(), movements.bins());
        let start = 1.0 / (states * bins) as f64;
        Decoder {
            step,
            fired: touched(electrodes * bins, 1.0),
            fired_in_all: touched(electrodes, bins as f64),
            rates: touched(bins, 1.0),
            likelihood: touched(bins, 1.0),
            posterior: touched(states * bins, start),
            prior: touched(states * bins, 1.0),
            places: touched(bins, 1.0),
            movements,
        }
    }

    /// The movements.
    pub fn movements(&self) -> &Movements {
        &self.movements
    }

    /// Counts a spike of `electrode` while the animal was in `bin`.
    pub fn fired(&mut self, electrode: usize, bin: usize) {
        let bins = self.movements.bins();
        if let (Some(all), true) = (self.fired_in_all.get_mut(electrode), bin < bins) {
            *all += 1.0;
            self.fired[electrode * bins + bin] += 1.0;
        }
    }

    /// Takes one tick: its spikes' estimates (`[bin]` each) in order, and the share of occupancy of
    /// each bin (NaN in gaps).
    ///
    /// Where the estimates have no bin in common the likelihood tells nothing and is uniform over
    /// the arms; where likelihood and prior have none the posterior is the prior.
    pub fn tick<'a>(&mut self, estimates: impl Iterator<Item = &'a [f64]>, shares: &[f64]) -> Evidence {
        self.silence(shares);
        let mut evidence = Evidence::Told;
        for estimate in estimates {
            for (value, estimate) in self.likelihood.iter_mut().zip(estimate) {
                *value *= estimate;
            }
            if !normalise(&mut self.likelihood) {
                evidence = Evidence::Contradicted;
                break;
            }
        }
        self.movements.prior(&self.posterior, &mut self.prior);
        // The first prior may reach gaps only; a sum of 0 is not divided by.
        if !normalise(&mut self.prior) {
            self.spread();
        }
        if evidence == Evidence::Told {
            evidence = self.meet();
        } else {
            self.likelihood.copy_from_slice(self.movements.uniform());
        }
        if evidence == Evidence::Contradicted {
            self.posterior.copy_from_slice(&self.prior);
        }
        self.places.fill(0.0);
        for state in self.posterior.chunks_exact(self.places.len()) {
            self.places.iter_mut().zip(state).for_each(|(sum, value)| *sum += value);
        }
        evidence
    }

    /// The likelihood of how many spikes each electrode had on the way here:
    /// `prod_e exp(-step (fired_e / sum fired_e) / share)`, normalised.
    fn silence(&mut self, shares: &[f64]) {
        self.rates.fill(0.0);
        let bins = self.rates.len();
        for (fired, all) in self.fired.chunks_exact(bins).zip(&self.fired_in_all) {
            for (rate, fired) in self.rates.iter_mut().zip(fired) {
                *rate += fired / all;
            }
        }
        for ((value, rate), share) in self.likelihood.iter_mut().zip(&self.rates).zip(shares) {
            *value = self.step * rate / share;
        }
        // Less the smallest exponent, which normalising cancels: a long track does not underflow.
        let least = self.likelihood.iter().fold(f64::INFINITY, |least, &value| least.min(value));
        for value in &mut self.likelihood {
            *value = if value.is_finite() { (least - *value).exp() } else { 0.0 };
        }
        if !normalise(&mut self.likelihood) {
            self.likelihood.copy_from_slice(self.movements.uniform());
        }
    }

    /// `posterior = prior * likelihood`, normalised over everything.
    fn meet(&mut self) -> Evidence {
        let bins = self.likelihood.len();
        let states = self.posterior.chunks_exact_mut(bins).zip(self.prior.chunks_exact(bins));
        for (posterior, prior) in states {
            for ((posterior, prior), likelihood) in posterior.iter_mut().zip(prior).zip(&self.likelihood) {
                *posterior = prior * likelihood;
            }
        }
        if normalise(&mut self.posterior) { Evidence::Told } else { Evidence::Contradicted }
    }

    fn spread(&mut self) {
        let (states, uniform) = (self.movements.states(), self.movements.uniform());
        for prior in self.prior.chunks_exact_mut(uniform.len()) {
            prior.iter_mut().zip(uniform).for_each(|(prior, share)| *prior = share / states as f64);
        }
    }

    /// `[bin]` of the last tick.
    pub fn likelihood(&self) -> &[f64] {
        &self.likelihood
    }

    /// `[state][bin]` of the last tick.
    pub fn posterior(&self) -> &[f64] {
        &self.posterior
    }

    /// `[bin]`: the posterior summed over states.
    pub fn places(&self) -> &[f64] {
        &self.places
    }
}

/// Divides by the sum; false, and nothing done, where there is none to divide by.
fn normalise(values: &mut [f64]) -> bool {
    let sum: f64 = values.iter().sum();
    if !(sum > 0.0 && sum.is_finite()) {
        return false;
    }
    for value in values {
        let share = *value / sum;
        *value = if share > FLUSH { share } else { 0.0 };
    }
    true
}
