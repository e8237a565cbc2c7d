//! `ExceptionGroup`: several exceptions raised as one.
//!
//! It collects nothing itself: a [`TaskGroup`](crate::TaskGroup) raises one with what its tasks and its body raised.
//!
//! # asyncio
//! [`ExceptionGroup`](https://docs.python.org/3/library/exceptions.html#ExceptionGroup) of PEP 654. There is no `except*` here:
//! [`leaves`](ExceptionGroup::leaves) and [`split`](ExceptionGroup::split) say what is in a group. `split` asks about leaves
//! only, where Python asks about nested groups too.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use crate::error::ValueError;
use crate::exception::{Exception, Result};

/// Several exceptions that were raised together; some of them may be groups themselves. It is never empty.
///
/// Mirrors [`ExceptionGroup`](https://docs.python.org/3/library/exceptions.html#ExceptionGroup). Its
/// [`source`](Error::source) is the first exception.
///
/// # Examples
/// ```
/// use rondel_task::{run, task_group, Exception, ExceptionGroup};
///
/// let error = run(task_group(async |group| {
///     group.create_task(async { Err::<(), _>(Exception::msg("no soup")) })?;
///     group.create_task(async { Err::<(), _>(Exception::msg("no fish")) })?;
///     Ok(())
/// })).unwrap_err();
/// assert_eq!(error.to_string(), "unhandled errors in a TaskGroup (2 sub-exceptions)");
/// let group = error.downcast_ref::<ExceptionGroup>().unwrap();
/// assert_eq!(group.exceptions()[1].to_string(), "no fish");
/// ```
#[derive(Clone)]
pub struct ExceptionGroup {
    message: Cow<'static, str>,
    exceptions: Vec<Exception>,
}

impl ExceptionGroup {
    /// Makes a group.
    ///
    /// # Errors
    /// [`ValueError`] if there is no exception.
    pub fn new(
        message: impl Into<Cow<'static, str>>,
        exceptions: impl IntoIterator<Item = impl Into<Exception>>,
    ) -> Result<Self, ValueError> {
        let exceptions: Vec<Exception> = exceptions.into_iter().map(Into::into).collect();
        if exceptions.is_empty() {
            return Err(ValueError::new(
                "an exception group needs at least one exception",
            ));
        }
        Ok(Self {
            message: message.into(),
            exceptions,
        })
    }

    /// Returns what the group says of itself, without the number of its exceptions.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns the exceptions, in the order in which they were raised.
    pub fn exceptions(&self) -> &[Exception] {
        &self.exceptions
    }

    /// Returns the exceptions that are no groups, also those inside of nested groups, in order.
    pub fn leaves(&self) -> impl Iterator<Item = &Exception> {
        let mut levels = vec![self.exceptions.iter()];
        std::iter::from_fn(move || {
            loop {
                match levels.last_mut()?.next() {
                    None => drop(levels.pop()),
                    Some(exception) => match exception.downcast_ref::<Self>() {
                        Some(group) => levels.push(group.exceptions.iter()),
                        None => return Some(exception),
                    },
                }
            }
        })
    }

    /// Returns the part of the group of which all leaves match, and the part of which none does; nested groups keep their shape.
    ///
    /// # Examples
    /// ```
    /// use rondel_task::{Exception, ExceptionGroup, TimeoutError};
    ///
    /// let inner = ExceptionGroup::new("inner", [Exception::new(TimeoutError), Exception::msg("other")])?;
    /// let outer = ExceptionGroup::new("outer", [Exception::new(inner), Exception::new(TimeoutError)])?;
    /// let (late, rest) = outer.split(Exception::is_timeout);
    /// assert_eq!(late.unwrap().leaves().count(), 2);
    /// assert_eq!(rest.unwrap().exceptions()[0].to_string(), "inner (1 sub-exception)");
    /// # Ok::<(), rondel_task::Exception>(())
    /// ```
    pub fn split(
        &self,
        mut matches: impl FnMut(&Exception) -> bool,
    ) -> (Option<Self>, Option<Self>) {
        self.split_with(&mut matches)
    }

    fn split_with(
        &self,
        matches: &mut dyn FnMut(&Exception) -> bool,
    ) -> (Option<Self>, Option<Self>) {
        let (mut matching, mut rest) = (Vec::new(), Vec::new());
        for exception in &self.exceptions {
            if let Some(group) = exception.downcast_ref::<Self>() {
                let (inside, outside) = group.split_with(matches);
                matching.extend(inside.map(Exception::new));
                rest.extend(outside.map(Exception::new));
            } else if matches(exception) {
                matching.push(exception.clone());
            } else {
                rest.push(exception.clone());
            }
        }
        let group = |exceptions| Self::new(self.message.clone(), exceptions as Vec<Exception>).ok();
        (group(matching), group(rest))
    }
}

impl fmt::Debug for ExceptionGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ExceptionGroup")
            .field(&self.message)
            .field(&self.exceptions)
            .finish()
    }
}

impl fmt::Display for ExceptionGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.exceptions.len();
        let plural = if count == 1 { "" } else { "s" };
        write!(f, "{} ({count} sub-exception{plural})", self.message)
    }
}

impl Error for ExceptionGroup {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let first = self.exceptions.first()?;
        Some(first.as_error())
    }
}
