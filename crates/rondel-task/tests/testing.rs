//! What the crate offers to tests: tasks that are all blocked, sequences, orders that are explored.

mod common;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use common::{LONG, check, error, secs, tick, ticks};
use rondel_task::testing::{Sequencer, explore, replay, virtual_clock, wait_all_tasks_blocked};
use rondel_task::{
    Result, create_task, gather, get_running_loop, run, run_virtual, sleep, to_thread,
};

// --- blocked tasks ----------------------------------------------------------------------------------

#[test]
fn everybody_waits_when_all_tasks_are_blocked() {
    check(
        |trace| async move {
            let future = get_running_loop()?.create_future::<()>();
            let (waited_for, log) = (future.clone(), trace.clone());
            create_task(async move {
                ticks(10).await?;
                log.log("waits");
                waited_for.await?;
                ticks(10).await?;
                log.log("sleeps");
                sleep(LONG).await
            })?;
            wait_all_tasks_blocked(Duration::ZERO).await?;
            trace.log("blocked");
            future.set_result(())?;
            wait_all_tasks_blocked(Duration::ZERO).await?;
            trace.log(format_args!("{:?}", get_running_loop()?.time()));
            Ok(())
        },
        &["waits", "blocked", "sleeps", "0ns", "Ok(())"],
    );
}

#[test]
fn a_cushion_is_time_without_activity() {
    check(
        |trace| async move {
            let log = trace.clone();
            create_task(async move {
                for _ in 0..3 {
                    sleep(secs(1)).await?;
                    log.log("active");
                }
                sleep(LONG).await
            })?;
            wait_all_tasks_blocked(secs(2)).await?;
            trace.log(format_args!("{:?}", get_running_loop()?.time()));
            Ok(())
        },
        &["active", "active", "active", "5s", "Ok(())"],
    );
}

#[test]
fn those_with_the_shortest_cushion_go_on_together() {
    check(
        |trace| async move {
            let waits = [3, 1, 1, 2].map(|cushion| {
                let trace = trace.clone();
                async move {
                    wait_all_tasks_blocked(secs(cushion)).await?;
                    trace.log(format_args!("{cushion} {:?}", get_running_loop()?.time()));
                    Ok(())
                }
            });
            gather(waits).await?;
            Ok(())
        },
        &["1 1s", "1 1s", "2 3s", "3 6s", "Ok(())"],
    );
}

#[test]
fn a_wait_for_blocked_tasks_that_is_cancelled_is_forgotten() {
    let time = run_virtual(async {
        let waits = create_task(wait_all_tasks_blocked(secs(1)))?;
        tick().await?;
        waits.cancel();
        assert!(waits.await.unwrap_err().is_cancelled());
        wait_all_tasks_blocked(secs(5)).await?;
        Ok(get_running_loop()?.time())
    });
    assert_eq!(time.unwrap(), secs(5));
}

#[test]
fn a_real_clock_waits_really_and_a_thread_is_waited_for_by_nobody() {
    let cushion = Duration::from_millis(1);
    run(async move {
        let event_loop = get_running_loop()?;
        let before = event_loop.time();
        let (tells, told) = std::sync::mpsc::channel();
        let call = create_task(to_thread(move || Ok(told.recv()?)))?;
        wait_all_tasks_blocked(cushion).await?;
        assert!(event_loop.time() - before >= cushion);
        tells.send(())?;
        call.await
    })
    .unwrap();
}

// --- the clock --------------------------------------------------------------------------------------

#[test]
fn a_test_pauses_and_moves_its_clock() {
    run_virtual(async {
        let (clock, event_loop) = (virtual_clock()?, get_running_loop()?);
        clock.set_autojump(false);
        let sleeper = create_task(sleep(secs(10)))?;
        wait_all_tasks_blocked(Duration::ZERO).await?;
        for expected in [false, true] {
            clock.advance(secs(5));
            wait_all_tasks_blocked(Duration::ZERO).await?;
            assert_eq!(sleeper.done(), expected);
        }
        assert_eq!(event_loop.time(), secs(10));
        clock.set_autojump(true);
        sleep(LONG).await?;
        assert_eq!(event_loop.time(), secs(10) + LONG);
        Ok(())
    })
    .unwrap();
    assert!(run(async { virtual_clock() }).is_err());
}

// --- sequences --------------------------------------------------------------------------------------

#[test]
fn blocks_of_several_tasks_run_in_the_order_of_their_positions() {
    check(
        |trace| async move {
            let sequence = Sequencer::new();
            let children = [[1, 4], [0, 3], [2, 5]].map(|mine| {
                let (sequence, trace) = (sequence.clone(), trace.clone());
                async move {
                    for position in mine {
                        let _turn = sequence.at(position).await?;
                        ticks(position).await?;
                        trace.log(position);
                    }
                    Ok(())
                }
            });
            gather(children).await?;
            Ok(())
        },
        &["0", "1", "2", "3", "4", "5", "Ok(())"],
    );
}

