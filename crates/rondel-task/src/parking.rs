//! `Parking`: a place where one coroutine waits until it is called.
//!
//! Its wait is a rest, as a sleep is (`asleep`): nobody else could get hold of the future that asyncio makes for it, so there is none, and
//! what it would do is done here.
//!
//! # Invariants
//! - I1: A task that is in the seat stands in its own waiters, too, until it is called or gets an error; its leaf knows by the seat.
//! - I2: Who was called has left the seat. Who has got an error stays in it, called or not, until its leaf is polled or dropped; who comes
//!   meanwhile parks beside it.
//!
//! # asyncio
//! The `_waiter` of `StreamReader` and its like: `self._waiter = loop.create_future()`, `await self._waiter` and, behind it,
//! `self._waiter = None`.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Weak;
use std::task::{Context, Poll};

use rondel_sched::Token;

use crate::awaited::{Rest, Waiting};
use crate::cold::WaiterPlace;
use crate::core::{Core, NO_TASK};
use crate::exception::{Exception, Result};
use crate::flags::Flag;
use crate::running;
use crate::task_state::TaskState;
use crate::waiter::{Waiter, Woken};
use crate::waker;

/// A place where one coroutine at a time waits until it is called: a [`Waiter`] for each wait, where nobody but the place needs it.
///
/// For libraries: what is waited for is kept beside it.
///
/// # Examples
/// ```
/// use std::rc::Rc;
/// use rondel_task::{Parking, create_task, run, sleep};
/// use std::time::Duration;
///
/// run(async {
///     let parking = Rc::new(Parking::new());
///     let place = parking.clone();
///     let parked = create_task(async move { place.park().await })?;
///     sleep(Duration::ZERO).await?;
///     assert!(parking.is_taken());
///     assert!(parking.call());
///     parked.await
/// })?;
/// # Ok::<(), rondel_task::Exception>(())
/// ```
pub struct Parking {
    seat: Cell<Seat>,
    /// Who is in the seat was called.
    is_called: Cell<bool>,
    /// The loop of who was in the seat last.
    core: RefCell<Weak<Core>>,
    /// A coroutine that is polled in another way than by a task itself, or while somebody watches the loop.
    beside: Cell<Option<Waiter>>,
}

/// A task, and its rest until it is called.
#[derive(Clone, Copy, Debug)]
struct Seat {
    token: Token,
    number: u32,
    place: WaiterPlace,
}

impl Seat {
    const EMPTY: Self = Self {
        token: NO_TASK,
        number: 0,
        place: WaiterPlace::FIRST,
    };

    #[inline]
    fn is_empty(self) -> bool {
        self.token == NO_TASK
    }

    #[inline]
    fn rest(self) -> Rest {
        Rest::until_called(self.number)
    }

    /// Takes the rest out of the task's waiters; false if it has got an error.
    #[inline]
    fn end(self, state: &TaskState) -> bool {
        state.end_rest_at(self.place, self.rest())
    }
}

