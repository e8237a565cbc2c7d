//! Primitives and their loop: bound where a task first waits, free before that, and not keeping it open.

mod common;

use rondel_sched::VirtualClock;
use rondel_sync::{Barrier, Condition, Event, Lock, Queue, Semaphore};
use rondel_task::{EventLoop, Result, RuntimeError, run_virtual, wait_for};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(1);

#[track_caller]
fn refused<T: std::fmt::Debug>(outcome: Result<T>, text: &str) {
    let error = outcome.expect_err("it is bound");
    assert!(error.is::<RuntimeError>());
    assert_eq!(error.to_string(), text);
}

#[test]
fn a_primitive_is_bound_to_the_loop_on_which_a_task_first_waits() {
    let lock = Lock::new();
    let event = Event::new();
    let condition = Condition::new();
    let semaphore = Semaphore::new(0);
    let queue = Queue::<u8>::new(0);
    let program = {
        let (lock, event, condition) = (lock.clone(), event.clone(), condition.clone());
        let (semaphore, queue) = (semaphore.clone(), queue.clone());
        async move {
            lock.acquire().await?.forget();
            assert!(wait_for(lock.acquire(), SOON).await.is_err());
            assert!(wait_for(event.wait(), SOON).await.is_err());
            condition.acquire().await?.forget();
            assert!(wait_for(condition.wait(), SOON).await.is_err());
            assert!(wait_for(semaphore.acquire(), SOON).await.is_err());
            assert!(wait_for(queue.get(), SOON).await.is_err());
            Ok(())
        }
    };
    run_virtual(program).unwrap();
    let on = "is bound to a different event loop";
    run_virtual(async move {
        refused(lock.acquire().await, &format!("<Lock [locked]> {on}"));
        refused(event.wait().await, &format!("<Event [unset]> {on}"));
        refused(
            condition.wait().await,
            &format!("<Condition [locked]> {on}"),
        );
        refused(
            semaphore.acquire().await,
            &format!("<Semaphore [locked]> {on}"),
        );
        refused(
            queue.get().await,
            &format!("<Queue maxsize=0 qsize=0> {on}"),
        );
        // What need not be waited for is had on any loop.
        lock.release()?;
        drop(lock.acquire().await?);
        event.set();
        event.wait().await
    })
    .unwrap();
}

#[test]
fn a_barrier_that_was_not_waited_for_is_bound_to_no_loop() {
    let barrier = Barrier::new(1).unwrap();
    for _ in 0..2 {
        let barrier = barrier.clone();
        assert_eq!(run_virtual(async move { barrier.wait().await }).unwrap(), 0);
    }
}

#[test]
fn a_primitive_does_not_keep_its_loop_open() {
    let event = Event::new();
    let event_loop = EventLoop::with_clock(VirtualClock::new()).unwrap();
    let waiting = event_loop.create_task(event.wait()).unwrap();
    event_loop
        .run_until_complete(rondel_task::sleep(SOON))
        .unwrap();
    event_loop.set_exception_handler(Some(|_: &EventLoop, _: &_| ()));
    drop(event_loop);
    assert!(!waiting.done());
    assert_eq!(event.statistics().tasks_waiting, 0, "its coroutine is gone");
}
