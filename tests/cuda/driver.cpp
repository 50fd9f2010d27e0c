// A CUDA driver for tests: the calls that nissl makes, over fibers instead of a device. Kernels are
// those compiled in from src/kernels (see build.sh); a loaded PTX only says which of them there are,
// and its parameter sizes must be theirs.
//
// Work of a stream is put off until someone waits for it, so what is overwritten too early shows.
// Device memory starts as NaN bits and ends at a page that no one may touch.
//
//   NISSL_SIM_CUDA_DEVICES=N          devices (1)
//   NISSL_SIM_CUDA_MEMORY=BYTES       memory of each (4 GiB)
//   NISSL_SIM_CUDA_FAIL_ALLOCATION=N  the N-th allocation fails; N+ : all from the N-th on
//   NISSL_SIM_CUDA_FAIL_LAUNCH=NAME:N launches of this kernel fail from the N-th on
//   NISSL_SIM_CUDA_LOG=FILE           counts as JSON when the process ends
#include "fibers.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <sys/mman.h>
#include <unistd.h>

namespace {
enum Result {
    SUCCESS = 0,
    INVALID_VALUE = 1,
    OUT_OF_MEMORY = 2,
    NOT_INITIALIZED = 3,
    NO_DEVICE = 100,
    INVALID_DEVICE = 101,
    INVALID_IMAGE = 200,
    INVALID_CONTEXT = 201,
    INVALID_HANDLE = 400,
    NOT_FOUND = 500,
    LAUNCH_FAILED = 719,
};

std::map<std::string, sim::Kernel> &kernels() {
    static std::map<std::string, sim::Kernel> all;
    return all;
}

uint64_t number(const char *name, uint64_t otherwise) {
    const char *text = std::getenv(name);
    return text && *text ? std::strtoull(text, nullptr, 10) : otherwise;
}

struct Allocation {
    char *base;
    size_t mapped, bytes;
};

struct Device {
    std::mutex lock;
    std::map<uint64_t, Allocation> allocations;
    uint64_t used = 0, peak = 0, allocated = 0;
    int contexts = 0;
};

struct Event {
    struct Stream *stream = nullptr;
    uint64_t place = 0;
    double time = 0;
};

struct Stream {
    Device *device;
    std::mutex lock;
    std::deque<sim::Task> tasks;
    uint64_t put = 0, done = 0;
    bool failed = false;

