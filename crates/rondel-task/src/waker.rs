//! The waker of a task: an integer, so that cloning copies and dropping does nothing.
//!
//! What a token means when its turn comes is `core`'s business.
//!
//! # Invariants
//! - I1: A waker's data is a token's bits and is never followed as a pointer; nothing is owned, so every function of the
//!   vtable may be called on every thread, at any time, also after the loop has gone.
//! - I2: A waker is ours exactly if its vtable is the one static of this module; the registry of loops is one static too. Two
//!   copies of either would lose wake-ups.
//! - I3: A token that is stale, because its task is done or its loop has gone, wakes nobody, or at worst steps a task that
//!   was not due: a spurious wake-up, which the contract of `Waker` allows.
//! - I4: A thread remembers the entrance that it sent to last, and uses it while no loop has been closed since. Whoever
//!   has a waker of a later loop of the same number got it after the count had been raised, and reads it so.

use std::cell::RefCell;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use rondel_sched::{Injector, Message, Token};

use crate::running;
use crate::slab::{MAX_LOOPS, loop_of, sent};

/// The entrance of every loop, by the loop's number.
static LOOPS: RwLock<Vec<Option<Arc<Injector>>>> = RwLock::new(Vec::new());

/// How many loops have been closed (I4).
static CLOSED: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// The entrance that was last sent to from this thread (I4).
    static LAST: RefCell<Option<Known>> = const { RefCell::new(None) };
}

/// The entrance of a loop, found when so many had been closed.
struct Known {
    id: u16,
    closed: u64,
    injector: Arc<Injector>,
}

/// Gives a loop a number, under which its tasks' wakers find it from any thread.
///
/// # Errors
/// When 16,384 loops exist already.
pub(crate) fn register(injector: Arc<Injector>) -> io::Result<u16> {
    let mut loops = LOOPS.write().unwrap_or_else(PoisonError::into_inner);
    let free = loops
        .iter()
        .position(Option::is_none)
        .unwrap_or(loops.len());
    if free >= MAX_LOOPS {
        return Err(io::Error::other(format!(
            "too many event loops are open: {MAX_LOOPS}"
        )));
    }
    let id = free as u16;
    match loops.get_mut(free) {
        Some(place) => *place = Some(injector),
        None => loops.push(Some(injector)),
    }
    Ok(id)
}

/// Frees the number of a loop that is closed.
pub(crate) fn unregister(id: u16) {
    let mut loops = LOOPS.write().unwrap_or_else(PoisonError::into_inner);
    let injector = loops.get_mut(usize::from(id)).and_then(Option::take);
    CLOSED.fetch_add(1, Ordering::Relaxed);
    drop(loops);
    drop(injector);
}

/// Wakes the task with this token: on the thread that runs its loop straight through the ready queue, else through the
/// loop's injector.
fn wake(token: Token) {
    if running::schedule(token) {
        return;
    }
    let id = loop_of(token);
    // While the thread's locals are torn down, every wake looks for itself.
    let is_sent = LAST.try_with(|last| match &*last.borrow() {
        Some(known) if known.is_of(id) => {
            known.send(token);
            true
        }
        _ => false,
    });
    if is_sent != Ok(true) {
        look_for(id, token);
    }
}

/// Wakes through the registry, and remembers the entrance.
#[cold]
fn look_for(id: u16, token: Token) {
    let Some(known) = find(id) else {
        return;
    };
    known.send(token);
    let before = LAST.try_with(|last| {
        // It is in use where a loop's notification wakes a task of another.
        let mut last = last.try_borrow_mut().ok()?;
        last.replace(known)
    });
    drop(before);
}

/// Looks for a loop's entrance in the registry.
fn find(id: u16) -> Option<Known> {
    let loops = LOOPS.read().unwrap_or_else(PoisonError::into_inner);
    let injector = loops.get(usize::from(id))?.clone()?;
    Some(Known {
        id,
        closed: CLOSED.load(Ordering::Relaxed),
        injector,
    })
}

impl Known {
    fn send(&self, token: Token) {
        // A closed loop has nobody left to wake (I3).
        let _ = self.injector.send(Message::Wake(sent(token)));
    }

    /// Whether it still is the entrance of the loop with this number (I4).
    #[inline]
    fn is_of(&self, id: u16) -> bool {
        self.id == id && self.closed == CLOSED.load(Ordering::Relaxed)
    }
}

#[cfg(target_pointer_width = "64")]
pub(crate) use bits::{for_step, token};
#[cfg(not(target_pointer_width = "64"))]
pub(crate) use shared::{for_step, token};

