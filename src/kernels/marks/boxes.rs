//! Bounding boxes of marks: pieces of a cell whose spikes are all too far from a block of decoding
//! spikes to count are left out as a whole (spec decode 9.1 item 4).
//!
//! A weight below the cut is 0 for every pair, so leaving out a piece of such pairs changes no bit.
//! With few features nearly every pair counts and boxes would only cost; with many, marks of
//! different cells lie far apart and most pieces go.

/// Features from which on boxes are made.
pub const BOXED: usize = 6;
/// Encoding spikes of a piece.
pub(super) const PIECE: usize = 32;
/// What rounding may add to a squared distance, relative.
const ROUNDING: f64 = 1e-3;

/// Puts `order`, indices of spikes with `marks` (`[spike, feature]`), so that neighbours have similar
/// marks: halved along the widest feature (in units of `std`) down to pieces of `piece`.
pub fn by_marks(order: &mut [usize], marks: &[f64], std: &[f64], piece: usize) {
    let width = std.len();
    if order.len() <= piece || width == 0 {
        return order.sort_unstable();
    }
    let spread = |k: usize| {
        let column = order.iter().map(|spike| marks[spike * width + k]);
        let (low, high) = column.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), x| (l.min(x), h.max(x)));
        (high - low) / std[k]
    };
    let widest = (0..width).max_by(|a, b| spread(*a).total_cmp(&spread(*b))).unwrap_or(0);
    let middle = (order.len() / 2).next_multiple_of(piece).min(order.len() - 1);
    order.select_nth_unstable_by(middle, |a, b| {
        marks[a * width + widest].total_cmp(&marks[b * width + widest]).then(a.cmp(b))
    });
    let (left, right) = order.split_at_mut(middle);
    by_marks(left, marks, std, piece);
    by_marks(right, marks, std, piece);
}

/// Adds the box of `rows` (`[spike, feature]`) to `edges`: least and greatest of each feature.
pub(super) fn push_box(rows: impl Iterator<Item = f64> + Clone, width: usize, edges: &mut Vec<f64>) {
    for k in 0..width {
        let column = rows.clone().skip(k).step_by(width);
        let (low, high) = column.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), x| (l.min(x), h.max(x)));
        edges.extend([low, high]);
    }
}

/// True where no pair of spikes from two boxes can have a weight above `2^-cut`: squared distances
/// are in powers of two.
pub(super) fn apart(ours: &[f64], theirs: &[f64], cut: f64) -> bool {
    let mut square = 0.0;
    for (ours, theirs) in ours.chunks_exact(2).zip(theirs.chunks_exact(2)) {
        let gap = (theirs[0] - ours[1]).max(ours[0] - theirs[1]).max(0.0);
        square += gap * gap;
    }
    square > cut * (1.0 + ROUNDING)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_in_the_order_have_similar_marks() {
        // Three clouds of marks, interleaved.
        let marks: Vec<f64> = (0..96).flat_map(|i| [f64::from(i % 3) * 100.0, f64::from(i) * 0.01]).collect();
        let mut order: Vec<usize> = (0..96).collect();
        by_marks(&mut order, &marks, &[1.0, 1.0], 32);
        for piece in order.chunks(32) {
            assert!(piece.iter().all(|spike| spike % 3 == piece[0] % 3), "{piece:?}");
            assert!(piece.is_sorted());
        }
        let mut seen = order.clone();
        seen.sort_unstable();
        assert!(seen.iter().enumerate().all(|(at, &spike)| at == spike));
    }

    #[test]
    fn boxes_are_apart_only_beyond_the_cut() {
        let mut edges = Vec::new();
        push_box([0.0, 1.0, 2.0, 3.0].into_iter(), 2, &mut edges);
        assert_eq!(edges, [0.0, 2.0, 1.0, 3.0]);
        let other = [5.0, 6.0, 3.5, 4.0];
        // Gaps of 3 and 0.5.
        assert!(apart(&edges, &other, 9.0) && !apart(&edges, &other, 9.25) && !apart(&edges, &edges, 0.0));
    }
}
