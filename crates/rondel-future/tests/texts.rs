//! What errors and `Debug` say.

use rondel_future::{
    AddCallback, CancelledError, Completion, FutureState, InvalidStateError, Refused, State,
    Unavailable,
};
use std::error::Error;

#[test]
fn states_read_as_in_asyncio() {
    let states = [State::Pending, State::Cancelled, State::Finished];
    assert_eq!(
        states.map(|state| state.to_string()),
        ["pending", "cancelled", "finished"]
    );
}

#[test]
fn a_cancelled_error_tells_its_message() {
    let cases = [
        (CancelledError::new(), "cancelled", "CancelledError"),
        (
            CancelledError::with_message("stop"),
            "cancelled: stop",
            r#"CancelledError("stop")"#,
        ),
    ];
    for (error, display, debug) in cases {
        assert_eq!(error.to_string(), display);
        assert_eq!(format!("{error:?}"), debug);
    }
}

#[test]
fn an_invalid_state_error_tells_which_operation_met_which_state() {
    let cases = [
        (
            InvalidStateError::already_done(State::Finished),
            "the future is already finished",
        ),
        (
            InvalidStateError::already_done(State::Cancelled),
            "the future is already cancelled",
        ),
        (
            InvalidStateError::result_not_ready(),
            "the result is not ready",
        ),
        (
            InvalidStateError::exception_not_set(),
            "the exception is not set",
        ),
        (
            InvalidStateError::result_taken(),
            "the result has been taken",
        ),
    ];
    for (error, text) in cases {
        assert_eq!(error.to_string(), format!("invalid state: {text}"));
        let kinds = [
            error.is_already_done(),
            error.is_not_ready(),
            error.is_taken(),
        ];
        assert_eq!(kinds.iter().filter(|&&kind| kind).count(), 1, "{error}");
    }
}

#[test]
fn errors_travel_as_boxed_errors() {
    struct NotDebug;

    fn refused() -> Result<(), Box<dyn Error>> {
        let mut future = FutureState::<NotDebug, (), ()>::new();
        let _ = future.cancel(None);
        let _ = future.set_result(NotDebug)?;
        Ok(())
    }

    fn invalid() -> Result<(), InvalidStateError> {
        let mut future = FutureState::<NotDebug, (), ()>::new();
        let _ = future.set_result(NotDebug)?;
        let _ = future.set_result(NotDebug)?;
        Ok(())
    }

    let error = refused().expect_err("it is cancelled");
    assert_eq!(
        error.to_string(),
        "invalid state: the future is already cancelled"
    );
    assert!(error.is::<Refused<NotDebug>>());
    let error = invalid().expect_err("it is finished");
    assert_eq!(
        error.to_string(),
        "invalid state: the future is already finished"
    );
}

#[test]
fn an_unavailable_result_reads_as_its_reason() {
    let mut future = FutureState::<(), (), CancelledError>::new();
    assert_eq!(
        future.result().unwrap_err().to_string(),
        "invalid state: the result is not ready"
    );
    let _ = future
        .set_exception(CancelledError::with_message("inner"))
        .expect("it is pending");
    let reason = future.result().unwrap_err();
    assert_eq!(reason.to_string(), "cancelled: inner");
    assert_eq!(
        reason,
        Unavailable::Exception(&CancelledError::with_message("inner"))
    );
}

#[test]
fn debug_tells_the_state_and_what_goes_with_it() {
    let mut pending = Completion::<fn(), &str>::new();
    assert!(matches!(pending.add_callback(|| {}), AddCallback::Added));
    assert_eq!(format!("{pending:?}"), "Pending { callbacks: 1 }");

    let mut failed = Completion::<fn(), &str>::new();
    let _ = failed.set_exception("broken").expect("it is pending");
    assert_eq!(
        format!("{failed:?}"),
        r#"Finished { exception: "broken", retrieved: false }"#
    );

    let mut cancelled = Completion::<fn(), &str>::new();
    let _ = cancelled.cancel(Some("stop".into()));
    assert_eq!(
        format!("{cancelled:?}"),
        r#"Cancelled { message: Some("stop") }"#
    );

    let callbacks = pending.finish().expect("it is pending");
    assert_eq!(format!("{pending:?}"), "Finished");
    assert_eq!(format!("{callbacks:?}"), "Callbacks { len: 1 }");
}
