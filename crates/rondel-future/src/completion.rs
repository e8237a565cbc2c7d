//! The part of a future that does not mention the type of its value: state, callbacks and exception.
//!
//! The value is kept by whoever owns a [`Completion`], and put in place before [`Completion::finish`] is called;
//! [`FutureState`](crate::FutureState) does that for owners that need no such split.
//! The arrows are drawn at [`State`]; this is the only file that goes along one.
//!
//! # asyncio
//!
//! The fields `_state`, `_exception`, `_callbacks`, `_cancel_message`, `_cancelled_exc` and `__log_traceback` of
//! `asyncio.Future`, with the methods that touch them.
//! Deviation: fields that no state needs together share their place, and what few futures come to have is boxed, so a future of
//! callbacks of one word takes two words.

use crate::{
    AddCallback, Callbacks, Cancel, CancelledError, InvalidStateError, Outcome, Refused, State,
};
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::{fmt, mem};

/// Keeps the state of a future, its callbacks while it is pending, and its exception or cancellation afterwards.
///
/// `C` is a callback and `E` an exception, both of the owner's choice; neither is called, cloned or compared, and no method
/// drops one.
/// A completion takes one word more than a `C`; an exception is boxed.
///
/// # Examples
///
/// A future for text, with the value beside the completion:
///
/// ```
/// use rondel_future::{Completion, InvalidStateError, Outcome};
///
/// struct TextFuture {
///     completion: Completion<fn(&str), std::io::Error>,
///     value: String,
/// }
///
/// impl TextFuture {
///     fn set_result(&mut self, value: &str) -> Result<(), InvalidStateError> {
///         let callbacks = self.completion.finish()?;
///         self.value = value.to_owned();
///         for callback in callbacks {
///             callback(&self.value);
///         }
///         Ok(())
///     }
/// }
///
/// let mut future = TextFuture { completion: Completion::new(), value: String::new() };
/// future.set_result("the result")?;
/// assert!(matches!(future.completion.outcome(), Outcome::Value));
/// # Ok::<(), InvalidStateError>(())
/// ```
pub struct Completion<C, E>(Stage<C, E>);

/// What each state holds; a flag beside it would cost a word, so there is a stage for each of its values.
enum Stage<C, E> {
    Pending(Callbacks<C>),
    /// By `cancel(message)`: every reader's error carries the message.
    Cancelled(Message),
    /// By the error that ended a coroutine: the first reader gets that error, later readers one without message.
    CancelledByError(Message),
    Value,
    /// An exception that nobody has read.
    Unread(Box<E>),
    /// One that somebody has read.
    Read(Box<E>),
}

/// Of one word; most cancellations have none.
type Message = Option<Box<Arc<str>>>;

impl<C, E> Completion<C, E> {
    /// Makes a pending future without callbacks.
    pub const fn new() -> Self {
        Completion(Stage::Pending(Callbacks::new()))
    }

    /// Returns the state.
    #[inline]
    pub fn state(&self) -> State {
        match self.0 {
            Stage::Pending(_) => State::Pending,
            Stage::Cancelled(_) | Stage::CancelledByError(_) => State::Cancelled,
            Stage::Value | Stage::Unread(_) | Stage::Read(_) => State::Finished,
        }
    }

    /// Tells whether the future has left [`State::Pending`].
    #[inline]
    pub fn done(&self) -> bool {
        !matches!(self.0, Stage::Pending(_))
    }

    /// Tells whether the future was cancelled.
    #[inline]
    pub fn cancelled(&self) -> bool {
        matches!(self.0, Stage::Cancelled(_) | Stage::CancelledByError(_))
    }

    /// Finishes the future with a value that the caller keeps, and returns the callbacks to schedule.
    ///
    /// # Errors
    ///
    /// Fails when the future is done; nothing changes then.
    #[inline]
    pub fn finish(&mut self) -> Result<Callbacks<C>, InvalidStateError> {
        // Exchanged rather than taken out and overwritten: nothing has to look whether the old stage is to be dropped.
        match mem::replace(&mut self.0, Stage::Value) {
            Stage::Pending(callbacks) => Ok(callbacks),
            done => {
                self.0 = done;
                Err(InvalidStateError::already_done(self.state()))
            }
        }
    }

