// Log intensities of marked spikes at place bins, and their sums over the rows of time bins (spec
// decode 4, 9), in float32. Logarithms and sums over spikes keep a second float for what rounding
// loses. Decoding spikes stand side by side in the threads of a group; encoding spikes pass one
// after another, and pairs are not stored.

struct Params {
    spikes: u32,        // decoding spikes of the block
    first: u32,         // the first of them, counted from the start of `marks`
    stride: u32,        // spikes between two values of a moment
    width: u32,         // features of a mark
    encoding: u32,      // encoding spikes
    bins: u32,          // interior bins
    degrees: u32,       // q: degrees of the expansion stay below
    terms: u32,         // moments of a cell
    cells: u32,
    lines: u32,         // rows of cells
    along: u32,         // bins of the axis contracted first, padded to groups of 6
    across: u32,        // bins of the other axis; 0 where there is none
    cut: f32,           // weights below 2^-cut are none
    floor: f32,
    zero: u32,          // 0: what passes through it is opaque to the compiler
    row: u32,           // first row of the block
    rows: u32,          // rows that the block touches
    marks: u32,         // where in `tables` the encoding marks begin
    polynomials: u32,   // [cell][degree][spike], along
    other_polynomials: u32,
    along_factors: u32, // [group][bin][line][degree]
    across_factors: u32,
    scales: u32,        // [bin][high, low]
    limits: u32,        // cut and floor again, for languages with other types
}

// Numbers of the electrode: encoding marks, polynomials, factors, scales.
@group(0) @binding(0) var<storage, read_write> tables: array<f32>;
// Whole numbers of the electrode: cells, rows of cells, groups of bins, bins.
@group(0) @binding(1) var<storage, read_write> index: array<vec4<u32>>;
// [spike, feature] of the decoding spikes.
@group(0) @binding(2) var<storage, read_write> marks: array<f32>;
// [cell][term][spike]
@group(0) @binding(3) var<storage, read_write> moments: array<f32>;
// [bin along][row of cells][degree across][spike]
@group(0) @binding(4) var<storage, read_write> fields: array<f32>;
// [spike][bin], then one number per spike: whether any bin lies above the floor.
@group(0) @binding(5) var<storage, read_write> intensity: array<f32>;
// [row][bin][high, low]
@group(0) @binding(6) var<storage, read_write> sums: array<vec2<f32>>;
// [row]: the first spike of the row, counted from the start of `marks`; one more at the end.
@group(0) @binding(7) var<storage, read_write> starts: array<u32>;
@group(0) @binding(8) var<uniform> params: Params;

const LANES: u32 = 64u;
const TILE: u32 = 32u;

var<workgroup> weights: array<f32, 2048>;
var<workgroup> factors: array<f32, 1024>;

fn kept(value: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(value) ^ params.zero);
}

// high + low, exactly, with the rounded sum first.
fn two_sum(a: f32, b: f32) -> vec2<f32> {
    let sum = kept(a + b);
    let taken = kept(sum - a);
    return vec2<f32>(sum, (a - (sum - taken)) + (b - taken));
}

// 2^-t for t from 0 up to 120: the language's own exp2 may be a hundred times less exact.
fn power(t: f32) -> f32 {
    let n = round(t);
    let r = n - t;
    var p = 1.5252734e-5;
    p = p * r + 1.5403530e-4;
    p = p * r + 1.3333558e-3;
    p = p * r + 9.6181291e-3;
    p = p * r + 5.5504109e-2;
    p = p * r + 2.4022651e-1;
    p = p * r + 6.9314718e-1;
    p = p * r + 1.0;
    return p * bitcast<f32>((127u - u32(n)) << 23u);
}

// The natural logarithm of a normal number as a sum of two floats.
fn logarithm(x: f32) -> vec2<f32> {
    let bits = bitcast<u32>(x);
    var exponent = i32(bits >> 23u) - 127;
    var mantissa = bitcast<f32>((bits & 0x007fffffu) | 0x3f800000u);
    if mantissa > 1.4142135 {
        mantissa = mantissa * 0.5;
        exponent += 1;
    }
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let z = s * s;
    let tail = s * z * (0.66666667 + z * (0.4 + z * (0.28571429 + z * 0.22222222)));
    let n = f32(exponent);
    // The first part of ln 2 has so few digits that its product is exact.
    let sum = two_sum(n * 0.693145751953125, 2.0 * s);
    return vec2<f32>(sum.x, sum.y + (tail + n * 1.4286068e-6));
}

