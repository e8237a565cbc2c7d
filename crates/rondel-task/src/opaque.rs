//! Reading a future's value, also where its type is not known: `Opaque`.
//!
//! # asyncio
//! Python needs no such thing: a variable holds a task of whatever type. Here `Task<Opaque>` does, so that what lists or mixes
//! tasks ([`all_tasks`](crate::all_tasks), [`current_task`](crate::current_task)) gives the same `Task` as everything else.

use std::any::Any;

use rondel_future::InvalidStateError;

use crate::body::Slot;
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

pub(crate) fn slot<T: 'static>(future: &AnyFuture) -> Option<&Slot<T>> {
    future.body().slot().downcast_ref()
}

/// The value of a future that has one: a clone, or the value itself if nobody else could read it later.
pub(crate) fn clone_value<T: Clone + 'static>(future: &AnyFuture) -> Result<T> {
    if future.is_last_handle() {
        return take_value(future);
    }
    with_value(future, |value: Option<&T>| value.cloned())
}

/// Moves the value out of a future that has one.
pub(crate) fn take_value<T: 'static>(future: &AnyFuture) -> Result<T> {
    let value = match slot::<T>(future) {
        // A value that is being cloned right now, and whose `clone` asks for it, stays where it is.
        Some(slot) => slot.try_borrow_mut().ok().and_then(|mut slot| slot.take()),
        None => opaque(),
    };
    Ok(value.ok_or_else(InvalidStateError::result_taken)?)
}

/// Lets `f` look at the value of a future that has one.
///
/// The slot is borrowed meanwhile, and only shared: `f` may read the value again; to take it fails.
pub(crate) fn with_value<T: 'static, R>(
    future: &AnyFuture,
    f: impl FnOnce(Option<&T>) -> Option<R>,
) -> Result<R> {
    let looked_at = match slot::<T>(future) {
        Some(slot) => f(slot.borrow().as_ref()),
        None => f(opaque().as_ref()),
    };
    Ok(looked_at.ok_or_else(InvalidStateError::result_taken)?)
}
