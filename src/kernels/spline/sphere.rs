//! The sphere fitted to the head, and repair with positions seen from its centre (spec 4.1).

use super::{Kernel, RepairWeights, good_of};
use crate::error::{Error, Result};
use nalgebra::{DMatrix, DVector};

/// Directions of the fit weaker than this share of the strongest are left out.
const CUT: f64 = 1e-6;

/// A sphere, metres.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sphere {
    /// Its centre.
    pub origin: [f64; 3],
    /// Its radius.
    pub radius: f64,
}

impl Sphere {
    /// How far the mean distance of `points` to the centre is off the radius, as a share of it;
    /// above 0.1 the electrodes do not lie on a head, which deserves a warning.
    pub fn departure(&self, points: &[[f64; 3]]) -> f64 {
        let distances = points.iter().map(|p| distance(p, &self.origin) / self.radius);
        (1.0 - distances.sum::<f64>() / points.len() as f64).abs()
    }
}

fn distance(a: &[f64; 3], b: &[f64; 3]) -> f64 {
    a.iter().zip(b).map(|(p, q)| (p - q) * (p - q)).sum::<f64>().sqrt()
}

/// The sphere nearest to `points` by linear least squares; fewer than 4 points, or points in a
/// plane, leave the weak directions out. Not a number where a point is not, or none is given.
pub fn fit_sphere(points: &[[f64; 3]]) -> Sphere {
    let nowhere = Sphere { origin: [f64::NAN; 3], radius: f64::NAN };
    // The decomposition must not be given what it cannot end on.
    if points.is_empty() || !points.iter().flatten().all(|c| c.is_finite()) {
        return nowhere;
    }
    let rows = DMatrix::from_fn(points.len(), 4, |i, j| if j < 3 { 2.0 * points[i][j] } else { 1.0 });
    let squares = DVector::from_fn(points.len(), |i, _| points[i].iter().map(|c| c * c).sum());
    let system = rows.svd(true, true);
    let cut = system.singular_values.max() * CUT;
    let Ok(found) = system.solve(&squares, cut) else { return nowhere };
    let origin = [found[0], found[1], found[2]];
    let radius = (origin.iter().map(|c| c * c).sum::<f64>() + found[3]).sqrt();
    Sphere { origin, radius }
}

/// Repair as `Ransac.transform` of the peer does it.
#[derive(Debug, Clone, PartialEq)]
pub struct CentredRepair {
    /// The sphere whose centre the positions are seen from.
    pub sphere: Sphere,
    /// Points it was fitted to; 10 or fewer deserve a warning.
    pub points: usize,
    /// Weights of the bad channels.
    pub weights: RepairWeights,
}

/// Weights of the channels `bad` from all others, with positions seen from the centre of the head.
///
/// `positions` are those of all EEG channels, bad ones included; the head is fitted to those that
/// are not low on the face.
///
/// # Errors
/// A bad channel at the origin, a position that is not finite, or fewer than 4 points for the head.
pub fn centred(positions: &[[f64; 3]], bad: &[usize]) -> Result<CentredRepair> {
    let advice = "give its position by --electrodes or --montage";
    for &channel in bad {
        let Some(p) = positions.get(channel) else { continue };
        if p.iter().all(|c| c.abs() <= 1e-16) || p.iter().any(|c| c.is_nan()) {
            let place = format!("bad channel {channel}");
            return Err(Error::data(place, format!("position {p:?}"), "a place on the head", advice));
        }
    }
    let head: Vec<[f64; 3]> = positions.iter().filter(|p| !(p[2] < -1e-6 && p[1] > 1e-6)).copied().collect();
    if head.len() < 4 {
        let found = format!("{} electrodes above the face", head.len());
        return Err(Error::data("centre of the head", found, "at least 4", "give more channels"));
    }
    let sphere = fit_sphere(&head);
    let seen: Vec<[f64; 3]> =
        positions.iter().map(|p| std::array::from_fn(|axis| p[axis] - sphere.origin[axis])).collect();
    let good = good_of(positions.len(), bad);
    let values = Kernel::new(&seen)?.mapping(&good, bad);
    Ok(CentredRepair { sphere, points: head.len(), weights: RepairWeights { good, values } })
}

/// For each of the channels `bad` the nearest of `good` and how far it is, in the unit of
/// `positions` (metres); none where there is no source.
pub fn nearest_source(positions: &[[f64; 3]], bad: &[usize], good: &[usize]) -> Vec<Option<(usize, f64)>> {
    let nearest = |p: &[f64; 3]| {
        let distances = good.iter().filter_map(|&g| positions.get(g).map(|q| (g, distance(p, q))));
        distances.min_by(|a, b| a.1.total_cmp(&b.1))
    };
    bad.iter().map(|&b| positions.get(b).and_then(nearest)).collect()
}
