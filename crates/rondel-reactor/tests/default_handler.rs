//! The default exception handler: each case is a process of its own, because it writes to standard error or to the global subscriber.

mod common;

use std::{
    env,
    panic::resume_unwind,
    process::{Command, Stdio},
    rc::Rc,
};

use common::{Log, TestResult, virtual_loop};
use rondel_reactor::ExceptionContext;
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

const CHILD: &str = "RONDEL_TEST_REPORT";

/// Runs the named test again, in a process of its own with `CHILD` set, and returns what that wrote to standard error.
fn in_child(test: &str) -> Result<String, Box<dyn std::error::Error>> {
    let output = Command::new(env::current_exe()?)
        .args([test, "--exact", "--nocapture"])
        .env(CHILD, "1")
        .stdout(Stdio::null())
        .output()?;
    assert!(output.status.success(), "{output:?}");
    Ok(String::from_utf8(output.stderr)?)
}

fn is_child() -> bool {
    env::var_os(CHILD).is_some()
}

#[test]
fn it_writes_to_standard_error() -> TestResult {
    if is_child() {
        let (event_loop, _) = virtual_loop();
        event_loop
            .call_exception_handler(&ExceptionContext::new("first").with_subject("task", "<Task>"));
        event_loop.default_exception_handler(&ExceptionContext::new("second"));
        return Ok(());
    }
    assert_eq!(
        in_child("it_writes_to_standard_error")?,
        "first\ntask: <Task>\nsecond\n"
    );
    Ok(())
}

#[test]
fn it_is_told_of_a_handler_that_panics_and_the_loop_goes_on() -> TestResult {
    if is_child() {
        let (event_loop, _) = virtual_loop();
        let log = Log::default();
        event_loop.set_exception_handler(Some(Rc::new(|_, _| {
            resume_unwind(Box::new("in the handler"))
        })));
        event_loop.call_soon(|| resume_unwind(Box::new("oops")))?;
        event_loop.call_soon(log.adding("after"))?;
        event_loop.run_once()?;
        log.saw("after");
        return Ok(());
    }
    let written = in_child("it_is_told_of_a_handler_that_panics_and_the_loop_goes_on")?;
    assert!(
        written.starts_with("Unhandled error in exception handler\ncontext: ExceptionContext"),
        "{written}"
    );
    assert!(written.contains("oops"), "{written}");
    assert!(
        written.ends_with("\npanicked: in the handler\n"),
        "{written}"
    );
    Ok(())
}

#[test]
fn it_tells_the_subscriber_where_there_is_one() -> TestResult {
    /// Writes the message of each error in brackets.
    struct Bracketing;

    impl Subscriber for Bracketing {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            *metadata.level() == Level::ERROR
        }
        fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
            span::Id::from_u64(1)
        }
        fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
        fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
        fn event(&self, event: &Event<'_>) {
            event.record(&mut Message);
        }
        fn enter(&self, _: &span::Id) {}
        fn exit(&self, _: &span::Id) {}
    }

    struct Message;

    impl Visit for Message {
        fn record_debug(&mut self, _: &Field, value: &dyn std::fmt::Debug) {
            eprintln!("[{value:?}]");
        }
    }

    if is_child() {
        tracing::subscriber::set_global_default(Bracketing)?;
        let (event_loop, _) = virtual_loop();
        event_loop.call_exception_handler(&ExceptionContext::new("reported"));
        return Ok(());
    }
    assert_eq!(
        in_child("it_tells_the_subscriber_where_there_is_one")?,
        "[reported]\n"
    );
    Ok(())
}
