// Log intensities of marked spikes at place bins, and their sums over the rows of time bins (spec
// decode 4, 9): the kernels of marks.wgsl, with the same names, buffers, parameters and groups, float32
// with logarithms and sums over spikes in float64.
//
// Shapes at scale S (64 electrodes, 50k x 50k spikes, 4 features, 36 terms, 2000 bins), against an
// H200's 67 Tflop/s:
// moments  64 decoding spikes a block, all terms of a cell in registers: about 70 operations a pair
//          (12 distance, 1 exponential, 44 sums) for 5 loads of 16 bytes that all threads share; the
//          float32 units bind, 0.4 s in all.
// along    six bins a thread: 216 multiply-adds for 48 loads.
// across   up to six neighbouring bins a thread, which share what they load; the second-level cache
//          binds.
// direct   64 spikes x 64 bins a block, 4 x 4 sums a thread: 16 multiply-adds for 2 loads.
// add      memory binds, each value once.

typedef unsigned int u32;

struct MarksParams {
    u32 spikes, first, stride, width;   // decoding spikes of the block
    u32 encoding, bins, degrees, terms; // of the electrode
    u32 cells, lines, along, across;
    float cut, floor;
    u32 zero, row, rows;
    u32 marks, polynomials, other_polynomials, along_factors, across_factors, scales, pad; // in `tables`
};

struct __align__(16) Place {
    u32 x, y, z, w;
};

struct __align__(8) Pair {
    float high, low;
};

// What every kernel is given.
struct Given {
    const MarksParams &p;
    const float *tables;
    const Place *index;
    const float *marks;
    float *moments, *fields, *intensity;
};

constexpr int LANES = 64, TILE = 32, GROUP = 6, PAD = 16, OWN = 16;

__device__ __forceinline__ int lesser(int a, int b) { return a < b ? a : b; }

// Stores ln(sum) + scale where it lies above the floor.
__device__ __forceinline__ void store(const Given &g, u32 spike, u32 bin, float sum) {
    float value = g.p.floor;
    if (sum >= 1.1754944e-38f) {
        const float *scale = g.tables + g.p.scales + 2 * bin;
        float found = (float)(log((double)sum) + ((double)scale[0] + (double)scale[1]));
        if (found > g.p.floor) {
            value = found;
            // Every thread that comes here writes the same.
            g.intensity[(size_t)g.p.stride * g.p.bins + spike] = 1.0f;
        }
    }
    g.intensity[(size_t)spike * g.p.bins + bin] = value;
}

__device__ __forceinline__ float decayed(const MarksParams &p, float distance) {
    return distance <= p.cut ? exp2f(-distance) : 0.0f;
}

// Squared distance of a decoding mark (features OWN and up from `rest`) and an encoding mark.
__device__ __forceinline__ float distance(const MarksParams &p, const float (*own)[LANES], int lane,
                                          const float *rest, const float *other) {
    float sum = 0.0f;
    int near = lesser(OWN, (int)p.width);
    for (int k = 0; k < near; k++) {
        float apart = own[k][lane] - other[k];
        sum = fmaf(apart, apart, sum);
    }
    for (int k = OWN; k < (int)p.width; k++) {
        float apart = rest[k] - other[k];
        sum = fmaf(apart, apart, sum);
    }
    return sum;
}

// Polynomials of a tile of encoding spikes, [spike][degree] for both axes.
struct Rows {
    float along[TILE][12], across[TILE][12];
};

// All terms of degrees below Q in registers. `sums` are by degree across, then along.
template <int Q, bool TWO>
__device__ __forceinline__ void add_terms(float weight, const float *along, const float *across, float *sums) {
    int term = 0;
#pragma unroll
    for (int b = 0; b < (TWO ? Q : 1); b++) {
        float part = b == 0 ? weight : weight * across[b];
#pragma unroll
        for (int a = 0; a < Q - b; a++) {
            sums[term] = fmaf(part, along[a], sums[term]);
            term++;
        }
    }
}

