//! What comes from underneath: the handshake, plaintext for the protocol above, the end.
//!
//! # asyncio
//!
//! `buffer_updated`, `_do_handshake`, `_on_handshake_complete`, `_do_read`, `eof_received`.

use bytes::Buf as _;
use rondel_task::Exception;

use super::{Layer, Stage, Told, lost};
use crate::{guard::catch, tls::session::Received, transport::Transport};

/// What the log says of a handshake that fails.
const HANDSHAKE_FAILED: &str = "SSL handshake failed";

/// What the log says of a peer that does not keep to the protocol, and a report of a protocol that panics.
const FATAL: &str = "Fatal error on SSL protocol";

impl Layer {
    /// Takes in ciphertext.
    pub(super) fn receive(&self, ciphertext: &[u8]) {
        if self.stage.get() < Stage::Closed {
            self.ciphertext.borrow_mut().extend_from_slice(ciphertext);
            self.process();
        }
    }

    /// Nothing more comes from underneath.
    pub(super) fn end_received(&self) {
        self.ended.set(true);
        match self.stage.get() {
            Stage::Handshaking => self.fail(lost().into(), HANDSHAKE_FAILED),
            // What waits comes first.
            Stage::Open if self.paused.get() => {}
            Stage::Open => self.ended_by_peer(),
            Stage::Closing => self.go_on_closing(),
            Stage::Made | Stage::Closed | Stage::Lost => {}
        }
    }

    /// Decrypts and delivers, until everything is used up, the protocol above pauses, or the connection ends.
    fn process(&self) {
        if self.processing.replace(true) {
            // Whoever does it already sees what has come.
            return;
        }
        while self.stage.get() < Stage::Closed && !self.is_held() {
            let mut plaintext = Vec::new();
            let received = {
                let mut ciphertext = self.ciphertext.borrow_mut();
                let mut rest = &ciphertext[..];
                let received = self.session.borrow_mut().receive(&mut rest, &mut plaintext);
                let used = ciphertext.len() - rest.len();
                ciphertext.advance(used);
                received
            };
            self.flush();
            self.deliver(&plaintext);
            match received {
                Received::Plenty => {}
                Received::Handshake => self.handshake_is_done(),
                Received::CloseNotify => {
                    self.close_notify_received();
                    break;
                }
                Received::Error(error) => {
                    let message = match self.stage.get() {
                        Stage::Handshaking => HANDSHAKE_FAILED,
                        _ => FATAL,
                    };
                    self.fail(error.into(), message);
                }
                // More has come meanwhile.
                Received::Everything if !self.ciphertext.borrow().is_empty() => {}
                Received::Everything => {
                    if self.ended.get() && self.stage.get() == Stage::Open && !self.is_held() {
                        self.ended_by_peer();
                    }
                    break;
                }
            }
        }
        self.processing.set(false);
        if !self.is_held() {
            // Nothing is left that anybody wants, and an idle connection keeps no memory for more.
            drop(self.ciphertext.take());
        }
    }

    /// Says whether what comes is to wait.
    fn is_held(&self) -> bool {
        self.stage.get() == Stage::Open && self.paused.get()
    }

    fn deliver(&self, plaintext: &[u8]) {
        if plaintext.is_empty() || self.stage.get() != Stage::Open {
            return;
        }
        if let Some(protocol) = self.above() {
            let told = catch(|| protocol.feed(plaintext)).and_then(|told| told);
            if let Err(error) = told {
                self.fatal_error(error, FATAL);
            }
        }
    }

    fn handshake_is_done(&self) {
        tracing::debug!(transport = ?self, "SSL handshake is done");
        self.set_timer(None);
        self.stage.set(Stage::Open);
        if self.told.get() == Told::Nothing
            && let (Some(protocol), Some(this)) = (self.above(), self.this.upgrade())
        {
            self.told.set(Told::Made);
            let made = catch(|| protocol.connection_made(Transport::new(this)));
            if let Err(panic) = made {
                self.fatal_error(
                    panic,
                    "Fatal error: protocol.connection_made() call failed.",
                );
                return;
            }
        }
        self.wake_waiter(Ok(()));
        // What was written before.
        self.send_backlog();
        if self.is_held()
            && let Some(under) = self.under.get()
        {
            under.pause_reading();
        }
    }

    fn close_notify_received(&self) {
        match self.stage.get() {
            Stage::Handshaking => self.fail(lost().into(), HANDSHAKE_FAILED),
            Stage::Open => self.ended_by_peer(),
            _ => self.go_on_closing(),
        }
    }

    /// The peer sends nothing more; whether it has said so makes no difference.
    fn ended_by_peer(&self) {
        self.tell_eof();
        if self.stage.get() == Stage::Open {
            self.begin_closing();
        }
    }

    /// Tells the protocol above that nothing more comes. Its answer means nothing: TLS ends both ways at once.
    pub(super) fn tell_eof(&self) {
        if self.told.get() != Told::Made {
            return;
        }
        self.told.set(Told::Eof);
        if let Some(protocol) = self.above() {
            let told = catch(|| protocol.eof_received());
            if let Err(panic) = told {
                self.fatal_error(panic, "Error calling eof_received()");
            }
        }
    }

    /// Reads again, in the next iteration.
    pub(super) fn resume_soon(&self) {
        let this = self.this.clone();
        let Some(event_loop) = self.event_loop.upgrade() else {
            return;
        };
        // A closed loop reads nothing.
        let _ = event_loop.call_soon(move || {
            if let Some(layer) = this.upgrade() {
                layer.resume();
            }
        });
    }

    fn resume(&self) {
        if self.paused.get() || self.stage.get() >= Stage::Closed {
            return;
        }
        self.process();
        if !self.paused.get()
            && self.stage.get() < Stage::Closed
            && let Some(under) = self.under.get()
        {
            under.resume_reading();
        }
    }

    /// A protocol has done what it must not, which is reported, or cannot go on.
    pub(super) fn fatal_error(&self, exception: Exception, message: &'static str) {
        self.report(exception.clone(), message);
        self.abort_by(Some(exception));
    }
}
