//! The kernels in CUDA C++: sums in float64 of rasters of either type, all ways but the FFT.
//!
//! A block of cells that is too large for sums in another order, or that fast sums leave out, is
//! computed by all taps or in the definition's order on the device itself: no piece comes back.

use super::params::FocalParams;
use super::run_list::run_list;
use super::{DeviceRecipe, Lane, Piece, Shape, gathered, needed};
use crate::array::{Real, WorkType};
use crate::backend::device::{Buffer, Cuda, Device, Kernel, Queue};
use crate::error::Result;
use crate::kernels::focal::rank::rank_one;
use crate::kernels::focal::runs::{Rectangle, RunPlan};
use crate::kernels::focal::{Algorithm, Request, Weights};
use crate::kernels::window::Window;

const SOURCE: Cuda =
    Cuda { file: "focal.cu", source: include_str!("../focal.cu"), ptx: include_bytes!("../focal.ptx.gz") };

const fn kernel(name: &'static str, buffers: usize) -> Kernel {
    let params = size_of::<FocalParams>();
    Kernel { name, group: [32, 4, 1], buffers, params, wgsl: None, cuda: Some(SOURCE) }
}

/// Of float32 and of float64 rasters.
static DIRECT: [Kernel; 2] = [kernel("focal_direct_f32", 3), kernel("focal_direct_f64", 3)];
static EXACT: [Kernel; 2] = [kernel("focal_exact_f32", 3), kernel("focal_exact_f64", 3)];
static SEPARABLE: [Kernel; 2] = [kernel("focal_separable_f32", 3), kernel("focal_separable_f64", 3)];
static RUNS: [Kernel; 2] = [kernel("focal_runs_f32", 4), kernel("focal_runs_f64", 4)];

/// Cells of a group.
const TILE: [usize; 2] = [64, 32];

/// Kernel columns whose column sums are in work together.
const REACH: f64 = 64.0;

/// What an addition from shared memory costs beside one of the direct sum, whose values stay in
/// registers: 32 clocks a warp against 8 for 16 cells.
const SHARED: f64 = 4.0;

/// How float64 sums are made.
#[derive(Debug, Clone, PartialEq)]
pub enum Way {
    /// The peer's order.
    Exact,
    /// Every tap.
    Direct,
    /// A column pass and a row pass; the sum is multiplied by the scale.
    Separable {
        /// One factor per kernel row.
        column: Vec<f64>,
        /// One factor per kernel column.
        row: Vec<f64>,
        /// Multiplied last.
        scale: f64,
    },
    /// Sums of runs of equal weights.
    Runs(RunPlan),
}

impl Way {
    /// The word of reports.
    pub fn name(&self) -> &'static str {
        match self {
            Way::Exact => "exact",
            Way::Direct => "direct",
            Way::Separable { .. } => "separable",
            Way::Runs(_) => "runs",
        }
    }

    fn kernel(&self, work: WorkType) -> &'static Kernel {
        let pair = match self {
            Way::Exact => &EXACT,
            Way::Direct => &DIRECT,
            Way::Separable { .. } => &SEPARABLE,
            Way::Runs(_) => &RUNS,
        };
        &pair[usize::from(work == WorkType::F64)]
    }
}

/// A box as a column times a row of ones.
fn box_way(area: &Rectangle, (rows, cols): (usize, usize), scale: f64) -> Way {
    let ones = |first: usize, count: usize, length: usize| {
        (0..length).map(|at| if (first..first + count).contains(&at) { 1.0 } else { 0.0 }).collect()
    };
    Way::Separable { column: ones(area.row, area.rows, rows), row: ones(area.col, area.cols, cols), scale }
}

