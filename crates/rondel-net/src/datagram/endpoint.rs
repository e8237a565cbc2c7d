//! `create_datagram_endpoint`: a socket for datagrams, bound, connected, or neither.
//!
//! # asyncio
//!
//! `create_datagram_endpoint` of `base_events.py`; its arguments are a [`DatagramEndpoint`].

use std::{fs, io, os::unix::fs::FileTypeExt, path::Path, rc::Rc};

use rondel_task::{Exception, Result, ValueError, get_running_loop};
use socket2::{Domain, Protocol, Socket, Type};

use super::{DatagramProtocol, DatagramTransport, socket::DatagramSocket};
use crate::{
    SocketName,
    address::{Address, Hints, Kind, resolve},
    socket::{self, AsyncFd, to_system},
};

/// Makes an endpoint of datagrams, and gives it with its protocol once that has been told.
///
/// Mirrors
/// [`create_datagram_endpoint`](https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.create_datagram_endpoint).
///
/// # Errors
///
/// What the operating system says of the first pair of addresses, when none can be bound and connected; a
/// [`ResolveError`](crate::ResolveError) for a host that cannot be found; a [`ValueError`] where local and remote address have no family in common;
/// `CancelledError` when the task is cancelled.
///
/// # Examples
///
/// ```
/// use std::{cell::RefCell, rc::Rc};
/// use rondel_net::{
///     BaseProtocol, DatagramEndpoint, DatagramProtocol, SocketName, create_datagram_endpoint, extra_info::Sockname,
/// };
/// use rondel_task::{Future, get_running_loop, run};
///
/// struct First(Future<Vec<u8>>);
///
/// impl BaseProtocol for First {}
///
/// impl DatagramProtocol for First {
///     fn datagram_received(&self, data: &[u8], _sender: &SocketName) {
///         let _ = self.0.set_result(data.to_vec());
///     }
/// }
///
/// let received = run(async {
///     let first = get_running_loop()?.create_future();
///     let here = DatagramEndpoint::local(("127.0.0.1", 0));
///     let (server, protocol) = create_datagram_endpoint(|| First(first), here).await?;
///     let address = server.get_extra_info(Sockname).expect("it is bound");
///
///     let there = DatagramEndpoint::remote(address);
///     let unused = get_running_loop()?.create_future();
///     let (client, _) = create_datagram_endpoint(|| First(unused), there).await?;
///     client.send(b"hello")?;
///     protocol.0.clone().await
/// });
/// assert_eq!(received.unwrap(), b"hello");
/// ```
pub async fn create_datagram_endpoint<P: DatagramProtocol>(
    protocol_factory: impl FnOnce() -> P,
    endpoint: DatagramEndpoint,
) -> Result<(DatagramTransport, Rc<P>)> {
    let event_loop = get_running_loop()?;
    let (socket, address) = endpoint.open().await?;
    let protocol = Rc::new(protocol_factory());
    let waiter = event_loop.create_future();
    let transport = DatagramSocket::open(
        &event_loop,
        socket,
        protocol.clone(),
        address,
        waiter.clone(),
    )?;
    waiter.await.inspect_err(|_| transport.close())?;
    Ok((transport, protocol))
}

/// Where an endpoint of datagrams is, and whom it sends to: the arguments of [`create_datagram_endpoint`].
///
/// With a remote address the socket is connected to it and receives from nobody else.
#[derive(Debug)]
#[must_use = "it is to be given to `create_datagram_endpoint`"]
pub struct DatagramEndpoint {
    socket: Option<Socket>,
    family: Option<Domain>,
    protocol: Option<Protocol>,
    local: Option<Address>,
    remote: Option<Address>,
    reuse_port: bool,
    allow_broadcast: bool,
}

impl DatagramEndpoint {
    /// An endpoint at a local address: `("127.0.0.1", 0)`, or a path.
    ///
    /// A unix socket that was left over at the path is removed.
    pub fn local(address: impl Into<Address>) -> Self {
        Self {
            local: Some(address.into()),
            ..Self::nowhere()
        }
    }

    /// An endpoint that sends to one remote address.
    pub fn remote(address: impl Into<Address>) -> Self {
        Self {
            remote: Some(address.into()),
            ..Self::nowhere()
        }
    }

    /// An endpoint with no address of its own yet; the system gives it one when it sends.
    pub fn unbound(family: Domain) -> Self {
        Self::nowhere().family(family)
    }

    /// An endpoint of a socket that is made already; nothing else about it can be chosen.
    pub fn socket(socket: Socket) -> Self {
        Self {
            socket: Some(socket),
            ..Self::nowhere()
        }
    }

    fn nowhere() -> Self {
        Self {
            socket: None,
            family: None,
            protocol: None,
            local: None,
            remote: None,
            reuse_port: false,
            allow_broadcast: false,
        }
    }

    /// Binds to a local address as well.
    pub fn local_address(mut self, address: impl Into<Address>) -> Self {
        self.local = Some(address.into());
        self
    }

    /// Sends to one remote address as well.
    pub fn remote_address(mut self, address: impl Into<Address>) -> Self {
        self.remote = Some(address.into());
        self
    }

    /// Takes addresses of one family only.
    pub fn family(mut self, family: Domain) -> Self {
        self.family = Some(family);
        self
    }

