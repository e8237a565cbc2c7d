//! What stands behind a transport of datagrams: sends at once what the system takes, keeps the rest, and gives the protocol what comes.
//!
//! It neither binds nor connects; it is given a socket that is ready.
//!
//! # Invariants
//!
//! - I1. From its making to its end something in the loop owns the transport: the callback that begins it, then the reader, then the callback that
//!   tells the protocol that it is lost. Where the loop drops one of them without calling it, because it closes, the transport is released.
//! - I2. The writer is watched for exactly while something is kept.
//! - I3. No method of the protocol is called inside a borrow.
//!
//! # asyncio
//!
//! `_SelectorDatagramTransport`.
//! A datagram that waits counts with its 8 bytes of header when it comes and when it goes; CPython 3.13.0 forgets them when it goes, so that its size
//! never comes back to 0.
//! A method of the protocol that panics is reported with its transport; there it is an exception in a callback.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    fmt, io,
    os::fd::AsRawFd,
    rc::{Rc, Weak},
};

use rondel_reactor::{Direction, FdWatch};
use rondel_task::{EventLoop, Exception, Future, Result, ValueError, WeakEventLoop};
use rustix::net::{self, RecvFlags, SendFlags};
use socket2::Socket;

use super::{DatagramProtocol, DatagramTransport};
use crate::{
    FlowControl, SocketName, TransportSocket, WriteBufferLimits,
    guard::{catch, report},
    socket::{from_system, to_system},
    transport::{
        extra_info::{Peername, Request, Socket as SocketKey, Sockname},
        scratch::Scratch,
    },
};

/// What a datagram counts beside its own length while it waits.
const HEADER: usize = 8;

/// After so many datagrams to a connection that is lost the log says so, each time.
const LOG_THRESHOLD_FOR_CONNLOST_WRITES: u32 = 5;

/// A socket of datagrams and its protocol.
pub(super) struct DatagramSocket {
    this: Weak<Self>,
    event_loop: WeakEventLoop,
    /// None once released.
    watch: RefCell<Option<Rc<FdWatch<Socket>>>>,
    /// None once released.
    protocol: RefCell<Option<Rc<dyn DatagramProtocol>>>,
    /// Where all datagrams go, if that was said when the endpoint was made.
    address: Option<SocketName>,
    kept: RefCell<VecDeque<Datagram>>,
    /// The bytes that are kept, with their headers.
    size: Cell<usize>,
    flow: FlowControl,
    closing: Cell<bool>,
    /// 0 until `connection_lost` is scheduled, then 1 and one more for every datagram that is thrown away.
    lost: Cell<u32>,
    writer_is_set: Cell<bool>,
    /// Set where the socket is connected.
    peername: Option<SocketName>,
    sockname: Option<SocketName>,
    socket: TransportSocket,
}

/// A datagram that waits; to the connected peer if there is no address.
struct Datagram {
    data: Box<[u8]>,
    address: Option<SocketName>,
}

impl DatagramSocket {
    /// Makes a transport of a socket that does not block; its protocol hears of it in the next iteration, and then the waiter.
    pub(super) fn open(
        event_loop: &EventLoop,
        socket: Socket,
        protocol: Rc<dyn DatagramProtocol>,
        address: Option<SocketName>,
        waiter: Future<()>,
    ) -> Result<DatagramTransport> {
        let name = |name: io::Result<socket2::SockAddr>| Some(SocketName::from(&name.ok()?));
        let (sockname, peername) = (name(socket.local_addr()), name(socket.peer_addr()));
        let watch = Rc::new(event_loop.watch_fd(socket)?);
        let endpoint = Rc::new_cyclic(|this| DatagramSocket {
            this: this.clone(),
            event_loop: event_loop.downgrade(),
            socket: TransportSocket::new(&watch),
            watch: RefCell::new(Some(watch)),
            protocol: RefCell::new(Some(protocol)),
            address,
            kept: RefCell::default(),
            size: Cell::new(0),
            flow: FlowControl::new(),
            closing: Cell::new(false),
            lost: Cell::new(0),
            writer_is_set: Cell::new(false),
            peername,
            sockname,
        });
        let owned = Owned(endpoint.clone());
        event_loop.call_soon(move || owned.0.connection_made())?;
        let owned = Owned(endpoint.clone());
        event_loop.call_soon(move || owned.0.begin_reading())?;
        event_loop.call_soon(move || {
            // Whoever waited may have been cancelled.
            let _ = waiter.set_result(());
        })?;
        Ok(DatagramTransport::new(endpoint))
    }

    /// Sends to the remote address, if there is one.
    pub(super) fn send_to_remote(&self, data: &[u8]) -> Result<(), ValueError> {
        if self.address.is_none() && self.peername.is_none() {
            return Err(ValueError::new(
                "the endpoint has no remote address: say where to send to",
            ));
        }
        self.send(data, self.address.clone());
        Ok(())
    }

