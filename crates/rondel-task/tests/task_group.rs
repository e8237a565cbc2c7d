//! Task groups: the traces are those of the same programs under CPython 3.13, and 3.15 for `cancel`.

mod common;
mod trace;

use std::time::Duration;

use rondel_task::{Future, Result, Task, TaskGroup, create_task, sleep, task_group, timeout};
use trace::*;

// --- as in CPython -----------------------------------------------------------------------------

#[test]
fn a_group_waits_for_all_its_tasks() {
    let program = async {
        task_group(async |group| {
            group.create_task(worker("a", 2, ENDS))?;
            group.create_task(worker("b", 1, ENDS))?;
            group.create_task(worker("c", 0, ENDS))?;
            log("body ends");
            Ok(())
        })
        .await?;
        log("group done");
        Ok(())
    };
    check(
        program,
        &[
            "0 main: body ends",
            "0 a: starts",
            "0 b: starts",
            "0 c: starts",
            "0 c: ends",
            "1 b: ends",
            "2 a: ends",
            "2 main: group done",
            "end ()",
        ],
    );
}

#[test]
fn the_first_error_cancels_the_rest() {
    let program = async {
        let raised = task_group(async |group| {
            group.create_task(worker("a", 5, ENDS))?;
            group.create_task(worker("b", 1, Done(Raises)))?;
            group.create_task(worker("c", 5, Cancelled(CleansUp)))?;
            group.create_task(worker("d", 1, Done(Raises)))?;
            let slept = seconds(9).await;
            log(format!("body cancelled, {}", cancelling()));
            slept
        })
        .await;
        log(show(&raised.unwrap_err()));
        log(cancelling());
        seconds(1).await?;
        log("goes on");
        Ok(())
    };
    check(
        program,
        &[
            "0 a: starts",
            "0 b: starts",
            "0 c: starts",
            "0 d: starts",
            "1 b: raises",
            "1 d: raises",
            "1 a: cancelled",
            "1 c: cancelled",
            "1 main: body cancelled, cancelling 1",
            "2 c: cleaned up",
            "2 main: Group[b,d]",
            "2 main: cancelling 0",
            "3 main: goes on",
            "end ()",
        ],
    );
}

#[test]
fn an_error_while_the_group_ends() {
    let program = async {
        let raised = task_group(async |group| {
            group.create_task(worker("a", 5, ENDS))?;
            group.create_task(worker("b", 1, Done(Raises)))?;
            log("body ends");
            Ok(())
        })
        .await;
        log(show(&raised.unwrap_err()));
        log(cancelling());
        Ok(())
    };
    check(
        program,
        &[
            "0 main: body ends",
            "0 a: starts",
            "0 b: starts",
            "1 b: raises",
            "1 a: cancelled",
            "1 main: Group[b]",
            "1 main: cancelling 0",
            "end ()",
        ],
    );
}

#[test]
fn the_bodys_error_comes_last() {
    let program = task_group(async |group: TaskGroup| {
        group.create_task(worker("a", 5, Cancelled(Raises)))?;
        group.create_task(worker("b", 5, ENDS))?;
        group.create_task(worker("c", 5, Cancelled(Returns)))?;
        seconds(0).await?;
        log("body raises");
        Err(error("body"))
    });
    check(
        program,
        &[
            "0 a: starts",
            "0 b: starts",
            "0 c: starts",
            "0 main: body raises",
            "0 a: cancelled",
            "0 b: cancelled",
            "0 c: cancelled",
            "end raised Group[a-late,body]",
        ],
    );
}

#[test]
fn errors_of_cancelled_tasks_are_kept() {
    let program = task_group(async |group| {
        group.create_task(worker("a", 5, Cancelled(Raises)))?;
        group.create_task(worker("b", 1, Done(Raises)))?;
        group.create_task(worker("c", 5, Cancelled(Raises)))?;
        seconds(9).await
    });
    check(
        program,
        &[
            "0 a: starts",
            "0 b: starts",
            "0 c: starts",
            "1 b: raises",
            "1 a: cancelled",
            "1 c: cancelled",
            "end raised Group[b,a-late,c-late]",
        ],
    );
}

