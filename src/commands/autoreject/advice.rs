//! How far repairs can be trusted: distance to the nearest source, sources that are bad
//! themselves, epochs without any source (spec autoreject 16).

use super::repairs::Repairs;
use crate::kernels::spline::nearest_source;

/// What is noted of one group's repairs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Trust {
    /// `(epoch, pick, metres to the nearest source)` per repaired channel of kept epochs, in
    /// order; infinite where there is no source.
    pub distances: Vec<(usize, usize, f64)>,
    /// Repairs whose nearest source is marked bad in that epoch and not repaired.
    pub leaning: usize,
    /// Kept epochs in which every channel is repaired: they become zeros.
    pub sourceless: usize,
}

/// Looks at the repairs of the `kept` epochs. `labels` are `[epoch][pick]`, 1 for bad and not
/// repaired; `positions` of the picks in metres.
pub fn trust(repairs: &Repairs, kept: &[usize], labels: &[f64], positions: &[[f64; 3]]) -> Trust {
    let channels = positions.len();
    let mut found = Trust::default();
    for &epoch in kept {
        let Some(repair) = repairs.of(epoch) else { continue };
        found.sourceless += usize::from(repair.good.is_empty());
        for (&bad, nearest) in repair.bad.iter().zip(nearest_source(positions, &repair.bad, &repair.good)) {
            let leans = nearest.is_some_and(|(good, _)| labels.get(epoch * channels + good) == Some(&1.0));
            found.leaning += usize::from(leans);
            found.distances.push((epoch, bad, nearest.map_or(f64::INFINITY, |(_, metres)| metres)));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::repairs::Means;
    use super::*;
    use crate::kernels::spline::Spline;

    #[test]
    fn a_repair_beside_a_bad_source_leans_on_it_and_one_without_sources_is_counted() {
        let positions = [[0.1, 0.0, 0.0], [0.09, 0.03, 0.0], [0.0, 0.1, 0.0]];
        let means = Means::Spline(Spline::new(&positions).unwrap());
        let labels = [2, 1, 0, 2, 0, 1, 2, 2, 2, 0, 0, 0];
        let repairs = Repairs::new(&means, &labels, 3);
        let labels = labels.map(f64::from);
        let found = trust(&repairs, &[0, 1, 2, 3], &labels, &positions);
        assert_eq!((found.leaning, found.sourceless, found.distances.len()), (1, 1, 5));
        assert!((found.distances[0].2 - 0.001_f64.sqrt()).abs() < 1e-12);
        assert!(found.distances[2].2.is_infinite());
        assert_eq!(trust(&repairs, &[3], &labels, &positions), Trust::default());
    }
}
