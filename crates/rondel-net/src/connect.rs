//! Connecting: from an address to a transport and its protocol.
//!
//! Which address answers is found out by [`address`](crate::address); what the transport then does is its own business.
//!
//! # asyncio
//!
//! [`loop.create_connection`](https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.create_connection) and its kin.
//! The many optional arguments are methods of [`Connect`]; the one about TLS is with the rest of TLS.

use std::{num::NonZeroUsize, path::Path, rc::Rc, time::Duration};

use rondel_task::{EventLoop, Result, ValueError, get_running_loop};
use socket2::{Domain, Socket, Type};

use crate::{
    address::{
        Address,
        connect::{ConnectErrors, Connector},
    },
    protocol::{AnyProtocol, StreamProtocol},
    stream::{DEFAULT_LIMIT, StreamReader, StreamWriter, open},
    transport::{
        Transport,
        layering::{Layered, Layering},
        socket::{Circumstances, SocketTransport},
    },
};

/// Connects to `address`, and gives the transport with the protocol that `factory` makes once the connection is there.
///
/// [`Connect`] has the choices; this makes none of them.
///
/// Mirrors
/// [`loop.create_connection`](https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.create_connection).
///
/// # Errors
///
/// The host cannot be found ([`ResolveError`](crate::ResolveError)), or no address of it answers (an I/O error).
///
/// # Examples
///
/// ```
/// use std::cell::RefCell;
/// use rondel_net::{BaseProtocol, Protocol, Server, Transport, create_connection, create_server};
/// use rondel_task::{Exception, Future, Result, get_running_loop, run};
///
/// struct Greeter;
///
/// impl BaseProtocol for Greeter {}
///
/// impl Protocol for Greeter {
///     fn connection_made(&self, transport: Transport) {
///         transport.write("hello").expect("nothing has ended writing");
///         transport.close();
///     }
///
///     fn data_received(&self, _data: &[u8]) {}
/// }
///
/// struct Collect {
///     text: RefCell<Vec<u8>>,
///     lost: Future<()>,
/// }
///
/// impl BaseProtocol for Collect {
///     fn connection_lost(&self, _exception: Option<&Exception>) {
///         self.lost.set_result(()).expect("it is lost once");
///     }
/// }
///
/// impl Protocol for Collect {
///     fn data_received(&self, data: &[u8]) {
///         self.text.borrow_mut().extend_from_slice(data);
///     }
/// }
///
/// # run(async {
/// let server = create_server(|| Greeter, "127.0.0.1:0").await?;
/// let address = server.sockets()[0].getsockname()?;
///
/// let lost = get_running_loop()?.create_future();
/// let text = RefCell::default();
/// let (_transport, collect) = create_connection(move || Collect { text, lost }, &address).await?;
/// collect.lost.clone().await?;
/// assert_eq!(*collect.text.borrow(), b"hello");
/// # Ok(())
/// # }).unwrap();
/// ```
pub async fn create_connection<P, Kind>(
    factory: impl FnOnce() -> P,
    address: impl Into<Address>,
) -> Result<(Transport, Rc<P>)>
where
    P: StreamProtocol<Kind>,
{
    Connect::to(address).create_connection(factory).await
}

/// Connects to the unix socket at `path`; as [`create_connection`] in all else.
///
/// Mirrors
/// [`loop.create_unix_connection`](https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.create_unix_connection).
///
/// # Errors
///
/// What the operating system says.
pub async fn create_unix_connection<P, Kind>(
    factory: impl FnOnce() -> P,
    path: impl AsRef<Path>,
) -> Result<(Transport, Rc<P>)>
where
    P: StreamProtocol<Kind>,
{
    create_connection(factory, path.as_ref()).await
}

/// Connects to `address`, and gives the two ends of the stream: one to read from, one to write to.
///
/// Mirrors [`asyncio.open_connection`](https://docs.python.org/3/library/asyncio-stream.html#asyncio.open_connection).
///
/// # Errors
///
/// As [`create_connection`].
///
/// # Examples
///
/// ```
/// use rondel_net::{open_connection, start_server};
///
/// # rondel_task::run(async {
/// let server = start_server(
///     async |reader, writer| {
///         let line = reader.readline().await?;
///         writer.write(line.to_ascii_uppercase())?;
///         writer.drain().await
///     },
///     "127.0.0.1:0",
/// )
/// .await?;
///
/// let (reader, writer) = open_connection(server.sockets()[0].getsockname()?).await?;
/// writer.write("hello\n")?;
/// assert_eq!(reader.readline().await?, "HELLO\n");
/// # Ok(())
/// # }).unwrap();
/// ```
pub async fn open_connection(address: impl Into<Address>) -> Result<(StreamReader, StreamWriter)> {
    Connect::to(address).open_connection().await
}

