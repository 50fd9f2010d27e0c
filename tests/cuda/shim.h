// What nvcc gives CUDA C++, for g++: enough of it that the sources under src/kernels run on a CPU,
// one fiber a thread. Included before each of them by build.sh.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <tuple>
#include <utility>
#include <vector>

struct uint3 {
    unsigned x, y, z;
};
typedef uint3 dim3;

// The thread that runs now, of the block that this CPU thread works on.
extern thread_local uint3 threadIdx, blockIdx, blockDim, gridDim;
constexpr int warpSize = 32;

#define __global__
#define __device__ static
#define __host__
#define __forceinline__ inline
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
// A block has one CPU thread to itself.
#define __shared__ static thread_local

namespace sim {
// Barriers of a block and of a warp; `vote` is or-ed over the block.
int block_barrier(int vote);
void warp_barrier();
// Room for one value of each lane of the running thread's warp.
uint64_t *lanes();
unsigned lane();

typedef std::function<void()> Task;
// Sizes of the parameters, and a task with the arguments copied out of `values`.
struct Kernel {
    std::vector<size_t> sizes;
    std::function<Task(void **values)> bind;
};
void add(const char *name, Kernel kernel);

template <class... A, size_t... I>
Task bound(void (*kernel)(A...), void **values, std::index_sequence<I...>) {
    auto arguments = std::make_tuple(*static_cast<A *>(values[I])...);
    return [=] { std::apply(kernel, arguments); };
}

template <class... A> Kernel kernel_of(void (*kernel)(A...)) {
    auto bind = [=](void **values) { return bound(kernel, values, std::index_sequence_for<A...>()); };
    return Kernel{{sizeof(A)...}, bind};
}

template <class T> T exchanged(T value, unsigned from) {
    static_assert(sizeof(T) <= 8, "a lane hands over eight bytes");
    uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof(T));
    lanes()[lane()] = bits;
    warp_barrier();
    std::memcpy(&value, &lanes()[from % 32], sizeof(T));
    warp_barrier();
    return value;
}
} // namespace sim

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
