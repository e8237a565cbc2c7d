//! Debug mode: slow steps, and where futures were made.

mod common;

use std::fmt;
use std::panic::resume_unwind;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use common::{reports, tick};
use rondel_reactor::{Builder, ExceptionContext};
use rondel_sched::VirtualClock;
use rondel_task::{EventLoop, Exception, Result, Runner, create_task, get_running_loop};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber, span};

/// The warnings of a program under a virtual clock, in debug mode.
fn warnings_of<F>(program: impl FnOnce(VirtualClock) -> F) -> Vec<String>
where
    F: core::future::Future<Output = Result<()>> + 'static,
{
    let clock = VirtualClock::new();
    let of_loop = clock.clone();
    let runner =
        Runner::with_loop_factory(move || EventLoop::with_clock(of_loop.clone())).debug(true);
    let warnings = Warnings::default();
    tracing::subscriber::with_default(warnings.clone(), || {
        runner
            .run(program(clock))
            .expect("the program raises nothing");
        runner.close().expect("it can be closed");
    });
    let given = warnings.0.lock().unwrap_or_else(PoisonError::into_inner);
    given.clone()
}

fn debug_loop() -> EventLoop {
    EventLoop::build(Builder::new().debug(true)).expect("file descriptors are left")
}

#[derive(Clone, Default)]
struct Warnings(Arc<Mutex<Vec<String>>>);

impl Subscriber for Warnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::WARN
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

impl Visit for Warnings {
    fn record_debug(&mut self, _: &Field, value: &dyn fmt::Debug) {
        let mut warnings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        warnings.push(format!("{value:?}"));
    }
}

#[test]
fn a_step_that_takes_long_is_named_with_its_task() {
    async fn slow(clock: VirtualClock) -> Result<()> {
        clock.advance(Duration::from_millis(250));
        tick().await?;
        clock.advance(Duration::from_millis(99));
        tick().await?;
        clock.advance(Duration::from_secs(1));
        Ok(())
    }

    let mut line = 0;
    let warnings = warnings_of(|clock| {
        line = line!() + 2;
        async move {
            let task = create_task(slow(clock))?;
            task.set_name("slow");
            task.await
        }
    });
    let place = format!("{}:{line}", file!());
    assert_eq!(
        warnings,
        [
            format!(
                "Executing <Task pending name='slow' coro=slow() at {place} cb=[Task.wakeup()]> took 0.250 seconds"
            ),
            format!(
                "Executing <Task finished name='slow' coro=slow() at {place}> took 1.000 seconds"
            ),
        ]
    );
}

#[test]
fn a_task_that_cannot_be_shown_is_reported_all_the_same() {
    struct Unshowable;

    impl fmt::Debug for Unshowable {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            resume_unwind(Box::new("it cannot be shown"))
        }
    }

    impl fmt::Display for Unshowable {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("unshowable")
        }
    }

    impl std::error::Error for Unshowable {}

    let warnings = warnings_of(|clock| async move {
        let task = create_task::<(), _>(async move {
            clock.advance(Duration::from_secs(1));
            Err(Exception::new(Unshowable))
        })?;
        assert!(task.await.is_err());
        Ok(())
    });
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].ends_with(" took 1.000 seconds"), "{warnings:?}");
}

#[test]
fn a_future_shows_where_it_was_made() {
    let event_loop = debug_loop();
    let (future, line) = (event_loop.create_future::<i32>(), line!());
    let place = format!("{}:{line}", file!());
    assert_eq!(
        format!("{future:?}"),
        format!("<Future pending created at {place}>")
    );
    future.set_result(1).unwrap();
    assert_eq!(
        format!("{future:?}"),
        format!("<Future finished result=1 created at {place}>")
    );

    event_loop.set_debug(false);
    let plain = event_loop.create_future::<()>();
    assert_eq!(format!("{plain:?}"), "<Future pending>");
    assert!(
        format!("{future:?}").contains(" created at "),
        "it is noted"
    );
    event_loop.close().unwrap();
}

#[test]
fn an_address_that_is_used_again_does_not_show_another_futures_place() {
    let event_loop = debug_loop();
    for _ in 0..1_000 {
        drop(event_loop.create_future::<i32>());
    }
    event_loop.set_debug(false);
    for _ in 0..1_000 {
        let plain = event_loop.create_future::<i32>();
        assert_eq!(format!("{plain:?}"), "<Future pending>");
    }
    event_loop.close().unwrap();
}

#[test]
fn an_exception_that_was_never_retrieved_names_the_place() {
    let event_loop = debug_loop();
    let subjects = Rc::new(std::cell::RefCell::new(String::new()));
    let subject = subjects.clone();
    event_loop.set_exception_handler(Some(move |_: &EventLoop, context: &ExceptionContext| {
        *subject.borrow_mut() = context.subject("future").unwrap_or_default().to_owned();
    }));
    let (future, line) = (event_loop.create_future::<i32>(), line!());
    future.set_exception(Exception::msg("oops")).unwrap();
    drop(future);
    assert!(
        subjects
            .borrow()
            .ends_with(&format!(" created at {}:{line}>", file!())),
        "{subjects:?}"
    );
    event_loop.close().unwrap();
}

#[test]
fn a_runner_says_whether_its_loop_is_in_debug_mode() {
    for debug in [true, false] {
        let runner = Runner::new().debug(debug);
        let is_on = runner.run(async { Ok(get_running_loop()?.get_debug()) });
        assert_eq!(is_on.unwrap(), debug);
        runner.close().unwrap();
    }
}

#[test]
fn a_loop_that_is_dropped_open_is_named_with_the_line_that_made_it() {
    let warnings = Warnings::default();
    let mut line = 0;
    tracing::subscriber::with_default(warnings.clone(), || {
        line = line!() + 1;
        let event_loop = EventLoop::new().unwrap();
        event_loop.set_debug(true);
        drop(event_loop.clone());
        drop(event_loop);

        let closed = EventLoop::new().unwrap();
        closed.set_debug(true);
        closed.close().unwrap();
    });
    let warnings = warnings.0.lock().unwrap_or_else(PoisonError::into_inner);
    assert_eq!(
        *warnings,
        [format!(
            "unclosed event loop <EventLoop running=false closed=false debug=true>\ncreated at: {}:{line}",
            file!()
        )]
    );
}

#[test]
fn statistics_count_the_tasks() {
    let event_loop = common::virtual_loop();
    let reported = reports(&event_loop);
    let task = event_loop.create_task(common::ticks(2)).unwrap();
    assert_eq!(event_loop.statistics().tasks, Some(1));
    event_loop.run_until_complete(&task).unwrap();
    let statistics = event_loop.statistics();
    assert_eq!(statistics.tasks, Some(0));
    // Three steps, and the callback that stops the loop.
    assert_eq!((statistics.iterations, statistics.callbacks), (4, 4));
    event_loop.close().unwrap();
    reported.check(&[]);
}
