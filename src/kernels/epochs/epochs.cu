// Kernels of autoreject over epochs [epoch][channel][sample], float64 (spec autoreject 5, 6, 9, 10,
// 14). A buffer holds all epochs and channels, and all samples or a slab of them.
//
// Shapes at 6000 x 128 x 1000, against an H200 (34 Tflop/s of float64, 4.8 TB/s):
// predict    64 channels x 64 samples a block, 8 x 4 sums a thread: 32 multiply-adds for 8 loads of
//            shared memory. 2 C flop for 16 bytes a value: the float64 units bind from C = 128 on.
// extremes   one warp a row; memory binds, each value once.
// medians    32 samples a block, 8 warps share the rows of a set; about ten passes of counting over
//            rows that the ten sets of a channel find in the second-level cache, which binds.
// sweep      one block a channel and fold, 8 samples a thread in registers, the next row on its way
//            while one is worked on: 5 flop for 8 bytes, the memory binds. One sum over the threads
//            for 16 rows together.
// repair     one thread a sample, 8 repaired channels at a time: 16 flop for 8 bytes from the cache.
// sums, distances: memory binds, each value once.
// correlate  one thread a sample of a channel; 3 loads from cache for each multiply-add bind.
//
// All sums are made in an order that the shape alone decides, so results are the same in every run;
// predictions and medians have the bits of the CPU's. fma is written where it is meant.

typedef unsigned int u32;

struct EpochsParams {
    u32 epochs, channels, samples; // of a buffer
    u32 rows;                      // measured and predicted epochs
    u32 sets;                      // folds, groups or subsets
    u32 room;                      // entries kept for each set
    u32 stride;                    // 1 where each channel has lists of its own, 0 where they share one
    u32 begin;                     // 1 where results replace what is there, 0 where they add to it
};

__device__ __forceinline__ double infinity() { return __longlong_as_double(0x7ff0000000000000LL); }

// A row of measured epochs, or behind them of predicted ones.
__device__ __forceinline__ const double *row_of(const EpochsParams &p, const double *x, const double *y, u32 row,
                                                u32 channel) {
    const double *from = row < p.epochs ? x : y;
    u32 epoch = row < p.epochs ? row : row - p.epochs;
    return from + ((size_t)epoch * p.channels + channel) * p.samples;
}

constexpr int TILE = 64, DEPTH = 16, HIGH = 8, BROAD = 4;

// y[epoch] = weights x[epoch]; each result one chain of multiply-adds in the order of the sources.
extern "C" __global__ void __launch_bounds__(128) epochs_predict(EpochsParams p, const double *weights,
                                                                 const double *x, double *y) {
    __shared__ double w[DEPTH][TILE + 2], v[DEPTH][TILE];
    const int c = p.channels, n = p.samples, thread = threadIdx.x;
    const int tx = thread % 16, ty = thread / 16;
    const int channel = blockIdx.y * TILE, sample = blockIdx.x * TILE;
    for (u32 epoch = blockIdx.z; epoch < p.epochs; epoch += gridDim.z) {
        const double *from = x + (size_t)epoch * c * n;
        double sums[HIGH][BROAD] = {};
        for (int first = 0; first < c; first += DEPTH) {
            int depth = min(DEPTH, c - first);
            __syncthreads();
            for (int i = thread; i < DEPTH * TILE; i += 128) {
                int j = i % DEPTH, at = i / DEPTH;
                w[j][at] = j < depth && channel + at < c ? weights[(size_t)(channel + at) * c + first + j] : 0.0;
                int k = i / TILE, t = i % TILE;
                v[k][t] = k < depth && sample + t < n ? from[(size_t)(first + k) * n + sample + t] : 0.0;
            }
            __syncthreads();
            for (int j = 0; j < depth; j++) {
                double value[BROAD];
#pragma unroll
                for (int b = 0; b < BROAD; b++)
                    value[b] = v[j][tx + 16 * b];
#pragma unroll
                for (int h = 0; h < HIGH; h++) {
                    double weight = w[j][ty * HIGH + h];
#pragma unroll
                    for (int b = 0; b < BROAD; b++)
                        sums[h][b] = fma(weight, value[b], sums[h][b]);
                }
            }
        }
#pragma unroll
        for (int h = 0; h < HIGH; h++)
#pragma unroll
            for (int b = 0; b < BROAD; b++) {
                int to = channel + ty * HIGH + h, t = sample + tx + 16 * b;
                if (to < c && t < n)
                    y[((size_t)epoch * c + to) * n + t] = sums[h][b];
            }
    }
}

