//! `Completer<T>`: completes a loop's future from any thread.
//!
//! The future itself never leaves its thread: a completer knows it by number, and what it is told to do goes to the loop as a
//! callback.
//!
//! # Invariants
//! - I1: The loop keeps a future that has completers until the last of them is dropped, or the loop is closed.
//!
//! # asyncio
//! `loop.call_soon_threadsafe(future.set_result, value)`, which moves the future itself to the other thread. A future is `!Send`
//! here.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use rondel_reactor::LoopHandle;
use rondel_sched::ClosedError;

use crate::cell::AnyFuture;
use crate::exception::Exception;
use crate::future::Future;
use crate::running;

/// The futures of a loop that have completers, by their number.
#[derive(Default)]
pub(crate) struct Exported {
    futures: RefCell<BTreeMap<u64, AnyFuture>>,
    last: Cell<u64>,
}

impl Exported {
    fn add(&self, future: AnyFuture) -> u64 {
        let number = self.last.get() + 1;
        self.last.set(number);
        self.futures.borrow_mut().insert(number, future);
        number
    }

    fn get(&self, number: u64) -> Option<AnyFuture> {
        self.futures.borrow().get(&number).cloned()
    }

    fn remove(&self, number: u64) {
        let removed = self.futures.borrow_mut().remove(&number);
        drop(removed);
    }

    /// Lets all of them go.
    pub(crate) fn clear(&self) {
        let all = self.futures.take();
        drop(all);
    }
}

/// Completes a [`Future`] from any thread; clones complete the same one.
///
/// The first completion that reaches the loop counts; later ones are dropped, as are those for a future that was cancelled
/// meanwhile. [`Future::completer`] makes it.
///
/// # Examples
/// ```
/// use std::thread;
/// use rondel_task::{get_running_loop, run};
///
/// let answer = run(async {
///     let future = get_running_loop()?.create_future();
///     let completer = future.completer();
///     thread::spawn(move || completer.set_result(6 * 7));
///     future.await
/// });
/// assert_eq!(answer.unwrap(), 42);
/// ```
pub struct Completer<T: 'static> {
    export: Arc<Export>,
    _value: PhantomData<fn(T)>,
}

/// A future's number with its loop.
struct Export {
    number: u64,
    handle: LoopHandle,
}

impl<T: Send + 'static> Completer<T> {
    /// Has the loop set the future's result.
    ///
    /// # Errors
    /// `ClosedError` if the loop is closed.
    pub fn set_result(&self, value: T) -> Result<(), ClosedError> {
        self.tell(move |future| {
            // It is pending and its loop runs, so only a task refuses: its coroutine alone sets the result.
            let _ = future.set_result(value);
        })
    }

    /// Has the loop set an exception.
    ///
    /// # Errors
    /// `ClosedError` if the loop is closed.
    pub fn set_exception(&self, exception: impl Into<Exception>) -> Result<(), ClosedError> {
        let exception = exception.into();
        self.tell(move |future| {
            // As for a result.
            let _ = future.set_exception(exception);
        })
    }

    /// Has the loop cancel the future.
    ///
    /// # Errors
    /// `ClosedError` if the loop is closed.
    pub fn cancel(&self) -> Result<(), ClosedError> {
        self.tell(|future| {
            future.cancel();
        })
    }

    /// Calls `f` on the loop's thread with the future, if it is pending then.
    fn tell(&self, f: impl FnOnce(&Future<T>) + Send + 'static) -> Result<(), ClosedError> {
        let number = self.export.number;
        // Moved along, so that the future stays where it is until this has run (I1).
        let export = self.export.clone();
        self.export.handle.call_soon_threadsafe(move || {
            let future = running::core().and_then(|core| core.exported().get(number));
            if let Some(future) = future.filter(|future| !future.done()) {
                f(&Future::from_any(future));
            }
            drop(export);
        })
    }
}

impl<T> Clone for Completer<T> {
    fn clone(&self) -> Self {
        Self {
            export: self.export.clone(),
            _value: PhantomData,
        }
    }
}

impl<T> fmt::Debug for Completer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Completer").finish_non_exhaustive()
    }
}

impl Drop for Export {
    fn drop(&mut self) {
        let number = self.number;
        // A closed loop has let it go already.
        let _ = self.handle.call_soon_threadsafe(move || {
            if let Some(core) = running::core() {
                core.exported().remove(number);
            }
        });
    }
}

impl<T: 'static> Future<T> {
    /// Makes a handle by which any thread can complete this future.
    ///
    /// It is for futures: the result of a task is set by its coroutine alone, and a completer of a task can only cancel it.
    pub fn completer(&self) -> Completer<T> {
        let core = self.any().core();
        let number = core.exported().add(self.any().clone());
        let handle = core.reactor().handle();
        Completer {
            export: Arc::new(Export { number, handle }),
            _value: PhantomData,
        }
    }
}
