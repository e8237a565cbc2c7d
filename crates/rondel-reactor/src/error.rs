//! The errors of running a loop, and of looking for one.
//!
//! # asyncio
//!
//! `RuntimeError` with these texts; `KeyboardInterrupt` for Ctrl-C.
//! asyncio has no deadlock error: it waits for ever.

use std::{error::Error, fmt, io, sync::Arc};

/// The error of running, stepping or closing an event loop.
#[derive(Clone)]
pub struct RunError(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Interrupted,
    Running,
    CloseRunning,
    Nested,
    Closed,
    /// With what the layer above says about who waits.
    Deadlock(Option<Arc<str>>),
    Select(Arc<io::Error>),
    Signal(Arc<io::Error>),
}

impl RunError {
    pub(crate) const INTERRUPTED: Self = Self(Kind::Interrupted);
    pub(crate) const RUNNING: Self = Self(Kind::Running);
    pub(crate) const CLOSE_RUNNING: Self = Self(Kind::CloseRunning);
    pub(crate) const NESTED: Self = Self(Kind::Nested);
    pub(crate) const CLOSED: Self = Self(Kind::Closed);

    pub(crate) fn deadlock(waiting: Option<String>) -> Self {
        Self(Kind::Deadlock(waiting.map(Arc::from)))
    }

    /// Waiting for events failed.
    pub(crate) fn select(source: io::Error) -> Self {
        Self(Kind::Select(Arc::new(source)))
    }

    /// Listening for SIGINT failed.
    pub(crate) fn signal(source: io::Error) -> Self {
        Self(Kind::Signal(Arc::new(source)))
    }

    /// Says whether Ctrl-C (SIGINT) ended the run; the loop can be run again.
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        matches!(self.0, Kind::Interrupted)
    }

    /// Says whether the loop is running and so can be neither run nor closed.
    #[must_use]
    pub fn is_running(&self) -> bool {
        matches!(self.0, Kind::Running | Kind::CloseRunning)
    }

    /// Says whether another loop is running on this thread.
    #[must_use]
    pub fn is_nested(&self) -> bool {
        matches!(self.0, Kind::Nested)
    }

    /// Says whether the loop is closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self.0, Kind::Closed)
    }

    /// Says whether nothing was left that could ever wake the loop; a loop under a virtual clock reports this instead of hanging.
    #[must_use]
    pub fn is_deadlock(&self) -> bool {
        matches!(self.0, Kind::Deadlock(_))
    }
}

/// Shows what it says, as Python's `repr` of an exception does: a `main` that returns it prints it this way.
impl fmt::Debug for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RunError").field(&self.to_string()).finish()
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Interrupted => f.write_str("interrupted by ctrl-c"),
            Kind::Running => f.write_str("this event loop is already running"),
            Kind::CloseRunning => f.write_str("cannot close a running event loop"),
            Kind::Nested => f.write_str("cannot run the event loop while another loop is running"),
            Kind::Closed => rondel_sched::ClosedError.fmt(f),
            Kind::Deadlock(waiting) => {
                f.write_str("deadlock: nothing is ready, and no timer, descriptor or thread can wake the event loop")?;
                waiting
                    .iter()
                    .try_for_each(|waiting| write!(f, ": {waiting}"))
            }
            Kind::Select(_) => f.write_str("cannot wait for events"),
            Kind::Signal(_) => f.write_str("cannot listen for ctrl-c"),
        }
    }
}

impl Error for RunError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.0 {
            Kind::Select(source) | Kind::Signal(source) => Some(&**source),
            _ => None,
        }
    }
}

/// The error of asking for the running loop where none runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRunningLoopError;

impl fmt::Display for NoRunningLoopError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no running event loop")
    }
}

impl Error for NoRunningLoopError {}