// Least and greatest value of each row [epoch][channel][2].
extern "C" __global__ void __launch_bounds__(128) epochs_extremes(EpochsParams p, const double *x, double *out) {
    const size_t rows = (size_t)p.epochs * p.channels;
    for (size_t row = (size_t)blockIdx.x * 4 + threadIdx.y; row < rows; row += (size_t)gridDim.x * 4) {
        double least = infinity(), most = -infinity();
        for (u32 t = threadIdx.x; t < p.samples; t += 32) {
            double value = x[row * p.samples + t];
            least = fmin(least, value);
            most = fmax(most, value);
        }
        for (int by = 16; by > 0; by /= 2) {
            least = fmin(least, __shfl_xor_sync(0xffffffffu, least, by));
            most = fmax(most, __shfl_xor_sync(0xffffffffu, most, by));
        }
        if (threadIdx.x == 0) {
            out[2 * row] = p.begin ? least : fmin(least, out[2 * row]);
            out[2 * row + 1] = p.begin ? most : fmax(most, out[2 * row + 1]);
        }
    }
}

// Order of a number among all numbers as an integer, and back.
__device__ __forceinline__ long long place_of(double value) {
    long long bits = __double_as_longlong(value);
    return bits < 0 ? (long long)0x8000000000000000ULL - bits : bits;
}
__device__ __forceinline__ double at_place(long long place) {
    return __longlong_as_double(place < 0 ? (long long)0x8000000000000000ULL - place : place);
}

// The search for the lower middle one of `n` values: a pivot is counted against all of them, and the
// bracket shrinks to values of the data.
struct Search {
    u32 n, half;       // the lower middle value is the half-th smallest
    double low, high;  // it lies between them
    u32 below, within; // values below `low`; values at most `high`
    double next;       // the least value above `high`
    u32 passes;

    __device__ __forceinline__ void start(u32 count, double least, double most) {
        n = count;
        half = (count + 1) / 2;
        low = least;
        high = most;
        below = 0;
        within = count;
        next = most;
        passes = 0;
    }

    __device__ __forceinline__ bool done() const { return !(low < high); }

    __device__ __forceinline__ double pivot() {
        passes++;
        if (below + 1 == half)
            return low;
        double guess;
        if (passes % 8 == 0) {
            // Halves the numbers between, however they are spread: 64 of these always end it.
            long long a = place_of(low), b = place_of(high);
            guess = at_place(a + (long long)(((unsigned long long)b - (unsigned long long)a) / 2));
        } else {
            double share = passes % 3 == 0 ? 0.5 : ((double)half - 0.5 - below) / (double)(within - below);
            guess = low + (high - low) * share;
        }
        return guess >= low && guess < high ? guess : low;
    }

    // `count` values are at most the pivot, the greatest of them `least_side`; `most_side` is the
    // least of the others.
    __device__ __forceinline__ void take(u32 count, double least_side, double most_side) {
        if (count >= half) {
            high = least_side;
            within = count;
            next = most_side;
            if (count == half)
                low = high;
        } else {
            low = most_side;
            below = count;
        }
    }

    __device__ __forceinline__ double median() const {
        double upper = within > n / 2 ? high : next;
        return n % 2 ? high : (high + upper) * 0.5;
    }
};

constexpr int SHARERS = 8;

