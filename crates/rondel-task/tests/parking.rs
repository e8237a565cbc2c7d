//! The leaf of a wait for a call: awaited by a task itself, by a combinator with wakers of its own, by one task after another.

mod common;

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use common::{Trace, check, reports, secs, tick, ticks, virtual_loop};
use futures::stream::{FuturesUnordered, StreamExt};
use rondel_reactor::Builder;
use rondel_task::{
    EventLoop, Exception, Future, Parking, Result, RuntimeError, Task, create_task, current_task,
    gather, get_running_loop, run_virtual, shielded, sleep, timeout, wait_for,
};

type Boxed<T> = Pin<Box<dyn std::future::Future<Output = T>>>;

/// Parks, as a future that owns its place.
fn parked(parking: &Rc<Parking>) -> Boxed<Result<()>> {
    let parking = parking.clone();
    Box::pin(async move { parking.park().await })
}

/// Polls it once, and does not wait.
async fn polled<T>(future: &mut Boxed<T>) -> Poll<T> {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}

/// Parks by a combinator with wakers of its own.
async fn in_a_combinator(parking: Rc<Parking>) -> Result<()> {
    let mut waits = FuturesUnordered::new();
    waits.push(parking.park());
    waits.next().await.unwrap_or(Ok(()))
}

/// Has a task park that ends before it is called, and gives its wait.
async fn left_by_a_task(parking: &Rc<Parking>) -> Result<Boxed<Result<()>>> {
    let wait = Rc::new(Cell::new(Some(parked(parking))));
    let first = wait.clone();
    create_task(async move {
        let mut left = first.take().expect("it was put in");
        assert!(polled(&mut left).await.is_pending());
        first.set(Some(left));
        Ok(())
    })?
    .await?;
    Ok(wait.take().expect("it was put back"))
}

#[test]
fn who_is_called_goes_on_in_the_next_iteration() {
    check(
        |trace| async move {
            let parking = Rc::new(Parking::new());
            let (log, place) = (trace.clone(), parking.clone());
            let task = create_task(async move {
                place.park().await?;
                log.log("goes on");
                Ok(())
            })?;
            trace.log(format_args!("{parking:?}"));
            trace.log(parking.call());
            tick().await?;
            trace.log(format_args!("{parking:?}"));
            trace.log(parking.call());
            trace.log(format_args!("{parking:?}"));
            trace.log(parking.call());
            let log = trace.clone();
            get_running_loop()?.call_soon(move || log.log("behind it"))?;
            task.await
        },
        &[
            "Parking { is_taken: false }",
            "false",
            "Parking { is_taken: true }",
            "true",
            "Parking { is_taken: false }",
            "false",
            "goes on",
            "behind it",
            "Ok(())",
        ],
    );
}

#[test]
fn who_is_cancelled_is_called_no_more_and_keeps_the_place_until_they_have_gone_on() -> Result<()> {
    run_virtual(async {
        let parking = Rc::new(Parking::new());
        let task = create_task(parked(&parking))?;
        tick().await?;
        assert!(task.cancel_with_message("first"));
        assert!(task.cancel_with_message("second"), "it ends by the first");
        assert!(parking.is_taken());
        assert!(!parking.call());
        assert!(!parking.is_taken(), "called, for nothing");
        let error = task.clone().await.unwrap_err();
        assert_eq!(error.to_string(), "cancelled: first");
        assert_eq!((task.cancelling(), parking.call()), (2, false));
        Ok(())
    })
}

#[test]
fn a_cancellation_behind_the_call_is_delivered_too() -> Result<()> {
    run_virtual(async {
        let parking = Rc::new(Parking::new());
        let task = create_task(parked(&parking))?;
        tick().await?;
        assert!(parking.call());
        assert!(task.cancel_with_message("late"));
        assert_eq!(task.await.unwrap_err().to_string(), "cancelled: late");
        Ok(())
    })
}

#[test]
fn one_that_is_cancelled_before_it_parks_does_not_park() -> Result<()> {
    run_virtual(async {
        let parking = Rc::new(Parking::new());
        let place = parking.clone();
        let task = create_task(async move {
            current_task().map(|task| task.cancel());
            let error = place.park().await.unwrap_err();
            assert!(error.is_cancelled() && !place.is_taken());
            place.park().await
        })?;
        tick().await?;
        tick().await?;
        assert!(parking.call());
        task.await
    })
}