#[test]
fn a_task_that_is_cancelled_is_no_error() {
    let program = async {
        task_group(async |group| {
            group.create_task(worker("a", 1, Done(RaisesCancelled)))?;
            let b = group.create_task(worker("b", 9, ENDS))?;
            group.create_task(worker("c", 3, ENDS))?;
            seconds(2).await?;
            b.cancel();
            log("body ends");
            Ok(())
        })
        .await?;
        log("group done");
        Ok(())
    };
    check(
        program,
        &[
            "0 a: starts",
            "0 b: starts",
            "0 c: starts",
            "1 a: raises",
            "2 main: body ends",
            "2 b: cancelled",
            "3 c: ends",
            "3 main: group done",
            "end ()",
        ],
    );
}

#[test]
fn the_body_is_cancelled_from_outside() {
    let parent = async {
        let ended = task_group(async |group| {
            group.create_task(worker("a", 5, ENDS))?;
            group.create_task(worker("b", 5, Cancelled(CleansUp)))?;
            let slept = seconds(9).await;
            log("body cancelled");
            slept
        })
        .await;
        log(cancelling());
        ended
    };
    let program = disturbed(parent, async |parent| {
        parent.cancel_with_message("stop");
        Ok(())
    });
    check(
        program,
        &[
            "0 a: starts",
            "0 b: starts",
            "1 parent: body cancelled",
            "1 a: cancelled",
            "1 b: cancelled",
            "2 b: cleaned up",
            "2 parent: cancelling 1",
            "2 main: parent raised Cancelled(stop)",
            "end ()",
        ],
    );
}

#[test]
fn a_group_is_cancelled_twice_while_it_ends() {
    let parent = async {
        let ended = task_group(async |group| {
            group.create_task(worker("a", 5, ENDS))?;
            group.create_task(worker("b", 5, Cancelled(CleansUp)))?;
            Ok(())
        })
        .await;
        log(cancelling());
        ended
    };
    let program = disturbed(parent, async |parent| {
        parent.cancel_with_message("stop");
        seconds(0).await?;
        parent.cancel_with_message("again");
        Ok(())
    });
    check(
        program,
        &[
            "0 a: starts",
            "0 b: starts",
            "1 a: cancelled",
            "1 b: cancelled",
            "2 b: cleaned up",
            "2 parent: cancelling 2",
            "2 main: parent raised Cancelled(stop)",
            "end ()",
        ],
    );
}

#[test]
fn a_cancellation_from_outside_yields_to_errors_and_comes_again() {
    let parent = async {
        let ended = task_group(async |group| {
            group.create_task(worker("a", 5, Cancelled(Raises)))?;
            group.create_task(worker("b", 1, Done(Raises)))?;
            seconds(9).await
        })
        .await;
        log(format!("{}, {}", show(&ended.unwrap_err()), cancelling()));
        let slept = passing("", seconds(1).await);
        log(cancelling());
        slept
    };
    let program = disturbed(parent, async |parent| {
        parent.cancel_with_message("stop");
        Ok(())
    });
    check(
        program,
        &[
            "0 a: starts",
            "0 b: starts",
            "1 b: raises",
            "1 a: cancelled",
            "1 parent: Group[b,a-late], cancelling 1",
            "1 parent: Cancelled",
            "1 parent: cancelling 1",
            "1 main: parent raised Cancelled",
            "end ()",
        ],
    );
}

#[test]
fn nested_groups_tell_their_cancellations_apart() {
    let program = async {
        let raised = task_group(async |outer| {
            outer.create_task(worker("a", 1, Done(Raises)))?;
            let raised = task_group(async |inner| {
                inner.create_task(worker("b", 5, Cancelled(Raises)))?;
                seconds(9).await
            })
            .await;
            log(format!(
                "inner {}, {}",
                show(&raised.unwrap_err()),
                cancelling()
            ));
            let slept = seconds(1).await;
            log("outer body cancelled");
            slept
        })
        .await;
        log(format!(
            "outer {}, {}",
            show(&raised.unwrap_err()),
            cancelling()
        ));
        seconds(1).await?;
        log("goes on");
        Ok(())
    };
    check(
        program,
        &[
            "0 a: starts",
            "0 b: starts",
            "1 a: raises",
            "1 b: cancelled",
            "1 main: inner Group[b-late], cancelling 1",
            "1 main: outer body cancelled",
            "1 main: outer Group[a], cancelling 0",
            "2 main: goes on",
            "end ()",
        ],
    );
}

