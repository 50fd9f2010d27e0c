//! The state models of `decode`: states, discrete transitions, initial probabilities, and which
//! likelihood and which move each takes (spec decode 5).

use super::options::Model;
use crate::error::{Error, Result};
use crate::kernels::hmm::{Chain, Likelihood};
use crate::kernels::transition::{Move, StateSpace, Transition, Walk};

/// How far a row of probabilities may be from a sum of 1.
const SUM_TOLERANCE: f64 = 1e-6;

impl Model {
    /// All, the default first.
    pub const ALL: [Model; 4] = [Model::Decoder, Model::Contfrag, Model::Nonlocal, Model::NospikeContfrag];

    /// As on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Model::Decoder => "decoder",
            Model::Contfrag => "contfrag",
            Model::Nonlocal => "nonlocal",
            Model::NospikeContfrag => "nospike-contfrag",
        }
    }

    /// The model with its default probabilities.
    pub fn states(self) -> StateModel {
        let (local, no_spike) = (("Local", Likelihood::Local), ("No-Spike", Likelihood::NoSpike));
        let continuous = ("Continuous", Likelihood::NonLocal);
        let fragmented = ("Fragmented", Likelihood::NonLocal);
        match self {
            Model::Decoder => StateModel::new(&[continuous], &[1.0], &[1.0]),
            Model::Contfrag => {
                let diagonal = diagonal_matrix(&[0.98, 0.98]);
                StateModel::new(&[continuous, fragmented], &diagonal, &[0.5, 0.5])
            }
            Model::Nonlocal => {
                let elsewhere = [
                    ("Non-Local Continuous", Likelihood::NonLocal),
                    ("Non-Local Fragmented", Likelihood::NonLocal),
                ];
                let leave = 0.02 / 3.0;
                let discrete = [
                    [0.99, 0.005, 0.0025, 0.0025],
                    [leave, 0.98, leave, leave],
                    [0.0175, 0.005, 0.96, 0.0175],
                    [0.0175, 0.005, 0.0175, 0.96],
                ];
                let states = [local, no_spike, elsewhere[0], elsewhere[1]];
                StateModel::new(&states, discrete.as_flattened(), &[1.0, 0.0, 0.0, 0.0])
            }
            Model::NospikeContfrag => {
                let discrete = [[0.99, 0.005, 0.005], [1e-5, 0.9, 0.09999], [1e-5, 0.01999, 0.98]];
                let states = [no_spike, continuous, fragmented];
                StateModel::new(&states, discrete.as_flattened(), &[1.0 / 3.0; 3])
            }
        }
    }
}

/// `d_i` on the diagonal, the rest of each row shared alike; a single state stays.
fn diagonal_matrix(diagonal: &[f64]) -> Vec<f64> {
    let states = diagonal.len();
    if states == 1 {
        return vec![1.0];
    }
    let entry = |row: usize, column: usize| {
        let stay = diagonal[row];
        if row == column { stay } else { (1.0 - stay) / (states - 1) as f64 }
    };
    (0..states * states).map(|at| entry(at / states, at % states)).collect()
}

/// States in order with all their probabilities.
#[derive(Debug, Clone, PartialEq)]
pub struct StateModel {
    /// Names as the output file has them.
    pub names: Vec<&'static str>,
    /// Likelihood of each state; a state is spatial where it is the non-local one.
    pub likelihood: Vec<Likelihood>,
    /// Z `[from][to]`.
    pub discrete: Vec<f64>,
    /// Initial probability of each state.
    pub initial: Vec<f64>,
    /// Moves `[from][to]`; they count between spatial states.
    pub moves: Vec<Move>,
}