    void push(sim::Task task) {
        std::lock_guard<std::mutex> guard(lock);
        tasks.push_back(std::move(task));
        put++;
    }
    Result run_to(uint64_t place) {
        std::lock_guard<std::mutex> guard(lock);
        while (done < place && !tasks.empty()) {
            sim::Task task = std::move(tasks.front());
            tasks.pop_front();
            task();
            done++;
        }
        return failed ? LAUNCH_FAILED : SUCCESS;
    }
};

struct Function {
    std::string name;
    const sim::Kernel *kernel;
};

struct Module {
    // Entry to the sizes of its parameters.
    std::map<std::string, std::vector<size_t>> entries;
    std::map<std::string, std::unique_ptr<Function>> functions;
};

std::mutex counting;
std::map<std::string, uint64_t> launches, launches_of_device;
uint64_t uploaded, downloaded, copied, allocations;
bool initialised;
std::deque<Device> &devices() {
    static std::deque<Device> all(number("NISSL_SIM_CUDA_DEVICES", 1));
    return all;
}
thread_local Device *current;

uint64_t memory() { return number("NISSL_SIM_CUDA_MEMORY", uint64_t(4) << 30); }

bool fails(uint64_t nth) {
    const char *text = std::getenv("NISSL_SIM_CUDA_FAIL_ALLOCATION");
    if (!text || !*text)
        return false;
    char *end = nullptr;
    uint64_t from = std::strtoull(text, &end, 10);
    return *end == '+' ? nth >= from : nth == from;
}

bool launch_fails(const std::string &kernel) {
    const char *text = std::getenv("NISSL_SIM_CUDA_FAIL_LAUNCH");
    const std::string named = text ? text : "";
    const size_t colon = named.find(':');
    return colon != std::string::npos && named.substr(0, colon) == kernel &&
           launches[kernel] + 1 >= std::strtoull(named.c_str() + colon + 1, nullptr, 10);
}

struct Log {
    ~Log() {
        const char *path = std::getenv("NISSL_SIM_CUDA_LOG");
        FILE *file = path && *path ? std::fopen(path, "w") : nullptr;
        if (!file)
            return;
        uint64_t peak = 0, left = 0;
        for (auto &device : devices()) {
            peak = std::max(peak, device.peak);
            left += device.used;
        }
        std::fprintf(file, "{\"uploaded\":%lu,\"downloaded\":%lu,\"copied\":%lu,\"allocations\":%lu,", uploaded,
                     downloaded, copied, allocations);
        std::fprintf(file, "\"peak_bytes\":%lu,\"bytes_left\":%lu,\"launches\":{", peak, left);
        const char *comma = "";
        for (auto &[name, count] : launches) {
            std::fprintf(file, "%s\"%s\":%lu", comma, name.c_str(), count);
            comma = ",";
        }
        std::fprintf(file, "},\"launches_of_device\":[");
        for (size_t i = 0; i < devices().size(); i++)
            std::fprintf(file, "%s%lu", i ? "," : "", launches_of_device[std::to_string(i)]);
        std::fprintf(file, "]}\n");
        std::fclose(file);
    }
} log_at_end;

size_t index_of(Device *device) {
    for (size_t i = 0; i < devices().size(); i++)
        if (&devices()[i] == device)
            return i;
    return 0;
}

void count(uint64_t &what, uint64_t by) {
    std::lock_guard<std::mutex> guard(counting);
    what += by;
}

// True where [at, at + bytes) lies in one allocation of `device`.
bool holds(Device *device, uint64_t at, size_t bytes) {
    std::lock_guard<std::mutex> guard(device->lock);
    auto found = device->allocations.upper_bound(at);
    if (found == device->allocations.begin())
        return false;
    --found;
    return at + bytes <= found->first + found->second.bytes;
}

Device *device_of(int ordinal) {
    return ordinal >= 0 && size_t(ordinal) < devices().size() ? &devices()[ordinal] : nullptr;
}

// Entries of a PTX and the sizes of their parameters.
std::map<std::string, std::vector<size_t>> entries_of(const std::string &ptx) {
    std::map<std::string, std::vector<size_t>> found;
    const std::string mark = ".entry ";
    for (size_t at = ptx.find(mark); at != std::string::npos; at = ptx.find(mark, at)) {
        at += mark.size();
        size_t open = ptx.find('(', at), close = ptx.find(')', at);
        if (open == std::string::npos || close == std::string::npos)
            break;
        std::string name = ptx.substr(at, ptx.find_first_of(" \t\n(", at) - at);
        std::vector<size_t> sizes;
        for (size_t p = ptx.find(".param", open); p != std::string::npos && p < close; p = ptx.find(".param", p + 6)) {
            size_t end = std::min(ptx.find(',', p), close);
            std::string text = ptx.substr(p, end - p);
            size_t array = text.find('[');
            if (array != std::string::npos)
                sizes.push_back(std::strtoul(text.c_str() + array + 1, nullptr, 10));
            else
                sizes.push_back(text.find("64") < text.find('_') ? 8 : 4);
        }
        found[name] = sizes;
    }
    return found;
}
} // namespace

namespace sim {
void add(const char *name, Kernel kernel) { kernels()[name] = std::move(kernel); }
} // namespace sim

#define API extern "C" __attribute__((visibility("default"))) int
#define NEEDS_CONTEXT                                                                                                  \
    if (!current)                                                                                                      \
    return INVALID_CONTEXT

API cuInit(unsigned) {
    if (devices().empty())
        return NO_DEVICE;
    initialised = true;
    return SUCCESS;
}
API cuDriverGetVersion(int *version) {
    *version = 12040;
    return SUCCESS;
}
API cuDeviceGetCount(int *count) {
    *count = int(devices().size());
    return initialised ? SUCCESS : NOT_INITIALIZED;
}
API cuDeviceGet(int *device, int ordinal) {
    *device = ordinal;
    return device_of(ordinal) ? SUCCESS : INVALID_DEVICE;
}
API cuDeviceGetName(char *name, int length, int device) {
    if (!device_of(device))
        return INVALID_DEVICE;
    std::snprintf(name, size_t(length), "simulated device %d", device);
    return SUCCESS;
}
API cuDeviceTotalMem_v2(size_t *bytes, int device) {
    *bytes = memory();
    return device_of(device) ? SUCCESS : INVALID_DEVICE;
}
API cuDeviceGetAttribute(int *value, int attribute, int device) {
    static const std::map<int, int> known = {
        {1, 1024}, {8, 48 << 10}, {10, 32}, {13, 1000000}, {16, 2}, {36, 1000000}, {37, 256}, {75, 8}, {76, 0}};
    auto found = known.find(attribute);
    if (!device_of(device) || found == known.end())
        return INVALID_VALUE;
    *value = found->second;
    return SUCCESS;
}
API cuDevicePrimaryCtxRetain(void **context, int ordinal) {
    Device *device = device_of(ordinal);
    if (!device)
        return INVALID_DEVICE;
    device->contexts++;
    *context = device;
    return SUCCESS;
}
API cuDevicePrimaryCtxRelease_v2(int ordinal) {
    Device *device = device_of(ordinal);
    return device && device->contexts-- > 0 ? SUCCESS : INVALID_CONTEXT;
}
API cuCtxSetCurrent(void *context) {
    current = static_cast<Device *>(context);
    return SUCCESS;
}
API cuCtxGetCurrent(void **context) {
    *context = current;
    return SUCCESS;
}

