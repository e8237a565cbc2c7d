//! The transport of a stream socket: TCP and unix.
//!
//! It neither connects nor accepts; it is given a socket that is connected.
//!
//! # States
//!
//! ```text
//!            begin                 close, or eof_received says Close
//!   Made -------------> Open -------------------------------> Closing
//!                         |                                      | the backlog is sent
//!                         | abort, fatal_error                   | abort, fatal_error
//!                         +-------------------+------------------+
//!                                             v
//!                                           Lost  --- connection_lost ---> Released
//! ```
//!
//! `closing` is set in Closing and from there on, `lost` in Lost and from there on; in Released there is neither socket nor protocol.
//! Each arrow is taken once.
//!
//! # Invariants
//!
//! - I1. From Made to Lost something in the loop owns the transport: the callback that will begin it, then the reader, then the callback that will
//!   release it. Where the loop drops one of them without calling it, because it closes, the transport is released.
//! - I2. The reader is set once and paused while nobody wants to read; the writer is set with the first backlog and paused while there is none.
//!   So neither a message nor a pause costs a system call besides its `recv` and `send`.
//! - I3. One `recv` for one report of readiness: what is left is reported again.
//! - I4. Of a TCP socket the edge is watched. A `recv` that does not fill its buffer has left nothing there, and a `send` that takes less than it was given
//!   has left no room; after all others the loop looks again. Nothing of the kind can be said of a unix socket, whose `recv` stops where a descriptor was
//!   sent.
//!
//! # asyncio
//!
//! `_SelectorTransport` and `_SelectorSocketTransport`.
//! A `connection_made` that panics closes the connection; there it is only logged.

mod ending;
mod reading;
mod writing;

use std::{
    cell::{Cell, RefCell},
    fmt,
    io::{self, ErrorKind, IoSlice},
    rc::{Rc, Weak},
};

use rondel_reactor::{Direction, FdWatch};
use rondel_task::{EventLoop, Future, Result, RuntimeError, WeakEventLoop};
use socket2::Socket;

use super::{
    Carrier, Transport,
    backlog::Backlog,
    extra_info::{Peername, Request, Socket as SocketKey, Sockname},
    flow::{FlowControl, WriteBufferLimits},
    owned::{LoopOwned, Owned},
    socket_name::{SocketName, TransportSocket},
};
use crate::{guard::catch, protocol::AnyProtocol, server::clients::Membership};

/// One connection.
///
/// What a message needs comes first and together: among many connections each line of memory is waited for.
#[repr(C)]
pub(crate) struct SocketTransport {
    /// None once released.
    watch: RefCell<Option<FdWatch<Socket>>>,
    /// None once released.
    protocol: RefCell<Option<AnyProtocol>>,
    /// 0 until the connection is lost, then 1 and one more for every write.
    lost: Cell<u32>,
    /// A message came last that fits a block, and the protocol keeps what comes.
    fits_block: Cell<bool>,
    closing: Cell<bool>,
    /// `write_eof` was called.
    eof: Cell<bool>,
    paused: Cell<bool>,
    /// The peer sends nothing more.
    ended: Cell<bool>,
    reader_is_set: Cell<bool>,
    writer_is_set: Cell<bool>,
    backlog: Backlog,
    flow: FlowControl,
    this: Weak<Self>,
    event_loop: WeakEventLoop,
    /// None where no server has accepted it, and once released.
    membership: RefCell<Option<Membership>>,
    peername: Option<SocketName>,
    sockname: Option<SocketName>,
    socket: TransportSocket,
}

/// What a transport is made with besides its socket and protocol.
#[derive(Default)]
pub(crate) struct Circumstances {
    /// The other end, where it is known already.
    pub(crate) peername: Option<SocketName>,
    /// Completed when `connection_made` has been called.
    pub(crate) waiter: Option<Future<()>>,
    /// The place among a server's connections.
    pub(crate) membership: Option<Membership>,
    /// The transport of a layer on top of this one, which a server is to close instead.
    pub(crate) above: Option<Transport>,
}

