//! A trace that says when and in which task something happens, to be compared with what the same program does in CPython, and
//! tasks to be traced. A line is `TIME TASK: TEXT`, with the time in virtual seconds.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::cell::{Cell, RefCell};
use std::fmt::{Debug, Display};
use std::rc::Rc;
use std::time::Duration;

use rondel_task::{
    EventLoop, Exception, ExceptionGroup, Future, Opaque, Result, RuntimeError, Task, TaskGroup,
    TimeoutError, create_task, current_task, get_running_loop, sleep,
};

pub(crate) use super::common::error;
use super::common::virtual_loop;

thread_local! {
    static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    static TICK: Cell<u32> = const { Cell::new(0) };
}

pub(crate) fn running_loop() -> EventLoop {
    get_running_loop().expect("only programs of `check` use this")
}

pub(crate) fn this_task() -> Task<Opaque> {
    current_task().expect("only tasks use this")
}

pub(crate) fn new_future<T: 'static>() -> Future<T> {
    running_loop().create_future()
}

fn push(line: String) {
    LINES.with_borrow_mut(|lines| lines.push(line));
}

/// Writes a line of the task that runs.
pub(crate) fn log(text: impl Display) {
    let time = running_loop().time().as_secs();
    let who = current_task().map_or("loop".to_owned(), |task| task.get_name());
    push(format!("{time} {who}: {text}"));
}

/// Runs `program` as the task `main` of a new loop and compares the trace; its last line says what the program came to.
#[track_caller]
pub(crate) fn check<T: Debug + 'static>(
    program: impl core::future::Future<Output = Result<T>> + 'static,
    expected: &[&str],
) {
    let event_loop = virtual_loop();
    event_loop.set_exception_handler(Some(
        |_: &EventLoop, context: &rondel_reactor::ExceptionContext| {
            let exception = context.exception().map(|error| format!(", {error}"));
            push(format!(
                "handler: {}{}",
                context.message(),
                exception.unwrap_or_default()
            ));
        },
    ));
    let main = event_loop.create_task(program).expect("the loop is open");
    main.set_name("main");
    let ran = event_loop.run_until_complete(main.erase());
    match ran.and_then(|_| main.take_result()) {
        Ok(value) => push(format!("end {value:?}")),
        Err(exception) => push(format!("end raised {}", show(&exception))),
    }
    drop(main);
    event_loop.close().expect("it does not run");
    assert_eq!(LINES.take(), expected);
}

/// An exception in few words.
pub(crate) fn show(exception: &Exception) -> String {
    if let Some(group) = exception.downcast_ref::<ExceptionGroup>() {
        let exceptions: Vec<String> = group.exceptions().iter().map(show).collect();
        return format!("Group[{}]", exceptions.join(","));
    }
    if let Some(error) = exception.downcast_ref::<rondel_future::CancelledError>() {
        return match error.message() {
            Some(message) => format!("Cancelled({message})"),
            None => "Cancelled".to_owned(),
        };
    }
    if exception.is::<TimeoutError>() {
        return "TimeoutError".to_owned();
    }
    exception.to_string()
}

/// Suspends for some seconds of virtual time.
pub(crate) async fn seconds(seconds: u64) -> Result<()> {
    sleep(Duration::from_secs(seconds)).await
}

/// Logs an error that passes, with `what` before it.
pub(crate) fn passing<T>(what: &str, outcome: Result<T>) -> Result<T> {
    if let Err(exception) = &outcome {
        log(format!("{what}{}", show(exception)));
    }
    outcome
}

/// Says how many open requests to cancel the current task has.
pub(crate) fn cancelling() -> String {
    format!("cancelling {}", this_task().cancelling())
}

/// Counts iterations of the loop from now on, for `tick`.
pub(crate) fn pulse(ticks: u32) {
    fn beat(tick: u32, last: u32) {
        TICK.set(tick);
        if tick < last {
            let beat = move || beat(tick + 1, last);
            running_loop().call_soon(beat).expect("it is open");
        }
    }
    beat(0, ticks);
}

/// Writes a line with the number of the iteration.
pub(crate) fn tick(text: impl Display) {
    log(format!("tick {} {text}", TICK.get()));
}

// --- tasks for groups -------------------------------------------------------------------------------

/// When a worker does something else than to sleep and return.
#[derive(Clone, Copy)]
pub(crate) enum When {
    Done(How),
    Cancelled(How),
}

/// How it ends then.
#[derive(Clone, Copy)]
pub(crate) enum How {
    Returns,
    Raises,
    RaisesCancelled,
    CleansUp,
}

pub(crate) use How::*;
pub(crate) use When::*;

/// A worker that sleeps and returns.
pub(crate) const ENDS: When = Done(Returns);

/// Sleeps, tells what happens, and ends in a way of its own.
pub(crate) async fn worker(name: &'static str, time: u64, when: When) -> Result<()> {
    this_task().set_name(name);
    log("starts");
    if let Err(cancelled) = seconds(time).await {
        log("cancelled");
        match when {
            Cancelled(Returns) => return Ok(()),
            Cancelled(Raises) => return Err(error(&format!("{name}-late"))),
            Cancelled(CleansUp) => {
                seconds(1).await?;
                log("cleaned up");
            }
            Cancelled(RaisesCancelled) | Done(_) => {}
        }
        return Err(cancelled);
    }
    match when {
        Done(Raises) => {
            log("raises");
            Err(error(name))
        }
        Done(RaisesCancelled) => {
            log("raises");
            Err(rondel_future::CancelledError::new().into())
        }
        _ => {
            log("ends");
            Ok(())
        }
    }
}

/// Keeps a group's handle beyond its block.
pub(crate) type Kept = Rc<RefCell<Option<TaskGroup>>>;

/// Logs what a group says to one task more.
pub(crate) fn refusal(kept: &Kept) {
    let group = kept.borrow().clone().expect("the block has kept it");
    let refused = group
        .create_task(worker("late", 1, ENDS))
        .expect_err("it takes no more");
    assert!(refused.is::<RuntimeError>());
    log(refused);
}

/// Starts `coroutine` as the task `parent`, lets `disturb` have it after a second, and logs what it raises.
pub(crate) async fn disturbed(
    coroutine: impl core::future::Future<Output = Result<()>> + 'static,
    disturb: impl AsyncFnOnce(&Task<()>) -> Result<()>,
) -> Result<()> {
    let parent = create_task(coroutine)?;
    parent.set_name("parent");
    seconds(1).await?;
    disturb(&parent).await?;
    let _ = passing("parent raised ", parent.await);
    Ok(())
}
