//! An allocator that counts what the thread that asks allocates, grows or frees. The test harness
//! has threads of its own, which do not count.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    // A thread that ends has no counter any more.
    let _ = CALLS.try_with(|calls| calls.set(calls.get() + 1));
}

// SAFETY: all is passed on to the system's allocator; a counter is all that is added.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count();
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promise.
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Calls of the allocator by this thread so far.
pub fn calls() -> u64 {
    CALLS.with(Cell::get)
}

#[test]
fn the_allocator_counts() {
    let allocations = |work: &mut dyn FnMut()| {
        let before = calls();
        work();
        calls() - before
    };
    assert_eq!(allocations(&mut || drop(std::hint::black_box(Box::new(3)))), 2);
    let mut grown = vec![1u8; 3];
    assert_eq!(allocations(&mut || grown.reserve_exact(5000)), 1);
    assert_eq!(allocations(&mut || grown.clear()), 0);
}
