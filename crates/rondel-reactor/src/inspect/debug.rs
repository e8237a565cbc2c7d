//! Debug mode: slow callbacks, and resources that nobody has closed.
//!
//! What the layers above show in debug mode, where a future was made for one, they look after themselves.
//!
//! # asyncio
//!
//! [Debug mode](https://docs.python.org/3/library/asyncio-dev.html#debug-mode), `PYTHONASYNCIODEBUG` and the warnings of `ResourceWarning`.
//! That a loop is used from a wrong thread cannot happen: the compiler refuses it.
//! Where a callback was scheduled is shown in any mode, because to remember it costs nothing.

use std::{
    env,
    ffi::OsStr,
    fmt,
    panic::{AssertUnwindSafe, Location, catch_unwind},
    time::Duration,
};

use super::Inspection;
use crate::{
    EventLoop, ExceptionContext,
    exceptions::{Severity, log},
};

/// The variable that switches debug mode on for loops that do not say themselves.
const VARIABLE: &str = "RONDEL_DEBUG";

/// Says whether [`VARIABLE`] is set, and neither empty nor `0`.
pub(super) fn is_asked_for_by_the_environment() -> bool {
    env::var_os(VARIABLE).is_some_and(|value| is_yes(&value))
}

fn is_yes(value: &OsStr) -> bool {
    !value.is_empty() && value != "0"
}

impl EventLoop {
    /// Says whether the loop is in debug mode.
    ///
    /// See [asyncio's `get_debug`](https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.get_debug).
    #[must_use]
    #[inline]
    pub fn get_debug(&self) -> bool {
        self.inspection().debug.get()
    }

    /// Switches debug mode on or off, from the next iteration on.
    ///
    /// In debug mode callbacks that take long are reported, resources that nobody has closed too, and more things show where they were made.
    /// A new loop is in debug mode where [`Builder::debug`](crate::Builder::debug) says so, or else where the environment variable `RONDEL_DEBUG` is set and
    /// neither empty nor `0`.
    ///
    /// asyncio checks besides that a loop is used by its own thread alone.
    /// That is checked here in any mode, by the compiler:
    ///
    /// ```compile_fail,E0277
    /// let event_loop = rondel_reactor::EventLoop::new().expect("there are descriptors left");
    /// std::thread::spawn(move || event_loop.call_soon(|| ()));
    /// ```
    ///
    /// See [asyncio's `set_debug`](https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.set_debug).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use rondel_reactor::EventLoop;
    ///
    /// let event_loop = EventLoop::new()?;
    /// event_loop.set_debug(true);
    /// event_loop.set_slow_callback_duration(Duration::from_millis(20));
    /// assert_eq!(format!("{event_loop:?}"), "<EventLoop running=false closed=false debug=true>");
    /// event_loop.close()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_debug(&self, debug: bool) {
        self.inspection().debug.set(debug);
        self.inspection().update_watched();
    }

    /// Returns how long a callback, or the step of a task, may take before debug mode reports it.
    #[must_use]
    pub fn slow_callback_duration(&self) -> Duration {
        self.inspection().slow_callback_duration.get()
    }

    /// Sets how long a callback, or the step of a task, may take before debug mode reports it: 100 milliseconds at first.
    ///
    /// The time is that of the loop's clock.
    /// The report is a warning, to `tracing` or to standard error, as [`default_exception_handler`](Self::default_exception_handler) has it with errors.
    ///
    /// See [asyncio's `slow_callback_duration`](https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.slow_callback_duration).
    pub fn set_slow_callback_duration(&self, duration: Duration) {
        self.inspection().slow_callback_duration.set(duration);
    }

    /// Returns where the loop was made.
    #[must_use]
    pub fn created_at(&self) -> &'static Location<'static> {
        self.inspection().created_at
    }

    /// Warns, in debug mode, that a resource of this loop goes without having been closed; for the destructor of a transport or the like.
    ///
    /// `kind` is the resource in a word, `resource` what it shows of itself, `created_at` where it was made, if that is known.
    ///
    /// See [asyncio's `ResourceWarning`](https://docs.python.org/3/library/asyncio-dev.html#debug-mode).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::panic::Location;
    /// use rondel_reactor::EventLoop;
    ///
    /// let event_loop = EventLoop::builder().debug(true).build()?;
    /// // Writes `unclosed transport <Pipe fd=7>` and the line where the pipe was made.
    /// event_loop.warn_unclosed("transport", &format_args!("<Pipe fd={}>", 7), Some(Location::caller()));
    /// event_loop.close()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn warn_unclosed(
        &self,
        kind: &str,
        resource: &dyn fmt::Debug,
        created_at: Option<&'static Location<'static>>,
    ) {
        if self.get_debug() {
            warn_unclosed(kind, resource, created_at);
        }
    }

    /// Closes the loop, as [`close`](Self::close) does, because its last owner has gone: in debug mode with a warning that nobody has closed it.
    ///
    /// For a layer above that counts its own owners of the loop.
    ///
    /// # Errors
    ///
    /// As [`close`](Self::close).
    pub fn close_unowned(&self) -> Result<(), crate::RunError> {
        if !self.is_closed() && !self.is_running() {
            self.warn_unclosed("event loop", self, Some(self.created_at()));
        }
        self.close()
    }

    /// Reports what has run for `took`, where that is too long.
    pub(super) fn check_duration(&self, took: Duration, what: &dyn fmt::Display) {
        let inspection = self.inspection();
        inspection
            .longest_callback
            .set(inspection.longest_callback.get().max(took));
        if took >= inspection.slow_callback_duration.get() {
            let seconds = took.as_secs_f64();
            log(
                Severity::Warning,
                &format!("Executing {} took {seconds:.3} seconds", text_of(what)),
            );
        }
    }
}

impl Inspection {
    /// The loop's memory goes, and nobody has closed it.
    pub(crate) fn warn_unclosed_loop(&self) {
        if self.debug.get() {
            let event_loop = format_args!("<EventLoop running=false closed=false debug=true>");
            warn_unclosed("event loop", &event_loop, Some(self.created_at));
        }
    }
}

fn warn_unclosed(
    kind: &str,
    resource: &dyn fmt::Debug,
    created_at: Option<&'static Location<'static>>,
) {
    let resource = text_of(&format_args!("{resource:?}"));
    let mut context = ExceptionContext::new(format!("unclosed {kind} {resource}"));
    if let Some(at) = created_at {
        context = context.with_subject("created at", format!("{}:{}", at.file(), at.line()));
    }
    log(Severity::Warning, &context);
}

/// What `shown` writes; to show it may run code of the user, and a report must not fail (D2).
fn text_of(shown: &dyn fmt::Display) -> String {
    catch_unwind(AssertUnwindSafe(|| shown.to_string()))
        .unwrap_or_else(|_| "<something that cannot be shown>".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_says_yes_unless_it_is_empty_or_zero() {
        assert!(is_yes(OsStr::new("1")) && is_yes(OsStr::new("yes")));
        assert!(!is_yes(OsStr::new("")) && !is_yes(OsStr::new("0")));
    }
}
