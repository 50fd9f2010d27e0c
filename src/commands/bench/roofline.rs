//! Which ceiling binds a stage, and what share of it the stage reaches. Pure.

use super::ceilings::{COPY_NAME, FILE_NAME};
use super::results::{Ceiling, StageResult};
use super::works::Arithmetic;

/// Stages that read and write files.
const FILES: [&str; 3] = ["read", "write", "finish"];

/// Fills in ceiling and share of `stage`: the largest share over what it counted. A stage that counted
/// nothing has none.
pub fn bind(stage: &mut StageResult, arithmetic: Arithmetic, level: &str, ceilings: &[&Ceiling]) {
    if stage.wall_s <= 0.0 {
        return;
    }
    let fma = format!("fma {} {level}", arithmetic.name());
    let moved = stage.bytes_read + stage.bytes_written;
    let mut counted = vec![(fma.as_str(), stage.flop), (COPY_NAME, moved)];
    if FILES.contains(&stage.name.as_str()) {
        counted.push((FILE_NAME, stage.bytes_read));
    }
    let shares = counted.into_iter().filter(|(_, count)| *count > 0).filter_map(|(name, count)| {
        let ceiling = ceilings.iter().find(|c| c.name == name && c.value > 0.0)?;
        Some((name, count as f64 / stage.wall_s / ceiling.value))
    });
    if let Some((name, share)) = shares.max_by(|a, b| a.1.total_cmp(&b.1)) {
        stage.ceiling = Some(name.to_owned());
        stage.share = Some(share);
    }
}

/// The ceilings of so many threads; those of the nearest number below where that one was not measured.
pub fn of_threads(ceilings: &[Ceiling], threads: usize) -> Vec<&Ceiling> {
    let measured = ceilings.iter().map(|c| c.threads).filter(|&count| count <= threads).max();
    ceilings.iter().filter(|c| Some(c.threads) == measured).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ceiling(name: &str, threads: usize, value: f64) -> Ceiling {
        Ceiling { name: name.into(), unit: "x/s".into(), threads, value }
    }

    #[test]
    fn the_largest_share_binds() {
        let all = [
            ceiling("copy", 2, 1e10),
            ceiling("fma f64 avx2", 2, 1e11),
            ceiling("fma f32 avx2", 2, 2e11),
            ceiling("file read", 2, 5e9),
        ];
        let ceilings = of_threads(&all, 2);
        let bound = |name: &str, flop, bytes_read, arithmetic| {
            let mut stage =
                StageResult { name: name.into(), wall_s: 1.0, flop, bytes_read, ..StageResult::default() };
            bind(&mut stage, arithmetic, "avx2", &ceilings);
            (stage.ceiling, stage.share)
        };
        let named = |name: &str, share| (Some(name.to_owned()), Some(share));
        assert_eq!(bound("grid", 50_000_000_000, 1_000_000_000, Arithmetic::F64), named("fma f64 avx2", 0.5));
        assert_eq!(
            bound("grid", 50_000_000_000, 1_000_000_000, Arithmetic::F32),
            named("fma f32 avx2", 0.25)
        );
        assert_eq!(bound("grid", 5_000_000_000, 8_000_000_000, Arithmetic::F64), named("copy", 0.8));
        assert_eq!(bound("read", 0, 4_000_000_000, Arithmetic::F64), named("file read", 0.8));
        assert_eq!(bound("plot", 0, 0, Arithmetic::F64), (None, None));
    }

    #[test]
    fn ceilings_of_fewer_threads_stand_in() {
        let all = [ceiling("copy", 1, 1.0), ceiling("copy", 8, 2.0)];
        assert_eq!(of_threads(&all, 4)[0].threads, 1);
        assert_eq!(of_threads(&all, 16)[0].threads, 8);
        assert!(of_threads(&[], 1).is_empty());
    }
}
