//! Beside other executors, combinators and threads: foreign futures in our tasks, our futures elsewhere, wakers that outlive.

mod common;

use std::cell::{Cell, RefCell};
use std::future::{Future as _, IntoFuture, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use common::{LONG, Trace, check, error, poll_once, secs, tick, virtual_loop};
use futures::channel::oneshot;
use futures::executor::{LocalPool, block_on};
use futures::stream::{FuturesUnordered, StreamExt};
use futures::task::LocalSpawnExt;
use rondel_task::{
    EventLoop, Future, Result, Task, create_task, current_task, get_running_loop, run, run_virtual,
    shielded, sleep, sleep_result,
};

/// Counts how often it is woken.
#[derive(Default)]
struct Counting(AtomicUsize);

impl Wake for Counting {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn counting() -> (Arc<Counting>, Waker) {
    let counting = Arc::<Counting>::default();
    (counting.clone(), Waker::from(counting))
}

fn poll_with<F: core::future::Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(waker))
}

/// Polls once, as a part of the task that awaits it.
async fn polled_here<F: core::future::Future>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}

// --- foreign combinators in our tasks ------------------------------------------------------------

#[test]
fn tokio_select_over_two_of_our_futures() {
    check(
        async |log: Trace| {
            let event_loop = get_running_loop()?;
            let (a, b) = (
                event_loop.create_future::<i32>(),
                event_loop.create_future::<i32>(),
            );
            let set = b.clone();
            event_loop.call_later(secs(1), move || set.set_result(2).expect("it is pending"))?;
            for _ in 0..2 {
                tokio::select! {
                    first = &a => log.log(format_args!("a {first:?}")),
                    first = &b => log.log(format_args!("b {first:?}")),
                }
            }
            log.log(format_args!("{a:?} {b:?}"));
            Ok(())
        },
        &[
            "b Ok(2)",
            "b Ok(2)",
            "<Future pending> <Future finished result=2>",
            "Ok(())",
        ],
    );
}

#[test]
fn tokio_select_in_a_loop_over_a_leaf_that_lives_on() {
    check(
        async |log: Trace| {
            let event_loop = get_running_loop()?;
            let future = event_loop.create_future::<i32>();
            let set = future.clone();
            event_loop.call_later(secs(3), move || set.set_result(7).expect("it is pending"))?;
            let mut leaf = pin!(future.clone().into_future());
            loop {
                tokio::select! { biased;
                    done = &mut leaf => {
                        log.log(format_args!("{done:?}"));
                        return Ok(());
                    }
                    slept = sleep(secs(2)) => log.log(format_args!("{slept:?} {future:?}")),
                }
            }
        },
        &[
            "Ok(()) <Future pending cb=[Task.wakeup()]>",
            "Ok(7)",
            "Ok(())",
        ],
    );
}

#[test]
fn joins_of_tokio_and_futures() {
    check(
        async |log: Trace| {
            let event_loop = get_running_loop()?;
            let futures: Vec<Future<i32>> = (0..4).map(|_| event_loop.create_future()).collect();
            for (place, future) in futures.iter().enumerate() {
                let future = future.clone();
                let when = secs(4 - place as u64);
                event_loop.call_later(when, move || {
                    future.set_result(place as i32).expect("it is pending")
                })?;
            }
            let joined = tokio::join!(&futures[0], &futures[1]);
            log.log(format_args!("{joined:?} {:?}", event_loop.time()));
            let joined = futures::join!((&futures[2]).into_future(), (&futures[3]).into_future());
            log.log(format_args!("{joined:?}"));
            let same =
                futures::future::join_all([0, 0, 0].map(|_| (&futures[1]).into_future())).await;
            log.log(format_args!("{same:?}"));
            Ok(())
        },
        &[
            "(Ok(0), Ok(1)) 4s",
            "(Ok(2), Ok(3))",
            "[Ok(1), Ok(1), Ok(1)]",
            "Ok(())",
        ],
    );
}

