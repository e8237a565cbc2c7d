//! `Parking`: a place where one coroutine waits until it is called.
//!
//! Its wait is a rest, as a sleep is (`asleep`): nobody else could get hold of the future that asyncio makes for it, so there is none, and
//! what it would do is done here.
//!
//! # Invariants
//! - I1: A task that is in the seat stands in its own waiters, too, until it is called or gets an error; its leaf knows by the seat.
//! - I2: Who was called has left the seat. Who has got an error, or was to be called when its task had ended, stays in it until its leaf is
//!   polled or dropped; who comes meanwhile parks beside it.
//!
//! # asyncio
//! The `_waiter` of `StreamReader` and its like: `self._waiter = loop.create_future()`, `await self._waiter` and, behind it,
//! `self._waiter = None`.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, ready};

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
// What every wait needs comes first and together: among many places each line of memory is waited for.
#[repr(C)]
pub struct Parking {
    seat: Cell<Seat>,
    /// The loop of who was in the seat last.
    core: RefCell<Weak<Core>>,
    /// Who is in the seat was called, or failed.
    is_called: Cell<bool>,
    beside: Cell<Option<Beside>>,
    /// What was to be the error of who is in the seat: a future that has failed, so that it is reported where nobody hears of it.
    failure: Cell<Option<Waiter>>,
}

/// A coroutine that is polled in another way than by a task itself, or while somebody watches the loop.
struct Beside {
    waiter: Waiter,
    /// It has a leaf, which takes it out when it goes on.
    has_leaf: bool,
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
            failure: Cell::new(None),
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
        self.put_beside(&waiter, false);
        Ok(waiter)
    }

    fn put_beside(&self, waiter: &Waiter, has_leaf: bool) {
        self.call();
        let waiter = waiter.clone();
        if let Some(before) = self.beside.replace(Some(Beside { waiter, has_leaf })) {
            // Whoever was called has parked at once.
            before.waiter.wake();
        }
    }

    /// Has who is parked go on in the next iteration; false if nobody is, or they have got an error.
    #[inline]
    pub fn call(&self) -> bool {
        let seat = self.seat.get();
        if seat.is_empty() {
            return self.end_beside(Waiter::wake);
        }
        if self.end(seat) {
            self.seat.set(Seat::EMPTY);
            return true;
        }
        self.is_called.set(true);
        self.end_beside(Waiter::wake)
    }

    /// As [`call`](Self::call), with an error for who is parked.
    ///
    /// Who has got an error already does not hear of it, and nobody else does. One that is not read before the wait is dropped is reported as
    /// that of a future is.
    pub fn fail(&self, exception: Exception) -> bool {
        let seat = self.seat.get();
        if seat.is_empty() || self.is_called.replace(true) {
            return self.end_beside(|waiter| waiter.fail(exception));
        }
        let is_parked = self.end(seat);
        let core = self.core.borrow().upgrade();
        if let Some(core) = core
            && (is_parked || core.task(seat.token).is_none())
        {
            let waiter = Waiter::of(&core);
            waiter.fail(exception);
            self.failure.set(Some(waiter));
        }
        is_parked
    }

    /// Ends the rest of who is in the seat, and has the task stepped; false if there is none any more.
    #[inline]
    fn end(&self, seat: Seat) -> bool {
        let end = |state: &TaskState| seat.end(state);
        let ended = running::with_core(|core| core.schedule_if(seat.token, end).then_some(true));
        ended == Some(true) || self.end_stopped(seat)
    }

    /// As `end`, where the task's loop may be one that does not run.
    #[cold]
    fn end_stopped(&self, seat: Seat) -> bool {
        let core = self.core.borrow().upgrade();
        core.is_some_and(|core| core.schedule_if(seat.token, |state| seat.end(state)))
    }

    fn end_beside(&self, end: impl FnOnce(&Waiter) -> bool) -> bool {
        let beside = self.beside.take();
        beside.is_some_and(|beside| end(&beside.waiter))
    }

    /// Returns true while somebody is parked who was not called, also one who has got an error and has not gone on yet.
    #[inline]
    pub fn is_taken(&self) -> bool {
        !self.seat.get().is_empty() && !self.is_called.get()
            || self.is_beside(|beside| beside.has_leaf || beside.waiter.is_pending())
    }

    /// `is_meant` runs no code of the user.
    #[inline]
    fn is_beside(&self, is_meant: impl FnOnce(&Beside) -> bool) -> bool {
        let Some(beside) = self.beside.take() else {
            return false;
        };
        let is_meant = is_meant(&beside);
        self.beside.set(Some(beside));
        is_meant
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

/// What is found where somebody gets up from the seat.
#[derive(Default)]
struct Left {
    /// The call was still to come.
    was_parked: bool,
    /// The error that the task was given.
    interruption: Option<Exception>,
    /// The one that came in place of a call.
    failure: Option<Waiter>,
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
            Stage::Beside(woken) => {
                let outcome = ready!(Pin::new(&mut **woken).poll(cx));
                self.go();
                self.stage = Stage::Over;
                Poll::Ready(outcome)
            }
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
            None => {
                let core = running::running_core()?;
                self.wait_beside(&core, cx)
            }
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
        self.stage = Stage::Over;
        let left = self.leave(seat);
        // Read in any case: the task hears of it where it hears of another error, too.
        let failure = left.failure.and_then(|failed| failed.error());
        match left.interruption.or(thrown).or(failure) {
            Some(error) => {
                // The task gets its error here, and nowhere else.
                self.look_at_task(seat, |state| state.flags.clear(Flag::Interrupted));
                Poll::Ready(Err(error))
            }
            None if left.was_parked => {
                // Where its loop is no more, that of whoever polls it now.
                let core = self.core().map_or_else(running::running_core, Ok)?;
                self.wait_beside(&core, cx)
            }
            None => Poll::Ready(Ok(())),
        }
    }

    /// Waits by a waiter.
    #[cold]
    fn wait_beside(&mut self, core: &Rc<Core>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let waiter = Waiter::of(core);
        self.parking.put_beside(&waiter, true);
        self.stage = Stage::Beside(Box::new(waiter.woken_at(self.at)));
        Pin::new(self).poll(cx)
    }

    /// Gets up.
    fn leave(&self, seat: Seat) -> Left {
        if !self.parking.seats(seat) {
            return Left::default();
        }
        self.parking.seat.set(Seat::EMPTY);
        let failure = self.parking.failure.take();
        let end = |state: &TaskState| (seat.end(state), state.take_interruption(seat.rest()));
        // Where the task has ended, whoever has the leaf now waits on.
        let ended = self.look_at_task(seat, end);
        let (was_parked, interruption) = ended.unwrap_or((!self.parking.is_called.get(), None));
        Left {
            was_parked,
            interruption: interruption.map(Exception::new),
            failure,
        }
    }

    fn core(&self) -> Option<Rc<Core>> {
        self.parking.core.borrow().upgrade()
    }

    fn look_at_task<R>(&self, seat: Seat, f: impl FnOnce(&TaskState) -> R) -> Option<R> {
        self.core()?.look_at_task(seat.token, f)
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
                    .is_beside(|beside| woken.is_for(&beside.waiter))
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
