//! A server of HTTP: one task a connection, whichever version the client speaks, and an end in which no request is lost.
//!
//! Sockets, accepting and waiting for the last connection are the business of [`rondel_net::Server`]; the protocol is hyper's.
//!
//! # Invariants
//!
//! - I1. A connection is in the table while its task serves it, and no longer.
//! - I2. Whoever enters after the server was closed is told so at once.
//!
//! # asyncio
//!
//! The model is [`asyncio.start_server`](https://docs.python.org/3/library/asyncio-stream.html#asyncio.start_server): a coroutine serves each
//! request as it serves each connection there.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    error::Error,
    fmt, mem,
    pin::pin,
    rc::Rc,
    sync::Arc,
};

use hyper::{
    Request, Response,
    body::{Body, Incoming},
    service::service_fn,
};
use hyper_util::server::conn::auto::Builder;
use rondel_net::{Duplex, Listen, Server, TransportSocket};
use rondel_reactor::ExceptionContext;
use rondel_task::{Exception, Future, Result, get_running_loop};

use crate::{
    Executor, Io, Timer,
    cancellable::{First, cancellable, first},
};

/// Serves HTTP/1.1 and HTTP/2 where `listen` says: each request with a call of `handler`.
///
/// HTTP/2 is spoken with clients that begin so at once ("prior knowledge"); there is no upgrade from HTTP/1.1.
/// Requests of one HTTP/1.1 connection are served one after another, those of one HTTP/2 connection at the same time.
///
/// An exception of the handler is reported to the loop's exception handler, and the client hears of it by the end of its connection, or of its
/// stream in HTTP/2: an answer with status 500 is the handler's to give. A panic counts as an exception.
/// When a client goes away the handler is dropped where it waits; by HTTP/1.1 that is noticed once the body of the request has been read.
///
/// # Errors
///
/// As [`create_server`](rondel_net::create_server()).
///
/// # Examples
///
/// ```
/// use bytes::Bytes;
/// use http_body_util::Full;
/// use hyper::{Request, Response, body::Incoming};
/// use rondel_hyper::serve;
/// use rondel_net::Listen;
/// use rondel_task::Result;
///
/// async fn hello(request: Request<Incoming>) -> Result<Response<Full<Bytes>>> {
///     let text = format!("hello from {}\n", request.uri().path());
///     Ok(Response::new(Full::new(Bytes::from(text))))
/// }
///
/// # rondel_task::run(async {
/// let server = serve(hello, Listen::on("127.0.0.1:0")).await?;
/// println!("listening on {}", server.sockets()[0].getsockname()?);
/// // ... until it is to end:
/// server.close();
/// server.wait_closed().await?;
/// # Ok(())
/// # }).unwrap();
/// ```
pub async fn serve<H, B>(handler: H, listen: Listen) -> Result<HttpServer>
where
    H: AsyncFn(Request<Incoming>) -> Result<Response<B>> + 'static,
    B: Body + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let timer = Timer::new()?;
    let mut builder = Builder::new(Executor);
    builder.http1().timer(timer);
    builder.http2().timer(timer);
    serve_with(builder, handler, listen).await
}

/// As [`serve`], with connections made by a [`Builder`] of hyper-util: it has the limits and timeouts of both versions.
///
/// Those timeouts need a [`Timer`], which [`serve`] sets by itself.
///
/// # Errors
///
/// As [`serve`].
pub async fn serve_with<H, B>(
    builder: Builder<Executor>,
    handler: H,
    listen: Listen,
) -> Result<HttpServer>
where
    H: AsyncFn(Request<Incoming>) -> Result<Response<B>> + 'static,
    B: Body + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let connections: Rc<Connections> = Rc::default();
    let (entrance, handler) = (connections.clone(), Rc::new(handler));
    let server = listen.start_server(async move |reader, writer| {
        let stream = Io::new(Duplex::new(reader, writer));
        let place = entrance.enter()?;
        let respond = service_fn(|request| respond(handler.clone(), request));
        let mut connection = pin!(builder.serve_connection(stream, respond));
        let ended = match first(place.told.clone(), connection.as_mut()).await? {
            First::Foreign(ended) => ended,
            First::Ours(()) => {
                connection.as_mut().graceful_shutdown();
                cancellable(connection).await?
            }
        };
        if let Err(error) = ended {
            // What the handler raised is reported; the rest is the client's business.
            tracing::debug!(%error, "an HTTP connection has failed");
        }
        Ok(())
    });
    Ok(HttpServer {
        server: server.await?,
        connections,
    })
}

