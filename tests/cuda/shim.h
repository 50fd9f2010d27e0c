// What nvcc gives CUDA C++, for g++: enough of it that the sources under src/kernels run on a CPU,
// one fiber a thread. Included before each of them by build.sh, and nowhere else.
#pragma once

#include "sim.h"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))
// A block has one CPU thread to itself.
#define __shared__ static thread_local

#define SIM_KERNEL(name)                                                                                               \
    static const bool name##_is_known = (sim::add(#name, sim::kernel_of(name)), true)

static inline void __syncthreads() { sim::block_barrier(0); }
static inline int __syncthreads_or(int vote) { return sim::block_barrier(vote); }
static inline void __syncwarp(unsigned = 0xffffffffu) { sim::warp_barrier(); }

template <class T> T __shfl_sync(unsigned, T value, int from) { return sim::exchanged(value, unsigned(from)); }
template <class T> T __shfl_xor_sync(unsigned, T value, int mask) {
    return sim::exchanged(value, sim::lane() ^ unsigned(mask));
}
template <class T> T __shfl_down_sync(unsigned, T value, unsigned by) {
    unsigned from = sim::lane() + by;
    return sim::exchanged(value, from < 32 ? from : sim::lane());
}

template <class T> T atomicAdd(T *at, T value) {
    T old = *reinterpret_cast<volatile T *>(at), sum;
    do {
        sum = old + value;
    } while (!__atomic_compare_exchange(at, &old, &sum, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    return old;
}

static inline double __dmul_rn(double a, double b) { return a * b; }
static inline double __dadd_rn(double a, double b) { return a + b; }
static inline float __fmul_rn(float a, float b) { return a * b; }
static inline float __fadd_rn(float a, float b) { return a + b; }
static inline long long __double_as_longlong(double value) {
    long long bits;
    std::memcpy(&bits, &value, 8);
    return bits;
}
static inline double __longlong_as_double(long long bits) {
    double value;
    std::memcpy(&value, &bits, 8);
    return value;
}
static inline int __float_as_int(float value) {
    int bits;
    std::memcpy(&bits, &value, 4);
    return bits;
}
static inline float __int_as_float(int bits) {
    float value;
    std::memcpy(&value, &bits, 4);
    return value;
}
static inline int __popc(unsigned bits) { return __builtin_popcount(bits); }
using std::isfinite;
using std::isinf;
using std::isnan;
static inline int min(int a, int b) { return a < b ? a : b; }
static inline int max(int a, int b) { return a > b ? a : b; }
static inline unsigned min(unsigned a, unsigned b) { return a < b ? a : b; }
static inline unsigned max(unsigned a, unsigned b) { return a > b ? a : b; }
static inline size_t min(size_t a, size_t b) { return a < b ? a : b; }