// Medians over the rows of each set, [channel][set][sample].
extern "C" __global__ void __launch_bounds__(256) epochs_medians(EpochsParams p, const double *x, const double *y,
                                                                 const u32 *rows, const u32 *starts, double *out) {
    __shared__ double least[SHARERS][32], most[SHARERS][32];
    __shared__ u32 counts[SHARERS][32];
    const int lane = threadIdx.x, sharer = threadIdx.y;
    const u32 set = blockIdx.y, channel = blockIdx.z, sample = blockIdx.x * 32 + lane;
    const u32 t = min(sample, p.samples - 1);
    const u32 first = starts[set], end = starts[set + 1];
    double low = infinity(), high = -infinity();
    for (u32 i = first + sharer; i < end; i += SHARERS) {
        double value = row_of(p, x, y, rows[i], channel)[t];
        low = fmin(low, value);
        high = fmax(high, value);
    }
    least[sharer][lane] = low;
    most[sharer][lane] = high;
    __syncthreads();
    for (int s = 0; s < SHARERS; s++) {
        low = fmin(low, least[s][lane]);
        high = fmax(high, most[s][lane]);
    }
    Search search;
    search.start(end - first, low, high);
    // The same in all sharers of a sample, so all of a block go on or stop together.
    while (__syncthreads_or(!search.done())) {
        double pivot = search.done() ? high : search.pivot();
        double below = -infinity(), above = infinity();
        u32 count = 0;
#pragma unroll 4
        for (u32 i = first + sharer; i < end; i += SHARERS) {
            double value = row_of(p, x, y, rows[i], channel)[t];
            bool within = value <= pivot;
            count += within;
            below = within ? fmax(below, value) : below;
            above = within ? above : fmin(above, value);
        }
        most[sharer][lane] = below;
        least[sharer][lane] = above;
        counts[sharer][lane] = count;
        __syncthreads();
        count = 0;
        for (int s = 0; s < SHARERS; s++) {
            below = fmax(below, most[s][lane]);
            above = fmin(above, least[s][lane]);
            count += counts[s][lane];
        }
        if (!search.done())
            search.take(count, below, above);
    }
    if (sharer == 0 && sample < p.samples)
        out[((size_t)channel * p.sets + set) * p.samples + sample] = search.median();
}

constexpr int SPAN = 8, TOGETHER = 16;

// For each channel and fold and each prefix of its train rows (in the order of `lists`, one of
// p.room entries each) the sum over samples of the squared difference between the prefix's mean and
// the median, [channel][fold][prefix].
extern "C" __global__ void __launch_bounds__(128) epochs_sweep(EpochsParams p, const double *x, const double *y,
                                                               const u32 *lists, const u32 *counts,
                                                               const double *reciprocals, const double *medians,
                                                               double *losses) {
    __shared__ double parts[TOGETHER][129];
    const int thread = threadIdx.x;
    const u32 fold = blockIdx.x, channel = blockIdx.y, count = counts[fold];
    const u32 *list = lists + ((size_t)channel * p.stride * p.sets + fold) * p.room;
    const double *median = medians + ((size_t)channel * p.sets + fold) * p.samples;
    double *loss = losses + ((size_t)channel * p.sets + fold) * p.room;
    for (u32 start = 0; start < p.samples; start += SPAN * 128) {
        double sums[SPAN], against[SPAN], ahead[SPAN];
        const bool replaces = p.begin && start == 0;
#pragma unroll
        for (int s = 0; s < SPAN; s++) {
            u32 t = start + s * 128 + thread;
            sums[s] = 0.0;
            against[s] = t < p.samples ? -median[t] : 0.0;
            ahead[s] = t < p.samples && count > 0 ? row_of(p, x, y, list[0], channel)[t] : 0.0;
        }
        for (u32 first = 0; first < count; first += TOGETHER) {
            int here = min(TOGETHER, (int)(count - first));
            for (int i = 0; i < here; i++) {
                u32 k = first + i;
                const double *next = k + 1 < count ? row_of(p, x, y, list[k + 1], channel) : nullptr;
                double share = reciprocals[k], total = 0.0;
#pragma unroll
                for (int s = 0; s < SPAN; s++) {
                    u32 t = start + s * 128 + thread;
                    double value = ahead[s];
                    ahead[s] = next && t < p.samples ? next[t] : 0.0;
                    sums[s] += value;
                    double apart = fma(sums[s], share, against[s]);
                    total = fma(apart, apart, total);
                }
                parts[i][thread] = total;
            }
            __syncthreads();
            int row = thread / 8, piece = thread % 8;
            double sum = 0.0;
            for (int i = 0; i < 128 / 8; i++)
                sum += parts[row][i * 8 + piece];
            for (int by = 4; by > 0; by /= 2)
                sum += __shfl_xor_sync(0xffffffffu, sum, by);
            if (piece == 0 && row < here)
                loss[first + row] = replaces ? sum : loss[first + row] + sum;
            __syncthreads();
        }
    }
}

