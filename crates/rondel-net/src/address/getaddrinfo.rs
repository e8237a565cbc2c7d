//! `getaddrinfo`: from a host and a port to the addresses of sockets, in a thread of the default executor.
//!
//! The names are looked up by the system's resolver, and nothing is cached here.
//!
//! # asyncio
//!
//! `loop.getaddrinfo`, and `_ensure_resolved` with `_ipaddr_info`: an IP address is answered at once where the kind of socket is given, with no thread.
//! A host is given to the resolver as it is, where Python first encodes it with IDNA 2003.

use std::{
    error::Error,
    fmt,
    future::{Future, IntoFuture},
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
};

use dns_lookup::{AddrInfoHints, LookupError};
use rondel_task::{Exception, Result, ValueError, get_running_loop};
use socket2::{Domain, Protocol, Type};

use super::{Address, Kind, Service};
use crate::SocketName;

/// One address that a host and a port have come to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AddrInfo {
    /// The address family.
    pub family: Domain,
    /// The kind of socket.
    pub socket_type: Type,
    /// The protocol; none where the system has named none.
    pub protocol: Option<Protocol>,
    /// The canonical name of the host, in the first place of the list only and where it was [asked for](GetAddrInfo::canonical_name).
    pub canonical_name: Option<String>,
    /// The address.
    pub address: SocketAddr,
}

/// Looks up the addresses of a host, with a port.
///
/// An IP address is answered without a thread where the [kind of socket](GetAddrInfo::socket_type) is given.
///
/// Mirrors [`loop.getaddrinfo`](https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.getaddrinfo).
///
/// # Examples
///
/// ```
/// use rondel_net::getaddrinfo;
/// use rondel_task::run;
/// use socket2::Type;
///
/// let found = run(async {
///     getaddrinfo(("127.0.0.1", 80)).socket_type(Type::STREAM).await
/// });
/// assert_eq!(found.unwrap()[0].address, "127.0.0.1:80".parse().unwrap());
/// ```
pub fn getaddrinfo(address: impl Into<Address>) -> GetAddrInfo {
    GetAddrInfo {
        address: address.into(),
        hints: Hints::default(),
    }
}

/// A lookup that begins when it is awaited: what [`getaddrinfo`] gives.
///
/// It gives a list of [`AddrInfo`], in the system's order.
///
/// # Errors
///
/// [`ResolveError`] where the system knows no such host; a [`ValueError`] for an address that is none; `CancelledError` when the task is cancelled, while the
/// thread goes on by itself.
#[derive(Clone, Debug)]
#[must_use = "it does nothing unless it is awaited"]
pub struct GetAddrInfo {
    address: Address,
    hints: Hints,
}

/// What is wanted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Hints {
    pub(crate) family: Option<Domain>,
    pub(crate) socket_type: Option<Type>,
    pub(crate) protocol: Option<Protocol>,
    /// The `AI_` flags.
    pub(crate) flags: i32,
}

impl Hints {
    /// Asks for sockets of this kind.
    pub(crate) fn of(socket_type: Type) -> Self {
        Self {
            socket_type: Some(socket_type),
            ..Self::default()
        }
    }
}

impl GetAddrInfo {
    /// Asks for addresses of one family.
    pub fn family(mut self, family: Domain) -> Self {
        self.hints.family = Some(family);
        self
    }

    /// Asks for one kind of socket; otherwise there is one answer for each.
    pub fn socket_type(mut self, socket_type: Type) -> Self {
        self.hints.socket_type = Some(socket_type);
        self
    }

    /// Asks for one protocol.
    pub fn protocol(mut self, protocol: Protocol) -> Self {
        self.hints.protocol = Some(protocol);
        self
    }

    /// Asks for addresses to bind to: a host of `""` then stands for every interface.
    pub fn passive(mut self) -> Self {
        self.hints.flags |= libc::AI_PASSIVE;
        self
    }

    /// Asks for the canonical name of the host too.
    pub fn canonical_name(mut self) -> Self {
        self.hints.flags |= libc::AI_CANONNAME;
        self
    }
}

