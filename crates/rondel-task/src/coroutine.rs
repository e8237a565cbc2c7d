//! `CoroutineCell`: a coroutine polled in place, inside the allocation of its task, and then its value in the same place.
//!
//! It knows no task; the step decides when to poll and what an outcome means.
//!
//! ```text
//!               poll: value                  take, clear
//!  Coroutine --------------------> Value ------------------> Empty
//!      |                           |   ^                       ^
//!      |                      look v   | the look ends         |
//!      |                           Shown                       |
//!      +-------------------------------------------------------+
//!               poll: error, clear
//! ```
//!
//! # Invariants
//! - I1: The status says what is in the place. While the coroutine is polled or dropped, or a value is dropped, it is `Busy`, and
//!   the place belongs to whoever set it so: whoever comes in by re-entrance then gets `None` or `false` and touches nothing.
//! - I2: From the first poll until it is dropped the coroutine does not move: `poll` asks for a pinned cell, the cell is
//!   `!Unpin`, only a value is ever moved out, and the coroutine is dropped in place.
//! - I3: What is in the place is dropped once, by the poll that finishes the coroutine, by `clear`, or with the cell; or it is a
//!   value that `take` moves out.
//! - I4: A value that is `Shown` is neither moved nor dropped. Looks are nested, so the outermost is the last one to end.

#![allow(
    unsafe_code,
    reason = "one allocation a task instead of two, and one byte to say what is in it: a boxed coroutine costs a spawn 15 % more"
)]

use std::cell::{Cell, UnsafeCell};
use std::marker::PhantomPinned;
use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::ptr;
use std::task::{Context, Poll};

use crate::exception::{Exception, Result};

pub(crate) struct CoroutineCell<C, T> {
    status: Cell<Status>,
    place: UnsafeCell<Place<C, T>>,
    _pinned: PhantomPinned,
}

/// `repr(C)`: both lie at its beginning.
#[repr(C)]
union Place<C, T> {
    coroutine: ManuallyDrop<C>,
    value: ManuallyDrop<T>,
}

/// A byte, which beside a coroutine that is smaller than a word takes no word of its own.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Status {
    Coroutine,
    Value,
    /// Somebody looks at the value.
    Shown,
    Busy,
    Empty,
}

impl<C, T> CoroutineCell<C, T>
where
    C: Future<Output = Result<T>>,
{
    #[inline]
    pub(crate) const fn new(coroutine: C) -> Self {
        Self {
            status: Cell::new(Status::Coroutine),
            place: UnsafeCell::new(Place {
                coroutine: ManuallyDrop::new(coroutine),
            }),
            _pinned: PhantomPinned,
        }
    }

    /// Polls the coroutine; when it has finished it is dropped, and its value is in its place, or its error in `error`.
    ///
    /// `Pending` also if it is gone, or is being polled or dropped right now. The error goes another way because what is returned is
    /// to fit into a register: in memory it would be written in pieces and read as a whole, for which the processor has to wait, an
    /// eighth of the time that a task takes to yield.
    #[inline]
    pub(crate) fn poll(
        self: Pin<&Self>,
        cx: &mut Context<'_>,
        error: &mut Option<Exception>,
    ) -> Poll<()> {
        let cell = self.get_ref();
        if cell.status.get() != Status::Coroutine {
            return Poll::Pending;
        }
        // A panic leaves the coroutine where it is, to be dropped.
        let mut busy = Meanwhile::new(&cell.status, Status::Busy, Status::Coroutine);
        // SAFETY: there is a coroutine, and it is ours (I1).
        let coroutine = unsafe { &mut *cell.coroutine() };
        // SAFETY: the cell is pinned, and nothing moves the coroutine out of it until it is dropped in place (I2).
        let coroutine = unsafe { Pin::new_unchecked(coroutine) };
        let Poll::Ready(outcome) = coroutine.poll(cx) else {
            return Poll::Pending;
        };
        busy.after = Status::Empty;
        // SAFETY: the coroutine is still in the place and ours, and is not used again (I3).
        unsafe { ptr::drop_in_place(cell.coroutine()) };
        match outcome {
            Ok(value) => {
                // SAFETY: the place is ours, and what was in it is dropped.
                unsafe { cell.finished().write(value) };
                busy.after = Status::Value;
            }
            Err(exception) => *error = Some(exception),
        }
        Poll::Ready(())
    }
}

