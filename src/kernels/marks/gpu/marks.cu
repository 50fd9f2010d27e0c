// Log intensities of marked spikes at place bins, and their sums over the rows of time bins (spec
// decode 4, 9): the kernels of marks.wgsl, with the same names, buffers, parameters and groups, float32
// with logarithms and sums over spikes in float64; and all of them in float64, as `NAME_f64`.
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
    float cut, floor; // in float32; `limits` has them in the type of the tables
    u32 zero, row, rows;
    u32 marks, polynomials, other_polynomials, along_factors, across_factors, scales, limits; // in `tables`
};

struct __align__(16) Place {
    u32 x, y, z, w;
};

// What every kernel is given.
template <class T> struct Given {
    const MarksParams &p;
    const T *tables;
    const Place *index;
    const T *marks;
    T *moments, *fields, *intensity;
    // Weights below 2^-cut are none; log intensities are never below the floor.
    T cut, floor;

    __device__ Given(const MarksParams &p, const T *tables, const Place *index, const T *marks, T *moments, T *fields,
                     T *intensity)
        : p(p), tables(tables), index(index), marks(marks), moments(moments), fields(fields), intensity(intensity),
          cut(tables[p.limits]), floor(tables[p.limits + 1]) {}
};

constexpr int LANES = 64, TILE = 32, GROUP = 6, PAD = 16, OWN = 16, MOST_TERMS = 16;

__device__ __forceinline__ float fused(float a, float b, float c) { return fmaf(a, b, c); }
__device__ __forceinline__ double fused(double a, double b, double c) { return fma(a, b, c); }
__device__ __forceinline__ float power_of_two(float x) { return exp2f(x); }
__device__ __forceinline__ double power_of_two(double x) { return exp2(x); }
// Below it a sum has lost digits, or is nothing at all.
__device__ __forceinline__ bool is_normal(float sum) { return sum >= 1.1754944e-38f; }
__device__ __forceinline__ bool is_normal(double sum) { return sum >= 2.2250738585072014e-308; }

__device__ __forceinline__ int lesser(int a, int b) { return a < b ? a : b; }

// Stores ln(sum) + scale where it lies above the floor.
template <class T> __device__ __forceinline__ void store(const Given<T> &g, u32 spike, u32 bin, T sum) {
    T value = g.floor;
    if (is_normal(sum)) {
        const T *scale = g.tables + g.p.scales + 2 * bin;
        T found = (T)(log((double)sum) + ((double)scale[0] + (double)scale[1]));
        if (found > g.floor) {
            value = found;
            // Every thread that comes here writes the same.
            g.intensity[(size_t)g.p.stride * g.p.bins + spike] = T(1);
        }
    }
    g.intensity[(size_t)spike * g.p.bins + bin] = value;
}

template <class T> __device__ __forceinline__ T decayed(const Given<T> &g, T distance) {
    return distance <= g.cut ? power_of_two(-distance) : T(0);
}

// Squared distance of a decoding mark (features OWN and up from `rest`) and an encoding mark.
template <class T>
__device__ __forceinline__ T distance(const MarksParams &p, const T (*own)[LANES], int lane, const T *rest,
                                      const T *other) {
    T sum = T(0);
    int near = lesser(OWN, (int)p.width);
    for (int k = 0; k < near; k++) {
        T apart = own[k][lane] - other[k];
        sum = fused(apart, apart, sum);
    }
    for (int k = OWN; k < (int)p.width; k++) {
        T apart = rest[k] - other[k];
        sum = fused(apart, apart, sum);
    }
    return sum;
}

// Polynomials of a tile of encoding spikes, [spike][degree] for both axes.
template <class T> struct Rows {
    T along[TILE][MOST_TERMS], across[TILE][MOST_TERMS];
};

// All terms of degrees below Q in registers. `sums` are by degree across, then along.
template <int Q, bool TWO, class T>
__device__ __forceinline__ void add_terms(T weight, const T *along, const T *across, T *sums) {
    int term = 0;
#pragma unroll
    for (int b = 0; b < (TWO ? Q : 1); b++) {
        T part = b == 0 ? weight : weight * across[b];
#pragma unroll
        for (int a = 0; a < Q - b; a++) {
            sums[term] = fused(part, along[a], sums[term]);
            term++;
        }
    }
}

