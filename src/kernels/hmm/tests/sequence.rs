//! The most likely sequence against the recursion over a dense matrix.

use super::*;

/// Spec decode 5.3 over a dense matrix: pointers of each row and the first column.
fn plain_viterbi(chain: &Chain, matrix: &[f64], rows: &[Vec<f64>]) -> Vec<usize> {
    let n = chain.states().columns();
    let mut score = vec![0.0; n];
    let mut pointers = Vec::new();
    let first =
        |values: &[f64]| (0..values.len()).fold(0, |best, q| if values[q] > values[best] { q } else { best });
    for row in rows[1..].iter().rev() {
        let through: Vec<(f64, usize)> = (0..n)
            .map(|p| {
                let values: Vec<f64> = (0..n).map(|q| matrix[p * n + q].ln() + score[q] + row[q]).collect();
                let best = first(&values);
                (values[best], best)
            })
            .collect();
        score = through.iter().map(|found| found.0).collect();
        pointers.push(through.iter().map(|found| found.1).collect::<Vec<_>>());
    }
    let start: Vec<f64> = (0..n).map(|p| chain.initial()[p].ln() + rows[0][p] + score[p]).collect();
    let mut path = vec![first(&start)];
    for pointer in pointers.iter().rev() {
        path.push(pointer[path[path.len() - 1]]);
    }
    path
}

pub fn viterbi<T: LogLikelihood>(chain: &Chain, steps: &Steps, rows: &[Vec<T>]) -> Vec<usize> {
    let mut viterbi = Viterbi::new(chain, steps);
    let mut pointers = Vec::new();
    for row in rows[1..].iter().rev() {
        let mut pointer = vec![0; chain.states().columns()];
        viterbi.step(row, &mut pointer);
        viterbi = Viterbi::resume(chain, steps, viterbi.scores().to_vec());
        pointers.push(pointer);
    }
    let mut path = vec![viterbi.first_column(&rows[0]) as usize];
    for pointer in pointers.iter().rev() {
        path.push(pointer[path[path.len() - 1]] as usize);
    }
    path
}

#[test]
fn the_most_likely_sequence_is_that_of_the_dense_recursion() {
    let line = |n: usize| -> Vec<f64> { (0..n).map(|i| 2.0 * i as f64 + 1.0).collect() };
    let (x, y) = (line(7), line(11));
    let interior: Vec<usize> = (0..77).filter(|bin| bin % 6 != 3).collect();
    let centers: Vec<f64> = interior.iter().flat_map(|&b| [x[b / 11], y[b % 11]]).collect();
    let dense_walk = dense::walk_between(&centers, 2, 6.0);
    for level in CpuLevel::available() {
        let steps = Steps::on_grid(level, &[&x, &y], &interior, 6.0);
        for model in MODELS {
            let chain = chain(model, Walk::on_grid(level, &[&x, &y], &interior, 6.0));
            let matrix = dense::full(chain.states(), &dense_walk);
            for depth in [1.0, 20.0] {
                let sources = log_likelihoods(&chain, 50, depth, 6);
                let rows: Vec<Vec<f64>> =
                    sources.chunks_exact(chain.row_width()).map(<[f64]>::to_vec).collect();
                let wide: Vec<Vec<f64>> = rows.iter().map(|row| columns_of(&chain, row)).collect();
                let (ours, want) = (viterbi(&chain, &steps, &rows), plain_viterbi(&chain, &matrix, &wide));
                assert_eq!(ours, want, "{level:?} {model} {depth}");
            }
        }
    }
}

#[test]
fn ties_go_to_the_first_and_empty_rows_say_nothing() {
    let line: Vec<f64> = (0..9).map(f64::from).collect();
    let all: Vec<usize> = (0..9).collect();
    let chain = chain("contfrag", Walk::on_grid(CpuLevel::detect(), &[&line], &all, 6.0));
    let steps = Steps::on_grid(CpuLevel::detect(), &[&line], &all, 6.0);
    let mut viterbi = Viterbi::new(&chain, &steps);
    let mut pointers = vec![99; 18];
    // Two places alike on either side of the middle.
    let row: Vec<f64> = (0..9).map(|p| if p == 2 || p == 6 { 0.0 } else { f64::NEG_INFINITY }).collect();
    viterbi.step(&row, &mut pointers);
    assert_eq!((pointers[4], pointers[3], pointers[5]), (2, 2, 6));
    assert_eq!(pointers[9..], [11; 9]);
    let scores = viterbi.scores().to_vec();
    viterbi.step(&[f64::NAN; 9], &mut pointers);
    assert!(viterbi.scores().iter().all(|s| s.is_finite()));
    let mut other = Viterbi::resume(&chain, &steps, scores);
    other.step(&[0.0; 9], &mut pointers);
    assert_eq!(viterbi.scores(), other.scores());
}
