// Focal convolution (spec convolve 1, 8): window sums of a strip of raster rows, T in and out,
// float64 within.
//
// Shape. 128 threads compute 64 x 32 cells. `direct` holds a piece of the strip and of the weights in
// shared memory (32 KB, so 7 blocks or 28 warps a multiprocessor) and 16 sums a thread in registers:
// a tap costs 16 multiply-adds against 2 loads of the piece and 1 of a weight, so the float64 units
// bind (2 kh kw flop for 2 sizeof(T) bytes a cell; above 5 x 5 taps the memory does not show on an
// H200). `separable` makes column sums straight from global memory and row sums from shared memory:
// 2 (1 + (kw - 1) / 64) kh + 2 kw flop a cell. `runs` adds sums of 1, 2, 4 ... cells, which are doubled
// in shared memory: one add and one load for each binary digit of a run; shared memory binds.
//
// A block whose cells are too large for sums in another order, or are left out of them, is computed by
// `direct` or in the definition's order instead. No contraction is left to the compiler: fma is
// written where it is meant.

typedef unsigned int u32;

struct FocalParams {
    u32 width, height;  // of the plane
    int first;          // place of the strip's first row
    u32 held;           // rows of the strip
    u32 row, rows;      // output rows
    u32 kh, kw;         // kernel sides
    u32 boundary, rule; // see below
    u32 narrow;         // products are rounded to float32 (definition's order only)
    u32 count;          // bands of the list of runs
    float constant32, scale32, divisor32, limit32; // for devices without float64
    double constant; // what stands outside, already rounded to T
    double scale;    // multiplied last
    double divisor;  // sum of the weights
    double limit;    // |cell| from which on the order of a sum matters
    u32 zero, flags; // for devices without float64
    float divisor_low;
    u32 columns;
};

enum { NAN_OUTSIDE, NEAREST, REFLECT, WRAP, REFLECT101, CONSTANT };
enum { PROPAGATE, FOOTPRINT, IGNORE };

constexpr int THREADS = 128, COLS = 64, ROWS = 32, DEEP = 8;
constexpr int BAND = 16;                   // kernel rows and columns in work together
constexpr int TALL = ROWS + BAND - 1;      // rows of a piece
constexpr int WIDE = COLS + BAND - 1;      // columns of a piece
constexpr int REACH = 64;                  // kernel columns of a row pass, of a band of runs
constexpr int BETWEEN = COLS + REACH - 1;  // odd: lanes one row apart meet different banks
constexpr int LEVELS = 7;                  // runs of 1, 2 ... 64 cells
constexpr int BAND_HEAD = 4 + LEVELS + 1;  // of the list: rows, columns, starts of the levels

__device__ __forceinline__ int folded(int m, int period) {
    int q = m % period;
    return q < 0 ? q + period : q;
}

// The cell of an axis of `n` that stands at `m` outside of it, or -1.
__device__ __noinline__ int mapped_outside(u32 boundary, int m, int n) {
    int q;
    switch (boundary) {
    case NEAREST:
        return m < 0 ? 0 : n - 1;
    case REFLECT:
        q = folded(m, 2 * n);
        return q < n ? q : 2 * n - 1 - q;
    case WRAP:
        return folded(m, n);
    case REFLECT101:
        if (n == 1)
            return 0;
        q = folded(m, 2 * n - 2);
        return q < n ? q : 2 * n - 2 - q;
    default:
        return -1;
    }
}

__device__ __forceinline__ int mapped(u32 boundary, int m, int n) {
    return m >= 0 && m < n ? m : mapped_outside(boundary, m, n);
}

// The strip's row that stands at place `m`, or -1. A strip holds wrapped rows where they are wanted.
__device__ __forceinline__ int strip_row(const FocalParams &p, int m) {
    int local = m - p.first;
    bool held = local >= 0 && local < (int)p.held;
    if (held && m >= 0 && m < (int)p.height)
        return local;
    if (p.boundary == NAN_OUTSIDE || p.boundary == CONSTANT)
        return -1;
    if (held)
        return local;
    local = mapped(p.boundary, m, (int)p.height) - p.first;
    return local >= 0 && local < (int)p.held ? local : -1;
}