impl<C, T> CoroutineCell<C, T> {
    /// Where the coroutine is, while there is one.
    #[inline]
    fn coroutine(&self) -> *mut C {
        self.place.get().cast()
    }

    /// Where the value is, while there is one.
    #[inline]
    fn finished(&self) -> *mut T {
        self.place.get().cast()
    }

    /// Drops the coroutine in place, or the value; false if it is being polled, read or dropped right now, and nothing was done.
    pub(crate) fn clear(&self) -> bool {
        let before = self.status.get();
        let _busy = match before {
            Status::Empty => return true,
            Status::Coroutine | Status::Value => {
                Meanwhile::new(&self.status, Status::Busy, Status::Empty)
            }
            Status::Busy | Status::Shown => return false,
        };
        match before {
            // SAFETY: that is what is in the place, it is ours, and is not used again (I1, I3).
            Status::Coroutine => unsafe { ptr::drop_in_place(self.coroutine()) },
            // SAFETY: as above, and nobody reads it (I4).
            _ => unsafe { ptr::drop_in_place(self.finished()) },
        }
        true
    }

    /// Moves the value out, if there is one and nobody is reading it right now.
    pub(crate) fn take(&self) -> Option<T> {
        if self.status.get() != Status::Value {
            return None;
        }
        self.status.set(Status::Empty);
        // SAFETY: there was a value, nobody reads it, and from now on nobody finds it there (I1, I3, I4).
        Some(unsafe { self.finished().read() })
    }

    /// Shows the value, if there is one; it can be shown again meanwhile, but not taken.
    pub(crate) fn look<R>(&self, f: impl FnOnce(&T) -> R) -> Option<R> {
        let before = self.status.get();
        let (Status::Value | Status::Shown) = before else {
            return None;
        };
        let _shown = Meanwhile::new(&self.status, Status::Shown, before);
        // SAFETY: there is a value, and it stays where it is until the look ends (I4).
        Some(f(unsafe { &*self.finished() }))
    }
}

impl<C, T> Drop for CoroutineCell<C, T> {
    fn drop(&mut self) {
        // Nobody is in it: who polls, reads or drops has a borrow of the cell.
        self.clear();
    }
}

/// Gives a cell a status, and another one afterwards, also after a panic.
struct Meanwhile<'a> {
    status: &'a Cell<Status>,
    after: Status,
}

impl<'a> Meanwhile<'a> {
    #[inline]
    fn new(status: &'a Cell<Status>, meanwhile: Status, after: Status) -> Self {
        status.set(meanwhile);
        Self { status, after }
    }
}

