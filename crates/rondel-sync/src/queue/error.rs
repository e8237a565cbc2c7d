//! The errors of queues.
//!
//! # asyncio
//! [`QueueEmpty`], [`QueueFull`] and [`QueueShutDown`] are the exceptions of these names. The `_nowait` methods return an enum
//! of those that they may raise, which `?` turns into an [`Exception`] that holds the one in question.

use std::error::Error;
use std::fmt;

use rondel_task::Exception;

/// Declares an error that is its name and a sentence.
macro_rules! queue_error {
    ($(#[$doc:meta])* $name:ident: $text:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $name;

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($text)
            }
        }

        impl Error for $name {}
    };
}

queue_error! {
    /// Says that there was no value to get.
    ///
    /// Mirrors [`asyncio.QueueEmpty`](https://docs.python.org/3/library/asyncio-queue.html#asyncio.QueueEmpty).
    QueueEmpty: "the queue is empty"
}

queue_error! {
    /// Says that there was no room for a value.
    ///
    /// Mirrors [`asyncio.QueueFull`](https://docs.python.org/3/library/asyncio-queue.html#asyncio.QueueFull).
    QueueFull: "the queue is full"
}

queue_error! {
    /// Says that the queue was shut down: nothing can be put in, and what was in it is gone.
    ///
    /// Mirrors [`asyncio.QueueShutDown`](https://docs.python.org/3/library/asyncio-queue.html#asyncio.QueueShutDown).
    QueueShutDown: "the queue was shut down"
}

/// Says why [`put_nowait`](crate::BaseQueue::put_nowait) did not take a value, and hands it back.
///
/// It is not an error in itself, so that `?` can make one of it whatever the value is: an [`Exception`] that is a [`QueueFull`]
/// or [`QueueShutDown`], and the value is dropped.
///
/// # Examples
/// ```
/// use rondel_sync::{PutNowaitError, Queue};
///
/// let queue = Queue::new(1);
/// queue.put_nowait("tea").unwrap();
/// assert_eq!(queue.put_nowait("milk"), Err(PutNowaitError::QueueFull("milk")));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum PutNowaitError<T> {
    /// There was no room for this value.
    QueueFull(T),
    /// The queue was shut down before this value came.
    QueueShutDown(T),
}

impl<T> PutNowaitError<T> {
    /// Returns the value that was to be put.
    pub fn into_inner(self) -> T {
        match self {
            Self::QueueFull(item) | Self::QueueShutDown(item) => item,
        }
    }

    fn reason(&self) -> &'static dyn Error {
        match self {
            Self::QueueFull(_) => &QueueFull,
            Self::QueueShutDown(_) => &QueueShutDown,
        }
    }
}

// Not derived, so that the value of any type can be unwrapped.
impl<T> fmt::Debug for PutNowaitError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}(..)", self.reason())
    }
}

impl<T> fmt::Display for PutNowaitError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.reason(), f)
    }
}

impl<T> From<PutNowaitError<T>> for Exception {
    fn from(error: PutNowaitError<T>) -> Self {
        match error {
            PutNowaitError::QueueFull(_) => Self::new(QueueFull),
            PutNowaitError::QueueShutDown(_) => Self::new(QueueShutDown),
        }
    }
}

/// Says why [`get_nowait`](crate::BaseQueue::get_nowait) had no value to give.
///
/// Like [`PutNowaitError`] it becomes an [`Exception`] that is a [`QueueEmpty`] or [`QueueShutDown`].
///
/// # Examples
/// ```
/// use rondel_sync::{GetNowaitError, Queue, QueueEmpty};
/// use rondel_task::Exception;
///
/// let queue = Queue::<u32>::new(0);
/// let error = queue.get_nowait().unwrap_err();
/// assert_eq!(error, GetNowaitError::QueueEmpty);
/// assert!(Exception::from(error).is::<QueueEmpty>());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GetNowaitError {
    /// The queue is empty.
    QueueEmpty,
    /// The queue is empty and shut down, so it stays so.
    QueueShutDown,
}

impl fmt::Display for GetNowaitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::QueueEmpty => QueueEmpty.fmt(f),
            Self::QueueShutDown => QueueShutDown.fmt(f),
        }
    }
}

impl From<GetNowaitError> for Exception {
    fn from(error: GetNowaitError) -> Self {
        match error {
            GetNowaitError::QueueEmpty => Self::new(QueueEmpty),
            GetNowaitError::QueueShutDown => Self::new(QueueShutDown),
        }
    }
}