/// Where a pointer has room for a token.
#[cfg(target_pointer_width = "64")]
mod bits {
    #![allow(
        unsafe_code,
        reason = "std offers no other waker that needs no allocation and no reference count"
    )]

    use std::mem::ManuallyDrop;
    use std::ptr;
    use std::task::{RawWaker, RawWakerVTable, Waker};

    use rondel_sched::Token;

    static VTABLE: RawWakerVTable = RawWakerVTable::new(
        |data| RawWaker::new(data, &VTABLE),
        wake_data,
        wake_data,
        |_| {},
    );

    fn wake_data(data: *const ()) {
        super::wake(Token::from_bits(data.addr() as u64));
    }

    /// The waker of the task with this token, for one step; its drop, which does nothing, is not called.
    #[inline]
    pub(crate) fn for_step(token: Token) -> ManuallyDrop<Waker> {
        let data = ptr::without_provenance(token.to_bits() as usize);
        // SAFETY: the contract of `RawWaker`. The functions are thread-safe and own nothing (I1): clone makes the same waker
        // from the same bits, both wakes read the bits only, drop does nothing.
        ManuallyDrop::new(unsafe { Waker::from_raw(RawWaker::new(data, &VTABLE)) })
    }

    /// The token of a waker that is ours.
    #[inline]
    pub(crate) fn token(waker: &Waker) -> Option<Token> {
        ptr::eq(waker.vtable(), &raw const VTABLE)
            .then(|| Token::from_bits(waker.data().addr() as u64))
    }
}

/// Where it has not: a shared, counted waker.
#[cfg(any(test, not(target_pointer_width = "64")))]
mod shared {
    use std::cell::Cell;
    use std::sync::Arc;
    use std::task::{Wake, Waker};

    use rondel_sched::Token;

    struct Shared(Token);

    impl Wake for Shared {
        fn wake(self: Arc<Self>) {
            super::wake(self.0);
        }
    }

    thread_local! {
        /// The waker made last on this thread, to recognise it when a leaf is polled with it.
        static LAST: Cell<Option<(Token, Waker)>> = const { Cell::new(None) };
    }

    pub(crate) fn for_step(token: Token) -> Waker {
        let waker = Waker::from(Arc::new(Shared(token)));
        let kept = waker.clone();
        let _ = LAST.try_with(|last| last.set(Some((token, kept))));
        waker
    }

    pub(crate) fn token(waker: &Waker) -> Option<Token> {
        LAST.try_with(|last| {
            let (token, kept) = last.take()?;
            let ours = kept.will_wake(waker);
            last.set(Some((token, kept)));
            ours.then_some(token)
        })
        .ok()
        .flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::ManuallyDrop;
    use std::rc::Rc;
    use std::task::Waker;

    use rondel_sched::{Scheduler, VirtualClock};

    const TOKEN: Token = Token::from_bits(0x3ffe_0003_0000_0005);

    fn check(waker: fn(Token) -> Waker, token: fn(&Waker) -> Option<Token>) {
        let ours = waker(TOKEN);
        assert_eq!(token(&ours), Some(TOKEN));
        assert_eq!(token(&ours.clone()), Some(TOKEN));
        assert!(ours.will_wake(&ours.clone()));
        assert_eq!(token(Waker::noop()), None);
        // Nobody has this loop's number: nothing happens, on this thread and on another.
        ours.wake_by_ref();
        std::thread::spawn(move || ours.wake()).join().unwrap();
    }

    #[test]
    fn a_waker_of_bits_is_recognised() {
        check(
            |token| ManuallyDrop::into_inner(bits::for_step(token)),
            bits::token,
        );
    }

    /// Not under Miri, where the functions of a waker may lie elsewhere each time: one that is not recognised goes another way.
    #[cfg(not(miri))]
    #[test]
    fn a_shared_waker_is_recognised() {
        check(shared::for_step, shared::token);
    }

    #[test]
    fn a_loop_does_not_get_what_was_sent_to_the_one_before_it_nor_lose_its_own() {
        for bits in 0..3 {
            let scheduler = Scheduler::new(Rc::new(VirtualClock::new()));
            let id = register(scheduler.injector()).unwrap();
            for _ in 0..2 {
                wake(Token::from_bits(u64::from(id) << 48 | bits));
                assert!(scheduler.receive());
                assert_eq!(scheduler.ready_len(), 1);
                scheduler.run_ready(&());
            }
            unregister(id);
            wake(Token::from_bits(u64::from(id) << 48 | bits));
            assert!(!scheduler.receive());
        }
    }
}