/// The way on a device with float64, or why there is none.
pub fn double_recipe(weights: &Weights, request: &Request) -> Result<DeviceRecipe, String> {
    let (rows, cols) = (weights.rows, weights.cols);
    let taps = 2.0 * (rows * cols) as f64;
    let made = |way: Way, flop_per_cell: f64, why: String| {
        Ok(DeviceRecipe {
            factors: None,
            fast: false,
            nan: request.nan,
            why,
            flop_per_cell,
            double: Some(way),
        })
    };
    if request.exact || !weights.values.iter().all(|k| k.is_finite()) {
        return made(Way::Exact, taps, format!("{} taps in the peer's order", rows * cols));
    }
    let both = 2.0 * (rows as f64 * (1.0 + (cols as f64 - 1.0) / REACH) + cols as f64);
    let separable = rank_one(&weights.values, rows, cols)
        .map(|f| (Way::Separable { column: f.column, row: f.row, scale: 1.0 }, both));
    let runs = RunPlan::new(&weights.values, rows, cols).map(|plan| match &plan.rectangle {
        Some(area) => (box_way(area, (rows, cols), plan.value), both),
        None => {
            let cost = SHARED * plan.adds() as f64;
            (Way::Runs(plan), cost)
        }
    });
    let cannot = |name: &str, why: &str| Err(format!("--algorithm {name}: {why}"));
    match request.algorithm {
        Some(Algorithm::Fft) => cannot("fft", "has no kernel for devices"),
        Some(Algorithm::Separable) => match separable {
            Some((way, flop)) => made(way, flop, "asked for".into()),
            None => cannot("separable", "the kernel is not a column times a row"),
        },
        Some(Algorithm::Runs) => match runs {
            Some((way, flop)) => made(way, flop, "asked for".into()),
            None => cannot("runs", "its non-zero weights are not all equal"),
        },
        Some(Algorithm::Direct) => made(Way::Direct, taps, "asked for".into()),
        None => {
            let others = [separable, runs].into_iter().flatten().filter(|(_, flop)| *flop < taps);
            match others.min_by(|a, b| a.1.total_cmp(&b.1)) {
                Some((way, flop)) => {
                    let why = format!("{}, {flop:.0} operations a cell instead of {taps:.0}", way.name());
                    made(way, flop, why)
                }
                None => made(Way::Direct, taps, format!("{} taps, one by one", rows * cols)),
            }
        }
    }
}

/// A queue with an arena for one kernel and rasters of one width and type.
pub struct DoubleLane {
    queue: Box<dyn Queue>,
    kernel: &'static Kernel,
    work: WorkType,
    rows: usize,
    strip: Buffer,
    output: Buffer,
    table: Buffer,
    list: Option<Buffer>,
    /// Rows that the strip's buffer takes.
    capacity: usize,
    /// Parameters that no piece changes, but for the raster's own.
    scale: f64,
    limit: f64,
    count: u32,
    weights: Weights,
    recipe: DeviceRecipe,
}

impl DoubleLane {
    fn open(
        device: &dyn Device,
        weights: &Weights,
        (recipe, way): (&DeviceRecipe, &Way),
        (shape, work): (Shape, WorkType),
    ) -> Result<Self> {
        let mut queue = device.queue()?;
        let kernel = way.kernel(work);
        let capacity = shape.rows + weights.rows - 1;
        let cells = |rows: usize| (rows * shape.width * work.size()).max(8) as u64;
        let (strip, output) = (queue.allocate(cells(capacity))?, queue.allocate(cells(shape.rows))?);
        let (numbers, scale) = match way {
            Way::Separable { column, row, scale } => ([column, row, &weights.values[..]].concat(), *scale),
            Way::Runs(plan) => (weights.values.clone(), plan.value),
            _ => (weights.values.clone(), 1.0),
        };
        let table = queue.allocate(size_of_val(&numbers[..]) as u64)?;
        queue.upload(&table, 0, bytemuck::cast_slice(&numbers))?;
        let (mut list, mut count) = (None, 0);
        if let Way::Runs(plan) = way {
            let entries = run_list(plan, (weights.rows, weights.cols));
            let buffer = queue.allocate(size_of_val(&entries.list[..]) as u64)?;
            queue.upload(&buffer, 0, bytemuck::cast_slice(&entries.list))?;
            (list, count) = (Some(buffer), entries.bands as u32);
        }
        queue.load(kernel)?;
        queue.finish()?;
        let limit = limit(weights, work);
        let (weights, recipe, rows) = (weights.clone(), recipe.clone(), shape.rows);
        Ok(DoubleLane {
            queue,
            kernel,
            work,
            rows,
            strip,
            output,
            table,
            list,
            capacity,
            scale,
            limit,
            count,
            weights,
            recipe,
        })
    }

    fn rows<T: Real>(
        &mut self,
        window: &Window<T>,
        (r0, r1): (usize, usize),
        out: &mut [T],
    ) -> Result<Piece> {
        if T::WORK != self.work || r1 - r0 > self.rows {
            return Ok(Piece::OutOfRange);
        }
        let reach = self.weights.rows / 2;
        let mut buffer = Vec::new();
        let (first, values) = match needed(window, r0, r1, reach) {
            Some((from, to)) if to - from <= self.capacity => {
                (window.first + from as i64, &window.rows[from * window.width..to * window.width])
            }
            // The far side of a wrapped raster: its rows are put where the windows look for them.
            _ => {
                let (first, end) = (r0 as i64 - reach as i64, (r1 + reach) as i64);
                (first, gathered(&mut buffer, window, first..end))
            }
        };
        self.queue.upload(&self.strip, 0, bytemuck::cast_slice(values))?;
        let params = FocalParams {
            first: first as i32,
            held: (values.len() / window.width) as u32,
            row: r0 as u32,
            rows: (r1 - r0) as u32,
            count: self.count,
            scale: self.scale,
            limit: self.limit,
            ..FocalParams::new(window, &self.weights, &self.recipe)
        };
        let groups = [window.width.div_ceil(TILE[0]) as u32, params.rows.div_ceil(TILE[1] as u32), 1];
        let mut buffers = vec![&self.strip, &self.table];
        buffers.extend(&self.list);
        buffers.push(&self.output);
        self.queue.launch(self.kernel, groups, &buffers, bytemuck::bytes_of(&params))?;
        self.queue.download(&self.output, 0, bytemuck::cast_slice_mut(out))?;
        Ok(Piece::Done)
    }
}

