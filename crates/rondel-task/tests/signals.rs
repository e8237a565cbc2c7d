//! Streams of signals: the only test of its process, because a signal concerns all of it.

#![allow(
    clippy::unwrap_used,
    reason = "the parts of the one test, which run one after another"
)]

mod common;

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use common::{LONG, Trace, secs, tick};
use futures::StreamExt;
use rondel_reactor::signal::{SIGHUP, SIGINT, SIGKILL, SIGTERM, SIGUSR1};
use rondel_reactor::{NoRunningLoopError, RunError};
use rondel_task::{
    create_task, current_task, get_running_loop, run, run_virtual, signals, sleep, timeout,
};
use signal_hook::low_level::raise;

#[test]
fn signals_are_awaited_one_after_another() {
    merged_and_in_the_order_of_their_numbers();
    by_several_streams_and_a_handler();
    from_another_thread();
    without_loss_when_a_wait_is_cancelled();
    without_a_trace_of_a_wait_that_is_dropped();
    instead_of_an_interrupt();
    as_a_stream();
    refused();
}

fn merged_and_in_the_order_of_their_numbers() {
    let received = run_virtual(async {
        let mut signals = signals([SIGTERM, SIGHUP])?;
        assert_eq!(
            format!("{signals:?}"),
            format!("Signals([{SIGTERM}, {SIGHUP}])")
        );
        for signal in [SIGTERM, SIGHUP, SIGTERM] {
            raise(signal)?;
        }
        let both = [signals.recv().await?, signals.recv().await?];
        // Neither came twice.
        let third = timeout(secs(1), async |_| signals.recv().await).await;
        assert!(third.unwrap_err().is_timeout());
        raise(SIGHUP)?;
        Ok((both, signals.recv().await?))
    });
    assert_eq!(received.unwrap(), ([SIGHUP, SIGTERM], SIGHUP));
}

fn by_several_streams_and_a_handler() {
    let trace = Trace::new();
    let log = trace.clone();
    let ended = run_virtual(async move {
        let event_loop = get_running_loop()?;
        let (mut first, mut second) = (signals([SIGUSR1])?, signals([SIGUSR1])?);
        let handled = log.clone();
        event_loop.add_signal_handler(SIGUSR1, move || handled.log("handler"))?;
        raise(SIGUSR1)?;
        assert_eq!(
            (first.recv().await?, second.recv().await?),
            (SIGUSR1, SIGUSR1)
        );
        // What is left watches on.
        drop(first);
        assert!(event_loop.remove_signal_handler(SIGUSR1));
        raise(SIGUSR1)?;
        second.recv().await
    });
    assert_eq!(ended.unwrap(), SIGUSR1);
    trace.check(&["handler"]);
}

/// It ends a wait that nothing else would end.
fn from_another_thread() {
    let (started, waiting) = mpsc::channel();
    let thread = thread::spawn(move || {
        waiting.recv().expect("the loop is running");
        raise(SIGTERM).expect("the signal exists");
    });
    let received = run(async move {
        let mut signals = signals([SIGTERM])?;
        get_running_loop()?.call_soon(move || started.send(()).expect("the thread waits"))?;
        signals.recv().await
    });
    assert_eq!(received.unwrap(), SIGTERM);
    thread.join().expect("it does not panic");
}

fn without_loss_when_a_wait_is_cancelled() {
    let received = run_virtual(async {
        let mut signals = signals([SIGTERM])?;
        let waiting = create_task(async move {
            assert!(signals.recv().await.unwrap_err().is_cancelled());
            // Came and was cancelled: the signal is still there.
            signals.recv().await
        })?;
        tick().await?;
        raise(SIGTERM)?;
        tick().await?;
        waiting.cancel();
        waiting.await
    });
    assert_eq!(received.unwrap(), SIGTERM);
}

fn without_a_trace_of_a_wait_that_is_dropped() {
    let received = run_virtual(async {
        let mut signals = signals([SIGTERM])?;
        tokio::select! {
            _ = signals.recv() => unreachable!("nothing has come"),
            ticked = tick() => ticked?,
        }
        let own = current_task().expect("it runs");
        get_running_loop()?.call_soon(move || assert!(own.cancel()))?;
        assert!(sleep(LONG).await.unwrap_err().is_cancelled());
        get_running_loop()?.call_soon(|| raise(SIGTERM).expect("the signal exists"))?;
        signals.recv().await
    });
    assert_eq!(received.unwrap(), SIGTERM);
}

fn instead_of_an_interrupt() {
    let received = run(async {
        let mut signals = signals([SIGINT])?;
        raise(SIGINT)?;
        raise(SIGINT)?;
        signals.recv().await
    });
    assert_eq!(received.unwrap(), SIGINT);
    let interrupted = run(async {
        drop(signals([SIGINT])?);
        get_running_loop()?.call_soon(|| raise(SIGINT).expect("the signal exists"))?;
        sleep(LONG).await
    });
    assert!(interrupted.unwrap_err().is_interrupted());
}

fn as_a_stream() {
    let received = run_virtual(async {
        let signals = signals([SIGHUP, SIGTERM])?;
        get_running_loop()?.call_later(Duration::from_secs(1), || {
            raise(SIGTERM).expect("the signal exists");
            raise(SIGHUP).expect("the signal exists");
        })?;
        Ok(signals
            .take(2)
            .map(Result::unwrap)
            .collect::<Vec<_>>()
            .await)
    });
    assert_eq!(received.unwrap(), [SIGHUP, SIGTERM]);
}

fn refused() {
    let no_loop = signals([SIGTERM]).unwrap_err();
    assert!(no_loop.is::<NoRunningLoopError>());
    let refused = run_virtual(async { signals([SIGTERM, SIGKILL]).map(drop) });
    assert!(refused.unwrap_err().is::<std::io::Error>());
    // Nothing is watched any more: a loop with nothing to do is deadlocked.
    let never = run_virtual(std::future::pending::<rondel_task::Result<()>>()).unwrap_err();
    assert!(never.downcast_ref().is_some_and(RunError::is_deadlock));
}