template <int Q, bool TWO>
__device__ __noinline__ void cell_moments(const Given &g, Place cell, u32 number, u32 spike, Rows &rows,
                                          const float (*own)[LANES]) {
    constexpr int TERMS = TWO ? Q * (Q + 1) / 2 : Q;
    const MarksParams &p = g.p;
    const int lane = threadIdx.x, padded = (int)(cell.y + PAD - 1) / PAD * PAD;
    const u32 mine = spike < p.spikes ? spike : p.spikes - 1;
    const float *rest = g.marks + (size_t)(p.first + mine) * p.width;
    float sums[TERMS] = {};
    for (int start = 0; start < (int)cell.y; start += TILE) {
        const int count = lesser(TILE, (int)cell.y - start);
        __syncthreads();
        for (int i = lane; i < count * Q; i += LANES) {
            int at = (int)cell.z + i / count * padded + start + i % count;
            rows.along[i % count][i / count] = g.tables[p.polynomials + at];
            if (TWO)
                rows.across[i % count][i / count] = g.tables[p.other_polynomials + at];
        }
        __syncthreads();
        for (int i = 0; i < count; i++) {
            const float *other = g.tables + p.marks + (size_t)(cell.x + start + i) * p.width;
            float weight = decayed(p, distance(p, own, lane, rest, other));
            add_terms<Q, TWO>(weight, rows.along[i], rows.across[i], sums);
        }
    }
    if (spike < p.spikes)
#pragma unroll
        for (int term = 0; term < TERMS; term++)
            g.moments[((size_t)number * p.terms + term) * p.stride + spike] = sums[term];
}

template <int Q>
__device__ __forceinline__ void moments_of(const Given &g, Place cell, u32 number, u32 spike, Rows &rows,
                                           const float (*own)[LANES]) {
    if (g.p.across > 0)
        cell_moments<Q, true>(g, cell, number, spike, rows, own);
    else
        cell_moments<Q, false>(g, cell, number, spike, rows, own);
}

// Moments of the weights over one cell: groups are (cell, 64 decoding spikes).
__device__ void moments(const Given &g) {
    __shared__ Rows rows;
    __shared__ float own[OWN][LANES];
    const MarksParams &p = g.p;
    const u32 lane = threadIdx.x, number = blockIdx.x;
    u32 spike = blockIdx.y * LANES + lane;
    // Idle threads weigh a spike that is there and write nothing.
    u32 mine = spike < p.spikes ? spike : p.spikes - 1;
    for (int k = 0; k < lesser(OWN, (int)p.width); k++)
        own[k][lane] = g.marks[(size_t)(p.first + mine) * p.width + k];
    const Place cell = g.index[number];
    switch (p.degrees) {
#define OF(Q)                                                                                                          \
    case Q:                                                                                                            \
        return moments_of<Q>(g, cell, number, spike, rows, own);
        OF(1) OF(2) OF(3) OF(4) OF(5) OF(6) OF(7) OF(8) OF(9) OF(10) OF(11) OF(12)
#undef OF
    }
}

// From moments to the bins of the first axis: groups are (64 spikes, bin, row of cells). The first bin
// of a group of six does the work of all, since they share what is loaded.
__device__ void along(const Given &g) {
    const MarksParams &p = g.p;
    const u32 spike = blockIdx.x * LANES + threadIdx.x, bin = blockIdx.y, line = blockIdx.z;
    if (spike >= p.spikes || bin % GROUP != 0)
        return;
    const Place row = g.index[p.cells + line], band = g.index[p.cells + p.lines + bin / GROUP];
    const u32 lines = band.y - band.x, degrees_across = p.across > 0 ? p.degrees : 1;
    const float *factors = g.tables + p.along_factors + band.z;
    u32 first = 0;
    for (u32 b = 0; b < degrees_across; b++) {
        const u32 degrees = p.degrees - b;
        float sums[GROUP] = {};
        for (u32 c = row.x; c < row.y; c++) {
            u32 column = g.index[c].w;
            if (column < band.x || column >= band.y)
                continue;
            const float *factor = factors + (column - band.x) * p.degrees;
            const float *moment = g.moments + ((size_t)c * p.terms + first) * p.stride + spike;
            for (u32 a = 0; a < degrees; a++) {
                float value = moment[(size_t)a * p.stride];
#pragma unroll
                for (int k = 0; k < GROUP; k++)
                    sums[k] = fmaf(value, factor[k * lines * p.degrees + a], sums[k]);
            }
        }
#pragma unroll
        for (int k = 0; k < GROUP; k++)
            g.fields[((size_t)((bin + k) * p.lines + line) * degrees_across + b) * p.stride + spike] = sums[k];
        first += degrees;
    }
}

