use super::*;
#[cfg(feature = "hdf5")]
use crate::commands::decode::fixture;

fn options(bin_size: f64) -> GridOptions {
    GridOptions { bin_size: vec![bin_size], ..GridOptions::default() }
}

#[cfg(feature = "hdf5")]
fn assert_is_reference(set: &str, bin_size: f64) {
    let (positions, axes) = fixture::encoding_positions(set);
    let grid = PlaceGrid::from_positions(&positions, axes, &options(bin_size)).unwrap();
    for axis in 0..axes {
        let name = format!("place_bin_edges_dim{axis}");
        fixture::assert_close(&name, &grid.edges[axis], &fixture::values(set, &name), (1e-12, 0.0));
    }
    fixture::assert_close("centers", &grid.centers, &fixture::values(set, "place_bin_centers"), (1e-12, 0.0));
    let (shape, interior) = fixture::array(set, "is_track_interior");
    assert_eq!(grid.shape, shape);
    let ours: Vec<f64> = grid.interior.iter().map(|&b| f64::from(u8::from(b))).collect();
    assert_eq!(ours, interior);
}

#[cfg(feature = "hdf5")]
#[test]
fn a_line_and_an_arena_have_the_peers_bins_and_interior() {
    assert_is_reference("track1d", 2.0);
    assert_is_reference("arena2d", 4.0);
}

/// 4 x 4 bins of width 1 in 0..4 plus padding; samples at the centres of the given bins.
fn arena(bins: &[(usize, usize)], options: &GridOptions) -> PlaceGrid {
    let positions: Vec<f64> = bins.iter().flat_map(|&(x, y)| [x as f64 + 0.5, y as f64 + 0.5]).collect();
    let options = GridOptions {
        bin_size: vec![1.0],
        position_range: Some(vec![(0.0, 4.0), (0.0, 4.0)]),
        ..options.clone()
    };
    PlaceGrid::from_positions(&positions, 2, &options).unwrap()
}

fn picture(grid: &PlaceGrid) -> Vec<String> {
    let row = |bins: &[bool]| bins.iter().map(|&b| if b { '#' } else { '.' }).collect();
    grid.interior.chunks(grid.shape[1]).map(row).collect()
}

#[test]
fn closing_treats_the_outside_as_background_and_the_last_bins_are_cleared() {
    let ring = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1), (2, 2)];
    let grid = arena(&ring, &GridOptions::default());
    assert_eq!(picture(&grid), ["......", ".###..", ".###..", ".###..", "......", "......"]);
    // What falls on the outer edge of the range lies in the padding, which is cleared.
    let edge = GridOptions {
        bin_size: vec![1.0],
        position_range: Some(vec![(0.0, 4.0), (0.0, 4.0)]),
        ..GridOptions::default()
    };
    let grid = PlaceGrid::from_positions(&[4.0, 4.0, 0.5, 0.5], 2, &edge).unwrap();
    assert_eq!(grid.interior_bins, [7]);
}

#[test]
fn holes_are_filled_and_the_interior_grows_only_when_asked() {
    let ring: Vec<(usize, usize)> = (0..5).flat_map(|k| [(0, k), (4, k), (k, 0), (k, 4)]).collect();
    let wide = |fill_holes| {
        let positions: Vec<f64> = ring.iter().flat_map(|&(x, y)| [x as f64 + 0.5, y as f64 + 0.5]).collect();
        let position_range = Some(vec![(0.0, 5.0); 2]);
        let options =
            GridOptions { bin_size: vec![1.0], position_range, fill_holes, ..GridOptions::default() };
        picture(&PlaceGrid::from_positions(&positions, 2, &options).unwrap())
    };
    let open = [".......", ".#####.", ".##.##.", ".#...#.", ".##.##.", ".#####.", "......."];
    assert_eq!(wide(false), open);
    assert_eq!(wide(true), open.map(|row| if row.contains('#') { ".#####." } else { row }));
    let grown = arena(&[(1, 1)], &GridOptions { dilate: true, ..GridOptions::default() });
    assert_eq!(picture(&grown), ["......", "..#...", ".###..", "..#...", "......", "......"]);
}

