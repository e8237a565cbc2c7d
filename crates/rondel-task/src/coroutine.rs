//! `CoroutineCell`: a coroutine polled in place, inside the allocation of its task, and then its value in the same place.
//!
//! It knows no task; the step decides when to poll and what an outcome means.
//!
//! # Invariants
//! - I1: The cell is borrowed while the coroutine is polled or dropped. Whoever comes in by re-entrance then gets `None` or
//!   `false` and touches nothing.
//! - I2: From the first poll until it is dropped the coroutine does not move: `poll` asks for a pinned cell, the cell is
//!   `!Unpin`, only a value is ever moved out, and the coroutine is dropped in place.
//! - I3: The coroutine is dropped once, at the end of the poll that finishes it, or by `clear`, or with the cell.

use std::cell::{Ref, RefCell};
use std::marker::PhantomPinned;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::exception::Result;

pub(crate) struct CoroutineCell<C, T> {
    place: RefCell<Place<C, T>>,
    _pinned: PhantomPinned,
}

enum Place<C, T> {
    Coroutine(C),
    Value(T),
    Empty,
}

impl<C, T> CoroutineCell<C, T>
where
    C: Future<Output = Result<T>>,
{
    pub(crate) const fn new(coroutine: C) -> Self {
        Self {
            place: RefCell::new(Place::Coroutine(coroutine)),
            _pinned: PhantomPinned,
        }
    }

    /// Polls the coroutine; when it has finished it is dropped, and its value is in its place.
    ///
    /// `None` if it is gone, or is being polled or dropped right now.
    #[inline]
    pub(crate) fn poll(self: Pin<&Self>, cx: &mut Context<'_>) -> Option<Poll<Result<()>>> {
        let mut place = self.get_ref().place.try_borrow_mut().ok()?;
        let Place::Coroutine(coroutine) = &mut *place else {
            return None;
        };
        #[allow(
            unsafe_code,
            reason = "one allocation a task instead of two: a boxed coroutine costs a spawn 15 % more"
        )]
        // SAFETY: the cell is pinned, and nothing moves a coroutine out of it until it is dropped in place (I2).
        let coroutine = unsafe { Pin::new_unchecked(coroutine) };
        let Poll::Ready(outcome) = coroutine.poll(cx) else {
            return Some(Poll::Pending);
        };
        // Either assignment drops the coroutine in place first (I3).
        Some(Poll::Ready(match outcome {
            Ok(value) => {
                *place = Place::Value(value);
                Ok(())
            }
            Err(exception) => {
                *place = Place::Empty;
                Err(exception)
            }
        }))
    }

    /// Drops the coroutine in place, or the value; false if it is being polled, read or dropped right now, and nothing was done.
    pub(crate) fn clear(&self) -> bool {
        match self.place.try_borrow_mut() {
            Ok(mut place) => {
                *place = Place::Empty;
                true
            }
            Err(_) => false,
        }
    }

    /// Moves the value out, if there is one and nobody is reading it right now.
    pub(crate) fn take(&self) -> Option<T> {
        let mut place = self.place.try_borrow_mut().ok()?;
        match &*place {
            Place::Value(_) => match std::mem::replace(&mut *place, Place::Empty) {
                Place::Value(value) => Some(value),
                Place::Coroutine(_) | Place::Empty => None,
            },
            Place::Coroutine(_) | Place::Empty => None,
        }
    }

    /// Borrows the value, if there is one.
    pub(crate) fn value(&self) -> Option<Ref<'_, T>> {
        let place = self.place.try_borrow().ok()?;
        Ref::filter_map(place, |place| match place {
            Place::Value(value) => Some(value),
            Place::Coroutine(_) | Place::Empty => None,
        })
        .ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
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
        assert!(matches!(cell.as_ref().poll(&mut cx), Some(Poll::Pending)));
        assert!(matches!(
            cell.as_ref().poll(&mut cx),
            Some(Poll::Ready(Ok(())))
        ));
        assert_eq!(drops.get(), 1);
        assert!(cell.as_ref().poll(&mut cx).is_none());
        assert_eq!(cell.value().as_deref(), Some(&7));
        assert_eq!(cell.take(), Some(7));
        assert_eq!(cell.take(), None);
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
    struct Reentrant(Rc<RefCell<Option<Shared<Reentrant, ()>>>>);

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
        let poll = cell.as_ref().poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(poll, Some(Poll::Ready(Ok(())))));
        let kept = place.borrow_mut().take();
        drop(kept);
    }

    #[test]
    fn a_panicking_coroutine_can_still_be_cleared() {
        let cell = Rc::pin(CoroutineCell::new(std::future::poll_fn(
            |_| -> Poll<Result<()>> { panic!("no") },
        )));
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            cell.as_ref().poll(&mut Context::from_waker(Waker::noop()))
        }));
        assert!(caught.is_err());
        assert!(cell.clear());
    }
}
