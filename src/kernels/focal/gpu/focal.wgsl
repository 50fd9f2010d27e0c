// Window sums of a raster in float32 (spec convolve 1, 8), summed to about 70 bits.
//
// WGSL has no float64, and the results must not differ from sums in float64 by more than the last
// rounding. So sums are kept as three floats, `high + low + rest`: every product is split exactly
// (Dekker), every addition leaves its rounding error behind (Knuth). A compiler that is free to
// reorder sums would undo that; values that pass through `kept` are opaque to it.
//
// Infinities and NaN are found by their bits and their effect is worked out in whole numbers: the
// language lets implementations assume that no such value occurs.

struct Params {
    width: u32,
    height: u32,
    first: i32,        // position of the first row held
    held: u32,         // rows held
    row: u32,          // first output row
    rows: u32,         // output rows
    kernel_rows: u32,
    kernel_cols: u32,
    boundary: u32,     // 0 nan, 1 nearest, 2 reflect, 3 wrap, 4 reflect101, 5 constant
    rule: u32,         // 0 propagate, 1 footprint, 2 ignore
    narrow: u32,
    blocks: u32,       // blocks of the table
    outside: f32,      // the constant of boundary 5
    scale: f32,
    divisor: f32,      // sum of all weights, of rule 2
    limit: f32,
    doubles: array<vec4<u32>, 2>,
    zero: u32,
    flags: u32,        // 1: the rows may hold NaN or infinities; 2: float32 sums within a row
    divisor_low: f32,
    columns: u32,      // first tap of the column pass
}

@group(0) @binding(0) var<storage, read_write> strip: array<u32>;
@group(0) @binding(1) var<storage, read_write> table: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read_write> output: array<u32>;
@group(0) @binding(3) var<storage, read_write> between: array<vec2<u32>>;
@group(0) @binding(4) var<uniform> params: Params;

const TILE: i32 = 32;      // outputs of a group, each way
const SIDE: i32 = 64;      // values of a group's patch, each way
const NONFINITE: u32 = 0x7f800000u;
const NAN: u32 = 0x7fc00000u;
const SAW_NAN: u32 = 1u;
const SAW_PLUS: u32 = 2u;
const SAW_MINUS: u32 = 4u;

var<workgroup> patch_bits: array<u32, 4096>;
var<workgroup> special: atomic<u32>;

// Four sums at once, of four output rows.
struct Sum {
    high: vec4<f32>,
    low: vec4<f32>,
    rest: vec4<f32>,
}

fn kept(value: vec4<f32>) -> vec4<f32> {
    return bitcast<vec4<f32>>(bitcast<vec4<u32>>(value) ^ vec4<u32>(params.zero));
}

fn upper(value: vec4<f32>) -> vec4<f32> {
    return bitcast<vec4<f32>>(bitcast<vec4<u32>>(value) & vec4<u32>(0xfffff000u));
}

// What is lost when `a + b` is rounded to `sum`.
fn lost(a: vec4<f32>, b: vec4<f32>, sum: vec4<f32>) -> vec4<f32> {
    let taken = kept(sum - a);
    return (a - (sum - taken)) + (b - taken);
}

fn add(total: ptr<function, Sum>, value: vec4<f32>) {
    let high = kept((*total).high + value);
    let error = lost((*total).high, value, high);
    (*total).high = high;
    let low = kept((*total).low + error);
    (*total).rest += lost((*total).low, error, low);
    (*total).low = low;
}

// The weight is (a + b) + c: two halves of 12 bits and a rest.
fn add_product(total: ptr<function, Sum>, x: vec4<f32>, weight: vec3<f32>) {
    let product = kept(x * (weight.x + weight.y));
    let high = upper(x);
    let low = x - high;
    var error = ((high * weight.x - product) + high * weight.y) + low * weight.x;
    error = error + low * weight.y;
    add(total, product);
    // The error and the weight's rest lie 24 bits lower: the second float takes them.
    let small = error + x * weight.z;
    let sum = kept((*total).low + small);
    (*total).rest += lost((*total).low, small, sum);
    (*total).low = sum;
}

fn settled(total: Sum) -> vec4<f32> {
    return total.high + (total.low + total.rest);
}

