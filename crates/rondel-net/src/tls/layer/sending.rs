//! What the protocol above writes: encrypted as the transport underneath takes it, in the backlog until then.
//!
//! # asyncio
//!
//! `_write_appdata`, `_do_write`, `_process_outgoing`, `_control_app_writing`.
//! Nothing is encrypted ahead of time there is room for it, so that what waits is as long as what was written.

use super::{Layer, Stage};
use crate::guard::catch;

impl Layer {
    pub(super) fn send(&self, mut data: &[u8]) {
        if self.stage.get() >= Stage::Closing {
            if !data.is_empty() {
                tracing::debug!(transport = ?self, "written to a closed connection");
            }
            return;
        }
        if self.backlog.is_empty() {
            while !data.is_empty() && self.can_send() {
                let sent = self.session.borrow_mut().send(data);
                data = &data[sent..];
                self.flush();
            }
        }
        if !data.is_empty() {
            self.backlog.push(data);
            self.maybe_pause_protocol();
        }
    }

    /// Says whether what is written now is sent now.
    fn can_send(&self) -> bool {
        let stage = self.stage.get();
        (stage == Stage::Open || stage == Stage::Closing) && !self.under_paused.get()
    }

    /// Sends what waits, as far as the transport underneath takes it.
    pub(super) fn send_backlog(&self) {
        while !self.backlog.is_empty() && self.can_send() {
            let sent = self.backlog.send(|slices| {
                let sent = self.session.borrow_mut().send(&slices[0]);
                Ok(sent)
            });
            debug_assert!(sent.is_ok(), "the session has no errors of the system");
            self.flush();
        }
        self.maybe_resume_protocol();
    }

    /// Gives the transport underneath what the session has for the peer.
    pub(super) fn flush(&self) {
        let Some(under) = self.under.get() else {
            return;
        };
        let ciphertext = self.session.borrow_mut().take_ciphertext();
        if ciphertext.is_empty() {
            return;
        }
        if let Err(error) = under.write(&ciphertext) {
            // Somebody else has ended it.
            self.abort_by(Some(error.into()));
        }
    }

    /// The transport underneath has room again.
    pub(super) fn resume_writing(&self) {
        if self.under_paused.replace(false) {
            self.send_backlog();
            if self.stage.get() == Stage::Closing {
                self.go_on_closing();
            }
        } else if let Some(protocol) = self.above() {
            // It was told to pause before its connection was upgraded.
            let told = catch(|| protocol.base().resume_writing());
            if let Err(panic) = told {
                self.report(panic, "protocol.resume_writing() failed");
            }
        }
    }

    pub(super) fn maybe_pause_protocol(&self) {
        if let Some(protocol) = self.above() {
            let size = self.backlog.len();
            let told = self.flow.maybe_pause_protocol(size, protocol.base());
            if let Err(panic) = told {
                self.report(panic, "protocol.pause_writing() failed");
            }
        }
    }

    fn maybe_resume_protocol(&self) {
        if !self.flow.is_protocol_paused() {
            return;
        }
        if let Some(protocol) = self.above() {
            let size = self.backlog.len();
            let told = self.flow.maybe_resume_protocol(size, protocol.base());
            if let Err(panic) = told {
                self.report(panic, "protocol.resume_writing() failed");
            }
        }
    }
}