#[test]
fn a_wait_that_is_dropped_frees_the_place() -> Result<()> {
    run_virtual(async {
        let parking = Rc::new(Parking::new());
        let error = wait_for(parked(&parking), secs(1)).await.unwrap_err();
        assert_eq!(error.to_string(), "timed out");
        assert!(!parking.is_taken() && !parking.call());

        let mut dropped = parked(&parking);
        assert!(polled(&mut dropped).await.is_pending());
        assert!(parking.is_taken());
        drop(dropped);
        assert!(!parking.is_taken() && !parking.call());
        // Nothing of it is left among what the task waits for.
        let task = create_task(parked(&parking))?;
        tick().await?;
        assert!(parking.call());
        task.await
    })
}

#[test]
fn who_parks_where_somebody_is_calls_them() -> Result<()> {
    run_virtual(async {
        let parking = Rc::new(Parking::new());
        let first = create_task(parked(&parking))?;
        let second = create_task(parked(&parking))?;
        tick().await?;
        assert!(!first.done() && !second.done());
        tick().await?;
        assert!(first.done() && !second.done());
        assert!(parking.call());
        second.await
    })
}

#[test]
fn one_that_has_an_error_gets_it_also_where_somebody_else_has_parked() -> Result<()> {
    run_virtual(async {
        let parking = Rc::new(Parking::new());
        let first = create_task(parked(&parking))?;
        let second = create_task({
            let parking = parking.clone();
            async move {
                tick().await?;
                parking.park().await
            }
        })?;
        tick().await?;
        assert!(first.cancel());
        assert!(!parking.call());
        tick().await?;
        assert!(first.cancelled() && !second.done());
        assert!(parking.is_taken() && parking.call());
        second.await
    })
}

#[test]
fn a_combinator_with_wakers_of_its_own_is_woken() -> Result<()> {
    run_virtual(async {
        let places = Rc::new([Parking::new(), Parking::new()]);
        let task = create_task({
            let places = places.clone();
            async move {
                let mut waits = FuturesUnordered::new();
                for place in &*places {
                    waits.push(place.park());
                }
                while let Some(called) = waits.next().await {
                    called?;
                }
                Ok(())
            }
        })?;
        tick().await?;
        assert!(places[1].is_taken() && places[1].call());
        ticks(2).await?;
        assert!(!task.done() && !places[1].is_taken());
        assert!(places[0].call());
        task.await
    })
}

#[test]
fn a_wait_may_be_polled_by_one_task_after_another() -> Result<()> {
    run_virtual(async {
        let parking = Rc::new(Parking::new());
        let mut moved = parked(&parking);
        assert!(polled(&mut moved).await.is_pending());
        let task = create_task(moved)?;
        tick().await?;
        assert!(parking.is_taken() && parking.call());
        task.await?;

        let mut moved = parked(&parking);
        assert!(polled(&mut moved).await.is_pending());
        assert!(parking.call());
        create_task(moved)?.await?;

        // The task that has polled it first is over.
        let left = left_by_a_task(&parking).await?;
        let task = create_task(left)?;
        tick().await?;
        assert!(!task.done() && parking.call());
        task.await
    })
}

#[test]
fn a_task_may_wait_for_several_calls_and_a_time() -> Result<()> {
    run_virtual(async {
        let places = Rc::new([Parking::new(), Parking::new()]);
        let both = |places: Rc<[Parking; 2]>| async move {
            let mut waits: [Boxed<Result<()>>; 3] = [
                Box::pin({
                    let places = places.clone();
                    async move { places[0].park().await }
                }),
                Box::pin({
                    let places = places.clone();
                    async move { places[1].park().await }
                }),
                Box::pin(sleep(secs(9))),
            ];
            let mut done = 0;
            poll_fn(|cx| {
                for (place, wait) in waits.iter_mut().enumerate() {
                    if done & 1 << place == 0
                        && let Poll::Ready(outcome) = wait.as_mut().poll(cx)
                    {
                        outcome?;
                        done |= 1 << place;
                    }
                }
                if done == 0b111 {
                    Poll::Ready(Ok(()))
                } else {
                    Poll::Pending
                }
            })
            .await
        };
        let task = create_task(both(places.clone()))?;
        tick().await?;
        assert!(places[1].call());
        ticks(2).await?;
        assert!(!places[1].call() && places[0].call());
        task.await?;
        let event_loop = get_running_loop()?;
        assert_eq!(event_loop.time(), secs(9));

        let task = create_task(both(places.clone()))?;
        tick().await?;
        assert!(task.cancel());
        assert!(!places[0].call() && !places[1].call());
        assert!(task.await.unwrap_err().is_cancelled());
        assert_eq!(event_loop.statistics().timers, 0);
        Ok(())
    })
}

