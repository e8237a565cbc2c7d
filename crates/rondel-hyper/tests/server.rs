//! `serve`: what becomes of requests, of their handlers' errors, and of both when the server ends.

mod common;

use std::{
    cell::{Cell, RefCell},
    net::TcpStream,
    rc::Rc,
    time::Duration,
};

use common::{Client, Drops, Version, body, error, event, reports, whole};
use futures::{AsyncReadExt as _, AsyncWriteExt as _};
use hyper::{Request, Response, body::Incoming};
use rondel_future::CancelledError;
use rondel_hyper::{Builder, Executor, HttpServer, Io, serve, serve_with};
use rondel_net::{Duplex, Listen, open_connection};
use rondel_task::{Future, Result, checkpoint, create_task, get_running_loop, run, wait_for};

const BOTH: [Version; 2] = [Version::Http1, Version::Http2];

fn anywhere() -> Listen {
    Listen::on("127.0.0.1:0")
}

async fn end(server: &HttpServer) -> Result<()> {
    server.close();
    server.wait_closed().await
}

/// A server whose handler waits until it is told to answer, and the two events: it has been asked, it may answer.
async fn patient() -> Result<(HttpServer, Future<()>, Future<()>)> {
    let (asked, may_answer) = (event()?, event()?);
    let (telling, told) = (asked.clone(), may_answer.clone());
    let handler = async move |request: Request<Incoming>| {
        telling.set_result(())?;
        told.clone().await?;
        Ok(Response::new(body(whole(request).await?)))
    };
    Ok((serve(handler, anywhere()).await?, asked, may_answer))
}

#[test]
fn one_server_speaks_both_versions() {
    run(async {
        let count = Rc::new(Cell::new(0));
        let counted = count.clone();
        let handler = async move |request: Request<Incoming>| {
            counted.set(counted.get() + 1);
            let path = request.uri().path().to_owned();
            let text = whole(request).await?;
            Ok(Response::new(body([path.as_bytes(), &text].concat())))
        };
        let server = serve(handler, anywhere()).await?;
        for version in BOTH {
            let mut client = Client::to(&server, version).await?;
            for text in ["", "hello"] {
                let (status, answer) = client.post("/a/", text).await?;
                assert!(status.is_success());
                assert_eq!(answer, format!("/a/{text}"));
            }
        }
        assert_eq!(count.get(), 4);
        end(&server).await
    })
    .unwrap();
}

#[test]
fn a_builder_of_ones_own_may_refuse_a_version() {
    run(async {
        let handler = async |_request| Ok(Response::new(body("one")));
        let builder = Builder::new(Executor).http1_only();
        let server = serve_with(builder, handler, anywhere()).await?;
        let mut client = Client::to(&server, Version::Http1).await?;
        assert_eq!(client.post("/", "").await?.1, "one");
        let mut client = Client::to(&server, Version::Http2).await?;
        assert!(client.post("/", "").await.is_err());
        end(&server).await
    })
    .unwrap();
}

#[test]
fn an_exception_of_a_handler_is_reported_once_and_costs_the_others_nothing() {
    for version in BOTH {
        run(async move {
            let reports = reports(&get_running_loop()?);
            let handler = async |request: Request<Incoming>| match request.uri().path() {
                "/bad" => Err(error("it does not work")),
                "/gone" => Err(CancelledError::new().into()),
                _ => Ok(Response::new(body("fine"))),
            };
            let server = serve(handler, anywhere()).await?;
            let mut other = Client::to(&server, version).await?;
            let mut client = Client::to(&server, version).await?;
            assert!(client.post("/bad", "").await.is_err());
            assert_eq!(
                reports.take(),
                ["Unhandled exception in an HTTP handler: it does not work"]
            );
            let mut client = Client::to(&server, version).await?;
            assert!(client.post("/gone", "").await.is_err());
            assert_eq!(other.post("/", "").await?.1, "fine");
            drop((client, other));
            end(&server).await?;
            assert_eq!(reports.take(), [""; 0]);
            Ok(())
        })
        .unwrap();
    }
}

#[test]
fn a_handler_that_panics_is_reported_and_costs_the_others_nothing() {
    for version in BOTH {
        run(async move {
            let reports = reports(&get_running_loop()?);
            let handler = async |request: Request<Incoming>| {
                assert_ne!(request.uri().path(), "/bad", "a bad request");
                Ok(Response::new(body("fine")))
            };
            let server = serve(handler, anywhere()).await?;
            let mut other = Client::to(&server, version).await?;
            let mut client = Client::to(&server, version).await?;
            assert!(client.post("/bad", "").await.is_err());
            assert_eq!(other.post("/", "").await?.1, "fine");
            drop((client, other));
            end(&server).await?;
            let reports = reports.take();
            assert_eq!(reports.len(), 1, "{reports:?}");
            assert!(reports[0].contains("a bad request"), "{reports:?}");
            Ok(())
        })
        .unwrap();
    }
}