#[test]
fn a_position_is_taken_once() {
    run_virtual(async {
        let sequence = Sequencer::new();
        drop(sequence.at(0).await?);
        let taken = sequence.at(0).await.unwrap_err();
        assert_eq!(
            taken.to_string(),
            "the position 0 of a sequence was taken twice"
        );
        drop(sequence.at(1).await?);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_wait_that_is_cancelled_breaks_the_sequence() {
    run_virtual(async {
        let sequence = Sequencer::new();
        let wait = |position| {
            let sequence = sequence.clone();
            create_task(async move { sequence.at(position).await.map(drop) })
        };
        let (cancelled, waits) = (wait(1)?, wait(2)?);
        tick().await?;
        cancelled.cancel();
        assert!(cancelled.await.unwrap_err().is_cancelled());
        let broken = waits.await.unwrap_err();
        assert_eq!(broken.to_string(), "the sequence is broken");
        assert!(sequence.at(0).await.is_err());
        Ok(())
    })
    .unwrap();
}

// --- orders -----------------------------------------------------------------------------------------

type Logged = Rc<RefCell<Vec<u32>>>;

/// Ten tasks that log when they begin, and when they go on.
async fn ten(log: Logged) -> Result<()> {
    let tasks = (0..10).map(|n| {
        let log = log.clone();
        async move {
            log.borrow_mut().push(n);
            tick().await?;
            log.borrow_mut().push(n);
            Ok(())
        }
    });
    gather(tasks).await?;
    Ok(())
}

fn order_of(seed: u64) -> Vec<u32> {
    let log = Logged::default();
    replay(seed, ten(log.clone())).expect("it raises nothing");
    log.take()
}

#[test]
fn a_seed_decides_the_order_of_tasks_and_always_the_same() {
    let orders: Vec<Vec<u32>> = (0..20).map(order_of).collect();
    let again: Vec<Vec<u32>> = (0..20).map(order_of).collect();
    assert_eq!(orders, again);
    let mut different = orders.clone();
    different.sort();
    different.dedup();
    assert_eq!(different.len(), 20, "twenty of ten factorial squared");
    for mut order in orders {
        order[..10].sort_unstable();
        order[10..].sort_unstable();
        let all: Vec<u32> = (0..10).chain(0..10).collect();
        assert_eq!(order, all, "each takes its turn in each iteration");
    }
    let log = Logged::default();
    run_virtual(ten(log.clone())).unwrap();
    let fifo: Vec<u32> = (0..10).chain(0..10).collect();
    assert_eq!(
        log.take(),
        fifo,
        "without a seed the order is that of creation"
    );
}

#[test]
fn callbacks_keep_their_order_under_every_seed() {
    explore(0..50, || async {
        let log = Logged::default();
        for n in 0..10 {
            let log = log.clone();
            get_running_loop()?.call_soon(move || log.borrow_mut().push(n))?;
            create_task(tick())?;
        }
        ticks(2).await?;
        assert_eq!(log.take(), (0..10).collect::<Vec<u32>>());
        Ok(())
    })
    .unwrap();
}

/// Fails if the second task comes first.
async fn depends_on_order() -> Result<()> {
    let first_was_there = Rc::new(Cell::new(false));
    let comes = first_was_there.clone();
    let first = create_task(async move {
        comes.set(true);
        Ok(())
    })?;
    let second = create_task(async move {
        match first_was_there.get() {
            true => Ok(()),
            false => Err(error("second came first")),
        }
    })?;
    gather([first, second]).await?;
    Ok(())
}

#[test]
fn a_program_that_depends_on_the_order_fails_under_a_seed_that_is_told() {
    run_virtual(depends_on_order()).unwrap();
    let failed = explore(0..100, depends_on_order).unwrap_err();
    let seed = failed.seed();
    assert_eq!(failed.exception().to_string(), "second came first");
    assert_eq!(
        failed.to_string(),
        format!("second came first; replay with seed {seed}")
    );
    assert!(replay(seed, depends_on_order()).is_err());
    (0..seed).for_each(|seed| replay(seed, depends_on_order()).unwrap());
}

#[test]
fn a_panic_is_a_failure_too_and_exploring_inside_a_loop_is_refused() {
    let failed = explore([5], || async { panic!("oh no") as Result<()> }).unwrap_err();
    assert!(failed.exception().is_panic());
    run_virtual(async {
        let refused = explore([5], || async { Ok(()) }).unwrap_err();
        assert!(
            refused
                .exception()
                .to_string()
                .contains("running event loop")
        );
        Ok(())
    })
    .unwrap();
}