// The cell of an axis of `n` that stands at position `m`; -1 where none does.
fn cell(m: i32, n: i32) -> i32 {
    if m >= 0 && m < n {
        return m;
    }
    switch params.boundary {
        case 1u: {
            return clamp(m, 0, n - 1);
        }
        case 2u: {
            let period = 2 * n;
            let q = ((m % period) + period) % period;
            return select(q, period - 1 - q, q >= n);
        }
        case 3u: {
            return ((m % n) + n) % n;
        }
        case 4u: {
            if n == 1 {
                return 0;
            }
            let period = 2 * n - 2;
            let q = ((m % period) + period) % period;
            return select(q, period - q, q >= n);
        }
        default: {
            return -1;
        }
    }
}

// Where the row at position `m` lies in the strip; -1 where it does not.
fn strip_row(m: i32) -> i32 {
    let inside = m >= 0 && m < i32(params.height);
    if !inside && (params.boundary == 0u || params.boundary == 5u) {
        return -1;
    }
    let held = i32(params.held);
    let at = m - params.first;
    if at >= 0 && at < held {
        return at;
    }
    let mapped = cell(m, i32(params.height)) - params.first;
    return select(-1, mapped, mapped >= 0 && mapped < held);
}

fn value_bits(row: i32, column: i32) -> u32 {
    let at = strip_row(row);
    let mapped = cell(column, i32(params.width));
    if at < 0 || mapped < 0 {
        return select(0u, bitcast<u32>(params.outside), params.boundary == 5u);
    }
    return strip[u32(at) * params.width + u32(mapped)];
}

fn load_patch(row: i32, column: i32, local: vec2<i32>) {
    for (var y = local.y; y < SIDE; y += 8) {
        for (var x = local.x; x < SIDE; x += 32) {
            let bits = value_bits(row + y, column + x);
            patch_bits[y * SIDE + x] = bits;
            if (params.flags & 1u) != 0u && (bits & NONFINITE) == NONFINITE {
                atomicOr(&special, 1u);
            }
        }
    }
}

fn four_bits(at: i32) -> vec4<u32> {
    return vec4<u32>(
        patch_bits[at],
        patch_bits[at + 8 * SIDE],
        patch_bits[at + 16 * SIDE],
        patch_bits[at + 24 * SIDE],
    );
}

fn place(tap: vec4<u32>, local: vec2<i32>) -> i32 {
    return (local.y + i32(tap.x >> 16u)) * SIDE + local.x + i32(tap.x & 0xffffu);
}

// What one tap's values, where they are NaN or infinite, make of the sums.
fn seen(bits: vec4<u32>, weight: f32) -> vec4<u32> {
    let nonfinite = (bits & vec4<u32>(NONFINITE)) == vec4<u32>(NONFINITE);
    let nan = nonfinite & ((bits & vec4<u32>(0x007fffffu)) != vec4<u32>(0u));
    let negative = ((bits ^ vec4<u32>(bitcast<u32>(weight))) & vec4<u32>(0x80000000u)) != vec4<u32>(0u);
    var mark = select(vec4<u32>(SAW_PLUS), vec4<u32>(SAW_MINUS), negative);
    mark = select(mark, vec4<u32>(SAW_NAN), nan | vec4<bool>(weight == 0.0));
    // Cells that are left out leave no mark.
    if params.rule == 2u {
        mark = select(mark, vec4<u32>(0u), nan);
    }
    return select(vec4<u32>(0u), mark, nonfinite);
}

fn finite(bits: vec4<u32>) -> vec4<f32> {
    let nonfinite = (bits & vec4<u32>(NONFINITE)) == vec4<u32>(NONFINITE);
    return bitcast<vec4<f32>>(select(bits, vec4<u32>(0u), nonfinite));
}

// total / valid, with one step of refinement.
fn quotient(total: Sum, valid: Sum) -> vec4<f32> {
    let above = settled(total);
    let below = settled(valid);
    let first = kept(above / below);
    var left = total;
    var negated: Sum;
    negated.high = -first;
    let high = upper(first);
    let low = first - high;
    let b_high = upper(below);
    let b_low = below - b_high;
    let product = kept(first * below);
    let error = (((high * b_high - product) + high * b_low) + low * b_high) + low * b_low;
    add(&left, -product);
    add(&left, -error);
    add(&left, -(first * ((valid.high - below) + (valid.low + valid.rest))));
    let refined = first + settled(left) / below;
    return select(refined, first, (bitcast<vec4<u32>>(first) & vec4<u32>(NONFINITE)) == vec4<u32>(NONFINITE));
}

