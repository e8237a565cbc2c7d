//! What a socket has received, for the protocol.
//!
//! # asyncio
//!
//! `_read_ready__data_received`, `_read_ready__get_buffer`, `_read_ready__on_eof`.

use std::io;

use rondel_reactor::Direction;
use rondel_task::{Exception, RuntimeError};
use rustix::{io::retry_on_intr, net::RecvFlags};

use super::{SocketTransport, is_for_later};
use crate::{
    guard::catch,
    protocol::{AfterEof, AnyProtocol, BufferedProtocol, EMPTY_BUFFER, Protocol},
    transport::{
        Carrier as _,
        block::Block,
        scratch::{MAX_SIZE, Scratch},
    },
};

/// Of so many bytes the loop need not be told: with four times as many for each event a wait still collects as many events as it ever does.
const LITTLE: usize = 1024;

impl SocketTransport {
    #[inline(always)]
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

    #[inline]
    fn read_plain(&self, protocol: &dyn Protocol) {
        if self.fits_block.get() {
            return self.read_into_block(protocol);
        }
        let mut scratch = Scratch::take();
        let received = self.receive(scratch.as_mut_slice());
        if let Some(nbytes) = self.has_received(received) {
            self.fits_block
                .set(Block::is_worth(nbytes) && protocol.keeps_data());
            self.tell_received(|| protocol.data_received(scratch.filled(nbytes)));
        }
    }

    /// Receives what is likely to fit a block, for a protocol that keeps it there.
    #[inline(never)]
    fn read_into_block(&self, protocol: &dyn Protocol) {
        let mut block = Block::take();
        let received = self.receive(block.as_mut_slice());
        let Some(nbytes) = self.has_received(received) else {
            return;
        };
        self.fits_block.set(Block::is_worth(nbytes));
        if Block::is_worth(nbytes) {
            return self.tell_received(|| protocol.bytes_received(block.keep(nbytes)));
        }
        if nbytes == block.filled(MAX_SIZE).len() {
            return self.read_on(protocol, &block);
        }
        self.tell_received(|| protocol.data_received(block.filled(nbytes)));
    }

    /// Receives what did not fit the block: a protocol is given all that has come at once, because it may pause, close or be replaced there.
    fn read_on(&self, protocol: &dyn Protocol, block: &Block) {
        let first = block.filled(MAX_SIZE);
        let mut scratch = Scratch::take();
        // Asked first: an error that came behind the data is for the next report of readiness.
        let there_is_more = self.with_socket(|socket| Ok(rustix::io::ioctl_fionread(socket)? > 0));
        let received = match there_is_more {
            Ok(true) => self.receive(&mut scratch.as_mut_slice()[first.len()..]),
            Ok(false) | Err(_) => Ok(0),
        };
        let nbytes = first.len() + *received.as_ref().unwrap_or(&0);
        scratch.as_mut_slice()[..first.len()].copy_from_slice(first);
        self.tell_received(|| protocol.data_received(scratch.filled(nbytes)));
        if let Err(error) = received
            && !is_for_later(&error)
        {
            self.fatal_io_error(error, "Fatal read error on socket transport");
        }
    }

    /// Receives once, and has the loop look again where something may be left (I4).
    #[inline(always)]
    fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = buffer.len();
        let received = self.with_watch(|watch| {
            let mut receive =
                || rustix::net::recv(watch.get_ref(), &mut *buffer, RecvFlags::empty());
            let received = retry_on_intr(|| receive().map(|(_, received)| received))?;
            if received > LITTLE {
                watch.has_received(received);
            }
            Ok(received)
        });
        let leaves_some = received.as_ref().is_ok_and(|nbytes| *nbytes == room);
        // What has come is the protocol's also where nothing more can come.
        if leaves_some && let Err(error) = self.look_again(Direction::Read) {
            self.fatal_io_error(error, "Fatal read error on socket transport");
        }
        received
    }

    #[inline]
    fn tell_received(&self, tell: impl FnOnce()) {
        if let Err(panic) = catch(tell) {
            self.fatal_error(panic, "Fatal error: protocol.data_received() call failed.");
        }
    }

    #[inline(never)]
    fn read_buffered(&self, protocol: &dyn BufferedProtocol) {
        let mut received = None;
        let lent = catch(|| {
            protocol.get_buffer(0, &mut |buffer| {
                if received.is_some() || buffer.is_empty() {
                    return 0;
                }
                let outcome = self.receive(buffer);
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
    #[inline]
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
