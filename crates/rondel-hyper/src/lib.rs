//! hyper on rondel's event loop.
//!
//! hyper speaks HTTP/1.1 and HTTP/2 and does no I/O: it asks for a stream, a timer and an executor, which are here, and none of which has to be `Send`.
//! What a request is, and what is done with it, stays between hyper and whoever uses it.
//!
//! - [`Io`] makes hyper's stream of any futures-io stream, such as a [`Duplex`](rondel_net::Duplex).
//! - [`Timer`] has the loop's time, so that hyper's timeouts keep to a virtual clock, too.
//! - [`Executor`] runs what HTTP/2 has to do beside a connection as tasks of the loop.
//! - [`cancellable`] awaits what hyper gives so that a cancellation is an error there, as it is everywhere else.
//! - [`serve`] puts them together: a server of HTTP/1.1 and HTTP/2, whichever the client speaks, that ends gracefully.
//!
//! # Cancellation
//!
//! hyper's futures are cancelled by being dropped, and [`cancellable`] does that: the task that awaits one gets its `CancelledError`.
//! Without it a task that waits for an answer is ended without a word when it is cancelled, as in any foreign future, and one that waits for a
//! connection gets hyper's own error: the connection has heard of the cancellation from its stream.
//!
//! # Examples
//!
//! A client, one connection and one request; [`serve`] has a server.
//!
//! ```
//! use bytes::Bytes;
//! use http_body_util::{BodyExt as _, Empty, Full};
//! use hyper::{Request, Response, client::conn::http1};
//! use rondel_hyper::{Io, cancellable, serve};
//! use rondel_net::{Duplex, Listen, open_connection};
//! use rondel_task::create_task;
//!
//! # rondel_task::run(async {
//! # let server = serve(
//! #     async |_request| Ok(Response::new(Full::new(Bytes::from("hello")))),
//! #     Listen::on("127.0.0.1:0"),
//! # ).await?;
//! # let address = server.sockets()[0].getsockname()?;
//! let stream = Duplex::from(open_connection(&address).await?);
//! let (mut sender, connection) = cancellable(http1::handshake(Io::new(stream))).await??;
//! create_task(async move { Ok(cancellable(connection).await??) })?;
//!
//! let request = Request::get("/").header("host", address.to_string()).body(Empty::<Bytes>::new())?;
//! let response = cancellable(sender.send_request(request)).await??;
//! let body = cancellable(response.into_body().collect()).await??;
//! assert_eq!(body.to_bytes(), "hello");
//! # Ok(())
//! # }).unwrap();
//! ```
//!
//! # asyncio
//!
//! asyncio has no HTTP; aiohttp is what its programs use.

#![forbid(unsafe_code)]

mod cancellable;
mod executor;
mod io;
mod server;
mod timer;

pub use cancellable::cancellable;
pub use executor::Executor;
pub use hyper_util::server::conn::auto::Builder;
pub use io::Io;
pub use server::{HttpServer, serve, serve_with};
pub use timer::Timer;