/// Answers one request, and reports what the handler raises.
async fn respond<H, B>(
    handler: Rc<H>,
    request: Request<Incoming>,
) -> Result<Response<B>, Arc<dyn Error + Send + Sync>>
where
    H: AsyncFn(Request<Incoming>) -> Result<Response<B>>,
{
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let response = handler(request).await;
    response.map_err(|exception| {
        if !exception.is_cancelled() {
            report(&exception, format!("{method} {uri}"));
        }
        exception.into_shared()
    })
}

fn report(exception: &Exception, subject: String) {
    if let Ok(event_loop) = get_running_loop() {
        event_loop.call_exception_handler(
            &ExceptionContext::new("Unhandled exception in an HTTP handler")
                .with_exception(exception.clone().into_shared())
                .with_subject("request", subject),
        );
    }
}

/// A server of HTTP: a cheap handle, of which clones are the same one. What [`serve`] gives.
///
/// Dropping it does not stop the server, which ends with [`close`](Self::close) or its loop.
#[derive(Clone)]
pub struct HttpServer {
    server: Server,
    connections: Rc<Connections>,
}

impl HttpServer {
    /// Returns the listening sockets; none once the server is closed.
    #[must_use]
    pub fn sockets(&self) -> Vec<TransportSocket> {
        self.server.sockets()
    }

    /// Stops accepting, and ends each connection when the requests that have come by it are answered: at once where there are none.
    pub fn close(&self) {
        self.server.close();
        self.connections.close();
    }

    /// Waits until the server is closed and the last of its connections is lost.
    ///
    /// # Errors
    ///
    /// `CancelledError` when the task is cancelled.
    pub fn wait_closed(&self) -> impl core::future::Future<Output = Result<()>> + use<> {
        self.server.wait_closed()
    }

    /// Closes all connections at once, whatever is under way; for who has waited long enough after [`close`](Self::close).
    pub fn abort_clients(&self) {
        self.server.abort_clients();
    }
}

impl fmt::Debug for HttpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpServer")
            .field("server", &self.server)
            .field("connections", &self.connections.open.borrow().len())
            .finish()
    }
}

/// The connections that are served, and how each is told that the server is closed.
#[derive(Default)]
struct Connections {
    closed: Cell<bool>,
    entered: Cell<u64>,
    open: RefCell<BTreeMap<u64, Future<()>>>,
}

impl Connections {
    fn enter(self: &Rc<Self>) -> Result<Place> {
        let told = get_running_loop()?.create_future();
        if self.closed.get() {
            // (I2)
            told.set_result(())?;
        }
        let number = self.entered.get();
        self.entered.set(number + 1);
        self.open.borrow_mut().insert(number, told.clone());
        Ok(Place {
            connections: self.clone(),
            number,
            told,
        })
    }

    fn close(&self) {
        self.closed.set(true);
        let open = mem::take(&mut *self.open.borrow_mut());
        for told in open.into_values() {
            // Whoever waited may have been cancelled.
            let _ = told.set_result(());
        }
    }
}

/// A connection's place in the table (I1).
struct Place {
    connections: Rc<Connections>,
    number: u64,
    /// Done when the server is closed.
    told: Future<()>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let left = self.connections.open.borrow_mut().remove(&self.number);
        drop(left);
    }
}