#[test]
fn a_cancellation_that_meets_a_wait_which_is_not_awaited_is_delivered() -> Result<()> {
    run_virtual(async {
        let parking = Rc::new(Parking::new());
        let task = create_task({
            let parking = parking.clone();
            async move {
                let mut left = parked(&parking);
                assert!(polled(&mut left).await.is_pending());
                std::future::pending::<()>().await;
                Ok(())
            }
        })?;
        tick().await?;
        assert!(task.cancel());
        assert!(wait_for(task, secs(1)).await.unwrap_err().is_cancelled());
        Ok(())
    })
}

#[test]
fn while_somebody_watches_it_is_a_waiter_that_is_waited_for() -> Result<()> {
    let event_loop = EventLoop::build(Builder::new().debug(true))?;
    event_loop.run_until_complete(async {
        let parking = Rc::new(Parking::new());
        let task = create_task(parked(&parking))?;
        tick().await?;
        assert!(parking.is_taken() && parking.call());
        task.await?;

        let task = create_task(parked(&parking))?;
        tick().await?;
        assert!(task.cancel() && parking.is_taken() && !parking.call());
        assert!(!parking.is_taken(), "called, for nothing");
        assert!(task.await.unwrap_err().is_cancelled());
        Ok(())
    })
}

#[test]
fn who_is_cancelled_keeps_the_place_whoever_polls_them() -> Result<()> {
    run_virtual(async {
        let parking = Rc::new(Parking::new());
        let task = create_task(in_a_combinator(parking.clone()))?;
        tick().await?;
        assert!(parking.is_taken() && task.cancel() && parking.is_taken());
        assert!(task.await.unwrap_err().is_cancelled());
        assert!(!parking.is_taken() && !parking.call());
        Ok(())
    })
}

fn failure() -> Exception {
    Exception::new(RuntimeError::new("no more"))
}

#[test]
fn who_is_failed_gets_that_error_and_the_place_is_free() -> Result<()> {
    run_virtual(async {
        let parking = Rc::new(Parking::new());
        assert!(!parking.fail(failure()));
        let first = create_task(parked(&parking))?;
        tick().await?;
        assert!(parking.fail(failure()));
        assert!(!parking.fail(Exception::new(RuntimeError::new("again"))));
        assert!(!parking.call() && !parking.is_taken());
        let mut second = parked(&parking);
        assert!(polled(&mut second).await.is_pending());
        assert!(parking.is_taken());
        assert_eq!(first.await.unwrap_err().to_string(), "no more");
        assert!(parking.call());
        second.await
    })
}

#[test]
fn a_failure_reaches_who_is_polled_in_other_ways_and_whose_task_has_ended() -> Result<()> {
    run_virtual(async {
        let parking = Rc::new(Parking::new());
        let task = create_task(in_a_combinator(parking.clone()))?;
        tick().await?;
        assert!(parking.fail(failure()));
        assert_eq!(task.await.unwrap_err().to_string(), "no more");

        let left = left_by_a_task(&parking).await?;
        assert!(!parking.fail(failure()), "nobody is woken");
        let task = create_task(left)?;
        assert_eq!(task.await.unwrap_err().to_string(), "no more");
        Ok(())
    })
}

