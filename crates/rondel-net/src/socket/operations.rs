//! The `sock_*` operations: each tries at once, and waits only where the system says that it would block.
//!
//! # asyncio
//!
//! `sock_recv` and its kin in `selector_events.py`.
//! There the loop's callback performs the operation, and what it got is lost when the task is cancelled before its next step;
//! here the task performs it when it is woken, so nothing is.

use std::{io, os::fd::AsFd};

use rondel_task::Result;
use rustix::{
    buffer::{Buffer, spare_capacity},
    io::Errno,
    net::{self, RecvFlags, SendFlags},
};
use socket2::{SockRef, Socket};

use super::{AsyncFd, from_system, to_system};
use crate::{
    SocketName,
    address::{Address, Hints, Kind, resolve},
};

/// Receives up to `n` bytes; none at the end of the stream.
///
/// Mirrors [`loop.sock_recv`](https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.sock_recv).
///
/// # Errors
///
/// What the operating system says; [`ClosedFdError`](crate::ClosedFdError) when the socket is closed meanwhile; `CancelledError` when the task is cancelled, and then nothing has been received.
///
/// # Examples
///
/// ```
/// use std::os::unix::net::UnixStream;
/// use rondel_net::{AsyncFd, sock_recv, sock_sendall};
/// use rondel_task::run;
///
/// let text = run(async {
///     let (one, two) = UnixStream::pair()?;
///     one.set_nonblocking(true)?;
///     two.set_nonblocking(true)?;
///     let (one, two) = (AsyncFd::new(one)?, AsyncFd::new(two)?);
///     sock_sendall(&one, b"hello").await?;
///     sock_recv(&two, 1024).await
/// });
/// assert_eq!(text.unwrap(), b"hello");
/// ```
pub async fn sock_recv<S: AsFd + 'static>(sock: &AsyncFd<S>, n: usize) -> Result<Vec<u8>> {
    let receive = |socket: &S| {
        // Made for each attempt: many may wait, and none of them needs a buffer meanwhile.
        let mut data = Vec::with_capacity(n);
        net::recv(socket, spare_capacity(&mut data), RecvFlags::empty())?;
        Ok(data)
    };
    sock.read_with(receive).await
}

/// Receives into `buffer` and returns how many bytes; 0 at the end of the stream.
///
/// Mirrors [`loop.sock_recv_into`](https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.sock_recv_into).
///
/// # Errors
///
/// As [`sock_recv`].
pub async fn sock_recv_into<S: AsFd + 'static>(
    sock: &AsyncFd<S>,
    buffer: &mut [u8],
) -> Result<usize> {
    let receive = |socket: &S| Ok(net::recv(socket, &mut *buffer, RecvFlags::empty())?);
    let (length, _) = sock.read_with(receive).await?;
    Ok(length)
}

/// Receives a datagram, of which up to `n` bytes are kept, and the name of the socket that sent it.
///
/// Mirrors [`loop.sock_recvfrom`](https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.sock_recvfrom).
///
/// # Errors
///
/// As [`sock_recv`].
pub async fn sock_recvfrom<S: AsFd + 'static>(
    sock: &AsyncFd<S>,
    n: usize,
) -> Result<(Vec<u8>, SocketName)> {
    let receive = |socket: &S| {
        let mut data = Vec::with_capacity(n);
        let (_, sender) = recvfrom(socket, spare_capacity(&mut data))?;
        Ok((data, sender))
    };
    sock.read_with(receive).await
}

/// Receives a datagram into `buffer` and returns how many bytes, and the name of the socket that sent it.
///
/// Mirrors [`loop.sock_recvfrom_into`](https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.sock_recvfrom_into).
///
/// # Errors
///
/// As [`sock_recv`].
pub async fn sock_recvfrom_into<S: AsFd + 'static>(
    sock: &AsyncFd<S>,
    buffer: &mut [u8],
) -> Result<(usize, SocketName)> {
    sock.read_with(|socket| recvfrom(socket, &mut *buffer))
        .await
}

