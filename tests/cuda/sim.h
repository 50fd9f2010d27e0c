// What kernels and the simulated driver know of each other.
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
