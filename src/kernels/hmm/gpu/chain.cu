// Filter and smoother of the hidden Markov chain, float64 (spec decode 5.1, 5.2), row after row by
// one block of threads: a row needs the one before it, so there is nothing to share out but a row.
//
// At 2000 places in a box of 50 x 40 and walks that reach all of it, a row is 180,000 multiply-adds:
// 1.4 us of one multiprocessor of an H200 at the peak of its float64 units. Every walk waits for a
// dozen barriers and two rounds of loads from cache besides. Rows come and go in one copy each.
//
// Every sum is made in an order that the shape alone decides. Probabilities below FLUSH become 0, as
// on the CPU; numbers between are not kept from becoming denormal, which costs a device nothing.

typedef unsigned int u32;

struct ChainParams {
    u32 rows;      // of this launch
    u32 columns;   // of all states
    u32 places;    // columns of a spatial state
    u32 states;
    u32 width;     // values of a row of log likelihoods
    u32 wide;      // 1 where these are float64, 0 where they are float32
    u32 high, broad; // the box around the places; 0 where walks go by pairs
    u32 cells;     // of the box, or places
    u32 away;      // entries of `index` and `weights` where the pairs for walking back begin, starts first
    u32 away_weights;
    u32 fresh;     // smoother: nothing is known behind the last row
    u32 restarted; // smoother: the row behind the last one began anew
    u32 pad[3];
};

constexpr int THREADS = 512;
constexpr double FLUSH = 1e-300, NORMALISER = 1e-15, LOWEST = -690.0;

// How one state leads to another.
constexpr u32 WALKS = 0, STAYS = 1;

// Tables: index holds [state][first column, spatial, place in a row], [from][to] moves, then cells of
// the places, or starts and places of pairs. numbers holds 1 / row sums, then [from][to] of Z.
struct Chain {
    const ChainParams &p;
    const double *weights;
    const u32 *index;
    const double *numbers;

    __device__ u32 begin(u32 state) const { return index[3 * state]; }
    __device__ bool spatial(u32 state) const { return index[3 * state + 1] != 0; }
    __device__ u32 length(u32 state) const { return spatial(state) ? p.places : 1; }
    __device__ u32 evidence(u32 state) const { return index[3 * state + 2]; }
    __device__ u32 move(u32 from, u32 to) const { return index[3 * p.states + from * p.states + to]; }
    __device__ const u32 *lists() const { return index + (3 + p.states) * p.states; }
    __device__ double row_scale(u32 place) const { return numbers[place]; }
    __device__ double z(u32 from, u32 to) const { return numbers[p.places + from * p.states + to]; }
};

// Working memory, one after the other.
struct Room {
    double *predicted, *posterior, *ratio, *back, *evidence, *source, *middle, *sums;

    __device__ Room(const ChainParams &p, double *state) {
        predicted = state;
        posterior = predicted + p.columns;
        ratio = posterior + p.columns;
        back = ratio + p.columns;
        evidence = back + p.columns;
        source = evidence + p.width;
        middle = source + p.cells;
        sums = middle + p.cells;
    }
};

__device__ __forceinline__ double flushed(double value) { return value > FLUSH ? value : 0.0; }

// One value of all threads, the same in each.
template <bool GREATEST> __device__ double together(double value) {
    __shared__ double parts[THREADS / 32];
    for (int by = 16; by > 0; by /= 2) {
        double other = __shfl_xor_sync(0xffffffffu, value, by);
        value = GREATEST ? fmax(value, other) : value + other;
    }
    if (threadIdx.x % 32 == 0)
        parts[threadIdx.x / 32] = value;
    __syncthreads();
    value = parts[0];
    for (int i = 1; i < THREADS / 32; i++)
        value = GREATEST ? fmax(value, parts[i]) : value + parts[i];
    __syncthreads();
    return value;
}

__device__ double total(const double *values, u32 count) {
    double sum = 0.0;
    for (u32 i = threadIdx.x; i < count; i += THREADS)
        sum += values[i];
    return together<false>(sum);
}

// evidence = exp(row - M), M the largest finite value, which is returned (0 where there is none).
__device__ double relative(const ChainParams &p, const float *rows, u32 row, double *evidence) {
    const double none = __longlong_as_double(0xfff0000000000000LL);
    const size_t first = (size_t)row * p.width;
    double most = none;
    for (u32 i = threadIdx.x; i < p.width; i += THREADS) {
        double value = p.wide ? ((const double *)rows)[first + i] : (double)rows[first + i];
        evidence[i] = value;
        most = isfinite(value) ? fmax(most, value) : most;
    }
    most = together<true>(most);
    most = most == none ? 0.0 : most;
    for (u32 i = threadIdx.x; i < p.width; i += THREADS) {
        double below = evidence[i] - most;
        // No number is not above the lowest.
        evidence[i] = below >= LOWEST ? exp(fmin(below, 0.0)) : 0.0;
    }
    __syncthreads();
    return most;
}