#[test]
fn futures_unordered_gives_what_is_done_first() {
    check(
        async |log: Trace| {
            let mut all: FuturesUnordered<_> = [3, 1, 2]
                .map(|seconds| Box::pin(sleep_result(secs(seconds), seconds)))
                .into_iter()
                .collect();
            let event_loop = get_running_loop()?;
            let future = event_loop.create_future::<i32>();
            let set = future.clone();
            event_loop
                .call_soon(move || set.set_exception(error("bad")).expect("it is pending"))?;
            let failing = future.into_future();
            let mut both = futures::stream::select(
                futures::stream::once(failing).map(|outcome| outcome.map(|n| n as u64)),
                &mut all,
            );
            while let Some(outcome) = both.next().await {
                log.log(format_args!("{outcome:?}"));
            }
            Ok(())
        },
        &["Err(\"bad\")", "Ok(1)", "Ok(2)", "Ok(3)", "Ok(())"],
    );
}

#[test]
fn a_yield_inside_a_foreign_combinator_yields() {
    check(
        async |log: Trace| {
            let mut all: FuturesUnordered<_> = (0..3)
                .map(|n| {
                    let log = log.clone();
                    Box::pin(async move {
                        tick().await?;
                        log.log(n);
                        tick().await
                    })
                })
                .collect();
            while let Some(outcome) = all.next().await {
                outcome?;
            }
            Ok(())
        },
        &["0", "1", "2", "Ok(())"],
    );
}

#[test]
fn a_channel_of_another_crate_is_completed_from_a_thread() {
    let received = run(async {
        let (sender, receiver) = oneshot::channel();
        let task = create_task(async move { Ok(receiver.await?) })?;
        tick().await?;
        let thread = thread::spawn(move || sender.send(42));
        let received = task.await?;
        thread
            .join()
            .expect("it does not panic")
            .expect("it was received");
        Ok(received)
    });
    assert_eq!(received.unwrap(), 42);
}

#[test]
fn many_channels_are_completed_from_many_threads() {
    const TASKS: usize = 500;
    let sum = run(async {
        let (mut senders, mut tasks) = (Vec::new(), Vec::new());
        for _ in 0..TASKS {
            let (sender, receiver) = oneshot::channel::<usize>();
            senders.push(sender);
            tasks.push(create_task(async move { Ok(receiver.await?) })?);
        }
        let mut threads = Vec::new();
        while !senders.is_empty() {
            let some = senders.split_off(senders.len() - TASKS / 5);
            threads.push(thread::spawn(move || {
                some.into_iter().for_each(|sender| _ = sender.send(1))
            }));
        }
        let received = rondel_task::gather(tasks).await?;
        threads
            .into_iter()
            .for_each(|thread| thread.join().expect("it does not panic"));
        Ok(received.into_iter().sum::<usize>())
    });
    assert_eq!(sum.unwrap(), TASKS);
}

#[test]
fn a_mutex_of_tokio_is_handed_on() {
    check(
        async |log: Trace| {
            let mutex = Rc::new(tokio::sync::Mutex::new(()));
            let tasks = ["a", "b", "c"].map(|name| {
                let (mutex, log) = (mutex.clone(), log.clone());
                async move {
                    let _guard = mutex.lock().await;
                    log.log(format_args!("{name} has it"));
                    sleep(secs(1)).await
                }
            });
            rondel_task::gather(tasks).await.map(drop)
        },
        &["a has it", "b has it", "c has it", "Ok(())"],
    );
}

// --- our futures elsewhere ----------------------------------------------------------------------------

