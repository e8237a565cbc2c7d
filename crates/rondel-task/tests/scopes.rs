//! Scopes of cancellation beyond asyncio: `move_on_after`, `shielded`, `checkpoint`, `cancel_and_wait`.

mod common;
mod trace;

use std::task::Poll;

use common::{secs, ticks};
use rondel_task::{
    RuntimeError, cancel_and_wait, checkpoint, create_task, move_on_after, move_on_at, shielded,
    sleep, task_group, timeout,
};
use trace::*;

// --- move_on_after ----------------------------------------------------------------------------------

#[test]
fn a_block_that_is_over_in_time_gives_its_value_and_one_that_is_not_gives_none() {
    let program = async {
        let value = move_on_after(secs(2), async |_| seconds(1).await.map(|()| "value")).await?;
        log(format!("{value:?}"));
        let late = move_on_after(secs(2), async |scope| {
            seconds(1).await?;
            log(format!("until {:?}", scope.when()));
            seconds(9).await.map(|()| "value")
        });
        log(format!("{:?}", late.await?));
        let when = running_loop().time() + secs(1);
        log(format!(
            "{:?}",
            move_on_at(when, async |_| seconds(9).await).await?
        ));
        let lifted = move_on_after(secs(1), async |scope| {
            scope.reschedule(None)?;
            seconds(9).await
        });
        log(format!("{:?}", lifted.await?));
        log(cancelling());
        Ok(())
    };
    check(
        program,
        &[
            r#"1 main: Some("value")"#,
            "2 main: until Some(3s)",
            "3 main: None",
            "4 main: None",
            "13 main: Some(())",
            "13 main: cancelling 0",
            "end ()",
        ],
    );
}

#[test]
fn only_its_own_deadline_is_no_error() {
    let program = async {
        let own = move_on_after(secs(9), async |_| {
            timeout(secs(1), async |_| seconds(9).await).await
        });
        let _ = passing("", own.await);
        let swallowed = move_on_after(secs(1), async |_| {
            let _ = seconds(9).await;
            Ok("a value all the same")
        });
        log(format!("{:?}", swallowed.await?));
        let turned = move_on_after(secs(1), async |_| {
            seconds(9).await.map_err(|_| error("clean-up failed"))
        });
        let _ = passing("", turned.await);
        let outside = async {
            let _ = passing("", move_on_after(secs(5), async |_| seconds(9).await).await);
            Ok(())
        };
        disturbed(outside, async |task| {
            task.cancel_with_message("stop");
            Ok(())
        })
        .await
    };
    check(
        program,
        &[
            "1 main: TimeoutError",
            r#"2 main: Some("a value all the same")"#,
            "3 main: clean-up failed",
            "4 parent: Cancelled(stop)",
            "end ()",
        ],
    );
}

#[test]
fn outside_of_a_task_there_is_no_scope() {
    let event_loop = common::virtual_loop();
    let refused = |error: rondel_task::Exception| assert!(error.is::<RuntimeError>());
    event_loop
        .call_soon(move || {
            use futures::FutureExt;
            let shield = shielded(async { Ok(()) }).now_or_never();
            refused(shield.expect("it does not wait").unwrap_err());
            let scope = move_on_after(secs(1), async |_| Ok(())).now_or_never();
            refused(scope.expect("it does not wait").unwrap_err());
        })
        .unwrap();
    event_loop.run_once().unwrap();
}

// --- shielded -----------------------------------------------------------------------------------------

#[test]
fn a_shielded_body_runs_to_its_end_and_the_cancellation_comes_after_it() {
    let program = async {
        let parent = async {
            shielded(async {
                seconds(2).await?;
                log(format!("body ends, {}", cancelling()));
                Ok(())
            })
            .await?;
            log(cancelling());
            passing("", seconds(9).await)
        };
        disturbed(parent, async |task| {
            log(task.cancel_with_message("first"));
            log(task.cancel_with_message("second"));
            log(format!("{} requests", task.cancelling()));
            Ok(())
        })
        .await
    };
    check(
        program,
        &[
            "1 main: true",
            "1 main: true",
            "1 main: 2 requests",
            "2 parent: body ends, cancelling 2",
            "2 parent: cancelling 2",
            "2 parent: Cancelled(second)",
            "2 main: parent raised Cancelled(second)",
            "end ()",
        ],
    );
}

#[test]
fn a_task_that_awaits_nothing_more_ends_as_cancelled() {
    let program = async {
        let parent = shielded(async {
            seconds(2).await?;
            log("body ends");
            Ok(())
        });
        disturbed(parent, async |task| {
            task.cancel();
            Ok(())
        })
        .await
    };
    check(
        program,
        &[
            "2 parent: body ends",
            "2 main: parent raised Cancelled",
            "end ()",
        ],
    );
}

