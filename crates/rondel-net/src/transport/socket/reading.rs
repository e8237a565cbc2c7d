//! What a socket has received, for the protocol.
//!
//! # asyncio
//!
//! `_read_ready__data_received`, `_read_ready__get_buffer`, `_read_ready__on_eof`.

use std::io;

use rondel_reactor::Direction;
use rondel_task::{Exception, RuntimeError};
use rustix::{buffer::spare_capacity, net::RecvFlags};

use super::{SocketTransport, is_for_later};
use crate::{
    guard::catch,
    protocol::{AfterEof, AnyProtocol, BufferedProtocol, EMPTY_BUFFER, Protocol},
    transport::{Carrier as _, scratch::Scratch},
};

impl SocketTransport {
    pub(super) fn read_ready(&self) {
        if self.lost.get() > 0 {
            return;
        }
        match self.get_protocol() {
            Some(AnyProtocol::Plain(protocol)) => self.read_plain(&*protocol),
            Some(AnyProtocol::Buffered(protocol)) => self.read_buffered(&*protocol),
            None => {}
        }
    }

    fn read_plain(&self, protocol: &dyn Protocol) {
        let mut scratch = Scratch::take();
        let received = self.with_socket(|socket| {
            let (_, received) = rustix::net::recv(
                socket,
                spare_capacity(scratch.as_mut_vec()),
                RecvFlags::empty(),
            )?;
            Ok(received)
        });
        if self.has_received(received).is_some() {
            let told = catch(|| protocol.data_received(scratch.as_slice()));
            if let Err(panic) = told {
                self.fatal_error(panic, "Fatal error: protocol.data_received() call failed.");
            }
        }
    }

    fn read_buffered(&self, protocol: &dyn BufferedProtocol) {
        let mut received = None;
        let lent = catch(|| {
            protocol.get_buffer(0, &mut |buffer| {
                if received.is_some() || buffer.is_empty() {
                    return 0;
                }
                let outcome = self.with_socket(|socket| {
                    let (_, received) = rustix::net::recv(socket, buffer, RecvFlags::empty())?;
                    Ok(received)
                });
                let length = *outcome.as_ref().unwrap_or(&0);
                received = Some(outcome);
                length
            });
        });
        let lent = lent
            .and_then(|()| received.ok_or_else(|| Exception::new(RuntimeError::new(EMPTY_BUFFER))));
        let received = match lent {
            Ok(received) => received,
            Err(error) => {
                let message = "Fatal error: protocol.get_buffer() call failed.";
                return self.fatal_error(error, message);
            }
        };
        if let Some(nbytes) = self.has_received(received) {
            let told = catch(|| protocol.buffer_updated(nbytes));
            if let Err(panic) = told {
                self.fatal_error(panic, "Fatal error: protocol.buffer_updated() call failed.");
            }
        }
    }

    /// How many bytes there are for the protocol; what else has come instead is dealt with.
    fn has_received(&self, received: io::Result<usize>) -> Option<usize> {
        match received {
            Ok(0) => self.on_eof(),
            Ok(nbytes) => return Some(nbytes),
            Err(error) if is_for_later(&error) => {}
            Err(error) => self.fatal_io_error(error, "Fatal read error on socket transport"),
        }
        None
    }

    fn on_eof(&self) {
        tracing::trace!(transport = ?self, "received EOF");
        self.ended.set(true);
        self.pause(Direction::Read);
        let Some(protocol) = self.get_protocol() else {
            return;
        };
        match catch(|| protocol.eof_received()) {
            // The protocol can write more, but nothing more will come.
            Ok(AfterEof::KeepOpen) => {}
            Ok(AfterEof::Close) => self.close(),
            Err(panic) => {
                self.fatal_error(panic, "Fatal error: protocol.eof_received() call failed.");
            }
        }
    }
}