template <int Q, bool TWO, class T>
__device__ __noinline__ void cell_moments(const Given<T> &g, Place cell, u32 number, u32 spike, Rows<T> &rows,
                                          const T (*own)[LANES]) {
    constexpr int TERMS = TWO ? Q * (Q + 1) / 2 : Q;
    const MarksParams &p = g.p;
    const int lane = threadIdx.x, padded = (int)(cell.y + PAD - 1) / PAD * PAD;
    const u32 mine = spike < p.spikes ? spike : p.spikes - 1;
    const T *rest = g.marks + (size_t)(p.first + mine) * p.width;
    T sums[TERMS] = {};
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
            const T *other = g.tables + p.marks + (size_t)(cell.x + start + i) * p.width;
            T weight = decayed(g, distance(p, own, lane, rest, other));
            add_terms<Q, TWO>(weight, rows.along[i], rows.across[i], sums);
        }
    }
    if (spike < p.spikes)
#pragma unroll
        for (int term = 0; term < TERMS; term++)
            g.moments[((size_t)number * p.terms + term) * p.stride + spike] = sums[term];
}

template <int Q, class T>
__device__ __forceinline__ void moments_of(const Given<T> &g, Place cell, u32 number, u32 spike, Rows<T> &rows,
                                           const T (*own)[LANES]) {
    if (g.p.across > 0)
        cell_moments<Q, true>(g, cell, number, spike, rows, own);
    else
        cell_moments<Q, false>(g, cell, number, spike, rows, own);
}

// Moments of the weights over one cell: groups are (cell, 64 decoding spikes).
template <class T> __device__ void moments(const Given<T> &g) {
    __shared__ Rows<T> rows;
    __shared__ T own[OWN][LANES];
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
        OF(1) OF(2) OF(3) OF(4) OF(5) OF(6) OF(7) OF(8) OF(9) OF(10) OF(11) OF(12) OF(13) OF(14)
        OF(15) OF(16)
#undef OF
    }
}

