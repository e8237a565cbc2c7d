//! Runners: several runs in one loop, its making and closing, and misuse.

mod common;

use std::cell::{Cell, RefCell};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use common::{Counted, LONG, Trace, error, reports, secs, tick, virtual_loop};
use rondel_context::{Context, ContextVar};
use rondel_reactor::RunError;
use rondel_sched::ClosedError;
use rondel_task::{
    EventLoop, Runner, RuntimeError, create_task, get_event_loop, get_running_loop, run_virtual,
    set_event_loop, sleep,
};

static VAR: ContextVar<u32> = ContextVar::with_default("var", 0);

/// A runner whose clock jumps from timer to timer.
fn virtual_runner() -> Runner {
    Runner::with_loop_factory(|| Ok(virtual_loop()))
}

// --- running ------------------------------------------------------------------------------------

#[test]
fn runs_share_a_loop_and_what_is_left_in_it() {
    let runner = virtual_runner();
    let background = runner
        .run(async {
            let task = create_task(async {
                sleep(secs(2)).await?;
                Ok("done")
            })?;
            sleep(secs(1)).await?;
            Ok(task)
        })
        .unwrap();
    assert!(!background.done());
    let event_loop = runner.get_loop().unwrap();
    assert_eq!(event_loop.time(), secs(1));
    let joined = runner.run(async move {
        assert!(get_running_loop()?.ptr_eq(&event_loop));
        background.await
    });
    assert_eq!(joined.unwrap(), "done");
    assert!(runner.run(async { Err::<(), _>(error("raised")) }).is_err());
    assert_eq!(runner.run(async { Ok(3) }).unwrap(), 3);
}

#[test]
fn runs_share_a_context_that_is_copied_when_the_loop_is_made() {
    let outside = VAR.set(1);
    let runner = virtual_runner();
    let seen = |runner: &Runner| runner.run(async { Ok(VAR.get()?) }).unwrap();
    assert_eq!(seen(&runner), 1);
    VAR.set(2);
    assert_eq!(seen(&runner), 1);
    runner
        .run(async {
            VAR.set(3);
            Ok(())
        })
        .unwrap();
    assert_eq!(seen(&runner), 3);
    assert_eq!(runner.get_context().unwrap().get(&VAR), Some(3));
    assert_eq!(VAR.get().unwrap(), 2);
    VAR.reset(outside).unwrap();
}

#[test]
fn a_run_may_have_a_context_of_its_own() {
    let runner = virtual_runner();
    let context = Context::new();
    let run_in_it = || {
        runner.run_in(&context, async {
            let before = VAR.get()?;
            VAR.set(before + 1);
            Ok(before)
        })
    };
    assert_eq!((run_in_it().unwrap(), run_in_it().unwrap()), (0, 1));
    assert_eq!(context.get(&VAR), Some(2));
    assert_eq!(runner.run(async { Ok(VAR.get()?) }).unwrap(), 0);
}

#[test]
fn a_main_coroutine_that_was_stopped_goes_on_in_the_next_run() {
    let runner = virtual_runner();
    let trace = Trace::new();
    let log = trace.clone();
    let stopped = runner.run(async move {
        get_running_loop()?.stop();
        tick().await?;
        log.log("went on");
        Ok(())
    });
    assert!(stopped.unwrap_err().is::<RuntimeError>());
    trace.check(&[]);
    runner.run(tick()).unwrap();
    trace.check(&["went on"]);
}

// --- the loop -----------------------------------------------------------------------------------

#[test]
fn the_loop_is_made_once_and_when_it_is_first_needed() {
    let made = Rc::new(Cell::new(0));
    let count = made.clone();
    let runner = Runner::with_loop_factory(move || {
        count.set(count.get() + 1);
        match count.get() {
            1 => Err(io::Error::other("none left")),
            _ => Ok(virtual_loop()),
        }
    });
    assert_eq!(
        (format!("{runner:?}").as_str(), made.get()),
        ("<Runner created>", 0)
    );
    assert_eq!(runner.get_loop().unwrap_err().to_string(), "none left");
    let event_loop = runner.get_loop().unwrap();
    runner.run(async { Ok(()) }).unwrap();
    assert!(runner.get_loop().unwrap().ptr_eq(&event_loop));
    assert_eq!(
        (format!("{runner:?}").as_str(), made.get()),
        ("<Runner open>", 2)
    );
}

#[test]
fn an_ordinary_loop_is_set_for_the_thread_and_one_of_a_factory_is_not() {
    let runner = Runner::new();
    assert!(get_event_loop().is_err(), "it is not made yet");
    let event_loop = runner.get_loop().unwrap();
    assert!(get_event_loop().unwrap().ptr_eq(&event_loop));
    runner.run(async { Ok(()) }).unwrap();
    assert!(get_event_loop().unwrap().ptr_eq(&event_loop));
    runner.close().unwrap();
    assert!(get_event_loop().is_err());

    let other = virtual_loop();
    set_event_loop(Some(&other));
    let runner = virtual_runner();
    runner.run(async { Ok(()) }).unwrap();
    assert!(get_event_loop().unwrap().ptr_eq(&other));
    drop(runner);
    assert!(get_event_loop().unwrap().ptr_eq(&other));
    set_event_loop(None);
}

// --- closing ------------------------------------------------------------------------------------

