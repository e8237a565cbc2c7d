//! The end of a pipe that is written to.
//!
//! # asyncio
//!
//! `_UnixWritePipeTransport`. To end writing is to close it: there is nothing else to a pipe.

use std::{
    cell::{Cell, RefCell},
    fmt,
    io::{self, ErrorKind, IoSlice},
    os::fd::{AsRawFd as _, OwnedFd},
    rc::{Rc, Weak},
};

use rondel_reactor::{Direction, FdWatch};
use rondel_task::{EventLoop, Exception, Future, Result, RuntimeError, WeakEventLoop};
use rustix::fs::FileType;

use super::{TransportPipe, watch};
use crate::{
    guard::{catch, report},
    protocol::AnyProtocol,
    transport::{
        Carrier, Transport,
        backlog::{Backlog, MAX_SLICES},
        extra_info::{Pipe, Request},
        flow::{FlowControl, WriteBufferLimits},
        owned::{LoopOwned, Owned},
        socket::{Circumstances, is_for_later},
    },
};

/// A transport that only writes.
pub(super) struct WritePipe {
    this: Weak<Self>,
    event_loop: WeakEventLoop,
    /// None once released.
    watch: RefCell<Option<Rc<FdWatch<OwnedFd>>>>,
    /// None once released.
    protocol: RefCell<Option<AnyProtocol>>,
    backlog: Backlog,
    flow: FlowControl,
    closing: Cell<bool>,
    /// `connection_lost` is scheduled or was called.
    lost: Cell<bool>,
    writer_is_set: Cell<bool>,
    /// It becomes readable when the other end is closed; a terminal also when somebody types.
    tells_hang_up: bool,
    pipe: TransportPipe,
}

impl WritePipe {
    pub(super) fn open(
        event_loop: &EventLoop,
        pipe: OwnedFd,
        protocol: AnyProtocol,
        circumstances: Circumstances,
    ) -> Result<Transport> {
        let (watch, file_type) = watch(event_loop, pipe)?;
        let this = Rc::new_cyclic(|this| Self {
            this: this.clone(),
            event_loop: event_loop.downgrade(),
            pipe: TransportPipe::new(&watch),
            watch: RefCell::new(Some(watch)),
            protocol: RefCell::new(Some(protocol)),
            backlog: Backlog::default(),
            flow: FlowControl::new(),
            closing: Cell::new(false),
            lost: Cell::new(false),
            writer_is_set: Cell::new(false),
            tells_hang_up: matches!(file_type, FileType::Fifo | FileType::Socket),
        });
        let transport = Transport::new(this.clone());
        let owned = Owned(this);
        let waiter = circumstances.waiter;
        event_loop.call_soon(move || owned.0.begin(waiter))?;
        Ok(transport)
    }

    /// Tells the protocol, then waits for the other end to be closed, then tells whoever waits for the transport.
    fn begin(&self, waiter: Option<Future<()>>) {
        if let (Some(protocol), Some(this)) = (self.get_protocol(), self.this.upgrade()) {
            let made = catch(|| protocol.connection_made(Transport::new(this)));
            if let Err(panic) = made {
                self.fatal_error(
                    panic,
                    "Fatal error: protocol.connection_made() call failed.",
                );
            }
        }
        if !self.lost.get() {
            let watched = self.watch_other_end();
            if let Err(error) = watched {
                self.fatal_error(error.into(), "Fatal write error on pipe transport");
            }
        }
        if let Some(waiter) = waiter {
            // Whoever waited may have been cancelled.
            let _ = waiter.set_result(());
        }
    }

    /// Has the loop own the transport, too, by the callback that hears of the other end.
    fn watch_other_end(&self) -> io::Result<()> {
        let watch = self.watch.borrow().clone();
        if let (Some(watch), Some(this)) = (watch, self.this.upgrade()) {
            let owned = Owned(this);
            watch.set(Direction::Read, move || owned.0.hung_up())?;
            if !self.tells_hang_up {
                watch.pause(Direction::Read);
            }
        }
        Ok(())
    }

    /// The other end was closed.
    fn hung_up(&self) {
        let unsent = !self.backlog.is_empty();
        let broken = || Exception::new(io::Error::from(ErrorKind::BrokenPipe));
        self.lose(unsent.then(broken));
    }

    fn resume_writer(&self) -> io::Result<()> {
        let watch = self.watch.borrow().clone();
        let (Some(watch), Some(this)) = (watch, self.this.upgrade()) else {
            return Ok(());
        };
        if self.writer_is_set.get() {
            return watch.resume(Direction::Write);
        }
        let owned = Owned(this);
        watch.set(Direction::Write, move || owned.0.write_ready())?;
        self.writer_is_set.set(true);
        Ok(())
    }

    fn write_ready(&self) {
        if self.lost.get() {
            return;
        }
        match self.backlog.send(|slices| self.send(slices)) {
            Ok(()) => self.has_written(),
            Err(error) if is_for_later(&error) => {}
            Err(error) => self.fatal_error(error.into(), "Fatal write error on pipe transport"),
        }
    }

    fn has_written(&self) {
        if let Some(protocol) = self.get_protocol() {
            let size = self.backlog.len();
            let told = self.flow.maybe_resume_protocol(size, protocol.base());
            if let Err(panic) = told {
                self.report(panic, "protocol.resume_writing() failed");
            }
        }
        // The protocol may have written more, or aborted.
        if self.lost.get() || !self.backlog.is_empty() {
            return;
        }
        self.pause(Direction::Write);
        if self.closing.get() {
            self.lost.set(true);
            self.call_connection_lost(None);
        }
    }