// A value of the extended strip, by strip row and plane column; what is outside of a `nan` boundary is
// only met by cells that become NaN.
template <class T>
__device__ __forceinline__ double value_at(const FocalParams &p, const T *strip, int row, int col) {
    if (row < 0 || col < 0)
        return p.boundary == CONSTANT ? p.constant : 0.0;
    return (double)strip[(size_t)row * p.width + col];
}

__device__ __forceinline__ bool too_large(const FocalParams &p, double value) {
    return isfinite(value) && fabs(value) >= p.limit;
}

// Brings rows `row ..` and columns `col ..` of the extended strip to shared memory; what of it makes a
// block special: bit 0 too large, bit 1 NaN, bit 2 infinite.
template <class T>
__device__ __forceinline__ int fetch(const FocalParams &p, const T *strip, int row, int col, int tall, int wide,
                                     int stride, double *to) {
    int special = 0;
    for (int y = threadIdx.y; y < tall; y += 4) {
        int from = strip_row(p, row + y);
        for (int x = threadIdx.x; x < wide; x += 32) {
            double value = value_at(p, strip, from, mapped(p.boundary, col + x, (int)p.width));
            special |= too_large(p, value) | isnan(value) << 1 | isinf(value) << 2;
            to[y * stride + x] = value;
        }
    }
    return special;
}

// Cells of one thread: columns x and x + 32, rows y .. y + DEEP.
struct Sums {
    double total[2][DEEP], valid[2][DEEP];
};

template <int RULE> __device__ __forceinline__ void add_tap(double weight, double value, double &total, double &valid) {
    if (RULE == IGNORE) {
        bool counts = !isnan(value);
        total = fma(weight, counts ? value : 0.0, total);
        valid += counts ? weight : 0.0;
    } else {
        total = fma(weight, value, total);
    }
}

// One column of a band of taps over the thread's cells. The values of DEEP rows stay in registers, and
// the next row takes the place of the one that is no longer needed.
template <int RULE>
__device__ __forceinline__ void column_of_taps(const double *values, const double *weights, int taps, Sums &sums) {
    double window[2][DEEP];
#pragma unroll
    for (int i = 0; i < DEEP - 1; i++) {
        window[0][i] = values[i * WIDE];
        window[1][i] = values[i * WIDE + 32];
    }
    for (int a = 0; a < taps; a += DEEP) {
#pragma unroll
        for (int u = 0; u < DEEP; u++) {
            if (a + u < taps) {
                const double *next = values + (a + u + DEEP - 1) * WIDE;
                window[0][(u + DEEP - 1) % DEEP] = next[0];
                window[1][(u + DEEP - 1) % DEEP] = next[32];
                double weight = weights[(a + u) * BAND];
                if (RULE != FOOTPRINT || weight != 0.0) {
#pragma unroll
                    for (int i = 0; i < DEEP; i++) {
                        add_tap<RULE>(weight, window[0][(u + i) % DEEP], sums.total[0][i], sums.valid[0][i]);
                        add_tap<RULE>(weight, window[1][(u + i) % DEEP], sums.total[1][i], sums.valid[1][i]);
                    }
                }
            }
        }
    }
}

constexpr int DIRECT_ROOM = TALL * WIDE + BAND * BAND;

// Sums of all taps of the block at (row, col); what was special in it. `room` has DIRECT_ROOM values.
template <class T, int RULE>
__device__ __forceinline__ int direct_sums(const FocalParams &p, const T *strip, const double *weights, int row, int col,
                                           double *room, Sums &sums) {
    double *piece = room, *taps = room + TALL * WIDE;
    int special = 0, thread = threadIdx.y * 32 + threadIdx.x;
    for (int a = 0; a < (int)p.kh; a += BAND) {
        for (int b = 0; b < (int)p.kw; b += BAND) {
            int rows = min(BAND, (int)p.kh - a), cols = min(BAND, (int)p.kw - b);
            __syncthreads();
            special |= fetch(p, strip, row - (int)(p.kh / 2) + a, col - (int)(p.kw / 2) + b, ROWS + rows - 1,
                             COLS + cols - 1, WIDE, piece);
            for (int i = thread; i < rows * BAND; i += THREADS)
                if (i % BAND < cols)
                    taps[i] = weights[(size_t)(a + i / BAND) * p.kw + b + i % BAND];
            __syncthreads();
            for (int x = 0; x < cols; x++)
                column_of_taps<RULE>(piece + threadIdx.y * DEEP * WIDE + threadIdx.x + x, taps + x, rows, sums);
        }
    }
    return special;
}

