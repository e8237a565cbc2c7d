//! `race!`: `race` for awaitables whose values have different types, which gives an enum of the place that won.
//!
//! The rules, who wins and what becomes of the others, are those of the function `race`.
//!
//! # asyncio
//! It has none in public.

use std::panic::Location;

use crate::crew::Crew;
use crate::ensure_future::{EnsureFuture, ensure_future};
use crate::exception::Result;
use crate::future::Future;
use crate::opaque::Opaque;
use crate::race::{first_of, nobody_wins};

/// A tuple of awaitables: what [`race!`](crate::race!) takes.
pub trait RaceTuple {
    /// The winner's value, by its place.
    type Output;

    /// Runs them concurrently until the first is done.
    #[track_caller]
    fn race(self) -> impl core::future::Future<Output = Result<Self::Output>>;
}

/// Declares the enum of the winners of so many, and implements the trait for tuples of so many.
macro_rules! race_tuple {
    ($(#[$doc:meta])* $winner:ident: $($awaitable:ident $place:ident $index:literal),+) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $winner<$($awaitable),+> {
            $(
                #[doc = concat!("Number ", $index, " in the order given has won, counted from 0.")]
                $place($awaitable),
            )+
        }

        impl<$($awaitable: EnsureFuture),+> RaceTuple for ($($awaitable,)+) {
            type Output = $winner<$($awaitable::Output),+>;

            #[track_caller]
            fn race(self) -> impl core::future::Future<Output = Result<Self::Output>> {
                let at = Location::caller();
                async move {
                    #[allow(non_snake_case, reason = "each variable is called as its type")]
                    let ($($awaitable,)+) = self;
                    let crew = Crew::new(at);
                    $(
                        #[allow(non_snake_case, reason = "each variable is called as its type")]
                        let $awaitable = Racer::<$awaitable>::start($awaitable, &crew, $index)?;
                    )+
                    let winner = first_of(&crew).await;
                    let ended = crew.end().await;
                    // The racers' own handles are to be the last.
                    crew.clear();
                    ended?;
                    match winner? {
                        $($index => $awaitable.claim().map($winner::$place),)+
                        _ => Err(nobody_wins()),
                    }
                }
            }
        }
    };
}

/// One of them, which knows the type of its value.
struct Racer<A: EnsureFuture>(Future<A::Output>);

impl<A: EnsureFuture> Racer<A> {
    fn start(awaitable: A, crew: &Crew<Opaque>, place: usize) -> Result<Self> {
        let future = ensure_future(awaitable)?;
        crew.add(place, future.erase());
        Ok(Self(future))
    }

    fn claim(self) -> Result<A::Output> {
        A::claim(self.0)
    }
}

race_tuple! {
    /// Which of two has won a [`race!`](crate::race!), with its value.
    Race2: A First 0, B Second 1
}

race_tuple! {
    /// Which of three has won a [`race!`](crate::race!), with its value.
    Race3: A First 0, B Second 1, C Third 2
}

race_tuple! {
    /// Which of four has won a [`race!`](crate::race!), with its value.
    Race4: A First 0, B Second 1, C Third 2, D Fourth 3
}

race_tuple! {
    /// Which of five has won a [`race!`](crate::race!), with its value.
    Race5: A First 0, B Second 1, C Third 2, D Fourth 3, E Fifth 4
}

race_tuple! {
    /// Which of six has won a [`race!`](crate::race!), with its value.
    Race6: A First 0, B Second 1, C Third 2, D Fourth 3, E Fifth 4, F Sixth 5
}

race_tuple! {
    /// Which of seven has won a [`race!`](crate::race!), with its value.
    Race7: A First 0, B Second 1, C Third 2, D Fourth 3, E Fifth 4, F Sixth 5, G Seventh 6
}

race_tuple! {
    /// Which of eight has won a [`race!`](crate::race!), with its value.
    Race8: A First 0, B Second 1, C Third 2, D Fourth 3, E Fifth 4, F Sixth 5, G Seventh 6, H Eighth 7
}

/// Runs awaitables of different types concurrently and gives the value of the one that is done first, as an enum of its place;
/// two to eight of them.
///
/// In all else as the function [`race()`](crate::race()): an exception wins, too, and the others are cancelled and have ended when
/// this returns.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use rondel_task::{race, run_virtual, sleep, sleep_result, Race2};
///
/// let heard = run_virtual(async {
///     let answer = sleep_result(Duration::from_secs(1), "yes");
///     match race!(answer, sleep(Duration::from_secs(60))).await? {
///         Race2::First(answer) => Ok(answer),
///         Race2::Second(()) => Ok("no answer"),
///     }
/// });
/// assert_eq!(heard.unwrap(), "yes");
/// ```
#[macro_export]
macro_rules! race {
    ($($awaitable:expr),+ $(,)?) => {
        $crate::RaceTuple::race(($($awaitable,)+))
    };
}
