//! Debug mode: what takes long, and what nobody has closed, is told as a warning.

mod common;

use std::{
    env,
    fmt::Debug,
    panic::{Location, resume_unwind},
    process::{Command, Stdio},
    rc::Rc,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use common::{Log, TestResult, is_child, virtual_loop};
use rondel_reactor::EventLoop;
use rondel_sched::VirtualClock;
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

const MS: Duration = Duration::from_millis(1);

/// The warnings that `run` gives, without the numbers of their lines.
fn warnings_of(
    run: impl FnOnce() -> TestResult,
) -> Result<Vec<String>, Box<dyn std::error::Error>> {
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
        fn record_debug(&mut self, _: &Field, value: &dyn Debug) {
            let mut warnings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            warnings.push(format!("{value:?}"));
        }
    }

    let warnings = Warnings::default();
    tracing::subscriber::with_default(warnings.clone(), run)?;
    let given = warnings.0.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(given.clone())
}

/// Where a line of this file is, as a warning shows it.
fn line(number: u32) -> String {
    format!("{}:{number}", file!())
}

fn debug_loop() -> (EventLoop, VirtualClock) {
    let (event_loop, clock) = virtual_loop();
    event_loop.set_debug(true);
    (event_loop, clock)
}

#[test]
fn a_callback_that_takes_long_is_named_with_the_line_that_scheduled_it() -> TestResult {
    let mut scheduled = 0;
    let warnings = warnings_of(|| {
        let (event_loop, clock) = debug_loop();
        assert_eq!(event_loop.slow_callback_duration(), 100 * MS);
        scheduled = line!() + 1;
        event_loop.call_soon(move || clock.advance(123 * MS))?;
        event_loop.call_soon(|| ())?;
        event_loop.run_once()?;
        assert_eq!(event_loop.statistics().longest_callback, 123 * MS);
        Ok(event_loop.close()?)
    })?;
    let callback = "debug::a_callback_that_takes_long_is_named_with_the_line_that_scheduled_it";
    assert_eq!(
        warnings,
        [format!(
            "Executing <Handle {callback} at {}> took 0.123 seconds",
            line(scheduled)
        )]
    );
    Ok(())
}

#[test]
fn how_long_is_long_can_be_set() -> TestResult {
    let warnings = warnings_of(|| {
        let (event_loop, clock) = debug_loop();
        event_loop.set_slow_callback_duration(MS);
        assert_eq!(event_loop.slow_callback_duration(), MS);
        let advance = move |by| {
            let clock = clock.clone();
            move || clock.advance(by)
        };
        event_loop.call_later(Duration::ZERO, advance(MS))?;
        event_loop.call_soon(advance(MS - Duration::from_nanos(1)))?;
        event_loop.run_once()?;
        Ok(event_loop.close()?)
    })?;
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].ends_with(" took 0.001 seconds"), "{warnings:?}");
    Ok(())
}

#[test]
fn a_callback_that_panics_is_measured_and_reported_too() -> TestResult {
    let warnings = warnings_of(|| {
        let (event_loop, clock) = debug_loop();
        let log = Log::default();
        event_loop.set_exception_handler(log.reporting());
        event_loop.call_soon(move || {
            clock.advance(Duration::from_secs(1));
            resume_unwind(Box::new("oops"));
        })?;
        event_loop.run_once()?;
        log.contains("panicked: oops");
        Ok(event_loop.close()?)
    })?;
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    Ok(())
}

#[test]
fn without_debug_mode_nothing_is_measured() -> TestResult {
    let warnings = warnings_of(|| {
        let (event_loop, clock) = virtual_loop();
        event_loop.call_soon(move || clock.advance(Duration::from_secs(60)))?;
        event_loop.run_once()?;
        assert_eq!(event_loop.statistics().longest_callback, Duration::ZERO);
        event_loop.warn_unclosed("transport", &"a pipe", None);
        drop(event_loop);
        Ok(())
    })?;
    assert!(warnings.is_empty(), "{warnings:?}");
    Ok(())
}