/// Connects to the unix socket at `path`; as [`open_connection`] in all else.
///
/// Mirrors [`asyncio.open_unix_connection`](https://docs.python.org/3/library/asyncio-stream.html#asyncio.open_unix_connection).
///
/// # Errors
///
/// What the operating system says.
pub async fn open_unix_connection(path: impl AsRef<Path>) -> Result<(StreamReader, StreamWriter)> {
    open_connection(path.as_ref()).await
}

/// Makes a transport of a connection that was accepted elsewhere.
///
/// Mirrors
/// [`loop.connect_accepted_socket`](https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.connect_accepted_socket).
///
/// # Errors
///
/// As [`Connect::with_socket`].
pub async fn connect_accepted_socket<P, Kind>(
    factory: impl FnOnce() -> P,
    socket: Socket,
) -> Result<(Transport, Rc<P>)>
where
    P: StreamProtocol<Kind>,
{
    Connect::with_socket(socket)
        .create_connection(factory)
        .await
}

/// A connection to be made: where to, and how.
///
/// # Examples
///
/// ```no_run
/// use std::time::Duration;
/// use rondel_net::Connect;
///
/// # async fn example() -> rondel_task::Result<()> {
/// let (reader, writer) = Connect::to("example.org:80")
///     .local_address("0.0.0.0:0")
///     .happy_eyeballs_delay(Duration::from_millis(250))
///     .open_connection()
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "it does nothing until a transport or a stream is made of it"]
pub struct Connect {
    goal: Goal,
    layer: Option<Box<dyn Layering>>,
    limit: usize,
}

#[derive(Debug)]
enum Goal {
    Address(Box<Connector>),
    /// A socket that is connected already.
    Socket(Socket),
}

impl Connect {
    /// Begins to describe a connection to an address: of a host, an IP address, or the path of a unix socket.
    pub fn to(address: impl Into<Address>) -> Self {
        Self::from_goal(Goal::Address(Box::new(Connector::new(address))))
    }

    /// Takes a socket that is connected already: asyncio's `sock`. It is made non-blocking.
    ///
    /// What is said about addresses has no effect on it.
    /// A socket that is no stream socket is refused with a [`ValueError`] when the connection is made, one that the loop watches already with an I/O error.
    pub fn with_socket(socket: Socket) -> Self {
        Self::from_goal(Goal::Socket(socket))
    }

    fn from_goal(goal: Goal) -> Self {
        Self {
            goal,
            layer: None,
            limit: DEFAULT_LIMIT.get(),
        }
    }

    /// Connects to addresses of this family only.
    pub fn family(self, family: Domain) -> Self {
        self.about_address(|connector| connector.family = Some(family))
    }

    /// Binds the socket to an address of this end before it is connected: asyncio's `local_addr`.
    pub fn local_address(self, address: impl Into<Address>) -> Self {
        self.about_address(|connector| connector.local_address = Some(address.into()))
    }

    /// Starts the attempt at the next address after `delay`, beside the one before, and not only when that has failed (RFC 8305).
    ///
    /// The RFC recommends 250 ms.
    pub fn happy_eyeballs_delay(self, delay: Duration) -> Self {
        self.about_address(|connector| connector.happy_eyeballs_delay = Some(delay))
    }

    /// Has the address families take turns after the first `count` addresses of the first family; 0 keeps the system's order.
    ///
    /// With a [`happy_eyeballs_delay`](Self::happy_eyeballs_delay) the default is 1.
    pub fn interleave(self, count: usize) -> Self {
        self.about_address(|connector| connector.interleave = NonZeroUsize::new(count))
    }

    /// Says what is raised when no address answers; [`ConnectErrors::Group`] is asyncio's `all_errors`.
    pub fn errors(self, errors: ConnectErrors) -> Self {
        self.about_address(|connector| connector.errors = errors)
    }

