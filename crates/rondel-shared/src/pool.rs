//! The pool: memory blocks that were given back and wait, by size, for the next use on their thread.
//!
//! It knows sizes and nothing of what is in a block.
//!
//! # Invariants
//! - P1: A block in a list is owned by the list alone, came from the global allocator with the layout of its class, and its first
//!   word names the next one of the list.
//! - P2: A layout belongs to the same class, or to none, when it is taken and when it is given back: `class_of` is a function of
//!   the layout.
//! - P3: No code but the global allocator's runs inside an operation.

#![allow(
    unsafe_code,
    reason = "memory is taken from and given back to the global allocator"
)]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::Cell;
use std::ptr::NonNull;

/// Sizes are rounded up to a multiple of this: a general allocator that keeps a word beside each block, and rounds both up to two
/// words, wastes least on an odd number of words.
const GRAIN: usize = 8;

/// The alignment of all recycled blocks, and the greatest that one may need.
const ALIGN: usize = 16;

/// Blocks above this size are not recycled.
const LARGEST: usize = 1024;

/// How many bytes wait in the lists of one thread at most; what is given back beyond goes to the global allocator.
const KEPT_BYTES: usize = 256 << 20;

/// How many bytes [`trim`] leaves.
const TRIMMED_BYTES: usize = 4 << 20;

/// How many blocks [`trim`] gives back at most.
const TRIMMED_AT_ONCE: usize = 256;

/// The blocks of one thread.
struct Pool {
    /// The first block of each class.
    first: [Cell<Option<NonNull<Free>>>; LARGEST / GRAIN],
    kept: Cell<usize>,
}

/// What a block holds while it waits (P1).
struct Free {
    next: Option<NonNull<Free>>,
}

thread_local! {
    /// Without a destructor, which would be asked for at every look.
    static POOL: Pool = const {
        Pool {
            first: [const { Cell::new(None) }; LARGEST / GRAIN],
            kept: Cell::new(0),
        }
    };

    /// Closes the pool at the end of the thread, if the thread has ever had a block of it.
    static END: End = const { End };
}

/// The end of a thread.
struct End;

impl Drop for End {
    fn drop(&mut self) {
        POOL.with(Pool::close);
    }
}

/// The class of a layout; `None` for one that is not recycled (P2).
#[inline]
const fn class_of(layout: Layout) -> Option<usize> {
    // Under Miri every block goes back at once, so that it sees what is used after that.
    if layout.size() == 0 || layout.size() > LARGEST || layout.align() > ALIGN || cfg!(miri) {
        return None;
    }
    Some((layout.size() - 1) / GRAIN)
}

/// The layout of the blocks of a class.
#[inline]
const fn layout_of(class: usize) -> Layout {
    match Layout::from_size_align((class + 1) * GRAIN, ALIGN) {
        Ok(layout) => layout,
        Err(_) => unreachable!(),
    }
}

/// Gives a block that is large and aligned enough for `layout`, which must not be of size 0.
#[inline]
pub(crate) fn take(layout: Layout) -> NonNull<u8> {
    debug_assert!(layout.size() > 0, "a block holds at least its counts");
    let Some(class) = class_of(layout) else {
        return allocate(layout);
    };
    let recycled = POOL.with(|pool| {
        let block = pool.first[class].get()?;
        // SAFETY: the block belongs to the list and holds a `Free` (P1).
        let next = unsafe { block.as_ref() }.next;
        pool.first[class].set(next);
        pool.kept.set(pool.kept.get() - layout_of(class).size());
        Some(block.cast())
    });
    match recycled {
        Some(block) => block,
        None => allocate_class(class),
    }
}

/// Takes back a block that [`take`] gave for this layout.
///
/// # Safety
/// The block was given for the same layout, and nobody uses it any more.
#[inline]
pub(crate) unsafe fn give_back(block: NonNull<u8>, layout: Layout) {
    let Some(class) = class_of(layout) else {
        // SAFETY: it is the caller's promise, and such a layout is allocated as it is.
        return unsafe { dealloc(block.as_ptr(), layout) };
    };
    let size = layout_of(class).size();
    let kept = POOL.with(|pool| {
        if pool.kept.get() + size > KEPT_BYTES {
            return false;
        }
        let free = block.cast::<Free>();
        let next = pool.first[class].get();
        // SAFETY: the block is ours from now on, and large and aligned enough: a class is at least one grain (P1).
        unsafe { free.write(Free { next }) };
        pool.first[class].set(Some(free));
        pool.kept.set(pool.kept.get() + size);
        true
    });
    if !kept {
        // SAFETY: the caller's promise; blocks of a class are allocated with its layout (P1).
        unsafe { dealloc(block.as_ptr(), layout_of(class)) };
    }
}

