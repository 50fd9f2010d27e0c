//! The calls of the driver, each wrapped so that the rest of the backend is safe code.
#![allow(unsafe_code)] // The driver is a C library.

use cudarc::driver::sys::{self, CUdevice_attribute_enum as Asked};
use cudarc::driver::{DriverError, result};
use std::ffi::{CStr, c_void};

/// What a driver call may answer.
pub type Told<T> = Result<T, String>;

/// In words, with the driver's own name for it.
fn told(doing: &'static str) -> impl Fn(DriverError) -> String {
    move |error| format!("the CUDA driver cannot {doing}: {:?}", error.0)
}

/// True where the driver says that memory is short.
fn is_short(error: &DriverError) -> bool {
    error.0 == sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY
}

/// Every function that is called here: one that the driver lacks would be a panic.
const CALLED: [&CStr; 30] = [
    c"cuInit",
    c"cuDriverGetVersion",
    c"cuDeviceGetCount",
    c"cuDeviceGet",
    c"cuDeviceGetName",
    c"cuDeviceGetAttribute",
    c"cuDevicePrimaryCtxRetain",
    c"cuDevicePrimaryCtxRelease_v2",
    c"cuCtxSetCurrent",
    c"cuMemGetInfo_v2",
    c"cuMemAlloc_v2",
    c"cuMemFree_v2",
    c"cuMemHostAlloc",
    c"cuMemFreeHost",
    c"cuMemcpyHtoDAsync_v2",
    c"cuMemcpyDtoHAsync_v2",
    c"cuMemcpyDtoDAsync_v2",
    c"cuMemsetD8Async",
    c"cuStreamCreate",
    c"cuStreamSynchronize",
    c"cuStreamDestroy_v2",
    c"cuEventCreate",
    c"cuEventRecord",
    c"cuEventSynchronize",
    c"cuEventDestroy_v2",
    c"cuModuleLoadData",
    c"cuModuleGetFunction",
    c"cuLaunchKernel",
    c"cuGetErrorName",
    c"cuGetErrorString",
];

/// Loads the driver, once per process, and tells its version (12040 is 12.4).
pub fn start() -> Told<i32> {
    // SAFETY: loading a system library runs its initialisers; the driver's are made for that.
    if !unsafe { sys::is_culib_present() } {
        return Err("no CUDA driver on this machine (libcuda.so.1 was not found)".into());
    }
    // SAFETY: the library is there, so this cannot panic.
    let library = unsafe { sys::culib() };
    for name in CALLED {
        // SAFETY: the symbol is looked up, never called through this type.
        if unsafe { library.get::<unsafe extern "C" fn()>(name.to_bytes_with_nul()) }.is_err() {
            let name = name.to_string_lossy();
            return Err(format!("the CUDA driver is too old: it has no {name}; install driver 550 or newer"));
        }
    }
    result::init().map_err(told("start"))?;
    let mut version = 0;
    // SAFETY: a plain out parameter.
    unsafe { sys::cuDriverGetVersion(&mut version) }.result().map_err(told("tell its version"))?;
    Ok(version)
}

/// Devices of the machine.
pub fn count() -> Told<i32> {
    result::device::get_count().map_err(told("count devices"))
}

/// Facts that the driver knows of a device.
#[derive(Debug, Clone, Copy)]
pub enum Attribute {
    /// Of the compute capability.
    Major,
    /// Of the compute capability.
    Minor,
    /// kHz.
    Clock,
    /// How many.
    Multiprocessors,
    /// kHz.
    MemoryClock,
    /// Bits.
    BusWidth,
}

/// The primary context of one device, held while this lives.
pub struct Context {
    device: sys::CUdevice,
    context: sys::CUcontext,
}

// SAFETY: a context is a handle that any thread may make current; the driver does the locking.
unsafe impl Send for Context {}
// SAFETY: as above.
unsafe impl Sync for Context {}

impl Context {
    /// That of device `ordinal`.
    pub fn new(ordinal: i32) -> Told<Self> {
        let device = result::device::get(ordinal).map_err(told("open a device"))?;
        // SAFETY: the device is one that the driver just gave.
        let context =
            unsafe { result::primary_ctx::retain(device) }.map_err(told("make a context on a device"))?;
        Ok(Context { device, context })
    }

