//! An event loop of callbacks, timers, file descriptors and threads.
//!
//! An [`EventLoop`] is a [`Scheduler`](rondel_sched::Scheduler) that waits: for its next timer, for descriptors, for other threads, for signals.
//! It is useful alone and knows neither futures nor tasks, which `rondel-task` adds through [`Extension`], and no sockets.
//!
//! # One iteration
//!
//! 1. What other threads sent goes to the ready queue.
//! 2. An idle loop waits for descriptors until the next timer; a busy one looks at them without waiting, now and then.
//! 3. Descriptors that are ready, and signals that have arrived, put their callbacks into the ready queue.
//! 4. Timers that are due go to the ready queue, in the order of (when, setting).
//! 5. Exactly what is ready now runs; what it adds waits for the next iteration.
//!
//! # Invariants
//!
//! - I1. User code runs in step 5 alone, the hooks of instruments excepted: no callback runs inside the call that triggers it.
//! - I2. No user code (a callback, a destructor, a handler) runs while a borrow or a lock of this crate is held.
//! - I3. A registered descriptor stays open until its registration is gone: the registration owns it.
//! - I4. A callback chain that never ends starves nothing: messages and timers are looked at in every iteration, descriptors at a bounded distance.
//! - I5. However a run ends, by a panic too, the loop is afterwards as ready to run as before.
//!
//! # Looking at it
//!
//! In [debug mode](EventLoop::set_debug) a loop reports what takes long; [`LoopStatistics`] has its numbers, and an [`Instrument`] is told what it does.
//!
//! # asyncio
//!
//! `BaseEventLoop` and `BaseSelectorEventLoop` without futures and transports.
//! Unix only, for now.
//!
//! # Examples
//!
//! Watching a pipe:
//!
//! ```
//! use std::{io::{Read, Write}, rc::Rc};
//! use rondel_reactor::{EventLoop, get_running_loop};
//!
//! let event_loop = EventLoop::new()?;
//! let (reader, mut writer) = std::io::pipe()?;
//! let reader = Rc::new(reader);
//!
//! let pipe = reader.clone();
//! event_loop.add_reader(reader, move || {
//!     let mut buffer = [0; 16];
//!     let length = (&*pipe).read(&mut buffer).expect("the pipe is readable");
//!     assert_eq!(&buffer[..length], b"hello");
//!
//!     let event_loop = get_running_loop().expect("this is its callback");
//!     event_loop.remove_reader(&pipe);
//!     event_loop.stop();
//! })?;
//! event_loop.call_soon(move || writer.write_all(b"hello").expect("somebody reads"))?;
//! event_loop.run_forever()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(not(unix))]
compile_error!(
    "rondel-reactor watches Unix file descriptors: it has no backend for this platform yet"
);

mod builder;
mod error;
mod event_loop;
mod exceptions;
mod extension;
mod fd_watch;
mod guest;
mod handle;
mod idle;
mod in_flight;
mod inspect;
mod iteration;
mod pace;
mod recurring;
mod running;
mod selector;
mod signals;
mod threadsafe;
mod waiting;
mod watchers;

pub use builder::Builder;
pub use error::{NoRunningLoopError, RunError};
pub use event_loop::EventLoop;
pub use exceptions::{ExceptionContext, ExceptionHandler, PanicError};
pub use extension::Extension;
pub use fd_watch::FdWatch;
pub use handle::LoopHandle;
pub use in_flight::InFlight;
pub use inspect::{Instrument, LoopStatistics};
pub use running::get_running_loop;
pub use selector::{Backend, Direction};
pub use signals::{SignalWatch, signal};
pub use threadsafe::{IdempotentCallback, ThreadsafeHandle};
