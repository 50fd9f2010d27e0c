//! Runs of a flat kernel as `focal_runs` reads them: bands of the kernel, and for each the sums of
//! 1, 2, 4 ... cells that its runs are put together from.

use crate::kernels::focal::runs::RunPlan;

/// Kernel rows and columns of a band.
const BAND: [usize; 2] = [16, 64];

/// Lengths 1, 2 ... 64.
const LEVELS: usize = 7;

/// Numbers that a band begins with: first row and column, rows, columns, starts of the levels and
/// the end.
const HEAD: usize = 4 + LEVELS + 1;

/// The list, and how many bands it begins with.
pub struct RunList {
    pub bands: usize,
    pub list: Vec<i32>,
}

/// Pieces of runs within one band: row and column in it, and length.
type Pieces = Vec<(usize, usize, usize)>;

/// The list of the runs of `plan`, a kernel of `rows` x `cols`.
pub fn run_list(plan: &RunPlan, (rows, cols): (usize, usize)) -> RunList {
    let mut bands: Vec<([usize; 2], Pieces)> = Vec::new();
    for run in &plan.runs {
        let (mut col, end) = (run.col, run.col + plan.lengths[run.length]);
        while col < end {
            let corner = [run.row / BAND[0] * BAND[0], col / BAND[1] * BAND[1]];
            let stop = end.min(corner[1] + BAND[1]);
            let piece = (run.row - corner[0], col - corner[1], stop - col);
            match bands.iter_mut().find(|(known, _)| *known == corner) {
                Some((_, pieces)) => pieces.push(piece),
                None => bands.push((corner, vec![piece])),
            }
            col = stop;
        }
    }
    let mut list = vec![0; bands.len() * HEAD];
    for (at, (corner, pieces)) in bands.iter().enumerate() {
        let mut head =
            vec![corner[0], corner[1], BAND[0].min(rows - corner[0]), BAND[1].min(cols - corner[1])];
        for level in 0..LEVELS {
            head.push(list.len());
            for &(row, col, length) in pieces.iter().filter(|(_, _, length)| length >> level & 1 == 1) {
                // Shorter parts of the run lie before this one.
                let before = length & ((1 << level) - 1);
                list.push((row | (col + before) << 8) as i32);
            }
        }
        head.push(list.len());
        for (to, value) in list[at * HEAD..].iter_mut().zip(head) {
            *to = value as i32;
        }
    }
    RunList { bands: bands.len(), list }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every tap of the kernel is in just one sum, whatever the lengths and the cuts.
    #[test]
    fn the_sums_of_a_list_cover_each_tap_once() {
        for (rows, cols) in [(41, 41), (3, 5), (1, 201), (35, 131)] {
            let inside = |y: usize, x: usize| !(y * 7 + x * x).is_multiple_of(5);
            let values: Vec<f64> =
                (0..rows * cols).map(|i| if inside(i / cols, i % cols) { 2.0 } else { 0.0 }).collect();
            let list = run_list(&RunPlan::new(&values, rows, cols).unwrap(), (rows, cols));
            let mut seen = vec![0.0; rows * cols];
            for head in list.list[..list.bands * HEAD].chunks(HEAD) {
                let number = |at: usize| head[at] as usize;
                for level in 0..LEVELS {
                    for entry in &list.list[number(4 + level)..number(5 + level)] {
                        let (row, col) = ((entry & 255) as usize, (entry >> 8) as usize);
                        assert!(row < number(2) && col + (1 << level) <= number(3));
                        let start = (number(0) + row) * cols + number(1) + col;
                        seen[start..start + (1 << level)].iter_mut().for_each(|count| *count += 2.0);
                    }
                }
            }
            assert!(seen == values, "{rows} x {cols}");
        }
    }
}