#[test]
fn our_future_under_another_executor_on_the_same_thread() {
    let event_loop = virtual_loop();
    let future = event_loop.create_future();
    let mut pool = LocalPool::new();
    let trace = Trace::new();
    for name in ["a", "b"] {
        let (trace, future) = (trace.clone(), future.clone());
        pool.spawner()
            .spawn_local(async move { trace.log(format_args!("{name} {:?}", future.await)) })
            .unwrap();
    }
    pool.run_until_stalled();
    assert_eq!(
        format!("{future:?}"),
        "<Future pending cb=[Waker::wake(), Waker::wake()]>"
    );
    future.set_result(5).unwrap();
    trace.check(&[]);
    pool.run_until_stalled();
    trace.check(&["a Ok(5)", "b Ok(5)"]);
    assert_eq!(block_on(async { (&future).await }).unwrap(), 5);
}

#[test]
fn our_task_is_awaited_by_another_executor_while_the_loop_is_stepped() {
    let event_loop = virtual_loop();
    let task = event_loop.create_task(async {
        tick().await?;
        Ok("done")
    });
    let mut leaf = task.unwrap().into_future();
    let stepping = event_loop.clone();
    let outcome = block_on(poll_fn(move |cx| {
        let outcome = Pin::new(&mut leaf).poll(cx);
        if outcome.is_pending() {
            stepping.run_once().expect("it is not running");
            cx.waker().wake_by_ref();
        }
        outcome
    }));
    assert_eq!(outcome.unwrap(), "done");
}

#[test]
fn a_foreign_waker_is_woken_at_its_place_and_once() {
    let event_loop = virtual_loop();
    let future = event_loop.create_future::<i32>();
    let (count, waker) = counting();
    let mut leaf = future.clone().into_future();
    for _ in 0..3 {
        assert!(poll_with(&mut leaf, &waker).is_pending());
    }
    assert_eq!(format!("{future:?}"), "<Future pending cb=[Waker::wake()]>");
    future.set_result(1).unwrap();
    assert_eq!(count.0.load(Ordering::Relaxed), 1);
    assert!(poll_with(&mut leaf, &waker).is_ready());
}

#[test]
fn the_waker_of_the_last_poll_is_the_one_that_is_woken() {
    let event_loop = virtual_loop();
    let future = event_loop.create_future::<i32>();
    let ((first, one), (second, two)) = (counting(), counting());
    let mut leaf = future.clone().into_future();
    assert!(poll_with(&mut leaf, &one).is_pending());
    assert!(poll_with(&mut leaf, &two).is_pending());
    future.set_result(1).unwrap();
    let counts = [first, second].map(|count| count.0.load(Ordering::Relaxed));
    assert_eq!(counts, [0, 1]);
}

#[test]
fn a_leaf_that_is_dropped_wakes_nobody() {
    let event_loop = virtual_loop();
    let future = event_loop.create_future::<i32>();
    let (count, waker) = counting();
    let mut leaf = future.clone().into_future();
    assert!(poll_with(&mut leaf, &waker).is_pending());
    drop(leaf);
    assert_eq!(format!("{future:?}"), "<Future pending>");
    future.set_result(1).unwrap();
    assert_eq!(count.0.load(Ordering::Relaxed), 0);
    assert_eq!(Arc::strong_count(&count), 2, "the waker was let go");
}

#[test]
fn a_waker_that_panics_costs_the_others_nothing() {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("no");
        }
    }
    let event_loop = virtual_loop();
    let future = event_loop.create_future::<i32>();
    let waiting = event_loop.create_task({
        let future = future.clone();
        async move { future.await }
    });
    let mut leaf = future.clone().into_future();
    assert!(poll_with(&mut leaf, &Waker::from(Arc::new(Panics))).is_pending());
    event_loop.run_once().unwrap();
    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| future.set_result(3)));
    event_loop.run_once().unwrap();
    assert_eq!(waiting.unwrap().result().unwrap(), 3);
}

