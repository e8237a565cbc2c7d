//! Capacity limiters: order, changes of the number, and waits that end early.

mod common;

use common::{check, tick, ticks};
use rondel_task::{
    CapacityLimiter, CapacityToken, Result, Task, create_task, get_running_loop, run_virtual,
};

fn acquires(limiter: &CapacityLimiter) -> Result<Task<CapacityToken>> {
    let limiter = limiter.clone();
    create_task(async move { limiter.acquire().await })
}

#[test]
fn tokens_go_to_those_who_wait_in_their_order() {
    check(
        |trace| async move {
            let limiter = CapacityLimiter::new(2);
            for n in 0..5 {
                let (limiter, trace) = (limiter.clone(), trace.clone());
                create_task(async move {
                    let _token = limiter.acquire().await?;
                    trace.log(format_args!(
                        "{n} in, {} borrowed",
                        limiter.borrowed_tokens()
                    ));
                    ticks(3).await
                })?;
            }
            tick().await?;
            trace.log(format_args!("{limiter:?}"));
            ticks(20).await?;
            trace.log(limiter.available_tokens());
            Ok(())
        },
        &[
            "0 in, 1 borrowed",
            "1 in, 2 borrowed",
            "CapacityLimiter { borrowed_tokens: 2, total_tokens: 2, tasks_waiting: 3 }",
            "2 in, 2 borrowed",
            "3 in, 2 borrowed",
            "4 in, 1 borrowed",
            "2",
            "Ok(())",
        ],
    );
}

#[test]
fn a_free_token_is_had_without_suspending_and_else_not() {
    run_virtual(async {
        let limiter = CapacityLimiter::new(1);
        let iterations = get_running_loop()?.statistics().iterations;
        let token = limiter.acquire().await?;
        assert_eq!(get_running_loop()?.statistics().iterations, iterations);
        let refused = limiter.acquire_nowait().unwrap_err();
        assert_eq!(
            refused.to_string(),
            "all tokens of the limiter are borrowed"
        );
        drop(token);
        let _token = limiter.acquire_nowait()?;
        Ok(())
    })
    .unwrap();
}

#[test]
fn the_number_of_tokens_can_be_changed_while_they_are_borrowed() {
    run_virtual(async {
        let limiter = CapacityLimiter::new(0);
        let tasks = [
            acquires(&limiter)?,
            acquires(&limiter)?,
            acquires(&limiter)?,
        ];
        ticks(2).await?;
        assert_eq!(limiter.statistics().tasks_waiting, 3);
        limiter.set_total_tokens(2);
        ticks(2).await?;
        let done: Vec<bool> = tasks.iter().map(|task| task.done()).collect();
        assert_eq!(done, [true, true, false]);
        limiter.set_total_tokens(1);
        assert_eq!(
            (limiter.borrowed_tokens(), limiter.available_tokens()),
            (2, 0)
        );
        let [first, second, third] = tasks;
        drop(first.take_result()?);
        ticks(2).await?;
        assert!(!third.done());
        drop(second.take_result()?);
        ticks(2).await?;
        assert!(third.done());
        assert_eq!(limiter.total_tokens(), 1);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_wait_that_is_cancelled_leaves_the_queue() {
    run_virtual(async {
        let limiter = CapacityLimiter::new(1);
        let token = limiter.acquire().await?;
        let (first, second) = (acquires(&limiter)?, acquires(&limiter)?);
        tick().await?;
        first.cancel();
        ticks(2).await?;
        assert_eq!(limiter.statistics().tasks_waiting, 1);
        drop(token);
        ticks(2).await?;
        assert!(first.cancelled() && second.done());
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_token_on_its_way_to_a_task_that_is_cancelled_goes_to_the_next() {
    run_virtual(async {
        let limiter = CapacityLimiter::new(1);
        let token = limiter.acquire().await?;
        let (first, second) = (acquires(&limiter)?, acquires(&limiter)?);
        tick().await?;
        drop(token);
        // The first has been given the token, and has not been stepped.
        first.cancel();
        ticks(3).await?;
        assert!(first.cancelled() && second.done());
        drop(second.take_result()?);
        assert_eq!(limiter.borrowed_tokens(), 0);
        Ok(())
    })
    .unwrap();
}

#[test]
fn tokens_outlive_their_limiter_and_their_loop() {
    let limiter = CapacityLimiter::new(1);
    let inner = limiter.clone();
    let token = run_virtual(async move {
        let token = inner.acquire().await?;
        // It is dropped with the loop, while it waits.
        acquires(&inner)?;
        tick().await?;
        Ok(token)
    })
    .unwrap();
    assert_eq!(limiter.statistics().tasks_waiting, 0);
    drop(token);
    assert_eq!(limiter.available_tokens(), 1);
}
