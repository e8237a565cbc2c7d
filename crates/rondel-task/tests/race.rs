//! Races: who wins, and what becomes of the others.

mod common;

use std::time::Duration;

use common::{Trace, check, secs};
use rondel_task::{
    Exception, Result, create_task, race, sleep, sleep_forever, sleep_until, timeout,
};

async fn runner(log: Trace, name: &'static str, time: u64) -> Result<&'static str> {
    if let Err(error) = sleep(secs(time)).await {
        log.log(format_args!("{name} cleans up"));
        sleep(secs(1)).await?;
        log.log(format_args!("{name} has ended"));
        return Err(error);
    }
    Ok(name)
}

#[test]
fn the_first_wins_and_the_others_have_ended_when_it_returns() {
    check(
        async |log: Trace| {
            let runners =
                [("a", 3), ("b", 1), ("c", 2)].map(|(name, time)| runner(log.clone(), name, time));
            let winner = race(runners).await?;
            log.log(format_args!("{winner} wins"));
            Ok(())
        },
        &[
            "a cleans up",
            "c cleans up",
            "a has ended",
            "c has ended",
            "b wins",
            "Ok(())",
        ],
    );
}

#[test]
fn an_exception_wins_too_and_of_equals_the_first() {
    check(
        async |log: Trace| {
            let lost = race([Ok(1), Err(Exception::msg("bad"))].map(async |outcome| outcome)).await;
            log.log(format_args!("{lost:?}"));
            let lost = race([Err(Exception::msg("bad")), Ok(1)].map(async |outcome| outcome)).await;
            log.log(lost.unwrap_err());
            let none = race(Vec::<rondel_task::Task<()>>::new()).await;
            log.log(none.unwrap_err());
            Ok(())
        },
        &["Ok(1)", "bad", "wait() was given no futures", "Ok(())"],
    );
}

#[test]
fn a_race_that_is_cancelled_ends_its_runners_first() {
    check(
        async |log: Trace| {
            let runners = [("a", 9), ("b", 9)].map(|(name, time)| runner(log.clone(), name, time));
            let late = timeout(secs(1), async |_| race(runners).await).await;
            log.log(format_args!("{:?}", late.unwrap_err()));
            Ok(())
        },
        &[
            "a cleans up",
            "b cleans up",
            "a has ended",
            "b has ended",
            "TimeoutError()",
            "Ok(())",
        ],
    );
}

#[test]
fn a_race_that_is_dropped_cancels_its_runners() {
    check(
        async |log: Trace| {
            let tasks = [create_task(runner(log.clone(), "a", 9))?];
            let racing = race(tasks.clone());
            tokio::select! { biased;
                _ = racing => log.log("not yet"),
                _ = sleep(secs(1)) => log.log("given up"),
            }
            sleep(secs(2)).await?;
            log.log(tasks[0].cancelled());
            Ok(())
        },
        &["given up", "a cleans up", "a has ended", "true", "Ok(())"],
    );
}

#[test]
fn sleeping_until_a_time_and_for_ever() {
    let ended = rondel_task::run_virtual(async {
        sleep_until(secs(5)).await?;
        sleep_until(secs(1)).await?; // it has passed
        let time = rondel_task::get_running_loop()?.time();
        let task = create_task(sleep_forever())?;
        sleep(secs(1)).await?;
        task.cancel();
        Ok((time, task.await.unwrap_err().is_cancelled()))
    });
    assert_eq!(ended.unwrap(), (Duration::from_secs(5), true));
}
