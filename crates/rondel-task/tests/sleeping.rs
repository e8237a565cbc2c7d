//! The leaf of a sleep: awaited by a task itself, by a combinator with wakers of its own, by one task after another, by two loops.

mod common;

use std::cell::RefCell;
use std::future::{Future as _, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use common::{LONG, Trace, secs, tick, virtual_loop};
use futures::stream::{FuturesUnordered, StreamExt};
use rondel_task::{
    EventLoop, Result, Sleep, create_task, current_task, get_running_loop, run_virtual, sleep,
};

/// A sleep that can be polled by more than one task.
type SharedSleep = Rc<RefCell<Pin<Box<Sleep>>>>;

fn shared(delay: Duration) -> SharedSleep {
    Rc::new(RefCell::new(Box::pin(sleep(delay))))
}

/// Awaits it to the end.
async fn awaited(sleep: SharedSleep) -> Result<()> {
    poll_fn(|cx| sleep.borrow_mut().as_mut().poll(cx)).await
}

/// Polls it once, and does not wait.
async fn polled(sleep: &SharedSleep) -> Poll<Result<()>> {
    poll_fn(|cx| Poll::Ready(sleep.borrow_mut().as_mut().poll(cx))).await
}

fn timers() -> usize {
    get_running_loop().map_or(0, |event_loop| event_loop.statistics().timers)
}

/// Seconds on the loop's clock.
fn now() -> u64 {
    get_running_loop().map_or(0, |event_loop| event_loop.time().as_secs())
}

#[test]
fn the_first_message_of_two_requests_is_the_errors() -> Result<()> {
    run_virtual(async {
        let task = create_task(sleep(LONG))?;
        tick().await?;
        assert!(task.cancel_with_message("first"));
        assert!(task.cancel_with_message("second"), "it ends by the first");
        let error = task.clone().await.unwrap_err();
        assert_eq!(error.to_string(), "cancelled: first");
        assert_eq!((task.cancelling(), timers()), (2, 0));
        Ok(())
    })
}

#[test]
fn a_sleep_whose_time_has_come_is_cancelled_no_more() -> Result<()> {
    run_virtual(async {
        let task = create_task(sleep(secs(1)))?;
        tick().await?;
        let sleeper = task.clone();
        // In the iteration of the timer, behind it: the task goes on in the next.
        get_running_loop()?.call_at(secs(1), move || {
            sleeper.cancel_with_message("late");
        })?;
        let error = task.await.unwrap_err();
        assert_eq!(error.to_string(), "cancelled: late");
        // As in asyncio: the error is thrown where the sleep is awaited, though it is over.
        assert_eq!(now(), 1);
        Ok(())
    })
}

#[test]
fn two_sleeps_at_once_are_both_over_or_both_cancelled() -> Result<()> {
    run_virtual(async {
        let (short, long) = tokio::join!(sleep(secs(1)), sleep(secs(3)));
        assert!(short.is_ok() && long.is_ok());
        assert_eq!((now(), timers()), (3, 0));

        let both = create_task(async {
            let (one, other) = tokio::join!(sleep(LONG), sleep(LONG));
            assert!(one.is_err() && other.is_err());
            Ok(())
        })?;
        tick().await?;
        assert_eq!(timers(), 2);
        assert_eq!(both.get_stack().len(), 2, "it is suspended at both");
        assert!(both.cancel());
        assert_eq!((both.await.is_ok(), timers()), (true, 0));
        Ok(())
    })
}

#[test]
fn the_sleep_that_loses_a_race_leaves_no_timer() -> Result<()> {
    run_virtual(async {
        for _ in 0..3 {
            tokio::select! {
                biased;
                _ = sleep(LONG) => unreachable!("it is far off"),
                slept = sleep(secs(1)) => slept?,
            }
            assert_eq!(timers(), 0);
        }
        assert_eq!(now(), 3);
        Ok(())
    })
}

#[test]
fn a_combinator_with_wakers_of_its_own_may_poll_it() -> Result<()> {
    run_virtual(async {
        let log = Trace::new();
        let mut sleeps: FuturesUnordered<_> = [3, 1, 2]
            .map(|seconds| async move {
                sleep(secs(seconds)).await?;
                Ok::<u64, rondel_task::Exception>(seconds)
            })
            .into_iter()
            .collect();
        while let Some(seconds) = sleeps.next().await {
            log.log(seconds?);
        }
        log.check(&["1", "2", "3"]);
        assert_eq!((now(), timers()), (3, 0));
        Ok(())
    })
}

#[test]
fn a_sleep_that_one_task_began_may_be_awaited_by_another() -> Result<()> {
    run_virtual(async {
        let sleep = shared(secs(2));
        let first = create_task({
            let sleep = sleep.clone();
            async move {
                assert!(polled(&sleep).await.is_pending());
                rondel_task::sleep(secs(10)).await
            }
        })?;
        tick().await?;
        let second = create_task(awaited(sleep))?;
        second.await?;
        assert_eq!(now(), 2, "it began when it was polled first");
        first.await?;
        assert_eq!((now(), timers()), (10, 0));
        Ok(())
    })
}

#[test]
fn a_task_that_gave_its_sleep_away_is_not_woken_by_it() -> Result<()> {
    run_virtual(async {
        let sleep = shared(secs(1));
        let steps = Rc::new(RefCell::new(0));
        let first = create_task({
            let (sleep, steps) = (sleep.clone(), steps.clone());
            async move {
                assert!(polled(&sleep).await.is_pending());
                poll_fn(|_| {
                    *steps.borrow_mut() += 1;
                    Poll::<Result<()>>::Pending
                })
                .await
            }
        })?;
        tick().await?;
        create_task(awaited(sleep))?.await?;
        assert_eq!(*steps.borrow(), 1);
        assert!(first.cancel());
        assert!(first.await.is_err());
        Ok(())
    })
}

#[test]
fn a_sleep_that_is_over_may_be_found_so_by_another_task() -> Result<()> {
    run_virtual(async {
        let sleep = shared(secs(1));
        let first = create_task({
            let sleep = sleep.clone();
            async move {
                assert!(polled(&sleep).await.is_pending());
                rondel_task::sleep(secs(1)).await?;
                Ok(polled(&sleep).await.is_ready())
            }
        })?;
        assert!(first.await?);
        assert!(polled(&sleep).await.is_ready(), "and it stays so");
        Ok(())
    })
}

#[test]
fn a_sleep_of_one_loop_cannot_be_awaited_in_another() -> Result<()> {
    let (first, second) = (virtual_loop(), virtual_loop());
    let sleep = shared(LONG);
    let begun = sleep.clone();
    first.run_until_complete(async move {
        assert!(polled(&begun).await.is_pending());
        Ok(())
    })?;
    let error = second.run_until_complete(awaited(sleep)).unwrap_err();
    assert!(
        error.to_string().contains("attached to a different loop"),
        "{error}"
    );
    Ok(())
}

#[test]
fn a_task_shows_that_it_sleeps_and_where() -> Result<()> {
    run_virtual(async {
        let task = create_task(async { sleep(LONG).await })?;
        let line = line!() - 1;
        tick().await?;
        let text = format!("{task:?}");
        assert!(
            text.contains(" wait_for=<Future pending cb=[Task.wakeup()]>"),
            "{text}"
        );
        assert_eq!(task.get_stack()[0].location.line(), line);
        task.cancel();
        assert!(current_task().is_some());
        Ok(())
    })
}

#[test]
fn a_loop_that_closes_drops_its_sleepers() -> Result<()> {
    let event_loop = EventLoop::new()?;
    event_loop.set_exception_handler(Some(|_: &_, _: &_| {}));
    let kept = shared(LONG);
    let begun = kept.clone();
    event_loop.run_until_complete(async move {
        create_task(awaited(begun))?;
        create_task(sleep(LONG))?;
        tick().await
    })?;
    assert_eq!(event_loop.statistics().timers, 2);
    event_loop.close()?;
    assert_eq!(event_loop.statistics().timers, 0);
    drop(kept);
    Ok(())
}

#[test]
fn a_sleep_that_outlives_its_task_does_not_wake_the_next_in_its_place() -> Result<()> {
    run_virtual(async {
        let kept = shared(secs(10));
        let begun = kept.clone();
        create_task(async move {
            assert!(polled(&begun).await.is_pending());
            Ok(())
        })?
        .await?;
        // The task's place is given out again until its token comes round.
        for _ in 1..1 << 16 {
            create_task(async { Ok(()) })?.await?;
        }
        create_task(sleep(secs(20)))?.await?;
        assert_eq!((now(), timers()), (20, 0));
        assert!(polled(&kept).await.is_ready());
        Ok(())
    })
}

#[test]
fn a_sleep_of_a_loop_that_was_closed_is_an_error() -> Result<()> {
    let (first, second) = (virtual_loop(), virtual_loop());
    let sleep = shared(LONG);
    let begun = sleep.clone();
    first.run_until_complete(async move {
        assert!(polled(&begun).await.is_pending());
        Ok(())
    })?;
    first.close()?;
    assert!(second.run_until_complete(awaited(sleep)).is_err());
    Ok(())
}

/// Waits at a sleep until the task is stepped, and asks it no more.
async fn left(sleep: &mut Pin<Box<Sleep>>) {
    let mut is_stepped = false;
    poll_fn(|cx| match std::mem::replace(&mut is_stepped, true) {
        false => sleep.as_mut().poll(cx).map(drop),
        true => Poll::Ready(()),
    })
    .await;
}

#[test]
fn the_error_of_a_sleep_stays_until_the_sleep_is_polled() -> Result<()> {
    run_virtual(async {
        let task = create_task(async {
            let mut early = Box::pin(sleep(LONG));
            left(&mut early).await;
            // What it awaits instead gets an error, too: one was thrown, and nobody has had it.
            assert!(sleep(LONG).await.unwrap_err().is_cancelled());
            sleep(secs(1)).await?;
            assert!(early.await.unwrap_err().is_cancelled());
            sleep(secs(1)).await
        })?;
        tick().await?;
        assert!(task.cancel());
        task.await?;
        assert_eq!((now(), timers()), (2, 0));
        Ok(())
    })
}

#[test]
fn behind_a_sleep_that_keeps_its_error_another_is_the_only_one() -> Result<()> {
    run_virtual(async {
        let task = create_task(async {
            let mut early = Box::pin(sleep(LONG));
            left(&mut early).await;
            assert!(sleep(LONG).await.unwrap_err().is_cancelled());
            let mut other = Box::pin(sleep(LONG));
            let polled = poll_fn(|cx| Poll::Ready(other.as_mut().poll(cx))).await;
            assert!(polled.is_pending());
            assert!(early.await.unwrap_err().is_cancelled());
            // The request goes to the sleep, which is not asked any more: it is the task's then.
            assert!(current_task().is_some_and(|task| task.cancel()));
            Ok(())
        })?;
        tick().await?;
        assert!(task.cancel());
        assert!(task.await.unwrap_err().is_cancelled());
        Ok(())
    })
}

/// It takes minutes where leaving one of many sleeps means to look for it among them.
#[test]
fn a_task_leaves_any_number_of_sleeps_at_the_price_of_each() -> Result<()> {
    run_virtual(async {
        let mut sleeps = Vec::from_iter((0..200_000).map(|_| Box::pin(sleep(LONG))));
        poll_fn(|cx| {
            let pending = |sleep: &mut Pin<Box<Sleep>>| sleep.as_mut().poll(cx).is_pending();
            assert!(sleeps.iter_mut().all(pending));
            Poll::Ready(())
        })
        .await;
        assert_eq!(timers(), 200_000);
        sleeps.reverse();
        sleeps.truncate(100_000);
        drop(sleeps);
        assert_eq!(timers(), 0);

        let mut sleeps = Vec::from_iter((0..100_000).map(|_| Box::pin(sleep(LONG))));
        let task = create_task(poll_fn(move |cx| {
            let polled = sleeps.iter_mut().map(|sleep| sleep.as_mut().poll(cx));
            // All of them are polled.
            polled.fold(
                Poll::Pending,
                |ready, polled| if ready.is_ready() { ready } else { polled },
            )
        }))?;
        tick().await?;
        assert_eq!(timers(), 100_000);
        assert!(task.cancel());
        assert_eq!(timers(), 0);
        assert!(task.await.unwrap_err().is_cancelled());
        Ok(())
    })
}
