//! `Heap`: the storage that gives the smallest value out first.
//!
//! # Invariants
//! - I1: While values are compared, which is code of the user, the heap is out of its cell. A comparison that uses the queue
//!   finds it without the values that are there; what it puts in is sorted in afterwards.
//! - I2: A comparison that panics loses no value, though the order is then any.
//!
//! # asyncio
//! `heapq`: the very same steps, so that values which compare equal come out in CPython's order. The standard library's
//! `BinaryHeap` leaves that order open.

use std::cell::{Cell, RefCell};
use std::fmt;

use super::storage::Storage;

/// Keeps values so that the smallest comes out first: the storage of a [`PriorityQueue`](crate::PriorityQueue).
///
/// A value whose comparison uses the queue finds it empty, and what it puts in is sorted in when the comparisons are over.
pub struct Heap<T> {
    items: RefCell<Vec<T>>,
    len: Cell<usize>,
}

impl<T> Default for Heap<T> {
    fn default() -> Self {
        Self {
            items: RefCell::default(),
            len: Cell::new(0),
        }
    }
}

impl<T: Ord> Storage for Heap<T> {
    type Item = T;

    const NAME: &'static str = "PriorityQueue";

    fn push(&self, item: T) {
        self.len.set(self.len.get() + 1);
        let mut out = Out::of(self);
        push(&mut out.items, item);
        out.sort_in();
    }

    fn pop(&self) -> Option<T> {
        let mut out = Out::of(self);
        let item = pop(&mut out.items)?;
        self.len.set(self.len.get() - 1);
        out.sort_in();
        Some(item)
    }

    fn len(&self) -> usize {
        self.len.get()
    }
}

/// The values, out of their cell (I1).
struct Out<'a, T> {
    heap: &'a Heap<T>,
    items: Vec<T>,
}

impl<'a, T> Out<'a, T> {
    fn of(heap: &'a Heap<T>) -> Self {
        Self {
            heap,
            items: heap.items.take(),
        }
    }
}

impl<T: Ord> Out<'_, T> {
    /// Sorts in what comparisons have put into the cell meanwhile.
    fn sort_in(&mut self) {
        loop {
            let arrived = self.heap.items.take();
            if arrived.is_empty() {
                return;
            }
            for item in arrived {
                push(&mut self.items, item);
            }
        }
    }
}

impl<T> Drop for Out<'_, T> {
    fn drop(&mut self) {
        // What is in the cell has come during a comparison that panicked (I2).
        let arrived = self.heap.items.replace(std::mem::take(&mut self.items));
        self.heap.items.borrow_mut().extend(arrived);
    }
}

/// `heapq.heappush`.
fn push<T: Ord>(items: &mut Vec<T>, item: T) {
    let place = items.len();
    items.push(item);
    rise(items, place);
}

/// `heapq.heappop`.
fn pop<T: Ord>(items: &mut Vec<T>) -> Option<T> {
    let last = items.len().checked_sub(1)?;
    items.swap(0, last);
    let least = items.pop();
    sink(items);
    least
}

/// `heapq._siftdown`: moves the value at `place` up, past those that are greater.
fn rise<T: Ord>(items: &mut [T], mut place: usize) {
    while place > 0 {
        let parent = (place - 1) / 2;
        if items[place] >= items[parent] {
            return;
        }
        items.swap(place, parent);
        place = parent;
    }
}

/// `heapq._siftup`: moves the value at the top down to a leaf, past the smaller child each time, and up from there.
fn sink<T: Ord>(items: &mut [T]) {
    let mut place = 0;
    while let Some(child) = smaller_child(items, place) {
        items.swap(place, child);
        place = child;
    }
    rise(items, place);
}

fn smaller_child<T: Ord>(items: &[T], place: usize) -> Option<usize> {
    let (left, right) = (2 * place + 1, 2 * place + 2);
    if right < items.len() && items[left] >= items[right] {
        return Some(right);
    }
    (left < items.len()).then_some(left)
}

impl<T> fmt::Debug for Heap<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Heap")
            .field("len", &self.len.get())
            .finish_non_exhaustive()
    }
}
