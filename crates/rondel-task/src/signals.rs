//! `signals`: a stream of the signals that arrive, to be awaited one after another.
//!
//! # asyncio
//! It has none: its programs set an event in a handler of
//! [`loop.add_signal_handler`](https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.add_signal_handler).

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use rondel_reactor::SignalWatch;

use crate::awaiter::Awaiter;
use crate::exception::Result;
use crate::future::Future;
use crate::running;

/// Begins to watch signals on the running loop; their numbers are in [`signal`](rondel_reactor::signal).
///
/// While the stream lives, the signals do not do what they do by default, and SIGINT does not interrupt the run. Any number of
/// streams may watch the same signal, beside a [handler](rondel_reactor::EventLoop::add_signal_handler).
///
/// # Errors
/// [`NoRunningLoopError`](rondel_reactor::NoRunningLoopError); an I/O error for a signal that cannot be caught.
///
/// # Examples
/// ```
/// use rondel_reactor::signal::{SIGHUP, SIGTERM};
/// use rondel_task::{run, signals};
///
/// let ended_by = run(async {
///     let mut signals = signals([SIGTERM, SIGHUP])?;
///     signal_hook::low_level::raise(SIGTERM)?; // as `kill` does
///     loop {
///         match signals.recv().await? {
///             SIGHUP => println!("reading the configuration again"),
///             signal => return Ok(signal),
///         }
///     }
/// });
/// assert_eq!(ended_by.unwrap(), SIGTERM);
/// ```
#[track_caller]
pub fn signals(numbers: impl IntoIterator<Item = i32>) -> Result<Signals> {
    let event_loop = running::get_running_loop()?;
    let arrived: Rc<Arrived> = Rc::default();
    let mut watches = Vec::new();
    for number in numbers {
        let arrived = arrived.clone();
        watches.push(event_loop.watch_signal(number, move || arrived.add(number))?);
    }
    Ok(Signals {
        arrived,
        waiting: None,
        watches,
        created_at: Location::caller(),
    })
}

/// The signals that arrive, one after another: what [`signals`] gives.
///
/// A signal that arrives several times before it is taken may be given once. Of several that wait the lowest number comes first.
/// The wait that is cancelled or dropped takes no signal away.
///
/// As a [`Stream`] it never ends; the items are what [`recv`](Self::recv) gives.
#[must_use = "dropping it gives the signals back"]
pub struct Signals {
    arrived: Rc<Arrived>,
    /// The wait of the stream.
    waiting: Option<Awaiter<()>>,
    watches: Vec<SignalWatch>,
    created_at: &'static Location<'static>,
}

/// What the callbacks of the signals and the stream share.
#[derive(Default)]
struct Arrived {
    numbers: RefCell<BTreeSet<i32>>,
    waiter: RefCell<Option<Future<()>>>,
}

impl Arrived {
    fn add(&self, number: i32) {
        self.numbers.borrow_mut().insert(number);
        let waiter = self.waiter.borrow_mut().take();
        if let Some(waiter) = waiter.filter(|waiter| !waiter.done()) {
            // It is pending and its loop runs: nothing can be refused.
            let _ = waiter.set_result(());
        }
    }

    fn take(&self) -> Option<i32> {
        self.numbers.borrow_mut().pop_first()
    }

    /// A wait, in the line `at`, for the next signal.
    fn wait(&self, at: &'static Location<'static>) -> Result<Awaiter<()>> {
        let waiter = running::get_running_loop()?.create_future();
        let before = self.waiter.replace(Some(waiter.clone()));
        drop(before);
        Ok(waiter.await_at(at))
    }
}

impl Signals {
    /// Awaits the next signal and returns its number.
    ///
    /// # Errors
    /// `CancelledError` if the task is cancelled; [`NoRunningLoopError`](rondel_reactor::NoRunningLoopError) outside of a loop.
    #[track_caller]
    pub fn recv(&mut self) -> impl core::future::Future<Output = Result<i32>> {
        let at = Location::caller();
        async move {
            // The wait of a stream that nobody polls any more.
            self.waiting = None;
            loop {
                if let Some(number) = self.arrived.take() {
                    return Ok(number);
                }
                self.arrived.wait(at)?.await?;
            }
        }
    }
}

impl Stream for Signals {
    type Item = Result<i32>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<i32>>> {
        loop {
            if let Some(waiting) = &mut self.waiting {
                let woken = ready!(Pin::new(waiting).poll(cx));
                self.waiting = None;
                woken?;
            }
            if let Some(number) = self.arrived.take() {
                return Poll::Ready(Some(Ok(number)));
            }
            self.waiting = Some(self.arrived.wait(self.created_at)?);
        }
    }
}

impl fmt::Debug for Signals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers = self.watches.iter().map(SignalWatch::signal);
        f.debug_tuple("Signals")
            .field(&numbers.collect::<Vec<_>>())
            .finish()
    }
}
