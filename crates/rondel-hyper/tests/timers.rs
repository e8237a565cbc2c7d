//! hyper's timer is the loop's clock: timeouts in virtual time, and sleeps that leave nothing behind.

mod common;

use std::{
    thread,
    time::{Duration, Instant},
};

use common::{body, pair};
use futures::{AsyncReadExt as _, AsyncWriteExt as _};
use hyper::{Response, rt::Timer as _, server::conn::http1, service::service_fn};
use rondel_hyper::Timer;
use rondel_task::{Result, create_task, get_running_loop, run_virtual, sleep};

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// How much of the loop's time something takes.
async fn lasts(what: impl Future<Output = ()>) -> Result<Duration> {
    let event_loop = get_running_loop()?;
    let start = event_loop.time();
    what.await;
    Ok(event_loop.time() - start)
}

fn has_timer() -> Result<bool> {
    Ok(get_running_loop()?.scheduler().next_timer().is_some())
}

#[test]
fn a_head_that_does_not_come_ends_the_connection_in_time() {
    let ended_after = run_virtual(async {
        let (here, there) = pair().await?;
        let timer = Timer::new()?;
        let serving = create_task(async move {
            let mut builder = http1::Builder::new();
            builder.timer(timer).header_read_timeout(secs(30));
            let nobody = service_fn(async |_| Ok::<_, hyper::Error>(Response::new(body(""))));
            let ended = builder.serve_connection(there, nobody).await;
            Ok(ended.is_err_and(|error| error.is_timeout()))
        })?;
        let mut stream = here.into_inner();
        stream.write_all(b"GET / HTTP/1.1\r\nhost").await?;
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await?;
        assert!(serving.await?, "it was no timeout");
        Ok(get_running_loop()?.time())
    });
    assert_eq!(ended_after.unwrap(), secs(30));
}

#[test]
fn sleeps_last_as_long_as_they_say() {
    run_virtual(async {
        let timer = Timer::new()?;
        assert_eq!(lasts(timer.sleep(secs(5))).await?, secs(5));
        assert_eq!(lasts(timer.sleep(Duration::ZERO)).await?, Duration::ZERO);
        let now = timer.now();
        assert_eq!(lasts(timer.sleep_until(now + secs(7))).await?, secs(7));
        assert_eq!(lasts(timer.sleep_until(now)).await?, Duration::ZERO);
        assert_eq!(timer.now() - now, secs(7));
        // One whose time is over at its first poll.
        let late = timer.sleep(secs(1));
        sleep(secs(2)).await?;
        assert_eq!(lasts(late).await?, Duration::ZERO);
        Ok(())
    })
    .unwrap();
}

#[test]
fn instants_before_the_timer_was_made_are_over() {
    run_virtual(async {
        sleep(secs(100)).await?;
        let timer = Timer::new()?;
        let before = timer.now() - secs(50);
        assert_eq!(lasts(timer.sleep_until(before)).await?, Duration::ZERO);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_sleep_can_be_set_anew() {
    run_virtual(async {
        let timer = Timer::new()?;
        for (first, then) in [(5, 8), (8, 5), (5, 5)] {
            let mut sleeping = timer.sleep(secs(first));
            assert!(futures::poll!(sleeping.as_mut()).is_pending());
            timer.reset(&mut sleeping, timer.now() + secs(then));
            assert_eq!(lasts(sleeping).await?, secs(then));
            assert!(!has_timer()?, "the first is cancelled");
        }
        // One that is over begins again.
        let mut sleeping = timer.sleep(secs(1));
        sleeping.as_mut().await;
        timer.reset(&mut sleeping, timer.now() + secs(2));
        assert_eq!(lasts(sleeping).await?, secs(2));
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_sleep_that_is_dropped_leaves_no_timer() {
    run_virtual(async {
        let timer = Timer::new()?;
        let mut sleeping = timer.sleep(secs(5));
        assert!(!has_timer()?);
        assert!(futures::poll!(sleeping.as_mut()).is_pending());
        assert!(futures::poll!(sleeping.as_mut()).is_pending());
        assert!(has_timer()?);
        drop(sleeping);
        assert!(!has_timer()?);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_sleep_that_is_dropped_on_another_thread_harms_nobody() {
    run_virtual(async {
        let timer = Timer::new()?;
        let mut sleeping = timer.sleep(secs(5));
        assert!(futures::poll!(sleeping.as_mut()).is_pending());
        thread::spawn(move || drop(sleeping))
            .join()
            .expect("it does not panic");
        // The timer fires, for nobody.
        sleep(secs(10)).await?;
        assert!(!has_timer()?);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_sleep_outlives_its_loop() {
    let mut sleeping = None;
    for _ in 0..2 {
        let kept = run_virtual(async {
            let mut sleeping = Timer::new()?.sleep(secs(5));
            assert!(futures::poll!(sleeping.as_mut()).is_pending());
            Ok(sleeping)
        });
        drop(sleeping.replace(kept.unwrap()));
    }
    drop(sleeping);
}

#[test]
fn outside_of_a_loop_there_is_no_timer_to_be_made() {
    assert!(Timer::new().is_err());
    let timer = run_virtual(async { Ok(Timer::new()?) }).unwrap();
    // One that is left has the real time.
    let start = real_now();
    assert!(timer.now() >= start);
    let mut sleeping = timer.sleep(Duration::ZERO);
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(sleeping.as_mut().poll(&mut cx).is_pending());
    let lasted = run_virtual(async move { lasts(sleeping).await });
    assert_eq!(lasted.unwrap(), Duration::ZERO);
}

fn real_now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "the test is about the real time")]
    Instant::now()
}