impl IntoFuture for GetAddrInfo {
    type Output = Result<Vec<AddrInfo>>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<Vec<AddrInfo>>>>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { resolve(&self.address, self.hints).await })
    }
}

/// Looks up an address unless that is an IP address; the list is not empty.
pub(crate) async fn resolve(address: &Address, hints: Hints) -> Result<Vec<AddrInfo>> {
    let (host, service) = match address.clone().into_kind()? {
        Kind::Host { host, service } => (host, service),
        Kind::Name(SocketName::Inet(address)) => {
            if let Some(known) = literal(address, hints) {
                return Ok(vec![known]);
            }
            let port = Service::Port(address.port());
            (address.ip().to_string(), port)
        }
        Kind::Name(_) | Kind::Text(_) => {
            let message = format!("{address} is not the address of a host");
            return Err(ValueError::new(message).into());
        }
    };
    if let (Ok(ip), Service::Port(port)) = (host.parse::<IpAddr>(), &service)
        && let Some(known) = literal(SocketAddr::new(ip, *port), hints)
    {
        return Ok(vec![known]);
    }
    let look_up = move || look_up(&host, &service, hints);
    get_running_loop()?.run_in_executor(None, look_up)?.await
}

/// The answer for an IP address; none where it takes the system to know it.
fn literal(address: SocketAddr, hints: Hints) -> Option<AddrInfo> {
    let family = Domain::for_address(address);
    let (socket_type, protocol) = match hints.socket_type? {
        Type::STREAM => (Type::STREAM, Protocol::TCP),
        Type::DGRAM => (Type::DGRAM, Protocol::UDP),
        _ => return None,
    };
    let as_wanted = hints.family.is_none_or(|wanted| wanted == family)
        && hints.protocol.is_none_or(|wanted| wanted == protocol)
        && hints.flags & libc::AI_CANONNAME == 0;
    as_wanted.then_some(AddrInfo {
        family,
        socket_type,
        protocol: Some(protocol),
        canonical_name: None,
        address,
    })
}

/// Asks the system; blocks.
fn look_up(host: &str, service: &Service, hints: Hints) -> Result<Vec<AddrInfo>> {
    let service = service.to_string();
    let wanted = AddrInfoHints {
        flags: hints.flags,
        address: hints.family.map_or(0, i32::from),
        socktype: hints.socket_type.map_or(0, i32::from),
        protocol: hints.protocol.map_or(0, i32::from),
    };
    // No host is every interface, or this machine.
    let name = (!host.is_empty()).then_some(host);
    let found = dns_lookup::getaddrinfo(name, Some(&service), Some(wanted))
        .map_err(|error| ResolveError::new(host, error))?;
    let found = found
        .map(|found| Ok(AddrInfo::from(found?)))
        .collect::<io::Result<Vec<_>>>()?;
    if found.is_empty() {
        return Err(Exception::new(io::Error::other(format!(
            "getaddrinfo({host:?}) returned empty list"
        ))));
    }
    Ok(found)
}

impl From<dns_lookup::AddrInfo> for AddrInfo {
    fn from(found: dns_lookup::AddrInfo) -> Self {
        Self {
            family: found.address.into(),
            socket_type: found.socktype.into(),
            protocol: (found.protocol != 0).then(|| found.protocol.into()),
            canonical_name: found.canonname,
            address: found.sockaddr,
        }
    }
}

/// Says that a host could not be found, or an address not be named.
///
/// Mirrors Python's `socket.gaierror`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolveError {
    host: String,
    code: i32,
    reason: String,
}

impl ResolveError {
    pub(crate) fn new(host: &str, error: LookupError) -> Self {
        let code = error.error_num();
        let text = io::Error::from(error).to_string();
        let reason = text
            .strip_prefix("failed to lookup address information: ")
            .unwrap_or(&text);
        Self {
            host: host.to_owned(),
            code,
            reason: reason.to_owned(),
        }
    }

    /// Returns the host that was looked up.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the system's number for what was wrong: one of its `EAI_` constants.
    #[must_use]
    pub fn code(&self) -> i32 {
        self.code
    }
}

impl fmt::Display for ResolveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot resolve {:?}: {}", self.host, self.reason)
    }
}

impl Error for ResolveError {}