#[test]
fn a_waker_that_comes_back_at_once_finds_a_future_that_is_done() {
    thread_local! {
        static FUTURE: RefCell<Option<Future<i32>>> = const { RefCell::new(None) };
        static SEEN: Cell<bool> = const { Cell::new(false) };
    }
    struct ComesBack;
    impl Wake for ComesBack {
        fn wake(self: Arc<Self>) {
            let future = FUTURE.with_borrow(Clone::clone).unwrap();
            assert_eq!(future.result().unwrap(), 3);
            assert!(future.set_result(4).is_err());
            assert!(!future.cancel());
            future.add_done_callback(|_| SEEN.set(true)).unwrap();
        }
    }
    let event_loop = virtual_loop();
    let future = event_loop.create_future::<i32>();
    FUTURE.set(Some(future.clone()));
    let mut leaf = future.clone().into_future();
    assert!(poll_with(&mut leaf, &Waker::from(Arc::new(ComesBack))).is_pending());
    future.set_result(3).unwrap();
    event_loop.run_once().unwrap();
    assert!(SEEN.get());
    drop(FUTURE.take());
}

#[test]
fn a_waker_whose_destructor_completes_the_future_costs_no_wake_up() {
    thread_local! {
        static AWAITED: RefCell<Option<Future<u32>>> = const { RefCell::new(None) };
    }

    struct CompletesWhenDropped;

    impl Wake for CompletesWhenDropped {
        fn wake(self: Arc<Self>) {}
    }

    impl Drop for CompletesWhenDropped {
        fn drop(&mut self) {
            if let Some(awaited) = AWAITED.take() {
                awaited.set_result(1).expect("it is pending");
            }
        }
    }

    let outcome = run_virtual(async {
        let awaited = get_running_loop()?.create_future();
        AWAITED.set(Some(awaited.clone()));
        let mut leaf = awaited.into_future();
        let waker = Waker::from(Arc::new(CompletesWhenDropped));
        assert!(poll_with(&mut leaf, &waker).is_pending());
        drop(waker);
        // The task takes the place of the waker, whose last handle is dropped for it.
        create_task(poll_fn(move |cx| Pin::new(&mut leaf).poll(cx)))?.await
    });
    assert_eq!(outcome.unwrap(), 1);
}

/// A task that has polled a sleep and does not come back to it, suspended in `rest`.
async fn leave_a_sleep<T: 'static>(
    rest: impl AsyncFnOnce() -> Result<T> + 'static,
) -> Result<Task<T>> {
    let task = create_task(async move {
        let mut asleep = pin!(sleep(LONG));
        assert!(polled_here(asleep.as_mut()).await.is_pending());
        rest().await
    })?;
    tick().await?;
    Ok(task)
}

#[test]
fn a_cancellation_reaches_a_task_whose_sleep_is_not_what_it_awaits() {
    let outcome = run_virtual(async {
        let (_sender, receiver) = oneshot::channel::<()>();
        let task = leave_a_sleep(async move || Ok(receiver.await?)).await?;
        assert!(task.cancel());
        task.await
    });
    assert!(outcome.unwrap_err().is_cancelled());
}

#[test]
fn a_cancellation_that_a_sleep_was_given_is_felt_at_the_next_wait() {
    let outcome = run_virtual(async {
        let (sender, receiver) = oneshot::channel();
        let task = leave_a_sleep(async move || {
            let received = receiver.await?;
            Ok((received, sleep(secs(1)).await.is_err()))
        });
        let task = task.await?;
        task.cancel();
        sender.send(7).expect("it is waited for");
        task.await
    });
    assert_eq!(outcome.unwrap(), (7, true));
}

#[test]
fn a_cancellation_that_a_sleep_was_given_ends_a_task_that_waits_no_more() {
    let outcome = run_virtual(async {
        let (sender, receiver) = oneshot::channel();
        let task = leave_a_sleep(async move || Ok(receiver.await?)).await?;
        task.cancel();
        sender.send(7).expect("it is waited for");
        task.await
    });
    assert!(outcome.unwrap_err().is_cancelled());
}