/// Gives some of the blocks that wait on this thread back to the global allocator, if there are many.
///
/// For a moment in which there is nothing else to do: what a rush of tasks took is given back bit by bit in those that follow it. A
/// call takes some microseconds at most, and next to nothing where less than 4 MiB wait.
#[inline]
pub fn trim() {
    POOL.with(|pool| {
        if pool.kept.get() > TRIMMED_BYTES {
            pool.trim();
        }
    });
}

impl Pool {
    #[cold]
    fn trim(&self) {
        let classes = self.first.iter().enumerate().rev();
        let mut left = TRIMMED_AT_ONCE;
        for (class, first) in classes {
            while left > 0
                && self.kept.get() > TRIMMED_BYTES
                && let Some(block) = first.get()
            {
                // SAFETY: the block belongs to the list and holds a `Free` (P1).
                first.set(unsafe { block.as_ref() }.next);
                self.kept.set(self.kept.get() - layout_of(class).size());
                // SAFETY: it is out of the list, and was allocated with the layout of its class (P1).
                unsafe { dealloc(block.as_ptr().cast(), layout_of(class)) };
                left -= 1;
            }
        }
    }

    /// Gives all blocks back, and keeps none from now on.
    fn close(&self) {
        for (class, first) in self.first.iter().enumerate() {
            let mut next = first.take();
            while let Some(block) = next {
                // SAFETY: the block belongs to the list and holds a `Free` (P1).
                next = unsafe { block.as_ref() }.next;
                // SAFETY: it is out of the list, and was allocated with the layout of its class (P1).
                unsafe { dealloc(block.as_ptr().cast(), layout_of(class)) };
            }
        }
        self.kept.set(KEPT_BYTES);
    }
}

/// A new block, which may come to the pool some time.
#[inline(never)]
fn allocate_class(class: usize) -> NonNull<u8> {
    // At the end of a thread the pool is closed.
    let _ = END.try_with(|_| ());
    allocate(layout_of(class))
}

#[inline(never)]
fn allocate(layout: Layout) -> NonNull<u8> {
    // SAFETY: the size is not 0: a class is at least one grain, and the caller of `take` promises it for the others.
    let block = unsafe { alloc(layout) };
    NonNull::new(block).unwrap_or_else(|| handle_alloc_error(layout))
}

/// Not under Miri, where nothing is recycled.
#[cfg(test)]
#[cfg(not(miri))]
mod tests {
    use super::*;

    fn layout(size: usize) -> Layout {
        Layout::from_size_align(size, 8).unwrap()
    }

    #[test]
    fn a_block_that_is_given_back_is_the_next_of_its_class() {
        let first = take(layout(40));
        let second = take(layout(40));
        assert_ne!(first, second);
        // SAFETY: the blocks are not used any more.
        unsafe { give_back(first, layout(40)) };
        assert_ne!(take(layout(49)), first, "another class");
        assert_eq!(take(layout(33)), first, "the same class");
        assert_ne!(take(layout(40)), first, "it is taken");
    }

    #[test]
    fn what_is_large_or_strictly_aligned_is_not_recycled() {
        assert_eq!(class_of(layout(LARGEST + 1)), None);
        assert_eq!(class_of(Layout::from_size_align(64, 64).unwrap()), None);
        assert_eq!(class_of(layout(1)), Some(0));
        assert_eq!(class_of(layout(LARGEST)), Some(LARGEST / GRAIN - 1));
        for class in 0..LARGEST / GRAIN {
            assert_eq!(class_of(layout_of(class)), Some(class));
        }
    }

    fn kept() -> usize {
        POOL.with(|pool| pool.kept.get())
    }

    #[test]
    fn trimming_leaves_what_is_little_and_is_done_in_small_steps() {
        let many = 2 * TRIMMED_BYTES / LARGEST;
        let blocks: Vec<_> = (0..many).map(|_| take(layout(LARGEST))).collect();
        for block in blocks {
            // SAFETY: the blocks are not used any more.
            unsafe { give_back(block, layout(LARGEST)) };
        }
        assert_eq!(kept(), 2 * TRIMMED_BYTES);
        trim();
        assert_eq!(kept(), 2 * TRIMMED_BYTES - TRIMMED_AT_ONCE * LARGEST);
        for _ in 0..many {
            trim();
        }
        assert_eq!(kept(), TRIMMED_BYTES);
    }
}