#[test]
fn a_failure_behind_a_cancellation_is_not_heard_and_before_one_neither() {
    let event_loop = virtual_loop();
    let reports = reports(&event_loop);
    let run = event_loop.run_until_complete(async {
        let parking = Rc::new(Parking::new());
        let task = create_task(parked(&parking))?;
        tick().await?;
        assert!(task.cancel() && !parking.fail(failure()));
        assert!(task.await.unwrap_err().is_cancelled());

        let task = create_task(parked(&parking))?;
        tick().await?;
        assert!(parking.fail(failure()) && task.cancel());
        assert!(task.await.unwrap_err().is_cancelled());

        let mut dropped = parked(&parking);
        assert!(polled(&mut dropped).await.is_pending());
        assert!(parking.fail(failure()));
        drop(dropped);
        Ok(())
    });
    assert!(run.is_ok());
    reports.check(&["Future exception was never retrieved: no more"]);
}

#[test]
fn it_may_be_called_while_no_loop_runs_and_outlives_its_loops() -> Result<()> {
    let parking = Rc::new(Parking::new());
    for _ in 0..3 {
        let event_loop = virtual_loop();
        let task = event_loop.create_task(parked(&parking))?;
        event_loop.run_until_complete(tick())?;
        assert!(parking.is_taken() && parking.call());
        event_loop.run_until_complete(task)?;

        event_loop.create_task(parked(&parking))?;
        event_loop.run_until_complete(tick())?;
        assert!(parking.is_taken());
        event_loop.set_exception_handler(Some(|_: &EventLoop, _: &_| {}));
        event_loop.close()?;
        assert!(!parking.is_taken() && !parking.call());
    }
    Ok(())
}

#[test]
fn a_wait_whose_loop_is_gone_goes_on_in_that_of_whoever_polls_it() -> Result<()> {
    let parking = Rc::new(Parking::new());
    let place = parking.clone();
    let left = virtual_loop().run_until_complete(async move {
        let left = left_by_a_task(&place).await?;
        Ok(Rc::new(Cell::new(Some(left))))
    })?;
    let mut left = left.take().expect("nobody has taken it");
    run_virtual(async move {
        assert!(polled(&mut left).await.is_pending());
        assert!(polled(&mut left).await.is_pending(), "still");
        assert!(parking.is_taken() && parking.call());
        left.await
    })
}

#[test]
fn a_task_that_is_parked_looks_as_one_that_waits_for_a_future() -> Result<()> {
    run_virtual(async {
        let parking = Rc::new(Parking::new());
        let task = create_task(parked(&parking))?;
        tick().await?;
        let text = format!("{task:?}");
        assert!(
            text.contains("wait_for=<Future pending cb=[Task.wakeup()]>"),
            "{text}"
        );
        parking.call();
        assert!(!format!("{task:?}").contains("wait_for"));
        task.await
    })
}

#[test]
fn whoever_waits_for_ever_is_named_with_the_line() {
    let outcome = run_virtual(async { Parking::new().park().await });
    let text = outcome.unwrap_err().to_string();
    assert!(text.contains("tests/parking.rs"), "{text}");
}

/// A place as asyncio's streams make one: a future for each wait.
#[derive(Default)]
struct FuturePlace(RefCell<Option<Future<()>>>);

/// A place to wait in, of either kind.
#[derive(Clone)]
enum Place {
    Parking(Rc<Parking>),
    Future(Rc<FuturePlace>),
}

impl Place {
    fn call(&self) -> bool {
        match self {
            Self::Parking(parking) => parking.call(),
            Self::Future(place) => {
                let waiter = place.0.take();
                waiter.is_some_and(|waiter| waiter.set_result(()).is_ok())
            }
        }
    }

    fn fail(&self) -> bool {
        match self {
            Self::Parking(parking) => parking.fail(failure()),
            Self::Future(place) => {
                let waiter = place.0.take();
                waiter.is_some_and(|waiter| waiter.set_exception(failure()).is_ok())
            }
        }
    }

    async fn wait(self) -> Result<()> {
        match self {
            Self::Parking(parking) => parking.park().await,
            Self::Future(place) => {
                struct Leave<'a>(&'a FuturePlace, Future<()>);
                impl Drop for Leave<'_> {
                    fn drop(&mut self) {
                        let mut place = self.0.0.borrow_mut();
                        let left = place.take_if(|waiter| waiter.ptr_eq(&self.1));
                        drop(place);
                        drop(left);
                    }
                }
                let waiter = get_running_loop()?.create_future();
                if let Some(before) = place.0.replace(Some(waiter.clone())) {
                    let _ = before.set_result(());
                }
                let _leave = Leave(&place, waiter.clone());
                waiter.await
            }
        }
    }
}

