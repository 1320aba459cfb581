//! The program's allocator: the system's, with a count of the bytes that are allocated, and an end
//! for a run that takes far more than it may.
//!
//! Most of what a script takes is allocated inside of rhai, out of sight of the functions that check
//! the budget first. The count is what the budget is compared with at every step of a script. What
//! one step takes beyond it, as a function of rhai's own might, ends the process with the same
//! error, since an allocation can't fail in any other way.

#![allow(
    unsafe_code,
    reason = "an allocator is an unsafe trait, and it can say and end nothing but through C"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::Relaxed};

/// Counts what is allocated. A program that runs strangers' scripts makes it its own:
///
/// ```
/// #[global_allocator]
/// static ALLOCATOR: avec::run::CountingAllocator = avec::run::CountingAllocator;
/// # fn main() {}
/// ```
///
/// Without it, only what avec's own functions announce is held against a run's budget.
#[derive(Debug, Default)]
pub struct CountingAllocator;

/// Bytes that are allocated, but for what the threads have not passed on yet.
static ALLOCATED: AtomicI64 = AtomicI64::new(0);
/// Bytes of packed weights, which are mapped past the allocator.
static WEIGHTS: AtomicI64 = AtomicI64::new(0);
/// No allocation takes the count beyond this.
static CEILING: AtomicI64 = AtomicI64::new(i64::MAX);
/// What is said when one would.
static LAST_WORDS: OnceLock<String> = OnceLock::new();
static ENDING: AtomicBool = AtomicBool::new(false);

/// A thread passes its count on when it has this many bytes.
const BATCH: i64 = 64 << 10;
/// An allocation that is compared with the ceiling before it is made.
const LARGE: usize = 1 << 20;

thread_local! {
    // No destructor, and no memory: it is used while memory is allocated.
    static PENDING: Cell<i64> = const { Cell::new(0) };
}

/// Bytes that are allocated, without weights.
pub(super) fn allocated() -> u64 {
    ALLOCATED.load(Relaxed).max(0).cast_unsigned()
}

/// Bytes of packed weights.
pub(super) fn weights() -> u64 {
    WEIGHTS.load(Relaxed).max(0).cast_unsigned()
}

/// Counts packed weights that are mapped, or no longer, with a negative number.
pub(crate) fn count_weights(bytes: i64) {
    WEIGHTS.fetch_add(bytes, Relaxed);
}

/// Ends the process with these words and status 1 rather than let the count go beyond `bytes`.
pub(super) fn set_ceiling(bytes: u64, last_words: String) {
    if LAST_WORDS.set(last_words).is_ok() {
        CEILING.store(i64::try_from(bytes).unwrap_or(i64::MAX), Relaxed);
    }
}

#[inline]
fn count(bytes: i64) {
    let due = PENDING.try_with(|pending| {
        let sum = pending.get() + bytes;
        let due = if sum.abs() < BATCH { 0 } else { sum };
        pending.set(sum - due);
        due
    });
    match due {
        Ok(0) => {}
        Ok(due) => pass_on(due),
        // The thread is ending.
        Err(_) => pass_on(bytes),
    }
}

fn pass_on(bytes: i64) {
    let sum = ALLOCATED.fetch_add(bytes, Relaxed) + bytes;
    if bytes > 0 && sum > CEILING.load(Relaxed) {
        end();
    }
}

/// Before `size` bytes are allocated. What can't fit is not asked of the system.
#[inline]
fn check(size: usize) {
    if size >= LARGE {
        let size = i64::try_from(size).unwrap_or(i64::MAX);
        let sum = ALLOCATED.load(Relaxed).saturating_add(size);
        if sum > CEILING.load(Relaxed) {
            end();
        }
    }
}

/// After the system has given nothing.
#[cold]
fn refused() {
    if LAST_WORDS.get().is_some() {
        end();
    }
}

/// Says the last words and ends the process. Allocates nothing, and nothing is unwound.
#[cold]
fn end() -> ! {
    let words = LAST_WORDS.get().map_or("", String::as_str);
    end_with(words)
}

/// Ends the process with these words on stderr and status 1, from any place and any state.
pub(super) fn end_with(words: &str) -> ! {
    if ENDING.swap(true, Relaxed) {
        // Another thread has the word; the process ends under this one.
        loop {
            std::hint::spin_loop();
        }
    }
    // SAFETY: the text is whole and outlives the call, and neither function returns to anything
    // that relies on what they change.
    unsafe {
        libc::write(2, words.as_ptr().cast(), words.len() as _);
        libc::_exit(1)
    }
}

// SAFETY: every call goes on to the system's allocator with the same arguments, and what that gives
// is given back unchanged; the count beside it touches no memory of the caller's and does not
// unwind.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        check(layout.size());
        // SAFETY: the caller keeps the contract of this very function.
        let place = unsafe { System.alloc(layout) };
        if place.is_null() {
            refused();
        } else {
            count(layout.size() as i64);
        }
        place
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        check(layout.size());
        // SAFETY: the caller keeps the contract of this very function.
        let place = unsafe { System.alloc_zeroed(layout) };
        if place.is_null() {
            refused();
        } else {
            count(layout.size() as i64);
        }
        place
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of this very function.
        unsafe { System.dealloc(place, layout) };
        count(-(layout.size() as i64));
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        check(size.saturating_sub(layout.size()));
        // SAFETY: the caller keeps the contract of this very function.
        let moved = unsafe { System.realloc(place, layout, size) };
        if moved.is_null() {
            refused();
        } else {
            count(size as i64 - layout.size() as i64);
        }
        moved
    }
}