    /// Finishes the future with an exception, and returns the callbacks to schedule.
    ///
    /// The exception counts as unread until [`retrieve`](Self::retrieve) is called.
    ///
    /// # Errors
    ///
    /// Gives the exception back when the future is done; nothing changes then.
    pub fn set_exception(&mut self, exception: E) -> Result<Callbacks<C>, Refused<E>> {
        match self.pending() {
            Ok(callbacks) => {
                let callbacks = mem::take(callbacks);
                self.0 = Stage::Unread(Box::new(exception));
                Ok(callbacks)
            }
            Err(error) => Err(Refused::new(exception, error)),
        }
    }

    /// Cancels the future from outside, with a message that every reader's error carries.
    ///
    /// On a done future it only marks the outcome as read, as asyncio does: who cancels a future has no more interest in its
    /// exception.
    pub fn cancel(&mut self, message: Option<Arc<str>>) -> Cancel<C> {
        self.cancel_as(Stage::Cancelled(message.map(Box::new)))
    }

    /// Cancels the future because this error has ended the coroutine behind it.
    ///
    /// The first [`cancelled_error`](Self::cancelled_error) returns the error itself, later ones an error without message.
    pub fn cancel_with(&mut self, error: CancelledError) -> Cancel<C> {
        self.cancel_as(Stage::CancelledByError(error.into_message().map(Box::new)))
    }

    fn cancel_as(&mut self, cancelled: Stage<C, E>) -> Cancel<C> {
        match self.pending() {
            Ok(callbacks) => {
                let callbacks = mem::take(callbacks);
                self.0 = cancelled;
                Cancel::Cancelled(callbacks)
            }
            Err(_) => {
                self.retrieve();
                Cancel::AlreadyDone
            }
        }
    }

    /// Makes the error that a reader of a cancelled future gets.
    ///
    /// After [`cancel`](Self::cancel) each call carries its message; after [`cancel_with`](Self::cancel_with) only the first
    /// does.
    /// For a future that is not cancelled it is an error without message.
    pub fn cancelled_error(&mut self) -> CancelledError {
        match &mut self.0 {
            Stage::Cancelled(message) => CancelledError::from_message(message.as_deref().cloned()),
            Stage::CancelledByError(message) => {
                CancelledError::from_message(message.take().map(|message| *message))
            }
            Stage::Pending(_) | Stage::Value | Stage::Unread(_) | Stage::Read(_) => {
                CancelledError::new()
            }
        }
    }

    /// Returns the message that was given to [`cancel`](Self::cancel), and none after [`cancel_with`](Self::cancel_with).
    pub fn cancel_message(&self) -> Option<&str> {
        match &self.0 {
            Stage::Cancelled(message) => message.as_deref().map(AsRef::as_ref),
            _ => None,
        }
    }

