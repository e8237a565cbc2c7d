//! Blocking calls with choices, and what they may ask of their loop.

mod common;

use std::future::IntoFuture;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::thread;

use common::{LONG, check, error, secs, tick};
use rondel_context::ContextVar;
use rondel_task::{
    CapacityLimiter, Executor, OnCancel, Result, ThreadPool, ToThread, Work, create_task,
    from_thread, get_running_loop, run_virtual, sleep, sleep_result, timeout, to_thread,
};

static WHO: ContextVar<&str> = ContextVar::with_default("who", "nobody");

/// A call that has begun, and ends when it is told to.
struct Held {
    begun: mpsc::Receiver<()>,
    release: mpsc::Sender<()>,
}

/// A call that says when it has begun, waits for its release, and ends with what `end` gives.
fn held<T: Send + 'static>(
    end: impl FnOnce() -> Result<T> + Send + 'static,
) -> (Held, impl FnOnce() -> Result<T> + Send + 'static) {
    let (begins, begun) = mpsc::channel();
    let (release, released) = mpsc::channel();
    let call = move || {
        begins.send(())?;
        released.recv()?;
        end()
    };
    (Held { begun, release }, call)
}

impl Held {
    /// Lets the loop run until the call has begun.
    async fn has_begun(&self) -> Result<()> {
        while self.begun.try_recv().is_err() {
            tick().await?;
        }
        Ok(())
    }
}

// --- choices ----------------------------------------------------------------------------------------

#[test]
fn a_call_with_choices_gives_what_the_plain_one_gives() {
    check(
        |trace| async move {
            WHO.set("me");
            trace.log(ToThread::new(|| Ok(WHO.get()?)).await?);
            let raised: Result<()> = ToThread::new(|| Err(error("no"))).await;
            trace.log(raised.unwrap_err());
            let panicked: Result<()> = ToThread::new(|| panic!("oh no")).await;
            trace.log(panicked.unwrap_err());
            let elsewhere: Arc<dyn Executor> = Arc::new(|work: Work| {
                let thread = thread::Builder::new().name("elsewhere".into());
                thread.spawn(work).expect("there are threads left");
            });
            let name = || Ok(thread::current().name().map(str::to_owned));
            let name = ToThread::new(name).executor(&elsewhere).await?;
            trace.log(name.unwrap_or_default());
            Ok(())
        },
        &["me", "no", "panicked: oh no", "elsewhere", "Ok(())"],
    );
}

#[test]
fn a_cancelled_task_leaves_its_call_unless_it_wants_to_wait() {
    for (on_cancel, waits) in [(OnCancel::Abandon, false), (OnCancel::Wait, true)] {
        run_virtual(async move {
            let (held, call) = held(|| Ok(1));
            let call = ToThread::new(call).on_cancel(on_cancel);
            let task = create_task(call.into_future())?;
            held.has_begun().await?;
            task.cancel();
            for _ in 0..5 {
                tick().await?;
            }
            assert_eq!(task.done(), !waits);
            held.release.send(())?;
            assert!(task.await.unwrap_err().is_cancelled());
            Ok(())
        })
        .unwrap();
    }
}

#[test]
fn a_task_that_waited_gets_the_value_and_then_the_error() {
    check(
        |trace| async move {
            let (held, call) = held(|| Ok("value"));
            let log = trace.clone();
            let task = create_task(async move {
                let value = ToThread::new(call).on_cancel(OnCancel::Wait).await?;
                log.log(value);
                let next = tick().await;
                log.log(format_args!("{:?}", next.as_ref().unwrap_err()));
                next
            })?;
            held.has_begun().await?;
            task.cancel_with_message("first");
            tick().await?;
            task.cancel_with_message("second");
            tick().await?;
            held.release.send(())?;
            assert!(task.await.unwrap_err().is_cancelled());
            Ok(())
        },
        &["value", "CancelledError(\"second\")", "Ok(())"],
    );
}

#[test]
fn a_timeout_around_a_call_that_is_waited_for_takes_nothing_from_it() {
    run_virtual(async {
        let elsewhere: Arc<dyn Executor> = Arc::new(ThreadPool::new(1));
        let answer = timeout(secs(1), async |_| {
            // The clock goes on while the call asks the loop for something.
            let call = || from_thread::run(|| sleep_result(secs(2), 42));
            let call = ToThread::new(call).executor(&elsewhere);
            call.on_cancel(OnCancel::Wait).await
        });
        assert_eq!(answer.await?, 42);
        assert_eq!(get_running_loop()?.time(), secs(2));
        tick().await
    })
    .unwrap();
}

#[test]
fn a_call_that_has_not_begun_is_never_made() {
    for on_cancel in [OnCancel::Abandon, OnCancel::Wait] {
        run_virtual(async move {
            let shelf: Arc<Mutex<Vec<Work>>> = Arc::default();
            let keeps = shelf.clone();
            let executor: Arc<dyn Executor> =
                Arc::new(move |work: Work| keeps.lock().expect("no panic").push(work));
            let called = Arc::new(AtomicBool::new(false));
            let calls = called.clone();
            let call = ToThread::new(move || {
                calls.store(true, Ordering::Relaxed);
                Ok(())
            });
            let call = call.executor(&executor).on_cancel(on_cancel);
            let task = create_task(call.into_future())?;
            tick().await?;
            task.cancel();
            assert!(task.await.unwrap_err().is_cancelled());
            let work = std::mem::take(&mut *shelf.lock().expect("no panic"));
            work.into_iter().for_each(|work| work());
            assert!(!called.load(Ordering::Relaxed));
            Ok(())
        })
        .unwrap();
    }
}