/// Leaves a task that logs its clean-up, and one that raises in it.
fn leave_tasks(runner: &Runner, trace: &Trace) {
    let log = trace.clone();
    let left = runner.run(async move {
        create_task(async move {
            let cancelled = sleep(LONG).await;
            log.log("cleans up");
            sleep(secs(1)).await?;
            log.log("cleaned up");
            cancelled
        })?;
        create_task(async {
            sleep(LONG)
                .await
                .or(Err::<(), _>(error("raised while closing")))
        })?;
        tick().await
    });
    left.expect("main does not fail");
}

const CLOSED: [&str; 3] = [
    "cleans up",
    "cleaned up",
    "unhandled exception during run() shutdown: raised while closing",
];

#[test]
fn close_cancels_awaits_and_reports_what_is_left() {
    let runner = virtual_runner();
    let trace = reports(&runner.get_loop().unwrap());
    leave_tasks(&runner, &trace);
    runner.close().unwrap();
    trace.check(&CLOSED);
}

#[test]
fn dropping_a_runner_closes_it() {
    let runner = virtual_runner();
    let event_loop = runner.get_loop().unwrap();
    let trace = reports(&event_loop);
    leave_tasks(&runner, &trace);
    drop(runner);
    trace.check(&CLOSED);
    assert!(event_loop.is_closed());
}

#[test]
fn a_closed_runner_refuses_everything_but_to_be_closed() {
    for used in [true, false] {
        let runner = virtual_runner();
        if used {
            runner.run(async { Ok(()) }).unwrap();
        }
        runner.close().unwrap();
        runner.close().unwrap();
        let (held, alive) = Counted::new();
        let refused = runner.run(async move {
            drop(held);
            Ok(())
        });
        assert_eq!(refused.unwrap_err().to_string(), "the runner is closed");
        assert_eq!(alive.get(), 0);
        assert!(runner.run_in(&Context::new(), async { Ok(()) }).is_err());
        assert!(runner.get_loop().unwrap_err().is::<RuntimeError>());
        assert!(runner.get_context().is_err());
        assert_eq!(format!("{runner:?}"), "<Runner closed>");
    }
}

#[test]
fn a_loop_that_was_closed_by_hand_leaves_nothing_to_close() {
    let runner = Runner::new();
    runner.get_loop().unwrap().close().unwrap();
    assert!(
        runner
            .run(async { Ok(()) })
            .unwrap_err()
            .is::<ClosedError>()
    );
    runner.close().unwrap();
    assert!(get_event_loop().is_err());
}

#[test]
fn a_task_that_does_not_end_is_reported_when_the_runner_is_dropped() {
    let leave_one = || {
        let runner = virtual_runner();
        let trace = reports(&runner.get_loop().unwrap());
        let left = runner.run(async {
            let never = get_running_loop()?.create_future::<()>();
            create_task(async move {
                // It swallows the cancellation.
                while never.clone().await.is_err() && !never.cancelled() {}
                std::future::pending::<rondel_task::Result<()>>().await
            })?;
            tick().await
        });
        left.unwrap();
        (runner, trace)
    };
    let (runner, _) = leave_one();
    let event_loop = runner.get_loop().unwrap();
    let deadlock = runner.close().unwrap_err();
    assert!(deadlock.downcast_ref().is_some_and(RunError::is_deadlock));
    assert!(event_loop.is_closed(), "it is closed all the same");
    runner.close().unwrap();

    let (runner, trace) = leave_one();
    drop(runner);
    let reported = trace.take();
    assert_eq!(reported[0], "Task was destroyed but it is pending!");
    assert!(
        reported[1].starts_with("a runner was dropped and its tasks not awaited: deadlock"),
        "{reported:?}"
    );
}

#[test]
fn a_panic_drops_the_tasks_instead_of_awaiting_them() {
    let trace = Trace::new();
    let log = trace.clone();
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        let runner = virtual_runner();
        let reports = reports(&runner.get_loop().unwrap());
        leave_tasks(&runner, &log);
        drop(reports);
        panic!("on purpose");
    }));
    assert!(unwound.is_err());
    trace.check(&[]);
    assert!(get_event_loop().is_err());
}

// --- misuse -------------------------------------------------------------------------------------

#[test]
fn inside_a_running_loop_a_runner_neither_runs_nor_closes() {
    let runner = Rc::new(virtual_runner());
    let inner = runner.clone();
    let ran = runner.run(async move {
        let refused = inner.run(async { Ok(()) }).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "Runner.run() cannot be called from a running event loop"
        );
        assert!(inner.run_in(&Context::new(), async { Ok(()) }).is_err());
        let refused = inner.close().unwrap_err();
        assert!(refused.downcast_ref().is_some_and(RunError::is_running));
        let other = virtual_runner();
        let event_loop = other.get_loop()?;
        let refused = other.close().unwrap_err();
        assert!(refused.downcast_ref().is_some_and(RunError::is_nested));
        assert!(!event_loop.is_closed());
        tick().await?;
        Ok("undisturbed")
    });
    assert_eq!(ran.unwrap(), "undisturbed");
    runner.close().unwrap();
}

#[test]
fn a_runner_that_is_dropped_in_a_coroutine_closes_its_loop() {
    let event_loop: Rc<RefCell<Option<EventLoop>>> = Rc::default();
    let kept = event_loop.clone();
    run_virtual(async move {
        let runner = virtual_runner();
        let reports = reports(&runner.get_loop()?);
        kept.replace(Some(runner.get_loop()?));
        drop(runner);
        reports.check(&[
            "a runner was dropped and its tasks not awaited: cannot run the event loop while another loop is running",
        ]);
        tick().await
    })
    .unwrap();
    assert!(event_loop.take().unwrap().is_closed());
}