/// Sends all of `data`.
///
/// Mirrors [`loop.sock_sendall`](https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.sock_sendall).
///
/// # Errors
///
/// As [`sock_recv`]. After an error, and after a cancellation, a part may have been sent.
pub async fn sock_sendall<S: AsFd + 'static>(sock: &AsyncFd<S>, mut data: &[u8]) -> Result<()> {
    while !data.is_empty() {
        let send = |socket: &S| Ok(net::send(socket, data, SendFlags::empty())?);
        let sent = sock.write_with(send).await?;
        data = &data[sent..];
    }
    Ok(())
}

/// Sends a datagram to `address` and returns how many bytes.
///
/// Mirrors [`loop.sock_sendto`](https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.sock_sendto).
///
/// # Errors
///
/// As [`sock_recv`].
pub async fn sock_sendto<S: AsFd + 'static>(
    sock: &AsyncFd<S>,
    data: &[u8],
    address: impl Into<SocketName>,
) -> Result<usize> {
    let address = to_system(&address.into())?;
    let send = |socket: &S| Ok(net::sendto(socket, data, SendFlags::empty(), &address)?);
    sock.write_with(send).await
}

/// Connects the socket, to the first address that the host has in the socket's family.
///
/// Mirrors [`loop.sock_connect`](https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.sock_connect).
///
/// # Errors
///
/// As [`sock_recv`]; a [`ResolveError`](crate::ResolveError) for a host that cannot be found.
/// A socket whose connecting was cancelled is of no more use.
pub async fn sock_connect<S: AsFd + 'static>(
    sock: &AsyncFd<S>,
    address: impl Into<Address>,
) -> Result<()> {
    let address = address.into();
    let name = match address.clone().into_kind()? {
        Kind::Name(name) => name,
        Kind::Text(_) | Kind::Host { .. } => {
            let hints = sock.with(|socket| wanted(socket))??;
            // The list is not empty.
            resolve(&address, hints).await?[0].address.into()
        }
    };
    connect(sock, &name).await
}

/// Connects the socket to an address that is known.
pub(crate) async fn connect<S: AsFd + 'static>(sock: &AsyncFd<S>, name: &SocketName) -> Result<()> {
    let system = to_system(name)?;
    let failed = |error: Errno| {
        let error = io::Error::from(error);
        io::Error::new(
            error.kind(),
            format!("connect call to {name} failed: {error}"),
        )
    };
    match sock.with(|socket| net::connect(socket, &system))? {
        // Interrupted, it goes on by itself as well.
        Err(Errno::INPROGRESS | Errno::INTR) => {}
        done => return Ok(done.map_err(failed)?),
    }
    sock.writable().await?;
    let outcome = sock.with(|socket| net::sockopt::socket_error(socket))?;
    Ok(outcome.and_then(|outcome| outcome).map_err(failed)?)
}

/// Accepts a connection, and gives its socket and the name of the other end.
///
/// Mirrors [`loop.sock_accept`](https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.sock_accept).
///
/// # Errors
///
/// As [`sock_recv`].
pub async fn sock_accept<S: AsFd + 'static>(
    sock: &AsyncFd<S>,
) -> Result<(AsyncFd<Socket>, SocketName)> {
    let (connection, peer) = sock
        .read_with(|socket| SockRef::from(socket).accept())
        .await?;
    connection.set_nonblocking(true)?;
    Ok((AsyncFd::new(connection)?, SocketName::from(&peer)))
}

fn recvfrom<B: Buffer<u8>>(socket: impl AsFd, buffer: B) -> io::Result<(B::Output, SocketName)> {
    let (output, _, sender) = net::recvfrom(socket, buffer, RecvFlags::empty())?;
    Ok((output, from_system(sender)))
}

/// What addresses suit a socket.
fn wanted(socket: impl AsFd) -> io::Result<Hints> {
    let socket = SockRef::from(&socket);
    Ok(Hints {
        family: Some(socket.local_addr()?.domain()),
        socket_type: Some(socket.r#type()?),
        ..Hints::default()
    })
}