// Repaired channels of some epochs into y, [epoch][channel][sample]. A repair is five numbers:
// epoch, repaired channels, sources, where its channels begin in `channels` (repaired ones, then
// sources), where its weights [repaired][source] begin.
extern "C" __global__ void __launch_bounds__(128) epochs_repair(EpochsParams p, const double *x, const u32 *repairs,
                                                                const u32 *channels, const double *weights,
                                                                double *y) {
    const u32 t = blockIdx.x * 128 + threadIdx.x;
    if (t >= p.samples)
        return;
    for (u32 r = blockIdx.y; r < p.sets; r += gridDim.y) {
        const u32 *repair = repairs + (size_t)r * 5;
        const u32 bad = repair[1], good = repair[2];
        const u32 *to = channels + repair[3], *from = to + bad;
        const double *weight = weights + repair[4];
        const size_t epoch = (size_t)repair[0] * p.channels;
        for (u32 first = 0; first < bad; first += SPAN) {
            double sums[SPAN] = {};
            for (u32 j = 0; j < good; j++) {
                double value = x[(epoch + from[j]) * p.samples + t];
#pragma unroll
                for (int s = 0; s < SPAN; s++) {
                    u32 i = min(first + s, bad - 1);
                    sums[s] = fma(weight[(size_t)i * good + j], value, sums[s]);
                }
            }
#pragma unroll
            for (int s = 0; s < SPAN; s++)
                if (first + s < bad)
                    y[(epoch + to[first + s]) * p.samples + t] = sums[s];
        }
    }
}

// Sums over the epochs of each group, [group][channel][sample]; where `repaired` [epoch][channel] is
// set, y takes the place of x.
extern "C" __global__ void __launch_bounds__(128) epochs_sums(EpochsParams p, const double *x, const double *y,
                                                              const u32 *repaired, const u32 *members,
                                                              const u32 *starts, double *out) {
    const size_t size = (size_t)p.channels * p.samples, at = (size_t)blockIdx.x * 128 + threadIdx.x;
    if (at >= size)
        return;
    const u32 group = blockIdx.y, channel = (u32)(at / p.samples);
    double sum = 0.0;
#pragma unroll 4
    for (u32 i = starts[group]; i < starts[group + 1]; i++) {
        u32 epoch = members[i];
        bool taken = repaired[(size_t)epoch * p.channels + channel] != 0;
        sum += (taken ? y : x)[epoch * size + at];
    }
    out[group * size + at] = sum;
}

// `sums` is [fold][bin][channel][sample], p.room bins: each bin becomes the sum up to it.
extern "C" __global__ void __launch_bounds__(128) epochs_heap_up(EpochsParams p, double *sums) {
    const size_t size = (size_t)p.channels * p.samples, at = (size_t)blockIdx.x * 128 + threadIdx.x;
    if (at >= size)
        return;
    double *own = sums + (size_t)blockIdx.y * p.room * size + at;
    double sum = 0.0;
    for (u32 bin = 0; bin < p.room; bin++) {
        sum += own[bin * size];
        own[bin * size] = sum;
    }
}

// Sum of squares over the threads of a block of 128.
__device__ __forceinline__ double block_sum(double value) {
    __shared__ double warps[4];
    for (int by = 16; by > 0; by /= 2)
        value += __shfl_xor_sync(0xffffffffu, value, by);
    if (threadIdx.x % 32 == 0)
        warps[threadIdx.x / 32] = value;
    __syncthreads();
    return warps[0] + warps[1] + warps[2] + warps[3];
}

