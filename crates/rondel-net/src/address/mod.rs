//! Where to connect to and what to bind to: addresses as they are given, and what they come to.
//!
//! No socket is connected here but by [`connect`], and none listens.
//!
//! # asyncio
//!
//! The `(host, port)` arguments, [`loop.getaddrinfo`](https://docs.python.org/3/library/asyncio-eventloop.html#dns), and of
//! `create_connection` the part that finds an address that answers.

pub(crate) mod connect;
mod getaddrinfo;
mod getnameinfo;

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6},
    path::{Path, PathBuf},
};

use rondel_task::ValueError;

use crate::SocketName;

pub use getaddrinfo::{AddrInfo, GetAddrInfo, ResolveError, getaddrinfo};
pub(crate) use getaddrinfo::{Hints, resolve};
pub use getnameinfo::{GetNameInfo, getnameinfo};

/// An address as a caller gives it: a name and a port, an IP address and a port, or the path of a unix socket.
///
/// Functions take `impl Into<Address>`: `"example.org:80"`, `("example.org", 80)`, `("example.org", "http")`, `("::1", 80)`, a [`SocketAddr`], a [`Path`].
/// A host of `""` stands for every interface where one binds, and for this machine where one connects.
///
/// # Examples
///
/// ```
/// use std::{net::Ipv6Addr, path::Path};
/// use rondel_net::Address;
///
/// assert_eq!(Address::from(("example.org", 80)).to_string(), "example.org:80");
/// assert_eq!(Address::from((Ipv6Addr::LOCALHOST, 80)).to_string(), "[::1]:80");
/// assert_eq!(Address::from(Path::new("/run/app.sock")).to_string(), "/run/app.sock");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address(Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Still in one piece: `"host:port"`.
    Text(String),
    /// To be looked up, unless the host is a literal.
    Host { host: String, service: Service },
    /// The name of a socket, as it is.
    Name(SocketName),
}

/// A port, or the name by which the system knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    Port(u16),
    Name(String),
}

impl Address {
    /// Returns the host as it was given, where there is one: a name, or the text of an IP address.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        match &self.0 {
            Kind::Text(text) => split(text).map(|(host, _)| host),
            Kind::Host { host, .. } => Some(host),
            Kind::Name(_) => None,
        }
    }

    /// Takes the text apart.
    pub(crate) fn into_kind(self) -> Result<Kind, ValueError> {
        let Kind::Text(text) = self.0 else {
            return Ok(self.0);
        };
        let Some((host, service)) = split(&text) else {
            return Err(ValueError::new(format!(
                "an address is to be `host:port`, and {text:?} is not"
            )));
        };
        Ok(Kind::Host {
            host: host.to_owned(),
            service: service.into(),
        })
    }
}

/// Takes `host:port` apart; the host of an IPv6 literal stands in brackets.
fn split(text: &str) -> Option<(&str, &str)> {
    let (host, service) = text.rsplit_once(':')?;
    let bracketed = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    match bracketed {
        _ if service.is_empty() => None,
        Some(literal) => Some((literal, service)),
        None if host.contains(':') => None,
        None => Some((host, service)),
    }
}

impl From<&str> for Service {
    fn from(text: &str) -> Self {
        match text.parse() {
            Ok(port) => Self::Port(port),
            Err(_) => Self::Name(text.to_owned()),
        }
    }
}

impl From<u16> for Service {
    fn from(port: u16) -> Self {
        Self::Port(port)
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(port) => port.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Text(text) => text.fmt(f),
            Kind::Host { host, service } if host.contains(':') => write!(f, "[{host}]:{service}"),
            Kind::Host { host, service } => write!(f, "{host}:{service}"),
            Kind::Name(name) => name.fmt(f),
        }
    }
}

/// Conversions that need only say how.
macro_rules! address_from {
    ($($from:ty: $value:pat => $kind:expr;)*) => {
        $(impl From<$from> for Address {
            fn from($value: $from) -> Self {
                Self($kind)
            }
        })*
    };
}

fn host(host: impl Into<String>, service: impl Into<Service>) -> Kind {
    Kind::Host {
        host: host.into(),
        service: service.into(),
    }
}

fn inet(address: impl Into<SocketAddr>) -> Kind {
    Kind::Name(SocketName::Inet(address.into()))
}

fn path(path: &Path) -> Kind {
    Kind::Name(SocketName::Path(path.into()))
}

address_from! {
    &str: text => Kind::Text(text.to_owned());
    String: text => Kind::Text(text);
    &String: text => Kind::Text(text.clone());
    (&str, u16): (name, port) => host(name, port);
    (String, u16): (name, port) => host(name, port);
    (&String, u16): (name, port) => host(name, port);
    (&str, &str): (name, service) => host(name, service);
    (IpAddr, u16): address => inet(address);
    (Ipv4Addr, u16): address => inet(address);
    (Ipv6Addr, u16): address => inet(address);
    SocketAddr: address => inet(address);
    SocketAddrV4: address => inet(address);
    SocketAddrV6: address => inet(address);
    &Path: file => path(file);
    PathBuf: file => path(&file);
    &PathBuf: file => path(file);
    SocketName: name => Kind::Name(name);
    &SocketName: name => Kind::Name(name.clone());
}

impl From<&Address> for Address {
    fn from(address: &Address) -> Self {
        address.clone()
    }
}