#[test]
fn a_request_that_a_sleep_was_given_can_be_taken_back() {
    let outcome = run_virtual(async {
        let (sender, receiver) = oneshot::channel();
        let task = leave_a_sleep(async move || Ok(receiver.await?)).await?;
        task.cancel();
        assert_eq!(task.uncancel(), 0);
        sender.send(7).expect("it is waited for");
        task.await
    });
    assert_eq!(outcome.unwrap(), 7);
}

#[test]
fn what_is_asked_before_a_shield_is_held_back_by_it_and_is_one_error() {
    let outcome = run_virtual(async {
        let (sender, receiver) = oneshot::channel();
        let task = create_task(async move {
            receiver.await?;
            current_task().expect("it runs in a task").cancel();
            shielded(sleep(secs(1))).await?;
            Ok((sleep(secs(1)).await.is_err(), sleep(secs(1)).await.is_ok()))
        })?;
        tick().await?;
        task.cancel();
        sender.send(7).expect("it is waited for");
        task.await
    });
    assert_eq!(outcome.unwrap(), (true, true));
}

#[test]
fn a_sleep_that_returns_its_error_leaves_nothing_of_it() {
    check(
        async |log: Trace| {
            let (sender, receiver) = oneshot::channel();
            let inner = log.clone();
            let task = create_task(async move {
                inner.log(format_args!("{:?}", sleep(LONG).await));
                inner.log(format_args!("{:?}", receiver.await));
                sleep(secs(1)).await?;
                Ok("cleaned up")
            })?;
            tick().await?;
            task.cancel();
            sleep(secs(1)).await?;
            sender.send(7).expect("it is waited for");
            log.log(format_args!("{:?}", task.await));
            Ok(())
        },
        &[
            "Err(CancelledError)",
            "Ok(7)",
            "Ok(\"cleaned up\")",
            "Ok(())",
        ],
    );
}

#[test]
fn a_leaf_moves_from_one_task_to_another() {
    check(
        async |log: Trace| {
            let event_loop = get_running_loop()?;
            let future = event_loop.create_future::<i32>();
            let mut leaf = future.clone().into_future();
            let (sender, receiver) = oneshot::channel();
            let first = create_task(async move {
                poll_fn(|cx| {
                    assert!(Pin::new(&mut leaf).poll(cx).is_pending());
                    Poll::Ready(())
                })
                .await;
                assert!(sender.send(leaf).is_ok());
                sleep(LONG).await
            })?;
            let second = create_task(async move { receiver.await?.await })?;
            for _ in 0..3 {
                tick().await?;
            }
            log.log(format_args!("{future:?}"));
            first.cancel();
            tick().await?;
            future.set_result(6)?;
            log.log(format_args!("{} {:?}", first.cancelled(), second.await));
            Ok(())
        },
        &[
            "<Future pending cb=[Task.wakeup()]>",
            "true Ok(6)",
            "Ok(())",
        ],
    );
}

// --- our wakers elsewhere ---------------------------------------------------------------------------------

/// A task that hands out its waker, and then waits until `flag` says so.
fn waiting_task(event_loop: &EventLoop, polls: &Rc<Cell<usize>>) -> Waker {
    let (polls, waker) = (polls.clone(), Rc::new(RefCell::new(None)));
    let out = waker.clone();
    let task = event_loop.create_task(poll_fn(move |cx| {
        polls.set(polls.get() + 1);
        out.replace(Some(cx.waker().clone()));
        Poll::<Result<()>>::Pending
    }));
    task.expect("the loop is open");
    event_loop.run_once().expect("it is not running");
    waker.take().expect("the task was polled")
}

