//! Barriers: filling and draining, reset, abort, and parties that are cancelled. The traces are CPython's.

mod common;

use common::{begin, check, ended, log, pause, spawn};
use rondel_sync::{Barrier, BrokenBarrierError};
use rondel_task::{Result, run_virtual};

async fn meet(barrier: Barrier) -> Result<()> {
    match barrier.wait().await {
        Err(error) if error.is::<BrokenBarrierError>() => log("broken"),
        outcome => log(format_args!("place {}", outcome?)),
    }
    Ok(())
}

fn waiting(barrier: &Barrier) {
    log(format_args!("waiting {}", barrier.n_waiting()));
}

fn broken(barrier: &Barrier) {
    log(format_args!("broken {}", barrier.broken()));
}

#[test]
fn a_barrier_lets_its_parties_go_round_after_round() {
    check(
        async {
            let barrier = Barrier::new(2)?;
            ended(["a", "b", "c", "d"].map(|name| spawn(name, meet(barrier.clone())))).await?;
            waiting(&barrier);
            Ok(())
        },
        &[
            "0 b: place 1",
            "0 a: place 0",
            "0 d: place 1",
            "0 c: place 0",
            "0 main: waiting 0",
        ],
    );
}

#[test]
fn who_comes_while_others_leave_waits_until_they_have_left() {
    async fn twice(barrier: Barrier) -> Result<()> {
        meet(barrier.clone()).await?;
        meet(barrier).await
    }
    check(
        async {
            let barrier = Barrier::new(2)?;
            ended(["a", "b"].map(|name| spawn(name, twice(barrier.clone())))).await
        },
        &[
            "0 b: place 1",
            "0 a: place 0",
            "0 b: place 1",
            "0 a: place 0",
        ],
    );
}

#[test]
fn a_reset_breaks_the_round_and_starts_another() {
    check(
        async {
            let barrier = Barrier::new(3)?;
            let tasks = ["a", "b"].map(|name| spawn(name, meet(barrier.clone())));
            pause().await?;
            waiting(&barrier);
            barrier.reset().await?;
            waiting(&barrier);
            let next = spawn("c", meet(barrier.clone()));
            ended(tasks).await?;
            waiting(&barrier);
            broken(&barrier);
            next.cancel();
            ended([next]).await?;
            waiting(&barrier);
            Ok(())
        },
        &[
            "0 main: waiting 2",
            "0 main: waiting 0",
            "0 a: broken",
            "0 b: broken",
            "0 main: waiting 1",
            "0 main: broken false",
            "0 c: CancelledError",
            "0 main: waiting 0",
        ],
    );
}

#[test]
fn an_aborted_barrier_stays_broken_until_it_is_reset() {
    check(
        async {
            let barrier = Barrier::new(2)?;
            let first = spawn("a", meet(barrier.clone()));
            pause().await?;
            barrier.abort().await?;
            broken(&barrier);
            ended([first]).await?;
            meet(barrier.clone()).await?;
            barrier.reset().await?;
            broken(&barrier);
            let second = spawn("c", meet(barrier.clone()));
            meet(barrier).await?;
            ended([second]).await
        },
        &[
            "0 main: broken true",
            "0 a: broken",
            "0 main: broken",
            "0 main: broken false",
            "0 c: place 1",
            "0 main: place 0",
        ],
    );
}

#[test]
fn another_comes_in_the_place_of_one_that_is_cancelled() {
    check(
        async {
            let barrier = Barrier::new(2)?;
            let first = spawn("a", meet(barrier.clone()));
            pause().await?;
            first.cancel();
            ended([first]).await?;
            waiting(&barrier);
            let second = spawn("c", meet(barrier.clone()));
            meet(barrier).await?;
            ended([second]).await
        },
        &[
            "0 a: CancelledError",
            "0 main: waiting 0",
            "0 c: place 1",
            "0 main: place 0",
        ],
    );
}

#[test]
fn another_comes_in_the_place_of_one_that_is_dropped() {
    check(
        async {
            let barrier = Barrier::new(2)?;
            let mut dropped = Box::pin(barrier.wait());
            begin(&mut dropped).await;
            waiting(&barrier);
            drop(dropped);
            waiting(&barrier);
            let other = spawn("other", meet(barrier.clone()));
            meet(barrier).await?;
            ended([other]).await
        },
        &[
            "0 main: waiting 1",
            "0 main: waiting 0",
            "0 other: place 1",
            "0 main: place 0",
        ],
    );
}

#[test]
fn a_barrier_for_one_never_waits() {
    check(
        async {
            let barrier = Barrier::new(1)?;
            let other = spawn("other", meet(barrier.clone()));
            meet(barrier.clone()).await?;
            meet(barrier).await?;
            ended([other]).await
        },
        &["0 main: place 0", "0 main: place 0", "0 other: place 0"],
    );
}

#[test]
fn a_barrier_for_nobody_is_refused() {
    let refused = Barrier::new(0).unwrap_err();
    assert_eq!(refused.to_string(), "parties must be more than 0");
    run_virtual(async {
        assert_eq!(Barrier::new(3)?.parties(), 3);
        Ok(())
    })
    .unwrap();
}
