// Runs grids of kernels on CPU threads.
#pragma once

#include "sim.h"

namespace sim {
// Runs `task` for every thread of every block; false where threads of a block waited at different
// barriers for good.
bool run_grid(uint3 grid, uint3 block, const Task &task);
} // namespace sim
