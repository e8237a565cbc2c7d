//! Reports of what nobody can be told.

mod common;

use std::{error::Error, fmt, rc::Rc, sync::Arc};

use common::{Log, TestResult, virtual_loop};
use rondel_reactor::{ExceptionContext, PanicError};

#[derive(Debug)]
struct Outer(std::num::ParseIntError);

impl fmt::Display for Outer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bad port")
    }
}

impl Error for Outer {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

#[test]
fn a_report_reads_like_asyncios() {
    let context = ExceptionContext::new("Task exception was never retrieved")
        .with_subject("task", "<Task finished>")
        .with_subject("future", "<Future pending>")
        .with_exception(Arc::new(Outer("x".parse::<u16>().unwrap_err())));
    assert_eq!(
        context.to_string(),
        "Task exception was never retrieved\n\
         future: <Future pending>\n\
         task: <Task finished>\n\
         bad port\n\
         caused by: invalid digit found in string",
    );
    assert_eq!(context.message(), "Task exception was never retrieved");
    assert_eq!(context.subject("task"), Some("<Task finished>"));
    assert_eq!(context.subject("handle"), None);
    assert_eq!(
        context.subjects().map(|(key, _)| key).collect::<Vec<_>>(),
        ["task", "future"]
    );
    assert!(context.exception().is_some_and(|error| error.is::<Outer>()));
}

#[test]
fn a_callback_that_panics_is_reported_and_the_loop_goes_on() -> TestResult {
    let (event_loop, _) = virtual_loop();
    let log = Log::default();
    let seen = log.clone();
    event_loop.set_exception_handler(Some(Rc::new(move |reporting, context| {
        assert!(reporting.is_running());
        let exception = context
            .exception()
            .and_then(|error| error.downcast_ref::<PanicError>());
        seen.add(exception.and_then(PanicError::message).unwrap_or("no text"));
    })));
    event_loop.call_soon(|| std::panic::resume_unwind(Box::new("str")))?;
    event_loop.call_soon(|| std::panic::resume_unwind(Box::new(String::from("String"))))?;
    event_loop.call_soon(|| std::panic::resume_unwind(Box::new(7)))?;
    event_loop.call_soon(log.adding("after"))?;
    event_loop.run_once()?;
    log.saw("str String no text after");
    Ok(())
}

#[test]
fn the_handler_can_be_looked_at_and_taken_out() {
    let (event_loop, _) = virtual_loop();
    assert!(event_loop.get_exception_handler().is_none());
    let log = Log::default();
    event_loop.set_exception_handler(log.reporting());
    assert!(event_loop.get_exception_handler().is_some());
    event_loop.call_exception_handler(&ExceptionContext::new("reported"));
    log.saw("reported");
    event_loop.set_exception_handler(None);
    assert!(event_loop.get_exception_handler().is_none());
}

#[test]
fn a_handler_whose_destructor_sets_another_is_replaced() {
    struct Meddling(rondel_reactor::EventLoop);
    impl Drop for Meddling {
        fn drop(&mut self) {
            self.0.set_exception_handler(None);
        }
    }

    let (event_loop, _) = virtual_loop();
    let meddling = Meddling(event_loop.clone());
    event_loop.set_exception_handler(Some(Rc::new(move |_, _| {
        let _ = &meddling;
    })));
    event_loop.set_exception_handler(Log::default().reporting());
    assert!(event_loop.get_exception_handler().is_none());
}