#[test]
fn a_token_is_held_until_the_thread_has_ended_also_of_a_call_that_was_left() {
    run_virtual(async {
        let limiter = CapacityLimiter::new(1);
        let (held, call) = held(|| Ok(()));
        let left = create_task(ToThread::new(call).limiter(&limiter).into_future())?;
        held.has_begun().await?;
        let next = create_task(ToThread::new(|| Ok(2)).limiter(&limiter).into_future())?;
        tick().await?;
        left.cancel();
        assert!(left.await.unwrap_err().is_cancelled());
        tick().await?;
        assert_eq!(limiter.statistics().tasks_waiting, 1);
        assert_eq!(limiter.borrowed_tokens(), 1);
        held.release.send(())?;
        assert_eq!(next.await?, 2);
        while limiter.borrowed_tokens() > 0 {
            tick().await?;
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn no_more_calls_run_at_once_than_the_limiter_has_tokens() {
    run_virtual(async {
        let limiter = CapacityLimiter::new(2);
        let meet = Arc::new(Barrier::new(2));
        let calls = (0..6).map(|n| {
            let (meet, limiter) = (meet.clone(), limiter.clone());
            async move {
                // Each needs another beside it, and none has more.
                let call = ToThread::new(move || {
                    meet.wait();
                    Ok(n)
                });
                call.limiter(&limiter).await
            }
        });
        let all = rondel_task::gather(calls).await?;
        assert_eq!(all, [0, 1, 2, 3, 4, 5]);
        Ok(())
    })
    .unwrap();
}

// --- from the thread --------------------------------------------------------------------------------

#[test]
fn a_call_hears_that_it_was_cancelled() {
    for on_cancel in [OnCancel::Abandon, OnCancel::Wait] {
        run_virtual(async move {
            let (tells, told) = mpsc::channel();
            let (held, call) = held(move || {
                let noticed = from_thread::check_cancelled();
                tells.send(noticed.as_ref().is_err_and(|error| error.is_cancelled()))?;
                noticed
            });
            let task = create_task(ToThread::new(call).on_cancel(on_cancel).into_future())?;
            held.has_begun().await?;
            task.cancel();
            tick().await?;
            held.release.send(())?;
            assert!(task.await.unwrap_err().is_cancelled());
            assert!(told.recv()?);
            Ok(())
        })
        .unwrap();
    }
}

#[test]
fn a_plain_call_hears_it_too() {
    run_virtual(async {
        let (tells, told) = mpsc::channel();
        let (held, call) = held(move || {
            let noticed = from_thread::check_cancelled();
            tells.send(noticed.is_err())?;
            Ok(())
        });
        let task = create_task(to_thread(call))?;
        held.has_begun().await?;
        task.cancel();
        assert!(task.await.unwrap_err().is_cancelled());
        held.release.send(())?;
        assert!(told.recv()?);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_call_that_nobody_cancelled_hears_nothing_and_other_threads_are_no_calls() {
    run_virtual(to_thread(from_thread::check_cancelled)).unwrap();
    let outside = from_thread::check_cancelled().unwrap_err();
    assert_eq!(
        outside.to_string(),
        "this thread runs no call of an event loop"
    );
    assert!(from_thread::run_sync(|| Ok(())).is_err());
    // Nor is the loop's own thread.
    run_virtual(async {
        assert!(from_thread::check_cancelled().is_err());
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_call_runs_coroutines_and_functions_on_its_loop() {
    check(
        |trace| async move {
            let here = thread::current().id();
            let answers = to_thread(move || {
                let before = from_thread::run_sync(|| Ok(get_running_loop()?.time()))?;
                from_thread::run(|| sleep(LONG))?;
                let after = from_thread::run_sync(|| Ok(get_running_loop()?.time()))?;
                let there = from_thread::run_sync(|| Ok(thread::current().id()))?;
                let raised = from_thread::run_sync(|| Err::<(), _>(error("no")));
                let panicked = from_thread::run(|| async { panic!("oh no") }) as Result<()>;
                // The clock is held again, whatever came.
                let panic = panicked.unwrap_err().to_string();
                Ok((after - before == LONG, there == here, raised, panic))
            });
            let (slept, on_loop, raised, panic) = answers.await?;
            trace.log(format_args!("{slept} {on_loop}"));
            trace.log(raised.unwrap_err());
            trace.log(panic);
            Ok(())
        },
        &["true true", "no", "panicked: oh no", "Ok(())"],
    );
}

#[test]
fn a_cancelled_call_runs_nothing_more_on_its_loop() {
    run_virtual(async {
        let (held, call) = held(|| from_thread::run_sync(|| -> Result<()> { unreachable!() }));
        let call = ToThread::new(call).on_cancel(OnCancel::Wait);
        let task = create_task(call.into_future())?;
        held.has_begun().await?;
        task.cancel();
        tick().await?;
        held.release.send(())?;
        assert!(task.await.unwrap_err().is_cancelled());
        Ok(())
    })
    .unwrap();
}