fn weight(spike: u32, encoding: u32) -> f32 {
    var t = 0.0;
    let own = (params.first + spike) * params.width;
    let other = params.marks + encoding * params.width;
    for (var k = 0u; k < params.width; k++) {
        let apart = marks[own + k] - tables[other + k];
        t += apart * apart;
    }
    return select(0.0, power(min(t, 120.0)), t <= params.cut);
}

// Stores ln(sum) + scale where it lies above the floor.
fn store(spike: u32, bin: u32, sum: f32) {
    var value = params.floor;
    if sum >= 1.1754944e-38 {
        let ln = logarithm(sum);
        let at = params.scales + 2u * bin;
        let total = two_sum(tables[at], ln.x);
        let found = total.x + (total.y + (ln.y + tables[at + 1u]));
        if found > params.floor {
            value = found;
            // Every thread that comes here writes the same.
            intensity[params.stride * params.bins + spike] = 1.0;
        }
    }
    intensity[spike * params.bins + bin] = value;
}

// Moments of the weights over one cell: groups are (cell, 64 decoding spikes).
@compute @workgroup_size(64, 1, 1)
fn marks_moments(@builtin(local_invocation_id) id: vec3<u32>, @builtin(workgroup_id) group: vec3<u32>) {
    let lane = id.x;
    let spike = group.y * LANES + lane;
    let inside = spike < params.spikes;
    let cell = index[group.x];          // first spike, spikes, start of its polynomials, column
    let padded = (cell.y + 15u) / 16u * 16u;
    for (var start = 0u; start < cell.y; start += TILE) {
        let count = min(TILE, cell.y - start);
        for (var i = 0u; i < count; i++) {
            weights[i * LANES + lane] = 0.0;
            if inside {
                weights[i * LANES + lane] = weight(spike, cell.x + start + i);
            }
        }
        if !inside {
            continue;
        }
        var term = 0u;
        let degrees_across = select(1u, params.degrees, params.across > 0u);
        for (var b = 0u; b < degrees_across; b++) {
            for (var a = 0u; a < params.degrees - b; a++) {
                let along = params.polynomials + cell.z + a * padded + start;
                let across = params.other_polynomials + cell.z + b * padded + start;
                var sum = 0.0;
                if b == 0u {
                    for (var i = 0u; i < count; i++) {
                        sum += weights[i * LANES + lane] * tables[along + i];
                    }
                } else {
                    for (var i = 0u; i < count; i++) {
                        sum += weights[i * LANES + lane] * (tables[along + i] * tables[across + i]);
                    }
                }
                let at = (group.x * params.terms + term) * params.stride + spike;
                if start == 0u {
                    moments[at] = sum;
                } else {
                    moments[at] += sum;
                }
                term += 1u;
            }
        }
    }
}

// The factors of a bin of an axis begin here; its lines are those of its group.
fn factor_row(start: u32, lines: u32, bin: u32) -> u32 {
    return start + (bin % 6u) * lines * params.degrees;
}

// From moments to the bins of the first axis: groups are (64 spikes, bin, row of cells).
@compute @workgroup_size(64, 1, 1)
fn marks_along(@builtin(local_invocation_id) id: vec3<u32>, @builtin(workgroup_id) group: vec3<u32>) {
    let spike = group.x * LANES + id.x;
    if spike >= params.spikes {
        return;
    }
    let bin = group.y;
    // Cells of the row; lines within reach of the bin's group, and their factors.
    let row = index[params.cells + group.z];
    let band = index[params.cells + params.lines + bin / 6u];
    let origin = factor_row(params.along_factors + band.z, band.y - band.x, bin);
    let degrees_across = select(1u, params.degrees, params.across > 0u);
    var first = 0u;
    for (var b = 0u; b < degrees_across; b++) {
        let degrees = params.degrees - b;
        var sum = 0.0;
        for (var c = row.x; c < row.y; c++) {
            let column = index[c].w;
            if column < band.x || column >= band.y {
                continue;
            }
            let factor = origin + (column - band.x) * params.degrees;
            let moment = (c * params.terms + first) * params.stride + spike;
            var part = 0.0;
            for (var a = 0u; a < degrees; a++) {
                part += moments[moment + a * params.stride] * tables[factor + a];
            }
            sum += part;
        }
        fields[((bin * params.lines + group.z) * degrees_across + b) * params.stride + spike] = sum;
        first += degrees;
    }
}