impl SocketTransport {
    /// Makes a transport of a connected socket; its protocol hears of it in the next iteration.
    ///
    /// # Errors
    ///
    /// When the loop is closed, or another transport has the socket.
    pub(crate) fn open(
        event_loop: &EventLoop,
        socket: Socket,
        protocol: AnyProtocol,
        circumstances: Circumstances,
    ) -> Result<Transport> {
        let Circumstances {
            peername,
            waiter,
            membership,
            above,
        } = circumstances;
        socket.set_nonblocking(true)?;
        let name = |name: io::Result<socket2::SockAddr>| Some(SocketName::from(&name.ok()?));
        let sockname = name(socket.local_addr());
        let peername = peername.or_else(|| name(socket.peer_addr()));
        // Small writes do not wait for an acknowledgement. Where it is refused, because it is no TCP or is lost already, they do.
        let is_inet = matches!(sockname, Some(SocketName::Inet(_)));
        let is_tcp = is_inet && socket.set_tcp_nodelay(true).is_ok();
        let watch = event_loop.watch_fd(socket)?;
        let watch = match is_tcp {
            true => watch.edge_triggered(),
            false => watch,
        };
        let this = Rc::new_cyclic(|this| Self {
            this: this.clone(),
            event_loop: event_loop.downgrade(),
            socket: TransportSocket::new(&watch),
            watch: RefCell::new(Some(watch)),
            protocol: RefCell::new(Some(protocol)),
            membership: RefCell::new(membership),
            backlog: Backlog::default(),
            flow: FlowControl::new(),
            fits_block: Cell::new(false),
            closing: Cell::new(false),
            lost: Cell::new(0),
            paused: Cell::new(false),
            ended: Cell::new(false),
            eof: Cell::new(false),
            reader_is_set: Cell::new(false),
            writer_is_set: Cell::new(false),
            peername,
            sockname,
        });
        let transport = Transport::of_socket(this.clone());
        if let Some(membership) = &*this.membership.borrow() {
            membership.attach(above.as_ref().unwrap_or(&transport));
        }
        let owned = Owned(this);
        event_loop.call_soon(move || owned.0.begin(waiter))?;
        Ok(transport)
    }

    /// Tells the protocol, then reads, then tells whoever waits for the transport.
    fn begin(&self, waiter: Option<Future<()>>) {
        if let (Some(protocol), Some(this)) = (self.get_protocol(), self.this.upgrade()) {
            let made = catch(|| protocol.connection_made(Transport::of_socket(this)));
            if let Err(panic) = made {
                self.fatal_error(
                    panic,
                    "Fatal error: protocol.connection_made() call failed.",
                );
            }
        }
        if !self.closing.get() {
            let set = self.set(Direction::Read, Self::read_ready);
            self.reader_is_set.set(set.is_ok());
            match set {
                Err(error) => self.fatal_io_error(error, "Fatal read error on socket transport"),
                Ok(()) if self.paused.get() => self.pause(Direction::Read),
                Ok(()) => {}
            }
        }
        if let Some(waiter) = waiter {
            // Whoever waited may have been cancelled.
            let _ = waiter.set_result(());
        }
    }

    /// Uses the socket for a system call.
    #[inline]
    fn with_socket<R>(&self, f: impl FnOnce(&Socket) -> io::Result<R>) -> io::Result<R> {
        self.with_watch(|watch| f(watch.get_ref()))
    }

    #[inline(always)]
    fn with_watch<R>(&self, f: impl FnOnce(&FdWatch<Socket>) -> io::Result<R>) -> io::Result<R> {
        match &*self.watch.borrow() {
            Some(watch) => f(watch),
            None => Err(ErrorKind::NotConnected.into()),
        }
    }

    /// Has the loop call `ready`, with what owns the transport meanwhile (I1).
    ///
    /// `ready` is a type of its own, so that it is compiled into the callback: behind a system call each return is one that the processor did not foresee.
    fn set(&self, direction: Direction, ready: impl Fn(&Self) + 'static) -> io::Result<()> {
        let Some(this) = self.this.upgrade() else {
            return Ok(());
        };
        // Out of its place: a loop that is closed drops the callback, which releases the transport.
        let watch = self.watch.take().ok_or(ErrorKind::NotConnected)?;
        let owned = Owned(this);
        let set = watch.set(direction, move || ready(&owned.0));
        let is_released = self.protocol.borrow().is_none();
        if !is_released {
            *self.watch.borrow_mut() = Some(watch);
        }
        set
    }

