//! What a server is made with: addresses to bind to, options of their sockets, and who serves.
//!
//! # asyncio
//!
//! [`loop.create_server`](https://docs.python.org/3/library/asyncio-eventloop.html#creating-network-servers) and its kin.
//! The many optional arguments are methods of [`Listen`]; the one about TLS is with the rest of TLS.

use std::{fs, io, os::unix::fs::FileTypeExt as _, path::Path, rc::Rc};

use rondel_task::{EventLoop, Result, ValueError, gather, get_running_loop};
use socket2::{Domain, SockAddr, Socket, Type};

use super::{
    Server,
    accept::is_shortage,
    listener::{Listener, SocketFile},
};
use crate::{
    address::{AddrInfo, Address, Hints, Kind, resolve},
    protocol::{AnyProtocol, StreamProtocol},
    socket::to_system,
    stream::{DEFAULT_LIMIT, StreamReader, StreamReaderProtocol, StreamWriter, checked_limit},
    transport::{layering::Layering, socket_name::SocketName},
};

/// Binds to `address` and serves each connection with a protocol of its own, made by `factory`.
///
/// [`Listen`] has the choices; this makes none of them.
///
/// Mirrors [`loop.create_server`](https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.create_server).
///
/// # Errors
///
/// The host cannot be found, or its addresses cannot be bound to.
///
/// # Examples
///
/// See [`create_connection`](crate::create_connection()).
pub async fn create_server<P, Kind>(
    factory: impl Fn() -> P + 'static,
    address: impl Into<Address>,
) -> Result<Server>
where
    P: StreamProtocol<Kind>,
{
    Listen::on(address).create_server(factory).await
}

/// Binds a unix socket to `path`; as [`create_server`] in all else.
///
/// A socket file that is left there by somebody is replaced. The file is removed when the server closes.
///
/// Mirrors
/// [`loop.create_unix_server`](https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.create_unix_server).
///
/// # Errors
///
/// What the operating system says.
pub async fn create_unix_server<P, Kind>(
    factory: impl Fn() -> P + 'static,
    path: impl AsRef<Path>,
) -> Result<Server>
where
    P: StreamProtocol<Kind>,
{
    create_server(factory, path.as_ref()).await
}

/// Binds to `address` and serves each connection with a task that runs `handler`.
///
/// The connection is closed when the handler drops its writer, or the last clone of it; an error or a panic of the handler is reported to the loop's
/// exception handler and closes it, too.
///
/// Mirrors [`asyncio.start_server`](https://docs.python.org/3/library/asyncio-stream.html#asyncio.start_server).
///
/// # Errors
///
/// As [`create_server`].
///
/// # Examples
///
/// See [`open_connection`](crate::open_connection).
pub async fn start_server<H>(handler: H, address: impl Into<Address>) -> Result<Server>
where
    H: AsyncFn(StreamReader, StreamWriter) -> Result<()> + 'static,
{
    Listen::on(address).start_server(handler).await
}

/// Binds a unix socket to `path`; as [`start_server`] in all else, and as [`create_unix_server`] with the file.
///
/// Mirrors [`asyncio.start_unix_server`](https://docs.python.org/3/library/asyncio-stream.html#asyncio.start_unix_server).
///
/// # Errors
///
/// What the operating system says.
pub async fn start_unix_server<H>(handler: H, path: impl AsRef<Path>) -> Result<Server>
where
    H: AsyncFn(StreamReader, StreamWriter) -> Result<()> + 'static,
{
    start_server(handler, path.as_ref()).await
}

/// A server to be made: where it listens, and how.
///
/// # Examples
///
/// ```
/// use rondel_net::Listen;
///
/// # rondel_task::run(async {
/// let server = Listen::on("127.0.0.1:0")
///     .and_on("127.0.0.2:0")
///     .backlog(10)
///     .reuse_port()
///     .start_server(async |_reader, writer| writer.write("hello"))
///     .await?;
/// assert_eq!(server.sockets().len(), 2);
/// server.close();
/// # Ok(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
#[must_use = "it does nothing until a server is made of it"]
pub struct Listen {
    place: Place,
    options: Options,
    start: Start,
    layer: Option<Box<dyn Layering>>,
    limit: usize,
}

#[derive(Debug)]
enum Place {
    Addresses(Vec<Address>),
    /// A socket that is bound already.
    Socket(Socket),
}

#[derive(Debug)]
struct Options {
    family: Option<Domain>,
    backlog: u16,
    reuse_address: bool,
    reuse_port: bool,
    keep_alive: bool,
    cleanup_socket: bool,
}

#[derive(Debug)]
enum Start {
    Now,
    Later,
}