// filtered = predicted * evidence; returns its sum.
__device__ double weighed(const Chain &c, const double *predicted, const double *evidence, double *filtered) {
    double sum = 0.0;
    for (u32 s = 0; s < c.p.states; s++) {
        u32 begin = c.begin(s), from = c.evidence(s);
        for (u32 i = threadIdx.x; i < c.length(s); i += THREADS) {
            double value = flushed(predicted[begin + i] * evidence[from + i]);
            filtered[begin + i] = value;
            sum += value;
        }
    }
    return together<false>(sum);
}

__device__ void scale(double *values, u32 count, double factor) {
    for (u32 i = threadIdx.x; i < count; i += THREADS)
        values[i] *= factor;
    __syncthreads();
}

// Walks source, cell by cell; the result of a place is then walked(place).
__device__ void walk(const Chain &c, const Room &room, bool back) {
    const ChainParams &p = c.p;
    if (p.high > 0) {
        const double *first = c.weights, *second = c.weights + p.high * p.high;
        for (u32 at = threadIdx.x; at < p.cells; at += THREADS) {
            u32 row = at / p.broad, column = at % p.broad;
            double sum = 0.0;
            for (u32 k = 0; k < p.high; k++)
                sum = fma(first[row * p.high + k], room.source[k * p.broad + column], sum);
            room.middle[at] = sum;
        }
        __syncthreads();
        for (u32 at = threadIdx.x; at < p.cells; at += THREADS) {
            u32 row = at / p.broad, column = at % p.broad;
            double sum = 0.0;
            for (u32 k = 0; k < p.broad; k++)
                sum = fma(room.middle[row * p.broad + k], second[k * p.broad + column], sum);
            room.source[at] = sum;
        }
        __syncthreads();
        return;
    }
    const u32 *starts = c.lists() + (back ? p.away : 0), *places = starts + p.places + 1;
    const double *weights = c.weights + (back ? p.away_weights : 0);
    for (u32 to = threadIdx.x; to < p.places; to += THREADS) {
        double sum = 0.0;
        for (u32 at = starts[to]; at < starts[to + 1]; at++)
            sum = fma(room.source[places[at]], weights[at], sum);
        room.middle[to] = sum;
    }
    __syncthreads();
}

__device__ __forceinline__ u32 cell_of(const Chain &c, u32 place) {
    return c.p.high > 0 ? c.lists()[place] : place;
}

__device__ __forceinline__ double walked(const Chain &c, const Room &room, u32 place) {
    return c.p.high > 0 ? room.source[cell_of(c, place)] : room.middle[place];
}

// out = f T (ahead), or out = T f (back); `own` is the state that a result belongs to, `other` the
// one it comes from.
__device__ void transition(const Chain &c, const Room &room, const double *f, double *out, bool back) {
    const ChainParams &p = c.p;
    const double share = 1.0 / p.places;
    for (u32 s = 0; s < p.states; s++) {
        double sum = total(f + c.begin(s), c.length(s));
        if (threadIdx.x == 0)
            room.sums[s] = back && c.spatial(s) ? sum * share : sum;
    }
    __syncthreads();
    for (u32 own = 0; own < p.states; own++) {
        double level = 0.0;
        bool walks = false;
        for (u32 other = 0; other < p.states; other++) {
            u32 move = back ? c.move(own, other) : c.move(other, own);
            double z = back ? c.z(own, other) : c.z(other, own);
            walks |= move == WALKS;
            if (move > STAYS)
                level += z * room.sums[other];
        }
        u32 begin = c.begin(own);
        if (!c.spatial(own)) {
            if (threadIdx.x == 0)
                out[begin] = flushed(level);
            continue;
        }
        if (walks) {
            if (p.high > 0)
                for (u32 at = threadIdx.x; at < p.cells; at += THREADS)
                    room.source[at] = 0.0;
            __syncthreads();
            for (u32 place = threadIdx.x; place < p.places; place += THREADS) {
                double sum = 0.0;
                for (u32 other = 0; other < p.states; other++) {
                    u32 move = back ? c.move(own, other) : c.move(other, own);
                    double z = back ? c.z(own, other) : c.z(other, own);
                    if (move == WALKS)
                        sum = fma(f[c.begin(other) + place] * (back ? 1.0 : c.row_scale(place)), z, sum);
                }
                room.source[cell_of(c, place)] = sum;
            }
            __syncthreads();
            walk(c, room, back);
        }
        for (u32 place = threadIdx.x; place < p.places; place += THREADS) {
            double value = back ? level : level * share;
            if (walks)
                value = fma(walked(c, room, place), back ? c.row_scale(place) : 1.0, value);
            value = flushed(value);
            for (u32 other = 0; other < p.states; other++) {
                u32 move = back ? c.move(own, other) : c.move(other, own);
                if (move == STAYS)
                    value = flushed(fma(f[c.begin(other) + place], back ? c.z(own, other) : c.z(other, own), value));
            }
            out[begin + place] = value;
        }
        __syncthreads();
    }
    __syncthreads();
}