    /// Shows how the future ended, without counting as reading it.
    #[inline]
    pub fn outcome(&self) -> Outcome<'_, E> {
        match &self.0 {
            Stage::Pending(_) => Outcome::Pending,
            Stage::Cancelled(_) | Stage::CancelledByError(_) => Outcome::Cancelled,
            Stage::Value => Outcome::Value,
            Stage::Unread(exception) | Stage::Read(exception) => Outcome::Exception(exception),
        }
    }

    /// Notes that somebody has read the outcome, so that nothing is left to report.
    #[inline]
    pub fn retrieve(&mut self) {
        if let Stage::Unread(_) = &self.0
            && let Stage::Unread(exception) = mem::replace(&mut self.0, Stage::Value)
        {
            self.0 = Stage::Read(exception);
        }
    }

    /// Returns the exception that nobody has read, for the owner to report before it drops the future.
    ///
    /// # Examples
    ///
    /// ```
    /// use rondel_future::{Completion, Refused};
    ///
    /// let mut future = Completion::<(), &str>::new();
    /// let _ = future.set_exception("the disk is full")?;
    /// assert_eq!(future.unretrieved(), Some(&"the disk is full"));
    ///
    /// future.retrieve();
    /// assert_eq!(future.unretrieved(), None);
    /// # Ok::<(), Refused<&str>>(())
    /// ```
    #[inline]
    pub fn unretrieved(&self) -> Option<&E> {
        match &self.0 {
            Stage::Unread(exception) => Some(exception),
            _ => None,
        }
    }

    /// Keeps a callback until the future is done, or hands it back when it is.
    ///
    /// The same callback may be added again and is then handed out again.
    #[inline(always)]
    pub fn add_callback(&mut self, callback: C) -> AddCallback<C> {
        match &mut self.0 {
            Stage::Pending(callbacks) => {
                callbacks.push(callback);
                AddCallback::Added
            }
            _ => AddCallback::ScheduleNow(callback),
        }
    }

    /// As [`add_callback`](Self::add_callback), if it is the first of a pending future, for which no memory is needed.
    ///
    /// # Errors
    ///
    /// Gives the callback back when there is another, or the future is done; nothing changes then.
    #[inline(always)]
    pub fn add_first_callback(&mut self, callback: C) -> Result<(), C> {
        match &mut self.0 {
            Stage::Pending(callbacks) => callbacks.push_first(callback),
            _ => Err(callback),
        }
    }

    /// Takes out every callback that matches, in order, for the caller to count and drop.
    ///
    /// # asyncio
    ///
    /// `remove_done_callback` compares functions with `==`; here the caller says which callbacks it means.
    pub fn remove_callbacks(&mut self, mut matches: impl FnMut(&C) -> bool) -> Callbacks<C> {
        let mut removed = Callbacks::new();
        if let Stage::Pending(callbacks) = &mut self.0 {
            let mut start = 0;
            while let Some((place, callback)) = callbacks.remove_from(start, &mut matches) {
                removed.push(callback);
                start = place;
            }
        }
        removed
    }

    /// Takes out the first callback that matches, and looks at none behind it.
    pub fn remove_callback(&mut self, matches: impl FnMut(&C) -> bool) -> Option<C> {
        match &mut self.0 {
            Stage::Pending(callbacks) => callbacks
                .remove_from(0, matches)
                .map(|(_, callback)| callback),
            _ => None,
        }
    }

    /// Looks at the callbacks in order; a done future has none.
    pub fn callbacks(&self) -> impl Iterator<Item = &C> {
        match &self.0 {
            Stage::Pending(callbacks) => Some(callbacks.iter()),
            _ => None,
        }
        .into_iter()
        .flatten()
    }

    /// Returns the callbacks of a pending future, all of which a transition has to hand out.
    #[inline]
    fn pending(&mut self) -> Result<&mut Callbacks<C>, InvalidStateError> {
        let state = self.state();
        match &mut self.0 {
            Stage::Pending(callbacks) => Ok(callbacks),
            _ => Err(InvalidStateError::already_done(state)),
        }
    }
}

impl<C, E> Default for Completion<C, E> {
    fn default() -> Self {
        Completion::new()
    }
}

impl<C, E: fmt::Debug> fmt::Debug for Completion<C, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Stage::Pending(callbacks) => f
                .debug_struct("Pending")
                .field("callbacks", &callbacks.len())
                .finish(),
            Stage::Cancelled(message) | Stage::CancelledByError(message) => f
                .debug_struct("Cancelled")
                .field("message", message)
                .finish(),
            Stage::Value => f.write_str("Finished"),
            Stage::Unread(exception) | Stage::Read(exception) => f
                .debug_struct("Finished")
                .field("exception", exception)
                .field("retrieved", &matches!(self.0, Stage::Read(_)))
                .finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::rc::Rc;
    use core::error::Error;
    use core::mem::size_of;

    type Exception = Arc<dyn Error + Send + Sync>;

    #[test]
    fn it_takes_one_word_more_than_a_callback() {
        const WORD: usize = size_of::<usize>();
        assert_eq!(size_of::<Completion<Rc<()>, Exception>>(), 2 * WORD);
        assert_eq!(size_of::<Option<Completion<Rc<()>, Exception>>>(), 2 * WORD);
        assert!(size_of::<Completion<Rc<dyn Fn()>, Exception>>() <= 3 * WORD);
        assert!(size_of::<Completion<[usize; 2], [u64; 9]>>() <= 3 * WORD);
    }
}