#[test]
fn a_request_that_was_not_delivered_yet_waits_for_the_end_too() {
    let program = async {
        let parent = async {
            this_task().cancel_with_message("self");
            shielded(seconds(1)).await?;
            log(format!("slept, {}", cancelling()));
            passing("", seconds(9).await)
        };
        let _ = create_task(parent)?.await;
        // Suspended in a foreign future, it has the error before it in its next step.
        let parent = create_task(async {
            foreign_pause().await;
            shielded(seconds(1)).await?;
            log(format!("slept, {}", cancelling()));
            passing("", seconds(9).await)
        })?;
        checkpoint().await?;
        parent.cancel();
        let _ = parent.await;
        Ok(())
    };
    check(
        program,
        &[
            "1 Task-2: slept, cancelling 1",
            "1 Task-2: Cancelled(self)",
            "2 Task-3: slept, cancelling 1",
            "2 Task-3: Cancelled",
            "end ()",
        ],
    );
}

/// One iteration, by a future that is not ours.
async fn foreign_pause() {
    let mut polled = false;
    std::future::poll_fn(|cx| {
        cx.waker().wake_by_ref();
        match std::mem::replace(&mut polled, true) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    })
    .await;
}

#[test]
fn a_request_that_is_taken_back_in_time_never_comes() {
    let program = async {
        let parent = async {
            shielded(seconds(2)).await?;
            log(cancelling());
            seconds(2).await?;
            log("went on");
            Ok(())
        };
        disturbed(parent, async |task| {
            task.cancel();
            log(format!("{} left", task.uncancel()));
            seconds(9).await
        })
        .await
    };
    check(
        program,
        &[
            "1 main: 0 left",
            "2 parent: cancelling 0",
            "4 parent: went on",
            "end ()",
        ],
    );
}

#[test]
fn scopes_behind_the_shield_work_and_those_around_it_wait() {
    let program = async {
        let around = timeout(secs(2), async |_| {
            shielded(async {
                let inner = timeout(secs(3), async |_| seconds(9).await).await;
                let _ = passing("inner ", inner);
                let group = task_group(async |group| {
                    group.create_task(worker("child", 1, Done(Raises)))?;
                    passing("body ", seconds(9).await)
                });
                let _ = passing("group ", group.await);
                Ok(())
            })
            .await?;
            log("shield is over");
            passing("outer ", seconds(9).await)
        });
        let _ = passing("", around.await);
        log(cancelling());
        Ok(())
    };
    check(
        program,
        &[
            "3 main: inner TimeoutError",
            "3 child: starts",
            "4 child: raises",
            "4 main: body Cancelled",
            "4 main: group Group[child]",
            "4 main: shield is over",
            "4 main: outer Cancelled",
            "4 main: TimeoutError",
            "4 main: cancelling 0",
            "end ()",
        ],
    );
}

#[test]
fn a_group_around_the_shield_waits_for_its_end() {
    let program = async {
        let group = task_group(async |group| {
            group.create_task(worker("child", 1, Done(Raises)))?;
            shielded(seconds(3)).await?;
            log("shield is over");
            passing("body ", seconds(9).await)
        });
        let _ = passing("", group.await);
        log(cancelling());
        Ok(())
    };
    check(
        program,
        &[
            "0 child: starts",
            "1 child: raises",
            "3 main: shield is over",
            "3 main: body Cancelled",
            "3 main: Group[child]",
            "3 main: cancelling 0",
            "end ()",
        ],
    );
}

#[test]
fn shields_nest_and_what_the_inner_has_held_back_the_outer_holds_on() {
    let program = async {
        let parent = async {
            shielded(async {
                let inner = timeout(secs(1), async |_| {
                    shielded(seconds(2)).await?;
                    log("inner is over");
                    passing("between ", seconds(9).await)
                });
                let _ = passing("", inner.await);
                seconds(1).await?;
                log("outer is over");
                Ok(())
            })
            .await?;
            passing("", seconds(9).await)
        };
        disturbed(parent, async |task| {
            task.cancel_with_message("stop");
            Ok(())
        })
        .await
    };
    check(
        program,
        &[
            "2 parent: inner is over",
            "2 parent: between Cancelled",
            "2 parent: TimeoutError",
            "3 parent: outer is over",
            "3 parent: Cancelled(stop)",
            "3 main: parent raised Cancelled(stop)",
            "end ()",
        ],
    );
}

