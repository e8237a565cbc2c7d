//! Servers: sockets that listen, and the connections that have come by them.
//!
//! A connection is its transport's and protocol's business from the moment it is accepted; a server knows how many there are.
//! What a server is made with is said to [`Listen`].
//!
//! # Invariants
//!
//! - I1. While a server serves, the loop owns it: to drop the handle does not stop it.
//! - I2. When a server is closed, or its loop, its listening sockets are closed at once.
//!
//! # asyncio
//!
//! [`asyncio.Server`](https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.Server).

mod accept;
pub(crate) mod clients;
mod listen;
mod listener;

use std::{
    cell::{Cell, RefCell},
    fmt, mem,
    rc::{Rc, Weak},
    time::Duration,
};

use rondel_task::{
    EventLoop, Future, Result, RuntimeError, WeakEventLoop, get_running_loop, sleep,
};

use self::{clients::Clients, listener::Listener};
use crate::{
    protocol::AnyProtocol,
    transport::{layering::Layering, socket_name::TransportSocket},
};

pub use self::listen::{
    Listen, create_server, create_unix_server, start_server, start_unix_server,
};

/// A server: a cheap handle, of which clones are the same one.
///
/// Dropping it does not stop the server, which ends with [`close`](Self::close) or its loop.
///
/// Mirrors [`asyncio.Server`](https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.Server).
///
/// # Examples
///
/// Stops accepting, lets those who are there finish, and aborts who takes too long:
///
/// ```
/// use std::time::Duration;
/// use rondel_net::{Server, start_server};
/// use rondel_task::{Result, wait_for};
///
/// async fn shut_down(server: &Server) -> Result<()> {
///     server.close();
///     if wait_for(server.wait_closed(), Duration::from_secs(10)).await.is_err() {
///         server.abort_clients();
///         server.wait_closed().await?;
///     }
///     Ok(())
/// }
///
/// # rondel_task::run(async {
/// let server = start_server(async |_reader, _writer| Ok(()), "127.0.0.1:0").await?;
/// shut_down(&server).await
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct Server(Rc<Shared>);

/// What the handles, the accepting callbacks and the retry timers of a server share.
struct Shared {
    this: Weak<Self>,
    event_loop: WeakEventLoop,
    /// None once closed.
    listeners: RefCell<Option<Vec<Rc<Listener>>>>,
    factory: Box<dyn Fn() -> AnyProtocol>,
    /// What is put between a connection and its protocol.
    layer: Option<Box<dyn Layering>>,
    /// How many connections wait in the system's queue, and how many are accepted in one go.
    backlog: u16,
    serving: Cell<bool>,
    serving_forever: RefCell<Option<Future<()>>>,
    clients: Rc<Clients>,
}

impl Server {
    fn new(
        event_loop: &EventLoop,
        listeners: Vec<Listener>,
        factory: Box<dyn Fn() -> AnyProtocol>,
        layer: Option<Box<dyn Layering>>,
        backlog: u16,
    ) -> Self {
        Self(Rc::new_cyclic(|this| Shared {
            this: this.clone(),
            event_loop: event_loop.downgrade(),
            listeners: RefCell::new(Some(listeners.into_iter().map(Rc::new).collect())),
            factory,
            layer,
            backlog,
            serving: Cell::new(false),
            serving_forever: RefCell::new(None),
            clients: Rc::default(),
        }))
    }

    /// Returns the listening sockets; none once the server is closed.
    #[must_use]
    pub fn sockets(&self) -> Vec<TransportSocket> {
        let listeners = self.0.listeners();
        listeners.iter().map(|listener| listener.socket()).collect()
    }

    /// Begins to accept connections; nothing happens where it does so already.
    ///
    /// # Errors
    ///
    /// A [`RuntimeError`] when the server is closed; what the operating system says.
    pub fn start_serving(&self) -> impl core::future::Future<Output = Result<()>> + use<> {
        let server = self.clone();
        async move {
            server.0.start_serving()?;
            // asyncio's readers are added by the next iteration.
            sleep(Duration::ZERO).await
        }
    }

