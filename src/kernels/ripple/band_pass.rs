//! A Butterworth band-pass as sections of second order, designed from rate and edges.

use super::FLUSH;
use crate::error::{Error, Result};

/// Highest order: beyond it sections of narrow bands lose their poles to rounding.
const MOST_ORDER: usize = 12;

/// `y = b0 x + b1 x' + b2 x'' - a1 y' - a2 y''`, transposed direct form II.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Section {
    b: [f64; 3],
    a: [f64; 2],
    state: [f64; 2],
}

/// The filter with its state.
#[derive(Debug, Clone, PartialEq)]
pub struct BandPass {
    sections: Vec<Section>,
}

/// A complex number, as far as the design needs one.
#[derive(Debug, Clone, Copy)]
struct Complex(f64, f64);

impl Complex {
    fn times(self, other: Complex) -> Complex {
        Complex(self.0 * other.0 - self.1 * other.1, self.0 * other.1 + self.1 * other.0)
    }

    fn over(self, other: Complex) -> Complex {
        let square = other.0 * other.0 + other.1 * other.1;
        let product = self.times(Complex(other.0, -other.1));
        Complex(product.0 / square, product.1 / square)
    }

    /// The root with a real part that is not negative.
    fn root(self) -> Complex {
        let length = self.0.hypot(self.1);
        Complex(
            ((length + self.0) / 2.0).max(0.0).sqrt(),
            ((length - self.0) / 2.0).max(0.0).sqrt().copysign(self.1),
        )
    }
}

impl BandPass {
    /// Of a prototype of `order`, -3.01 dB at the edges (Hz) `low` and `high`, for `rate` samples per
    /// second; the gain in the middle is 1.
    ///
    /// # Errors
    /// [`Error::Usage`] where the edges do not lie in order between 0 and half the rate, or the
    /// order is not 1 to 12.
    pub fn new(order: usize, (low, high): (f64, f64), rate: f64) -> Result<Self> {
        if !(rate > 0.0 && rate.is_finite()) {
            return Err(Error::usage(format!(
                "ripple band: found {rate} samples per second, expected above 0"
            )));
        }
        let nyquist = rate / 2.0;
        if !(low > 0.0 && low < high && high < nyquist) {
            return Err(Error::usage(format!(
                "ripple band from {low} to {high} Hz at {rate} samples per second: expected edges that rise, above 0 \
                 and below half the rate, {nyquist} Hz; record faster or choose a lower band"
            )));
        }
        if !(1..=MOST_ORDER).contains(&order) {
            return Err(Error::usage(format!("ripple filter of order {order}: expected 1 to {MOST_ORDER}")));
        }
        let warp = |f: f64| 2.0 * rate * (std::f64::consts::PI * f / rate).tan();
        let (low, high) = (warp(low), warp(high));
        let (width, middle) = (high - low, (low * high).sqrt());
        // The point of the unit circle where the gain is 1.
        let turn = 2.0 * (middle / (2.0 * rate)).atan();
        let mut sections = Vec::with_capacity(order);
        // Of each pair of conjugate poles of the prototype one; the real one of odd orders comes last.
        for k in 0..order.div_ceil(2) {
            let angle = std::f64::consts::PI * (2 * k + order + 1) as f64 / (2 * order) as f64;
            let (sin, cos) = angle.sin_cos();
            let real = order % 2 == 1 && k == order / 2;
            let half = Complex(cos * width / 2.0, if real { 0.0 } else { sin * width / 2.0 });
            let square = half.times(half);
            let root = Complex(square.0 - middle * middle, square.1).root();
            let (plus, minus) =
                (Complex(half.0 + root.0, half.1 + root.1), Complex(half.0 - root.0, half.1 - root.1));
            let (plus, minus) = (bilinear(plus, rate), bilinear(minus, rate));
            if real {
                // Both belong to one section: conjugates, or two real ones where the band is wide.
                let sum = plus.0 + minus.0;
                sections.push(Section::new([-sum, plus.times(minus).0], turn));
            } else {
                for pole in [plus, minus] {
                    sections.push(Section::new([-2.0 * pole.0, pole.0 * pole.0 + pole.1 * pole.1], turn));
                }
            }
        }
        Ok(BandPass { sections })
    }

    /// The next value.
    pub fn step(&mut self, value: f64) -> f64 {
        self.sections.iter_mut().fold(value, |value, section| section.step(value))
    }

    /// Gain at `frequency` Hz.
    pub fn gain(&self, frequency: f64, rate: f64) -> f64 {
        let turn = std::f64::consts::TAU * frequency / rate;
        self.sections.iter().map(|section| section.gain(turn)).product()
    }
}

/// From the analogue plane to the digital one.
fn bilinear(s: Complex, rate: f64) -> Complex {
    let step = 2.0 * rate;
    Complex(step + s.0, s.1).over(Complex(step - s.0, -s.1))
}

impl Section {
    /// Poles by their polynomial, one zero at 1 and one at -1, gain 1 at the angle `turn`.
    fn new(a: [f64; 2], turn: f64) -> Self {
        let section = Section { b: [1.0, 0.0, -1.0], a, state: [0.0; 2] };
        let gain = 1.0 / section.gain(turn);
        Section { b: [gain, 0.0, -gain], ..section }
    }

    fn gain(&self, turn: f64) -> f64 {
        let at = |c: [f64; 3]| {
            let (one, two) = (turn.sin_cos(), (2.0 * turn).sin_cos());
            (c[0] + c[1] * one.1 + c[2] * two.1).hypot(c[1] * one.0 + c[2] * two.0)
        };
        at(self.b) / at([1.0, self.a[0], self.a[1]])
    }

    fn step(&mut self, x: f64) -> f64 {
        let [b0, b1, b2] = self.b;
        let y = b0 * x + self.state[0];
        self.state[0] = flushed(b1 * x - self.a[0] * y + self.state[1]);
        self.state[1] = flushed(b2 * x - self.a[1] * y);
        y
    }
}

fn flushed(value: f64) -> f64 {
    if value.abs() > FLUSH { value } else { 0.0 }
}
