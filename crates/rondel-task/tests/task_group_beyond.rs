//! Task groups beyond asyncio: `start`, groups that are dropped, panics, memory.

mod common;
mod trace;

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use common::virtual_loop;
use rondel_context::ContextVar;
use rondel_reactor::ExceptionContext;
use rondel_task::{EventLoop, Result, Started, TaskGroup, create_task, task_group};
use trace::*;

// --- start ------------------------------------------------------------------------------------------

/// Needs a second to start, then serves until it is cancelled, or fails after `fails_after` seconds.
async fn server(started: Started<&'static str>, fails_after: Option<u64>) -> Result<()> {
    this_task().set_name("server");
    log("begins");
    passing("", seconds(1).await)?;
    started.set("port");
    log("serves");
    passing("", seconds(fails_after.unwrap_or(9)).await)?;
    Err(error("broken"))
}

#[test]
fn start_waits_until_the_child_has_started() {
    let program = task_group(async |group| {
        let told = group.start(async |started| server(started, None).await);
        log(format!("started with {}", told.await?));
        seconds(1).await?;
        group.cancel();
        Ok(())
    });
    check(
        program,
        &[
            "0 server: begins",
            "1 server: serves",
            "1 main: started with port",
            "2 server: Cancelled",
            "end ()",
        ],
    );
}

#[test]
fn a_child_that_fails_after_its_start_fails_the_group() {
    let program = task_group(async |group| {
        let told = group.start(async |started| server(started, Some(1)).await);
        log(format!("started with {}", told.await?));
        passing("", seconds(9).await)
    });
    check(
        program,
        &[
            "0 server: begins",
            "1 server: serves",
            "1 main: started with port",
            "2 main: Cancelled",
            "end raised Group[broken]",
        ],
    );
}

#[test]
fn a_child_that_fails_before_its_start_fails_only_the_call() {
    let program = task_group(async |group| {
        group.create_task(worker("a", 2, ENDS))?;
        let failed = group.start(async |_: Started<()>| {
            seconds(1).await?;
            Err::<(), _>(error("no port"))
        });
        let _ = passing("", failed.await);
        let ended = group.start(async |_: Started<()>| Ok(()));
        let _ = passing("", ended.await);
        let cancelled = group.start(async |_: Started<()>| {
            this_task().cancel();
            seconds(1).await
        });
        let _ = passing("", cancelled.await);
        log(cancelling());
        Ok(())
    });
    check(
        program,
        &[
            "0 a: starts",
            "1 main: no port",
            "1 main: child exited without calling `Started::set`",
            "1 main: Cancelled",
            "1 main: cancelling 0",
            "2 a: ends",
            "end ()",
        ],
    );
}

#[test]
fn a_caller_that_is_cancelled_ends_the_child_that_has_not_started() {
    let parent = task_group(async |group| {
        let told =
            group.start(async |_: Started<()>| worker("child", 9, Cancelled(CleansUp)).await);
        let told = passing("start raised ", told.await);
        log(cancelling());
        told
    });
    let program = disturbed(parent, async |parent| {
        parent.cancel_with_message("stop");
        Ok(())
    });
    check(
        program,
        &[
            "0 child: starts",
            "1 child: cancelled",
            "2 child: cleaned up",
            "2 parent: start raised Cancelled(stop)",
            "2 parent: cancelling 1",
            "2 main: parent raised Cancelled(stop)",
            "end ()",
        ],
    );
}

#[test]
fn what_such_a_child_raises_is_raised_by_the_call_alone() {
    let parent = task_group(async |group| {
        let told = group
            .start(async |_: Started<()>| worker("child", 9, Cancelled(Raises)).await)
            .await;
        let _ = passing("start raised ", told);
        Ok(())
    });
    let program = disturbed(parent, async |parent| {
        parent.cancel();
        Ok(())
    });
    check(
        program,
        &[
            "0 child: starts",
            "1 child: cancelled",
            "1 parent: start raised child-late",
            "end ()",
        ],
    );
}

#[test]
fn a_second_cancellation_reaches_a_child_that_swallows_the_first() {
    let parent = task_group(async |group| {
        let told = group
            .start(async |_: Started<()>| {
                let _ = passing("", seconds(9).await);
                passing("", seconds(9).await)
            })
            .await;
        passing("start raised ", told)
    });
    let program = disturbed(parent, async |parent| {
        parent.cancel();
        seconds(1).await?;
        parent.cancel();
        Ok(())
    });
    check(
        program,
        &[
            "1 Task-3: Cancelled",
            "2 Task-3: Cancelled",
            "2 parent: start raised Cancelled",
            "2 main: parent raised Cancelled",
            "end ()",
        ],
    );
}

#[test]
fn a_start_that_is_dropped_cancels_its_child_and_leaves_its_error_to_the_group() {
    let program = task_group(async |group| {
        let start = group.start(async |_: Started<()>| worker("child", 9, Cancelled(Raises)).await);
        poll_once_and_drop(start).await;
        seconds(1).await
    });
    check(
        program,
        &[
            "0 child: starts",
            "1 child: cancelled",
            "end raised Group[child-late]",
        ],
    );
}

// --- drops, panics, misuse ---------------------------------------------------------------------------