// Squared distances between the mean over all folds but one of `sums` (heaped up) and that fold's
// medians [channel][fold][sample]; `shares` [bin][fold] are one over the epochs counted, 0 where there
// is none. One part for each block, [bin][fold][block].
extern "C" __global__ void __launch_bounds__(128) epochs_distances(EpochsParams p, const double *sums,
                                                                   const double *medians, const double *shares,
                                                                   double *parts) {
    const size_t size = (size_t)p.channels * p.samples;
    const u32 fold = blockIdx.y % p.sets, bin = blockIdx.y / p.sets;
    const double share = shares[bin * p.sets + fold];
    double total = 0.0;
    if (share != 0.0)
        for (size_t at = (size_t)blockIdx.x * 128 + threadIdx.x; at < size; at += (size_t)gridDim.x * 128) {
            double sum = 0.0;
            for (u32 other = 0; other < p.sets; other++)
                if (other != fold)
                    sum += sums[((size_t)other * p.room + bin) * size + at];
            u32 channel = (u32)(at / p.samples), t = (u32)(at % p.samples);
            double apart = fma(sum, share, -medians[((size_t)channel * p.sets + fold) * p.samples + t]);
            total = fma(apart, apart, total);
        }
    total = block_sum(total);
    if (threadIdx.x == 0)
        parts[(size_t)blockIdx.y * gridDim.x + blockIdx.x] = total;
}

constexpr int MOST_SUBSETS = 64;

// For each epoch and channel the sums of x y, x x and y y over samples, y being the median of the
// predictions by all subsets: `subsets` [subset][member], `weights` [subset][channel][member], p.room
// members. One channel a block.
extern "C" __global__ void __launch_bounds__(128) epochs_correlate(EpochsParams p, const double *x,
                                                                   const u32 *subsets, const double *weights,
                                                                   double *out) {
    __shared__ double warps[3][4];
    const u32 channel = blockIdx.x;
    for (u32 epoch = blockIdx.y; epoch < p.epochs; epoch += gridDim.y) {
        const double *from = x + (size_t)epoch * p.channels * p.samples;
        double both = 0.0, measured = 0.0, predicted = 0.0;
        for (u32 t = threadIdx.x; t < p.samples; t += 128) {
            double values[MOST_SUBSETS];
            double least = infinity(), most = -infinity();
            for (u32 s = 0; s < p.sets; s++) {
                const u32 *members = subsets + s * p.room;
                const double *weight = weights + ((size_t)s * p.channels + channel) * p.room;
                double sum = 0.0;
                for (u32 k = 0; k < p.room; k++)
                    sum = fma(weight[k], from[(size_t)members[k] * p.samples + t], sum);
                values[s] = sum;
                least = fmin(least, sum);
                most = fmax(most, sum);
            }
            Search search;
            search.start(p.sets, least, most);
            while (!search.done()) {
                double pivot = search.pivot(), below = -infinity(), above = infinity();
                u32 count = 0;
                for (u32 s = 0; s < p.sets; s++) {
                    bool within = values[s] <= pivot;
                    count += within;
                    below = within ? fmax(below, values[s]) : below;
                    above = within ? above : fmin(above, values[s]);
                }
                search.take(count, below, above);
            }
            double own = from[(size_t)channel * p.samples + t], other = search.median();
            both = fma(own, other, both);
            measured = fma(own, own, measured);
            predicted = fma(other, other, predicted);
        }
        for (int by = 16; by > 0; by /= 2) {
            both += __shfl_xor_sync(0xffffffffu, both, by);
            measured += __shfl_xor_sync(0xffffffffu, measured, by);
            predicted += __shfl_xor_sync(0xffffffffu, predicted, by);
        }
        __syncthreads();
        if (threadIdx.x % 32 == 0) {
            warps[0][threadIdx.x / 32] = both;
            warps[1][threadIdx.x / 32] = measured;
            warps[2][threadIdx.x / 32] = predicted;
        }
        __syncthreads();
        if (threadIdx.x < 3) {
            const double *four = warps[threadIdx.x];
            double sum = four[0] + four[1] + four[2] + four[3];
            double *to = out + ((size_t)epoch * p.channels + channel) * 3 + threadIdx.x;
            *to = p.begin ? sum : *to + sum;
        }
    }
}
