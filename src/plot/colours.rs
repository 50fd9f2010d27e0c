//! Colour tables, each with a steady lightness so that prints in grey keep their order.

use super::Scale;
use super::limits::Limits;

/// Red, green, blue.
pub(super) type Rgb = [u8; 3];

/// Cells without a value.
pub(super) const NO_VALUE: Rgb = [188, 188, 188];

/// Violet over green to yellow: the well-known viridis at ten even stations.
const SEQUENTIAL: [Rgb; 10] = [
    [68, 1, 84],
    [72, 40, 120],
    [62, 73, 137],
    [49, 104, 142],
    [38, 130, 142],
    [31, 158, 137],
    [53, 183, 121],
    [110, 206, 88],
    [181, 222, 43],
    [253, 231, 37],
];

/// Blue, near white at 0, red.
const DIVERGING: [Rgb; 9] = [
    [18, 52, 122],
    [45, 103, 177],
    [104, 160, 210],
    [178, 210, 234],
    [246, 246, 243],
    [246, 199, 170],
    [226, 129, 99],
    [190, 59, 57],
    [120, 14, 42],
];

/// White over blue to near black, lightness in even steps.
const DENSITY: [Rgb; 10] = [
    [255, 255, 255],
    [196, 230, 253],
    [152, 203, 240],
    [117, 174, 221],
    [92, 145, 196],
    [75, 117, 167],
    [64, 90, 133],
    [53, 65, 97],
    [39, 41, 60],
    [21, 21, 21],
];

/// Steps of the density table: too fine to be seen, few enough for a picture of one byte a pixel.
const DENSITY_STEPS: f64 = 160.0;

/// Discrete states in the order of the field's usual plots; the last one is for the rest.
const STATES: [Rgb; 6] =
    [[31, 119, 180], [255, 127, 14], [44, 160, 44], [148, 103, 189], [140, 86, 75], [90, 90, 90]];

/// The colour of the `index`-th state called `name`: the same kind of state has the same colour in
/// every model.
pub(super) fn state_colour(index: usize, name: &str) -> Rgb {
    let name = name.to_lowercase();
    if name.contains("no-spike") {
        return [199, 199, 199];
    }
    let place = match () {
        () if name.contains("continuous") => 0,
        () if name.contains("fragmented") => 1,
        () if name == "local" => 2,
        () => (index + 3).min(STATES.len() - 1),
    };
    STATES[place]
}

/// Hot spot classes and their colours, coldest first.
pub(super) const CLASSES: [(i8, Rgb); 7] = [
    (-99, [18, 52, 122]),
    (-95, [70, 130, 193]),
    (-90, [170, 205, 232]),
    (0, [243, 241, 232]),
    (90, [247, 190, 158]),
    (95, [216, 104, 82]),
    (99, [120, 14, 42]),
];

/// The colour at `share` of the way along a table, 0 to 1.
fn along(table: &[Rgb], share: f64) -> Rgb {
    let place = share.clamp(0.0, 1.0) * (table.len() - 1) as f64;
    let station = (place as usize).min(table.len() - 2);
    let rest = place - station as f64;
    let mix = |c: usize| {
        let (a, b) = (f64::from(table[station][c]), f64::from(table[station + 1][c]));
        (a + (b - a) * rest).round() as u8
    };
    [mix(0), mix(1), mix(2)]
}

/// The colour of `value`.
pub(super) fn colour(limits: &Limits, value: f64) -> Rgb {
    if value.is_nan() {
        return NO_VALUE;
    }
    let share = ((value - limits.low) / (limits.high - limits.low)).clamp(0.0, 1.0);
    match limits.scale {
        Scale::Classes => {
            let apart = |class: i8| (f64::from(class) - value).abs();
            let nearest = CLASSES.iter().min_by(|a, b| apart(a.0).total_cmp(&apart(b.0)));
            nearest.map_or(NO_VALUE, |class| class.1)
        }
        Scale::Density => along(&DENSITY, (share * DENSITY_STEPS).round() / DENSITY_STEPS),
        Scale::Diverging => along(&DIVERGING, share),
        Scale::Sequential | Scale::Auto => along(&SEQUENTIAL, share),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_middle_and_missing_have_their_colours() {
        let limits = |scale| Limits { scale, low: -2.0, high: 2.0 };
        assert_eq!(colour(&limits(Scale::Sequential), -9.0), SEQUENTIAL[0]);
        assert_eq!(colour(&limits(Scale::Sequential), f64::INFINITY), SEQUENTIAL[9]);
        assert_eq!(colour(&limits(Scale::Diverging), 0.0), DIVERGING[4]);
        assert_eq!(colour(&limits(Scale::Diverging), f64::NAN), NO_VALUE);
        assert_eq!(colour(&limits(Scale::Classes), 95.0), CLASSES[5].1);
    }

    #[test]
    fn lightness_of_the_sequential_table_only_rises() {
        let light = |c: Rgb| 0.2126 * f64::from(c[0]) + 0.7152 * f64::from(c[1]) + 0.0722 * f64::from(c[2]);
        let all = |table: &[Rgb]| -> Vec<f64> {
            (0..=100).map(|i| light(along(table, f64::from(i) / 100.0))).collect()
        };
        assert!(all(&SEQUENTIAL).windows(2).all(|pair| pair[0] < pair[1]));
        assert!(all(&DENSITY).windows(2).all(|pair| pair[0] > pair[1]));
    }
}