#[test]
fn a_groups_error_is_a_group_in_the_outer_one() {
    let program = task_group(async |outer| {
        outer.create_task(task_group(async |inner| {
            inner.create_task(worker("b", 1, Done(Raises)))?;
            inner.create_task(worker("c", 1, Done(Raises)))?;
            Ok(())
        }))?;
        outer.create_task(worker("a", 5, ENDS))?;
        seconds(9).await
    });
    check(
        program,
        &[
            "0 a: starts",
            "0 b: starts",
            "0 c: starts",
            "1 b: raises",
            "1 c: raises",
            "1 a: cancelled",
            "end raised Group[Group[b,c]]",
        ],
    );
}

#[test]
fn a_group_within_a_timeout() {
    let program = async {
        let late = timeout(Duration::from_secs(2), async |_| {
            task_group(async |group| {
                group.create_task(worker("a", 5, Cancelled(CleansUp)))?;
                Ok(())
            })
            .await
        })
        .await;
        log(format!("{}, {}", show(&late.unwrap_err()), cancelling()));
        seconds(1).await?;
        log("goes on");
        Ok(())
    };
    check(
        program,
        &[
            "0 a: starts",
            "2 a: cancelled",
            "3 a: cleaned up",
            "3 main: TimeoutError, cancelling 0",
            "4 main: goes on",
            "end ()",
        ],
    );
}

#[test]
fn a_timeout_within_a_group() {
    let program = async {
        task_group(async |group| {
            group.create_task(worker("a", 3, ENDS))?;
            let late = timeout(Duration::from_secs(1), async |_| seconds(9).await).await;
            log(show(&late.unwrap_err()));
            Ok(())
        })
        .await?;
        log("group done");
        Ok(())
    };
    check(
        program,
        &[
            "0 a: starts",
            "1 main: TimeoutError",
            "3 a: ends",
            "3 main: group done",
            "end ()",
        ],
    );
}

#[test]
fn tasks_are_created_while_the_group_ends_and_not_after() {
    let program = async {
        let kept = Kept::default();
        task_group(async |group| {
            kept.replace(Some(group.clone()));
            let parent = group.clone();
            let child = group.create_task(async move {
                seconds(1).await?;
                parent.create_task(worker("grandchild", 1, ENDS))?;
                log("created");
                Ok(())
            })?;
            child.set_name("child");
            log("body ends");
            Ok(())
        })
        .await?;
        log("group done");
        refusal(&kept);
        Ok(())
    };
    check(
        program,
        &[
            "0 main: body ends",
            "1 child: created",
            "1 grandchild: starts",
            "2 grandchild: ends",
            "2 main: group done",
            "2 main: TaskGroup <TaskGroup entered> is finished",
            "end ()",
        ],
    );
}

#[test]
fn no_task_is_created_while_the_group_aborts() {
    let program = async {
        let kept = Kept::default();
        let raised = task_group(async |group| {
            kept.replace(Some(group.clone()));
            let kept = kept.clone();
            let child = group.create_task(async move {
                let slept = seconds(9).await;
                refusal(&kept);
                slept
            })?;
            child.set_name("child");
            group.create_task(worker("a", 1, Done(Raises)))?;
            seconds(9).await
        })
        .await;
        log(show(&raised.unwrap_err()));
        refusal(&kept);
        Ok(())
    };
    check(
        program,
        &[
            "0 a: starts",
            "1 a: raises",
            "1 child: TaskGroup <TaskGroup tasks=1 errors=1 cancelling> is shutting down",
            "1 main: Group[a]",
            "1 main: TaskGroup <TaskGroup cancelling> is finished",
            "end ()",
        ],
    );
}

#[test]
fn a_body_that_swallows_the_cancellation_goes_on() {
    let program = async {
        let raised = task_group(async |group| {
            group.create_task(worker("a", 1, Done(Raises)))?;
            group.create_task(worker("b", 9, ENDS))?;
            assert!(seconds(9).await.unwrap_err().is_cancelled());
            log("swallowed");
            seconds(1).await?;
            log("body ends");
            Ok(())
        })
        .await;
        log(format!("{}, {}", show(&raised.unwrap_err()), cancelling()));
        Ok(())
    };
    check(
        program,
        &[
            "0 a: starts",
            "0 b: starts",
            "1 a: raises",
            "1 b: cancelled",
            "1 main: swallowed",
            "2 main: body ends",
            "2 main: Group[a], cancelling 0",
            "end ()",
        ],
    );
}

