//! How a connection ends: mistakes, errors, and `connection_lost`.
//!
//! # asyncio
//!
//! `_fatal_error`, `_force_close`, `_call_connection_lost`.
//! A `connection_lost` that panics is reported with its transport and protocol; there it is an exception in a callback.

use std::io;

use rondel_reactor::Direction;
use rondel_task::Exception;

use super::SocketTransport;
use crate::{
    guard::{catch, report},
    protocol::AnyProtocol,
    transport::{
        Carrier as _,
        owned::{LoopOwned as _, Owned},
    },
};

impl SocketTransport {
    /// The connection is lost by an error of the system, which is nobody's fault here.
    pub(super) fn fatal_io_error(&self, error: io::Error, message: &'static str) {
        tracing::debug!(transport = ?self, %error, message);
        self.force_close(Some(error.into()));
    }

    /// The connection is lost by a mistake, which is reported.
    pub(super) fn fatal_error(&self, exception: Exception, message: &'static str) {
        self.report(exception.clone(), message);
        self.force_close(Some(exception));
    }

    pub(super) fn report(&self, exception: Exception, message: &'static str) {
        let protocol = self.get_protocol();
        let protocol = protocol.as_ref().map(AnyProtocol::base);
        report(&self.event_loop, message, exception, self, protocol);
    }

    pub(super) fn force_close(&self, exception: Option<Exception>) {
        if self.lost.get() > 0 {
            return;
        }
        self.backlog.clear();
        self.closing.set(true);
        self.lose(exception);
    }

    /// Schedules `connection_lost`; from here on nothing is read or sent.
    pub(super) fn lose(&self, exception: Option<Exception>) {
        self.lost.set(1);
        self.pause(Direction::Read);
        self.pause(Direction::Write);
        let Some(this) = self.this.upgrade() else {
            return;
        };
        let owned = Owned(this);
        if let Some(event_loop) = self.event_loop.upgrade() {
            // A closed loop drops the callback, which releases the transport.
            let _ = event_loop.call_soon(move || owned.0.call_connection_lost(exception));
        }
    }

    pub(super) fn call_connection_lost(&self, exception: Option<Exception>) {
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
}
