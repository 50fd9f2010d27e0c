//! A sorting network cut down to the middle: which pairs of rows to compare, in order, so that
//! the median's rows end up where they belong (spec autoreject 14; Batcher's odd-even merge).

/// Comparators for one number of rows: after each pair the smaller value lies in the first row.
#[derive(Debug, Clone)]
pub struct Network {
    rows: usize,
    pairs: Vec<(u16, u16)>,
}

impl Network {
    /// Most rows that pay (found with AVX-512 on an Ice Lake Xeon): its two stores per comparator
    /// bound a network, and beyond this number counting passes over the rows need less.
    pub const MOST: usize = 64;

    /// The network for `rows` rows; none for 0 or more than [`Network::MOST`].
    pub fn new(rows: usize) -> Option<Self> {
        if rows == 0 || rows > Self::MOST {
            return None;
        }
        let all = merge_exchange(rows);
        // Backwards from the middle: a comparator matters if one of its rows is asked for later.
        let mut wanted = vec![false; rows];
        wanted[rows / 2] = true;
        wanted[(rows - 1) / 2] = true;
        let mut pairs: Vec<(u16, u16)> = Vec::with_capacity(all.len());
        for &(a, b) in all.iter().rev() {
            if wanted[a] || wanted[b] {
                wanted[a] = true;
                wanted[b] = true;
                pairs.push((a as u16, b as u16));
            }
        }
        pairs.reverse();
        Some(Network { rows, pairs })
    }

    /// Rows it is for.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Its comparators; both rows of each are below [`Network::rows`].
    pub fn pairs(&self) -> &[(u16, u16)] {
        &self.pairs
    }
}

/// Knuth's merge exchange (The Art of Computer Programming 3, algorithm 5.2.2 M): a sorting
/// network for any number of rows.
fn merge_exchange(rows: usize) -> Vec<(usize, usize)> {
    let mut pairs = Vec::new();
    if rows < 2 {
        return pairs;
    }
    let top = rows.next_power_of_two() / 2;
    let mut p = top;
    while p > 0 {
        let (mut q, mut r, mut d) = (top, 0, p);
        loop {
            pairs.extend((0..rows - d).filter(|i| i & p == r).map(|i| (i, i + d)));
            if q == p {
                break;
            }
            (d, q, r) = (q - p, q / 2, p);
        }
        p /= 2;
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_is_right_for_every_pattern_of_zeros_and_ones() {
        // By the 0-1 principle for selection networks this proves it for all values.
        for rows in 1..=14 {
            let network = Network::new(rows).unwrap();
            for pattern in 0..1_u32 << rows {
                let mut bits: Vec<u32> = (0..rows).map(|i| pattern >> i & 1).collect();
                for &(a, b) in network.pairs() {
                    let (a, b) = (usize::from(a), usize::from(b));
                    (bits[a], bits[b]) = (bits[a].min(bits[b]), bits[a].max(bits[b]));
                }
                let mut sorted = bits.clone();
                sorted.sort_unstable();
                assert_eq!(bits[rows / 2], sorted[rows / 2], "{rows} {pattern:b}");
                assert_eq!(bits[(rows - 1) / 2], sorted[(rows - 1) / 2], "{rows} {pattern:b}");
            }
        }
    }

    #[test]
    fn networks_are_as_small_as_the_prototype_found() {
        assert!(merge_exchange(120).len() <= 1372);
        assert!(Network::new(30).unwrap().pairs().len() <= 6 * 30);
        assert!(Network::new(0).is_none() && Network::new(Network::MOST + 1).is_none());
    }
}