#[test]
fn a_waker_works_between_runs_from_this_thread_and_from_others() {
    let event_loop = virtual_loop();
    event_loop.set_exception_handler(Some(|_: &_, _: &_| {}));
    let polls = Rc::new(Cell::new(0));
    let waker = waiting_task(&event_loop, &polls);
    event_loop.run_once().unwrap();
    assert_eq!(polls.get(), 1);
    waker.wake_by_ref();
    event_loop.run_once().unwrap();
    assert_eq!(polls.get(), 2);
    let sent = waker.clone();
    thread::spawn(move || sent.wake()).join().unwrap();
    event_loop.run_once().unwrap();
    assert_eq!(polls.get(), 3);
    // While another loop runs on this thread.
    let other = waker.clone();
    run_virtual(async move {
        other.wake();
        Ok(())
    })
    .unwrap();
    event_loop.run_once().unwrap();
    assert_eq!(polls.get(), 4);
    event_loop.run_once().unwrap();
    assert_eq!(polls.get(), 4);
    drop(waker);
}

#[test]
fn a_waker_that_outlives_its_loop_wakes_nobody() {
    let (mut wakers, polls) = (Vec::new(), Rc::new(Cell::new(0)));
    for close in [true, false] {
        let event_loop = virtual_loop();
        event_loop.set_exception_handler(Some(|_: &_, _: &_| {}));
        wakers.push(waiting_task(&event_loop, &polls));
        if close {
            event_loop.close().unwrap();
            wakers[0].wake_by_ref();
        }
    }
    let stale = wakers.clone();
    thread::spawn(move || stale.into_iter().for_each(Waker::wake))
        .join()
        .unwrap();
    // A new loop may have the number of one that has gone: its tasks do not mind.
    let steps = run_virtual(async move {
        for waker in wakers {
            waker.wake_by_ref();
            let clone = waker.clone();
            clone.wake();
        }
        let mut steps = 0;
        for _ in 0..3 {
            tick().await?;
            steps += 1;
        }
        Ok(steps)
    });
    assert_eq!(steps.unwrap(), 3);
    assert_eq!(polls.get(), 2);
}

#[test]
fn a_waker_of_a_task_that_is_done_does_not_step_the_next_one_in_its_place() {
    let event_loop = virtual_loop();
    let waker: Rc<RefCell<Option<Waker>>> = Rc::default();
    let out = waker.clone();
    let first = event_loop.create_task(poll_fn(move |cx| {
        out.replace(Some(cx.waker().clone()));
        Poll::Ready(Ok(()))
    }));
    event_loop.run_until_complete(first.unwrap()).unwrap();
    let stale = waker.take().unwrap();
    let polls = Rc::new(Cell::new(0));
    event_loop.set_exception_handler(Some(|_: &_, _: &_| {}));
    for _ in 0..10 {
        let own = waiting_task(&event_loop, &polls);
        assert!(!own.will_wake(&stale));
    }
    assert_eq!(polls.get(), 10);
    for _ in 0..100 {
        stale.wake_by_ref();
    }
    let sent = stale.clone();
    thread::spawn(move || sent.wake()).join().unwrap();
    event_loop.run_once().unwrap();
    assert_eq!(polls.get(), 10);
}

#[test]
fn a_waker_woken_thousands_of_times_steps_once_an_iteration() {
    let event_loop = virtual_loop();
    event_loop.set_exception_handler(Some(|_: &_, _: &_| {}));
    let polls = Rc::new(Cell::new(0));
    let waker = waiting_task(&event_loop, &polls);
    let woken = waker.clone();
    event_loop
        .call_soon(move || {
            let clones: Vec<Waker> = (0..5000).map(|_| woken.clone()).collect();
            clones.iter().for_each(Waker::wake_by_ref);
            clones.into_iter().for_each(Waker::wake);
        })
        .unwrap();
    event_loop.run_once().unwrap();
    event_loop.run_once().unwrap();
    assert_eq!(polls.get(), 2);
    event_loop.run_once().unwrap();
    assert_eq!(polls.get(), 2);
}

