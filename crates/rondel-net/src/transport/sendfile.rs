//! `sendfile`: a file through a transport.
//!
//! For any transport, so the file is read here; through a bare socket the kernel sends it, with [`sock_sendfile`](crate::sock_sendfile).
//!
//! # Invariants
//!
//! - I1. Meanwhile the transport has another protocol, the [`Valve`], and reads nothing; however it ends, also by being dropped, it gets its own one back.
//! - I2. `pause_writing` and `resume_writing` go on taking turns for that one.
//!
//! # asyncio
//!
//! `loop.sendfile` with `fallback=True`, and `_SendfileFallbackProtocol`.

use std::{
    cell::{Cell, RefCell},
    fs::File,
    io,
    ops::RangeBounds,
    rc::Rc,
};

use rondel_task::{Exception, Future, Result, RuntimeError, get_running_loop};

use super::{Transport, flow::WriteBufferLimits};
use crate::{
    protocol::{AfterEof, AnyProtocol, BaseProtocol, Protocol, StreamProtocol as _},
    socket::Progress,
};

/// Sends a part of a file, `..` for all of it, and returns how many bytes were sent: fewer than wanted where the file ends before.
///
/// The file is read in a thread, a block at a time, and the next one when the one before is sent. The transport reads nothing meanwhile, and nobody else is
/// to write to it. Afterwards the file's position is behind the last byte that was sent.
///
/// Mirrors [`loop.sendfile`](https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.sendfile); the range stands for its `offset` and `count`.
///
/// # Errors
///
/// A [`RuntimeError`] when the transport is closing, or cannot be written to; what the connection was lost by, or an I/O error that it was closed; what the
/// operating system says about the file.
///
/// # Examples
///
/// ```
/// use std::fs::File;
/// use rondel_net::{open_memory_connection, sendfile};
///
/// # rondel_task::run(async {
/// let ((_reader, writer), (reader, _writer)) = open_memory_connection().await?;
/// let sent = sendfile(&writer.transport(), &File::open("Cargo.toml")?, ..9).await?;
/// assert_eq!(sent, 9);
/// assert_eq!(reader.readexactly(9).await?, "[package]");
/// # Ok(())
/// # }).unwrap();
/// ```
pub async fn sendfile(
    transport: &Transport,
    file: &File,
    range: impl RangeBounds<u64>,
) -> Result<u64> {
    let mut progress = Progress::new(file, &range);
    let diversion = Diversion::begin(transport)?;
    diversion.valve.drain(transport).await?;
    while let Some(block) = progress.read().await? {
        transport.write(&block)?;
        diversion.valve.drain(transport).await?;
        progress.advance(block.len());
    }
    Ok(progress.sent())
}

/// A transport whose protocol is the valve, until this is dropped (I1).
struct Diversion<'a> {
    transport: &'a Transport,
    valve: Rc<Valve>,
    limits: WriteBufferLimits,
    was_reading: bool,
}

impl<'a> Diversion<'a> {
    fn begin(transport: &'a Transport) -> Result<Self> {
        let protocol = transport.get_protocol();
        let Some(protocol) = protocol.filter(|_| !transport.is_closing()) else {
            return Err(RuntimeError::new("the transport is closing").into());
        };
        let valve = Rc::new(Valve {
            protocol,
            shut: Cell::new(false),
            was_resumed: Cell::new(false),
            drained: RefCell::default(),
            lost: Cell::new(false),
        });
        let diversion = Self {
            transport,
            valve: Rc::clone(&valve),
            limits: transport.get_write_buffer_limits(),
            was_reading: transport.is_reading(),
        };
        transport.pause_reading();
        transport.carrier().set_protocol(valve.into_any());
        // From here on a transport that has anything to send has told so.
        transport.set_write_buffer_limits(WriteBufferLimits::with_high(0));
        Ok(diversion)
    }
}

impl Drop for Diversion<'_> {
    fn drop(&mut self) {
        let Self {
            transport, valve, ..
        } = self;
        if !valve.lost.get() {
            transport.carrier().set_protocol(valve.protocol.clone());
            // What the valve was told, its protocol is told now (I2).
            let protocol = valve.protocol.base();
            if valve.was_resumed.get() {
                protocol.resume_writing();
            }
            if valve.shut.get() {
                protocol.pause_writing();
            }
        }
        transport.set_write_buffer_limits(self.limits);
        if self.was_reading {
            transport.resume_reading();
        }
    }
}

/// A protocol that knows when everything is sent.
struct Valve {
    /// In whose place it stands.
    protocol: AnyProtocol,
    /// It was told to pause.
    shut: Cell<bool>,
    /// It was told to resume what it had not been told to pause: the other protocol was.
    was_resumed: Cell<bool>,
    drained: RefCell<Option<Future<()>>>,
    lost: Cell<bool>,
}

impl Valve {
    /// Waits until the transport has nothing left to send.
    async fn drain(&self, transport: &Transport) -> Result<()> {
        while !self.lost.get() && transport.get_write_buffer_size() > 0 {
            let drained = get_running_loop()?.create_future();
            let before = self.drained.replace(Some(drained.clone()));
            drop(before);
            drained.await?;
        }
        match transport.is_closing() {
            true => Err(connection_closed().into()),
            false => Ok(()),
        }
    }

    fn wake(&self, exception: Option<Exception>) {
        let drained = self.drained.take();
        if let Some(drained) = drained {
            // Whoever waited may have been cancelled.
            let _ = match exception {
                None => drained.set_result(()),
                Some(exception) => drained.set_exception(exception),
            };
        }
    }
}

impl BaseProtocol for Valve {
    fn connection_lost(&self, exception: Option<&Exception>) {
        self.lost.set(true);
        let why = exception.cloned();
        self.wake(Some(why.unwrap_or_else(|| connection_closed().into())));
        self.protocol.base().connection_lost(exception);
    }

    fn pause_writing(&self) {
        self.shut.set(true);
    }

    fn resume_writing(&self) {
        if !self.shut.replace(false) {
            self.was_resumed.set(true);
        }
        self.wake(None);
    }
}

impl Protocol for Valve {
    fn data_received(&self, data: &[u8]) {
        // Reading is paused; but a layer may still have had something.
        if let Err(error) = self.protocol.feed(data) {
            tracing::debug!(%error, "nothing to receive into");
        }
    }

    fn eof_received(&self) -> AfterEof {
        self.protocol.eof_received()
    }
}

fn connection_closed() -> io::Error {
    io::Error::new(
        io::ErrorKind::ConnectionAborted,
        "connection closed by peer",
    )
}