#[test]
fn it_is_switched_on_and_off_between_iterations() -> TestResult {
    let warnings = warnings_of(|| {
        let (event_loop, clock) = virtual_loop();
        for debug in [false, true, false] {
            event_loop.set_debug(debug);
            assert_eq!(event_loop.get_debug(), debug);
            let clock = clock.clone();
            event_loop.call_soon(move || clock.advance(Duration::from_secs(1)))?;
            event_loop.run_once()?;
        }
        Ok(event_loop.close()?)
    })?;
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    Ok(())
}

#[test]
fn a_loop_that_nobody_has_closed_is_named_with_the_line_that_made_it() -> TestResult {
    let mut made = 0;
    let warnings = warnings_of(|| {
        made = line!() + 1;
        let event_loop = EventLoop::builder().debug(true).build()?;
        assert_eq!(event_loop.created_at().line(), made);
        let other_owner = event_loop.clone();
        drop(event_loop);
        drop(other_owner);
        Ok(EventLoop::builder().debug(true).build()?.close()?)
    })?;
    assert_eq!(
        warnings,
        [format!(
            "unclosed event loop <EventLoop running=false closed=false debug=true>\ncreated at: {}",
            line(made)
        )]
    );
    Ok(())
}

#[test]
fn a_layer_above_warns_of_its_own_resources() -> TestResult {
    struct Unshowable;

    impl Debug for Unshowable {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            resume_unwind(Box::new("it cannot be shown"))
        }
    }

    let here = Location::caller();
    let warnings = warnings_of(|| {
        let (event_loop, _) = debug_loop();
        event_loop.warn_unclosed("transport", &format_args!("<Pipe>"), Some(here));
        event_loop.warn_unclosed("transport", &Unshowable, None);
        event_loop.close_unowned()?;
        event_loop.close_unowned()?;
        Ok(())
    })?;
    assert_eq!(
        warnings[..2],
        [
            format!(
                "unclosed transport <Pipe>\ncreated at: {}",
                line(here.line())
            ),
            "unclosed transport <something that cannot be shown>".to_owned(),
        ]
    );
    assert_eq!(warnings.len(), 3, "the loop warns once: {warnings:?}");
    Ok(())
}

/// Says on standard error whether a new loop is in debug mode; run by the test below.
#[test]
fn child_of_the_environment() -> TestResult {
    if is_child() {
        eprint!("{}", EventLoop::new()?.get_debug());
        assert!(EventLoop::builder().debug(true).build()?.get_debug());
        assert!(!EventLoop::builder().debug(false).build()?.get_debug());
    }
    Ok(())
}

#[test]
fn the_environment_decides_where_the_builder_does_not() -> TestResult {
    for (value, expected) in [
        ("1", "true"),
        ("yes", "true"),
        ("0", "false"),
        ("", "false"),
    ] {
        let output = Command::new(env::current_exe()?)
            .args(["child_of_the_environment", "--exact", "--nocapture"])
            .env(common::CHILD, "1")
            .env("RONDEL_DEBUG", value)
            .stdout(Stdio::null())
            .output()?;
        let written = String::from_utf8(output.stderr)?;
        assert!(written.contains(expected), "{value:?}: {written}");
    }
    Ok(())
}

#[test]
fn a_warning_goes_to_standard_error_where_no_subscriber_is_set() -> TestResult {
    if is_child() {
        let (event_loop, _) = debug_loop();
        event_loop.warn_unclosed("transport", &format_args!("<Pipe>"), None);
        return Ok(event_loop.close()?);
    }
    let output = Command::new(env::current_exe()?)
        .args([
            "a_warning_goes_to_standard_error_where_no_subscriber_is_set",
            "--exact",
            "--nocapture",
        ])
        .env(common::CHILD, "1")
        .stdout(Stdio::null())
        .output()?;
    assert_eq!(
        String::from_utf8(output.stderr)?,
        "unclosed transport <Pipe>\n"
    );
    Ok(())
}

#[test]
fn debug_mode_shows() -> TestResult {
    let event_loop = Rc::new(EventLoop::builder().debug(true).build()?);
    assert_eq!(
        format!("{event_loop:?}"),
        "<EventLoop running=false closed=false debug=true>"
    );
    Ok(event_loop.close()?)
}
