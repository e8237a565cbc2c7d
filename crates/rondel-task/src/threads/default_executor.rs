//! The executor that a loop has by default: made when it is first needed, exchanged, and shut down.
//!
//! # asyncio
//! `loop._default_executor`. The time limit of the shutdown is real time, also under a virtual clock, which stands still
//! meanwhile: work that never ends cannot keep a run from ending.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rondel_reactor::{EventLoop as Reactor, ExceptionContext};

use crate::event_loop::EventLoop;
use crate::exception::{Exception, Result};
use crate::future::Future;
use crate::threads::concurrent;
use crate::threads::executor::Executor;
use crate::threads::thread_pool::ThreadPool;

#[derive(Default)]
pub(crate) struct DefaultExecutor {
    executor: RefCell<Option<Arc<dyn Executor>>>,
    shut_down: Cell<bool>,
}

impl DefaultExecutor {
    /// The executor, which is a thread pool unless another one was set.
    ///
    /// # Errors
    /// After its shutdown.
    pub(crate) fn get(&self) -> Result<Arc<dyn Executor>> {
        if self.shut_down.get() {
            return Err(Exception::runtime("executor shutdown has been called"));
        }
        let mut executor = self.executor.borrow_mut();
        Ok(executor
            .get_or_insert_with(|| Arc::new(ThreadPool::default()))
            .clone())
    }

    /// The loop closes: shuts the executor down and does not wait.
    pub(crate) fn close(&self, reactor: &Reactor) {
        self.shut_down.set(true);
        let Some(executor) = self.executor.take() else {
            return;
        };
        let shut = concurrent::call(|| Ok(executor.shutdown(Some(Duration::ZERO))));
        if let Err(panic) = shut {
            let context = ExceptionContext::new("Exception in the shutdown of the executor")
                .with_exception(panic.into_shared());
            reactor.call_exception_handler(&context);
        }
    }
}

impl EventLoop {
    /// Sets the executor that [`run_in_executor`](Self::run_in_executor) uses for `None`, and [`to_thread`](crate::to_thread).
    ///
    /// The one before is dropped, and not shut down.
    ///
    /// Mirrors
    /// [`loop.set_default_executor`](https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.set_default_executor),
    /// for executors of any kind.
    pub fn set_default_executor(&self, executor: Arc<dyn Executor>) {
        let before = self
            .core()
            .default_executor()
            .executor
            .replace(Some(executor));
        drop(before);
    }

    /// Shuts the default executor down and waits until its threads have ended, at most so long in real time.
    ///
    /// From the first step on the executor accepts no more work. If the time is not enough, the exception handler is told so, and
    /// the threads go on by themselves. [`run`](crate::run) does this at its end, with five minutes.
    ///
    /// Mirrors
    /// [`loop.shutdown_default_executor`](https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.shutdown_default_executor).
    ///
    /// # Errors
    /// Told when it is awaited: `CancelledError` if the task is cancelled, an I/O error if there is no thread to wait in, a panic
    /// of an executor that is not ours.
    pub fn shutdown_default_executor(
        &self,
        timeout: Option<Duration>,
    ) -> impl core::future::Future<Output = Result<()>> + use<> {
        let core = self.core().clone();
        async move {
            core.default_executor().shut_down.set(true);
            let executor = core.default_executor().executor.borrow().clone();
            let Some(executor) = executor else {
                return Ok(());
            };
            let joined = Future::new(core.clone());
            let (completer, in_flight) = (joined.completer(), core.reactor().in_flight());
            thread::Builder::new()
                .name("rondel-executor-shutdown".into())
                .spawn(move || {
                    let shut = concurrent::call(|| Ok(executor.shutdown(timeout)));
                    // On a closed loop nobody waits.
                    let _ = match shut {
                        Ok(joined) => completer.set_result(joined),
                        Err(panic) => completer.set_exception(panic),
                    };
                    drop(in_flight);
                })?;
            if !joined.await? {
                let message = format!(
                    "The executor did not finish joining its threads within {:?}",
                    timeout.unwrap_or_default()
                );
                let context = ExceptionContext::new(message);
                core.reactor().call_exception_handler(&context);
            }
            Ok(())
        }
    }
}
