//! Awaiting a foreign future beside a leaf of the loop, through which a cancellation comes.
//!
//! # Invariants
//!
//! - I1. The leaf is polled first: it takes the error that is to be thrown before anything inside the foreign future does.
//!
//! # asyncio
//!
//! asyncio has no foreign futures.

use std::{
    convert::Infallible,
    future::{Future as _, IntoFuture as _, poll_fn},
    pin::{Pin, pin},
    task::Poll,
};

use rondel_task::{Future, Result, get_running_loop};

/// Awaits a future of another crate; when the task is cancelled meanwhile, that future is dropped and the `CancelledError` raised here.
///
/// The task goes on then: it can clean up, and [`timeout`](rondel_task::timeout()) can end what it is around.
///
/// # Errors
///
/// `CancelledError` when the task is cancelled; [`NoRunningLoopError`](rondel_reactor::NoRunningLoopError) outside of a loop.
///
/// # Examples
///
/// ```
/// use std::{future::pending, time::Duration};
/// use rondel_hyper::cancellable;
/// use rondel_task::{run, wait_for};
///
/// let late = run(wait_for(cancellable(pending::<()>()), Duration::from_millis(1)));
/// assert!(late.unwrap_err().is_timeout());
/// ```
pub async fn cancellable<F: core::future::Future>(foreign: F) -> Result<F::Output> {
    let never = get_running_loop()?.create_future::<Infallible>();
    match first(never, pin!(foreign)).await? {
        First::Ours(never) => match never {},
        First::Foreign(output) => Ok(output),
    }
}

/// Which of two was done first.
pub(crate) enum First<T, U> {
    Ours(T),
    Foreign(U),
}

/// Awaits a future of the loop and one of another crate, whichever is done first.
pub(crate) async fn first<T: Clone + 'static, F: core::future::Future>(
    ours: Future<T>,
    mut foreign: Pin<&mut F>,
) -> Result<First<T, F::Output>> {
    let mut ours = ours.into_future();
    poll_fn(|cx| {
        // (I1)
        match Pin::new(&mut ours).poll(cx) {
            Poll::Ready(outcome) => Poll::Ready(outcome.map(First::Ours)),
            Poll::Pending => foreign
                .as_mut()
                .poll(cx)
                .map(|output| Ok(First::Foreign(output))),
        }
    })
    .await
}
