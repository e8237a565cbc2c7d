//! What a reader of a cancelled future is told, and what cancelling forgets.

use rondel_future::{Cancel, CancelledError, FutureState, Unavailable};

type Future = FutureState<(), (), &'static str>;

/// Reads a future and returns the message of the error that says it was cancelled.
#[track_caller]
fn read(future: &mut Future) -> Option<String> {
    match future.result() {
        Err(Unavailable::Cancelled(error)) => error.message().map(str::to_owned),
        other => panic!("not cancelled but {other:?}"),
    }
}

#[test]
fn every_reader_gets_the_message_of_cancel() {
    let mut future = Future::new();
    assert!(matches!(
        future.cancel(Some("stop".into())),
        Cancel::Cancelled(_)
    ));
    assert_eq!(future.completion().cancel_message(), Some("stop"));
    assert_eq!(read(&mut future).as_deref(), Some("stop"));
    assert_eq!(read(&mut future).as_deref(), Some("stop"));
}

#[test]
fn only_the_first_reader_gets_the_error_that_ended_a_coroutine() {
    let mut future = Future::new();
    let error = CancelledError::with_message("from inside");
    assert!(matches!(
        future.completion_mut().cancel_with(error),
        Cancel::Cancelled(_)
    ));
    assert_eq!(future.completion().cancel_message(), None);
    assert_eq!(read(&mut future).as_deref(), Some("from inside"));
    assert_eq!(read(&mut future), None);
}

#[test]
fn a_later_message_changes_nothing() {
    let mut future = Future::new();
    assert!(matches!(
        future.cancel(Some("first".into())),
        Cancel::Cancelled(_)
    ));
    assert!(matches!(
        future.cancel(Some("second".into())),
        Cancel::AlreadyDone
    ));
    assert_eq!(read(&mut future).as_deref(), Some("first"));
}

#[test]
fn who_cancels_a_failed_future_does_not_want_its_exception_reported() {
    let mut future = Future::new();
    let _ = future.set_exception("unread").expect("it is pending");
    assert_eq!(future.completion().unretrieved(), Some(&"unread"));
    assert!(matches!(future.cancel(None), Cancel::AlreadyDone));
    assert_eq!(future.completion().unretrieved(), None);
    assert_eq!(future.exception(), Ok(Some(&"unread")));
}

#[test]
fn looking_is_not_reading() {
    let mut future = Future::new();
    let _ = future.set_exception("unread").expect("it is pending");
    let _ = (future.completion().outcome(), format!("{future:?}"));
    assert_eq!(future.completion().unretrieved(), Some(&"unread"));
    assert_eq!(future.result(), Err(Unavailable::Exception(&"unread")));
    assert_eq!(future.completion().unretrieved(), None);
}