/// A generator of small numbers.
#[derive(Clone)]
struct Dice(Rc<Cell<u64>>);

impl Dice {
    fn throw(&self, sides: u64) -> u64 {
        let next = self
            .0
            .get()
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.0.set(next);
        (next >> 33) % sides
    }
}

/// What the tasks of a random program share.
struct Scene {
    trace: Trace,
    places: [Place; 2],
    tasks: RefCell<Vec<Task<()>>>,
}

/// A task that waits and acts at random, by dice of its own.
async fn actor(scene: Rc<Scene>, number: usize, dice: Dice) -> Result<()> {
    for step in 0..12 {
        let place = scene.places[dice.throw(2) as usize].clone();
        let act = dice.throw(10);
        let outcome = match act {
            0 | 1 => place.wait().await,
            2 => {
                timeout(Duration::from_millis(dice.throw(4)), async |_| {
                    place.wait().await
                })
                .await
            }
            3 => shielded(place.wait()).await,
            4 => {
                let mut waits = FuturesUnordered::new();
                waits.push(Box::pin(place.wait()) as Boxed<Result<()>>);
                waits.push(Box::pin(sleep(Duration::from_millis(1 + dice.throw(3)))));
                waits.next().await.unwrap_or(Ok(()))
            }
            5 => {
                let mut left: Boxed<Result<()>> = Box::pin(place.wait());
                let _ = polled(&mut left).await;
                let slept = sleep(Duration::from_millis(dice.throw(3))).await;
                left.await.and(slept)
            }
            6 => {
                scene
                    .trace
                    .log(format_args!("{number}.{step} calls {}", place.call()));
                Ok(())
            }
            7 => {
                let failed = place.fail();
                scene
                    .trace
                    .log(format_args!("{number}.{step} fails {failed}"));
                Ok(())
            }
            8 => {
                let tasks = scene.tasks.borrow();
                let victim = dice.throw(tasks.len() as u64) as usize;
                scene.trace.log(format_args!(
                    "{number}.{step} cancels {victim} {}",
                    tasks[victim].cancel()
                ));
                Ok(())
            }
            _ => sleep(Duration::from_millis(dice.throw(3))).await,
        };
        let task = current_task().expect("it is a task");
        scene.trace.log(format_args!(
            "{number}.{step} {act} {outcome:?} {}",
            task.cancelling()
        ));
        if outcome.is_err() && dice.throw(2) == 0 {
            task.uncancel();
        }
    }
    Ok(())
}

fn random_program(seed: u64, place: fn() -> Place) -> Vec<String> {
    let trace = Trace::new();
    let log = trace.clone();
    let event_loop = virtual_loop();
    let reports = reports(&event_loop);
    let outcome = event_loop.run_until_complete(async move {
        let scene = Rc::new(Scene {
            trace: log,
            places: [place(), place()],
            tasks: RefCell::default(),
        });
        for number in 0..5 {
            let dice = Dice(Rc::new(Cell::new(seed * 97 + number as u64 * 13)));
            let task = create_task(actor(scene.clone(), number, dice))?;
            scene.tasks.borrow_mut().push(task);
        }
        for round in 0..200 {
            sleep(Duration::from_millis(1)).await?;
            if scene.places[round % 2].call() {
                scene.trace.log(format_args!("round {round}"));
            }
        }
        let tasks = scene.tasks.take();
        for task in &tasks {
            task.cancel();
        }
        let _ = gather(tasks).await;
        Ok(())
    });
    trace.log(format_args!("{outcome:?}"));
    reports.take().iter().for_each(|report| trace.log(report));
    trace.take()
}

#[test]
fn random_programs_do_with_a_parking_what_they_do_with_a_future_for_each_wait() {
    for seed in 0..400 {
        let with_futures = random_program(seed, || Place::Future(Rc::default()));
        let parked = random_program(seed, || Place::Parking(Rc::default()));
        assert_eq!(parked, with_futures, "seed {seed}");
    }
}
