//! What the tests share: streams in memory, clients of both versions, what the loop reports.

#![allow(dead_code, reason = "not every test uses all of it")]

use std::{
    cell::{Cell, RefCell},
    future::Future,
    pin::Pin,
    rc::Rc,
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request, StatusCode,
    body::Incoming,
    client::conn::{http1, http2},
};
use rondel_hyper::{Executor, HttpServer, Io, Timer, cancellable};
use rondel_net::{Duplex, open_connection, open_memory_connection};
use rondel_task::{
    EventLoop, Exception, Future as LoopFuture, Result, checkpoint, create_task, get_running_loop,
};

/// The body of whatever is sent here.
pub(crate) type Body = Full<Bytes>;

pub(crate) fn body(text: impl Into<Bytes>) -> Body {
    Full::new(text.into())
}

/// The two ends of a stream that is no socket.
pub(crate) async fn pair() -> Result<(Io<Duplex>, Io<Duplex>)> {
    let (here, there) = open_memory_connection().await?;
    Ok((Io::new(here.into()), Io::new(there.into())))
}

/// Which version of HTTP a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    Http1,
    Http2,
}

/// A client on one connection.
pub(crate) enum Client {
    Http1(http1::SendRequest<Body>),
    Http2(http2::SendRequest<Body>),
}

impl Client {
    pub(crate) async fn on(io: Io<Duplex>, version: Version) -> Result<Self> {
        Ok(match version {
            Version::Http1 => {
                let (sender, connection) = cancellable(http1::handshake(io)).await??;
                create_task(ignore(connection))?;
                Self::Http1(sender)
            }
            Version::Http2 => {
                let mut builder = http2::Builder::new(Executor);
                builder.timer(Timer::new()?);
                let (sender, connection) = cancellable(builder.handshake(io)).await??;
                create_task(ignore(connection))?;
                Self::Http2(sender)
            }
        })
    }

    pub(crate) async fn to(server: &HttpServer, version: Version) -> Result<Self> {
        let address = server.sockets()[0].getsockname()?;
        let stream = Duplex::from(open_connection(address).await?);
        Self::on(Io::new(stream), version).await
    }

    /// Waits until the server has ended the connection.
    pub(crate) async fn closed(&self) -> Result<()> {
        let is_closed = || match self {
            Self::Http1(sender) => sender.is_closed(),
            Self::Http2(sender) => sender.is_closed(),
        };
        while !is_closed() {
            checkpoint().await?;
        }
        Ok(())
    }

    /// Sends a body, and gives the answer's.
    pub(crate) fn post<T: Into<Bytes>>(
        &mut self,
        path: &str,
        text: T,
    ) -> impl Future<Output = Result<(StatusCode, Bytes)>> + use<T> {
        let uri = format!("http://test{path}");
        let request = Request::post(uri).header("host", "test").body(body(text));
        let request = request.expect("it is one");
        let sent: Pin<Box<dyn Future<Output = _>>> = match self {
            Self::Http1(sender) => Box::pin(sender.send_request(request)),
            Self::Http2(sender) => Box::pin(sender.send_request(request)),
        };
        async move {
            let response = cancellable(sent).await??;
            let status = response.status();
            let body = cancellable(response.into_body().collect()).await??;
            Ok((status, body.to_bytes()))
        }
    }
}

/// Who sends a request hears what goes wrong with the connection.
async fn ignore<T, E>(connection: impl Future<Output = Result<T, E>>) -> Result<()> {
    let _ = connection.await;
    Ok(())
}

/// Reads all of a request.
pub(crate) async fn whole(request: Request<Incoming>) -> Result<Bytes> {
    let body = cancellable(request.into_body().collect()).await??;
    Ok(body.to_bytes())
}

/// Collects what the loop reports, the error last.
pub(crate) fn reports(event_loop: &EventLoop) -> Rc<RefCell<Vec<String>>> {
    let reports: Rc<RefCell<Vec<String>>> = Rc::default();
    let handler = reports.clone();
    event_loop.set_exception_handler(Some(
        move |_: &EventLoop, context: &rondel_reactor::ExceptionContext| {
            let error = context.exception().map(ToString::to_string);
            let report = format!("{}: {}", context.message(), error.unwrap_or_default());
            handler.borrow_mut().push(report);
        },
    ));
    reports
}

/// Counts how often it was dropped.
#[derive(Clone, Default)]
pub(crate) struct Drops(Rc<Cell<usize>>);

impl Drops {
    pub(crate) fn count(&self) -> usize {
        self.0.get()
    }

    pub(crate) fn guard(&self) -> DropGuard {
        DropGuard(self.clone())
    }
}

pub(crate) struct DropGuard(Drops);

impl Drop for DropGuard {
    fn drop(&mut self) {
        self.0.0.set(self.0.count() + 1);
    }
}

/// A future that somebody else completes.
pub(crate) fn event() -> Result<LoopFuture<()>> {
    Ok(get_running_loop()?.create_future())
}

pub(crate) fn error(message: &str) -> Exception {
    Exception::msg(message)
}
