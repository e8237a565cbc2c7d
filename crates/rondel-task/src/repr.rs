//! What futures and tasks look like in `Debug`: asyncio's `repr`, with values in Rust's own `Debug`.
//!
//! # Invariants
//! - I1: The `Debug` of a value or an exception is code of the user, so it runs when no borrow of the completion is held: what
//!   is shown is copied out first.
//!
//! # asyncio
//! `base_futures._future_repr_info`, `base_tasks._task_repr_info`, `coroutines._format_coroutine`. A coroutine is shown with
//! where its task was created, as Rust cannot tell the line it is suspended at.

use std::fmt;
use std::panic::Location;

use rondel_future::{Completion, Outcome, State};

use crate::awaited::Awaited;
use crate::callback::Callback;
use crate::cell::AnyFuture;
use crate::exception::Exception;

/// How deep a task shows what it waits for, which may wait for something itself.
const MAX_DEPTH: usize = 4;

/// What is shown of a completion.
pub(crate) struct Snapshot {
    state: State,
    exception: Option<Exception>,
    callbacks: Vec<Callback>,
    /// As debug mode notes it of a future that is no task.
    created_at: Option<&'static Location<'static>>,
}

impl Snapshot {
    pub(crate) fn of(
        completion: &Completion<Callback, Exception>,
        created_at: Option<&'static Location<'static>>,
    ) -> Self {
        let exception = match completion.outcome() {
            Outcome::Exception(exception) => Some(exception.clone()),
            Outcome::Pending | Outcome::Cancelled | Outcome::Value => None,
        };
        Self {
            state: completion.state(),
            exception,
            callbacks: completion.callbacks().cloned().collect(),
            created_at,
        }
    }

    /// Writes the text; `value` is the result, where its type can be shown.
    pub(crate) fn fmt(
        &self,
        f: &mut fmt::Formatter<'_>,
        future: &AnyFuture,
        value: Option<&dyn fmt::Debug>,
        depth: usize,
    ) -> fmt::Result {
        match future.task_state() {
            None => write!(f, "<Future {}", self.state)?,
            Some(state) => {
                if self.state == State::Pending && state.cancelling() > 0 {
                    f.write_str("<Task cancelling")?;
                } else {
                    write!(f, "<Task {}", self.state)?;
                }
                let (name, created_at) = (state.name(), state.created_at);
                write!(
                    f,
                    " name='{name}' coro={}()",
                    function_name(future.body().coroutine_name())
                )?;
                write!(f, " at {}:{}", created_at.file(), created_at.line())?;
                if let Some(waiter) = state.pending_waiters(future.core()).next() {
                    f.write_str(" wait_for=")?;
                    match waiter {
                        Awaited::Future(future) if depth < MAX_DEPTH => {
                            future.fmt_nested(f, None, depth + 1)?;
                        }
                        Awaited::Future(_) => f.write_str("...")?,
                        // What it waits for in asyncio.
                        Awaited::Rest(_) => f.write_str("<Future pending cb=[Task.wakeup()]>")?,
                    }
                }
            }
        }
        match (&self.exception, value) {
            (Some(exception), _) => write!(f, " exception={exception:?}")?,
            (None, Some(value)) if self.state == State::Finished => write!(f, " result={value:?}")?,
            (None, _) => {}
        }
        f.write_str(&format_callbacks(&self.callbacks))?;
        if let Some(at) = self.created_at {
            write!(f, " created at {}:{}", at.file(), at.line())?;
        }
        f.write_str(">")
    }
}

/// ` cb=[first, <N more>, last]`, or nothing if there is none.
fn format_callbacks(callbacks: &[Callback]) -> String {
    let source =
        |callback: &Callback| FromFn(|f: &mut fmt::Formatter<'_>| callback.describe(f)).to_string();
    match callbacks {
        [] => String::new(),
        [only] => format!(" cb=[{}]", source(only)),
        [first, last] => format!(" cb=[{}, {}]", source(first), source(last)),
        [first, more @ .., last] => {
            format!(
                " cb=[{}, <{} more>, {}]",
                source(first),
                more.len(),
                source(last)
            )
        }
    }
}

/// Shows what a function writes.
pub(crate) struct FromFn<F>(pub(crate) F);

impl<F: Fn(&mut fmt::Formatter<'_>) -> fmt::Result> fmt::Display for FromFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0(f)
    }
}

impl<F: Fn(&mut fmt::Formatter<'_>) -> fmt::Result> fmt::Debug for FromFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0(f)
    }
}

/// The name that the programmer gave: the last segment of a type's path that is not a closure or an async block.
///
/// # Examples
/// `app::func_task::{{closure}}` is `func_task`, `app::Sleeper<alloc::string::String>` is `Sleeper`.
pub(crate) fn function_name(type_name: &str) -> &str {
    let path = match type_name.find('<') {
        Some(generics) if generics > 0 => &type_name[..generics],
        _ => type_name,
    };
    path.split("::")
        .filter(|segment| !segment.starts_with('{'))
        .last()
        .unwrap_or(path)
}

/// Shows a coroutine object that is no task yet, as Python's `repr` does: its name and where it is.
///
/// # Examples
/// ```
/// async fn coroutine() {}
///
/// let object = coroutine();
/// assert!(format!("{}", rondel_task::coroutine_repr(&object)).starts_with("<coroutine object coroutine at 0x"));
/// ```
pub fn coroutine_repr<C: Future>(coroutine: &C) -> impl fmt::Display + use<C> {
    let (name, place) = (
        function_name(std::any::type_name::<C>()),
        &raw const *coroutine,
    );
    FromFn(move |f: &mut fmt::Formatter<'_>| write!(f, "<coroutine object {name} at {place:p}>"))
}

#[cfg(test)]
mod tests {
    use super::function_name;

    #[test]
    fn a_coroutine_is_called_by_its_functions_name() {
        assert_eq!(function_name("app::func_task::{{closure}}"), "func_task");
        assert_eq!(function_name("app::main::{{closure}}::{{closure}}"), "main");
        assert_eq!(
            function_name("app::Sleeper<alloc::string::String>"),
            "Sleeper"
        );
        assert_eq!(function_name("app::wait<app::Thing>::{{closure}}"), "wait");
        assert_eq!(function_name("Plain"), "Plain");
        assert_eq!(
            function_name("<app::Thing as app::Trait>::go::{{closure}}"),
            "go"
        );
    }
}
