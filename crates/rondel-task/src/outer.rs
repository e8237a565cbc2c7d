//! `Outer<T>`: what `gather` and `shield` give: their outer future, or the reason why there is none.
//!
//! # asyncio
//! There these functions raise on misuse; here the error is the await's, so that `gather(..).await?` has one question mark.

use std::fmt;
use std::future::IntoFuture;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::awaiter::Awaiter;
use crate::ensure_future::EnsureFuture;
use crate::event_loop::EventLoop;
use crate::exception::Result;
use crate::future::Future;

/// An outer future: await it, or make a [`Future`] of it with [`ensure_future`](crate::ensure_future) or
/// [`future`](Outer::future), to cancel it or to add callbacks.
#[must_use = "what it gathers or shields runs, but nobody hears of the outcome"]
pub struct Outer<T: 'static>(Result<Future<T>>);

impl<T> Outer<T> {
    pub(crate) fn new(future: Result<Future<T>>) -> Self {
        Self(future)
    }

    /// Returns the outer future itself.
    ///
    /// # Errors
    /// What made it impossible, see the function that gave this.
    pub fn future(self) -> Result<Future<T>> {
        self.0
    }
}

impl<T: Clone> IntoFuture for Outer<T> {
    type Output = Result<T>;
    type IntoFuture = OuterAwaiter<T>;

    #[track_caller]
    fn into_future(self) -> OuterAwaiter<T> {
        let at = Location::caller();
        OuterAwaiter(self.future().map(|future| Awaiter::new(future, at)))
    }
}

/// Awaits an [`Outer`].
pub struct OuterAwaiter<T: 'static>(Result<Awaiter<T>>);

impl<T: Clone> core::future::Future for OuterAwaiter<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T>> {
        match &mut self.0 {
            Ok(awaiter) => Pin::new(awaiter).poll(cx),
            Err(error) => Poll::Ready(Err(error.clone())),
        }
    }
}

impl<T> fmt::Debug for OuterAwaiter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T: Clone + 'static> EnsureFuture for Outer<T> {
    type Output = T;

    const IS_COROUTINE: bool = false;

    fn ensure_future_on(self, event_loop: &EventLoop) -> Result<Future<T>> {
        self.future()?.ensure_future_on(event_loop)
    }

    fn bound_to(&self) -> Option<EventLoop> {
        self.0.as_ref().ok().and_then(EnsureFuture::bound_to)
    }

    fn claim(future: Future<T>) -> Result<T> {
        <Future<T> as EnsureFuture>::claim(future)
    }
}

impl<T: fmt::Debug> fmt::Debug for Outer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