#[test]
fn threshold_mask_and_all_interior_are_honoured() {
    let twice = GridOptions { bin_count_threshold: 1, ..GridOptions::default() };
    assert_eq!(arena(&[(0, 0), (2, 2), (2, 2)], &twice).interior_bins, [3 * 6 + 3]);
    let all = GridOptions { infer_interior: false, ..GridOptions::default() };
    assert_eq!(arena(&[(0, 0)], &all).interior_bins.len(), 36);
    let mut values = vec![false; 36];
    values[8] = true;
    let mask = |shape: Vec<usize>| InteriorMask { shape, values: values.clone(), place: "m.npy".into() };
    let masked = GridOptions { mask: Some(mask(vec![6, 6])), ..GridOptions::default() };
    assert_eq!(arena(&[(0, 0)], &masked).interior_bins, [8]);
    let wrong = GridOptions { mask: Some(mask(vec![36])), ..options(1.0) };
    let error = PlaceGrid::from_positions(&[0.0, 0.0, 4.0, 4.0], 2, &wrong).unwrap_err().to_string();
    assert!(error.contains("m.npy") && error.contains("[36]") && error.contains("[6, 6]"), "{error}");
}

#[test]
fn bad_input_is_an_error_with_advice() {
    let message = |positions: &[f64], axes: usize, options: &GridOptions| {
        PlaceGrid::from_positions(positions, axes, options).unwrap_err().to_string()
    };
    assert!(message(&[3.0, 3.0], 1, &options(2.0)).contains("3 to 3 along axis 0"));
    assert!(message(&[0.0, 1.0, 5.0, 1.0], 2, &options(2.0)).contains("along axis 1"));
    assert!(message(&[0.0, 1e12], 1, &options(2.0)).contains("larger --bin-size"));
    assert!(message(&[0.0, 1.0], 1, &options(f64::NAN)).contains("--bin-size NaN"));
    assert!(message(&[0.0, 1.0], 1, &options(-1.0)).contains("--bin-size -1"));
    assert!(message(&[f64::NAN, f64::NAN], 1, &options(1.0)).contains("no sample"));
    assert!(message(&[], 1, &options(1.0)).contains("no sample"));
    let high = GridOptions { bin_count_threshold: 9, ..options(1.0) };
    assert!(message(&[0.0, 1.0], 1, &high).contains("no interior bin"));
    let mut wide = options(1.0);
    wide.position_range = Some(vec![(0.0, f64::INFINITY)]);
    assert!(message(&[0.0, 1.0], 1, &wide).contains("finite"));
    assert!(message(&[-1e308, 1e308], 1, &options(1.0)).contains("larger --bin-size"));
}

#[test]
fn samples_that_are_not_finite_make_no_bins() {
    let with = [0.0, f64::NAN, f64::NAN, 1.0, 0.0, 0.0, 2.0, 3.0, 1.0, f64::INFINITY];
    let without = [0.0, 0.0, 2.0, 3.0];
    let made = |p: &[f64]| PlaceGrid::from_positions(p, 2, &options(0.5)).unwrap();
    assert_eq!(made(&with), made(&without));
}

#[test]
fn a_position_finds_its_bin_or_the_nearest_interior_one() {
    let edges = vec![vec![0.0, 1.0, 2.0, 3.0, 4.0]];
    let grid = PlaceGrid::from_edges(edges, vec![true, false, true, true]).unwrap();
    assert_eq!(grid.count_outside(&[-0.1, 0.0, 4.0, 4.1, f64::NAN]), 2);
    let mut lookup = BinLookup::new(&grid);
    let mut bin = |x: f64| lookup.interior_bin(&[x]);
    // Bin 1 is no interior bin; both neighbours are as near, the first wins.
    assert_eq!((bin(-9.0), bin(0.5), bin(1.0), bin(1.5)), (Some(0), Some(0), Some(0), Some(0)));
    // 3 is the last of the inner edges: it goes down; 2 goes up.
    assert_eq!((bin(2.0), bin(3.0), bin(3.1), bin(99.0)), (Some(1), Some(1), Some(2), Some(2)));
    assert_eq!(bin(f64::NAN), None);
}
