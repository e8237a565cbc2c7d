//! Destructors, predicates and wakers that use the very primitive that runs them: no borrow is held then.

mod common;

use std::cell::RefCell;
use std::sync::Arc;

use common::{begin, pause};
use futures::task::{ArcWake, waker};
use rondel_sync::{Condition, Event, Lock, PutNowaitError, Queue, Semaphore};
use rondel_task::{EventLoop, run_virtual};
use std::future::Future;
use std::task::Context;

/// Looks at its queue when it is dropped.
struct Curious {
    queue: Queue<Curious>,
    seen: Event,
}

impl Curious {
    fn new(queue: &Queue<Curious>, seen: &Event) -> Self {
        Self {
            queue: queue.clone(),
            seen: seen.clone(),
        }
    }
}

impl Drop for Curious {
    fn drop(&mut self) {
        assert_eq!(
            format!("{:?}", self.queue),
            "<Queue maxsize=0 qsize=0 shutdown>"
        );
        assert!(self.queue.get_nowait().is_err());
        self.queue.shutdown(true);
        self.seen.set();
    }
}

#[test]
fn values_that_a_shutdown_drops_may_use_the_queue() {
    let (queue, seen) = (Queue::new(0), Event::new());
    for _ in 0..3 {
        queue.put_nowait(Curious::new(&queue, &seen)).unwrap();
    }
    queue.shutdown(true);
    assert!(seen.is_set());
}

#[test]
fn a_value_that_put_drops_may_use_the_queue() {
    let seen = run_virtual(async {
        let (queue, seen) = (Queue::new(0), Event::new());
        queue.shutdown(false);
        assert!(queue.put(Curious::new(&queue, &seen)).await.is_err());
        Ok(seen.is_set())
    });
    assert!(seen.unwrap());
}

#[test]
fn a_predicate_may_use_the_condition() {
    run_virtual(async {
        let condition = Condition::new();
        let _guard = condition.acquire().await?;
        let mut asked = 0;
        let predicate = || {
            asked += 1;
            condition.notify_all().unwrap();
            condition.statistics().lock.locked
        };
        condition.wait_for(predicate).await?;
        assert_eq!(asked, 1);
        Ok(())
    })
    .unwrap();
}

thread_local! {
    static SHARED: RefCell<Option<Shared>> = const { RefCell::new(None) };
}

#[derive(Clone)]
struct Shared {
    lock: Lock,
    event: Event,
    semaphore: Semaphore,
    queue: Queue<u8>,
    event_loop: EventLoop,
}

/// Uses every primitive when it is woken, which is in the middle of what woke it.
struct Meddler;

impl ArcWake for Meddler {
    fn wake_by_ref(_: &Arc<Self>) {
        let shared = SHARED.with_borrow(Clone::clone).expect("it is set");
        shared.event.clear();
        shared.event.set();
        shared.semaphore.release();
        let refused = shared.queue.put_nowait(9);
        assert!(matches!(
            refused,
            Ok(()) | Err(PutNowaitError::QueueFull(9))
        ));
        let _ = shared.queue.get_nowait();
        assert!(format!("{:?}{:?}", shared.lock, shared.event).starts_with("<Lock ["));
        let mut dropped = Box::pin(shared.lock.acquire());
        let waker = futures::task::noop_waker();
        let _ = dropped.as_mut().poll(&mut Context::from_waker(&waker));
        assert!(!shared.event_loop.is_closed());
    }
}

#[test]
fn a_foreign_waker_may_use_the_primitive_that_wakes_it() {
    run_virtual(async {
        let shared = Shared {
            lock: Lock::new(),
            event: Event::new(),
            semaphore: Semaphore::new(0),
            queue: Queue::new(1),
            event_loop: rondel_task::get_running_loop()?,
        };
        SHARED.set(Some(shared.clone()));
        let guard = shared.lock.acquire().await?;
        let waker = waker(Arc::new(Meddler));
        let mut cx = Context::from_waker(&waker);
        let mut locking = Box::pin(shared.lock.acquire());
        let mut seeing = Box::pin(shared.event.wait());
        let mut taking = Box::pin(shared.semaphore.acquire());
        let mut getting = Box::pin(shared.queue.get());
        assert!(locking.as_mut().poll(&mut cx).is_pending());
        assert!(seeing.as_mut().poll(&mut cx).is_pending());
        assert!(taking.as_mut().poll(&mut cx).is_pending());
        assert!(getting.as_mut().poll(&mut cx).is_pending());
        drop(guard);
        shared.event.set();
        assert!(seeing.as_mut().poll(&mut cx).is_ready());
        assert!(taking.as_mut().poll(&mut cx).is_ready());
        assert!(locking.as_mut().poll(&mut cx).is_ready());
        drop(getting);
        SHARED.set(None);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_coroutine_that_is_destroyed_with_its_loop_lets_go_of_everything() {
    let (lock, queue) = (Lock::new(), Queue::<u8>::new(0));
    let event_loop = EventLoop::new().unwrap();
    event_loop.set_exception_handler(Some(|_: &EventLoop, _: &_| ()));
    let (held, waited) = (lock.clone(), queue.clone());
    let holder = event_loop.create_task::<u8, _>(async move {
        let _guard = held.acquire().await?;
        waited.get().await
    });
    let waited = lock.clone();
    let waiter = event_loop.create_task(async move { waited.acquire().await });
    event_loop
        .run_until_complete(async {
            pause().await?;
            pause().await
        })
        .unwrap();
    assert!(lock.locked());
    assert_eq!(lock.statistics().tasks_waiting, 1);
    event_loop.close().unwrap();
    drop((holder, waiter));
    assert!(!lock.locked());
    assert_eq!(lock.statistics().tasks_waiting, 0);
    assert_eq!(queue.statistics().getters_waiting, 0);
}

#[test]
fn a_lock_that_is_waited_for_may_go_with_its_last_handle() {
    run_virtual(async {
        let lock = Lock::new();
        lock.acquire().await?.forget();
        let mut waiting = Box::pin(lock.acquire());
        drop(lock);
        begin(&mut waiting).await;
        Ok(())
    })
    .unwrap();
}