API cuMemGetInfo_v2(size_t *free, size_t *total) {
    NEEDS_CONTEXT;
    std::lock_guard<std::mutex> guard(current->lock);
    *total = memory();
    *free = memory() - current->used;
    return SUCCESS;
}
API cuMemAlloc_v2(uint64_t *pointer, size_t bytes) {
    NEEDS_CONTEXT;
    if (bytes == 0)
        return INVALID_VALUE;
    uint64_t nth;
    {
        std::lock_guard<std::mutex> guard(counting);
        nth = ++allocations;
    }
    std::lock_guard<std::mutex> guard(current->lock);
    if (fails(nth) || bytes > memory() - current->used)
        return OUT_OF_MEMORY;
    size_t page = size_t(sysconf(_SC_PAGESIZE)), rounded = (bytes + 255) / 256 * 256;
    size_t mapped = (rounded + page - 1) / page * page + page;
    void *base = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED)
        return OUT_OF_MEMORY;
    char *end = static_cast<char *>(base) + mapped - page;
    mprotect(end, page, PROT_NONE);
    std::memset(end - rounded, 0xff, rounded);
    *pointer = reinterpret_cast<uint64_t>(end - rounded);
    current->allocations[*pointer] = Allocation{static_cast<char *>(base), mapped, bytes};
    current->used += bytes;
    current->peak = std::max(current->peak, current->used);
    return SUCCESS;
}
API cuMemFree_v2(uint64_t pointer) {
    NEEDS_CONTEXT;
    std::lock_guard<std::mutex> guard(current->lock);
    auto found = current->allocations.find(pointer);
    if (found == current->allocations.end())
        return INVALID_VALUE;
    munmap(found->second.base, found->second.mapped);
    current->used -= found->second.bytes;
    current->allocations.erase(found);
    return SUCCESS;
}
API cuMemHostAlloc(void **pointer, size_t bytes, unsigned) {
    NEEDS_CONTEXT;
    *pointer = std::malloc(bytes ? bytes : 1);
    return *pointer ? SUCCESS : OUT_OF_MEMORY;
}
API cuMemFreeHost(void *pointer) {
    std::free(pointer);
    return SUCCESS;
}

API cuStreamCreate(void **stream, unsigned) {
    NEEDS_CONTEXT;
    auto made = new Stream;
    made->device = current;
    *stream = made;
    return SUCCESS;
}
API cuStreamSynchronize(void *stream) {
    auto own = static_cast<Stream *>(stream);
    return own ? own->run_to(own->put) : INVALID_HANDLE;
}
API cuStreamDestroy_v2(void *stream) {
    auto own = static_cast<Stream *>(stream);
    int result = own->run_to(own->put);
    delete own;
    return result;
}
API cuStreamWaitEvent(void *, void *event, unsigned) {
    auto own = static_cast<Event *>(event);
    return own->stream ? own->stream->run_to(own->place) : SUCCESS;
}
API cuEventCreate(void **event, unsigned) {
    *event = new Event;
    return SUCCESS;
}
API cuEventRecord(void *event, void *stream) {
    auto own = static_cast<Event *>(event);
    auto on = static_cast<Stream *>(stream);
    on->push([own] {
        auto now = std::chrono::steady_clock::now().time_since_epoch();
        own->time = std::chrono::duration<double>(now).count();
    });
    own->stream = on;
    own->place = on->put;
    return SUCCESS;
}
API cuEventSynchronize(void *event) {
    auto own = static_cast<Event *>(event);
    return own->stream ? own->stream->run_to(own->place) : SUCCESS;
}
API cuEventElapsedTime(float *milliseconds, void *from, void *to) {
    *milliseconds = float((static_cast<Event *>(to)->time - static_cast<Event *>(from)->time) * 1e3);
    return SUCCESS;
}
API cuEventDestroy_v2(void *event) {
    delete static_cast<Event *>(event);
    return SUCCESS;
}

