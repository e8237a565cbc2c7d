//! Accepting connections, also where the system has run out of something.
//!
//! # asyncio
//!
//! `_accept_connection` and `_accept_connection2`.
//! A connection is made in a callback there, too, by a task of its own; here no task is needed for it, and a factory that panics is always reported, not
//! only in debug mode.
//! A shortage is reported when it begins, and not each second until it ends.

use std::{
    cell::Cell,
    io::{self, ErrorKind},
    rc::{Rc, Weak},
    time::Duration,
};

use rondel_reactor::ExceptionContext;
use rondel_task::{Exception, Result};
use rustix::io::Errno;
use socket2::Socket;

use super::{Shared, listener::Listener};
use crate::{
    guard::catch,
    transport::{
        socket::{Circumstances, SocketTransport},
        socket_name::SocketName,
    },
};

/// How long accepting rests when the system has no descriptor or memory left for another connection.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_secs(1);

/// What accepting on one socket has come to.
struct Acceptor {
    /// Owned, so that a server lives while it serves.
    server: Rc<Shared>,
    listener: Weak<Listener>,
    /// The last attempt found the system short of something.
    short: Rc<Cell<bool>>,
}

impl Shared {
    /// Has the loop accept what comes by `listener`.
    pub(super) fn accept_on(&self, listener: &Rc<Listener>) -> io::Result<()> {
        let Some(server) = self.this.upgrade() else {
            return Ok(());
        };
        let acceptor = Acceptor {
            server,
            listener: Rc::downgrade(listener),
            short: Rc::default(),
        };
        listener.set(move || acceptor.accept())
    }
}

impl Acceptor {
    /// Accepts what waits, as many as the backlog has room for.
    fn accept(&self) {
        for _ in 0..self.server.backlog.max(1) {
            let Some(listener) = self.listener.upgrade() else {
                return;
            };
            match listener.accept() {
                Ok((socket, peername)) => {
                    self.short.set(false);
                    self.server.accepted(socket, peername);
                }
                Err(error) => return self.failed(&listener, error),
            }
        }
    }

    fn failed(&self, listener: &Rc<Listener>, error: io::Error) {
        match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::Interrupted | ErrorKind::ConnectionAborted => {}
            _ if is_shortage(&error) => self.rest(listener, error),
            _ => {
                let error = Exception::new(error);
                self.server
                    .report("socket.accept() failed", error, Some(listener));
            }
        }
    }

    /// Accepts nothing for a while: the connections that wait would be reported again and again.
    fn rest(&self, listener: &Rc<Listener>, error: io::Error) {
        if !self.short.replace(true) {
            self.server.report(
                "socket.accept() out of system resource",
                error.into(),
                Some(listener),
            );
        }
        listener.pause();
        let resting = self.listener.clone();
        if let Some(event_loop) = self.server.event_loop.upgrade() {
            // A closed loop accepts nothing anyway; what cannot be resumed has been closed.
            let _ = event_loop.call_later(ACCEPT_RETRY_DELAY, move || {
                if let Some(listener) = resting.upgrade() {
                    let _ = listener.resume();
                }
            });
        }
    }
}

impl Drop for Acceptor {
    /// A loop that closes drops it: then the server ends, too.
    fn drop(&mut self) {
        let is_left_alone = self
            .server
            .event_loop
            .upgrade()
            .is_none_or(|event_loop| event_loop.is_closed());
        if is_left_alone {
            self.server.close();
        }
    }
}

impl Shared {
    /// Makes the transport of a connection, in the next iteration.
    fn accepted(self: &Rc<Self>, socket: Socket, peername: SocketName) {
        tracing::debug!(%peername, "accepted a connection");
        let server = Rc::clone(self);
        // Counted from here on, so that nobody believes the last one gone.
        let membership = self.clients.join();
        let circumstances = Circumstances {
            peername: Some(peername),
            membership: Some(membership),
            ..Circumstances::default()
        };
        if let Some(event_loop) = self.event_loop.upgrade() {
            // A closed loop drops the callback, and the connection with it.
            let _ = event_loop.call_soon(move || {
                if let Err(error) = server.make_transport(socket, circumstances) {
                    let message = "Error on transport creation for incoming connection";
                    server.report(message, error, None);
                }
            });
        }
    }

    fn make_transport(&self, socket: Socket, mut circumstances: Circumstances) -> Result<()> {
        let Some(event_loop) = self.event_loop.upgrade() else {
            return Ok(());
        };
        let mut protocol = catch(|| (self.factory)())?;
        if let Some(layer) = &self.layer {
            let layered = layer.layer(&event_loop, protocol, None)?;
            protocol = layered.below;
            circumstances.above = Some(layered.above);
        }
        SocketTransport::open(&event_loop, socket, protocol, circumstances)?;
        Ok(())
    }

    fn report(&self, message: &'static str, error: Exception, listener: Option<&Rc<Listener>>) {
        let mut context = ExceptionContext::new(message).with_exception(error.into_shared());
        if let Some(listener) = listener {
            context = context.with_subject("socket", format!("{:?}", listener.socket()));
        }
        if let Some(event_loop) = self.event_loop.upgrade() {
            event_loop.call_exception_handler(&context);
        }
    }
}

/// Says whether the system had no descriptor or no memory left.
pub(super) fn is_shortage(error: &io::Error) -> bool {
    let short = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
    error
        .raw_os_error()
        .is_some_and(|code| short.iter().any(|errno| errno.raw_os_error() == code))
}
