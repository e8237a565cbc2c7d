//! The choices that a loop is made with.
//!
//! None of them can be changed later, but for debug mode.

use std::{fmt, io, rc::Rc, time::Duration};

use rondel_sched::{Clock, MonotonicClock};

use crate::{Backend, EventLoop, waiting::Waiting};

/// What [`EventLoop::builder`] gives: the choices for a new loop.
///
/// # Examples
///
/// A loop whose timers cost no time:
///
/// ```
/// use std::time::Duration;
/// use rondel_reactor::{EventLoop, get_running_loop};
/// use rondel_sched::VirtualClock;
///
/// let event_loop = EventLoop::builder().clock(VirtualClock::new()).build()?;
/// event_loop.call_later(Duration::from_secs(3600), || {
///     get_running_loop().expect("this is its callback").stop();
/// })?;
/// event_loop.run_forever()?;
/// assert_eq!(event_loop.time(), Duration::from_secs(3600));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a builder does nothing until `build` is called"]
pub struct Builder {
    pub(crate) clock: Rc<dyn Clock>,
    pub(crate) backend: Backend,
    pub(crate) interruptible: bool,
    pub(crate) waiting: Waiting,
    /// None leaves it to the environment.
    pub(crate) debug: Option<bool>,
}

impl Default for Builder {
    fn default() -> Self {
        Self::new()
    }
}

impl Builder {
    /// Begins with the defaults: the monotonic clock, the platform's own way of waiting, and Ctrl-C that ends a run.
    pub fn new() -> Self {
        Self {
            clock: Rc::new(MonotonicClock::new()),
            backend: Backend::Default,
            interruptible: true,
            waiting: Waiting::default(),
            debug: None,
        }
    }

    /// Sets the clock; the default is a [`MonotonicClock`].
    pub fn clock(self, clock: impl Clock + 'static) -> Self {
        Self {
            clock: Rc::new(clock),
            ..self
        }
    }

    /// Sets how the loop waits for descriptors.
    pub fn backend(self, backend: Backend) -> Self {
        Self { backend, ..self }
    }

    /// Sets whether Ctrl-C ends [`EventLoop::run_forever`] with an error; the default is that it does.
    ///
    /// An embedder that has its own way with SIGINT switches it off: the loop then leaves the signal alone.
    pub fn interruptible(self, interruptible: bool) -> Self {
        Self {
            interruptible,
            ..self
        }
    }

    /// Sets whether a virtual clock may jump to the next timer although descriptors are watched, when none of them is ready at that moment.
    ///
    /// By default it may not: the loop waits for the descriptors, because what they will bring is not on the clock.
    /// A test that keeps a listener open beside its timers switches it on.
    pub fn jump_past_io(mut self, jump_past_io: bool) -> Self {
        self.waiting.jump_past_io = jump_past_io;
        self
    }

    /// Sets how late timers may be, so that an idle loop waits once for all that come close together; the default is not at all.
    ///
    /// A loop that is idle waits until the first timer is so late; whatever wakes it up before, the timers that are due by then are not.
    /// A virtual clock knows no slack.
    /// With a millisecond or more one system call is enough for a wait.
    ///
    /// # asyncio
    ///
    /// There the waits are rounded up to whole milliseconds, on Linux.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use rondel_reactor::EventLoop;
    ///
    /// let event_loop = EventLoop::builder().timer_slack(Duration::from_millis(1)).build()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn timer_slack(mut self, timer_slack: Duration) -> Self {
        self.waiting.timer_slack = timer_slack;
        self
    }

    /// Sets whether the loop begins in [debug mode](EventLoop::set_debug); by default the environment variable `RONDEL_DEBUG` says so.
    pub fn debug(self, debug: bool) -> Self {
        Self {
            debug: Some(debug),
            ..self
        }
    }

    /// Makes the loop.
    ///
    /// # Errors
    ///
    /// What the operating system says when it gives no descriptor for the selector.
    #[track_caller]
    pub fn build(self) -> io::Result<EventLoop> {
        EventLoop::from_builder(self)
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("backend", &self.backend)
            .field("interruptible", &self.interruptible)
            .field("waiting", &self.waiting)
            .field("debug", &self.debug)
            .finish_non_exhaustive()
    }
}
