//! How fast the animal is, where position events do not say it.

/// Axes that count.
const AXES: usize = 8;

/// Speed from the last two position samples, in the unit of the positions per second.
#[derive(Debug, Clone)]
pub(super) struct Speed {
    clock: f64,
    axes: usize,
    last: Option<(i64, [f64; AXES])>,
    speed: f64,
}

impl Speed {
    /// `clock` in samples per second.
    pub(super) fn new(clock: f64, axes: usize) -> Self {
        Speed { clock, axes: axes.min(AXES), last: None, speed: 0.0 }
    }

    /// The speed given, else the one from the last sample kept; that of before where time stands or
    /// goes back, 0 at the first sample.
    pub(super) fn at(&self, at: i64, coordinates: &[f32], given: Option<f32>) -> f64 {
        match (given, &self.last) {
            (Some(speed), _) => f64::from(speed),
            (None, Some((then, there))) if at > *then => {
                let apart = coordinates.iter().zip(there).take(self.axes);
                let square: f64 = apart.map(|(&x, there)| (f64::from(x) - there).powi(2)).sum();
                square.sqrt() * self.clock / (at as f64 - *then as f64)
            }
            _ => self.speed,
        }
    }

    /// Keeps a sample that was sound, with the speed found for it.
    pub(super) fn keep(&mut self, at: i64, coordinates: &[f32], speed: f64) {
        let mut there = [0.0; AXES];
        there.iter_mut().zip(coordinates).for_each(|(there, &x)| *there = f64::from(x));
        self.last = Some((at, there));
        self.speed = speed;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds_are_given_or_come_from_two_samples() {
        let mut speed = Speed::new(30_000.0, 2);
        assert_eq!(speed.at(100, &[1.0, 1.0], None), 0.0);
        speed.keep(100, &[1.0, 1.0], 0.0);
        assert_eq!(speed.at(1100, &[4.0, 5.0], None), 150.0);
        speed.keep(1100, &[4.0, 5.0], 150.0);
        assert_eq!(speed.at(1100, &[9.0, 9.0], None), 150.0, "time stands");
        assert_eq!(speed.at(i64::MIN, &[9.0, 9.0], None), 150.0, "time goes back");
        assert_eq!(speed.at(2100, &[4.0, 5.0], Some(7.5)), 7.5);
        assert_eq!(speed.at(i64::MAX, &[4.0, 5.0], None), 0.0);
    }
}
