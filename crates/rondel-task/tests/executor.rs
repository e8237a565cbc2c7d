//! Blocking code beside the loop: executors, threads, cancellation, the clock meanwhile, shutdown.

mod common;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, MutexGuard, mpsc};
use std::thread;
use std::time::Duration;

use common::{LONG, Trace, check, error, reports, secs, tick, ticks, virtual_loop};
use rondel_context::ContextVar;
use rondel_sched::ClosedError;
use rondel_task::{
    Executor, Future, Result, RuntimeError, ThreadPool, Work, create_task, gather,
    get_running_loop, run, run_virtual, sleep, to_thread, wait_for,
};

/// Keeps work until it is told to run or drop it.
#[derive(Clone, Default)]
struct Shelf(Arc<Mutex<Vec<Work>>>);

impl Shelf {
    fn executor(&self) -> Arc<dyn Executor> {
        let shelf = self.clone();
        Arc::new(move |work: Work| shelf.lock().push(work))
    }

    fn take(&self) -> Vec<Work> {
        std::mem::take(&mut self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Work>> {
        self.0.lock().expect("nobody panics meanwhile")
    }
}

#[test]
fn values_exceptions_and_panics_reach_the_loop() {
    check(
        |trace| async move {
            trace.log(to_thread(|| Ok(6 * 7)).await?);
            let raised = to_thread(|| Ok("x".parse::<i32>()?)).await;
            trace.log(raised.unwrap_err());
            let panicked = to_thread(|| -> Result<()> { panic!("oh no") }).await;
            let panic = panicked.unwrap_err();
            trace.log(panic.is_panic());
            trace.log(panic);
            Ok(())
        },
        &[
            "42",
            "invalid digit found in string",
            "true",
            "panicked: oh no",
            "Ok(())",
        ],
    );
}

#[test]
fn work_runs_on_other_threads_with_names_of_their_own() {
    let name = || Ok(thread::current().name().map(str::to_owned));
    let (first, second) =
        run_virtual(async move { Ok((to_thread(name).await?, to_thread(name).await?)) }).unwrap();
    assert_eq!(first.as_deref(), Some("rondel-executor-0"));
    assert_ne!(second, None);
}

#[test]
fn calls_run_at_the_same_time() {
    let meet = Arc::new(Barrier::new(3));
    let calls = (0..3).map(move |number| {
        let meet = meet.clone();
        to_thread(move || {
            meet.wait();
            Ok(number)
        })
    });
    let numbers = run_virtual(async move { gather(calls).await });
    assert_eq!(numbers.unwrap(), [0, 1, 2]);
}

#[test]
fn to_thread_carries_a_copy_of_the_context_and_run_in_executor_an_empty_one() {
    static USER: ContextVar<&str> = ContextVar::with_default("user", "nobody");

    check(
        |trace| async move {
            USER.set("ada");
            let seen = to_thread(|| {
                let seen = USER.get()?;
                USER.set("grace");
                Ok(seen)
            });
            trace.log(seen.await?);
            trace.log(USER.get()?);
            // The same thread, in which a variable was set before.
            let event_loop = get_running_loop()?;
            trace.log(
                event_loop
                    .run_in_executor(None, || Ok(USER.get()?))?
                    .await?,
            );
            Ok(())
        },
        &["ada", "ada", "nobody", "Ok(())"],
    );
}

#[test]
fn a_call_that_has_not_begun_is_not_made_after_a_cancellation() {
    let shelf = Shelf::default();
    let executor = shelf.executor();
    let called = Arc::new(AtomicUsize::new(0));
    let counted = called.clone();
    check(
        |trace| async move {
            let call = move || Ok(counted.fetch_add(1, Ordering::Relaxed));
            let future = get_running_loop()?.run_in_executor(Some(&executor), call)?;
            future.cancel();
            ticks(2).await?;
            shelf.take().into_iter().for_each(|work| work());
            trace.log(future.cancelled());
            future.await
        },
        &["true", "Err(CancelledError)"],
    );
    assert_eq!(called.load(Ordering::Relaxed), 0);
}

#[test]
fn a_call_that_has_begun_goes_on_after_a_cancellation_and_nobody_hears_of_it() {
    check(
        |trace| async move {
            let (begin, begun) = mpsc::channel();
            let (go_on, going_on) = mpsc::channel();
            let (end, ended) = mpsc::channel();
            let task = create_task(to_thread(move || {
                begin.send(()).unwrap();
                going_on.recv()?;
                end.send("it ran to its end").unwrap();
                Ok(())
            }))?;
            tick().await?;
            begun.recv()?;
            task.cancel();
            trace.log(format_args!("{:?}", (&task).await));
            go_on.send(()).unwrap();
            trace.log(ended.recv()?);
            Ok(())
        },
        &["Err(CancelledError)", "it ran to its end", "Ok(())"],
    );
}

#[test]
fn the_clock_stands_still_while_a_call_runs() {
    run_virtual(async {
        let event_loop = get_running_loop()?;
        let (answer, asked) = mpsc::channel();
        create_task(async move {
            ticks(3).await?;
            answer.send(5).unwrap();
            sleep(LONG).await
        })?;
        let call = to_thread(move || Ok(asked.recv()?));
        assert_eq!(wait_for(call, secs(1)).await?, 5);
        assert_eq!(event_loop.time(), Duration::ZERO);
        sleep(secs(2)).await?;
        assert_eq!(event_loop.time(), secs(2));
        Ok(())
    })
    .unwrap();
}

#[test]
fn work_that_an_executor_drops_or_refuses_is_an_error() {
    struct Refusing;

    impl Executor for Refusing {
        fn execute(&self, _: Work) -> Result<()> {
            Err(error("not today"))
        }
    }

    check(
        |trace| async move {
            let event_loop = get_running_loop()?;
            let dropping: Arc<dyn Executor> = Arc::new(|work: Work| drop(work));
            let dropped = event_loop.run_in_executor(Some(&dropping), || Ok(()))?;
            trace.log(dropped.await.unwrap_err());
            let refusing: Arc<dyn Executor> = Arc::new(Refusing);
            let refused = event_loop.run_in_executor(Some(&refusing), || Ok(()));
            trace.log(refused.unwrap_err());
            Ok(())
        },
        &[
            "the executor dropped the work without running it",
            "not today",
            "Ok(())",
        ],
    );
}

#[test]
fn the_default_executor_can_be_another_one() {
    let shelf = Shelf::default();
    let event_loop = virtual_loop();
    event_loop.set_default_executor(shelf.executor());
    let answer: Future<i32> = event_loop.run_in_executor(None, || Ok(42)).unwrap();
    for work in shelf.take() {
        thread::spawn(work).join().unwrap();
    }
    assert_eq!(event_loop.run_until_complete(answer).unwrap(), 42);
}

#[test]
fn after_the_shutdown_the_default_executor_accepts_nothing() {
    let event_loop = virtual_loop();
    let answer = event_loop.run_in_executor(None, || Ok(42)).unwrap();
    let shutdown = event_loop.shutdown_default_executor(None);
    event_loop.run_until_complete(shutdown).unwrap();
    let refused = event_loop.run_in_executor(None, || Ok(())).unwrap_err();
    assert!(refused.is::<RuntimeError>());
    assert_eq!(refused.to_string(), "executor shutdown has been called");
    // What it had accepted was done.
    assert_eq!(event_loop.run_until_complete(answer).unwrap(), 42);
    // Others are not concerned.
    let own: Arc<dyn Executor> = Arc::new(ThreadPool::new(1));
    let answer = event_loop.run_in_executor(Some(&own), || Ok(43)).unwrap();
    assert_eq!(event_loop.run_until_complete(answer).unwrap(), 43);
}

#[test]
fn a_shutdown_takes_no_longer_than_it_may() {
    let event_loop = virtual_loop();
    let reports = reports(&event_loop);
    let (go_on, going_on) = mpsc::channel::<()>();
    let stuck = event_loop.run_in_executor(None, move || Ok(going_on.recv()?));
    let shutdown = event_loop.shutdown_default_executor(Some(Duration::ZERO));
    event_loop.run_until_complete(shutdown).unwrap();
    reports.check(&["The executor did not finish joining its threads within 0ns"]);
    go_on.send(()).unwrap();
    event_loop.run_until_complete(stuck.unwrap()).unwrap();
    let again = event_loop.shutdown_default_executor(None);
    event_loop.run_until_complete(again).unwrap();
    reports.check(&[]);
}

#[test]
fn the_end_of_a_run_waits_for_calls_whose_tasks_were_cancelled() {
    let ended = Arc::new(AtomicUsize::new(0));
    let counted = ended.clone();
    let (begin, begun) = mpsc::channel();
    run(async move {
        create_task(to_thread(move || {
            begin.send(()).unwrap();
            thread::yield_now();
            counted.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }))?;
        tick().await?;
        Ok(begun.recv()?)
    })
    .unwrap();
    assert_eq!(ended.load(Ordering::Relaxed), 1);
}

#[test]
fn a_closed_loop_runs_nothing_in_its_executor() {
    let event_loop = virtual_loop();
    event_loop.run_in_executor(None, || Ok(())).unwrap();
    event_loop.close().unwrap();
    let refused = event_loop.run_in_executor(None, || Ok(())).unwrap_err();
    assert!(refused.is::<ClosedError>());
}

#[test]
fn closing_a_loop_shuts_its_executor_down_without_waiting() {
    struct Recording(Arc<Mutex<Vec<Option<Duration>>>>);

    impl Executor for Recording {
        fn execute(&self, work: Work) -> Result<()> {
            work();
            Ok(())
        }

        fn shutdown(&self, timeout: Option<Duration>) -> bool {
            self.0.lock().unwrap().push(timeout);
            panic!("out of order");
        }
    }

    let asked = Arc::default();
    let event_loop = virtual_loop();
    let reports = reports(&event_loop);
    event_loop.set_default_executor(Arc::new(Recording(Arc::clone(&asked))));
    event_loop.close().unwrap();
    assert_eq!(*asked.lock().unwrap(), [Some(Duration::ZERO)]);
    reports.check(&["Exception in the shutdown of the executor: panicked: out of order"]);
}

#[test]
fn a_shutdown_with_nothing_to_shut_takes_one_step() {
    check(
        |trace| async move {
            let shutdown = get_running_loop()?.shutdown_default_executor(None);
            let shutdown = create_task(shutdown)?;
            trace.log(shutdown.done());
            tick().await?;
            trace.log(shutdown.done());
            Ok(())
        },
        &["false", "true", "Ok(())"],
    );
}

// --- the pool alone ----------------------------------------------------------------------------

#[test]
fn a_pool_starts_threads_when_all_are_busy_and_uses_idle_ones_again() {
    let pool = ThreadPool::new(2);
    assert_eq!(pool.threads(), 0);
    let meet = Arc::new(Barrier::new(3));
    for _ in 0..2 {
        let meet = meet.clone();
        pool.execute(Box::new(move || _ = meet.wait())).unwrap();
    }
    meet.wait();
    assert_eq!(pool.threads(), 2);
    let names = Arc::new(Mutex::new(BTreeSet::new()));
    for _ in 0..100 {
        let names = names.clone();
        let note = move || {
            let name = thread::current().name().map(String::from);
            names.lock().unwrap().extend(name);
        };
        pool.execute(Box::new(note)).unwrap();
    }
    assert!(pool.shutdown(None));
    assert_eq!(pool.threads(), 0);
    let names = names.lock().unwrap();
    let started = ["rondel-executor-0", "rondel-executor-1"];
    assert!(names.iter().all(|name| started.contains(&name.as_str())));
}

#[test]
fn a_pool_of_one_thread_works_in_order() {
    let pool = ThreadPool::new(0);
    let (sender, numbers) = mpsc::channel();
    for number in 0..100 {
        let sender = sender.clone();
        pool.execute(Box::new(move || sender.send(number).unwrap()))
            .unwrap();
    }
    drop(sender);
    assert!(numbers.iter().eq(0..100));
    assert_eq!(pool.threads(), 1);
}

#[test]
fn a_pool_survives_work_that_panics_and_refuses_work_after_its_shutdown() {
    let pool = ThreadPool::new(1);
    let (sender, answer) = mpsc::channel();
    pool.execute(Box::new(|| panic!("work that panics")))
        .unwrap();
    pool.execute(Box::new(move || sender.send(42).unwrap()))
        .unwrap();
    assert_eq!(answer.recv(), Ok(42));
    assert!(pool.shutdown(None));
    let refused = pool.execute(Box::new(|| ())).unwrap_err();
    assert_eq!(refused.to_string(), "the thread pool is shut down");
    assert!(pool.shutdown(Some(Duration::ZERO)), "it has ended already");
}

#[test]
fn a_pool_that_is_dropped_does_what_it_has_accepted() {
    let trace = Trace::new();
    let (sender, answers) = mpsc::channel();
    {
        let pool = ThreadPool::new(1);
        for answer in ["first", "second"] {
            let sender = sender.clone();
            pool.execute(Box::new(move || sender.send(answer).unwrap()))
                .unwrap();
        }
    }
    drop(sender);
    answers.iter().for_each(|answer| trace.log(answer));
    trace.check(&["first", "second"]);
}