impl Listen {
    /// Begins to describe a server that listens on an address: of a host, an IP address, or the path of a unix socket.
    ///
    /// A host may have several addresses: the server listens on all of them. A host of `""` stands for every interface, a port of 0 for any free one.
    pub fn on(address: impl Into<Address>) -> Self {
        Self::in_place(Place::Addresses(vec![address.into()]))
    }

    /// Takes a socket that is bound already: asyncio's `sock`. It is made non-blocking.
    ///
    /// What is said about addresses and their sockets has no effect on it.
    pub fn with_socket(socket: Socket) -> Self {
        Self::in_place(Place::Socket(socket))
    }

    fn in_place(place: Place) -> Self {
        Self {
            place,
            options: Options {
                family: None,
                backlog: 100,
                reuse_address: true,
                reuse_port: false,
                keep_alive: false,
                cleanup_socket: true,
            },
            start: Start::Now,
            layer: None,
            limit: DEFAULT_LIMIT.get(),
        }
    }

    /// Listens on another address, too; one that comes twice is bound to once.
    pub fn and_on(mut self, address: impl Into<Address>) -> Self {
        if let Place::Addresses(addresses) = &mut self.place {
            addresses.push(address.into());
        }
        self
    }

    /// Listens on addresses of this family only.
    pub fn family(self, family: Domain) -> Self {
        self.with_option(|options| options.family = Some(family))
    }

    /// Sets how many connections may wait to be accepted, and how many are accepted in one go; 100 unless set.
    pub fn backlog(self, backlog: u16) -> Self {
        self.with_option(|options| options.backlog = backlog)
    }

    /// Refuses an address that was in use a moment ago, which is allowed otherwise (`SO_REUSEADDR`).
    pub fn no_reuse_address(self) -> Self {
        self.with_option(|options| options.reuse_address = false)
    }

    /// Lets others listen on the same address, if they say so, too: the system shares the connections out (`SO_REUSEPORT`).
    pub fn reuse_port(self) -> Self {
        self.with_option(|options| options.reuse_port = true)
    }

    /// Has the system look after idle connections (`SO_KEEPALIVE`).
    pub fn keep_alive(self) -> Self {
        self.with_option(|options| options.keep_alive = true)
    }

    /// Leaves the file of a unix socket where it is when the server closes; asyncio's `cleanup_socket=False`.
    pub fn keep_socket_file(self) -> Self {
        self.with_option(|options| options.cleanup_socket = false)
    }

    /// Binds, and accepts nothing before [`start_serving`](Server::start_serving); asyncio's `start_serving=False`.
    pub fn start_later(self) -> Self {
        Self {
            start: Start::Later,
            ..self
        }
    }

    /// Sets the [limit](StreamReader::with_limit) of the readers, in bytes, for [`start_server`](Self::start_server).
    pub fn limit(self, limit: usize) -> Self {
        Self { limit, ..self }
    }

    fn with_option(mut self, set: impl FnOnce(&mut Options)) -> Self {
        set(&mut self.options);
        self
    }

    /// Puts a layer between each connection and its protocol.
    #[cfg(feature = "tls")]
    pub(crate) fn with_layer(self, layer: Box<dyn Layering>) -> Self {
        Self {
            layer: Some(layer),
            ..self
        }
    }

    /// Makes the server, whose connections each get a protocol made by `factory`.
    ///
    /// A factory that panics is reported to the loop's exception handler, and its connection closed.
    ///
    /// # Errors
    ///
    /// As [`create_server`].
    pub async fn create_server<P, Kind>(self, factory: impl Fn() -> P + 'static) -> Result<Server>
    where
        P: StreamProtocol<Kind>,
    {
        self.serve(Box::new(move || Rc::new(factory()).into_any()))
            .await
    }

    /// Makes the server, whose connections each get a task that runs `handler`.
    ///
    /// # Errors
    ///
    /// As [`create_server`], and a [`ValueError`] for a limit of 0.
    pub async fn start_server<H>(self, handler: H) -> Result<Server>
    where
        H: AsyncFn(StreamReader, StreamWriter) -> Result<()> + 'static,
    {
        let limit = checked_limit(self.limit)?;
        let handler = Rc::new(handler);
        self.serve(Box::new(move || {
            let reader = StreamReader::limited(limit);
            let handler = Rc::clone(&handler);
            let serve = async move |reader, writer| handler(reader, writer).await;
            Rc::new(StreamReaderProtocol::for_client(reader, serve)).into_any()
        }))
        .await
    }

    async fn serve(self, factory: Box<dyn Fn() -> AnyProtocol>) -> Result<Server> {
        let event_loop = get_running_loop()?;
        let listeners = match self.place {
            Place::Addresses(addresses) => bind_all(&event_loop, addresses, &self.options).await?,
            Place::Socket(socket) => vec![bound(&event_loop, socket, &self.options)?],
        };
        let backlog = self.options.backlog;
        let server = Server::new(&event_loop, listeners, factory, self.layer, backlog);
        let mut unclaimed = Unclaimed(Some(server.clone()));
        match self.start {
            Start::Now => server.start_serving().await?,
            Start::Later => {}
        }
        unclaimed.0 = None;
        Ok(server)
    }
}

/// A server whose maker may fail to start it, or stop waiting: then nobody could close it.
struct Unclaimed(Option<Server>);

impl Drop for Unclaimed {
    fn drop(&mut self) {
        if let Some(server) = self.0.take() {
            server.close();
        }
    }
}

/// Takes a socket that is bound already.
fn bound(event_loop: &EventLoop, socket: Socket, options: &Options) -> Result<Listener> {
    if socket.r#type()? != Type::STREAM {
        let message = format!("a stream socket was expected, got {socket:?}");
        return Err(ValueError::new(message).into());
    }
    let file = match SocketName::from(&socket.local_addr()?) {
        SocketName::Path(path) if options.cleanup_socket => SocketFile::of(&path),
        _ => None,
    };
    Ok(Listener::new(event_loop, socket, file)?)
}