/// Polls a coroutine once, which leaves it pending, lets a second pass, and drops it.
async fn poll_once_and_drop<T>(coroutine: impl Future<Output = T>) {
    let mut coroutine = pin!(coroutine);
    poll_fn(|cx| {
        assert!(coroutine.as_mut().poll(cx).is_pending());
        Poll::Ready(())
    })
    .await;
    let _ = passing("", seconds(1).await);
}

#[test]
fn a_dropped_group_cancels_its_tasks_and_takes_no_more() {
    let program = async {
        let kept = Kept::default();
        poll_once_and_drop(task_group(async |group| {
            kept.replace(Some(group.clone()));
            group.create_task(worker("a", 9, Cancelled(CleansUp)))?;
            seconds(9).await
        }))
        .await;
        refusal(&kept);
        seconds(3).await?;
        refusal(&kept);
        log(cancelling());
        Ok(())
    };
    check(
        program,
        &[
            "0 a: starts",
            "1 main: TaskGroup <TaskGroup tasks=1 cancelling> is shutting down",
            "1 a: cancelled",
            "2 a: cleaned up",
            "4 main: TaskGroup <TaskGroup cancelling> is finished",
            "4 main: cancelling 0",
            "end ()",
        ],
    );
}

#[test]
fn no_exception_of_a_dropped_group_is_lost() {
    let program = async {
        poll_once_and_drop(task_group(async |group| {
            group.create_task(worker("a", 0, Done(Raises)))?;
            group.create_task(worker("b", 9, Cancelled(Raises)))?;
            seconds(9).await
        }))
        .await;
        log(format!("dropped, {}", cancelling()));
        seconds(1).await
    };
    check(
        program,
        &[
            "0 a: starts",
            "0 b: starts",
            "0 a: raises",
            "0 b: cancelled",
            "0 main: Cancelled",
            "handler: TaskGroup was dropped with an exception of one of its tasks, a",
            "0 main: dropped, cancelling 0",
            "handler: Task exception was never retrieved, b-late",
            "end ()",
        ],
    );
}

#[test]
fn a_group_whose_task_is_destroyed_with_the_loop_destroys_its_tasks() {
    let program = async {
        let grouping = create_task(task_group(async |group| {
            group.create_task(worker("a", 9, ENDS))?;
            seconds(9).await
        }))?;
        grouping.set_name("grouping");
        seconds(1).await
    };
    check(
        program,
        &[
            "0 a: starts",
            "end ()",
            "handler: Task was destroyed but it is pending!",
            "handler: Task was destroyed but it is pending!",
        ],
    );
}

#[test]
fn a_panic_is_an_exception_in_a_task_and_in_the_body() {
    let program = task_group(async |group: TaskGroup| {
        group.create_task(async {
            seconds(1).await?;
            if true {
                panic!("in a task");
            }
            Ok(())
        })?;
        group.create_task(worker("a", 9, Cancelled(CleansUp)))?;
        assert!(seconds(9).await.is_ok(), "in the body");
        Ok(())
    });
    check(
        program,
        &[
            "0 a: starts",
            "1 a: cancelled",
            "2 a: cleaned up",
            "end raised Group[panicked: in a task,panicked: in the body]",
        ],
    );
}

#[test]
fn a_task_runs_in_the_context_that_is_given() {
    static VARIABLE: ContextVar<u32> = ContextVar::with_default("variable", 0);
    let program = async {
        let context = rondel_context::Context::new();
        task_group(async |group| {
            group.create_task_in(&context, async {
                VARIABLE.set(5);
                Ok(())
            })?;
            VARIABLE.set(6);
            group.create_task(async {
                assert_eq!(VARIABLE.get()?, 6);
                VARIABLE.set(7);
                Ok(())
            })?;
            Ok(())
        })
        .await?;
        assert_eq!(context.get(&VARIABLE), Some(5));
        Ok(VARIABLE.get()?)
    };
    check(program, &["end 6"]);
}

#[test]
fn a_group_needs_a_task() {
    let mut group = Box::pin(task_group(async |_| Ok(())));
    let polled = group.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    let Poll::Ready(Err(error)) = polled else {
        panic!("without a loop there is no group");
    };
    assert_eq!(error.to_string(), "no running event loop");
}

#[test]
fn nothing_of_a_group_is_kept_in_memory() {
    let program = async {
        let alive = Rc::new(());
        let kept = Kept::default();
        let group = task_group(async |group| {
            kept.replace(Some(group.clone()));
            let (parent, held) = (group.clone(), alive.clone());
            group.create_task(async move {
                let _kept = (parent, held.clone());
                seconds(1).await?;
                Ok(held)
            })?;
            Ok(())
        });
        group.await?;
        assert_eq!(
            Rc::strong_count(&alive),
            1,
            "the task and its value are gone"
        );

        let (parent, held) = (kept.clone(), alive.clone());
        create_task(async move {
            task_group(async |group| {
                parent.replace(Some(group.clone()));
                let held = (group.clone(), held.clone());
                group.create_task(async move {
                    let _held = held;
                    seconds(9).await
                })?;
                seconds(9).await
            })
            .await
        })?;
        seconds(1).await?;
        Ok(Rc::downgrade(&alive))
    };
    let event_loop = virtual_loop();
    event_loop.set_exception_handler(Some(|_: &EventLoop, _: &ExceptionContext| {}));
    let alive = event_loop.run_until_complete(program).unwrap();
    assert!(alive.upgrade().is_some(), "its tasks wait");
    event_loop.close().unwrap();
    assert!(alive.upgrade().is_none());
}
