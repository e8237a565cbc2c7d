//! Reading a future's value, also where its type is not known: `Opaque`.
//!
//! # asyncio
//! Python needs no such thing: a variable holds a task of whatever type. Here `Task<Opaque>` does, so that what lists or mixes
//! tasks ([`all_tasks`](crate::all_tasks), [`current_task`](crate::current_task)) gives the same `Task` as everything else.

use std::any::Any;

use rondel_future::InvalidStateError;

use crate::cell::AnyFuture;
use crate::exception::Result;

/// Stands for a value whose type is not known here: the result of a `Task<Opaque>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opaque;

/// `Opaque`, if that is what `T` is.
fn opaque<T: 'static>() -> Option<T> {
    let mut opaque = Some(Opaque);
    (&mut opaque as &mut dyn Any)
        .downcast_mut::<Option<T>>()
        .and_then(Option::take)
}

/// Gives a pending future its value; false if it keeps values of another type.
pub(crate) fn put_value<T: 'static>(future: &AnyFuture, value: T) -> bool {
    let mut value = Some(value);
    future.body().put(&mut value);
    value.is_none()
}

/// The value of a future that has one: a clone, or the value itself if nobody else could read it later.
pub(crate) fn clone_value<T: Clone + 'static>(future: &AnyFuture) -> Result<T> {
    if future.is_last_handle() {
        return take_value(future);
    }
    with_value(future, T::clone)
}

/// Moves the value out of a future that has one.
pub(crate) fn take_value<T: 'static>(future: &AnyFuture) -> Result<T> {
    let mut value: Option<T> = None;
    // A value that is being cloned right now, and whose `clone` asks for it, stays where it is.
    future.body().take(&mut value);
    let value = value.or_else(opaque);
    Ok(value.ok_or_else(InvalidStateError::result_taken)?)
}

/// Lets `f` look at the value of a future that has one; it may read the value again, but not take it.
pub(crate) fn with_value<T: 'static, R>(future: &AnyFuture, f: impl FnOnce(&T) -> R) -> Result<R> {
    let mut f = Some(f);
    let mut looked_at = None;
    if !future.done() {
        // There is none, and in its place a coroutine that is not to be looked at.
        return Err(InvalidStateError::result_not_ready().into());
    }
    future.body().look(&mut |value| {
        if let Some(value) = value.downcast_ref::<T>()
            && let Some(f) = f.take()
        {
            looked_at = Some(f(value));
        }
    });
    if looked_at.is_none()
        && let Some(value) = opaque::<T>()
        && let Some(f) = f.take()
    {
        looked_at = Some(f(&value));
    }
    Ok(looked_at.ok_or_else(InvalidStateError::result_taken)?)
}
