//! `SideTable`: what a loop keeps of some of its futures, for which they have no room themselves.
//!
//! # Invariants
//! - I1: A future in the table is named by its address, and the weak handle beside it keeps that address from being given to
//!   another one.
//! - I2: What futures that have gone leave behind is swept when the table has grown to twice what the last sweep left: a
//!   constant price for each row. What goes then is memory alone, as the futures themselves have been dropped.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use crate::cell::{AnyFuture, WeakFuture};

/// The length below which the table is never swept.
const SWEEP_FROM: usize = 64;

/// A value for each of some futures.
pub(super) struct SideTable<V> {
    rows: RefCell<BTreeMap<usize, Row<V>>>,
    /// The length at which it is swept next.
    sweep_at: Cell<usize>,
}

struct Row<V> {
    value: V,
    /// See I1.
    future: WeakFuture,
}

impl<V: Default> SideTable<V> {
    /// Changes the value of a future, a new one if there was none; `f` runs no code of the user.
    pub(super) fn change(&self, future: &AnyFuture, f: impl FnOnce(&mut V)) {
        let mut rows = self.rows.borrow_mut();
        if rows.len() >= self.sweep_at.get() {
            rows.retain(|_, row| !row.future.is_gone());
            self.sweep_at.set(SWEEP_FROM.max(2 * rows.len()));
        }
        let row = rows.entry(future.address()).or_insert_with(|| Row {
            value: V::default(),
            future: future.downgrade(),
        });
        f(&mut row.value);
    }

    /// Looks at the value of the future at this address, if there is one; `f` runs no code of the user.
    pub(super) fn look<R>(&self, address: usize, f: impl FnOnce(&V) -> R) -> Option<R> {
        let rows = self.rows.borrow();
        rows.get(&address).map(|row| f(&row.value))
    }
}

impl<V> Default for SideTable<V> {
    fn default() -> Self {
        Self {
            rows: RefCell::default(),
            sweep_at: Cell::new(SWEEP_FROM),
        }
    }
}