impl StateModel {
    /// The first spatial state walks to itself; all else is uniform.
    fn new(states: &[(&'static str, Likelihood)], discrete: &[f64], initial: &[f64]) -> Self {
        let n = states.len();
        let mut moves = vec![Move::Uniform; n * n];
        if let Some(walks) = states.iter().position(|state| state.1 == Likelihood::NonLocal) {
            moves[walks * n + walks] = Move::Walk;
        }
        StateModel {
            names: states.iter().map(|state| state.0).collect(),
            likelihood: states.iter().map(|state| state.1).collect(),
            discrete: discrete.to_vec(),
            initial: initial.to_vec(),
            moves,
        }
    }

    /// Other discrete transitions, from `--discrete-transition`: all of Z row by row, or its
    /// diagonal alone, the rest of a row then being shared alike.
    ///
    /// # Errors
    ///
    /// Usage where it is neither, holds what is no probability, or a row does not sum to 1.
    pub fn with_discrete(mut self, values: &[f64]) -> Result<Self> {
        let n = self.names.len();
        let flag = "--discrete-transition";
        probabilities(flag, values)?;
        if values.len() == n * n {
            for (row, of) in values.chunks_exact(n).zip(&self.names) {
                sums_to_one(&format!("{flag}: row {of:?}"), row)?;
            }
            self.discrete = values.to_vec();
        } else if values.len() == n {
            self.discrete = diagonal_matrix(values);
        } else {
            let states = self.names.join(", ");
            return Err(Error::usage(format!(
                "{flag}: found {} values, expected {} ({n} x {n}, row = from) or the {n} of the diagonal, \
                 for the states {states}",
                values.len(),
                n * n
            )));
        }
        Ok(self)
    }

    /// Other initial probabilities, from `--initial`, one per state.
    ///
    /// # Errors
    ///
    /// Usage where their number is another, one is no probability, or they do not sum to 1.
    pub fn with_initial(mut self, values: &[f64]) -> Result<Self> {
        let n = self.names.len();
        if values.len() != n {
            let states = self.names.join(", ");
            let found = values.len();
            return Err(Error::usage(format!(
                "--initial: found {found} values, expected {n}, one for each of the states {states}"
            )));
        }
        probabilities("--initial", values)?;
        sums_to_one("--initial", values)?;
        self.initial = values.to_vec();
        Ok(self)
    }

    /// States and columns over `places` interior bins.
    pub fn space(&self, places: usize) -> StateSpace {
        let spatial = self.likelihood.iter().map(|&l| l == Likelihood::NonLocal).collect();
        StateSpace::new(places, spatial, self.discrete.clone(), self.moves.clone())
    }

    /// The chain of these states with a walk over the interior bins.
    pub fn chain(&self, walk: Walk) -> Chain {
        let transition = Transition::new(self.space(walk.places()), walk);
        Chain::new(transition, self.likelihood.clone(), self.initial.clone())
    }
}

fn probabilities(flag: &str, values: &[f64]) -> Result<()> {
    match values.iter().find(|value| !(0.0..=1.0 + SUM_TOLERANCE).contains(*value)) {
        Some(wrong) => {
            Err(Error::usage(format!("{flag}: found {wrong}, expected probabilities from 0 to 1")))
        }
        None => Ok(()),
    }
}

fn sums_to_one(what: &str, values: &[f64]) -> Result<()> {
    let sum: f64 = values.iter().sum();
    if (sum - 1.0).abs() <= SUM_TOLERANCE {
        return Ok(());
    }
    Err(Error::usage(format!("{what} sums to {sum}, expected 1 (within {SUM_TOLERANCE})")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_every_model_sum_to_one() {
        for model in Model::ALL {
            let states = model.states();
            let n = states.names.len();
            assert_eq!(states.discrete.len(), n * n);
            assert!(states.discrete.chunks_exact(n).all(|row| sums_to_one("row", row).is_ok()));
            assert!(sums_to_one("initial", &states.initial).is_ok());
        }
    }

    #[test]
    fn columns_follow_the_order_of_the_states() {
        let space = Model::Nonlocal.states().space(3);
        assert_eq!(space.state_of_column(), [0, 1, 2, 2, 2, 3, 3, 3]);
        assert!(space.is_walk(2, 2) && !space.is_walk(2, 3) && !space.is_walk(3, 3) && !space.is_walk(0, 2));
        let space = Model::NospikeContfrag.states().space(2);
        assert_eq!(space.state_of_column(), [0, 1, 1, 2, 2]);
        assert!(space.is_walk(1, 1) && !space.walks_into(2));
    }

    #[test]
    fn probabilities_may_be_replaced() {
        let states = Model::Contfrag.states().with_discrete(&[0.9, 0.1, 0.25, 0.75]).unwrap();
        assert_eq!(states.discrete, [0.9, 0.1, 0.25, 0.75]);
        let diagonal = Model::NospikeContfrag.states().with_discrete(&[0.5, 1.0, 0.8]).unwrap();
        let shared = [0.5, 0.25, 0.25, 0.0, 1.0, 0.0, 0.1, 0.1, 0.8];
        assert!(diagonal.discrete.iter().zip(shared).all(|(a, b)| (a - b).abs() < 1e-15));
        let initial = Model::Contfrag.states().with_initial(&[1.0, 0.0]).unwrap();
        assert_eq!(initial.initial, [1.0, 0.0]);
    }

    #[test]
    fn what_cannot_be_probabilities_is_refused_by_the_flags_name() {
        let cases = [
            (Model::Contfrag.states().with_discrete(&[0.9, 0.2, 0.1, 0.9]), "--discrete-transition"),
            (Model::Contfrag.states().with_discrete(&[1.1, -0.1, 0.1, 0.9]), "--discrete-transition"),
            (Model::Contfrag.states().with_discrete(&[0.9, 0.1, 0.1]), "--discrete-transition"),
            (Model::Contfrag.states().with_discrete(&[f64::NAN, 1.0]), "--discrete-transition"),
            (Model::Contfrag.states().with_initial(&[0.5, 0.4]), "--initial"),
            (Model::Contfrag.states().with_initial(&[1.0]), "--initial"),
            (Model::Contfrag.states().with_initial(&[2.0, -1.0]), "--initial"),
        ];
        for (result, flag) in cases {
            let error = result.unwrap_err();
            assert!(matches!(error, Error::Usage(_)), "{error}");
            assert!(error.to_string().starts_with(flag), "{error}");
            assert_eq!(error.to_string().lines().count(), 1);
        }
    }
}