    /// Makes it the calling thread's.
    pub fn enter(&self) -> Told<()> {
        // SAFETY: the context is retained until drop.
        unsafe { result::ctx::set_current(self.context) }.map_err(told("use a context"))
    }

    /// The device's name.
    pub fn name(&self) -> Told<String> {
        result::device::get_name(self.device).map_err(told("name a device"))
    }

    /// One of its facts.
    pub fn attribute(&self, attribute: Attribute) -> Told<i32> {
        let asked = match attribute {
            Attribute::Major => Asked::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR,
            Attribute::Minor => Asked::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR,
            Attribute::Clock => Asked::CU_DEVICE_ATTRIBUTE_CLOCK_RATE,
            Attribute::Multiprocessors => Asked::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT,
            Attribute::MemoryClock => Asked::CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE,
            Attribute::BusWidth => Asked::CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH,
        };
        // SAFETY: a plain out parameter.
        unsafe { result::device::get_attribute(self.device, asked) }.map_err(told("describe a device"))
    }

    /// Free and total memory, bytes.
    pub fn memory(&self) -> Told<(u64, u64)> {
        self.enter()?;
        let (free, total) = result::mem_get_info().map_err(told("tell its free memory"))?;
        Ok((free as u64, total as u64))
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: retained in `new`; nothing is to be done about a refusal.
        let _ = unsafe { result::primary_ctx::release(self.device) };
    }
}

/// Device memory; whoever holds it frees it with the context current.
#[derive(Debug)]
pub struct Memory {
    pub at: u64,
}

impl Memory {
    /// `bytes` of it, or `None` where the device has no more.
    pub fn new(bytes: u64) -> Told<Option<Self>> {
        // SAFETY: a context is current.
        match unsafe { result::malloc_sync(bytes as usize) } {
            Ok(at) => Ok(Some(Memory { at })),
            Err(error) if is_short(&error) => Ok(None),
            Err(error) => Err(told("allocate memory")(error)),
        }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: allocated in `new`, freed once; the queue waits for its work before.
        let _ = unsafe { result::memory_free(self.at) };
    }
}

/// Host memory that the device reads and writes directly.
pub struct Pinned {
    at: *mut u8,
    bytes: usize,
}

// SAFETY: plain memory with one owner.
unsafe impl Send for Pinned {}

impl Pinned {
    /// `bytes` of it, zeroed.
    pub fn new(bytes: usize) -> Told<Self> {
        // SAFETY: a context is current; the memory is zeroed before anything reads it.
        unsafe {
            let at = result::malloc_host(bytes, 0).map_err(told("pin memory"))?.cast::<u8>();
            at.write_bytes(0, bytes);
            Ok(Pinned { at, bytes })
        }
    }

    /// Its content. No copy that touches it may be under way.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: allocated with this length and initialised; the caller waited for copies.
        unsafe { std::slice::from_raw_parts_mut(self.at, self.bytes) }
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // SAFETY: from `malloc_host`, freed once.
        let _ = unsafe { result::free_host(self.at.cast::<c_void>()) };
    }
}

/// A place in a stream.
pub struct Event(sys::CUevent);

// SAFETY: a handle; the driver does the locking.
unsafe impl Send for Event {}

impl Event {
    /// Not recorded yet, which counts as passed.
    pub fn new() -> Told<Self> {
        let flags = sys::CUevent_flags::CU_EVENT_DISABLE_TIMING;
        result::event::create(flags).map(Event).map_err(told("make an event"))
    }

    /// Waits until the stream has passed it.
    pub fn wait(&self) -> Told<()> {
        // SAFETY: the event lives.
        unsafe { result::event::synchronize(self.0) }.map_err(told("finish its work"))
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: created in `new`, destroyed once.
        let _ = unsafe { result::event::destroy(self.0) };
    }
}

/// A loaded module. It stays loaded as long as its context.
#[derive(Debug, Clone, Copy)]
pub struct Module(sys::CUmodule);

// SAFETY: a handle; the driver does the locking.
unsafe impl Send for Module {}