// From the first axis' bins to log intensities: groups are (64 spikes, interior bin).
@compute @workgroup_size(64, 1, 1)
fn marks_across(@builtin(local_invocation_id) id: vec3<u32>, @builtin(workgroup_id) group: vec3<u32>) {
    let spike = group.x * LANES + id.x;
    if spike >= params.spikes {
        return;
    }
    let groups = params.along / 6u;
    let bin = index[params.cells + params.lines + groups + (params.across + 5u) / 6u + group.y];
    var sum = 0.0;
    if params.across == 0u {
        sum = fields[bin.x * params.stride + spike];
    } else {
        let band = index[params.cells + params.lines + groups + bin.y / 6u];
        let origin = factor_row(params.across_factors + band.z, band.y - band.x, bin.y);
        for (var line = band.x; line < band.y; line++) {
            let field = ((bin.x * params.lines + line) * params.degrees) * params.stride + spike;
            let factor = origin + (line - band.x) * params.degrees;
            var part = 0.0;
            for (var b = 0u; b < params.degrees; b++) {
                part += fields[field + b * params.stride] * tables[factor + b];
            }
            sum += part;
        }
    }
    store(spike, group.y, sum);
}

// Every pair at every bin: groups are (64 spikes, 64 interior bins); 32 encoding spikes at a time
// are weighed once for all of a group's bins.
@compute @workgroup_size(16, 16, 1)
fn marks_direct(@builtin(local_invocation_id) id: vec3<u32>, @builtin(workgroup_id) group: vec3<u32>) {
    let lane = id.y * 16u + id.x;
    let first_spike = group.x * 64u;
    let first_bin = group.y * 64u;
    var sum: array<vec4<f32>, 4>;
    for (var start = 0u; start < params.encoding; start += 16u) {
        let count = min(16u, params.encoding - start);
        workgroupBarrier();
        for (var at = lane; at < 1024u; at += 256u) {
            let i = at / 64u;
            let spike = first_spike + at % 64u;
            var w = 0.0;
            if i < count && spike < params.spikes {
                w = weight(spike, start + i);
            }
            weights[at] = w;
            let bin = first_bin + at % 64u;
            var f = 0.0;
            if i < count && bin < params.bins {
                let place = index[bin];
                let tile = (start + i) / 64u;
                let within = (start + i) % 64u;
                f = tables[params.along_factors + (tile * params.along + place.x) * 64u + within];
                if params.across > 0u {
                    f = f * tables[params.across_factors + (tile * params.across + place.y) * 64u + within];
                }
            }
            factors[at] = f;
        }
        workgroupBarrier();
        var part: array<vec4<f32>, 4>;
        for (var i = 0u; i < 16u; i++) {
            let at = i * 64u + id.x * 4u;
            let bins = vec4<f32>(factors[at], factors[at + 1u], factors[at + 2u], factors[at + 3u]);
            for (var k = 0u; k < 4u; k++) {
                part[k] += weights[i * 64u + id.y * 4u + k] * bins;
            }
        }
        for (var k = 0u; k < 4u; k++) {
            sum[k] += part[k];
        }
    }
    for (var k = 0u; k < 4u; k++) {
        let spike = first_spike + id.y * 4u + k;
        for (var j = 0u; j < 4u; j++) {
            let bin = first_bin + id.x * 4u + j;
            if spike < params.spikes && bin < params.bins {
                store(spike, bin, sum[k][j]);
            }
        }
    }
}

// Adds a block's log intensities to the rows: one thread per (row, bin).
@compute @workgroup_size(64, 1, 1)
fn marks_add(@builtin(global_invocation_id) id: vec3<u32>, @builtin(workgroup_id) group: vec3<u32>) {
    let bin = id.x;
    if bin >= params.bins {
        return;
    }
    let row = params.row + group.y;
    let end = params.first + params.spikes;
    let at = row * params.bins + bin;
    var total = sums[at];
    for (var spike = max(starts[row], params.first); spike < min(starts[row + 1u], end); spike++) {
        let next = two_sum(total.x, intensity[(spike - params.first) * params.bins + bin]);
        total = vec2<f32>(next.x, total.y + next.y);
    }
    sums[at] = total;
}
