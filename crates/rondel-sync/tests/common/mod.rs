//! A trace of what a program does under virtual time, `TIME TASK: TEXT` a line, to be compared with what CPython does.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::cell::RefCell;
use std::fmt::{Debug, Display};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use rondel_task::{
    Result, Task, create_task, current_task, gather_return_exceptions, get_running_loop,
    run_virtual, sleep,
};

thread_local! {
    static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Writes a line of the task that runs.
pub(crate) fn log(text: impl Display) {
    let time = get_running_loop()
        .expect("called by a task")
        .time()
        .as_secs();
    let who = current_task().expect("called by a task").get_name();
    LINES.with_borrow_mut(|lines| lines.push(format!("{time} {who}: {text}")));
}

/// Runs `program` as the task `main` and compares the trace.
#[track_caller]
pub(crate) fn check(program: impl Future<Output = Result<()>> + 'static, expected: &[&str]) {
    let outcome = run_virtual(async {
        current_task().expect("this is one").set_name("main");
        program.await
    });
    let lines = LINES.take();
    assert_eq!(lines, expected, "the trace; the program gave {outcome:?}");
    outcome.expect("the program ends well");
}

/// Starts a task, which logs it when it ends with an error.
pub(crate) fn spawn<T: 'static>(
    name: &str,
    coroutine: impl Future<Output = Result<T>> + 'static,
) -> Task<T> {
    let task = create_task(async {
        coroutine
            .await
            .inspect_err(|error| log(format_args!("{error:?}")))
    });
    let task = task.expect("a loop is running");
    task.set_name(name);
    task
}

/// Waits until all tasks have ended, whatever they came to.
pub(crate) async fn ended<T: Clone + Debug + 'static, const N: usize>(
    tasks: [Task<T>; N],
) -> Result<()> {
    gather_return_exceptions(tasks).await?;
    Ok(())
}

/// Lets every task that is ready run once.
pub(crate) async fn pause() -> Result<()> {
    sleep(Duration::ZERO).await
}

pub(crate) async fn seconds(seconds: u64) -> Result<()> {
    sleep(Duration::from_secs(seconds)).await
}

/// Polls a coroutine that has to wait, once.
pub(crate) async fn begin<F: Future>(coroutine: &mut Pin<Box<F>>) {
    let polled = poll_fn(|cx| Poll::Ready(coroutine.as_mut().poll(cx).is_pending()));
    assert!(polled.await, "it had not to wait");
}