#[test]
fn the_last_task_ends_before_the_body() {
    let program = task_group(async |group| {
        let task = group.create_task(worker("a", 0, ENDS))?;
        task.await?;
        log("body ends");
        Ok(5)
    });
    check(
        program,
        &["0 a: starts", "0 a: ends", "0 main: body ends", "end 5"],
    );
}

#[test]
fn a_task_that_has_not_begun_never_begins() {
    let program = task_group(async |group: TaskGroup| {
        group.create_task(worker("a", 1, ENDS))?;
        Err(error("body"))
    });
    check(program, &["end raised Group[body]"]);
}

// --- iteration for iteration, as in CPython -----------------------------------------------------

async fn waiter(name: &'static str, future: Future<()>, how: How) -> Result<()> {
    this_task().set_name(name);
    tick("starts");
    if let Err(cancelled) = future.await {
        tick("cancelled");
        return Err(cancelled);
    }
    tick("woken");
    match how {
        Raises => Err(error(name)),
        _ => Ok(()),
    }
}

/// Runs `parent` with the iterations counted, and `act` four iterations after its start.
async fn ticking(
    parent: impl core::future::Future<Output = Result<()>> + 'static,
    act: impl FnOnce(&Task<()>) + 'static,
) -> Result<()> {
    pulse(30);
    let parent = create_task(parent)?;
    parent.set_name("parent");
    for _ in 0..4 {
        sleep(Duration::ZERO).await?;
    }
    tick("acts");
    act(&parent);
    match parent.await {
        Ok(()) => tick("parent done"),
        Err(exception) => tick(format!("parent raised {}", show(&exception))),
    }
    Ok(())
}

#[test]
fn the_iterations_of_an_abort() {
    let program = async {
        let (released, never) = (new_future(), new_future());
        let release = released.clone();
        let parent = async move {
            let raised = task_group(async |group| {
                group.create_task(waiter("a", never.clone(), Returns))?;
                group.create_task(waiter("b", released, Raises))?;
                group.create_task(waiter("c", new_future(), Returns))?;
                let waited = new_future::<()>().await;
                tick("body cancelled");
                waited
            })
            .await;
            tick(show(&raised.unwrap_err()));
            Ok(())
        };
        ticking(parent, move |_| release.set_result(()).unwrap()).await
    };
    check(
        program,
        &[
            "0 a: tick 2 starts",
            "0 b: tick 2 starts",
            "0 c: tick 2 starts",
            "0 main: tick 4 acts",
            "0 b: tick 5 woken",
            "0 a: tick 7 cancelled",
            "0 c: tick 7 cancelled",
            "0 parent: tick 7 body cancelled",
            "0 parent: tick 9 Group[b]",
            "0 main: tick 10 parent done",
            "end ()",
        ],
    );
}

#[test]
fn the_iterations_of_an_end() {
    let program = async {
        let released = new_future();
        let release = released.clone();
        let parent = async move {
            task_group(async |group| {
                group.create_task(waiter("a", released.clone(), Returns))?;
                group.create_task(waiter("b", released, Returns))?;
                tick("body ends");
                Ok(())
            })
            .await?;
            tick("group done");
            Ok(())
        };
        ticking(parent, move |_| release.set_result(()).unwrap()).await
    };
    check(
        program,
        &[
            "0 parent: tick 1 body ends",
            "0 a: tick 2 starts",
            "0 b: tick 2 starts",
            "0 main: tick 4 acts",
            "0 a: tick 5 woken",
            "0 b: tick 5 woken",
            "0 parent: tick 7 group done",
            "0 main: tick 8 parent done",
            "end ()",
        ],
    );
}

#[test]
fn the_iterations_of_a_cancellation() {
    let program = async {
        let parent = task_group(async |group| {
            group.create_task(waiter("a", new_future(), Returns))?;
            group.create_task(waiter("b", new_future(), Returns))?;
            tick("body ends");
            Ok(())
        });
        ticking(parent, |parent| assert!(parent.cancel())).await
    };
    check(
        program,
        &[
            "0 parent: tick 1 body ends",
            "0 a: tick 2 starts",
            "0 b: tick 2 starts",
            "0 main: tick 4 acts",
            "0 a: tick 6 cancelled",
            "0 b: tick 6 cancelled",
            "0 main: tick 9 parent raised Cancelled",
            "end ()",
        ],
    );
}