    /// Sets the [limit](StreamReader::with_limit) of the reader, in bytes, for [`open_connection`](Self::open_connection).
    pub fn limit(self, limit: usize) -> Self {
        Self { limit, ..self }
    }

    fn about_address(mut self, set: impl FnOnce(&mut Connector)) -> Self {
        if let Goal::Address(connector) = &mut self.goal {
            set(connector);
        }
        self
    }

    /// Puts a layer between the socket and the protocol.
    #[cfg(feature = "tls")]
    pub(crate) fn with_layer(self, layer: Box<dyn Layering>) -> Self {
        Self {
            layer: Some(layer),
            ..self
        }
    }

    /// Returns where to connect to, where it is not a socket that is connected already.
    #[cfg(feature = "tls")]
    pub(crate) fn address(&self) -> Option<&Address> {
        match &self.goal {
            Goal::Address(connector) => Some(&connector.address),
            Goal::Socket(_) => None,
        }
    }

    /// Makes the connection, and gives its transport with the protocol that `factory` makes once it is there.
    ///
    /// # Errors
    ///
    /// As [`create_connection`].
    pub async fn create_connection<P, Kind>(
        self,
        factory: impl FnOnce() -> P,
    ) -> Result<(Transport, Rc<P>)>
    where
        P: StreamProtocol<Kind>,
    {
        let (socket, layer) = self.connect().await?;
        let protocol = Rc::new(factory());
        let transport = transport_of(socket, layer, Rc::clone(&protocol).into_any()).await?;
        Ok((transport, protocol))
    }

    /// Makes the connection, and gives the two ends of its stream.
    ///
    /// # Errors
    ///
    /// As [`create_connection`], and a [`ValueError`] for a limit of 0.
    pub async fn open_connection(self) -> Result<(StreamReader, StreamWriter)> {
        let reader = StreamReader::with_limit(self.limit)?;
        let (socket, layer) = self.connect().await?;
        open(reader, async |protocol| {
            transport_of(socket, layer, protocol).await
        })
        .await
    }

    async fn connect(self) -> Result<(Socket, Option<Box<dyn Layering>>)> {
        let socket = match self.goal {
            Goal::Address(connector) => connector.connect().await?,
            Goal::Socket(socket) => {
                if socket.r#type()? != Type::STREAM {
                    let message = format!("a stream socket was expected, got {socket:?}");
                    return Err(ValueError::new(message).into());
                }
                socket
            }
        };
        Ok((socket, self.layer))
    }
}

/// Makes the transport and waits until its protocol has heard of it.
async fn transport_of(
    socket: Socket,
    layer: Option<Box<dyn Layering>>,
    protocol: AnyProtocol,
) -> Result<Transport> {
    let event_loop = get_running_loop()?;
    made(&event_loop, |circumstances| {
        let Some(layer) = layer else {
            return SocketTransport::open(&event_loop, socket, protocol, circumstances);
        };
        let Layered { below, above } = layer.layer(&event_loop, protocol, circumstances.waiter)?;
        SocketTransport::open(&event_loop, socket, below, Circumstances::default())?;
        Ok(above)
    })
    .await
}

/// Waits until the protocol of a new transport has heard of it; a transport that nobody waits for any more is closed.
pub(crate) async fn made(
    event_loop: &EventLoop,
    open: impl FnOnce(Circumstances) -> Result<Transport>,
) -> Result<Transport> {
    let waiter = event_loop.create_future();
    let transport = open(Circumstances {
        waiter: Some(waiter.clone()),
        ..Circumstances::default()
    })?;
    let unclaimed = Unclaimed::new(transport);
    waiter.await?;
    Ok(unclaimed.claim())
}

/// A transport whose maker may stop waiting for it.
pub(crate) struct Unclaimed(Option<Transport>);

impl Unclaimed {
    pub(crate) fn new(transport: Transport) -> Self {
        Self(Some(transport))
    }

    pub(crate) fn claim(mut self) -> Transport {
        self.0.take().expect("it is taken once")
    }
}

impl Drop for Unclaimed {
    fn drop(&mut self) {
        if let Some(transport) = self.0.take() {
            transport.close();
        }
    }
}