// From the first axis' bins to log intensities: groups are (64 spikes, interior bin). The first of
// neighbouring bins with the same fields does the work of all.
__device__ void across(const Given &g) {
    const MarksParams &p = g.p;
    const u32 spike = blockIdx.x * LANES + threadIdx.x, number = blockIdx.y, groups = p.along / GROUP;
    const Place *bins = g.index + p.cells + p.lines + groups + (p.across + GROUP - 1) / GROUP;
    const Place bin = bins[number];
    if (p.across == 0) {
        if (spike < p.spikes)
            store(g, spike, number, g.fields[(size_t)bin.x * p.stride + spike]);
        return;
    }
    auto together = [&](u32 other) {
        return bins[other].x == bin.x && bins[other].y / GROUP == bin.y / GROUP;
    };
    // The members of a group of bins along the second axis: at most six in a row.
    if (spike >= p.spikes || (number > 0 && together(number - 1)))
        return;
    u32 count = 1;
    while (count < GROUP && number + count < p.bins && together(number + count))
        count++;
    const Place band = g.index[p.cells + p.lines + groups + bin.y / GROUP];
    const u32 lines = band.y - band.x;
    const float *factors = g.tables + p.across_factors + band.z;
    u32 rows[GROUP];
    float sums[GROUP] = {};
#pragma unroll
    for (u32 k = 0; k < GROUP; k++)
        rows[k] = bins[number + (k < count ? k : 0)].y % GROUP * lines * p.degrees;
    for (u32 line = 0; line < lines; line++) {
        const float *field = g.fields + ((size_t)bin.x * p.lines + band.x + line) * p.degrees * p.stride + spike;
        for (u32 b = 0; b < p.degrees; b++) {
            float value = field[(size_t)b * p.stride];
#pragma unroll
            for (int k = 0; k < GROUP; k++)
                sums[k] = fmaf(value, factors[rows[k] + line * p.degrees + b], sums[k]);
        }
    }
#pragma unroll
    for (u32 k = 0; k < GROUP; k++)
        if (k < count)
            store(g, spike, number + k, sums[k]);
}