// From moments to the bins of the first axis: groups are (64 spikes, bin, row of cells). The first bin
// of a group of six does the work of all, since they share what is loaded.
template <class T> __device__ void along(const Given<T> &g) {
    const MarksParams &p = g.p;
    const u32 spike = blockIdx.x * LANES + threadIdx.x, bin = blockIdx.y, line = blockIdx.z;
    if (spike >= p.spikes || bin % GROUP != 0)
        return;
    const Place row = g.index[p.cells + line], band = g.index[p.cells + p.lines + bin / GROUP];
    const u32 lines = band.y - band.x, degrees_across = p.across > 0 ? p.degrees : 1;
    const T *factors = g.tables + p.along_factors + band.z;
    u32 first = 0;
    for (u32 b = 0; b < degrees_across; b++) {
        const u32 degrees = p.degrees - b;
        T sums[GROUP] = {};
        for (u32 c = row.x; c < row.y; c++) {
            u32 column = g.index[c].w;
            if (column < band.x || column >= band.y)
                continue;
            const T *factor = factors + (column - band.x) * p.degrees;
            const T *moment = g.moments + ((size_t)c * p.terms + first) * p.stride + spike;
            for (u32 a = 0; a < degrees; a++) {
                T value = moment[(size_t)a * p.stride];
#pragma unroll
                for (int k = 0; k < GROUP; k++)
                    sums[k] = fused(value, factor[k * lines * p.degrees + a], sums[k]);
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
template <class T> __device__ void across(const Given<T> &g) {
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
    const T *factors = g.tables + p.across_factors + band.z;
    u32 rows[GROUP];
    T sums[GROUP] = {};
#pragma unroll
    for (u32 k = 0; k < GROUP; k++)
        rows[k] = bins[number + (k < count ? k : 0)].y % GROUP * lines * p.degrees;
    for (u32 line = 0; line < lines; line++) {
        const T *field = g.fields + ((size_t)bin.x * p.lines + band.x + line) * p.degrees * p.stride + spike;
        for (u32 b = 0; b < p.degrees; b++) {
            T value = field[(size_t)b * p.stride];
#pragma unroll
            for (int k = 0; k < GROUP; k++)
                sums[k] = fused(value, factors[rows[k] + line * p.degrees + b], sums[k]);
        }
    }
#pragma unroll
    for (u32 k = 0; k < GROUP; k++)
        if (k < count)
            store(g, spike, number + k, sums[k]);
}

// Every pair at every bin: groups are (64 spikes, 64 interior bins); 16 encoding spikes at a time are
// weighed once for all bins of a group.
template <class T> __device__ void direct(const Given<T> &g) {
    __shared__ __align__(16) T weights[16][64];
    __shared__ __align__(16) T factors[16][64];
    const MarksParams &p = g.p;
    const int x = threadIdx.x, y = threadIdx.y, thread = y * 16 + x;
    const u32 first_spike = blockIdx.x * 64, first_bin = blockIdx.y * 64;
    // Sums of sixteen pairs in T, of those in float64.
    double sums[4][4] = {};
    for (u32 start = 0; start < p.encoding; start += 16) {
        const u32 count = p.encoding - start < 16 ? p.encoding - start : 16;
        __syncthreads();
        for (u32 at = thread; at < 1024; at += 256) {
            u32 i = at / 64, spike = first_spike + at % 64, bin = first_bin + at % 64;
            T weight = T(0), factor = T(0);
            if (i < count && spike < p.spikes) {
                const T *own = g.marks + (size_t)(p.first + spike) * p.width;
                const T *other = g.tables + p.marks + (size_t)(start + i) * p.width;
                T apart = T(0);
                for (u32 k = 0; k < p.width; k++)
                    apart = fused(own[k] - other[k], own[k] - other[k], apart);
                weight = decayed(g, apart);
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
        T part[4][4] = {};
        for (u32 i = 0; i < count; i++)
#pragma unroll
            for (int k = 0; k < 4; k++)
#pragma unroll
                for (int j = 0; j < 4; j++)
                    part[k][j] = fused(weights[i][y * 4 + k], factors[i][x * 4 + j], part[k][j]);
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
                store(g, spike, bin, (T)sums[k][j]);
        }
}

// Adds a block's log intensities to the rows: one thread per (row, bin).
template <class T> __device__ __forceinline__ void add(const Given<T> &g, double *sums, const u32 *starts) {
    const MarksParams &p = g.p;
    const u32 bin = blockIdx.x * LANES + threadIdx.x, row = p.row + blockIdx.y;
    if (bin >= p.bins)
        return;
    u32 end = p.first + p.spikes, from = starts[row], to = starts[row + 1];
    from = from > p.first ? from : p.first;
    to = to < end ? to : end;
    double *at = sums + (size_t)row * p.bins + bin;
    double total = *at;
    for (u32 spike = from; spike < to; spike++)
        total += (double)g.intensity[(size_t)(spike - p.first) * p.bins + bin];
    *at = total;
}

// All kernels are told the same.
#define TOLD(T)                                                                                                        \
    MarksParams p, const T *tables, const Place *index, const T *marks, T *moments_, T *fields, T *intensity,          \
        double *sums, const u32 *starts
#define GIVEN(T) Given<T>(p, tables, index, marks, moments_, fields, intensity)

extern "C" __global__ void __launch_bounds__(64) marks_moments(TOLD(float)) { moments(GIVEN(float)); }
extern "C" __global__ void __launch_bounds__(64) marks_along(TOLD(float)) { along(GIVEN(float)); }
extern "C" __global__ void __launch_bounds__(64) marks_across(TOLD(float)) { across(GIVEN(float)); }
extern "C" __global__ void __launch_bounds__(256) marks_direct(TOLD(float)) { direct(GIVEN(float)); }
extern "C" __global__ void __launch_bounds__(64) marks_add(TOLD(float)) { add(GIVEN(float), sums, starts); }
extern "C" __global__ void __launch_bounds__(64) marks_moments_f64(TOLD(double)) { moments(GIVEN(double)); }
extern "C" __global__ void __launch_bounds__(64) marks_along_f64(TOLD(double)) { along(GIVEN(double)); }
extern "C" __global__ void __launch_bounds__(64) marks_across_f64(TOLD(double)) { across(GIVEN(double)); }
extern "C" __global__ void __launch_bounds__(256) marks_direct_f64(TOLD(double)) { direct(GIVEN(double)); }
extern "C" __global__ void __launch_bounds__(64) marks_add_f64(TOLD(double)) { add(GIVEN(double), sums, starts); }