    /// Sends to an address, which has to be the remote one if there is one.
    pub(super) fn send_to(&self, data: &[u8], address: SocketName) -> Result<(), ValueError> {
        if let Some(remote) = self.address.as_ref().filter(|remote| **remote != address) {
            return Err(ValueError::new(format!(
                "invalid address: must be {remote}"
            )));
        }
        self.send(data, Some(address));
        Ok(())
    }

    pub(super) fn close(&self) {
        if self.closing.replace(true) {
            return;
        }
        self.pause(Direction::Read);
        if self.kept.borrow().is_empty() {
            self.lose(None);
        }
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing.get()
    }

    pub(super) fn abort(&self) {
        self.force_close(None);
    }

    pub(super) fn extra_info(&self, request: &mut Request<'_>) {
        request
            .provide::<Peername>(|| self.peername.clone())
            .provide::<Sockname>(|| self.sockname.clone())
            .provide::<SocketKey>(|| Some(self.socket.clone()));
    }

    pub(super) fn set_protocol(&self, protocol: Rc<dyn DatagramProtocol>) {
        if self.watch.borrow().is_some() {
            let replaced = self.protocol.replace(Some(protocol));
            drop(replaced);
        }
    }

    pub(super) fn get_protocol(&self) -> Option<Rc<dyn DatagramProtocol>> {
        self.protocol.borrow().clone()
    }

    pub(super) fn get_write_buffer_size(&self) -> usize {
        self.size.get()
    }

    pub(super) fn limits(&self) -> WriteBufferLimits {
        self.flow.limits()
    }

    pub(super) fn set_limits(&self, limits: WriteBufferLimits) {
        self.flow.set_limits(limits);
        self.maybe_pause_protocol();
    }

    fn connection_made(&self) {
        if let (Some(protocol), Some(this)) = (self.get_protocol(), self.this.upgrade()) {
            let made = catch(|| protocol.connection_made(DatagramTransport::new(this)));
            self.report_panic(made, "Fatal error: protocol.connection_made() call failed.");
        }
    }

    fn begin_reading(&self) {
        if self.closing.get() {
            return;
        }
        if let Err(error) = self.set(Direction::Read, Self::read_ready) {
            self.force_close(Some(error.into()));
        }
    }

    fn read_ready(&self) {
        if self.lost.get() > 0 {
            return;
        }
        let Some(protocol) = self.get_protocol() else {
            return;
        };
        let mut scratch = Scratch::take();
        let received = self.with_socket(|socket| {
            let buffer = scratch.as_mut_slice();
            let (_, length, sender) = net::recvfrom(socket, buffer, RecvFlags::empty())?;
            Ok((length, from_system(sender)))
        });
        match received {
            Ok((length, sender)) => {
                let data = scratch.filled(length);
                let told = catch(|| protocol.datagram_received(data, &sender));
                self.report_panic(
                    told,
                    "Fatal error: protocol.datagram_received() call failed.",
                );
            }
            Err(error) if is_for_later(&error) => {}
            Err(error) => self.error_received(error),
        }
    }

    fn send(&self, data: &[u8], address: Option<SocketName>) {
        let lost = self.lost.get();
        if lost > 0 {
            if lost >= LOG_THRESHOLD_FOR_CONNLOST_WRITES {
                tracing::warn!(transport = ?self, "sent to a lost connection");
            }
            return self.lost.set(lost.saturating_add(1));
        }
        if self.kept.borrow().is_empty() {
            match self.send_now(data, address.as_ref()) {
                Ok(()) => return,
                Err(error) if is_for_later(&error) => {}
                Err(error) => return self.error_received(error),
            }
            if let Err(error) = self.wait_to_write() {
                return self.force_close(Some(error.into()));
            }
        }
        self.size.set(self.size.get() + data.len() + HEADER);
        self.kept.borrow_mut().push_back(Datagram {
            data: data.into(),
            address,
        });
        self.maybe_pause_protocol();
    }

    fn write_ready(&self) {
        if self.lost.get() > 0 {
            return;
        }
        while let Some(datagram) = self.take_kept() {
            match self.send_now(&datagram.data, datagram.address.as_ref()) {
                Ok(()) => {}
                Err(error) if is_for_later(&error) => {
                    self.size
                        .set(self.size.get() + datagram.data.len() + HEADER);
                    self.kept.borrow_mut().push_front(datagram);
                    break;
                }
                Err(error) => return self.error_received(error),
            }
        }
        // The protocol may send more, or close.
        self.maybe_resume_protocol();
        if self.lost.get() == 0 && self.kept.borrow().is_empty() {
            self.pause(Direction::Write);
            if self.closing.get() {
                self.lose(None);
            }
        }
    }

    fn take_kept(&self) -> Option<Datagram> {
        let datagram = self.kept.borrow_mut().pop_front()?;
        self.size
            .set(self.size.get() - datagram.data.len() - HEADER);
        Some(datagram)
    }

