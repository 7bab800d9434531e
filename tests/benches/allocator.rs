//! Counts allocations, while it is asked to.

// A counting allocator can only be written with `unsafe`; this is the one place of the benches that needs it.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};

/// Off while time is measured, so that nobody pays for it.
static ON: AtomicBool = AtomicBool::new(false);

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
    static ALIVE: Cell<i64> = const { Cell::new(0) };
}

/// What was allocated.
#[derive(Clone, Copy)]
pub(crate) struct Counted {
    /// Calls of the allocator for new or larger memory.
    pub(crate) calls: u64,
    /// Octets that are still in use.
    pub(crate) alive: i64,
}

/// Runs something and counts what this thread allocates meanwhile.
pub(crate) fn counted<T>(work: impl FnOnce() -> T) -> (T, Counted) {
    let before = (CALLS.get(), ALIVE.get());
    ON.store(true, Ordering::Relaxed);
    let result = work();
    ON.store(false, Ordering::Relaxed);
    (
        result,
        Counted {
            calls: CALLS.get() - before.0,
            alive: ALIVE.get() - before.1,
        },
    )
}

fn note(calls: u64, octets: i64) {
    if ON.load(Ordering::Relaxed) {
        CALLS.set(CALLS.get() + calls);
        ALIVE.set(ALIVE.get() + octets);
    }
}

/// The system's allocator with a counter in front.
pub(crate) struct Counting;

// SAFETY: every call is handed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(1, layout.size() as i64);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        note(0, -(layout.size() as i64));
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(1, size as i64 - layout.size() as i64);
        unsafe { System.realloc(pointer, layout, size) }
    }
}