// The definition: taps in row-major order, products and sums rounded each.
template <class T>
__device__ __noinline__ double defined(const FocalParams &p, const T *strip, const double *weights, int row, int col) {
    double total = 0.0, valid = 0.0;
    for (u32 a = 0; a < p.kh; a++) {
        int from = strip_row(p, row + (int)a - (int)(p.kh / 2));
        for (u32 b = 0; b < p.kw; b++) {
            double weight = weights[(size_t)a * p.kw + b];
            int at = mapped(p.boundary, col + (int)b - (int)(p.kw / 2), (int)p.width);
            double value = value_at(p, strip, from, at);
            if ((p.rule == FOOTPRINT && weight == 0.0) || (p.rule == IGNORE && isnan(value)))
                continue;
            double product =
                p.narrow ? (double)__fmul_rn((float)weight, (float)value) : __dmul_rn(weight, value);
            total = __dadd_rn(total, product);
            valid = __dadd_rn(valid, weight);
        }
    }
    return p.rule == IGNORE ? total / valid : total;
}

// True where the window of a cell overhangs a raster that has nothing outside.
__device__ __forceinline__ bool overhangs(const FocalParams &p, int row, int col) {
    int up = (int)(p.kh / 2), left = (int)(p.kw / 2);
    return p.boundary == NAN_OUTSIDE &&
           (row < up || row + up >= (int)p.height || col < left || col + left >= (int)p.width);
}

template <class T>
__device__ __forceinline__ void put(const FocalParams &p, T *out, int row, int col, double value) {
    if (row < (int)(p.row + p.rows) && col < (int)p.width)
        out[(size_t)(row - (int)p.row) * p.width + col] =
            (T)(overhangs(p, row, col) ? __longlong_as_double(0x7ff8000000000000LL) : value);
}

template <class T>
__device__ __forceinline__ void put_sums(const FocalParams &p, T *out, int row, int col, const Sums &sums) {
#pragma unroll
    for (int i = 0; i < DEEP; i++)
#pragma unroll
        for (int c = 0; c < 2; c++) {
            double total = sums.total[c][i];
            put(p, out, row + (int)threadIdx.y * DEEP + i, col + (int)threadIdx.x + 32 * c,
                p.rule == IGNORE ? total / sums.valid[c][i] : total);
        }
}

template <class T>
__device__ __noinline__ void put_defined(const FocalParams &p, const T *strip, const double *weights, T *out, int row, int col) {
    for (int i = 0; i < DEEP; i++)
        for (int c = 0; c < 2; c++) {
            int y = row + (int)threadIdx.y * DEEP + i, x = col + (int)threadIdx.x + 32 * c;
            if (y < (int)(p.row + p.rows) && x < (int)p.width)
                put(p, out, y, x, overhangs(p, y, x) ? 0.0 : defined(p, strip, weights, y, x));
        }
}

// A whole block by all taps, whatever lies in it.
template <class T>
__device__ __noinline__ void put_direct(const FocalParams &p, const T *strip, const double *weights, T *out, int row,
                                           int col, double *room) {
    Sums sums = {};
    int special;
    if (p.rule == PROPAGATE)
        special = direct_sums<T, PROPAGATE>(p, strip, weights, row, col, room, sums);
    else if (p.rule == FOOTPRINT)
        special = direct_sums<T, FOOTPRINT>(p, strip, weights, row, col, room, sums);
    else
        special = direct_sums<T, IGNORE>(p, strip, weights, row, col, room, sums);
    if (__syncthreads_or(special & 1))
        put_defined(p, strip, weights, out, row, col);
    else
        put_sums(p, out, row, col, sums);
}