#[test]
fn a_waker_wakes_from_the_destructors_of_a_thread_that_ends() {
    thread_local! {
        static LAST: RefCell<Option<WakesOnDrop>> = const { RefCell::new(None) };
    }
    struct WakesOnDrop(Waker);
    impl Drop for WakesOnDrop {
        fn drop(&mut self) {
            self.0.wake_by_ref();
        }
    }
    let shared: Arc<Mutex<bool>> = Arc::default();
    let woken = shared.clone();
    let ended = run(async move {
        let mut started = false;
        poll_fn(|cx| {
            if *woken.lock().expect("nobody panics") {
                return Poll::Ready(());
            }
            if !std::mem::replace(&mut started, true) {
                let (waker, woken) = (cx.waker().clone(), woken.clone());
                thread::spawn(move || {
                    *woken.lock().expect("nobody panics") = true;
                    LAST.set(Some(WakesOnDrop(waker)));
                });
            }
            Poll::Pending
        })
        .await;
        Ok(())
    });
    ended.unwrap();
}

#[test]
fn a_thread_may_end_with_everything_in_its_locals() {
    struct Holds {
        event_loop: Option<EventLoop>,
        future: Option<Future<i32>>,
        wakers: Vec<Waker>,
    }
    impl Drop for Holds {
        fn drop(&mut self) {
            self.wakers.iter().for_each(Waker::wake_by_ref);
            if let Some(future) = self.future.take() {
                let _ = future.set_result(1);
                let _ = future.add_done_callback(|_| {});
            }
            let event_loop = self.event_loop.take().expect("it is dropped once");
            let _ = event_loop.create_task(async { Ok(()) });
            let _ = event_loop.run_once();
            drop(event_loop);
            self.wakers.iter().for_each(Waker::wake_by_ref);
        }
    }
    thread_local! {
        static HOLDS: RefCell<Option<Holds>> = const { RefCell::new(None) };
    }
    for set_first in [true, false] {
        let (sender, receiver) = mpsc::channel();
        let thread = thread::spawn(move || {
            if set_first {
                HOLDS.set(None);
            }
            let event_loop = virtual_loop();
            event_loop.set_exception_handler(Some(|_: &_, _: &_| {}));
            rondel_task::set_event_loop(Some(&event_loop));
            let polls = Rc::default();
            let wakers = vec![waiting_task(&event_loop, &polls)];
            sender.send(wakers[0].clone()).expect("the other end waits");
            let future = event_loop.create_future();
            HOLDS.set(Some(Holds {
                event_loop: Some(event_loop),
                future: Some(future),
                wakers,
            }));
        });
        thread.join().unwrap();
        receiver.recv().unwrap().wake();
    }
}

#[test]
fn sixty_threads_with_loops_of_their_own_wake_each_other() {
    let (senders, receivers): (Vec<_>, Vec<_>) =
        (0..60).map(|_| oneshot::channel::<usize>()).unzip();
    let threads: Vec<_> = receivers
        .into_iter()
        .zip(senders.into_iter().skip(1).map(Some).chain([None]))
        .enumerate()
        .map(|(place, (receiver, next))| {
            thread::spawn(move || {
                run(async move {
                    let value = if place == 0 { 0 } else { receiver.await? };
                    if let Some(next) = next {
                        next.send(value + 1).expect("the next one waits");
                    }
                    Ok(value)
                })
                .expect("nothing fails")
            })
        })
        .collect();
    let values: Vec<usize> = threads
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .collect();
    assert!(values.into_iter().eq(0..60));
}

#[test]
fn a_leaf_can_be_polled_outside_of_every_executor() {
    let event_loop = virtual_loop();
    let future = event_loop.create_future();
    let mut leaf = future.clone().into_future();
    assert!(poll_once(&mut leaf).is_pending());
    future.set_result(1).unwrap();
    assert!(matches!(poll_once(&mut leaf), Poll::Ready(Ok(1))));
    assert!(
        matches!(poll_once(&mut leaf), Poll::Ready(Ok(1))),
        "it can be read again"
    );
}