#[test]
fn a_shield_that_is_dropped_holds_nothing_back() {
    let program = async {
        let parent = async {
            tokio::select! { biased;
                _ = shielded(seconds(9)) => log("not yet"),
                _ = sleep(secs(2)) => log("given up"),
            }
            passing("", seconds(9).await)
        };
        disturbed(parent, async |task| {
            task.cancel();
            Ok(())
        })
        .await
    };
    check(
        program,
        &[
            "2 parent: given up",
            "2 parent: Cancelled",
            "2 main: parent raised Cancelled",
            "end ()",
        ],
    );
}

#[test]
fn a_loop_that_closes_drops_a_shielded_task_with_what_is_held_back() {
    let event_loop = common::virtual_loop();
    let reports = common::reports(&event_loop);
    let task = event_loop
        .create_task(shielded(async { sleep(secs(9)).await }))
        .unwrap();
    event_loop.run_once().unwrap();
    assert!(task.cancel());
    event_loop.close().unwrap();
    assert!(!task.done());
    reports.check(&["Task was destroyed but it is pending!"]);
}

#[test]
fn who_awaits_a_shielded_task_is_cancelled_with_it() {
    let program = async {
        let inner = create_task(async {
            shielded(seconds(2)).await?;
            log("shield is over");
            seconds(9).await
        })?;
        inner.set_name("inner");
        disturbed(async move { inner.await }, async |task| {
            task.cancel_with_message("stop");
            Ok(())
        })
        .await
    };
    check(
        program,
        &[
            "2 inner: shield is over",
            "2 main: parent raised Cancelled(stop)",
            "end ()",
        ],
    );
}

#[test]
fn what_a_shielded_body_raises_is_raised() {
    let program = async {
        let failed = shielded(async { Err::<(), _>(error("bad")) });
        let _ = passing("", failed.await);
        let future = new_future::<u32>();
        let later = future.clone();
        running_loop().call_soon(move || later.set_result(5).expect("it is pending"))?;
        log(shielded(&future).await?);
        Ok(())
    };
    check(program, &["0 main: bad", "0 main: 5", "end ()"]);
}

// --- checkpoint, cancel_and_wait ----------------------------------------------------------------------

#[test]
fn a_checkpoint_lets_others_run_and_notices_a_cancellation() {
    let program = async {
        let other = create_task(async {
            log("other");
            Ok(())
        })?;
        other.set_name("other");
        checkpoint().await?;
        log("after one iteration");
        this_task().cancel_with_message("stop");
        let _ = passing("", checkpoint().await);
        this_task().uncancel();
        ticks(1).await
    };
    check(
        program,
        &[
            "0 other: other",
            "0 main: after one iteration",
            "0 main: Cancelled(stop)",
            "end ()",
        ],
    );
}

#[test]
fn cancel_and_wait_returns_when_the_clean_up_is_over() {
    let program = async {
        for how in [CleansUp, Returns, Raises] {
            let task = create_task(worker("worker", 9, Cancelled(how)))?;
            checkpoint().await?;
            cancel_and_wait(&task).await?;
            log(format!("done, cancelled: {}", task.cancelled()));
            let _ = passing("", task.await);
        }
        let done = create_task(async { Ok(1) })?;
        log(done.clone().await?);
        cancel_and_wait(&done).await?;
        log(done.cancelled());
        Ok(())
    };
    check(
        program,
        &[
            "0 worker: starts",
            "0 worker: cancelled",
            "1 worker: cleaned up",
            "1 main: done, cancelled: true",
            "1 main: Cancelled",
            "1 worker: starts",
            "1 worker: cancelled",
            "1 main: done, cancelled: false",
            "1 worker: starts",
            "1 worker: cancelled",
            "1 main: done, cancelled: false",
            "1 main: worker-late",
            "1 main: 1",
            "1 main: false",
            "end ()",
        ],
    );
}

#[test]
fn who_is_cancelled_meanwhile_waits_no_longer() {
    let program = async {
        let task = create_task(worker("worker", 9, Cancelled(CleansUp)))?;
        checkpoint().await?;
        let stopping = move_on_after(secs(0), async |_| cancel_and_wait(&task).await);
        log(format!("{:?}", stopping.await?));
        log(task.done());
        seconds(2).await?;
        log(task.done());
        Ok(())
    };
    check(
        program,
        &[
            "0 worker: starts",
            "0 worker: cancelled",
            "0 main: None",
            "0 main: false",
            "1 worker: cleaned up",
            "2 main: true",
            "end ()",
        ],
    );
}