    fn pause(&self, direction: Direction) {
        if let Some(watch) = &*self.watch.borrow() {
            watch.pause(direction);
        }
    }

    fn resume(&self, direction: Direction) -> io::Result<()> {
        match &*self.watch.borrow() {
            Some(watch) => watch.resume(direction),
            None => Ok(()),
        }
    }

    fn look_again(&self, direction: Direction) -> io::Result<()> {
        match &*self.watch.borrow() {
            Some(watch) => watch.look_again(direction),
            None => Ok(()),
        }
    }
}

impl LoopOwned for SocketTransport {
    fn event_loop(&self) -> &WeakEventLoop {
        &self.event_loop
    }

    fn release(&self) {
        self.closing.set(true);
        self.lost.set(self.lost.get().max(1));
        let watch = self.watch.take();
        let protocol = self.protocol.take();
        let membership = self.membership.take();
        drop(watch);
        drop(protocol);
        drop(membership);
    }
}

impl Carrier for SocketTransport {
    fn close(&self) {
        if self.closing.replace(true) {
            return;
        }
        self.pause(Direction::Read);
        if self.backlog.is_empty() {
            self.lose(None);
        }
    }

    #[inline]
    fn is_closing(&self) -> bool {
        self.closing.get()
    }

    fn abort(&self) {
        self.force_close(None);
    }

    fn extra_info(&self, request: &mut Request<'_>) {
        request
            .provide::<Peername>(|| self.peername.clone())
            .provide::<Sockname>(|| self.sockname.clone())
            .provide::<SocketKey>(|| Some(self.socket.clone()));
    }

    fn set_protocol(&self, protocol: AnyProtocol) {
        if self.watch.borrow().is_some() {
            self.fits_block.set(false);
            let replaced = self.protocol.replace(Some(protocol));
            drop(replaced);
        }
    }

    fn get_protocol(&self) -> Option<AnyProtocol> {
        self.protocol.borrow().clone()
    }

    fn is_reading(&self) -> bool {
        !self.closing.get() && !self.paused.get()
    }

    fn pause_reading(&self) {
        if self.is_reading() {
            self.paused.set(true);
            self.pause(Direction::Read);
        }
    }

    fn resume_reading(&self) {
        if self.closing.get() || !self.paused.replace(false) || self.ended.get() {
            return;
        }
        if self.reader_is_set.get()
            && let Err(error) = self.resume(Direction::Read)
        {
            self.fatal_io_error(error, "Fatal read error on socket transport");
        }
    }

    fn write(&self, data: &[u8]) -> Result<(), RuntimeError> {
        self.write_now(data)
    }

    fn writelines(&self, list_of_data: &[IoSlice<'_>]) -> Result<(), RuntimeError> {
        self.writelines_now(list_of_data)
    }

    fn write_eof(&self) -> Result<()> {
        self.end_writing()
    }

    fn can_write_eof(&self) -> bool {
        true
    }

    fn get_write_buffer_size(&self) -> usize {
        self.backlog.len()
    }

    fn get_write_buffer_limits(&self) -> WriteBufferLimits {
        self.flow.limits()
    }

    fn set_write_buffer_limits(&self, limits: WriteBufferLimits) {
        self.flow.set_limits(limits);
        self.maybe_pause_protocol();
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl fmt::Debug for SocketTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use std::os::fd::AsRawFd as _;
        f.write_str("<SocketTransport")?;
        match &*self.watch.borrow() {
            None => return f.write_str(" closed>"),
            Some(_) if self.closing.get() => f.write_str(" closing")?,
            Some(_) => {}
        }
        if let Some(watch) = &*self.watch.borrow() {
            write!(f, " fd={}", watch.get_ref().as_raw_fd())?;
        }
        let polls = |polling: bool| if polling { "polling" } else { "idle" };
        let read = polls(self.is_reading() && self.reader_is_set.get() && !self.ended.get());
        let size = self.backlog.len();
        let write = polls(size > 0);
        write!(f, " read={read} write=<{write}, bufsize={size}>>")
    }
}

/// Says that there is nothing wrong but that it has to be tried again.
pub(crate) fn is_for_later(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