    fn send_now(&self, data: &[u8], address: Option<&SocketName>) -> io::Result<()> {
        let address = match (&self.peername, address) {
            (None, Some(address)) => Some(to_system(address)?),
            _ => None,
        };
        self.with_socket(|socket| {
            match &address {
                None => net::send(socket, data, SendFlags::empty())?,
                Some(address) => net::sendto(socket, data, SendFlags::empty(), address)?,
            };
            Ok(())
        })
    }

    fn wait_to_write(&self) -> io::Result<()> {
        if !self.writer_is_set.replace(true) {
            return self.set(Direction::Write, Self::write_ready);
        }
        match &*self.watch.borrow() {
            Some(watch) => watch.resume(Direction::Write),
            None => Ok(()),
        }
    }

    fn force_close(&self, exception: Option<Exception>) {
        if self.lost.get() > 0 {
            return;
        }
        self.kept.take();
        self.size.set(0);
        self.closing.set(true);
        self.lose(exception);
    }

    /// Schedules `connection_lost`; from here on nothing is received or sent.
    fn lose(&self, exception: Option<Exception>) {
        self.lost.set(1);
        self.pause(Direction::Read);
        self.pause(Direction::Write);
        let Some(this) = self.this.upgrade() else {
            return;
        };
        let owned = Owned(this);
        if let Some(event_loop) = self.event_loop.upgrade() {
            // A closed loop drops the callback, which releases the transport.
            let _ = event_loop.call_soon(move || owned.0.connection_lost(exception));
        }
    }

    fn connection_lost(&self, exception: Option<Exception>) {
        if let Some(protocol) = self.get_protocol() {
            let told = catch(|| protocol.connection_lost(exception.as_ref()));
            self.report_panic(told, "Fatal error: protocol.connection_lost() call failed.");
        }
        self.release();
    }

    /// Closes the socket and lets go of the protocol.
    fn release(&self) {
        self.closing.set(true);
        self.lost.set(self.lost.get().max(1));
        let watch = self.watch.take();
        let protocol = self.protocol.take();
        drop(watch);
        drop(protocol);
    }

    fn error_received(&self, error: io::Error) {
        if let Some(protocol) = self.get_protocol() {
            let told = catch(|| protocol.error_received(&error.into()));
            self.report_panic(told, "Fatal error: protocol.error_received() call failed.");
        }
    }

    fn maybe_pause_protocol(&self) {
        if let Some(protocol) = self.get_protocol() {
            let told = self.flow.maybe_pause_protocol(self.size.get(), &*protocol);
            self.report_panic(told, "protocol.pause_writing() failed");
        }
    }

    fn maybe_resume_protocol(&self) {
        if let Some(protocol) = self.get_protocol() {
            let told = self.flow.maybe_resume_protocol(self.size.get(), &*protocol);
            self.report_panic(told, "protocol.resume_writing() failed");
        }
    }

    fn report_panic(&self, told: Result<()>, message: &'static str) {
        if let Err(panic) = told {
            let protocol = self.get_protocol();
            let protocol = protocol.as_deref().map(|protocol| protocol as _);
            report(&self.event_loop, message, panic, self, protocol);
        }
    }

    fn with_socket<R>(&self, f: impl FnOnce(&Socket) -> io::Result<R>) -> io::Result<R> {
        match &*self.watch.borrow() {
            Some(watch) => f(watch.get_ref()),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Has the loop call `ready`, with what owns the transport meanwhile (I1).
    fn set(&self, direction: Direction, ready: fn(&Self)) -> io::Result<()> {
        let (Some(this), Some(watch)) = (self.this.upgrade(), self.watch.borrow().clone()) else {
            return Ok(());
        };
        let owned = Owned(this);
        watch.set(direction, move || ready(&owned.0))
    }

    fn pause(&self, direction: Direction) {
        if let Some(watch) = &*self.watch.borrow() {
            watch.pause(direction);
        }
    }
}

/// What in the loop owns an endpoint (I1).
struct Owned(Rc<DatagramSocket>);

impl Drop for Owned {
    fn drop(&mut self) {
        let event_loop = self.0.event_loop.upgrade();
        if event_loop.is_none_or(|event_loop| event_loop.is_closed()) {
            self.0.release();
        }
    }
}

fn is_for_later(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, WouldBlock};
    matches!(error.kind(), WouldBlock | Interrupted)
}

impl fmt::Debug for DatagramSocket {
    /// Writes what asyncio shows: `<DatagramTransport fd=7 read=polling write=<idle, bufsize=0>>`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<DatagramTransport")?;
        let Some(watch) = self.watch.borrow().clone() else {
            return f.write_str(" closed>");
        };
        if self.closing.get() {
            f.write_str(" closing")?;
        }
        let polls = |polling: bool| if polling { "polling" } else { "idle" };
        let (fd, size) = (watch.get_ref().as_raw_fd(), self.size.get());
        let (read, write) = (polls(!self.closing.get()), polls(size > 0));
        write!(f, " fd={fd} read={read} write=<{write}, bufsize={size}>>")
    }
}
