//! `as_completed`; the traces are those of the same programs under CPython 3.13, but for the stream.

mod common;
mod trace;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use common::virtual_loop;
use futures::{Stream as _, StreamExt as _};
use rondel_task::{
    AsCompleted, EventLoop, Exception, Future, NextDone, Result, Task, as_completed, create_task,
    run_virtual, sleep, wait,
};
use trace::{check, log, new_future, passing, pulse, running_loop, seconds, this_task, tick};

async fn quick(name: &'static str, time: u64) -> Result<&'static str> {
    seconds(time).await?;
    Ok(name)
}

async fn failing(name: &'static str, time: u64) -> Result<&'static str> {
    seconds(time).await?;
    Err(Exception::msg(name))
}

/// Awaits one after the other and logs what they give.
async fn log_all(completed: AsCompleted<&'static str>) -> Result<()> {
    for next_done in completed {
        if let Ok(value) = passing("raised ", next_done.await) {
            log(value);
        }
    }
    Ok(())
}

#[test]
fn outcomes_come_in_the_order_of_completion() {
    let program =
        async { log_all(as_completed([quick("a", 3), quick("b", 1), quick("c", 2)])).await };
    check(program, &["1 main: b", "2 main: c", "3 main: a", "end ()"]);
}

#[test]
fn exceptions_are_raised_at_their_turn() {
    let program = async {
        let failing = create_task(failing("b", 1))?;
        let tasks = [
            create_task(quick("a", 3))?,
            failing,
            create_task(quick("c", 2))?,
        ];
        log_all(as_completed(tasks)).await
    };
    check(
        program,
        &["1 main: raised b", "2 main: c", "3 main: a", "end ()"],
    );
}

#[test]
fn a_child_that_is_cancelled_raises_at_its_turn() {
    let program = async {
        let tasks = [create_task(quick("a", 3))?, create_task(quick("b", 3))?];
        tasks[0].cancel();
        log_all(as_completed(&tasks)).await
    };
    check(
        program,
        &["0 main: raised Cancelled", "3 main: b", "end ()"],
    );
}

#[test]
fn what_is_late_is_a_timeout_each_and_runs_on() {
    let program = async {
        let tasks = [
            create_task(quick("a", 1))?,
            create_task(quick("b", 3))?,
            create_task(quick("c", 4))?,
        ];
        log_all(as_completed(&tasks).timeout(Duration::from_secs(2))).await?;
        seconds(2).await?;
        Ok(tasks.map(|task| task.done()))
    };
    check(
        program,
        &[
            "1 main: a",
            "2 main: raised TimeoutError",
            "2 main: raised TimeoutError",
            "end [true, true, true]",
        ],
    );
}

#[test]
fn without_any_time_there_is_what_is_done() {
    let program = async {
        let done = create_task(quick("done", 0))?;
        (&done).await?;
        let late = create_task(quick("late", 1))?;
        log_all(as_completed([&done, &late]).timeout(Duration::ZERO)).await?;
        late.await
    };
    check(
        program,
        &[
            "0 main: done",
            "0 main: raised TimeoutError",
            "end \"late\"",
        ],
    );
}

#[test]
fn a_future_that_is_given_twice_is_given_back_once() {
    let program = async {
        let tasks = [create_task(quick("a", 2))?, create_task(quick("b", 1))?];
        let [a, b] = &tasks;
        let mut iterator = as_completed([a, b, a, b]).into_iter();
        assert_eq!(iterator.len(), 2);
        assert_eq!(iterator.next().unwrap().await?, "b");
        assert_eq!(iterator.len(), 1);
        assert_eq!(iterator.next().unwrap().await?, "a");
        assert!(iterator.next().is_none());
        Ok(())
    };
    check(program, &["end ()"]);
}

#[test]
fn of_nothing_there_is_nothing() {
    let program = async {
        let nothing = as_completed([] as [Task<()>; 0]).timeout(Duration::from_secs(5));
        assert_eq!(nothing.into_iter().count(), 0);
        assert_eq!(running_loop().scheduler().next_timer(), None);
        Ok(())
    };
    check(program, &["end ()"]);
}

// --- who waits when ----------------------------------------------------------------------------------

/// A task for each of the coroutines, which all wait at once.
fn waiters(nexts: impl IntoIterator<Item = NextDone<&'static str>>) -> Result<Vec<Task<()>>> {
    let spawn = |(number, next_done)| {
        let task = create_task(async move {
            log(passing("", next_done.await)?);
            Ok(())
        })?;
        task.set_name(format!("w{number}"));
        Ok(task)
    };
    nexts.into_iter().enumerate().map(spawn).collect()
}

#[test]
fn the_first_that_waits_is_served_first() {
    let program = async {
        let tasks = waiters(as_completed([quick("a", 2), quick("b", 1), quick("c", 3)]))?;
        wait(&tasks).await?;
        Ok(())
    };
    check(program, &["1 w0: b", "2 w1: a", "3 w2: c", "end ()"]);
}

#[test]
fn a_waiter_that_is_cancelled_after_its_wake_up_passes_it_on() {
    let program = async {
        let (first, second) = (new_future(), new_future::<&str>());
        let tasks = waiters(as_completed([&first, &second]))?;
        seconds(1).await?;
        let woken = tasks[0].clone();
        first.add_done_callback(move |_| {
            woken.cancel();
        })?;
        first.set_result("first")?;
        wait(&tasks).timeout(Duration::from_secs(1)).await?;
        log("waited");
        Ok(())
    };
    check(
        program,
        &["1 w0: Cancelled", "1 w1: first", "1 main: waited", "end ()"],
    );
}

#[test]
fn a_waiter_that_is_dropped_leaves_its_item_to_the_others() {
    let program = async {
        let (first, second) = (new_future(), new_future::<&str>());
        let mut nexts = as_completed([&first, &second]).into_iter();
        let mut dropped = Box::pin(nexts.next().unwrap());
        assert!(futures::poll!(dropped.as_mut()).is_pending());
        let tasks = waiters(nexts)?;
        seconds(1).await?;
        first.set_result("first")?;
        for _ in 0..2 {
            sleep(Duration::ZERO).await?;
        }
        drop(dropped);
        wait(&tasks).await?;
        Ok(())
    };
    check(program, &["1 w0: first", "end ()"]);
}

#[test]
fn the_iterations_of_the_waits() {
    let program = async {
        pulse(20);
        let futures: [Future<u32>; 3] = std::array::from_fn(|_| new_future());
        let watched = futures.clone();
        let waiter = create_task(async move {
            for next_done in as_completed(watched) {
                tick(next_done.await?);
            }
            tick("end");
            Ok(())
        })?;
        waiter.set_name("waiter");
        let pause = async |times| {
            for _ in 0..times {
                sleep(Duration::ZERO).await?;
            }
            Ok::<(), Exception>(())
        };
        pause(4).await?;
        tick("sets 2");
        futures[2].set_result(2)?;
        pause(1).await?;
        tick("sets 0");
        futures[0].set_result(0)?;
        pause(4).await?;
        tick("sets 1");
        futures[1].set_result(1)?;
        waiter.await?;
        tick("waiter done");
        Ok(())
    };
    check(
        program,
        &[
            "0 main: tick 4 sets 2",
            "0 main: tick 5 sets 0",
            "0 waiter: tick 6 2",
            "0 waiter: tick 7 0",
            "0 main: tick 9 sets 1",
            "0 waiter: tick 11 1",
            "0 waiter: tick 11 end",
            "0 main: tick 12 waiter done",
            "end ()",
        ],
    );
}

#[test]
fn what_is_done_already_comes_in_the_order_given() {
    let program = async {
        pulse(20);
        let futures: [Future<u32>; 2] = std::array::from_fn(|_| new_future());
        for (number, future) in (0..).zip(&futures) {
            future.set_result(number)?;
        }
        sleep(Duration::ZERO).await?;
        for next_done in as_completed(futures) {
            tick(next_done.await?);
        }
        tick("end");
        Ok(())
    };
    check(
        program,
        &[
            "0 main: tick 3 0",
            "0 main: tick 3 1",
            "0 main: tick 3 end",
            "end ()",
        ],
    );
}

#[test]
fn the_timer_goes_with_the_last_future() {
    let program = async {
        let (first, second) = (new_future(), new_future());
        let mut completed = as_completed([&first, &second])
            .timeout(Duration::from_secs(5))
            .into_iter();
        first.set_result(1)?;
        assert_eq!(completed.next().unwrap().await?, 1);
        drop(completed);
        let event_loop = running_loop();
        let scheduler = event_loop.scheduler();
        assert_eq!(scheduler.next_timer(), Some(Duration::from_secs(5)));
        second.set_result(2)?;
        sleep(Duration::ZERO).await?;
        assert_eq!(scheduler.next_timer(), None);
        Ok(())
    };
    check(program, &["end ()"]);
}

// --- as a stream ---------------------------------------------------------------------------------------

#[test]
fn a_stream_gives_the_futures_themselves() {
    let program = async {
        let tasks = [create_task(quick("a", 2))?, create_task(failing("b", 1))?];
        let mut stream = as_completed(&tasks);
        assert_eq!(stream.size_hint(), (2, Some(2)));
        let first = stream.next().await.unwrap()?;
        assert!(first.ptr_eq(&tasks[1]));
        assert_eq!(first.exception()?.unwrap().to_string(), "b");
        let second = stream.next().await.unwrap()?;
        assert!(second.ptr_eq(&tasks[0]));
        assert!(stream.next().await.is_none());
        assert!(stream.next().await.is_none());
        Ok(())
    };
    check(program, &["end ()"]);
}

#[test]
fn a_stream_has_the_combinators_of_futures() {
    let names = run_virtual(async {
        let stream = as_completed([quick("a", 3), quick("b", 1), quick("c", 2)]);
        let names = stream.map(|done| done.and_then(|done| done.result()));
        names.collect::<Vec<_>>().await.into_iter().collect()
    });
    let names: Vec<&str> = names.unwrap();
    assert_eq!(names, ["b", "c", "a"]);
}

#[test]
fn a_stream_ends_after_its_timeouts() {
    let program = async {
        let tasks = [create_task(quick("a", 2))?, create_task(quick("b", 3))?];
        let stream = as_completed(&tasks).timeout(Duration::from_secs(1));
        let outcomes: Vec<_> = stream.collect().await;
        seconds(3).await?;
        assert!(
            outcomes
                .iter()
                .all(|outcome| outcome.as_ref().unwrap_err().is_timeout())
        );
        Ok(outcomes.len())
    };
    check(program, &["end 2"]);
}

#[test]
fn a_stream_whose_wait_is_cancelled_loses_nothing() {
    let program = async {
        let tasks = [create_task(quick("a", 2))?, create_task(quick("b", 3))?];
        let waiter = create_task(async move {
            let mut stream = as_completed(&tasks);
            let mut names = Vec::new();
            while let Some(done) = stream.next().await {
                match passing("", done) {
                    Ok(done) => names.push(done.result()?),
                    Err(error) if error.is_cancelled() => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(names)
        })?;
        seconds(1).await?;
        waiter.cancel();
        waiter.await
    };
    check(program, &["1 Task-4: Cancelled", "end [\"a\", \"b\"]"]);
}

// --- misuse, memory --------------------------------------------------------------------------------------

#[test]
fn misuse_is_told_by_the_first_await() {
    let other = EventLoop::new().unwrap();
    let foreign = other.create_future::<()>();
    let told = run_virtual(async move {
        let mut nexts = as_completed([foreign]).into_iter();
        let told = nexts.next().unwrap().await;
        assert!(nexts.next().is_none());
        told
    });
    assert_eq!(
        told.unwrap_err().to_string(),
        "the future belongs to a different loop than the one it is used on"
    );
}

#[test]
fn nothing_is_kept_in_memory() {
    let alive = Rc::new(());
    let held = alive.clone();
    let kept = Rc::new(RefCell::new(None));
    let keep = kept.clone();
    let event_loop = virtual_loop();
    event_loop.set_exception_handler(Some(
        |_: &EventLoop, _: &rondel_reactor::ExceptionContext| {},
    ));
    let program = async move {
        let pending = running_loop().create_future();
        let keeps_itself = pending.clone();
        let value = held.clone();
        let task = create_task(async move {
            let _held = held;
            keeps_itself.await
        })?;
        let quick = create_task(async { Ok(value) })?;
        let mut nexts = as_completed([&task, &quick])
            .timeout(Duration::from_secs(60))
            .into_iter();
        nexts.next().unwrap().await?;
        *keep.borrow_mut() = Some((pending, nexts));
        this_task().set_name("main");
        Ok(())
    };
    event_loop.run_until_complete(program).unwrap();
    assert_eq!(Rc::strong_count(&alive), 2, "the value was given away");
    event_loop.close().unwrap();
    drop(kept);
    assert_eq!(Rc::strong_count(&alive), 1);
}
