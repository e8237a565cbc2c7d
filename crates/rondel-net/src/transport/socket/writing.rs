//! What the protocol has written, for the socket: sent at once where nothing waits, else behind what waits.
//!
//! # asyncio
//!
//! `write`, `writelines`, `write_eof`, `_write_sendmsg`.
//! `writelines` tells a protocol to pause, as later versions of CPython do.

use std::{
    io::{self, IoSlice},
    net::Shutdown,
};

use rondel_reactor::Direction;
use rondel_task::{Result, RuntimeError};
use rustix::{
    io::retry_on_intr,
    net::{SendAncillaryBuffer, SendFlags},
};

use super::{SocketTransport, is_for_later};
use crate::transport::{Carrier as _, backlog::MAX_SLICES};

/// After so many writes to a lost connection the log says so, each time.
const LOG_THRESHOLD_FOR_CONNLOST_WRITES: u32 = 5;

impl SocketTransport {
    /// The one case of which there is nothing to be kept is compiled into the writer: behind a system call each return is one that the processor
    /// did not foresee.
    #[inline]
    pub(in crate::transport) fn write_now(&self, data: &[u8]) -> Result<(), RuntimeError> {
        let may_send = !self.eof.get() && self.lost.get() == 0 && self.backlog.is_empty();
        if !may_send || data.is_empty() {
            return self.write_later(data);
        }
        match self.send(data) {
            Ok(sent) if sent == data.len() => {}
            sent => self.has_sent_less(data, sent),
        }
        Ok(())
    }

    #[cold]
    fn write_later(&self, data: &[u8]) -> Result<(), RuntimeError> {
        if self.check_write("write")? && !data.is_empty() {
            self.keep(data);
            self.maybe_pause_protocol();
        }
        Ok(())
    }

    /// Not all was sent at once.
    #[cold]
    fn has_sent_less(&self, data: &[u8], sent: io::Result<usize>) {
        match sent {
            Ok(sent) => self.keep(&data[sent..]),
            Err(error) if is_for_later(&error) => self.keep(data),
            Err(error) => {
                return self.fatal_io_error(error, "Fatal write error on socket transport");
            }
        }
        self.wait_to_write();
    }

    pub(super) fn writelines_now(&self, list_of_data: &[IoSlice<'_>]) -> Result<(), RuntimeError> {
        if !self.check_write("writelines")? || list_of_data.iter().all(|data| data.is_empty()) {
            return Ok(());
        }
        if !self.backlog.is_empty() {
            list_of_data.iter().for_each(|data| self.keep(data));
            self.maybe_pause_protocol();
            return Ok(());
        }
        let at_once = &list_of_data[..list_of_data.len().min(MAX_SLICES)];
        let mut sent = match self.send_vectored(at_once) {
            Ok(sent) => sent,
            Err(error) if is_for_later(&error) => 0,
            Err(error) => {
                self.fatal_io_error(error, "Fatal write error on socket transport");
                return Ok(());
            }
        };
        for data in list_of_data {
            let skipped = sent.min(data.len());
            sent -= skipped;
            self.keep(&data[skipped..]);
        }
        if !self.backlog.is_empty() {
            self.wait_to_write();
            if at_once.len() < list_of_data.len() && self.lost.get() == 0 {
                self.look_again_to_write();
            }
        }
        Ok(())
    }

    pub(super) fn end_writing(&self) -> Result<()> {
        if self.closing.get() || self.eof.replace(true) {
            return Ok(());
        }
        if self.backlog.is_empty() {
            self.shutdown_write()?;
        }
        Ok(())
    }

    /// Refuses to write where that is a misuse, and says whether there still is a connection to write to.
    fn check_write(&self, call: &'static str) -> Result<bool, RuntimeError> {
        if self.eof.get() {
            return Err(RuntimeError::new(format!(
                "cannot call {call}() after write_eof()"
            )));
        }
        let lost = self.lost.get();
        if lost == 0 {
            return Ok(true);
        }
        if lost >= LOG_THRESHOLD_FOR_CONNLOST_WRITES {
            tracing::warn!(transport = ?self, "written to a lost connection");
        }
        self.lost.set(lost.saturating_add(1));
        Ok(false)
    }

    /// Keeps what could not be sent at once.
    fn keep(&self, rest: &[u8]) {
        self.backlog.push(rest);
    }

    /// Waits until more can be sent, and tells the protocol if it is too much that waits.
    fn wait_to_write(&self) {
        if let Err(error) = self.resume_writer() {
            self.backlog.clear();
            return self.fatal_io_error(error, "Fatal write error on socket transport");
        }
        self.maybe_pause_protocol();
    }

    fn resume_writer(&self) -> io::Result<()> {
        if self.writer_is_set.get() {
            return self.resume(Direction::Write);
        }
        self.set(Direction::Write, Self::write_ready)?;
        self.writer_is_set.set(true);
        Ok(())
    }

    fn write_ready(&self) {
        if self.lost.get() > 0 {
            return;
        }
        let sent = self.backlog.send(|slices| self.send_vectored(slices));
        match sent {
            Ok(()) => self.has_sent(),
            Err(error) if is_for_later(&error) => {}
            Err(error) => {
                self.pause(Direction::Write);
                self.backlog.clear();
                self.fatal_io_error(error, "Fatal write error on socket transport");
            }
        }
    }

    /// There may be room (I4).
    fn look_again_to_write(&self) {
        if let Err(error) = self.look_again(Direction::Write) {
            self.fatal_io_error(error, "Fatal write error on socket transport");
        }
    }

    fn has_sent(&self) {
        self.maybe_resume_protocol();
        // The protocol may have written more, or aborted.
        if self.lost.get() > 0 || !self.backlog.is_empty() {
            return;
        }
        self.pause(Direction::Write);
        if self.closing.get() {
            self.lost.set(1);
            self.call_connection_lost(None);
        } else if self.eof.get()
            && let Err(error) = self.shutdown_write()
        {
            self.fatal_io_error(error, "Fatal write error on socket transport");
        }
    }

    #[inline]
    fn send(&self, data: &[u8]) -> io::Result<usize> {
        self.with_socket(|socket| {
            let sent = retry_on_intr(|| rustix::net::send(socket, data, SendFlags::NOSIGNAL));
            Ok(sent?)
        })
    }

    fn send_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.with_socket(|socket| {
            let mut no_control = SendAncillaryBuffer::default();
            let flags = SendFlags::NOSIGNAL;
            let sent =
                retry_on_intr(|| rustix::net::sendmsg(socket, slices, &mut no_control, flags));
            Ok(sent?)
        })
    }

    fn shutdown_write(&self) -> io::Result<()> {
        self.with_socket(|socket| socket.shutdown(Shutdown::Write))
    }

    pub(super) fn maybe_pause_protocol(&self) {
        if let Some(protocol) = self.get_protocol() {
            let told = self
                .flow
                .maybe_pause_protocol(self.backlog.len(), protocol.base());
            self.report_flow(told, "protocol.pause_writing() failed");
        }
    }

    fn maybe_resume_protocol(&self) {
        if !self.flow.is_protocol_paused() {
            return;
        }
        if let Some(protocol) = self.get_protocol() {
            let told = self
                .flow
                .maybe_resume_protocol(self.backlog.len(), protocol.base());
            self.report_flow(told, "protocol.resume_writing() failed");
        }
    }

    fn report_flow(&self, told: Result<()>, message: &'static str) {
        if let Err(panic) = told {
            self.report(panic, message);
        }
    }
}
