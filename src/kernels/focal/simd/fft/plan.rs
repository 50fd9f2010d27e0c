//! Passes and factors of a transform of one length.

/// One pass over a transform: it splits blocks of `radix * part` points.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stage {
    pub radix: usize,
    /// Points from one part of a block to the next.
    pub part: usize,
    /// Where its factors begin.
    pub factors: usize,
}

/// Passes and factors for one length.
#[derive(Debug)]
pub struct Plan {
    /// Points of a transform.
    pub length: usize,
    /// From the longest blocks down to cores.
    pub stages: Vec<Stage>,
    /// Points of a core: 4 or 8.
    pub core: usize,
    /// Real and imaginary part of `exp(-2 pi i r j / length)`, r = 1 .. radix, for each j.
    pub factors: Vec<f64>,
}

impl Plan {
    /// For `length` points: a power of two from 16 on, or three times one.
    pub fn new(length: usize) -> Self {
        let (mut stages, mut factors, mut left) = (Vec::new(), Vec::new(), length);
        while left > 8 {
            let radix = if left % 3 == 0 { 3 } else { 4 };
            stages.push(Stage { radix, part: left / radix, factors: factors.len() });
            for j in 0..left / radix {
                for r in 1..radix {
                    let (sin, cos) = turn(r * j, left);
                    factors.extend([cos, -sin]);
                }
            }
            left /= radix;
        }
        Plan { length, stages, core: left, factors }
    }
}

/// Sine and cosine of `2 pi part / whole`, from angles of at most an eighth of a turn.
fn turn(part: usize, whole: usize) -> (f64, f64) {
    let eighths = 8 * (part % whole) / whole;
    let rest = 8 * (part % whole) - eighths * whole;
    // Within an eighth, measured from its nearer axis.
    let (near, odd) = if eighths.is_multiple_of(2) { (rest, false) } else { (whole - rest, true) };
    let (s, c) = (std::f64::consts::FRAC_PI_4 * (near as f64 / whole as f64)).sin_cos();
    let (s, c) = if odd { (c, s) } else { (s, c) };
    match eighths / 2 {
        0 => (s, c),
        1 => (c, -s),
        2 => (-s, -c),
        _ => (-c, s),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_are_right_to_the_last_bits() {
        for whole in [4_usize, 6, 12, 16, 48, 64, 768] {
            for part in 0..2 * whole {
                let angle = std::f64::consts::TAU * (part % whole) as f64 / whole as f64;
                let (s, c) = turn(part, whole);
                assert!((s - angle.sin()).abs() < 2e-15 && (c - angle.cos()).abs() < 2e-15, "{part}/{whole}");
            }
        }
        assert_eq!(turn(1, 4), (1.0, 0.0));
        assert_eq!(turn(2, 4), (0.0, -1.0));
    }
}