// --- cancel, as in CPython 3.15 -------------------------------------------------------------------

#[test]
fn a_task_cancels_its_group() {
    let program = async {
        task_group(async |group| {
            let parent = group.clone();
            let child = group.create_task(async move {
                seconds(1).await?;
                log("cancels");
                parent.cancel();
                seconds(1).await?;
                log("unreachable");
                Ok(())
            })?;
            child.set_name("child");
            group.create_task(worker("a", 9, ENDS))?;
            group.create_task(worker("b", 9, Cancelled(CleansUp)))?;
            let slept = seconds(9).await;
            log("body cancelled");
            slept
        })
        .await?;
        log(format!("group done, {}", cancelling()));
        seconds(1).await?;
        log("goes on");
        Ok(())
    };
    check(
        program,
        &[
            "0 a: starts",
            "0 b: starts",
            "1 child: cancels",
            "1 a: cancelled",
            "1 b: cancelled",
            "1 main: body cancelled",
            "2 b: cleaned up",
            "2 main: group done, cancelling 0",
            "3 main: goes on",
            "end ()",
        ],
    );
}

#[test]
fn a_body_that_cancels_its_group_gives_its_own_value() {
    let program = async {
        let value = task_group(async |group| {
            group.create_task(worker("a", 9, ENDS))?;
            seconds(1).await?;
            group.cancel_with("the group's");
            group.cancel_with("again");
            log("body ends");
            Ok("the body's")
        })
        .await?;
        log(format!("group done, {}", cancelling()));
        Ok(value)
    };
    check(
        program,
        &[
            "0 a: starts",
            "1 main: body ends",
            "1 a: cancelled",
            "1 main: group done, cancelling 0",
            "end \"the body's\"",
        ],
    );
}

#[test]
fn a_body_that_was_interrupted_has_the_value_of_the_cancel() {
    let program = task_group(async |group| {
        group.create_task(worker("a", 9, ENDS))?;
        seconds(1).await?;
        group.cancel_with(5);
        group.cancel_with(6);
        seconds(1).await?;
        Ok(7)
    });
    check(program, &["0 a: starts", "1 a: cancelled", "end 5"]);
}

#[test]
fn a_group_that_ends_is_cancelled() {
    let program = async {
        let kept = Kept::default();
        task_group(async |group| {
            kept.replace(Some(group.clone()));
            let parent = group.clone();
            let child = group.create_task(async move {
                seconds(1).await?;
                log("cancels");
                parent.cancel();
                Ok(())
            })?;
            child.set_name("child");
            group.create_task(worker("a", 9, ENDS))?;
            log("body ends");
            Ok(())
        })
        .await?;
        log(format!("group done, {}", cancelling()));
        kept.take().unwrap().cancel();
        seconds(1).await?;
        log("goes on");
        Ok(())
    };
    check(
        program,
        &[
            "0 main: body ends",
            "0 a: starts",
            "1 child: cancels",
            "1 a: cancelled",
            "1 main: group done, cancelling 0",
            "2 main: goes on",
            "end ()",
        ],
    );
}

#[test]
fn errors_of_a_cancelled_group_are_raised() {
    let program = task_group(async |group| {
        group.create_task(worker("a", 9, Cancelled(Raises)))?;
        seconds(1).await?;
        group.cancel();
        seconds(1).await
    });
    check(
        program,
        &["0 a: starts", "1 a: cancelled", "end raised Group[a-late]"],
    );
}

#[test]
fn a_cancellation_from_outside_is_not_lost_in_a_cancelled_group() {
    let program = async {
        let late = timeout(Duration::from_millis(1500), async |_| {
            task_group(async |group| {
                group.create_task(worker("a", 9, Cancelled(CleansUp)))?;
                seconds(1).await?;
                log("cancels");
                group.cancel();
                seconds(9).await
            })
            .await
        })
        .await;
        log(format!("{}, {}", show(&late.unwrap_err()), cancelling()));
        Ok(())
    };
    check(
        program,
        &[
            "0 a: starts",
            "1 main: cancels",
            "1 a: cancelled",
            "2 a: cleaned up",
            "2 main: TimeoutError, cancelling 0",
            "end ()",
        ],
    );
}
