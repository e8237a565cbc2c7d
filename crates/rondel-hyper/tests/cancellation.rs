//! What a cancellation does where a task waits for hyper.

mod common;

use std::{future::pending, time::Duration};

use common::{Client, Drops, Version, body, pair};
use hyper::{Response, server::conn::http1, service::service_fn};
use rondel_hyper::cancellable;
use rondel_task::{
    checkpoint, create_task, get_running_loop, run_virtual, sleep, sleep_forever, timeout, wait_for,
};

#[test]
fn the_foreign_future_is_dropped_and_the_task_cleans_up() {
    let events = run_virtual(async {
        let drops = Drops::default();
        let (guard, count) = (drops.guard(), drops.clone());
        let task = create_task(async move {
            let waiting = cancellable(async move {
                let _guard = guard;
                pending::<()>().await;
            });
            let error = waiting.await.unwrap_err();
            assert_eq!(count.count(), 1, "it is dropped by then");
            sleep(Duration::from_secs(1)).await?; // clean-up may await
            Err::<(), _>(error)
        })?;
        checkpoint().await?;
        task.cancel_with_message("enough");
        let error = task.clone().await.unwrap_err();
        Ok((error.to_string(), task.cancelled(), drops.count()))
    });
    assert_eq!(events.unwrap(), ("cancelled: enough".to_owned(), true, 1));
}

#[test]
fn what_is_ready_is_given() {
    let value = run_virtual(async { cancellable(async { 5 }).await });
    assert_eq!(value.unwrap(), 5);
}

#[test]
fn a_cancellation_wins_over_a_value_that_has_come_meanwhile() {
    let cancelled = run_virtual(async {
        let (sender, receiver) = futures::channel::oneshot::channel();
        let task = create_task(async move { cancellable(receiver).await })?;
        checkpoint().await?;
        sender.send(5).expect("it is waited for");
        task.cancel();
        Ok(task.await.is_err_and(|error| error.is_cancelled()))
    });
    assert!(cancelled.unwrap());
}

#[test]
fn the_leaf_of_ours_takes_the_error_before_those_inside() {
    // A loop's future inside the foreign one would otherwise get it, and might swallow it.
    let ended = run_virtual(async {
        let task = create_task(async {
            cancellable(async {
                let _ = sleep_forever().await;
                "swallowed"
            })
            .await
        })?;
        checkpoint().await?;
        task.cancel();
        Ok(task.await.is_err_and(|error| error.is_cancelled()))
    });
    assert!(ended.unwrap());
}

#[test]
fn outside_of_a_loop_it_is_an_error() {
    let error = futures::executor::block_on(cancellable(async {})).unwrap_err();
    assert_eq!(error.to_string(), "no running event loop");
}

#[test]
fn a_request_that_takes_too_long_is_given_up_and_the_server_hears_of_it() {
    for version in [Version::Http1, Version::Http2] {
        let handled = Drops::default();
        let counted = handled.clone();
        let times = run_virtual(async move {
            let (here, there) = pair().await?;
            let service = service_fn(move |_request| {
                let guard = counted.guard();
                async move {
                    let _guard = guard;
                    pending::<()>().await;
                    Ok::<_, hyper::Error>(Response::new(body("never")))
                }
            });
            let serving = create_task(async move {
                match version {
                    Version::Http1 => {
                        let builder = http1::Builder::new();
                        let _ = builder.serve_connection(there, service).await;
                    }
                    Version::Http2 => {
                        let builder =
                            hyper::server::conn::http2::Builder::new(rondel_hyper::Executor);
                        let _ = builder.serve_connection(there, service).await;
                    }
                }
                Ok(())
            })?;
            let mut client = Client::on(here, version).await?;
            let late = wait_for(client.post("/", ""), Duration::from_secs(3)).await;
            assert!(late.unwrap_err().is_timeout());
            drop(client);
            serving.await?;
            Ok(get_running_loop()?.time())
        });
        assert_eq!(times.unwrap(), Duration::from_secs(3));
        assert_eq!(handled.count(), 1, "{version:?}");
    }
}

#[test]
fn a_timeout_around_a_block_can_be_caught() {
    let caught = run_virtual(async {
        let late = timeout(Duration::from_secs(1), async |_| {
            cancellable(pending::<()>()).await
        });
        let first = late.await.unwrap_err().is_timeout();
        // The task goes on as ever.
        sleep(Duration::from_secs(1)).await?;
        Ok(first)
    });
    assert!(caught.unwrap());
}