#[test]
fn a_server_that_is_closed_finishes_what_is_in_flight() {
    for version in BOTH {
        run(async move {
            let (server, asked, may_answer) = patient().await?;
            let address = server.sockets()[0].getsockname()?;
            let idle = Client::to(&server, version).await?;
            let mut busy = Client::to(&server, version).await?;
            let answer = create_task(busy.post("/", "late"))?;
            asked.await?;

            server.close();
            assert!(server.sockets().is_empty());
            let address = address.as_inet().expect("it is TCP");
            assert!(TcpStream::connect(address).is_err(), "it still accepts");
            idle.closed().await?;
            let closed = create_task(server.wait_closed())?;
            assert!(!answer.done() && !closed.done());

            may_answer.set_result(())?;
            assert_eq!(answer.await?.1, "late");
            closed.await?;
            busy.closed().await?;
            Ok(())
        })
        .unwrap();
    }
}

#[test]
fn who_does_not_end_can_be_aborted() {
    for version in BOTH {
        run(async move {
            let drops = Drops::default();
            let (asked, guards) = (event()?, drops.clone());
            let telling = asked.clone();
            let handler = async move |_request| {
                let _guard = guards.guard();
                telling.set_result(())?;
                std::future::pending::<Result<Response<common::Body>>>().await
            };
            let server = serve(handler, anywhere()).await?;
            let mut client = Client::to(&server, version).await?;
            let answer = create_task(client.post("/", ""))?;
            asked.await?;
            server.close();
            let late = wait_for(server.wait_closed(), Duration::from_millis(1)).await;
            assert!(late.unwrap_err().is_timeout());
            server.abort_clients();
            server.wait_closed().await?;
            assert!(answer.await.is_err());
            drop(client);
            // The handler is dropped when its connection has heard of it.
            while drops.count() == 0 {
                checkpoint().await?;
            }
            Ok(())
        })
        .unwrap();
    }
}

#[test]
fn closing_twice_and_closing_what_is_idle_is_fine() {
    run(async {
        let server = serve(async |_request| Ok(Response::new(body(""))), anywhere()).await?;
        // One who has said nothing yet, not even which version.
        let address = server.sockets()[0].getsockname()?;
        let mut silent = Duplex::from(open_connection(&address).await?);
        server.close();
        server.clone().close();
        server.wait_closed().await?;
        let mut rest = Vec::new();
        let _ = silent.read_to_end(&mut rest).await;
        assert_eq!(rest, b"");
        assert!(
            format!("{server:?}").ends_with("connections: 0 }"),
            "{server:?}"
        );
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_client_that_resets_its_connection_is_no_report() {
    run(async {
        let reports = reports(&get_running_loop()?);
        let asked = Rc::new(RefCell::new(event()?));
        let telling = asked.clone();
        let handler = async move |request: Request<Incoming>| {
            telling.borrow().set_result(())?;
            match request.uri().path() {
                "/big" => Ok(Response::new(body(vec![0; 64 << 20]))),
                _ => std::future::pending().await,
            }
        };
        let server = serve(handler, anywhere()).await?;
        let address = server.sockets()[0].getsockname()?;
        // While the answer is written, while the handler waits, and while nothing is under way.
        for head in [
            "GET /big HTTP/1.1\r\nhost: x\r\n\r\n",
            "GET / HTTP/1.1\r\nhost: x\r\n\r\n",
        ] {
            let mut stream = Duplex::from(open_connection(&address).await?);
            stream.write_all(head.as_bytes()).await?;
            let heard = asked.borrow().clone();
            heard.await?;
            asked.replace(event()?);
            stream.writer().transport().abort();
        }
        let stream = Duplex::from(open_connection(&address).await?);
        stream.writer().transport().abort();
        drop(stream);
        end(&server).await?;
        assert_eq!(reports.take(), [""; 0]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn dropping_the_handle_does_not_stop_the_server() {
    run(async {
        let server = serve(
            async |_request| Ok(Response::new(body("still"))),
            anywhere(),
        )
        .await?;
        let address = server.sockets()[0].getsockname()?;
        drop(server);
        let stream = Duplex::from(open_connection(&address).await?);
        let mut client = Client::on(Io::new(stream), Version::Http1).await?;
        assert_eq!(client.post("/", "").await?.1, "still");
        Ok(())
    })
    .unwrap();
}
