//! How a connection ends: in agreement with the peer, by an error, by running out of time.
//!
//! # asyncio
//!
//! `_start_shutdown`, `_do_shutdown`, `_on_shutdown_complete`, `_check_handshake_timeout`, `_check_shutdown_timeout`, `_fatal_error`, `connection_lost`.

use std::io;

use rondel_task::{Exception, TimeoutError};

use super::{Layer, Stage, Told, lost};
use crate::{
    guard::{catch, report},
    protocol::AnyProtocol,
    transport::owned::{LoopOwned as _, Owned},
};

impl Layer {
    /// Sends what waits and takes leave of the peer.
    pub(super) fn begin_closing(&self) {
        self.stage.set(Stage::Closing);
        self.limit(self.timeouts.shutdown, Self::shutdown_timed_out);
        self.go_on_closing();
        if self.stage.get() == Stage::Closing && self.paused.replace(false) {
            // The peer's answer is waited for.
            self.resume_soon();
        }
    }

    /// Goes as far as the transport underneath and the peer let it.
    pub(super) fn go_on_closing(&self) {
        self.send_backlog();
        if self.stage.get() != Stage::Closing || !self.backlog.is_empty() {
            return;
        }
        let peer_has_closed = self.session.borrow().peer_has_closed();
        // A peer that has gone without a farewell gets none.
        let says_so = peer_has_closed || !self.ended.get();
        if says_so && !self.close_notify_is_sent.replace(true) {
            self.session.borrow_mut().send_close_notify();
            self.flush();
        }
        if (peer_has_closed || self.ended.get()) && self.stage.get() == Stage::Closing {
            self.tell_eof();
            self.close_under();
        }
    }

    /// Has the transport underneath send what it has, and end.
    fn close_under(&self) {
        if self.stage.get() < Stage::Closed {
            self.stage.set(Stage::Closed);
            if let Some(under) = self.under.get() {
                under.close();
            }
        }
    }

    /// The connection cannot go on, which is the peer's fault; it is told why.
    pub(super) fn fail(&self, exception: Exception, message: &'static str) {
        tracing::debug!(transport = ?self, %exception, message);
        self.reason.replace(Some(exception.clone()));
        self.limit(self.timeouts.shutdown, Self::shutdown_timed_out);
        self.close_under();
        self.wake_waiter(Err(exception));
    }

    /// Ends the connection at once.
    pub(super) fn abort_by(&self, reason: Option<Exception>) {
        if self.stage.get() >= Stage::Lost {
            return;
        }
        self.stage.set(Stage::Closed);
        if reason.is_some() {
            let before = self.reason.replace(reason);
            drop(before);
        }
        if let Some(under) = self.under.get() {
            under.abort();
        }
    }

    pub(super) fn handshake_timed_out(&self) {
        if self.stage.get() == Stage::Handshaking {
            let timeout = self.timeouts.handshake.as_secs_f64();
            let message = format!(
                "SSL handshake is taking longer than {timeout:?} seconds: aborting the connection"
            );
            let error = io::Error::new(io::ErrorKind::ConnectionAborted, message);
            tracing::debug!(transport = ?self, %error);
            self.abort_by(Some(error.into()));
        }
    }

    fn shutdown_timed_out(&self) {
        tracing::debug!(transport = ?self, "SSL shutdown timed out");
        let reason = self.reason.take();
        self.abort_by(Some(reason.unwrap_or_else(|| TimeoutError.into())));
    }

    pub(super) fn report(&self, exception: Exception, message: &'static str) {
        let protocol = self.above();
        let protocol = protocol.as_ref().map(AnyProtocol::base);
        report(&self.event_loop, message, exception, self, protocol);
    }

    /// The transport underneath is lost; the protocol above hears of it in the next iteration.
    pub(super) fn is_lost(&self, exception: Option<&Exception>) {
        self.stage.set(Stage::Lost);
        self.set_timer(None);
        self.backlog.clear();
        drop(self.ciphertext.take());
        let exception = self.reason.take().or_else(|| exception.cloned());
        let waiter = self.waiter.take();
        match (self.told.get(), self.this.upgrade()) {
            (Told::Made | Told::Eof, Some(this)) => {
                let (owned, exception) = (Owned(this), exception.clone());
                if let Some(event_loop) = self.event_loop.upgrade() {
                    // A closed loop drops the callback, which releases the layer.
                    let _ = event_loop.call_soon(move || owned.0.call_connection_lost(exception));
                }
            }
            _ => self.release(),
        }
        if let Some(waiter) = waiter {
            // Whoever waited may have been cancelled.
            let _ = waiter.set_exception(exception.unwrap_or_else(|| lost().into()));
        }
    }

    fn call_connection_lost(&self, exception: Option<Exception>) {
        self.told.set(Told::Lost);
        if let Some(protocol) = self.above() {
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