    /// Takes addresses of one protocol only.
    pub fn protocol(mut self, protocol: Protocol) -> Self {
        self.protocol = Some(protocol);
        self
    }

    /// Lets other sockets be bound to the same address and port, if they allow it too.
    pub fn reuse_port(mut self) -> Self {
        self.reuse_port = true;
        self
    }

    /// Allows to send to the broadcast address; the socket is not connected to its remote address then.
    pub fn allow_broadcast(mut self) -> Self {
        self.allow_broadcast = true;
        self
    }

    /// Gives a socket that is ready, and where all datagrams go.
    async fn open(mut self) -> Result<(Socket, Option<SocketName>)> {
        if let Some(socket) = self.socket.take() {
            self.check_given(&socket)?;
            socket.set_nonblocking(true)?;
            return Ok((socket, None));
        }
        let mut first_error = None;
        for place in self.places().await? {
            match self.open_at(&place).await {
                Ok(socket) => return Ok((socket, place.remote)),
                Err(error) if !error.is::<io::Error>() => return Err(error),
                Err(error) => {
                    first_error.get_or_insert(error);
                }
            }
        }
        Err(first_error.unwrap_or_else(no_address))
    }

    fn check_given(&self, socket: &Socket) -> Result<()> {
        if socket.r#type()? == Type::STREAM {
            let message = format!("A datagram socket was expected, got {socket:?}");
            return Err(ValueError::new(message).into());
        }
        let is_modified = self.family.is_some()
            || self.protocol.is_some()
            || self.local.is_some()
            || self.remote.is_some()
            || self.reuse_port
            || self.allow_broadcast;
        if is_modified {
            let message = "nothing about a socket can be chosen when it is given";
            return Err(ValueError::new(message).into());
        }
        Ok(())
    }

    /// Where the socket may be and whom it may send to, in the order in which that is to be tried.
    async fn places(&self) -> Result<Vec<Place>> {
        let mut places: Vec<Place> = Vec::new();
        for (end, address) in [(End::Local, &self.local), (End::Remote, &self.remote)] {
            let Some(address) = address else { continue };
            for (family, protocol, name) in self.names(address).await? {
                let same = |place: &Place| place.family == family && place.protocol == protocol;
                let place = match places.iter().position(same) {
                    Some(place) => place,
                    None => {
                        places.push(Place {
                            family,
                            protocol,
                            local: None,
                            remote: None,
                        });
                        places.len() - 1
                    }
                };
                match end {
                    End::Local => places[place].local = Some(name),
                    End::Remote => places[place].remote = Some(name),
                }
            }
        }
        if let (None, None, Some(family)) = (&self.local, &self.remote, self.family) {
            places.push(Place {
                family,
                protocol: self.protocol,
                local: None,
                remote: None,
            });
        }
        places.retain(|place| {
            place.local.is_some() == self.local.is_some()
                && place.remote.is_some() == self.remote.is_some()
        });
        if places.is_empty() {
            return Err(no_address());
        }
        Ok(places)
    }

    /// What an address comes to.
    async fn names(
        &self,
        address: &Address,
    ) -> Result<Vec<(Domain, Option<Protocol>, SocketName)>> {
        let kind = address.clone().into_kind()?;
        if let Kind::Name(name @ (SocketName::Path(_) | SocketName::Abstract(_))) = kind {
            return Ok(vec![(Domain::UNIX, self.protocol, name)]);
        }
        let hints = Hints {
            family: self.family,
            protocol: self.protocol,
            ..Hints::of(Type::DGRAM)
        };
        let infos = resolve(address, hints).await?;
        let name = |info: crate::AddrInfo| (info.family, info.protocol, info.address.into());
        Ok(infos.into_iter().map(name).collect())
    }

    async fn open_at(&self, place: &Place) -> Result<Socket> {
        let socket = Socket::new(place.family, Type::DGRAM, place.protocol)?;
        if self.reuse_port {
            socket.set_reuse_port(true)?;
        }
        if self.allow_broadcast {
            socket.set_broadcast(true)?;
        }
        socket.set_nonblocking(true)?;
        if let Some(local) = &place.local {
            if let Some(path) = local.as_path() {
                remove_stale(path);
            }
            rustix::net::bind(&socket, &to_system(local)?).map_err(io::Error::from)?;
        }
        let Some(remote) = place.remote.as_ref().filter(|_| !self.allow_broadcast) else {
            return Ok(socket);
        };
        let socket = AsyncFd::new(socket)?;
        socket::connect(&socket, remote).await?;
        socket
            .into_inner()
            .ok_or_else(|| Exception::new(crate::ClosedFdError))
    }
}

/// One choice of addresses, of one family and protocol.
struct Place {
    family: Domain,
    protocol: Option<Protocol>,
    local: Option<SocketName>,
    remote: Option<SocketName>,
}

#[derive(Clone, Copy)]
enum End {
    Local,
    Remote,
}

fn no_address() -> Exception {
    ValueError::new("can not get address information").into()
}

/// Removes a unix socket that an earlier program has left.
fn remove_stale(path: &Path) {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket());
    if is_socket && let Err(error) = fs::remove_file(path) {
        tracing::error!(?path, %error, "unable to remove a stale unix socket");
    }
}
