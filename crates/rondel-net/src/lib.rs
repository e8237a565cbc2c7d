//! asyncio's sockets, transports, protocols, streams and servers on rondel's event loop.
//!
//! Three ways to the same connection, each on top of the one before:
//!
//! - *sockets*: [`sock_recv`] and its kin, one operation at a time, on descriptors that can be awaited ([`AsyncFd`]);
//! - *transports and protocols*: [`create_connection()`] and [`create_server`] give each connection a [`Protocol`] that is told what happens to it, and a
//!   [`Transport`] to write to;
//! - *streams*: [`open_connection`] and [`start_server`] give coroutines a [`StreamReader`] and a [`StreamWriter`].
//!
//! A transport may be a TCP or unix socket, a pipe, or [memory](open_memory_connection); who has another one implements [`Carrier`].
//! Whatever is on top of a transport works on all of them. TLS is, with the feature `tls`, and is a transport again.
//!
//! It does not watch descriptors or run callbacks, which `rondel-reactor` does, nor tasks, which are `rondel-task`'s. It speaks no protocol of its own.
//!
//! # Invariants
//!
//! - I1. While a connection is open its loop owns it; when the loop closes, so do the connections, and no descriptor is left.
//! - I2. A protocol, a factory or a handler that panics is reported to the loop's exception handler, and harms its own connection only.
//! - I3. Memory is bounded by limits: what is written and not sent by [`WriteBufferLimits`], what is received and not read by a reader's
//!   [limit](StreamReader::with_limit); an idle connection has no buffer for what may come.
//! - I4. A message costs the system calls that move it: one `recv`, one `send`, and its share of a wait.
//!
//! # asyncio
//!
//! [Transports and protocols](https://docs.python.org/3/library/asyncio-protocol.html),
//! [streams](https://docs.python.org/3/library/asyncio-stream.html), and of the
//! [event loop](https://docs.python.org/3/library/asyncio-eventloop.html) what is about the network.
//! They are functions of the running loop here, not methods, and optional arguments are methods of [`Connect`] and [`Listen`].
//!
//! # Examples
//!
//! The crate alone, with the tasks that use it:
//!
//! ```
//! use rondel_net::{open_connection, start_server};
//! use rondel_task::run;
//!
//! let answer = run(async {
//!     let server = start_server(
//!         async |reader, writer| {
//!             let name = reader.readline().await?;
//!             writer.writelines([b"hello, ", &name[..]])?;
//!             writer.drain().await
//!         },
//!         ("127.0.0.1", 0),
//!     )
//!     .await?;
//!
//!     let (reader, writer) = open_connection(server.sockets()[0].getsockname()?).await?;
//!     writer.write("rondel\n")?;
//!     reader.readline().await
//! });
//! assert_eq!(answer.unwrap(), "hello, rondel\n");
//! ```

#![forbid(unsafe_code)]

mod address;
mod connect;
mod datagram;
mod guard;
mod protocol;
mod server;
mod socket;
mod stream;
#[cfg(feature = "tls")]
pub mod tls;
mod transport;

pub use address::{
    AddrInfo, Address, GetAddrInfo, GetNameInfo, ResolveError, connect::ConnectErrors, getaddrinfo,
    getnameinfo,
};
pub use connect::{
    Connect, connect_accepted_socket, create_connection, create_unix_connection, open_connection,
    open_unix_connection,
};
pub use datagram::{
    DatagramEndpoint, DatagramProtocol, DatagramTransport, create_datagram_endpoint,
};
pub use protocol::{
    AfterEof, AnyProtocol, BaseProtocol, BufferedProtocol, Protocol, StreamProtocol, kind,
};
pub use server::{
    Listen, Server, create_server, create_unix_server, start_server, start_unix_server,
};
pub use socket::{
    AsyncFd, ClosedFdError, SendfileNotAvailableError, sock_accept, sock_connect, sock_recv,
    sock_recv_into, sock_recvfrom, sock_recvfrom_into, sock_sendall, sock_sendfile,
    sock_sendfile_native, sock_sendto,
};
pub use stream::{
    Duplex, IncompleteReadError, LimitOverrunError, Lines, StreamReader, StreamReaderProtocol,
    StreamWriter,
};
pub use transport::{
    Carrier, Transport, extra_info,
    flow::{FlowControl, WriteBufferLimits},
    memory::{create_memory_connection, open_memory_connection},
    pipe::{TransportPipe, connect_read_pipe, connect_write_pipe},
    sendfile::sendfile,
    socket_name::{SocketName, TransportSocket},
};
