//! Guest mode: another loop, of a game or a user interface, steps this one.
//!
//! A host sleeps until [`poll_fd`](EventLoop::poll_fd) is readable or [`next_timeout`](EventLoop::next_timeout) is over, does
//! what it has to do itself, and calls [`run_once`](EventLoop::run_once). What runs in that step finds everything as in a run: the
//! running loop, tasks, contexts, signal handlers. A request to stop ends with the step, and the host is told of it by
//! [`was_stopped`](EventLoop::was_stopped). Ctrl-C interrupts no step: it does what it does by default, unless the loop has a
//! handler of SIGINT.
//!
//! # asyncio
//!
//! It has none. Trio's `start_guest_run` waits for descriptors in a thread and tells the host by a callback; here the host waits for
//! one descriptor, beside its own.

use std::{io, os::fd::OwnedFd, time::Duration};

use crate::EventLoop;

impl EventLoop {
    /// Returns how long a foreign loop may sleep before it calls [`run_once`](Self::run_once), if [`poll_fd`](Self::poll_fd) does
    /// not become readable meanwhile: until the next timer, or not at all if something is ready; `None` is for ever.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use rondel_reactor::EventLoop;
    ///
    /// let event_loop = EventLoop::new()?;
    /// assert_eq!(event_loop.next_timeout(), None);
    /// event_loop.call_later(Duration::from_secs(60), || ())?;
    /// assert!(event_loop.next_timeout() <= Some(Duration::from_secs(60)));
    /// event_loop.call_soon(|| ())?;
    /// assert_eq!(event_loop.next_timeout(), Some(Duration::ZERO));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn next_timeout(&self) -> Option<Duration> {
        self.scheduler().receive();
        if self.scheduler().has_ready() || self.is_stopping() {
            return Some(Duration::ZERO);
        }
        let when = self.waiting().wake_up_time(self.scheduler().next_timer()?);
        Some(when.saturating_sub(self.time()))
    }

    /// Returns a descriptor that is readable while a descriptor of the loop is ready, when another thread has sent something, and
    /// when a signal has come that the loop has a handler for: what a foreign loop waits for, beside its own descriptors.
    ///
    /// It is for nothing else than to be waited for, with `poll` or another selector, level-triggered. It stays valid, and useless,
    /// when the loop is closed.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](io::ErrorKind::Unsupported) where the backend has no descriptor; a
    /// [`ClosedError`](rondel_sched::ClosedError) when the loop is closed; what the operating system says.
    pub fn poll_fd(&self) -> io::Result<OwnedFd> {
        self.watchers().poll_fd()
    }
}