    /// Accepts connections until the task is cancelled or the server closed: then it is closed, and its connections are waited for.
    ///
    /// Mirrors
    /// [`Server.serve_forever`](https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.Server.serve_forever).
    ///
    /// # Errors
    ///
    /// Always: `CancelledError` as a rule. A [`RuntimeError`] when the server is closed already, or another task awaits this.
    pub fn serve_forever(&self) -> impl core::future::Future<Output = Result<()>> + use<> {
        let server = self.clone();
        async move {
            let until = server.0.begin_forever(&server)?;
            let _ending = Forever(&server.0);
            let ended = until.await;
            if ended.as_ref().is_err_and(|error| error.is_cancelled()) {
                server.close();
                // Whatever ends this wait, the cancellation is what ended the service.
                let _ = server.wait_closed().await;
            }
            ended
        }
    }

    /// Returns the loop that the server belongs to, for as long as there is one.
    #[must_use]
    pub fn get_loop(&self) -> Option<EventLoop> {
        self.0.event_loop.upgrade()
    }

    /// Says whether the server accepts connections.
    #[must_use]
    pub fn is_serving(&self) -> bool {
        self.0.serving.get()
    }

    /// Stops accepting and closes the listening sockets; the connections that are there go on.
    pub fn close(&self) {
        self.0.close();
    }

    /// Waits until the server is closed and the last of its connections is lost.
    ///
    /// Mirrors
    /// [`Server.wait_closed`](https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.Server.wait_closed).
    ///
    /// # Errors
    ///
    /// `CancelledError` when the task is cancelled.
    pub fn wait_closed(&self) -> impl core::future::Future<Output = Result<()>> + use<> {
        let clients = self.0.clients.clone();
        async move {
            match clients.gone(&get_running_loop()?) {
                Some(gone) => gone.await,
                None => Ok(()),
            }
        }
    }

    /// Closes all connections: each sends what it has buffered first.
    pub fn close_clients(&self) {
        for transport in self.0.clients.transports() {
            transport.close();
        }
    }

    /// Closes all connections at once and throws away what they have buffered.
    pub fn abort_clients(&self) {
        for transport in self.0.clients.transports() {
            transport.abort();
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<Server sockets={:?}>", self.sockets())
    }
}

impl Shared {
    fn listeners(&self) -> Vec<Rc<Listener>> {
        self.listeners.borrow().clone().unwrap_or_default()
    }

    fn is_closed(&self) -> bool {
        self.listeners.borrow().is_none()
    }

    fn start_serving(&self) -> Result<()> {
        if self.is_closed() {
            return Err(RuntimeError::new("the server is closed").into());
        }
        if self.serving.replace(true) {
            return Ok(());
        }
        for listener in self.listeners() {
            listener.listen(self.backlog)?;
            self.accept_on(&listener)?;
        }
        Ok(())
    }

    /// Starts serving, and gives what is cancelled when the server is closed.
    fn begin_forever(&self, server: &Server) -> Result<Future<()>> {
        if self.serving_forever.borrow().is_some() {
            let message = format!("server {server:?} is already being awaited on serve_forever()");
            return Err(RuntimeError::new(message).into());
        }
        if self.is_closed() {
            return Err(RuntimeError::new(format!("server {server:?} is closed")).into());
        }
        self.start_serving()?;
        let until = get_running_loop()?.create_future();
        *self.serving_forever.borrow_mut() = Some(until.clone());
        Ok(until)
    }

    fn close(&self) {
        let listeners = self.listeners.take();
        if listeners.is_none() {
            return;
        }
        drop(listeners);
        self.serving.set(false);
        let until = self.serving_forever.take();
        if let Some(until) = until {
            until.cancel();
        }
        self.clients.close();
    }
}

/// A `serve_forever` that is awaited; the next one may begin when it is dropped.
struct Forever<'a>(&'a Shared);

impl Drop for Forever<'_> {
    fn drop(&mut self) {
        let ended = mem::take(&mut *self.0.serving_forever.borrow_mut());
        drop(ended);
    }
}
