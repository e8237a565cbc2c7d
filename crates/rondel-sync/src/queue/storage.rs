//! `Storage`: what a queue keeps its values in, and which of them comes next; the two that need no comparison.
//!
//! # asyncio
//! `_init`, `_put`, `_get` and `qsize` of `Queue`, which `LifoQueue` and `PriorityQueue` override.

use std::cell::RefCell;
use std::collections::VecDeque;

/// Keeps the values of a [`BaseQueue`](crate::BaseQueue) and says which one comes out next.
///
/// Methods take `&self`, as code that they call (a comparison, a destructor) may use the queue again: an implementation holds
/// no borrow of its own meanwhile.
///
/// # Examples
/// A queue that keeps no more than the last value of a run of equal ones:
/// ```
/// use rondel_sync::{BaseQueue, Fifo, Storage};
/// use std::cell::Cell;
///
/// #[derive(Default)]
/// struct Changes {
///     last: Cell<Option<u32>>,
///     items: Fifo<u32>,
/// }
///
/// impl Storage for Changes {
///     type Item = u32;
///     const NAME: &'static str = "Changes";
///
///     fn push(&self, item: u32) {
///         if self.last.replace(Some(item)) != Some(item) {
///             self.items.push(item);
///         }
///     }
///
///     fn pop(&self) -> Option<u32> {
///         self.items.pop()
///     }
///
///     fn len(&self) -> usize {
///         self.items.len()
///     }
/// }
///
/// let queue = BaseQueue::<Changes>::new(0);
/// [1, 1, 1, 2].map(|level| queue.put_nowait(level).unwrap());
/// assert_eq!(queue.qsize(), 2);
/// ```
pub trait Storage: Default {
    /// The values.
    type Item;

    /// What the queue is called in its `Debug` text.
    const NAME: &'static str;

    /// Takes a value in.
    fn push(&self, item: Self::Item);

    /// Gives the next value out; `None` if there is none.
    fn pop(&self) -> Option<Self::Item>;

    /// Returns how many values there are.
    fn len(&self) -> usize;

    /// Returns true if there are no values.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Keeps values in the order in which they came: the storage of a [`Queue`](crate::Queue).
#[derive(Debug)]
pub struct Fifo<T>(RefCell<VecDeque<T>>);

/// Keeps values in a stack: the storage of a [`LifoQueue`](crate::LifoQueue).
#[derive(Debug)]
pub struct Lifo<T>(RefCell<Vec<T>>);

impl<T> Default for Fifo<T> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<T> Default for Lifo<T> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<T> Storage for Fifo<T> {
    type Item = T;

    const NAME: &'static str = "Queue";

    fn push(&self, item: T) {
        self.0.borrow_mut().push_back(item);
    }

    fn pop(&self) -> Option<T> {
        self.0.borrow_mut().pop_front()
    }

    fn len(&self) -> usize {
        self.0.borrow().len()
    }
}

impl<T> Storage for Lifo<T> {
    type Item = T;

    const NAME: &'static str = "LifoQueue";

    fn push(&self, item: T) {
        self.0.borrow_mut().push(item);
    }

    fn pop(&self) -> Option<T> {
        self.0.borrow_mut().pop()
    }

    fn len(&self) -> usize {
        self.0.borrow().len()
    }
}
