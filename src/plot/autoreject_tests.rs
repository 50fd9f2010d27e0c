//! Structure of the pictures of `autoreject`, and drawings for a person to look at.

use super::*;

const GREEN: [u8; 3] = [0x90, 0xee, 0x90];
const BLUE: [u8; 3] = [0, 0, 255];
const RED: [u8; 3] = [255, 0, 0];

/// Labels by a fixed rule: a few bad channels, some repaired, every 97th epoch bad.
struct Example {
    names: Vec<String>,
    labels: Vec<f64>,
    bad: Vec<bool>,
}

impl Example {
    fn new(epochs: usize, channels: usize) -> Self {
        let names = (0..channels).map(|c| format!("E{c:03}")).collect();
        let label = |at: usize| match (at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58 {
            0 => 1.0,
            1..=3 => 2.0,
            _ => 0.0,
        };
        let bad = (0..epochs).map(|e| e % 97 == 3 || e % 97 == 4).collect();
        Example { names, labels: (0..epochs * channels).map(label).collect(), bad }
    }

    fn draw(&self) -> Figure {
        reject_log(&self.names, &self.labels, &self.bad)
    }
}

#[test]
fn cells_have_the_colours_users_know_and_epoch_0_is_on_top() {
    let names = ["Fz", "Cz", "EOG"].map(String::from);
    let labels = [0.0, 1.0, f64::NAN, 2.0, 0.0, f64::NAN];
    let figure = reject_log(&names, &labels, &[false, true]);
    let white = [255; 3];
    assert_eq!(figure.images[0].pixels, [GREEN, RED, white, BLUE, GREEN, white]);
    let (outline, at) = (&figure.overlay, &figure.images[0]);
    assert_eq!(outline.len(), 4, "one outline");
    assert!(outline.iter().all(|s| s.ink == RED && s.from.1 >= at.y + at.height / 2.0));
    let said: Vec<&str> = figure.texts.iter().map(|t| t.content.as_str()).collect();
    let legend: Vec<&&str> = said.iter().filter(|t| ["good", "interpolated", "bad"].contains(t)).collect();
    assert_eq!(legend, [&"good", &"interpolated", &"bad"]);
    for word in ["Channels", "Epochs", "Fz", "EOG", "0", "1"] {
        assert!(said.contains(&word), "{word} in {said:?}");
    }
    assert!(said.join(" ").contains("White: not picked"), "{said:?}");
}

#[test]
fn outlines_of_neighbours_share_their_lines() {
    let bad: Vec<bool> = (0..20).map(|e| (5..15).contains(&e)).collect();
    let names = vec!["A".to_string(); 4];
    let figure = reject_log(&names, &[0.0; 80], &bad);
    assert_eq!(figure.overlay.len(), 11 + 2);
}

#[test]
fn every_channel_is_named_below_25_of_them_and_every_fifth_from_there() {
    let named = |channels: usize| {
        let figure = Example::new(30, channels).draw();
        figure.texts.iter().filter(|t| t.upward && t.content.starts_with('E') && t.content.len() == 4).count()
    };
    assert_eq!((named(10), named(24), named(25), named(32)), (10, 24, 5, 7));
}

#[test]
fn a_long_recording_stays_small_and_keeps_every_cell() {
    let example = Example::new(6000, 128);
    let figure = example.draw();
    let maps: Vec<_> = figure.images.iter().filter(|i| i.columns == 128).collect();
    let seen: Vec<[u8; 3]> = maps.iter().flat_map(|i| i.pixels.iter().copied()).collect();
    assert_eq!(seen.len(), 6000 * 128);
    assert_eq!(
        seen.iter().filter(|p| **p == RED).count(),
        example.labels.iter().filter(|l| **l == 1.0).count()
    );
    assert!(figure.overlay.is_empty(), "bars stand for the outlines of rows this small");
    let bars = figure.images.iter().filter(|i| i.columns == 1).flat_map(|i| &i.pixels);
    assert_eq!(bars.filter(|p| **p == RED).count(), example.bad.iter().filter(|b| **b).count());
    let svg = figure.svg().unwrap();
    assert!(svg.matches('<').count() < 400, "{} elements", svg.matches('<').count());
    assert!(svg.len() < 1 << 20 && figure.png().unwrap().len() < 1 << 20, "{} bytes", svg.len());
}

#[test]
fn strange_logs_are_drawn_without_complaint() {
    for (epochs, channels) in [(0, 0), (0, 5), (5, 0), (1, 1), (1, 2000), (30_000, 1), (20_000, 64)] {
        let figure = Example::new(epochs, channels).draw();
        assert!(figure.width < 1000.0 && figure.height < 1000.0, "{epochs} x {channels}");
        assert!(figure.texts.iter().all(|t| t.x.is_finite() && t.y.is_finite()));
    }
    // Fewer labels than cells: what is not there is white.
    let figure = reject_log(&["a".into(), "b".into()], &[1.0], &[true, true]);
    assert_eq!(figure.images[0].pixels, [RED, [255; 3], [255; 3], [255; 3]]);
    assert!(!figure.png().unwrap().is_empty());
}

fn channel(rank: usize, kind: &str, threshold: f64, optimum: Option<f64>) -> ChannelThreshold {
    ChannelThreshold { name: format!("E{rank:03}"), kind: kind.into(), threshold, optimum }
}

#[test]
fn thresholds_are_in_the_units_people_use_and_ascend() {
    let list = [
        channel(0, "eeg", 90e-6, Some(80e-6)),
        channel(1, "eeg", 60e-6, Some(60e-6)),
        channel(2, "mag", 2e-12, None),
        channel(3, "grad", 4e-11, None),
        channel(4, "eeg", f64::INFINITY, None),
    ];
    let figure = thresholds(&list);
    let svg = figure.svg().unwrap();
    for words in [
        "threshold [\u{b5}V]",
        "threshold [fT]",
        "threshold [fT/cm]",
        "eeg: 60.0 to 90.0 \u{b5}V",
        "mag: 2000 to 2000 fT",
        "grad: 400 to 400 fT/cm",
        "eeg (3 channels)",
        "1 eeg channel(s) without",
        "exact optimum",
    ] {
        // Captions are broken into lines.
        let all: String = figure.texts.iter().map(|t| t.content.clone() + " ").collect();
        assert!(svg.contains(words) || all.contains(words), "{words}");
    }
    let chosen: Vec<f64> = figure.dots.iter().filter(|d| d.x > 350.0).map(|d| d.y).collect();
    assert!(chosen.len() >= 4);
    let names: Vec<&str> = figure.texts.iter().map(|t| t.content.as_str()).filter(|t| t.len() == 4).collect();
    let at = |name| names.iter().position(|n| *n == name).unwrap();
    assert!(at("E001") < at("E000"), "ascending by threshold: {names:?}");
    assert!(!thresholds(&[]).svg().unwrap().is_empty());
}

fn map(kind: &str) -> LossMap {
    let consensus: Vec<f64> = (0..11).map(|i| if i == 10 { 1.0 } else { f64::from(i) * 0.1 }).collect();
    let n_interpolate = vec![1, 4, 32];
    let mut mean = Vec::new();
    for (k, share) in consensus.iter().enumerate() {
        for (r, n) in n_interpolate.iter().enumerate() {
            let kept = share * 32.0 > f64::from(*n as i32);
            let loss = 3e-6 + 1e-6 * (share - 0.52).abs() + 2e-7 * (r as f64 - 1.2).abs() + 1e-8 * k as f64;
            mean.push(if kept { loss } else { f64::INFINITY });
        }
    }
    LossMap { kind: kind.into(), consensus, n_interpolate, mean }
}

#[test]
fn the_first_minimum_is_marked_and_infinite_cells_are_blank() {
    let mut example = map("eeg");
    // A tie: the earlier cell in row-major order is the choice.
    example.mean = vec![f64::INFINITY; 33];
    (example.mean[10], example.mean[20], example.mean[21]) = (2e-6, 1e-6, 1e-6);
    let figure = loss(std::slice::from_ref(&example));
    assert_eq!(figure.overlay.len(), 4);
    let blank = figure.strokes.iter().filter(|s| s.fill == Some([255, 255, 255])).count();
    assert_eq!(blank, 30);
    let said: Vec<&str> = figure.texts.iter().map(|t| t.content.as_str()).collect();
    assert!(said.contains(&"eeg: least loss 1.00 \u{b5}V at consensus 0.6, n_interpolate 32"), "{said:?}");
    assert!(said.contains(&"0.3") && said.contains(&"0.7"), "no digits of float64: {said:?}");
    assert!(said.join(" ").contains("Blank: infinite"));
    // Near losses get the digits that tell them apart; a far one shares the brightest colour.
    for (at, loss) in [7.2581e-6, 7.2584e-6, 7.26e-6, 7.262e-6, 9e-6].into_iter().enumerate() {
        example.mean[28 + at] = loss;
    }
    (example.mean[10], example.mean[20], example.mean[21]) = (7.3e-6, 7.4e-6, 7.263e-6);
    let near = loss(std::slice::from_ref(&example));
    let said: Vec<&str> = near.texts.iter().map(|t| t.content.as_str()).collect();
    assert!(said.contains(&"7.26") && said.join(" ").contains("Brightest: the end"), "{said:?}");
    example.mean[32] = f64::INFINITY;
    let nearer = loss(std::slice::from_ref(&example));
    assert!(nearer.texts.iter().any(|t| t.content == "7.258"));
    example.mean = vec![f64::INFINITY; 33];
    let none = loss(&[example]);
    assert!(none.overlay.is_empty() && none.images.is_empty());
    assert!(!loss(&[]).png().unwrap().is_empty());
}

/// The pictures that a person looks at; needs a folder in NISSL_PICTURES.
#[test]
fn autoreject_pictures_for_looking_at() {
    let Some(folder) = std::env::var_os("NISSL_PICTURES").map(std::path::PathBuf::from) else {
        eprintln!("not drawn: NISSL_PICTURES names no folder");
        return;
    };
    let write = |name: &str, figure: Figure| {
        std::fs::write(folder.join(format!("{name}.png")), figure.png().unwrap()).unwrap();
        std::fs::write(folder.join(format!("{name}.svg")), figure.svg().unwrap()).unwrap();
    };
    for (epochs, channels) in [(20, 10), (80, 32), (300, 64), (6000, 128), (40, 306), (30_000, 64)] {
        write(&format!("log_{epochs}x{channels}"), Example::new(epochs, channels).draw());
    }
    let mixed: Vec<ChannelThreshold> = (0..64)
        .map(|c| {
            let chosen = 40e-6 + 1.1e-6 * ((c * 37) % 64) as f64;
            channel(c, "eeg", chosen, Some(chosen * (1.0 - 0.004 * ((c * 11) % 13) as f64)))
        })
        .chain((0..102).map(|c| channel(c, "mag", 1.5e-12 * (1.0 + ((c * 29) % 102) as f64 / 3.0), None)))
        .collect();
    write("thresholds", thresholds(&mixed));
    write("thresholds_few", thresholds(&mixed[..9]));
    let mut wide = LossMap { n_interpolate: (1..=20).collect(), ..map("grad") };
    let cells = wide.consensus.iter().flat_map(|k| (1..=20).map(move |n| (*k, f64::from(n))));
    let value = |(k, n): (f64, f64)| {
        if k * 40.0 > n { 3e-12 * (1.0 + (k - 0.6).abs() + (n - 7.0).abs() / 30.0) } else { f64::INFINITY }
    };
    wide.mean = cells.map(value).collect();
    write("loss", loss(&[map("eeg"), wide]));
}
