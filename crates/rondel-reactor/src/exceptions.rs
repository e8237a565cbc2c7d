//! Errors that nobody can be given: what a report says, and the handler that gets it.
//!
//! The loop reports callbacks that panic; the layers above report what they find in their own destructors and completions.
//!
//! # asyncio
//!
//! `call_exception_handler`, `default_exception_handler` and the dictionary that they pass, which is a type here.
//! The default handler logs to the `logging` module there and to `tracing` here, or to standard error where no subscriber is set.

use std::{
    any::Any,
    borrow::Cow,
    error::Error,
    fmt,
    io::Write as _,
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
    sync::Arc,
};

use rondel_sched::Runnable;

use crate::EventLoop;

/// What [`EventLoop::set_exception_handler`] takes.
pub type ExceptionHandler = Rc<dyn Fn(&EventLoop, &ExceptionContext)>;

/// A report: what happened, the error, and what it happened to.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use rondel_reactor::ExceptionContext;
///
/// let error = "many".parse::<u8>().unwrap_err();
/// let context = ExceptionContext::new("Future exception was never retrieved")
///     .with_subject("future", "<Future finished>")
///     .with_exception(Arc::new(error));
/// assert_eq!(
///     context.to_string(),
///     "Future exception was never retrieved\nfuture: <Future finished>\ninvalid digit found in string",
/// );
/// ```
#[derive(Clone, Debug)]
pub struct ExceptionContext {
    message: Cow<'static, str>,
    exception: Option<Arc<dyn Error + Send + Sync>>,
    subjects: Vec<(&'static str, String)>,
}

impl ExceptionContext {
    /// Begins a report that says what happened.
    pub fn new(message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            message: message.into(),
            exception: None,
            subjects: Vec::new(),
        }
    }

    /// Adds the error.
    #[must_use]
    pub fn with_exception(self, exception: Arc<dyn Error + Send + Sync>) -> Self {
        Self {
            exception: Some(exception),
            ..self
        }
    }

    /// Adds something that it happened to: its kind, such as `task`, and its Debug output.
    #[must_use]
    pub fn with_subject(mut self, key: &'static str, text: impl Into<String>) -> Self {
        self.subjects.push((key, text.into()));
        self
    }

    /// Returns what happened.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns the error, where there is one.
    #[must_use]
    pub fn exception(&self) -> Option<&Arc<dyn Error + Send + Sync>> {
        self.exception.as_ref()
    }

    /// Returns what is said under `key`: `future`, `task`, `handle` or whatever else the reporting layer has.
    #[must_use]
    pub fn subject(&self, key: &str) -> Option<&str> {
        self.subjects()
            .find_map(|(name, text)| (name == key).then_some(text))
    }

    /// Returns all that it happened to, in the order of adding.
    pub fn subjects(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.subjects
            .iter()
            .map(|(key, text)| (*key, text.as_str()))
    }

    /// The report of a callback that panicked.
    pub(crate) fn of_panic(callback: &dyn Runnable, payload: Box<dyn Any + Send>) -> Self {
        let callback = Described(callback);
        Self::new(format!("Exception in callback {callback}"))
            .with_subject("handle", format!("<Handle {callback}>"))
            .with_exception(Arc::new(PanicError::new(payload)))
    }
}

impl fmt::Display for ExceptionContext {
    /// Writes what asyncio logs: the message, a line for each subject in the order of their keys, and the error with its causes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        let mut subjects: Vec<_> = self.subjects().collect();
        subjects.sort_by_key(|(key, _)| *key);
        for (key, text) in subjects {
            write!(f, "\n{key}: {text}")?;
        }
        let Some(exception) = &self.exception else {
            return Ok(());
        };
        write!(f, "\n{exception}")?;
        let mut cause = exception.source();
        while let Some(error) = cause {
            write!(f, "\ncaused by: {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

/// What a report calls a callback.
pub(crate) struct Described<'a>(pub(crate) &'a dyn Runnable);

impl fmt::Display for Described<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.describe(f)
    }
}

/// A panic as an error: what a report of a panicking callback has as its exception.
#[derive(Clone, Debug)]
pub struct PanicError {
    message: Option<Arc<str>>,
}

impl PanicError {
    /// Makes the error of what [`std::panic::catch_unwind`] caught.
    #[must_use]
    pub fn new(payload: Box<dyn Any + Send>) -> Self {
        let message = match payload.downcast::<String>() {
            Ok(message) => Some(Arc::from(*message)),
            Err(payload) => {
                let message = payload.downcast_ref::<&str>().copied().map(Arc::from);
                // A payload of another type may have a destructor that panics in its turn.
                let dropped = catch_unwind(AssertUnwindSafe(|| drop(payload)));
                dropped.unwrap_or_else(mem::forget);
                message
            }
        };
        Self { message }
    }

    /// Returns what the panic said; one whose payload is no text says nothing.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }
}

impl fmt::Display for PanicError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("panicked")?;
        self.message()
            .iter()
            .try_for_each(|message| write!(f, ": {message}"))
    }
}

impl Error for PanicError {}

/// Gives `context` to the handler, and to the default one when that panics.
pub(crate) fn call(
    handler: Option<ExceptionHandler>,
    event_loop: &EventLoop,
    context: &ExceptionContext,
) {
    // A report may come out of a destructor, where a second panic would end the process.
    let outcome = catch_unwind(AssertUnwindSafe(|| match handler {
        Some(handler) => handler(event_loop, context),
        None => report(context),
    }));
    if let Err(payload) = outcome {
        // What was reported may be what panicked while it was shown; its message is always there.
        let text = catch_unwind(AssertUnwindSafe(|| format!("{context:?}")))
            .unwrap_or_else(|_| context.message().to_owned());
        report(
            &ExceptionContext::new("Unhandled error in exception handler")
                .with_subject("context", text)
                .with_exception(Arc::new(PanicError::new(payload))),
        );
    }
}

/// The default handler.
pub(crate) fn report(context: &ExceptionContext) {
    log(Severity::Error, context);
}

/// How bad it is.
#[derive(Clone, Copy)]
pub(crate) enum Severity {
    Warning,
    Error,
}

/// Tells `tracing`, or standard error where no subscriber was ever set.
pub(crate) fn log(severity: Severity, text: &dyn fmt::Display) {
    if !tracing::dispatcher::has_been_set() {
        // In one piece, so that reports of several threads do not mix; where standard error is closed, there is nobody left to tell.
        let _ = std::io::stderr().write_all(format!("{text}\n").as_bytes());
        return;
    }
    match severity {
        Severity::Warning => tracing::warn!("{text}"),
        Severity::Error => tracing::error!("{text}"),
    }
}
