//! Synthetic inputs: epochs, rasters, sessions, event streams. Pure.
//!
//! Every piece (epoch, row, electrode) draws from a generator of its own that is seeded by the
//! piece's number: the same values come out in whatever pieces, and on however many threads, they
//! are made. They are made to look like what labs record, so that the data-dependent parts of the
//! commands (repairs, accuracy gates, cut-offs) do the work that they do there.

pub mod epochs;
pub mod events;
pub mod raster;
pub mod session;

/// Seed of all inputs.
pub const SEED: u64 = 42;

/// Random numbers: xoshiro256++, seeded through SplitMix64.
#[derive(Debug, Clone)]
pub struct Draws {
    state: [u64; 4],
}

impl Draws {
    /// Those of one piece of one input.
    pub fn new(what: &str, piece: u64) -> Draws {
        let name = what.bytes().fold(SEED, |hash, byte| mixed(hash ^ u64::from(byte)));
        let mut seed = mixed(name.wrapping_add(mixed(piece)));
        let state = std::array::from_fn(|_| {
            seed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
            mixed(seed)
        });
        Draws { state }
    }

    /// 64 random bits.
    #[inline]
    pub fn bits(&mut self) -> u64 {
        let s = &mut self.state;
        let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// Even on 0 <= x < 1.
    #[inline]
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Even on `low <= x < high`.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// A whole number below `limit`, 0 where that is 0.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.unit() * limit as f64) as usize
    }

    /// Bell-shaped with standard deviation 1: four even 16-bit draws summed, as quick as one draw;
    /// it ends at 3.5 standard deviations, like noise behind an amplifier.
    #[inline]
    pub fn bell(&mut self) -> f64 {
        let bits = self.bits();
        let sum = (bits & 0xFFFF) + (bits >> 16 & 0xFFFF) + (bits >> 32 & 0xFFFF) + (bits >> 48);
        // Mean 4 * 32767.5, variance 4 * (2^32 - 1) / 12.
        (sum as f64 - 131_070.0) * (1.0 / 37_837.227_305_2)
    }

    /// -1 or 1.
    pub fn sign(&mut self) -> f64 {
        if self.bits() >> 63 == 0 { -1.0 } else { 1.0 }
    }
}

fn mixed(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_have_the_moments_they_should_and_pieces_differ() {
        let mut draws = Draws::new("test", 0);
        let n = 200_000;
        let values: Vec<f64> = (0..n).map(|_| draws.bell()).collect();
        let mean = values.iter().sum::<f64>() / n as f64;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n as f64;
        assert!(mean.abs() < 0.01 && (variance - 1.0).abs() < 0.01, "{mean} {variance}");
        let units: Vec<f64> = (0..n).map(|_| draws.unit()).collect();
        assert!(units.iter().all(|u| (0.0..1.0).contains(u)));
        assert!((units.iter().sum::<f64>() / n as f64 - 0.5).abs() < 0.005);
        let first = |what, piece| Draws::new(what, piece).bits();
        assert_eq!(first("a", 1), first("a", 1));
        assert!(first("a", 1) != first("a", 2) && first("a", 1) != first("b", 1));
    }
}
