//! What primitives and their errors look like, and what they tell of themselves.

mod common;

use common::{ended, pause, spawn};
use rondel_sync::{
    Barrier, BoundedSemaphore, BrokenBarrierError, Condition, Event, GetNowaitError, LifoQueue,
    Lock, PriorityQueue, PutNowaitError, Queue, QueueEmpty, QueueFull, QueueShutDown, Semaphore,
};
use rondel_task::run_virtual;
use std::fmt::Debug;

#[track_caller]
fn shows(value: &impl Debug, text: &str) {
    assert_eq!(format!("{value:?}"), text);
}

#[test]
fn primitives_show_their_state_and_who_waits() {
    run_virtual(async {
        let lock = Lock::new();
        shows(&lock, "<Lock [unlocked]>");
        let guard = lock.acquire().await?;
        let waiting = spawn("a", lock.acquire());
        pause().await?;
        shows(&lock, "<Lock [locked, waiters:1]>");
        shows(&guard, "LockGuard(<Lock [locked, waiters:1]>)");
        drop(guard);
        drop(waiting.take().await?);

        let event = Event::new();
        let waiting = spawn("b", event.wait());
        pause().await?;
        shows(&event, "<Event [unset, waiters:1]>");
        event.set();
        shows(&event, "<Event [set]>");
        ended([waiting]).await?;

        shows(&Condition::with_lock(lock), "<Condition [unlocked]>");
        shows(&Semaphore::new(2), "<Semaphore [unlocked, value:2]>");
        shows(&BoundedSemaphore::new(0), "<BoundedSemaphore [locked]>");

        let barrier = Barrier::new(3)?;
        shows(&barrier, "<Barrier [filling, waiters:0/3]>");
        barrier.abort().await?;
        shows(&barrier, "<Barrier [broken]>");
        Ok(())
    })
    .unwrap();
}

#[test]
fn queues_show_what_is_in_them() {
    run_virtual(async {
        let queue = Queue::new(1);
        queue.put_nowait("tea")?;
        let putter = spawn("putter", queue.put("milk"));
        pause().await?;
        shows(&queue, "<Queue maxsize=1 qsize=1 putters[1] tasks=1>");
        let statistics = queue.statistics();
        assert_eq!((statistics.qsize, statistics.maxsize), (1, 1));
        assert_eq!(statistics.putters_waiting, 1);
        queue.get_nowait()?;
        ended([putter]).await?;
        queue.shutdown(true);
        shows(&queue, "<Queue maxsize=1 qsize=0 tasks=1 shutdown>");
        shows(&LifoQueue::<u8>::new(0), "<LifoQueue maxsize=0 qsize=0>");
        let smallest = PriorityQueue::<u8>::default();
        let getter = spawn("getter", smallest.get());
        pause().await?;
        shows(&smallest, "<PriorityQueue maxsize=0 qsize=0 getters[1]>");
        getter.cancel();
        ended([getter]).await
    })
    .unwrap();
}

#[test]
fn errors_say_what_is_wrong() {
    for (error, text) in [
        (&QueueEmpty as &dyn std::error::Error, "the queue is empty"),
        (&QueueFull, "the queue is full"),
        (&QueueShutDown, "the queue was shut down"),
        (&BrokenBarrierError, "the barrier was reset or aborted"),
    ] {
        assert_eq!(error.to_string(), text);
    }
    struct Unshown;
    let full = PutNowaitError::QueueFull(Unshown);
    assert_eq!(
        format!("{full:?}, {full}"),
        "QueueFull(..), the queue is full"
    );
    let shut_down = GetNowaitError::QueueShutDown;
    assert_eq!(shut_down.to_string(), "the queue was shut down");
}

/// Has one impl for a type that is not `Send` and two for one that is, for which `check` is then ambiguous.
trait NotSend<Marker> {
    fn check() {}
}

struct IsSend;

impl<T: ?Sized> NotSend<()> for T {}
impl<T: ?Sized + Send> NotSend<IsSend> for T {}

#[test]
fn handles_stay_on_their_thread_and_errors_do_not() {
    let _ = <Lock as NotSend<_>>::check;
    let _ = <Event as NotSend<_>>::check;
    let _ = <Condition as NotSend<_>>::check;
    let _ = <Semaphore as NotSend<_>>::check;
    let _ = <Barrier as NotSend<_>>::check;
    let _ = <Queue<u8> as NotSend<_>>::check;
    fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<QueueFull>();
    is_send_and_sync::<PutNowaitError<u8>>();
    is_send_and_sync::<GetNowaitError>();
    is_send_and_sync::<BrokenBarrierError>();
}
