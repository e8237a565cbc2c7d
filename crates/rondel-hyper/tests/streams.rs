//! hyper on our streams and executor: both versions, both ends, large bodies, many requests at once.

mod common;

use std::{cell::Cell, rc::Rc};

use bytes::Bytes;
use common::{Body, Client, Version, body, error, pair, whole};
use futures::{StreamExt as _, stream::FuturesUnordered};
use http_body_util::BodyExt as _;
use hyper::{Request, Response, body::Incoming, server::conn, service::service_fn};
use rondel_hyper::{Executor, Timer, cancellable};
use rondel_task::{Result, create_task, run, run_virtual, task_group};

type Answer = Result<Response<Body>, hyper::Error>;

/// Sends the body back.
async fn echo(request: Request<Incoming>) -> Answer {
    let body = request.into_body().collect().await?;
    Ok(Response::new(common::body(body.to_bytes())))
}

/// Both ends of a connection without a socket, the server's as a task.
async fn connect<S>(version: Version, service: S) -> Result<Client>
where
    S: hyper::service::Service<
            Request<Incoming>,
            Response = Response<Body>,
            Error = hyper::Error,
            Future: 'static,
        > + 'static,
{
    let (here, there) = pair().await?;
    let timer = Timer::new()?;
    create_task(async move {
        match version {
            Version::Http1 => {
                let mut builder = conn::http1::Builder::new();
                let connection = builder.timer(timer).serve_connection(there, service);
                cancellable(connection).await??;
            }
            Version::Http2 => {
                let mut builder = conn::http2::Builder::new(Executor);
                let connection = builder.timer(timer).serve_connection(there, service);
                cancellable(connection).await??;
            }
        }
        Ok(())
    })?;
    Client::on(here, version).await
}

#[test]
fn a_body_goes_there_and_back() {
    for version in [Version::Http1, Version::Http2] {
        for length in [0, 1, 100, 1 << 14, 3 << 20] {
            let sent: Vec<u8> = (0..length).map(|place: u32| place as u8).collect();
            let expected = sent.clone();
            let answer = run_virtual(async move {
                let mut client = connect(version, service_fn(echo)).await?;
                client.post("/", sent).await
            });
            let (status, body) = answer.unwrap();
            assert!(status.is_success());
            assert!(
                body == expected,
                "{version:?}: {length} bytes came back otherwise"
            );
        }
    }
}

#[test]
fn one_connection_serves_many_requests() {
    for version in [Version::Http1, Version::Http2] {
        let answers = run_virtual(async move {
            let mut client = connect(version, service_fn(echo)).await?;
            let mut answers = Vec::new();
            for number in 0..100 {
                answers.push(client.post("/", number.to_string()).await?.1);
            }
            Ok(answers)
        });
        let expected: Vec<Bytes> = (0..100).map(|number| number.to_string().into()).collect();
        assert_eq!(answers.unwrap(), expected);
    }
}

#[test]
fn requests_of_http_2_are_served_at_the_same_time() {
    // Nobody is answered before all have asked.
    let most = run_virtual(async {
        let (here, most) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let all = common::event()?;
        let seen = most.clone();
        let service = service_fn(move |_request| {
            here.set(here.get() + 1);
            seen.set(seen.get().max(here.get()));
            if here.get() == 20 {
                all.set_result(()).expect("it is reached once");
            }
            let (here, all) = (here.clone(), all.clone());
            async move {
                all.await.expect("nobody is cancelled");
                here.set(here.get() - 1);
                Ok(Response::new(body("ok")))
            }
        });
        let mut client = connect(Version::Http2, service).await?;
        let mut answers: FuturesUnordered<_> = (0..20).map(|_| client.post("/", "")).collect();
        while let Some(answer) = answers.next().await {
            assert_eq!(answer?.1, "ok");
        }
        Ok(most.get())
    });
    assert_eq!(most.unwrap(), 20);
}

#[test]
fn what_is_executed_need_not_be_send() {
    let count = run(async {
        let count = Rc::new(Cell::new(0));
        let done = common::event()?;
        for _ in 0..3 {
            let (count, done) = (count.clone(), done.clone());
            hyper::rt::Executor::execute(&Executor, async move {
                count.set(count.get() + 1);
                if count.get() == 3 {
                    done.set_result(()).expect("it is set once");
                }
            });
        }
        assert_eq!(count.get(), 0, "nothing runs inside of execute()");
        done.await?;
        Ok(count.get())
    });
    assert_eq!(count.unwrap(), 3);
}

#[test]
fn outside_of_a_loop_what_is_to_be_executed_is_dropped() {
    let drops = common::Drops::default();
    let guard = drops.guard();
    hyper::rt::Executor::execute(&Executor, async move {
        let _guard = guard;
        std::future::pending::<()>().await;
    });
    assert_eq!(drops.count(), 1);
}

#[test]
fn a_request_may_be_sent_from_a_task_group() {
    let answers = run_virtual(async {
        let mut client = connect(Version::Http2, service_fn(echo)).await?;
        task_group(async |group| {
            let tasks = ["a", "b", "c"].map(|text| group.create_task(client.post("/", text)));
            let mut answers = Vec::new();
            for task in tasks {
                answers.push(task?.await?.1);
            }
            Ok(answers)
        })
        .await
    });
    assert_eq!(answers.unwrap(), ["a", "b", "c"]);
}

#[test]
fn a_stream_can_be_looked_at_and_taken_out_again() {
    run(async {
        let (here, _there) = pair().await?;
        assert!(!here.get_ref().writer().is_closing());
        here.into_inner().writer().close();
        Ok(())
    })
    .unwrap();
}

#[test]
fn the_end_of_a_stream_in_the_middle_of_an_answer_is_an_error() {
    let outcome = run_virtual(async {
        let (here, there) = pair().await?;
        create_task(async move {
            let (reader, writer) = there.into_inner().into_ends();
            reader.readuntil(b"\r\n\r\n").await?;
            writer.write("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel")?;
            writer.close();
            Ok(())
        })?;
        let mut client = Client::on(here, Version::Http1).await?;
        client.post("/", "").await
    });
    let error = outcome.unwrap_err();
    assert_eq!(error.to_string(), "error reading a body from connection");
}

#[test]
fn an_error_of_the_service_ends_the_connection_of_http_1_only() {
    let refuse = |request: Request<Incoming>| async move {
        match whole(request).await {
            Ok(text) if text == "bad" => Err(error("no").into_shared()),
            _ => Ok(Response::new(body("fine"))),
        }
    };
    let again = |version| {
        run_virtual(async move {
            let (here, there) = pair().await?;
            create_task(async move {
                let service = service_fn(refuse);
                let ended = match version {
                    Version::Http1 => {
                        conn::http1::Builder::new()
                            .serve_connection(there, service)
                            .await
                    }
                    Version::Http2 => {
                        conn::http2::Builder::new(Executor)
                            .serve_connection(there, service)
                            .await
                    }
                };
                // The service's own error, or none.
                assert!(ended.is_err_and(|error| error.is_user()) || version == Version::Http2);
                Ok(())
            })?;
            let mut client = Client::on(here, version).await?;
            assert!(client.post("/", "bad").await.is_err());
            Ok(client.post("/", "good").await.is_ok())
        })
    };
    assert!(!again(Version::Http1).unwrap());
    assert!(again(Version::Http2).unwrap());
}
