//! `gather!`: `gather` for awaitables whose values have different types, which gives a tuple.
//!
//! # asyncio
//! [`asyncio.gather`](https://docs.python.org/3/library/asyncio-task.html#asyncio.gather), whose list takes values of any type.

use crate::ensure_future::EnsureFuture;
use crate::exception::Result;
use crate::future::Future;
use crate::gather::{Gatherer, claim};
use crate::outer::Outer;

/// A tuple of awaitables: what [`gather!`](crate::gather!) takes.
pub trait GatherTuple {
    /// The tuple of their values.
    type Output: 'static;

    /// Runs them concurrently.
    #[track_caller]
    fn gather(self) -> Outer<Self::Output>;
}

/// Implements the trait for tuples of so many.
macro_rules! gather_tuple {
    ($($awaitable:ident),+) => {
        impl<$($awaitable: EnsureFuture),+> GatherTuple for ($($awaitable,)+) {
            type Output = ($($awaitable::Output,)+);

            #[track_caller]
            fn gather(self) -> Outer<Self::Output> {
                #[allow(non_snake_case, reason = "each variable is called as its type")]
                #[track_caller]
                fn gather_all<O: 'static, $($awaitable: EnsureFuture),+>(
                    mut gatherer: Gatherer<O>,
                    ($($awaitable,)+): ($($awaitable,)+),
                ) -> Result<Future<O>> {
                    $(gatherer.add($awaitable)?;)+
                    gatherer.finish()
                }

                let gatherer = Gatherer::new(false, |mut children| {
                    // One handle stands there for each of the tuple.
                    let mut next = || children.next().expect("a tuple's children are all there");
                    Ok(($(claim::<$awaitable>(next())?,)+))
                });
                Outer::new(gather_all(gatherer, self))
            }
        }
    };
}

gather_tuple!(A);
gather_tuple!(A, B);
gather_tuple!(A, B, C);
gather_tuple!(A, B, C, D);
gather_tuple!(A, B, C, D, E);
gather_tuple!(A, B, C, D, E, F);
gather_tuple!(A, B, C, D, E, F, G);
gather_tuple!(A, B, C, D, E, F, G, H);

/// Runs awaitables of different types concurrently and gives the tuple of their results; up to eight of them.
///
/// In all else as the function [`gather()`](crate::gather()).
///
/// # Examples
/// ```
/// use rondel_task::{gather, run, Result};
///
/// async fn name() -> Result<&'static str> {
///     Ok("rondel")
/// }
///
/// async fn lines() -> Result<u32> {
///     Ok(13)
/// }
///
/// let poem = run(async { gather!(name(), lines()).await });
/// assert_eq!(poem.unwrap(), ("rondel", 13));
/// ```
#[macro_export]
macro_rules! gather {
    ($($awaitable:expr),+ $(,)?) => {
        $crate::GatherTuple::gather(($($awaitable,)+))
    };
}
