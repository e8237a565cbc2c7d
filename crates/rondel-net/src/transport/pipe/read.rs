//! The end of a pipe that is read from.
//!
//! # asyncio
//!
//! `_UnixReadPipeTransport`.

use std::{
    cell::{Cell, RefCell},
    fmt, io,
    os::fd::{AsRawFd as _, OwnedFd},
    rc::{Rc, Weak},
};

use rondel_reactor::{Direction, FdWatch};
use rondel_task::{EventLoop, Exception, Future, Result, RuntimeError, WeakEventLoop};
use rustix::io::Errno;

use super::{TransportPipe, watch};
use crate::{
    guard::{catch, report},
    protocol::AnyProtocol,
    transport::{
        Carrier, Transport,
        extra_info::{Pipe, Request},
        flow::WriteBufferLimits,
        owned::{LoopOwned, Owned},
        scratch::Scratch,
        socket::{Circumstances, is_for_later},
    },
};

/// A transport that only reads.
pub(super) struct ReadPipe {
    this: Weak<Self>,
    event_loop: WeakEventLoop,
    /// None once released.
    watch: RefCell<Option<Rc<FdWatch<OwnedFd>>>>,
    /// None once released.
    protocol: RefCell<Option<AnyProtocol>>,
    closing: Cell<bool>,
    paused: Cell<bool>,
    pipe: TransportPipe,
}

impl ReadPipe {
    pub(super) fn open(
        event_loop: &EventLoop,
        pipe: OwnedFd,
        protocol: AnyProtocol,
        circumstances: Circumstances,
    ) -> Result<Transport> {
        let (watch, _) = watch(event_loop, pipe)?;
        let this = Rc::new_cyclic(|this| Self {
            this: this.clone(),
            event_loop: event_loop.downgrade(),
            pipe: TransportPipe::new(&watch),
            watch: RefCell::new(Some(watch)),
            protocol: RefCell::new(Some(protocol)),
            closing: Cell::new(false),
            paused: Cell::new(false),
        });
        let transport = Transport::new(this.clone());
        let owned = Owned(this);
        let waiter = circumstances.waiter;
        event_loop.call_soon(move || owned.0.begin(waiter))?;
        Ok(transport)
    }

    /// Tells the protocol, then reads, then tells whoever waits for the transport.
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
        if !self.closing.get() {
            let begun = self.begin_reading();
            if let Err(error) = begun {
                self.fatal_error(error.into(), "Fatal read error on pipe transport");
            }
        }
        if let Some(waiter) = waiter {
            // Whoever waited may have been cancelled.
            let _ = waiter.set_result(());
        }
    }

    fn begin_reading(&self) -> io::Result<()> {
        let watch = self.watch.borrow().clone();
        if let (Some(watch), Some(this)) = (watch, self.this.upgrade()) {
            let owned = Owned(this);
            watch.set(Direction::Read, move || owned.0.read_ready())?;
            if self.paused.get() {
                watch.pause(Direction::Read);
            }
        }
        Ok(())
    }

    fn read_ready(&self) {
        if self.closing.get() {
            return;
        }
        let Some(protocol) = self.get_protocol() else {
            return;
        };
        let mut scratch = Scratch::take();
        match self.read(&mut scratch) {
            Ok(0) => self.on_eof(),
            Ok(length) => {
                let told = catch(|| protocol.feed(scratch.filled(length))).and_then(|told| told);
                if let Err(error) = told {
                    self.fatal_error(error, "Fatal error: protocol.data_received() call failed.");
                }
            }
            Err(error) if is_for_later(&error) => {}
            Err(error) => self.fatal_error(error.into(), "Fatal read error on pipe transport"),
        }
    }

    fn read(&self, scratch: &mut Scratch) -> io::Result<usize> {
        match &*self.watch.borrow() {
            Some(watch) => Ok(rustix::io::read(watch.get_ref(), scratch.as_mut_slice())?),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    fn on_eof(&self) {
        self.closing.set(true);
        self.pause();
        self.call_soon(|this| {
            let Some(protocol) = this.get_protocol() else {
                return;
            };
            // The answer is of no use: there is nothing to write to.
            if let Err(panic) = catch(|| protocol.eof_received()) {
                this.report(panic, "Fatal error: protocol.eof_received() call failed.");
            }
        });
        self.call_soon(|this| this.call_connection_lost(None));
    }

    fn fatal_error(&self, exception: Exception, message: &'static str) {
        // A terminal that hangs up.
        let hung_up = exception
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.raw_os_error() == Some(Errno::IO.raw_os_error()));
        if hung_up {
            tracing::debug!(transport = ?self, %exception, message);
        } else {
            self.report(exception.clone(), message);
        }
        self.lose(Some(exception));
    }

    fn lose(&self, exception: Option<Exception>) {
        if self.closing.replace(true) {
            return;
        }
        self.pause();
        self.call_soon(move |this| this.call_connection_lost(exception));
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

    fn call_soon(&self, callback: impl FnOnce(&Self) + 'static) {
        if let (Some(this), Some(event_loop)) = (self.this.upgrade(), self.event_loop.upgrade()) {
            let owned = Owned(this);
            // A closed loop drops the callback, which releases the transport.
            let _ = event_loop.call_soon(move || callback(&owned.0));
        }
    }

    fn pause(&self) {
        if let Some(watch) = &*self.watch.borrow() {
            watch.pause(Direction::Read);
        }
    }
}

impl LoopOwned for ReadPipe {
    fn event_loop(&self) -> &WeakEventLoop {
        &self.event_loop
    }

    fn release(&self) {
        self.closing.set(true);
        let watch = self.watch.take();
        let protocol = self.protocol.take();
        drop(watch);
        drop(protocol);
    }
}

impl Carrier for ReadPipe {
    fn close(&self) {
        self.lose(None);
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
        !self.paused.get() && !self.closing.get()
    }

    fn pause_reading(&self) {
        if self.is_reading() {
            self.paused.set(true);
            self.pause();
        }
    }

    fn resume_reading(&self) {
        if self.closing.get() || !self.paused.replace(false) {
            return;
        }
        let resumed = match &*self.watch.borrow() {
            Some(watch) => watch.resume(Direction::Read),
            None => Ok(()),
        };
        if let Err(error) = resumed {
            self.fatal_error(error.into(), "Fatal read error on pipe transport");
        }
    }

    fn write(&self, _data: &[u8]) -> Result<(), RuntimeError> {
        Err(only_reads())
    }

    fn write_eof(&self) -> Result<()> {
        Err(only_reads().into())
    }

    fn can_write_eof(&self) -> bool {
        false
    }

    fn get_write_buffer_size(&self) -> usize {
        0
    }

    fn get_write_buffer_limits(&self) -> WriteBufferLimits {
        WriteBufferLimits::default()
    }

    fn set_write_buffer_limits(&self, _limits: WriteBufferLimits) {}

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl fmt::Debug for ReadPipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let watch = self.watch.borrow();
        let Some(watch) = &*watch else {
            return f.write_str("<ReadPipe closed>");
        };
        let state = if self.closing.get() { " closing" } else { "" };
        let polling = if self.is_reading() { "polling" } else { "idle" };
        let fd = watch.get_ref().as_raw_fd();
        write!(f, "<ReadPipe{state} fd={fd} {polling}>")
    }
}

fn only_reads() -> RuntimeError {
    RuntimeError::new("cannot write to a transport that only reads")
}