fn store(value: vec4<f32>, marks: vec4<u32>, row: i32, column: i32) {
    let reach = vec2<i32>(i32(params.kernel_rows / 2u), i32(params.kernel_cols / 2u));
    for (var k = 0; k < 4; k++) {
        let out_row = row + 8 * k;
        let y = i32(params.row) + out_row;
        if out_row >= i32(params.rows) || column >= i32(params.width) {
            continue;
        }
        var bits = bitcast<u32>(value[k]);
        // Zero has one sign: sums start at +0.
        bits = select(bits, 0u, bits == 0x80000000u);
        let mark = marks[k];
        if (mark & SAW_NAN) != 0u || (mark & (SAW_PLUS | SAW_MINUS)) == (SAW_PLUS | SAW_MINUS) {
            bits = NAN;
        } else if mark != 0u {
            bits = select(0xff800000u, NONFINITE, mark == SAW_PLUS);
        }
        let ring = y < reach.x || y >= i32(params.height) - reach.x
            || column < reach.y || column >= i32(params.width) - reach.y;
        if params.boundary == 0u && ring {
            bits = NAN;
        }
        output[u32(out_row) * params.width + u32(column)] = bits;
    }
}

// Every tap. The table begins with one entry per block of the kernel: its first row and column,
// then its taps that are not zero, and those that are.
@compute @workgroup_size(32, 8, 1)
fn focal_direct(@builtin(local_invocation_id) id: vec3<u32>, @builtin(workgroup_id) group: vec3<u32>) {
    let local = vec2<i32>(id.xy);
    let origin = vec2<i32>(group.xy) * TILE;
    let reach = vec2<i32>(i32(params.kernel_cols / 2u), i32(params.kernel_rows / 2u));
    var total: Sum;
    var valid: Sum;
    var marks = vec4<u32>(0u);
    for (var b = 0u; b < params.blocks; b++) {
        let block = table[b];
        workgroupBarrier();
        if id.x == 0u && id.y == 0u {
            atomicStore(&special, 0u);
        }
        workgroupBarrier();
        load_patch(
            i32(params.row) + origin.y - reach.y + i32(block.x >> 16u),
            origin.x - reach.x + i32(block.x & 0xffffu),
            local,
        );
        workgroupBarrier();
        if atomicLoad(&special) == 0u {
            if (params.flags & 2u) != 0u {
                var row = vec4<f32>(0.0);
                for (var t = block.y; t < block.z; t++) {
                    let tap = table[t];
                    row += bitcast<vec4<f32>>(four_bits(place(tap, local))) * (bitcast<f32>(tap.y) + bitcast<f32>(tap.z));
                    if t + 1u == block.z || (table[t + 1u].x >> 16u) != (tap.x >> 16u) {
                        add(&total, row);
                        row = vec4<f32>(0.0);
                    }
                }
            } else {
                for (var t = block.y; t < block.z; t++) {
                    let tap = table[t];
                    add_product(&total, bitcast<vec4<f32>>(four_bits(place(tap, local))), bitcast<vec3<f32>>(tap.yzw));
                }
            }
            if params.rule == 2u {
                for (var t = block.y; t < block.z; t++) {
                    let weight = bitcast<vec3<f32>>(table[t].yzw);
                    add_product(&valid, vec4<f32>(1.0), weight);
                }
            }
        } else {
            let end = select(block.w, block.z, params.rule == 1u);
            for (var t = block.y; t < end; t++) {
                let tap = table[t];
                let weight = bitcast<vec3<f32>>(tap.yzw);
                let bits = four_bits(place(tap, local));
                marks |= seen(bits, weight.x);
                add_product(&total, finite(bits), weight);
                if params.rule == 2u {
                    let nan = (bits & vec4<u32>(0x7fffffffu)) > vec4<u32>(NONFINITE);
                    add_product(&valid, select(vec4<f32>(1.0), vec4<f32>(0.0), nan), weight);
                }
            }
        }
    }
    var value = settled(total);
    if params.rule == 2u {
        let below = settled(valid);
        value = quotient(total, valid);
        // Infinities are divided too.
        let turned = (marks & vec4<u32>(SAW_NAN)) | ((marks & vec4<u32>(SAW_PLUS)) << vec4<u32>(1u))
            | ((marks & vec4<u32>(SAW_MINUS)) >> vec4<u32>(1u));
        marks = select(marks, turned, below < vec4<f32>(0.0));
        // Nothing is valid, or the valid weights cancel.
        let none = below == vec4<f32>(0.0);
        let above = settled(total);
        marks |= select(vec4<u32>(0u), vec4<u32>(SAW_NAN), none & (above == vec4<f32>(0.0)));
        marks |= select(vec4<u32>(0u), vec4<u32>(SAW_PLUS), none & (above > vec4<f32>(0.0)));
        marks |= select(vec4<u32>(0u), vec4<u32>(SAW_MINUS), none & (above < vec4<f32>(0.0)));
    }
    store(value, marks, origin.y + local.y, origin.x + local.x);
}

