//! Races: who wins, and what becomes of the others.

mod common;

use std::time::Duration;

use common::{Trace, check, secs};
use rondel_task::{
    Exception, Race2, Race3, Result, create_task, race, sleep, sleep_forever, sleep_result,
    sleep_until, timeout,
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
        &["Ok(1)", "bad", "race() was given nothing to race", "Ok(())"],
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

// --- race! --------------------------------------------------------------------------------------

#[test]
fn the_winner_of_different_types_is_told_by_its_place() {
    check(
        async |log: Trace| {
            for (time, limit) in [(1, 2), (2, 1)] {
                let slow = runner(log.clone(), "runner", time);
                let limit = sleep_result(secs(limit), 4_u8);
                match race!(slow, limit, sleep_forever()).await? {
                    Race3::First(name) => log.log(format_args!("{name} wins")),
                    Race3::Second(number) => log.log(format_args!("{number} wins")),
                    Race3::Third(never) => match never {},
                }
            }
            Ok(())
        },
        &[
            "runner wins",
            "runner cleans up",
            "runner has ended",
            "4 wins",
            "Ok(())",
        ],
    );
}

#[test]
fn of_equals_the_first_wins_and_so_does_an_exception_or_a_panic() {
    check(
        async |log: Trace| {
            let won = race!(async { Ok(1) }, async { Ok("two") }).await?;
            log.log(format_args!("{won:?}"));
            let bad = async { Err::<(), _>(Exception::msg("bad")) };
            let lost = race!(sleep(secs(1)), bad).await;
            log.log(lost.unwrap_err());
            let oops = async {
                assert!(secs(1).is_zero(), "oops");
                Ok(())
            };
            let lost = race!(oops, sleep(secs(1))).await;
            log.log(lost.unwrap_err().is_panic());
            let done = create_task(async { Ok("done") })?;
            let won = race!(sleep(secs(1)), &done).await?;
            log.log(format_args!("{won:?} {}", done.await?));
            Ok(())
        },
        &["First(1)", "bad", "true", "Second(\"done\") done", "Ok(())"],
    );
}

#[test]
fn a_race_of_different_types_that_is_cancelled_or_dropped_ends_its_runners() {
    check(
        async |log: Trace| {
            let racing = |log: &Trace| {
                let racers = (runner(log.clone(), "a", 9), runner(log.clone(), "b", 9));
                create_task(async { race!(racers.0, async { racers.1.await.map(str::len) }).await })
            };
            let late = timeout(secs(1), async |_| racing(&log)?.await).await;
            log.log(format_args!("{:?}", late.unwrap_err()));
            let runner = create_task(runner(log.clone(), "c", 9))?;
            tokio::select! { biased;
                _ = race!(&runner, sleep_forever()) => log.log("not yet"),
                _ = sleep(secs(1)) => log.log("given up"),
            }
            sleep(secs(2)).await?;
            log.log(runner.cancelled());
            Ok(())
        },
        &[
            "a cleans up",
            "b cleans up",
            "a has ended",
            "b has ended",
            "TimeoutError()",
            "given up",
            "c cleans up",
            "c has ended",
            "true",
            "Ok(())",
        ],
    );
}

#[test]
fn the_winner_s_value_is_moved_and_the_losers_exceptions_are_reported_to_nobody() {
    struct NotClone(u32);

    let event_loop = common::virtual_loop();
    let reports = common::reports(&event_loop);
    let won = event_loop.run_until_complete(async {
        let raises = async {
            let _ = sleep(secs(9)).await;
            Err::<(), _>(Exception::msg("nobody asks"))
        };
        match race!(async { Ok(NotClone(3)) }, raises).await? {
            Race2::First(NotClone(number)) => Ok(number),
            Race2::Second(()) => Ok(0),
        }
    });
    assert_eq!(won.unwrap(), 3);
    drop(event_loop);
    reports.check(&[]);
}