__device__ __forceinline__ int block_row(const FocalParams &p) { return (int)(p.row + blockIdx.y * ROWS); }
__device__ __forceinline__ int block_col() { return (int)blockIdx.x * COLS; }

template <class T>
__device__ __forceinline__ void direct(const FocalParams &p, const T *strip, const double *weights, T *out) {
    __shared__ double room[DIRECT_ROOM];
    put_direct(p, strip, weights, out, block_row(p), block_col(), room);
}

template <class T>
__device__ __forceinline__ void exact(const FocalParams &p, const T *strip, const double *weights, T *out) {
    put_defined(p, strip, weights, out, block_row(p), block_col());
}

// The sums of `taps` weights over DEEP neighbours, value `k` being `at(k)`.
template <class At>
__device__ __forceinline__ void line_of_taps(const double *weights, int taps, bool skip, At at, double *sums) {
    double window[DEEP];
#pragma unroll
    for (int i = 0; i < DEEP - 1; i++)
        window[i] = at(i);
    for (int a = 0; a < taps; a += DEEP) {
#pragma unroll
        for (int u = 0; u < DEEP; u++) {
            if (a + u < taps) {
                window[(u + DEEP - 1) % DEEP] = at(a + u + DEEP - 1);
                double weight = weights[a + u];
                if (!skip || weight != 0.0) {
#pragma unroll
                    for (int i = 0; i < DEEP; i++)
                        sums[i] = fma(weight, window[(u + i) % DEEP], sums[i]);
                }
            }
        }
    }
}

// `weights` are those of the column, of the row, and all of them.
template <class T>
__device__ __forceinline__ void separable(const FocalParams &p, const T *strip, const double *weights, T *out) {
    __shared__ double room[ROWS * BETWEEN];
    const double *column = weights, *line = weights + p.kh, *all = line + p.kw;
    const int row = block_row(p), col = block_col(), thread = threadIdx.y * 32 + threadIdx.x;
    const bool skip = p.rule == FOOTPRINT;
    double sums[2][DEEP] = {};
    int special = 0;
    for (int b = 0; b < (int)p.kw; b += REACH) {
        int taps = min(REACH, (int)p.kw - b), wide = COLS + taps - 1;
        __syncthreads();
        for (int task = thread; task < wide * (ROWS / DEEP); task += THREADS) {
            int x = task % wide, y = task / wide * DEEP;
            int from = mapped(p.boundary, col + x + b - (int)(p.kw / 2), (int)p.width);
            auto at = [&](int k) {
                double value = value_at(p, strip, strip_row(p, row + y + k - (int)(p.kh / 2)), from);
                special |= too_large(p, value) | isnan(value) << 1;
                return value;
            };
            double between[DEEP] = {};
            line_of_taps(column, (int)p.kh, skip, at, between);
#pragma unroll
            for (int i = 0; i < DEEP; i++)
                room[(y + i) * BETWEEN + x] = between[i];
        }
        __syncthreads();
        // A warp takes 32 rows, a thread DEEP neighbours of one row.
#pragma unroll
        for (int half = 0; half < 2; half++) {
            const double *values = room + threadIdx.x * BETWEEN + (threadIdx.y + 4 * half) * DEEP;
            line_of_taps(line + b, taps, skip, [&](int k) { return values[k]; }, sums[half]);
        }
    }
    special = __syncthreads_or(special & (p.rule == IGNORE ? 3 : 1));
    if (special) {
        put_direct(p, strip, all, out, row, col, room);
        return;
    }
#pragma unroll
    for (int half = 0; half < 2; half++)
#pragma unroll
        for (int i = 0; i < DEEP; i++) {
            double sum = sums[half][i] * p.scale;
            put(p, out, row + (int)threadIdx.x, col + (int)(threadIdx.y + 4 * half) * DEEP + i,
                p.rule == IGNORE ? sum / p.divisor : sum);
        }
}

