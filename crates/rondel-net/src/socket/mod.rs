//! Sockets one operation at a time: asyncio's `sock_*` methods, on descriptors that can be awaited.
//!
//! Nothing is buffered here: transports and streams do that.
//!
//! # asyncio
//!
//! [Working with socket objects directly](https://docs.python.org/3/library/asyncio-eventloop.html#working-with-socket-objects-directly).

mod async_fd;
mod names;
mod operations;
mod sendfile;

pub use async_fd::{AsyncFd, ClosedFdError};
pub(crate) use names::{from_system, to_system};
pub(crate) use operations::connect;
pub use operations::{
    sock_accept, sock_connect, sock_recv, sock_recv_into, sock_recvfrom, sock_recvfrom_into,
    sock_sendall, sock_sendto,
};
pub(crate) use sendfile::Progress;
pub use sendfile::{SendfileNotAvailableError, sock_sendfile, sock_sendfile_native};