impl Parking {
    /// Makes a place where nobody is.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            seat: Cell::new(Seat::EMPTY),
            is_called: Cell::new(false),
            core: RefCell::new(Weak::new()),
            beside: Cell::new(None),
        }
    }

    /// Waits until called. Who is parked there already is called.
    ///
    /// # Errors
    /// Told when it is awaited: `CancelledError` if the task is cancelled meanwhile; `NoRunningLoopError` if no loop is running.
    #[inline]
    #[track_caller]
    pub fn park(&self) -> Park<'_> {
        Park {
            parking: self,
            at: Location::caller(),
            stage: Stage::Begin,
        }
    }

    /// As [`park`](Self::park), by a waiter that is to be awaited: for a wait that is kept where no borrow can be.
    ///
    /// # Errors
    /// `NoRunningLoopError` outside of the coroutines and callbacks of a loop.
    pub fn park_waiter(&self) -> Result<Waiter> {
        let waiter = Waiter::new()?;
        self.call();
        if let Some(before) = self.beside.replace(Some(waiter.clone())) {
            // Whoever was called has parked at once.
            before.wake();
        }
        Ok(waiter)
    }

    /// Has who is parked go on in the next iteration; false if nobody is, or they have got an error.
    #[inline]
    pub fn call(&self) -> bool {
        let seat = self.seat.get();
        if seat.is_empty() {
            return self.call_beside();
        }
        let end = |state: &TaskState| seat.end(state);
        let called = running::with_core(|core| core.schedule_if(seat.token, end).then_some(true));
        if called == Some(true) || self.call_stopped(seat) {
            self.seat.set(Seat::EMPTY);
            return true;
        }
        self.is_called.set(true);
        self.call_beside()
    }

    /// As `call`, where the task's loop may be one that does not run.
    #[cold]
    fn call_stopped(&self, seat: Seat) -> bool {
        let core = self.core.borrow().upgrade();
        core.is_some_and(|core| core.schedule_if(seat.token, |state| seat.end(state)))
    }

    fn call_beside(&self) -> bool {
        let waiter = self.beside.take();
        waiter.is_some_and(|waiter| waiter.wake())
    }

    /// Returns true while somebody is parked who was not called, also a task that has got an error and not gone on yet.
    #[inline]
    pub fn is_taken(&self) -> bool {
        !self.seat.get().is_empty() && !self.is_called.get() || self.is_waited_for_beside(|_| true)
    }

    /// True if a waiter is pending, and is the one that is meant.
    #[inline]
    fn is_waited_for_beside(&self, is_meant: impl FnOnce(&Waiter) -> bool) -> bool {
        let Some(waiter) = self.beside.take() else {
            return false;
        };
        let is = waiter.is_pending() && is_meant(&waiter);
        self.beside.set(Some(waiter));
        is
    }

    /// Seats a task; `None` if the seat is not free.
    #[inline]
    fn sit(&self, core: &Core, token: Token, at: &'static Location<'static>) -> Option<Seat> {
        if !self.seat.get().is_empty() {
            return None;
        }
        let number = next_number();
        let rest = Waiting::Rest(Rest::until_called(number));
        let place = core.look_at_task(token, |state| state.add_waiter(rest, at))?;
        let seat = Seat {
            token,
            number,
            place,
        };
        self.seat.set(seat);
        self.is_called.set(false);
        let is_the_last = std::ptr::eq(self.core.borrow().as_ptr(), core);
        if !is_the_last {
            self.core.replace(core.downgrade());
        }
        Some(seat)
    }

    #[inline]
    fn seats(&self, seat: Seat) -> bool {
        let seated = self.seat.get();
        seated.token == seat.token && seated.number == seat.number
    }
}

impl Default for Parking {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Parking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parking")
            .field("is_taken", &self.is_taken())
            .finish()
    }
}

/// The wait of a coroutine until it is called: what [`Parking::park`] gives, to be awaited.
#[must_use = "it waits when it is awaited"]
#[derive(Debug)]
pub struct Park<'a> {
    parking: &'a Parking,
    /// The line that awaits it.
    at: &'static Location<'static>,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Begin,
    Seated(Seat),
    Beside(Box<Woken>),
    Over,
}

impl Future for Park<'_> {
    type Output = Result<()>;

    /// Out of line, so that it need not be compiled into every coroutine that parks.
    #[inline(never)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        match &mut self.stage {
            Stage::Begin => self.begin(cx),
            Stage::Seated(seat) => {
                let seat = *seat;
                self.poll_seated(seat, cx)
            }
            Stage::Beside(woken) => Pin::new(&mut **woken).poll(cx),
            Stage::Over => Poll::Ready(running::take_throw().map_or(Ok(()), Err)),
        }
    }
}