// Doubles the lengths of the sums in `values`: each becomes itself and the one `by` further. A warp
// has rows of its own and reads before it writes.
__device__ __forceinline__ void double_runs(double *values, int tall, int wide, int by) {
    for (int y = threadIdx.y; y < tall; y += 4) {
        double *line = values + y * BETWEEN;
        for (int first = 0; first < wide - by; first += 32) {
            int x = first + threadIdx.x;
            double sum = x < wide - by ? line[x] + line[x + by] : 0.0;
            __syncwarp();
            if (x < wide - by)
                line[x] = sum;
            __syncwarp();
        }
    }
}

// `list` holds p.count heads, then entries `row | column << 8` level by level.
template <class T>
__device__ __forceinline__ void runs(const FocalParams &p, const T *strip, const double *weights, const int *list,
                                     T *out) {
    __shared__ double room[TALL * BETWEEN];
    const int row = block_row(p), col = block_col();
    double sums[2][DEEP] = {};
    int special = 0;
    for (u32 band = 0; band < p.count; band++) {
        const int *head = list + band * BAND_HEAD;
        int tall = ROWS + head[2] - 1, wide = COLS + head[3] - 1;
        __syncthreads();
        special |= fetch(p, strip, row - (int)(p.kh / 2) + head[0], col - (int)(p.kw / 2) + head[1], tall, wide,
                         BETWEEN, room);
        for (int level = 0; level < LEVELS; level++) {
            __syncthreads();
            for (int e = head[4 + level]; e < head[5 + level]; e++) {
                int entry = list[e];
                const double *from =
                    room + (threadIdx.y * DEEP + (entry & 255)) * BETWEEN + threadIdx.x + (entry >> 8);
#pragma unroll
                for (int i = 0; i < DEEP; i++) {
                    sums[0][i] += from[i * BETWEEN];
                    sums[1][i] += from[i * BETWEEN + 32];
                }
            }
            if (head[5 + level] == head[4 + LEVELS])
                break;
            __syncthreads();
            double_runs(room, tall, wide, 1 << level);
        }
    }
    // The list has no entries for weights of zero, which spread a NaN or an infinity all the same.
    if (__syncthreads_or(special)) {
        put_direct(p, strip, weights, out, row, col, room);
        return;
    }
#pragma unroll
    for (int i = 0; i < DEEP; i++)
#pragma unroll
        for (int c = 0; c < 2; c++) {
            double sum = sums[c][i] * p.scale;
            put(p, out, row + (int)threadIdx.y * DEEP + i, col + (int)threadIdx.x + 32 * c,
                p.rule == IGNORE ? sum / p.divisor : sum);
        }
}

extern "C" __global__ void __launch_bounds__(128) focal_direct_f32(FocalParams p, const float *strip,
                                                                   const double *weights, float *out) {
    direct(p, strip, weights, out);
}
extern "C" __global__ void __launch_bounds__(128) focal_direct_f64(FocalParams p, const double *strip,
                                                                   const double *weights, double *out) {
    direct(p, strip, weights, out);
}
extern "C" __global__ void __launch_bounds__(128) focal_exact_f32(FocalParams p, const float *strip,
                                                                  const double *weights, float *out) {
    exact(p, strip, weights, out);
}
extern "C" __global__ void __launch_bounds__(128) focal_exact_f64(FocalParams p, const double *strip,
                                                                  const double *weights, double *out) {
    exact(p, strip, weights, out);
}
extern "C" __global__ void __launch_bounds__(128) focal_separable_f32(FocalParams p, const float *strip,
                                                                      const double *weights, float *out) {
    separable(p, strip, weights, out);
}
extern "C" __global__ void __launch_bounds__(128) focal_separable_f64(FocalParams p, const double *strip,
                                                                      const double *weights, double *out) {
    separable(p, strip, weights, out);
}
extern "C" __global__ void __launch_bounds__(128) focal_runs_f32(FocalParams p, const float *strip,
                                                                 const double *weights, const int *list, float *out) {
    runs(p, strip, weights, list, out);
}
extern "C" __global__ void __launch_bounds__(128) focal_runs_f64(FocalParams p, const double *strip,
                                                                 const double *weights, const int *list, double *out) {
    runs(p, strip, weights, list, out);
}