    fn maybe_pause_protocol(&self) {
        if let Some(protocol) = self.get_protocol() {
            let size = self.backlog.len();
            let told = self.flow.maybe_pause_protocol(size, protocol.base());
            if let Err(panic) = told {
                self.report(panic, "protocol.pause_writing() failed");
            }
        }
    }

    fn send(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match &*self.watch.borrow() {
            Some(watch) => Ok(rustix::io::writev(watch.get_ref(), slices)?),
            None => Err(ErrorKind::NotConnected.into()),
        }
    }

    fn fatal_error(&self, exception: Exception, message: &'static str) {
        // The other end went, or the terminal hung up: nobody's fault here.
        if exception.is::<io::Error>() {
            tracing::debug!(transport = ?self, %exception, message);
        } else {
            self.report(exception.clone(), message);
        }
        self.lose(Some(exception));
    }

    /// Throws away what is buffered, and schedules `connection_lost`.
    fn lose(&self, exception: Option<Exception>) {
        if self.lost.replace(true) {
            return;
        }
        self.closing.set(true);
        self.backlog.clear();
        self.pause(Direction::Read);
        self.pause(Direction::Write);
        if let (Some(this), Some(event_loop)) = (self.this.upgrade(), self.event_loop.upgrade()) {
            let owned = Owned(this);
            // A closed loop drops the callback, which releases the transport.
            let _ = event_loop.call_soon(move || owned.0.call_connection_lost(exception));
        }
    }

    fn call_connection_lost(&self, exception: Option<Exception>) {
        if let Some(protocol) = self.get_protocol() {
            let told = catch(|| protocol.base().connection_lost(exception.as_ref()));
            if let Err(panic) = told {
                self.report(
                    panic,
                    "Fatal error: protocol.connection_lost() call failed.",
                );
            }
        }
        self.release();
    }

    fn report(&self, exception: Exception, message: &'static str) {
        let protocol = self.get_protocol();
        let protocol = protocol.as_ref().map(AnyProtocol::base);
        report(&self.event_loop, message, exception, self, protocol);
    }

    fn pause(&self, direction: Direction) {
        if let Some(watch) = &*self.watch.borrow() {
            watch.pause(direction);
        }
    }
}

impl LoopOwned for WritePipe {
    fn event_loop(&self) -> &WeakEventLoop {
        &self.event_loop
    }

    fn release(&self) {
        self.closing.set(true);
        self.lost.set(true);
        let watch = self.watch.take();
        let protocol = self.protocol.take();
        drop(watch);
        drop(protocol);
    }
}

impl Carrier for WritePipe {
    fn close(&self) {
        if !self.closing.replace(true) && self.backlog.is_empty() {
            self.lose(None);
        }
    }

    fn is_closing(&self) -> bool {
        self.closing.get()
    }

    fn abort(&self) {
        self.lose(None);
    }

    fn extra_info(&self, request: &mut Request<'_>) {
        request.provide::<Pipe>(|| Some(self.pipe.clone()));
    }

    fn set_protocol(&self, protocol: AnyProtocol) {
        if self.watch.borrow().is_some() {
            let replaced = self.protocol.replace(Some(protocol));
            drop(replaced);
        }
    }

    fn get_protocol(&self) -> Option<AnyProtocol> {
        self.protocol.borrow().clone()
    }

    fn is_reading(&self) -> bool {
        false
    }

    fn pause_reading(&self) {}

    fn resume_reading(&self) {}

    fn write(&self, data: &[u8]) -> Result<(), RuntimeError> {
        self.writelines(&[IoSlice::new(data)])
    }

    fn writelines(&self, list_of_data: &[IoSlice<'_>]) -> Result<(), RuntimeError> {
        if self.closing.get() || list_of_data.iter().all(|data| data.is_empty()) {
            return Ok(());
        }
        let mut sent = 0;
        let was_empty = self.backlog.is_empty();
        if was_empty {
            match self.send(&list_of_data[..list_of_data.len().min(MAX_SLICES)]) {
                Ok(at_once) => sent = at_once,
                Err(error) if is_for_later(&error) => {}
                Err(error) => {
                    self.fatal_error(error.into(), "Fatal write error on pipe transport");
                    return Ok(());
                }
            }
        }
        for data in list_of_data {
            let skipped = sent.min(data.len());
            sent -= skipped;
            self.backlog.push(&data[skipped..]);
        }
        if self.backlog.is_empty() {
            return Ok(());
        }
        if was_empty && let Err(error) = self.resume_writer() {
            self.fatal_error(error.into(), "Fatal write error on pipe transport");
            return Ok(());
        }
        self.maybe_pause_protocol();
        Ok(())
    }

    fn write_eof(&self) -> Result<()> {
        self.close();
        Ok(())
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

impl fmt::Debug for WritePipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let watch = self.watch.borrow();
        let Some(watch) = &*watch else {
            return f.write_str("<WritePipe closed>");
        };
        let state = if self.closing.get() { " closing" } else { "" };
        let size = self.backlog.len();
        let polling = if size > 0 { "polling" } else { "idle" };
        let fd = watch.get_ref().as_raw_fd();
        write!(f, "<WritePipe{state} fd={fd} {polling} bufsize={size}>")
    }
}