/// Binds to all addresses that all hosts have.
async fn bind_all(
    event_loop: &EventLoop,
    addresses: Vec<Address>,
    options: &Options,
) -> Result<Vec<Listener>> {
    let mut listeners = Vec::new();
    let mut hosts = Vec::new();
    for address in addresses {
        match address.clone().into_kind()? {
            Kind::Name(name @ (SocketName::Path(_) | SocketName::Abstract(_))) => {
                let (socket, file) = bind_unix(&name, options)?;
                listeners.push(Listener::new(event_loop, socket, file)?);
            }
            _ => hosts.push(address),
        }
    }
    let hints = Hints {
        family: options.family,
        flags: libc::AI_PASSIVE,
        ..Hints::of(Type::STREAM)
    };
    let lookups = hosts
        .into_iter()
        .map(|host| async move { resolve(&host, hints).await });
    let found: Vec<Vec<AddrInfo>> = gather(lookups).await?;

    let mut names = Vec::new();
    for info in found.into_iter().flatten() {
        if !names.contains(&info.address) {
            names.push(info.address);
        }
    }
    for &name in &names {
        if let Some(socket) = bind_inet(name, options)? {
            listeners.push(Listener::new(event_loop, socket, None)?);
        }
    }
    if listeners.is_empty() {
        let message = format!("could not bind on any address out of {names:?}");
        return Err(io::Error::new(io::ErrorKind::AddrNotAvailable, message).into());
    }
    Ok(listeners)
}

/// Binds to one address; none where the machine does not have it, nor its family.
fn bind_inet(name: std::net::SocketAddr, options: &Options) -> io::Result<Option<Socket>> {
    let socket = match Socket::new(Domain::for_address(name), Type::STREAM, None) {
        Ok(socket) => socket,
        Err(error) if is_shortage(&error) => return Err(error),
        Err(error) => {
            tracing::debug!(%name, %error, "no socket of this family");
            return Ok(None);
        }
    };
    if options.reuse_address {
        socket.set_reuse_address(true)?;
    }
    if options.reuse_port {
        socket.set_reuse_port(true)?;
    }
    if options.keep_alive {
        socket.set_keepalive(true)?;
    }
    if name.is_ipv6() {
        // Else one socket would serve both families, and the address of the other be in use.
        socket.set_only_v6(true)?;
    }
    match socket.bind(&SockAddr::from(name)) {
        Ok(()) => Ok(Some(socket)),
        Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => {
            tracing::debug!(%name, %error, "no such address");
            Ok(None)
        }
        Err(error) => {
            let reason = error.to_string().to_lowercase();
            let message = format!("error while attempting to bind on address {name}: {reason}");
            Err(io::Error::new(error.kind(), message))
        }
    }
}

fn bind_unix(name: &SocketName, options: &Options) -> io::Result<(Socket, Option<SocketFile>)> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    if let SocketName::Path(path) = name {
        remove_stale(path);
    }
    let bound = rustix::net::bind(&socket, &to_system(name)?);
    bound.map_err(|errno| match io::Error::from(errno) {
        error if error.kind() == io::ErrorKind::AddrInUse => {
            io::Error::new(error.kind(), format!("address {name} is already in use"))
        }
        error => error,
    })?;
    let file = match name {
        SocketName::Path(path) if options.cleanup_socket => SocketFile::of(path),
        _ => None,
    };
    Ok((socket, file))
}

/// Removes the file of a socket that somebody has left.
fn remove_stale(path: &Path) {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
    if is_socket && let Err(error) = fs::remove_file(path) {
        tracing::warn!(path = %path.display(), %error, "cannot remove a stale unix socket");
    }
}
