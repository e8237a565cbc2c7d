//! Staggered races: the traces are those of CPython 3.13 for the same programs.

mod common;
mod trace;

use std::cell::Cell;
use std::rc::Rc;

use common::{secs, ticks};
use rondel_task::{
    Exception, Result, StaggeredRace, create_task, run_virtual, sleep, staggered_race, timeout,
};
use trace::*;

/// What an attempt does.
#[derive(Clone, Copy)]
enum Does {
    Ends,
    Fails,
    CleansUp,
}

async fn attempt(name: &'static str, time: u64, does: Does) -> Result<&'static str> {
    log(format!("{name} starts"));
    if let Err(cancelled) = seconds(time).await {
        log(format!("{name} cancelled"));
        if matches!(does, Does::CleansUp) {
            seconds(1).await?;
            log(format!("{name} cleaned up"));
        }
        return Err(cancelled);
    }
    if matches!(does, Does::Fails) {
        log(format!("{name} fails"));
        return Err(error(name));
    }
    log(format!("{name} ends"));
    Ok(name)
}

/// Coroutine functions, as the race takes them.
fn attempts<const N: usize>(
    attempts: [(&'static str, u64, Does); N],
) -> [impl AsyncFnOnce() -> Result<&'static str> + use<N>; N] {
    attempts.map(|(name, time, does)| async move || attempt(name, time, does).await)
}

fn outcome(race: &StaggeredRace<&'static str>) -> String {
    let exceptions: Vec<String> = race
        .exceptions
        .iter()
        .map(|exception| exception.as_ref().map_or("none".to_owned(), show))
        .collect();
    format!("{:?} [{}]", race.winner, exceptions.join(", "))
}

#[test]
fn the_next_starts_after_the_delay_and_the_winner_cancels_the_others() {
    let program = async {
        let coro_fns = attempts([
            ("a", 9, Does::Ends),
            ("b", 3, Does::Ends),
            ("c", 9, Does::Ends),
        ]);
        log(outcome(&staggered_race(coro_fns, secs(2)).await?));
        Ok(())
    };
    check(
        program,
        &[
            "0 Task-2: a starts",
            "2 Task-3: b starts",
            "4 Task-4: c starts",
            "5 Task-3: b ends",
            "5 Task-2: a cancelled",
            "5 Task-4: c cancelled",
            r#"5 main: Some((1, "b")) [Cancelled, none, Cancelled]"#,
            "end ()",
        ],
    );
}

#[test]
fn the_next_starts_at_once_when_the_one_before_fails() {
    let program = async {
        let coro_fns = attempts([
            ("a", 1, Does::Fails),
            ("b", 1, Does::Fails),
            ("c", 5, Does::Ends),
        ]);
        log(outcome(&staggered_race(coro_fns, secs(3)).await?));
        Ok(())
    };
    check(
        program,
        &[
            "0 Task-2: a starts",
            "1 Task-2: a fails",
            "1 Task-3: b starts",
            "2 Task-3: b fails",
            "2 Task-4: c starts",
            "7 Task-4: c ends",
            r#"7 main: Some((2, "c")) [a, b, none]"#,
            "end ()",
        ],
    );
}

#[test]
fn without_a_delay_they_run_one_after_another_until_one_wins_or_all_have_failed() {
    let program = async {
        let coro_fns = attempts([("a", 1, Does::Fails), ("b", 2, Does::Fails)]);
        log(outcome(&staggered_race(coro_fns, None).await?));
        log(outcome(&staggered_race(attempts([]), None).await?));
        Ok(())
    };
    check(
        program,
        &[
            "0 Task-2: a starts",
            "1 Task-2: a fails",
            "1 Task-3: b starts",
            "3 Task-3: b fails",
            "3 main: None [a, b]",
            "3 main: None []",
            "end ()",
        ],
    );
}

#[test]
fn with_a_delay_of_zero_all_start_at_once() {
    let program = async {
        let coro_fns = attempts([
            ("a", 2, Does::Ends),
            ("b", 1, Does::Ends),
            ("c", 3, Does::Ends),
        ]);
        log(outcome(&staggered_race(coro_fns, secs(0)).await?));
        Ok(())
    };
    check(
        program,
        &[
            "0 Task-2: a starts",
            "0 Task-3: b starts",
            "0 Task-5: c starts",
            "1 Task-3: b ends",
            "1 Task-2: a cancelled",
            "1 Task-5: c cancelled",
            r#"1 main: Some((1, "b")) [Cancelled, none, Cancelled]"#,
            "end ()",
        ],
    );
}

#[test]
fn the_losers_have_ended_when_it_returns() {
    let program = async {
        let coro_fns = attempts([
            ("a", 9, Does::CleansUp),
            ("b", 1, Does::Ends),
            ("c", 1, Does::Ends),
        ]);
        log(outcome(&staggered_race(coro_fns, secs(1)).await?));
        Ok(())
    };
    check(
        program,
        &[
            "0 Task-2: a starts",
            "1 Task-3: b starts",
            "2 Task-3: b ends",
            "2 Task-2: a cancelled",
            "3 Task-2: a cleaned up",
            r#"3 main: Some((1, "b")) [Cancelled, none]"#,
            "end ()",
        ],
    );
}

#[test]
fn it_takes_as_many_iterations_as_in_cpython() {
    let program = async {
        pulse(14);
        let race = staggered_race(["bad", "quick", "late"].map(at_once), secs(5)).await?;
        tick(outcome(&race));
        ticks(14).await
    };
    check(
        program,
        &[
            "0 Task-2: tick 1 bad",
            "0 Task-3: tick 2 quick",
            r#"0 main: tick 5 Some((1, "quick")) [bad, none]"#,
            "end ()",
        ],
    );
}

/// An attempt that takes no time.
fn at_once(name: &'static str) -> impl AsyncFnOnce() -> Result<&'static str> {
    async move || {
        tick(name);
        match name {
            "bad" => Err(error(name)),
            _ => Ok(name),
        }
    }
}

#[test]
fn a_race_that_is_cancelled_ends_its_attempts_first() {
    let program = async {
        let race = async {
            let coro_fns = attempts([("a", 9, Does::CleansUp), ("b", 9, Does::Ends)]);
            timeout(secs(2), async |_| staggered_race(coro_fns, secs(1)).await).await
        };
        let _ = passing("", race.await);
        Ok(())
    };
    check(
        program,
        &[
            "0 Task-2: a starts",
            "1 Task-3: b starts",
            "2 Task-2: a cancelled",
            "2 Task-3: b cancelled",
            "3 Task-2: a cleaned up",
            "3 main: TimeoutError",
            "end ()",
        ],
    );
}

#[test]
fn a_race_that_is_dropped_cancels_its_attempts_and_starts_no_more() {
    let program = async {
        let coro_fns = attempts([("a", 9, Does::CleansUp), ("b", 9, Does::Ends)]);
        tokio::select! { biased;
            _ = staggered_race(coro_fns, secs(2)) => log("not yet"),
            _ = sleep(secs(1)) => log("given up"),
        }
        seconds(9).await
    };
    check(
        program,
        &[
            "0 Task-2: a starts",
            "1 main: given up",
            "1 Task-2: a cancelled",
            "2 Task-2: a cleaned up",
            "end ()",
        ],
    );
}

#[test]
fn a_panic_is_a_failure() {
    let race = run_virtual(async {
        let panics: Box<dyn Fn() -> Result<u32>> = Box::new(|| panic!("oops"));
        let coro_fns = [panics, Box::new(|| Ok(2))].map(|f| async move || f());
        staggered_race(coro_fns, None).await
    });
    let race = race.expect("the second has won");
    assert_eq!(race.winner, Some((1, 2)));
    assert!(race.exceptions[0].as_ref().is_some_and(Exception::is_panic));
}

#[test]
fn a_value_that_comes_after_the_winner_s_is_passed_over() {
    let race = run_virtual(async {
        let stubborn = |name: &'static str, time| {
            async move || {
                let _ = sleep(secs(time)).await;
                Ok(name)
            }
        };
        staggered_race([stubborn("slow", 9), stubborn("quick", 1)], secs(1)).await
    });
    let race = race.expect("the second has won");
    assert_eq!(race.winner, Some((1, "quick")));
    assert!(race.exceptions.iter().all(Option::is_none));
}

#[test]
fn coroutines_are_asked_for_when_they_are_to_start() {
    let asked = Rc::new(Cell::new(0));
    let count = asked.clone();
    let winner = run_virtual(async move {
        let coro_fns = (0..10).map(move |number| {
            count.set(count.get() + 1);
            async move || Ok(number)
        });
        let racing = create_task(staggered_race(coro_fns, secs(1)))?;
        Ok(racing.take().await?.winner)
    });
    assert_eq!(winner.expect("it runs"), Some((0, 0)));
    assert_eq!(asked.get(), 1);
}