API cuMemcpyHtoDAsync_v2(uint64_t to, const void *from, size_t bytes, void *stream) {
    auto own = static_cast<Stream *>(stream);
    if (!own || !holds(own->device, to, bytes))
        return INVALID_VALUE;
    own->push([=] { std::memcpy(reinterpret_cast<void *>(to), from, bytes); });
    count(uploaded, bytes);
    return SUCCESS;
}
API cuMemcpyDtoHAsync_v2(void *to, uint64_t from, size_t bytes, void *stream) {
    auto own = static_cast<Stream *>(stream);
    if (!own || !holds(own->device, from, bytes))
        return INVALID_VALUE;
    own->push([=] { std::memcpy(to, reinterpret_cast<void *>(from), bytes); });
    count(downloaded, bytes);
    return SUCCESS;
}
API cuMemcpyDtoDAsync_v2(uint64_t to, uint64_t from, size_t bytes, void *stream) {
    auto own = static_cast<Stream *>(stream);
    if (!own || !holds(own->device, from, bytes) || !holds(own->device, to, bytes))
        return INVALID_VALUE;
    own->push([=] { std::memmove(reinterpret_cast<void *>(to), reinterpret_cast<void *>(from), bytes); });
    count(copied, bytes);
    return SUCCESS;
}
API cuMemsetD8Async(uint64_t to, unsigned char value, size_t bytes, void *stream) {
    auto own = static_cast<Stream *>(stream);
    if (!own || !holds(own->device, to, bytes))
        return INVALID_VALUE;
    own->push([=] { std::memset(reinterpret_cast<void *>(to), value, bytes); });
    return SUCCESS;
}

API cuModuleLoadData(void **module, const void *image) {
    NEEDS_CONTEXT;
    std::string ptx(static_cast<const char *>(image));
    auto made = std::make_unique<Module>();
    made->entries = entries_of(ptx);
    if (ptx.find(".version") == std::string::npos || made->entries.empty())
        return INVALID_IMAGE;
    *module = made.release();
    return SUCCESS;
}
API cuModuleGetFunction(void **function, void *module, const char *name) {
    auto own = static_cast<Module *>(module);
    auto entry = own->entries.find(name);
    auto kernel = kernels().find(name);
    if (entry == own->entries.end() || kernel == kernels().end())
        return NOT_FOUND;
    if (entry->second != kernel->second.sizes) {
        std::fprintf(stderr, "simulated driver: parameters of %s differ between PTX and source\n", name);
        return INVALID_IMAGE;
    }
    auto &held = own->functions[name];
    if (!held)
        held = std::make_unique<Function>(Function{name, &kernel->second});
    *function = held.get();
    return SUCCESS;
}
API cuModuleUnload(void *module) {
    delete static_cast<Module *>(module);
    return SUCCESS;
}
API cuLaunchKernel(void *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                   unsigned shared, void *stream, void **values, void **extra) {
    auto own = static_cast<Stream *>(stream);
    auto what = static_cast<Function *>(function);
    bool fits = gx && gy && gz && bx && by && bz && gx <= 0x7fffffffu && gy <= 65535 && gz <= 65535 &&
                size_t(bx) * by * bz <= 1024;
    if (!own || !what || !fits || shared || extra)
        return INVALID_VALUE;
    {
        std::lock_guard<std::mutex> guard(counting);
        if (launch_fails(what->name))
            return INVALID_VALUE;
    }
    sim::Task task = what->kernel->bind(values);
    own->push([=] {
        if (!sim::run_grid({gx, gy, gz}, {bx, by, bz}, task)) {
            std::fprintf(stderr, "simulated driver: %s: not all threads of a block reach a barrier\n",
                         what->name.c_str());
            own->failed = true;
        }
    });
    std::lock_guard<std::mutex> guard(counting);
    launches[what->name]++;
    launches_of_device[std::to_string(index_of(own->device))]++;
    return SUCCESS;
}

static const char *name_of(int error) {
    switch (error) {
    case SUCCESS:
        return "CUDA_SUCCESS";
    case INVALID_VALUE:
        return "CUDA_ERROR_INVALID_VALUE";
    case OUT_OF_MEMORY:
        return "CUDA_ERROR_OUT_OF_MEMORY";
    case NO_DEVICE:
        return "CUDA_ERROR_NO_DEVICE";
    case INVALID_IMAGE:
        return "CUDA_ERROR_INVALID_IMAGE";
    case NOT_FOUND:
        return "CUDA_ERROR_NOT_FOUND";
    case LAUNCH_FAILED:
        return "CUDA_ERROR_LAUNCH_FAILED";
    default:
        return "CUDA_ERROR";
    }
}
API cuGetErrorName(int error, const char **text) {
    *text = name_of(error);
    return SUCCESS;
}
API cuGetErrorString(int error, const char **text) {
    *text = name_of(error);
    return SUCCESS;
}