// The column pass of a kernel that is a column times a row: sums down the rows of every column,
// as pairs of floats.
@compute @workgroup_size(32, 8, 1)
fn focal_down(@builtin(global_invocation_id) id: vec3<u32>, @builtin(workgroup_id) group: vec3<u32>) {
    let column = id.x;
    let row = i32(group.y) * TILE + i32(id.y % 8u);
    if column >= params.width {
        return;
    }
    let above = i32(params.row) + row - i32(params.kernel_rows / 2u);
    var total: Sum;
    for (var a = 0; a < i32(params.kernel_rows); a++) {
        let weight = bitcast<vec3<f32>>(table[params.columns + u32(a)].yzw);
        var bits: vec4<u32>;
        for (var k = 0; k < 4; k++) {
            let at = strip_row(above + a + 8 * k);
            let outside = select(0u, bitcast<u32>(params.outside), params.boundary == 5u);
            bits[k] = outside;
            if at >= 0 {
                bits[k] = strip[u32(at) * params.width + column];
            }
        }
        add_product(&total, bitcast<vec4<f32>>(bits), weight);
    }
    let high = settled(total);
    let low = ((total.high - high) + total.low) + total.rest;
    for (var k = 0; k < 4; k++) {
        let out_row = row + 8 * k;
        if out_row < i32(params.rows) {
            between[u32(out_row) * params.width + column] = vec2<u32>(bitcast<u32>(high[k]), bitcast<u32>(low[k]));
        }
    }
}

// The row pass: sums of pairs along the rows. Past the sides of a raster with a constant outside,
// the column sum of that constant stands: the parameters hold it.
@compute @workgroup_size(32, 8, 1)
fn focal_along(@builtin(global_invocation_id) id: vec3<u32>, @builtin(workgroup_id) group: vec3<u32>) {
    let column = i32(id.x);
    let row = i32(group.y) * TILE + i32(id.y % 8u);
    let left = column - i32(params.kernel_cols / 2u);
    let taps = params.columns + params.kernel_rows;
    var total: Sum;
    for (var b = 0; b < i32(params.kernel_cols); b++) {
        let weight = bitcast<vec3<f32>>(table[taps + u32(b)].yzw);
        let at = cell(left + b, i32(params.width));
        var high = vec4<f32>(select(0.0, params.scale, params.boundary == 5u));
        var low = vec4<f32>(select(0.0, params.limit, params.boundary == 5u));
        if at >= 0 {
            for (var k = 0; k < 4; k++) {
                let out_row = row + 8 * k;
                let pair = between[u32(min(out_row, i32(params.rows) - 1)) * params.width + u32(at)];
                high[k] = bitcast<f32>(pair.x);
                low[k] = bitcast<f32>(pair.y);
            }
        }
        add_product(&total, high, weight);
        let small = low * (weight.x + weight.y);
        let sum = kept(total.low + small);
        total.rest += lost(total.low, small, sum);
        total.low = sum;
    }
    store(settled(total), vec4<u32>(0u), row, column);
}