/// Magnitude of a value from which on the order of a sum may show: an overflow here and none there.
fn limit(weights: &Weights, work: WorkType) -> f64 {
    let magnitude: f64 = weights.values.iter().map(|k| k.abs()).sum();
    let growth = magnitude.max(weights.values.len() as f64);
    let largest = weights.values.iter().fold(0.0_f64, |most, k| most.max(k.abs()));
    let sums = 2.0_f64.powi(1000) / growth;
    // Not a number where the growth itself overflowed: every block goes by the definition then.
    let sums = if sums > 0.0 { sums } else { 0.0 };
    if weights.products_in_f32(work) { sums.min(2.0_f64.powi(127) / largest) } else { sums }
}

/// A lane of either kind.
pub enum AnyLane {
    /// Sums of floats, for devices without float64.
    Floats(Lane),
    /// Sums in float64.
    Doubles(DoubleLane),
}

impl AnyLane {
    /// The lane that `recipe` asks for, for rasters of the type `work`.
    ///
    /// # Errors
    /// As [`Lane::open`].
    pub fn open(
        device: &dyn Device,
        weights: &Weights,
        recipe: &DeviceRecipe,
        (shape, work): (Shape, WorkType),
    ) -> Result<Self> {
        match &recipe.double {
            None => Lane::open(device, weights, recipe, shape).map(AnyLane::Floats),
            Some(way) => {
                DoubleLane::open(device, weights, (recipe, way), (shape, work)).map(AnyLane::Doubles)
            }
        }
    }

    /// As [`Lane::rows`], for either type.
    ///
    /// # Errors
    /// The driver refuses.
    pub fn rows<T: Real>(
        &mut self,
        window: &Window<T>,
        span: (usize, usize),
        out: &mut [T],
    ) -> Result<Piece> {
        let lane = match self {
            AnyLane::Doubles(lane) => return lane.rows(window, span, out),
            AnyLane::Floats(lane) => lane,
        };
        let (Ok(rows), Ok(out)) =
            (bytemuck::try_cast_slice::<T, f32>(window.rows), bytemuck::try_cast_slice_mut::<T, f32>(out))
        else {
            return Ok(Piece::OutOfRange);
        };
        let Window { first, width, height, boundary, .. } = *window;
        lane.rows(&Window { rows, first, width, height, boundary }, span, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::focal::KernelType;

    fn flat(rows: usize, cols: usize, inside: impl Fn(usize, usize) -> bool) -> Weights {
        let values = (0..rows * cols).map(|i| if inside(i / cols, i % cols) { 0.5 } else { 0.0 }).collect();
        Weights::new(values, rows, cols, KernelType::F64).unwrap()
    }

    #[test]
    fn the_cheapest_way_is_taken_and_what_is_asked_for_is_kept_or_refused() {
        let circle = flat(41, 41, |y, x| (y as i32 - 20).pow(2) + (x as i32 - 20).pow(2) <= 400);
        let area = flat(7, 9, |_, x| x > 0);
        let plain = Request::default();
        let name = |weights: &Weights, request: &Request| {
            double_recipe(weights, request).map(|recipe| recipe.double.unwrap().name())
        };
        assert_eq!(name(&circle, &plain), Ok("runs"));
        assert_eq!(name(&area, &plain), Ok("separable"));
        assert_eq!(name(&circle, &Request { exact: true, ..plain }), Ok("exact"));
        let asked = |algorithm| Request { algorithm: Some(algorithm), ..plain };
        assert_eq!(name(&circle, &asked(Algorithm::Direct)), Ok("direct"));
        assert!(name(&circle, &asked(Algorithm::Separable)).unwrap_err().contains("separable"));
        assert!(name(&circle, &asked(Algorithm::Fft)).unwrap_err().contains("no kernel"));
    }

    #[test]
    fn limits_leave_room_for_the_sum() {
        let weights = flat(3, 3, |_, _| true);
        assert_eq!(limit(&weights, WorkType::F64), 2.0_f64.powi(1000) / 9.0);
        let narrow = Weights { kind: KernelType::F32, ..weights };
        assert_eq!(limit(&narrow, WorkType::F32), 2.0_f64.powi(128));
    }
}