// Every pair at every bin: groups are (64 spikes, 64 interior bins); 16 encoding spikes at a time are
// weighed once for all bins of a group.
__device__ void direct(const Given &g) {
    __shared__ __align__(16) float weights[16][64];
    __shared__ __align__(16) float factors[16][64];
    const MarksParams &p = g.p;
    const int x = threadIdx.x, y = threadIdx.y, thread = y * 16 + x;
    const u32 first_spike = blockIdx.x * 64, first_bin = blockIdx.y * 64;
    // Sums of sixteen pairs in float32, of those in float64.
    double sums[4][4] = {};
    for (u32 start = 0; start < p.encoding; start += 16) {
        const u32 count = p.encoding - start < 16 ? p.encoding - start : 16;
        __syncthreads();
        for (u32 at = thread; at < 1024; at += 256) {
            u32 i = at / 64, spike = first_spike + at % 64, bin = first_bin + at % 64;
            float weight = 0.0f, factor = 0.0f;
            if (i < count && spike < p.spikes) {
                const float *own = g.marks + (size_t)(p.first + spike) * p.width;
                const float *other = g.tables + p.marks + (size_t)(start + i) * p.width;
                float apart = 0.0f;
                for (u32 k = 0; k < p.width; k++)
                    apart = fmaf(own[k] - other[k], own[k] - other[k], apart);
                weight = decayed(p, apart);
            }
            if (i < count && bin < p.bins) {
                Place place = g.index[bin];
                u32 tile = (start + i) / 64, within = (start + i) % 64;
                factor = g.tables[p.along_factors + ((size_t)tile * p.along + place.x) * 64 + within];
                if (p.across > 0)
                    factor *= g.tables[p.across_factors + ((size_t)tile * p.across + place.y) * 64 + within];
            }
            weights[i][at % 64] = weight;
            factors[i][at % 64] = factor;
        }
        __syncthreads();
        float part[4][4] = {};
        for (u32 i = 0; i < count; i++)
#pragma unroll
            for (int k = 0; k < 4; k++)
#pragma unroll
                for (int j = 0; j < 4; j++)
                    part[k][j] = fmaf(weights[i][y * 4 + k], factors[i][x * 4 + j], part[k][j]);
#pragma unroll
        for (int k = 0; k < 4; k++)
#pragma unroll
            for (int j = 0; j < 4; j++)
                sums[k][j] += (double)part[k][j];
    }
    for (int k = 0; k < 4; k++)
        for (int j = 0; j < 4; j++) {
            u32 spike = first_spike + y * 4 + k, bin = first_bin + x * 4 + j;
            if (spike < p.spikes && bin < p.bins)
                store(g, spike, bin, (float)sums[k][j]);
        }
}

// Adds a block's log intensities to the rows: one thread per (row, bin).
__device__ __forceinline__ void add(const Given &g, Pair *sums, const u32 *starts) {
    const MarksParams &p = g.p;
    const u32 bin = blockIdx.x * LANES + threadIdx.x, row = p.row + blockIdx.y;
    if (bin >= p.bins)
        return;
    u32 end = p.first + p.spikes, from = starts[row], to = starts[row + 1];
    from = from > p.first ? from : p.first;
    to = to < end ? to : end;
    Pair *at = sums + (size_t)row * p.bins + bin;
    double total = (double)at->high + (double)at->low;
    for (u32 spike = from; spike < to; spike++)
        total += (double)g.intensity[(size_t)(spike - p.first) * p.bins + bin];
    at->high = (float)total;
    at->low = (float)(total - (double)at->high);
}

extern "C" __global__ void __launch_bounds__(64) marks_moments(MarksParams p, const float *tables, const Place *index,
                                                               const float *marks, float *moments_, float *fields,
                                                               float *intensity, Pair *sums, const u32 *starts) {
    moments({p, tables, index, marks, moments_, fields, intensity});
}
extern "C" __global__ void __launch_bounds__(64) marks_along(MarksParams p, const float *tables, const Place *index,
                                                             const float *marks, float *moments_, float *fields,
                                                             float *intensity, Pair *sums, const u32 *starts) {
    along({p, tables, index, marks, moments_, fields, intensity});
}
extern "C" __global__ void __launch_bounds__(64) marks_across(MarksParams p, const float *tables, const Place *index,
                                                              const float *marks, float *moments_, float *fields,
                                                              float *intensity, Pair *sums, const u32 *starts) {
    across({p, tables, index, marks, moments_, fields, intensity});
}
extern "C" __global__ void __launch_bounds__(256) marks_direct(MarksParams p, const float *tables, const Place *index,
                                                               const float *marks, float *moments_, float *fields,
                                                               float *intensity, Pair *sums, const u32 *starts) {
    direct({p, tables, index, marks, moments_, fields, intensity});
}
extern "C" __global__ void __launch_bounds__(64) marks_add(MarksParams p, const float *tables, const Place *index,
                                                           const float *marks, float *moments_, float *fields,
                                                           float *intensity, Pair *sums, const u32 *starts) {
    add({p, tables, index, marks, moments_, fields, intensity}, sums, starts);
}
