//! `getnameinfo`: from an address to the names of its host and its service, in a thread of the default executor.
//!
//! # asyncio
//!
//! `loop.getnameinfo`; numbers alone are answered at once, with no thread.

use std::{
    future::{Future, IntoFuture},
    net::SocketAddr,
    pin::Pin,
};

use rondel_task::{Result, get_running_loop};

use super::ResolveError;

/// Looks up the names of the host and the service of an address.
///
/// Mirrors [`loop.getnameinfo`](https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.getnameinfo).
///
/// # Examples
///
/// ```
/// use rondel_net::getnameinfo;
/// use rondel_task::run;
///
/// let address = "127.0.0.1:80".parse().unwrap();
/// let names = run(async move { getnameinfo(address).numeric_host().numeric_service().await });
/// assert_eq!(names.unwrap(), ("127.0.0.1".to_owned(), "80".to_owned()));
/// ```
pub fn getnameinfo(address: SocketAddr) -> GetNameInfo {
    GetNameInfo { address, flags: 0 }
}

/// A lookup that begins when it is awaited: what [`getnameinfo`] gives.
///
/// It gives the names of the host and of the service; a number for what has no name.
///
/// # Errors
///
/// [`ResolveError`] when the host has no name and [must have one](Self::name_required), or the system fails; `CancelledError` when the task is cancelled,
/// while the thread goes on by itself.
#[derive(Clone, Debug)]
#[must_use = "it does nothing unless it is awaited"]
pub struct GetNameInfo {
    address: SocketAddr,
    /// The `NI_` flags.
    flags: i32,
}

impl GetNameInfo {
    /// Asks for the host's address instead of its name.
    pub fn numeric_host(mut self) -> Self {
        self.flags |= libc::NI_NUMERICHOST;
        self
    }

    /// Asks for the port's number instead of its name.
    pub fn numeric_service(mut self) -> Self {
        self.flags |= libc::NI_NUMERICSERV;
        self
    }

    /// Makes it an error when the host has no name.
    pub fn name_required(mut self) -> Self {
        self.flags |= libc::NI_NAMEREQD;
        self
    }

    /// Asks for the name of a service by datagrams, where it differs.
    pub fn datagram(mut self) -> Self {
        self.flags |= libc::NI_DGRAM;
        self
    }

    async fn look_up(self) -> Result<(String, String)> {
        let Self { address, flags } = self;
        let numbers = libc::NI_NUMERICHOST | libc::NI_NUMERICSERV;
        let scope = matches!(address, SocketAddr::V6(address) if address.scope_id() != 0);
        // The system writes the name of a scope, and only it can say that a name is missing.
        if flags & numbers == numbers && flags & libc::NI_NAMEREQD == 0 && !scope {
            return Ok((address.ip().to_string(), address.port().to_string()));
        }
        let ask = move || {
            let names = dns_lookup::getnameinfo(&address, flags);
            Ok(names.map_err(|error| ResolveError::new(&address.to_string(), error))?)
        };
        get_running_loop()?.run_in_executor(None, ask)?.await
    }
}

impl IntoFuture for GetNameInfo {
    type Output = Result<(String, String)>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<(String, String)>>>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.look_up())
    }
}
