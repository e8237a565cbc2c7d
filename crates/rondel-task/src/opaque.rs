//! Reading a future's value, also where its type is not known: `Opaque`.
//!
//! # asyncio
//! Python needs no such thing: a variable holds a task of whatever type. Here `Task<Opaque>` does, so that what lists or mixes
//! tasks ([`all_tasks`](crate::all_tasks), [`current_task`](crate::current_task)) gives the same `Task` as everything else.

use std::any::Any;

use rondel_future::InvalidStateError;

use crate::body::{Body, Slot};
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

/// Gives a pending future its value; false if it is a task, or keeps values of another type.
#[inline]
pub(crate) fn put_value<T: 'static>(future: &AnyFuture, value: T) -> bool {
    match slot(future.body()) {
        Some(slot) => {
            slot.put(value);
            true
        }
        None => false,
    }
}

/// The value of a future that has one: a clone, or the value itself if nobody else could read it later.
///
/// Compiled once for each type and not into every await of it.
#[inline(never)]
pub(crate) fn clone_value<T: Clone + 'static>(future: &AnyFuture) -> Result<T> {
    let (body, is_last) = (future.body(), future.is_last_handle());
    let value = match slot::<T>(body) {
        Some(slot) if is_last => slot.take(),
        Some(slot) => slot.look(T::clone),
        None if is_last => take_of_task(body),
        None => look_at_task(body, T::clone),
    };
    value.map_or_else(taken, Ok)
}

/// Moves the value out of a future that has one.
pub(crate) fn take_value<T: 'static>(future: &AnyFuture) -> Result<T> {
    let body = future.body();
    // A value that is being cloned right now, and whose `clone` asks for it, stays where it is.
    let value = match slot::<T>(body) {
        Some(slot) => slot.take(),
        None => take_of_task(body),
    };
    value.map_or_else(taken, Ok)
}

/// Lets `f` look at the value of a future that has one; it may read the value again, but not take it.
pub(crate) fn with_value<T: 'static, R>(future: &AnyFuture, f: impl FnOnce(&T) -> R) -> Result<R> {
    if !future.done() {
        // There is none, and in its place a coroutine that is not to be looked at.
        return Err(InvalidStateError::result_not_ready().into());
    }
    let body = future.body();
    let looked_at = match slot::<T>(body) {
        Some(slot) => slot.look(f),
        None => look_at_task(body, f),
    };
    looked_at.map_or_else(taken, Ok)
}

/// Where a future keeps its value; none for a task, and for a future with values of another type.
#[inline]
fn slot<T: 'static>(body: &dyn Body) -> Option<&Slot<T>> {
    body.slot()?.downcast_ref()
}

/// Moves the value of a task out, or of a future whose type is forgotten.
#[inline]
fn take_of_task<T: 'static>(body: &dyn Body) -> Option<T> {
    let mut value: Option<T> = None;
    body.take(&mut value);
    value.or_else(opaque)
}

/// Looks at the value of a task, or of a future whose type is forgotten.
#[inline(never)]
fn look_at_task<T: 'static, R>(body: &dyn Body, f: impl FnOnce(&T) -> R) -> Option<R> {
    let mut f = Some(f);
    let mut looked_at = None;
    body.look(&mut |value| {
        if let Some(value) = value.downcast_ref::<T>()
            && let Some(f) = f.take()
        {
            looked_at = Some(f(value));
        }
    });
    looked_at.or_else(|| Some(f.take()?(&opaque::<T>()?)))
}

#[cold]
fn taken<T>() -> Result<T> {
    Err(InvalidStateError::result_taken().into())
}