impl Drop for Meanwhile<'_> {
    #[inline]
    fn drop(&mut self) {
        self.status.set(self.after);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::rc::Rc;
    use std::task::Waker;

    /// A coroutine that is aligned to 64 bytes, checks that it stays where it was first polled, and counts its drops.
    #[repr(align(64))]
    struct Steady {
        left: u32,
        seen_at: Option<usize>,
        drops: Rc<Cell<u32>>,
    }

    impl Future for Steady {
        type Output = Result<u32>;

        fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<u32>> {
            let here = &raw const *self as usize;
            assert_eq!(here % 64, 0, "the alignment is kept");
            assert_eq!(*self.seen_at.get_or_insert(here), here, "it does not move");
            if self.left == 0 {
                return Poll::Ready(Ok(7));
            }
            self.left -= 1;
            Poll::Pending
        }
    }

    impl Drop for Steady {
        fn drop(&mut self) {
            self.drops.set(self.drops.get() + 1);
        }
    }

    type Shared<C, T> = Pin<Rc<CoroutineCell<C, T>>>;

    fn steady(left: u32) -> (Shared<Steady, u32>, Rc<Cell<u32>>) {
        let drops = Rc::new(Cell::new(0));
        let coroutine = Steady {
            left,
            seen_at: None,
            drops: drops.clone(),
        };
        (Rc::pin(CoroutineCell::new(coroutine)), drops)
    }

    #[test]
    fn a_finished_coroutine_is_dropped_once_and_gone() {
        let (cell, drops) = steady(1);
        let mut cx = Context::from_waker(Waker::noop());
        assert_eq!(cell.as_ref().poll(&mut cx, &mut None), Poll::Pending);
        assert_eq!(cell.as_ref().poll(&mut cx, &mut None), Poll::Ready(()));
        assert_eq!(drops.get(), 1);
        assert_eq!(cell.as_ref().poll(&mut cx, &mut None), Poll::Pending);
        assert_eq!(cell.look(|value| *value), Some(7));
        assert_eq!(cell.take(), Some(7));
        assert_eq!(cell.take(), None);
        drop(cell);
        assert_eq!(drops.get(), 1);
    }

    #[test]
    fn a_value_stays_while_somebody_looks_at_it() {
        fn look(cell: &CoroutineCell<Steady, u32>, depth: u32) -> u32 {
            let again = |value: &u32| match depth {
                0 => *value,
                depth => look(cell, depth - 1),
            };
            let looked = cell.look(again).expect("it is there");
            assert!(!cell.clear() && cell.take().is_none());
            looked
        }

        let (cell, _) = steady(0);
        let mut cx = Context::from_waker(Waker::noop());
        assert_eq!(cell.as_ref().poll(&mut cx, &mut None), Poll::Ready(()));
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            cell.look(|_| -> () { panic!("no") })
        }));
        assert!(panicked.is_err());
        let seen = cell.look(|_| look(&cell, 300));
        assert_eq!(seen, Some(7));
        assert_eq!(cell.take(), Some(7));
        assert!(cell.look(|_| ()).is_none(), "it is gone");
    }

    #[test]
    fn a_cleared_coroutine_is_dropped_once() {
        let (cell, drops) = steady(5);
        let mut cx = Context::from_waker(Waker::noop());
        assert_eq!(cell.as_ref().poll(&mut cx, &mut None), Poll::Pending);
        assert!(cell.clear());
        assert_eq!(drops.get(), 1);
        assert!(cell.clear());
        drop(cell);
        assert_eq!(drops.get(), 1);
    }

    /// Polls and clears its own cell from inside its poll and from inside its drop.
    struct Reentrant(Rc<RefCell<Option<Shared<Reentrant, ()>>>>);

    impl Reentrant {
        fn come_in_again(&self) {
            if let Some(cell) = self.0.borrow().as_ref() {
                assert!(!cell.clear());
                let mut cx = Context::from_waker(Waker::noop());
                assert_eq!(cell.as_ref().poll(&mut cx, &mut None), Poll::Pending);
            }
        }
    }

    impl Future for Reentrant {
        type Output = Result<()>;

        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
            self.come_in_again();
            Poll::Ready(Ok(()))
        }
    }

    impl Drop for Reentrant {
        fn drop(&mut self) {
            self.come_in_again();
        }
    }

    #[test]
    fn re_entrance_touches_nothing() {
        let place = Rc::new(RefCell::new(None));
        let cell = Rc::pin(CoroutineCell::new(Reentrant(place.clone())));
        *place.borrow_mut() = Some(cell.clone());
        let mut cx = Context::from_waker(Waker::noop());
        assert_eq!(cell.as_ref().poll(&mut cx, &mut None), Poll::Ready(()));
        let kept = place.borrow_mut().take();
        drop(kept);
    }

    #[test]
    fn a_panicking_coroutine_can_still_be_cleared() {
        let cell = Rc::pin(CoroutineCell::new(std::future::poll_fn(
            |_| -> Poll<Result<()>> { panic!("no") },
        )));
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let mut cx = Context::from_waker(Waker::noop());
            cell.as_ref().poll(&mut cx, &mut None)
        }));
        assert!(caught.is_err());
        assert!(cell.clear());
    }
}
