//! The name of one end of a socket, and the handle of a socket that belongs to a transport or a server.
//!
//! # asyncio
//!
//! The tuples and strings of `getsockname` and `getpeername`, as one type; `trsock.TransportSocket`.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    path::Path,
    rc::Weak,
    sync::Arc,
};

use rondel_reactor::FdWatch;
use socket2::{SockAddr, SockRef, Socket};

/// The name of one end of a socket.
///
/// # Examples
///
/// ```
/// use std::net::SocketAddr;
/// use rondel_net::SocketName;
///
/// let name = SocketName::from("127.0.0.1:80".parse::<SocketAddr>()?);
/// assert_eq!(name.port(), Some(80));
/// assert_eq!(name.to_string(), "127.0.0.1:80");
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum SocketName {
    /// An IP address and a port.
    Inet(SocketAddr),
    /// The path of a unix socket.
    Path(Arc<Path>),
    /// The name of a unix socket that is in no file system.
    Abstract(Arc<[u8]>),
    /// A socket without a name, such as the connecting end of a unix socket.
    Unnamed,
}

impl SocketName {
    /// Returns the IP address and port, where it has them.
    #[must_use]
    pub fn as_inet(&self) -> Option<SocketAddr> {
        match self {
            Self::Inet(address) => Some(*address),
            _ => None,
        }
    }

    /// Returns the IP address, where it has one.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        self.as_inet().map(|address| address.ip())
    }

    /// Returns the port, where it has one.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.as_inet().map(|address| address.port())
    }

    /// Returns the path, where it has one.
    #[must_use]
    pub fn as_path(&self) -> Option<&Path> {
        match self {
            Self::Path(path) => Some(path),
            _ => None,
        }
    }
}

impl From<SocketAddr> for SocketName {
    fn from(address: SocketAddr) -> Self {
        Self::Inet(address)
    }
}

impl From<&SockAddr> for SocketName {
    fn from(address: &SockAddr) -> Self {
        if let Some(address) = address.as_socket() {
            return Self::Inet(address);
        }
        if let Some(path) = address.as_pathname() {
            return Self::Path(path.into());
        }
        if let Some(name) = address.as_abstract_namespace() {
            return Self::Abstract(name.into());
        }
        Self::Unnamed
    }
}

impl fmt::Display for SocketName {
    /// Writes an abstract name as the tools of Linux do, with an `@` in front.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet(address) => address.fmt(f),
            Self::Path(path) => path.display().fmt(f),
            Self::Abstract(name) => write!(f, "@{}", name.escape_ascii()),
            Self::Unnamed => f.write_str("unnamed"),
        }
    }
}

/// A socket that belongs to a transport or a server: what can be known of it and which options it has.
///
/// It does not keep the socket open: once the owner has closed it, every method says so.
///
/// Mirrors `asyncio.trsock.TransportSocket`.
#[derive(Clone)]
pub struct TransportSocket(Weak<Socket>);

impl TransportSocket {
    pub(crate) fn new(watch: &FdWatch<Socket>) -> Self {
        Self(watch.downgrade())
    }

    /// Returns the name of this end.
    ///
    /// # Errors
    ///
    /// What the operating system says, or that the socket is closed.
    pub fn getsockname(&self) -> io::Result<SocketName> {
        self.with(|socket| socket.local_addr())?
            .map(|address| SocketName::from(&address))
    }

    /// Returns the name of the other end.
    ///
    /// # Errors
    ///
    /// What the operating system says, or that the socket is closed.
    pub fn getpeername(&self) -> io::Result<SocketName> {
        self.with(|socket| socket.peer_addr())?
            .map(|address| SocketName::from(&address))
    }

    /// Calls `f` with the socket, for its options.
    ///
    /// Reading from it or writing to it mixes up what the transport does.
    ///
    /// # Errors
    ///
    /// When the socket is closed.
    ///
    /// # Examples
    ///
    /// ```
    /// use rondel_net::{TransportSocket, extra_info, Transport};
    ///
    /// fn keep_alive(transport: &Transport) -> std::io::Result<()> {
    ///     match transport.get_extra_info(extra_info::Socket) {
    ///         Some(socket) => socket.with(|socket| socket.set_keepalive(true))?,
    ///         None => Ok(()),
    ///     }
    /// }
    /// ```
    pub fn with<R>(&self, f: impl FnOnce(SockRef<'_>) -> R) -> io::Result<R> {
        match self.0.upgrade() {
            Some(socket) => Ok(f(SockRef::from(&*socket))),
            None => Err(io::Error::new(
                io::ErrorKind::NotConnected,
                "the socket is closed",
            )),
        }
    }
}

impl fmt::Debug for TransportSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use std::os::fd::AsRawFd as _;
        match self.0.upgrade() {
            Some(socket) => write!(f, "<TransportSocket fd={}>", socket.as_raw_fd()),
            None => f.write_str("<TransportSocket closed>"),
        }
    }
}
