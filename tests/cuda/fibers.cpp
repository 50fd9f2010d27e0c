// A block is one CPU thread, its threads are fibers: each runs until it waits at a barrier or ends.
// Blocks are spread over the CPU threads. So barriers, shared memory and warp exchanges behave as on
// a device, and a barrier that not all threads reach is found out.
#include "fibers.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <sys/mman.h>
#include <thread>
#include <ucontext.h>

thread_local uint3 threadIdx, blockIdx, blockDim, gridDim;

namespace {
constexpr size_t STACK = 96 << 10;

enum class State { Ready, AtBlock, AtWarp, Done };

struct Fiber {
    void *stack_pointer;
    char *stack;
    ucontext_t context;
    State state;
    uint3 index;
};

// What one CPU thread needs for the block it works on.
struct Block {
    std::vector<Fiber> fibers;
    std::vector<uint64_t> lanes;
    const sim::Task *task = nullptr;
    size_t threads = 0, running = 0;
    int votes = 0, voted = 0;
    void *stack_pointer = nullptr;
    ucontext_t context;

    ~Block() {
        for (auto &fiber : fibers)
            munmap(fiber.stack, STACK);
    }
};

thread_local Block *block;

// Blocks that no CPU thread works on: their stacks serve the next launch.
std::mutex idle_lock;
std::vector<std::unique_ptr<Block>> idle;

std::unique_ptr<Block> take_block() {
    std::lock_guard<std::mutex> guard(idle_lock);
    if (idle.empty())
        return std::make_unique<Block>();
    auto last = std::move(idle.back());
    idle.pop_back();
    return last;
}

void give_back(std::unique_ptr<Block> own) {
    std::lock_guard<std::mutex> guard(idle_lock);
    idle.push_back(std::move(own));
}

#if defined(__x86_64__)
// Saves what a called function must keep, and goes on where the other one stopped.
extern "C" void sim_switch(void **save, void *to);
asm(R"(
.text
.globl sim_switch
.hidden sim_switch
.type sim_switch, @function
sim_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
.size sim_switch, .-sim_switch
)");
void to_fiber(Fiber &fiber) { sim_switch(&block->stack_pointer, fiber.stack_pointer); }
void to_block(Fiber &fiber) { sim_switch(&fiber.stack_pointer, block->stack_pointer); }
#else
void to_fiber(Fiber &fiber) { swapcontext(&block->context, &fiber.context); }
void to_block(Fiber &fiber) { swapcontext(&fiber.context, &block->context); }
#endif

void body() {
    (*block->task)();
    Fiber &own = block->fibers[block->running];
    own.state = State::Done;
    to_block(own);
}

void begin(Fiber &fiber) {
    fiber.state = State::Ready;
#if defined(__x86_64__)
    // As if sim_switch had been called from body(), its stack aligned as at a call.
    auto top = reinterpret_cast<void **>(fiber.stack + STACK - 16);
    *--top = nullptr;
    *--top = reinterpret_cast<void *>(body);
    for (int i = 0; i < 6; i++)
        *--top = nullptr;
    fiber.stack_pointer = top;
#else
    getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = fiber.stack;
    fiber.context.uc_stack.ss_size = STACK;
    makecontext(&fiber.context, body, 0);
#endif
}

int wait(State at) {
    Fiber &own = block->fibers[block->running];
    own.state = at;
    to_block(own);
    return block->voted;
}

// Lets fibers go on whose barrier all others of [first, end) have reached, or who ended.
bool release(size_t first, size_t end, State barrier) {
    bool waiting = false;
    for (size_t i = first; i < end; i++) {
        State state = block->fibers[i].state;
        if (state != barrier && state != State::Done)
            return false;
        waiting |= state == barrier;
    }
    if (waiting)
        for (size_t i = first; i < end; i++)
            if (block->fibers[i].state == barrier)
                block->fibers[i].state = State::Ready;
    return waiting;
}

// Runs the fibers [first, end) of a warp until none can go on by itself; true where all have ended.
bool run_warp(Block &own, size_t first, size_t end) {
    bool done;
    do {
        done = true;
        for (size_t i = first; i < end; i++) {
            Fiber &fiber = own.fibers[i];
            if (fiber.state == State::Ready) {
                own.running = i;
                threadIdx = fiber.index;
                to_fiber(fiber);
            }
            done &= fiber.state == State::Done;
        }
    } while (release(first, end, State::AtWarp));
    return done;
}

bool run_block(uint3 shape, const sim::Task &task) {
    Block &own = *block;
    own.task = &task;
    own.threads = size_t(shape.x) * shape.y * shape.z;
    own.votes = own.voted = 0;
    while (own.fibers.size() < own.threads) {
        void *stack = mmap(nullptr, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (stack == MAP_FAILED)
            return false;
        own.fibers.push_back(Fiber{});
        own.fibers.back().stack = static_cast<char *>(stack);
    }
    own.lanes.assign((own.threads + 31) / 32 * 32, 0);
    for (unsigned i = 0; i < own.threads; i++) {
        own.fibers[i].index = {i % shape.x, i / shape.x % shape.y, i / shape.x / shape.y};
        begin(own.fibers[i]);
    }
    for (;;) {
        bool done = true;
        for (size_t first = 0; first < own.threads; first += 32)
            done &= run_warp(own, first, std::min(first + 32, own.threads));
        if (done)
            return true;
        if (!release(0, own.threads, State::AtBlock))
            return false;
        own.voted = own.votes;
        own.votes = 0;
    }
}
} // namespace

namespace sim {
int block_barrier(int vote) {
    block->votes |= vote != 0;
    return wait(State::AtBlock);
}
void warp_barrier() { wait(State::AtWarp); }
uint64_t *lanes() { return &block->lanes[block->running / 32 * 32]; }
unsigned lane() { return block->running % 32; }

bool run_grid(uint3 grid, uint3 shape, const Task &task) {
    const size_t blocks = size_t(grid.x) * grid.y * grid.z;
    std::atomic<size_t> next{0};
    std::atomic<bool> fine{true};
    auto work = [&] {
        auto own = take_block();
        block = own.get();
        blockDim = shape;
        gridDim = grid;
        for (size_t i; fine && (i = next++) < blocks;) {
            blockIdx = {unsigned(i % grid.x), unsigned(i / grid.x % grid.y), unsigned(i / grid.x / grid.y)};
            if (!run_block(shape, task))
                fine = false;
        }
        block = nullptr;
        give_back(std::move(own));
    };
    size_t workers = std::min<size_t>(std::max(1u, std::thread::hardware_concurrency()), blocks);
    std::vector<std::thread> threads;
    for (size_t i = 1; i < workers; i++)
        threads.emplace_back(work);
    work();
    for (auto &thread : threads)
        thread.join();
    return fine;
}
} // namespace sim
