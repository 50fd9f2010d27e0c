use super::*;

/// The ramp of `height` x `width` cells that the tests draw, with a hole and an infinity.
fn ramp(height: usize, width: usize, title: &str) -> Panel {
    let mut values: Vec<f64> = (0..height * width).map(|i| i as f64).collect();
    if values.len() > 8 {
        (values[3], values[7]) = (f64::NAN, f64::INFINITY);
    }
    Panel {
        title: title.into(),
        grid: Grid::new(&values, width),
        x: Axis::coordinates("lon", "degrees_east", (-84.4, -84.3), width),
        y: Axis::positions("row", height),
        unit: "m".into(),
        scale: Scale::Auto,
        relief: true,
    }
}

#[test]
fn equal_panels_give_equal_bytes_in_both_forms() {
    let make = || panels(&[ramp(30, 40, "input"), ramp(30, 40, "result")], "A ramp.");
    assert_eq!(make().svg().unwrap(), make().svg().unwrap());
    assert_eq!(make().png().unwrap(), make().png().unwrap());
}

#[test]
fn a_png_is_twice_the_size_of_the_svg() {
    let figure = panels(&[ramp(30, 40, "input")], "");
    let png = figure.png().unwrap();
    let side = |at: usize| u32::from_be_bytes([png[at], png[at + 1], png[at + 2], png[at + 3]]);
    assert_eq!((side(16), side(20)), (2 * figure.width as u32, 2 * figure.height as u32));
    let svg = figure.svg().unwrap();
    assert!(svg.contains(&format!("width=\"{}\" height=\"{}\"", figure.width, figure.height)));
    assert!(svg.contains(">lon [degrees_east]<") && svg.contains("Grey: no value."));
}

#[test]
fn strange_shapes_and_titles_are_drawn_without_complaint() {
    let shapes = [(0, 0), (1, 1), (1, 900), (900, 1), (3, 2)];
    let mut all: Vec<Panel> =
        shapes.iter().map(|&(h, w)| ramp(h, w, "a $x$ < b & \"c\"\u{0}\u{1f9e0}")).collect();
    all[1].grid = Grid::new(&[f32::NAN], 1);
    all[4].scale = Scale::Classes;
    for count in 0..=all.len() {
        let figure = panels(&all[..count], &"word ".repeat(200));
        let svg = figure.svg().unwrap();
        assert!(svg.ends_with("</svg>\n") && !svg.contains("$x$ <") && !svg.contains('\u{0}'));
        assert!(!figure.png().unwrap().is_empty());
        assert!(figure.texts.iter().all(|t| t.x.is_finite() && t.y.is_finite()));
    }
}

#[test]
fn maps_with_growing_y_coordinates_are_drawn_upwards() {
    let mut panel = ramp(2, 2, "");
    (panel.grid, panel.relief) = (Grid::new(&[0.0f32, 0.0, 1.0, 1.0], 2), false);
    let top = |panel: &Panel| panels(std::slice::from_ref(panel), "").images[0].pixels[0];
    let downward = top(&panel);
    panel.y = Axis::coordinates("y", "m", (0.0, 30.0), 2);
    assert_ne!(top(&panel), downward);
    panel.y = Axis::coordinates("y", "m", (30.0, 0.0), 2);
    assert_eq!(top(&panel), downward);
}

/// Writes the pictures that a person looks at; needs a folder in NISSL_PICTURES.
#[test]
fn pictures_for_looking_at() {
    let Some(folder) = std::env::var_os("NISSL_PICTURES").map(std::path::PathBuf::from) else {
        eprintln!("not drawn: NISSL_PICTURES names no folder");
        return;
    };
    let read = |name: &str| {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/convolve").join(name);
        std::fs::read(path).unwrap()
    };
    // Version 1 headers of these files are 128 bytes long.
    let input: Vec<f32> = read("inputs/dem_jacksboro_i16.npy")[128..]
        .chunks_exact(2)
        .map(|b| f32::from(i16::from_le_bytes([b[0], b[1]])))
        .collect();
    let (height, width) = (72, 94);
    let plane = |name: &str, mode: usize| {
        let all: Vec<f32> =
            read(name)[128..].chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        all[mode * height * width..][..height * width].to_vec()
    };
    let classes: Vec<f32> = read("expected/hot__dem_jacksboro_i16__circle3.npy")[128..][..height * width]
        .iter()
        .map(|b| f32::from(*b as i8))
        .collect();
    let panel = |title: &str, values: &[f32], scale, relief| Panel {
        title: title.into(),
        grid: Grid::new(values, width),
        x: Axis::coordinates("longitude", "degrees east", (-84.413333, -84.335833), width),
        y: Axis::coordinates("latitude", "degrees north", (36.732917, 36.67375), height),
        unit: "m".into(),
        scale,
        relief,
    };
    let elevation = panel("Elevation", &input, Scale::Auto, true);
    let draw = |name: &str, list: &[Panel], caption: &str| {
        let figure = panels(list, caption);
        std::fs::write(folder.join(format!("{name}.png")), figure.png().unwrap()).unwrap();
        std::fs::write(folder.join(format!("{name}.svg")), figure.svg().unwrap()).unwrap();
    };
    let smooth = panel(
        "gauss31, boundary nan",
        &plane("expected/dem_jacksboro_i16__gauss31.npy", 0),
        Scale::Auto,
        true,
    );
    draw("smooth", &[elevation.clone(), smooth], "Elevation near the Jacksboro fault, 3 arc seconds.");
    let edges =
        panel("sobel-x, reflect", &plane("expected/dem_jacksboro_i16__sobel_i64.npy", 2), Scale::Auto, false);
    draw("edges", &[elevation.clone(), edges.clone()], "");
    let hot = panel("Hot spots, circle of 3 cells", &classes, Scale::Classes, false);
    let ring =
        panel("annulus 5, 2", &plane("expected/dem_jacksboro_i16__annulus5_2.npy", 0), Scale::Auto, false);
    draw("hot", &[elevation.clone(), hot.clone()], "");
    draw("six", &[elevation.clone(), edges, hot, ring.clone(), ring.clone(), ring], "Six panels.");
}