impl Park<'_> {
    #[inline(always)]
    fn begin(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let (parking, at) = (self.parking, self.at);
        if parking.is_taken() {
            parking.call();
        }
        let seat = running::with_core(|core| {
            let token = waker::token(cx.waker()).filter(|token| core.is_current(*token))?;
            if core.reactor().is_watched() || core.is_throwing() {
                return None;
            }
            parking.sit(core, token, at)
        });
        match seat {
            Some(seat) => {
                self.stage = Stage::Seated(seat);
                Poll::Pending
            }
            None => self.wait_beside(cx),
        }
    }

    #[inline(always)]
    fn poll_seated(&mut self, seat: Seat, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let is_throwing = running::with_core(|core| Some(core.is_throwing()));
        if is_throwing == Some(false) && !self.parking.seats(seat) {
            self.stage = Stage::Over;
            return Poll::Ready(Ok(()));
        }
        self.settle(seat, cx)
    }

    /// It was not called; or there is an error all the same.
    #[cold]
    fn settle(&mut self, seat: Seat, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let thrown = running::take_throw();
        let rests = |state: &TaskState| state.rests_at(seat.place, seat.rest());
        let is_polled_as_before = waker::token(cx.waker()) == Some(seat.token);
        if thrown.is_none() && is_polled_as_before && self.look_at_task(seat, rests) == Some(true) {
            return Poll::Pending;
        }
        // The task gets its error here, and nowhere else.
        let (was_seated, own) = self.leave(seat);
        self.stage = Stage::Over;
        match own.or(thrown) {
            Some(error) => {
                self.look_at_task(seat, |state| state.flags.clear(Flag::Interrupted));
                Poll::Ready(Err(error))
            }
            None if was_seated => self.wait_beside(cx),
            None => Poll::Ready(Ok(())),
        }
    }

    /// Waits by a waiter.
    #[cold]
    fn wait_beside(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let waiter = self.parking.park_waiter()?;
        let mut woken = Box::new(waiter.woken_at(self.at));
        let polled = Pin::new(&mut *woken).poll(cx);
        self.stage = Stage::Beside(woken);
        polled
    }

    /// Gets up; says whether the call was still to come, and gives the error that the task has got.
    fn leave(&self, seat: Seat) -> (bool, Option<Exception>) {
        if !self.parking.seats(seat) {
            return (false, None);
        }
        self.parking.seat.set(Seat::EMPTY);
        let end = |state: &TaskState| (seat.end(state), state.take_interruption(seat.rest()));
        // Where the task has ended, whoever has the leaf now waits on.
        let ended = self.look_at_task(seat, end);
        let (was_seated, interruption) = ended.unwrap_or((!self.parking.is_called.get(), None));
        (was_seated, interruption.map(Exception::new))
    }

    fn look_at_task<R>(&self, seat: Seat, f: impl FnOnce(&TaskState) -> R) -> Option<R> {
        let core = self.parking.core.borrow().upgrade()?;
        core.look_at_task(seat.token, f)
    }
}

impl Drop for Park<'_> {
    #[inline]
    fn drop(&mut self) {
        if !matches!(self.stage, Stage::Begin | Stage::Over) {
            self.go();
        }
    }
}

impl Park<'_> {
    #[cold]
    fn go(&self) {
        match &self.stage {
            Stage::Begin | Stage::Over => {}
            Stage::Seated(seat) => drop(self.leave(*seat)),
            Stage::Beside(woken) => {
                if self
                    .parking
                    .is_waited_for_beside(|waiter| woken.is_for(waiter))
                {
                    drop(self.parking.beside.take());
                }
            }
        }
    }
}

thread_local! {
    /// Numbers the calls that are waited for on this thread.
    static LAST_NUMBER: Cell<u32> = const { Cell::new(0) };
}

/// A number that no call has which is waited for: four billion have others before it comes again.
#[inline]
fn next_number() -> u32 {
    LAST_NUMBER.with(|last| {
        last.set(last.get().wrapping_add(1));
        last.get()
    })
}