/// A kernel of a module.
#[derive(Debug, Clone, Copy)]
pub struct Function(sys::CUfunction);

// SAFETY: a handle; the driver does the locking.
unsafe impl Send for Function {}

impl Module {
    /// Loads PTX.
    pub fn new(ptx: &CStr) -> Told<Self> {
        // SAFETY: the image is text with a NUL at its end; a context is current.
        unsafe { result::module::load_data(ptx.as_ptr().cast()) }
            .map(Module)
            .map_err(told("load compiled kernels"))
    }

    /// One of its kernels.
    pub fn function(&self, name: &str) -> Told<Function> {
        let name = std::ffi::CString::new(name).map_err(|_| "a kernel's name holds a NUL".to_owned())?;
        // SAFETY: modules are never unloaded.
        unsafe { result::module::get_function(self.0, name) }.map(Function).map_err(told("find a kernel"))
    }
}

/// An ordered list of work.
pub struct Stream(sys::CUstream);

// SAFETY: a handle; the driver does the locking.
unsafe impl Send for Stream {}

impl Stream {
    /// Nothing in it.
    pub fn new() -> Told<Self> {
        let kind = result::stream::StreamKind::NonBlocking;
        result::stream::create(kind).map(Stream).map_err(told("make a stream"))
    }

    /// Waits for all of its work.
    pub fn wait(&self) -> Told<()> {
        // SAFETY: the stream lives.
        unsafe { result::stream::synchronize(self.0) }.map_err(told("finish its work"))
    }

    /// Marks this place.
    pub fn record(&self, event: &Event) -> Told<()> {
        // SAFETY: both live, in the same context.
        unsafe { result::event::record(event.0, self.0) }.map_err(told("mark its work"))
    }

    /// Copies the first `bytes` of `from` to the device. `from` must be left alone until an event
    /// recorded after this has passed.
    pub fn upload(&self, to: u64, from: &Pinned, bytes: usize) -> Told<()> {
        // SAFETY: the caller's stretch lies in an allocation; the pinned memory outlives the copy,
        // because whoever owns it waits for the stream before it is dropped.
        let from = unsafe { std::slice::from_raw_parts(from.at, bytes.min(from.bytes)) };
        // SAFETY: as above.
        unsafe { result::memcpy_htod_async(to, from, self.0) }.map_err(told("copy to the device"))
    }

    /// Copies `bytes` from the device to the front of `to`, likewise.
    pub fn download(&self, to: &mut Pinned, from: u64, bytes: usize) -> Told<()> {
        let bytes = bytes.min(to.bytes);
        let to = &mut to.bytes_mut()[..bytes];
        // SAFETY: the caller's stretch lies in an allocation; the pinned memory outlives the copy.
        unsafe { result::memcpy_dtoh_async(to, from, self.0) }.map_err(told("copy from the device"))
    }

    /// Copies within the device.
    pub fn copy(&self, to: u64, from: u64, bytes: u64) -> Told<()> {
        // SAFETY: both stretches lie in allocations, which the caller checked.
        unsafe { result::memcpy_dtod_async(to, from, bytes as usize, self.0) }
            .map_err(told("copy on the device"))
    }

    /// Fills with zeros.
    pub fn zero(&self, at: u64, bytes: u64) -> Told<()> {
        // SAFETY: the stretch lies in an allocation, which the caller checked.
        unsafe { result::memset_d8_async(at, 0, bytes as usize, self.0) }.map_err(told("clear memory"))
    }

    /// Starts a kernel; `arguments` point to one value each, as its signature wants them.
    pub fn launch(
        &self,
        function: Function,
        (groups, threads): ([u32; 3], [u32; 3]),
        arguments: &mut [*mut c_void],
    ) -> Told<()> {
        let (grid, block) = ((groups[0], groups[1], groups[2]), (threads[0], threads[1], threads[2]));
        // SAFETY: number and sizes of the arguments are those the kernel declares (`Kernel`); the
        // driver copies them before it returns.
        unsafe { result::launch_kernel(function.0, grid, block, 0, self.0, arguments) }
            .map_err(told("start a kernel"))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // SAFETY: created in `new`, destroyed once.
        let _ = unsafe { result::stream::destroy(self.0) };
    }
}
