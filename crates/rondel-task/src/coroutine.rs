//! `CoroutineCell`: a coroutine polled in place, inside the allocation of its task.
//!
//! It knows no task; the step decides when to poll and what an outcome means.
//!
//! # Invariants
//! - I1: `busy` is true exactly while a `&mut` to the coroutine exists: during a poll and during its drop. Whoever comes in
//!   by re-entrance then gets `None` or `false` and touches nothing.
//! - I2: From the first poll until it is dropped the coroutine does not move: `poll` asks for a pinned cell, the cell is
//!   `!Unpin`, and the coroutine is dropped in place.
//! - I3: The coroutine is dropped once, at the end of the poll that finishes it, or by `clear`, or with the cell.

#![allow(
    unsafe_code,
    reason = "one allocation a task instead of two: a boxed coroutine costs a spawn about a third more"
)]

use std::cell::{Cell, UnsafeCell};
use std::marker::PhantomPinned;
use std::pin::Pin;
use std::task::{Context, Poll};

pub(crate) struct CoroutineCell<C> {
    busy: Cell<bool>,
    coroutine: UnsafeCell<Option<C>>,
    _pinned: PhantomPinned,
}

/// Sets `busy` for as long as it lives, also through a panic.
struct Busy<'a>(&'a Cell<bool>);

impl<'a> Busy<'a> {
    fn enter(busy: &'a Cell<bool>) -> Option<Self> {
        // Lazily: a guard that is made and dropped at once would clear the flag of the one inside.
        (!busy.replace(true)).then(|| Self(busy))
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

impl<C: Future> CoroutineCell<C> {
    pub(crate) const fn new(coroutine: C) -> Self {
        Self {
            busy: Cell::new(false),
            coroutine: UnsafeCell::new(Some(coroutine)),
            _pinned: PhantomPinned,
        }
    }

    /// Polls the coroutine and drops it when it has finished; `None` if it is gone, or is being polled or dropped right now.
    pub(crate) fn poll(self: Pin<&Self>, cx: &mut Context<'_>) -> Option<Poll<C::Output>> {
        let this = self.get_ref();
        let _busy = Busy::enter(&this.busy)?;
        // SAFETY: `busy` was false, so no other reference to the coroutine exists (I1), and as long as `_busy` lives nobody
        // makes one.
        let slot = unsafe { &mut *this.coroutine.get() };
        let coroutine = slot.as_mut()?;
        // SAFETY: the cell is pinned, so what it holds stays where it is until it is dropped (I2).
        let poll = unsafe { Pin::new_unchecked(coroutine) }.poll(cx);
        if poll.is_ready() {
            *slot = None; // drops in place (I3)
        }
        Some(poll)
    }

    /// Drops the coroutine in place; false if it is being polled or dropped right now, and nothing was done.
    pub(crate) fn clear(&self) -> bool {
        let Some(_busy) = Busy::enter(&self.busy) else {
            return false;
        };
        // SAFETY: as in `poll`: exclusive by `busy` (I1).
        let slot = unsafe { &mut *self.coroutine.get() };
        *slot = None;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
        type Output = u32;

        fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<u32> {
            let here = &raw const *self as usize;
            assert_eq!(here % 64, 0, "the alignment is kept");
            assert_eq!(*self.seen_at.get_or_insert(here), here, "it does not move");
            if self.left == 0 {
                return Poll::Ready(7);
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

    fn steady(left: u32) -> (Pin<Rc<CoroutineCell<Steady>>>, Rc<Cell<u32>>) {
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
        assert_eq!(cell.as_ref().poll(&mut cx), Some(Poll::Pending));
        assert_eq!(cell.as_ref().poll(&mut cx), Some(Poll::Ready(7)));
        assert_eq!(drops.get(), 1);
        assert_eq!(cell.as_ref().poll(&mut cx), None);
        drop(cell);
        assert_eq!(drops.get(), 1);
    }

    #[test]
    fn a_cleared_coroutine_is_dropped_once() {
        let (cell, drops) = steady(5);
        let _ = cell.as_ref().poll(&mut Context::from_waker(Waker::noop()));
        assert!(cell.clear());
        assert_eq!(drops.get(), 1);
        assert!(cell.clear());
        drop(cell);
        assert_eq!(drops.get(), 1);
    }

    /// Polls and clears its own cell from inside its poll and from inside its drop.
    struct Reentrant(Rc<std::cell::RefCell<Option<Pin<Rc<CoroutineCell<Reentrant>>>>>>);

    impl Reentrant {
        fn come_in_again(&self) {
            if let Some(cell) = self.0.borrow().as_ref() {
                assert!(!cell.clear());
                assert!(
                    cell.as_ref()
                        .poll(&mut Context::from_waker(Waker::noop()))
                        .is_none()
                );
            }
        }
    }

    impl Future for Reentrant {
        type Output = ();

        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
            self.come_in_again();
            Poll::Ready(())
        }
    }

    impl Drop for Reentrant {
        fn drop(&mut self) {
            self.come_in_again();
        }
    }

    #[test]
    fn re_entrance_touches_nothing() {
        let place = Rc::new(std::cell::RefCell::new(None));
        let cell = Rc::pin(CoroutineCell::new(Reentrant(place.clone())));
        *place.borrow_mut() = Some(cell.clone());
        let poll = cell.as_ref().poll(&mut Context::from_waker(Waker::noop()));
        assert_eq!(poll, Some(Poll::Ready(())));
        let kept = place.borrow_mut().take();
        drop(kept);
    }

    #[test]
    fn a_panicking_coroutine_can_still_be_cleared() {
        let cell = Rc::pin(CoroutineCell::new(std::future::poll_fn(|_| -> Poll<()> {
            panic!("no")
        })));
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            cell.as_ref().poll(&mut Context::from_waker(Waker::noop()))
        }));
        assert!(caught.is_err());
        assert!(cell.clear());
    }
}