// Rows forward: filtered and, made from it, the prediction for the next row; of each row the sum of
// prediction times evidence, the largest log likelihood, and 1 where the chain began anew.
extern "C" __global__ void __launch_bounds__(512) chain_filter(ChainParams p, const double *weights,
                                                               const u32 *index, const double *numbers,
                                                               double *state, const float *rows, double *filtered,
                                                               double *predicted, double *told) {
    const Chain c = {p, weights, index, numbers};
    const Room room(p, state);
    for (u32 row = 0; row < p.rows; row++) {
        double *own = filtered + (size_t)row * p.columns, *next = predicted + (size_t)row * p.columns;
        double most = relative(p, rows, row, room.evidence);
        double sum = weighed(c, room.predicted, room.evidence, own);
        bool anew = sum <= 0.0;
        if (anew) {
            for (u32 s = 0; s < p.states; s++)
                for (u32 i = threadIdx.x; i < c.length(s); i += THREADS)
                    room.predicted[c.begin(s) + i] = 1.0 / p.states / c.length(s);
            __syncthreads();
            sum = weighed(c, room.predicted, room.evidence, own);
        }
        if (threadIdx.x == 0) {
            told[3 * row] = sum;
            told[3 * row + 1] = most;
            told[3 * row + 2] = anew ? 1.0 : 0.0;
        }
        if (sum > 0.0) {
            scale(own, p.columns, 1.0 / (sum + NORMALISER));
        } else {
            for (u32 i = threadIdx.x; i < p.columns; i += THREADS)
                own[i] = room.predicted[i];
            __syncthreads();
        }
        transition(c, room, own, next, false);
        for (u32 i = threadIdx.x; i < p.columns; i += THREADS)
            room.predicted[i] = next[i];
        __syncthreads();
    }
}

// The posterior where nothing is known behind a row.
__device__ void begin_anew(const ChainParams &p, const double *filtered, double *posterior) {
    double sum = total(filtered, p.columns);
    for (u32 i = threadIdx.x; i < p.columns; i += THREADS)
        posterior[i] = filtered[i] * (1.0 / (sum + NORMALISER));
    __syncthreads();
}

// Rows backward, after chain_filter of the same rows: posteriors take the place of filtered.
extern "C" __global__ void __launch_bounds__(512) chain_smooth(ChainParams p, const double *weights,
                                                               const u32 *index, const double *numbers,
                                                               double *state, const float *rows, double *filtered,
                                                               double *predicted, double *told) {
    const Chain c = {p, weights, index, numbers};
    const Room room(p, state);
    for (u32 row = p.rows; row-- > 0;) {
        double *own = filtered + (size_t)row * p.columns;
        const double *next = predicted + (size_t)row * p.columns;
        const bool last = row + 1 == p.rows;
        const bool anew = last ? p.fresh || p.restarted : told[3 * (row + 1) + 2] != 0.0;
        if (anew) {
            begin_anew(p, own, room.posterior);
        } else {
            for (u32 i = threadIdx.x; i < p.columns; i += THREADS)
                room.ratio[i] = next[i] > 0.0 ? room.posterior[i] / next[i] : 0.0;
            __syncthreads();
            transition(c, room, room.ratio, room.back, true);
            double sum = 0.0;
            for (u32 i = threadIdx.x; i < p.columns; i += THREADS) {
                double value = flushed(own[i] * room.back[i]);
                room.posterior[i] = value;
                sum += value;
            }
            sum = together<false>(sum);
            if (sum > 0.0)
                scale(room.posterior, p.columns, 1.0 / (sum + NORMALISER));
            else
                begin_anew(p, own, room.posterior);
        }
        for (u32 i = threadIdx.x; i < p.columns; i += THREADS)
            own[i] = room.posterior[i];
        __syncthreads();
    }
}
