//! Times convolutions on demand: one request per line on stdin, one JSON object per line on stdout.
//!
//! A request is `HEIGHT WIDTH KIND ROWSxCOLS ALGORITHM TYPE THREADS LEVEL REPEATS`, as in
//! `2000 2000 dense 15x15 auto f64 2 best 5`; KIND is dense, gauss, box or circle. `peak LEVEL`
//! asks for the multiply-add rate of one core instead. A driver that speaks to several programs
//! can so take turns, which evens out a busy machine.

use nissl::array::Real;
use nissl::backend::CpuLevel;
use nissl::commands::convolve::passes::FocalPass;
use nissl::kernels::focal::{Algorithm, Focal, KernelType, Request, Weights, choose};
use nissl::kernels::simd::peak::multiply_add_burst;
use nissl::kernels::window::{Boundary, Window};
use nissl::report::Recorder;
use std::io::BufRead;
use std::time::Instant;

/// Element `i` of the closed-form sequence that the drivers in `benches/peers` share.
fn closed_form(seed: u64, i: u64) -> f64 {
    let mut z = seed.wrapping_add((i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^= z >> 31;
    (z >> 11) as f64 / (1_u64 << 53) as f64
}

fn weights(kind: &str, rows: usize, cols: usize) -> Weights {
    let middle = |at: usize, n: usize| (at as f64 - (n / 2) as f64) / (n as f64 / 6.0);
    let values = (0..rows * cols).map(|at| {
        let (y, x) = (middle(at / cols, rows), middle(at % cols, cols));
        match kind {
            "gauss" => (-0.5 * y * y).exp() * (-0.5 * x * x).exp(),
            "box" => 1.0,
            "circle" => f64::from(u8::from(y * y + x * x <= 9.0 * (1.0 - 1.0 / rows as f64).powi(2) + 1e-9)),
            _ => closed_form(7002, at as u64) - 0.25,
        }
    });
    Weights::new(values.collect(), rows, cols, KernelType::F64).expect("odd sides")
}

fn time<T: Real>(words: &[&str]) -> Option<String> {
    let number = |at: usize| words.get(at)?.parse::<usize>().ok();
    let (height, width, kind) = (number(0)?, number(1)?, *words.get(2)?);
    let (rows, cols) = words.get(3)?.split_once('x')?;
    let weights = weights(kind, rows.parse().ok()?, cols.parse().ok()?);
    let algorithm = match *words.get(4)? {
        "direct" => Some(Algorithm::Direct),
        "separable" => Some(Algorithm::Separable),
        "runs" => Some(Algorithm::Runs),
        "fft" => Some(Algorithm::Fft),
        _ => None,
    };
    let request =
        Request { algorithm, exact: words[4] == "exact", fast: words[4] == "fast", ..Request::default() };
    let recipe = match choose(&weights, (height, width), T::WORK, &request) {
        Ok(recipe) => recipe,
        Err(error) => return Some(serde_json::json!({ "error": error.to_string() }).to_string()),
    };
    let level = level_of(words.get(7)?);
    let mut raster = on_large_pages::<T>(height * width);
    raster.extend((0..height * width).map(|i| T::round_from(closed_form(7001, i as u64) * 2000.0 - 400.0)));
    let mut out = on_large_pages::<T>(height * width);
    out.resize(height * width, T::round_from(0.5));
    let pass = FocalPass::new(Focal::new(&weights, recipe, level), width);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(number(6)?).build().ok()?;
    let window = Window::whole(&raster, height, width, Boundary::Reflect);
    let recorder = Recorder::new();
    let (mut times, mut busy, mut refused) = (Vec::new(), Vec::new(), 0);
    for _ in 0..=number(8)? {
        let (start, cpu) = (Instant::now(), cpu_s());
        refused = pool.install(|| pass.rows(&window, 0, height, &mut out, &recorder)).fft_refused;
        times.push(start.elapsed().as_secs_f64() * 1e3);
        busy.push((cpu_s() - cpu) * 1e3);
    }
    // The first round warms up.
    times.remove(0);
    busy.remove(0);
    times.sort_by(f64::total_cmp);
    busy.sort_by(f64::total_cmp);
    let facts = pass.focal().recipe().facts();
    let seconds = busy[0] * 1e-3;
    Some(
        serde_json::json!({
            "median_ms": times[times.len() / 2], "least_ms": times[0], "algorithm": facts.algorithm,
            "tile": facts.fft_tile, "why": facts.why, "level": pass.focal().level().name(),
            "fft_refused": refused, "least_cpu_ms": busy[0],
            "gflops_per_core": facts.flop_per_cell * (height * width) as f64 / seconds * 1e-9,
        })
        .to_string(),
    )
}

fn level_of(word: &str) -> CpuLevel {
    match word {
        "baseline" => CpuLevel::Baseline,
        "avx2" => CpuLevel::Avx2,
        _ => CpuLevel::detect(),
    }
}

/// Multiply-adds of one core at a level.
fn peak(level: &str) -> String {
    let rates = (0..20).map(|i| {
        let start = cpu_s();
        let (flop, value) = multiply_add_burst(level_of(level), 2_000_000, f64::from(i));
        std::hint::black_box(value);
        flop as f64 / (cpu_s() - start) * 1e-9
    });
    serde_json::json!({ "peak_gflops_per_core": rates.fold(0.0, f64::max) }).to_string()
}

/// Room for `len` values, on large pages where the system has them: numpy asks for the same, and
/// so its peers have it.
#[allow(unsafe_code)] // One advice about memory that is not yet in use.
fn on_large_pages<T>(len: usize) -> Vec<T> {
    let mut values = Vec::with_capacity(len);
    let start = (values.as_mut_ptr() as usize).next_multiple_of(4096);
    let end = values.as_ptr() as usize + len * size_of::<T>();
    if end > start {
        // SAFETY: whole pages inside the allocation; the advice changes no contents.
        let _ =
            unsafe { rustix::mm::madvise(start as *mut _, end - start, rustix::mm::Advice::LinuxHugepage) };
    }
    values
}

/// CPU time of the process, seconds: on a busy machine steadier than the wall clock.
fn cpu_s() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

fn main() {
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let answer = match words.get(5) {
            None if words.first() == Some(&"peak") => Some(peak(words.get(1).copied().unwrap_or_default())),

            Some(&"f32") => time::<f32>(&words),
            _ => time::<f64>(&words),
        };
        println!("{}", answer.unwrap_or_else(|| r#"{"error":"not understood"}"#.into()));
    }
}
