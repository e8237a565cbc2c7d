//! Two transports that are each other's other end, with no descriptor between them: for tests, and between parts of one program.
//!
//! What one end writes, the other's protocol gets: a piece for each write, each in a callback of the loop.
//! So what happens is the same every time, and a virtual clock runs on.
//!
//! # Invariants
//!
//! - I1. What is on its way to an end stands in its `inbound` queue; while there is something that can be delivered, one callback is scheduled.
//! - I2. There is no descriptor that the loop could own: an end lives as long as somebody has a handle of it, and is closed when the last one goes.
//! - I3. What is written counts as sent when the other end's protocol has got it.
//!
//! # asyncio
//!
//! asyncio has nothing of the kind. The order of calls is that of its sockets.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    fmt,
    io::{self, ErrorKind},
    rc::{Rc, Weak},
};

use bytes::Bytes;
use rondel_task::{
    EventLoop, Exception, Result, RuntimeError, WeakEventLoop, get_running_loop, sleep,
};

use super::{
    Carrier, Transport,
    extra_info::Request,
    flow::{FlowControl, WriteBufferLimits},
};
use crate::{
    guard::{catch, report},
    protocol::{AfterEof, AnyProtocol, StreamProtocol},
    stream::{StreamReader, StreamReaderProtocol, StreamWriter},
};

/// Makes a connection in memory between two protocols, and gives the transport of each with it.
///
/// # Errors
///
/// `NoRunningLoopError` where no loop is running; `CancelledError`.
pub async fn create_memory_connection<P, PKind, Q, QKind>(
    here: impl FnOnce() -> P,
    there: impl FnOnce() -> Q,
) -> Result<((Transport, Rc<P>), (Transport, Rc<Q>))>
where
    P: StreamProtocol<PKind>,
    Q: StreamProtocol<QKind>,
{
    let (here, there) = (Rc::new(here()), Rc::new(there()));
    let (near, far) = pair(Rc::clone(&here).into_any(), Rc::clone(&there).into_any()).await?;
    Ok(((near, here), (far, there)))
}

/// The two ends of a stream.
type Ends = (StreamReader, StreamWriter);

/// Makes a connection in memory, and gives the two ends of the stream on either side of it.
///
/// # Errors
///
/// As [`create_memory_connection`].
///
/// # Examples
///
/// A server's handler, tried without a network and under a virtual clock:
///
/// ```
/// use std::time::Duration;
/// use rondel_net::{StreamReader, StreamWriter, open_memory_connection};
/// use rondel_task::{Result, create_task, run_virtual, sleep};
///
/// async fn handler(reader: StreamReader, writer: StreamWriter) -> Result<()> {
///     let name = reader.readline().await?;
///     sleep(Duration::from_secs(3600)).await?; // takes no time here
///     writer.writelines([b"hello, ", &name[..]])
/// }
///
/// # run_virtual(async {
/// let ((reader, writer), (server_reader, server_writer)) = open_memory_connection().await?;
/// create_task(handler(server_reader, server_writer))?;
/// writer.write("rondel\n")?;
/// assert_eq!(reader.read_to_end().await?, "hello, rondel\n");
/// # Ok(())
/// # }).unwrap();
/// ```
pub async fn open_memory_connection() -> Result<(Ends, Ends)> {
    let (here, there) = (StreamReader::new(), StreamReader::new());
    let (near, far) = (
        StreamReaderProtocol::new(&here),
        StreamReaderProtocol::new(&there),
    );
    let any = |protocol: &StreamReaderProtocol| Rc::new(protocol.clone()).into_any();
    let (to_there, to_here) = pair(any(&near), any(&far)).await?;
    let to_there = StreamWriter::new(to_there, near, Some(here.clone()));
    let to_here = StreamWriter::new(to_here, far, Some(there.clone()));
    Ok(((here, to_there), (there, to_here)))
}

/// Makes both ends and waits until their protocols have heard of them.
async fn pair(here: AnyProtocol, there: AnyProtocol) -> Result<(Transport, Transport)> {
    let event_loop = get_running_loop()?;
    let (near, far) = (End::new(&event_loop, here), End::new(&event_loop, there));
    near.peer.replace(Rc::downgrade(&far));
    far.peer.replace(Rc::downgrade(&near));
    near.call_soon(End::begin);
    far.call_soon(End::begin);
    sleep(std::time::Duration::ZERO).await?;
    Ok((Transport::new(near), Transport::new(far)))
}

/// One end.
struct End {
    this: Weak<Self>,
    event_loop: WeakEventLoop,
    peer: RefCell<Weak<Self>>,
    /// None once released.
    protocol: RefCell<Option<AnyProtocol>>,
    /// What the other end has sent (I1).
    inbound: RefCell<VecDeque<Piece>>,
    inbound_len: Cell<usize>,
    delivery_is_scheduled: Cell<bool>,
    flow: FlowControl,
    stage: Cell<Stage>,
    paused: Cell<bool>,
    /// `write_eof` was called.
    eof: Cell<bool>,
}

/// What is on its way.
enum Piece {
    Data(Bytes),
    Eof,
}

/// How far an end has come.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// `connection_made` was not called yet.
    Made,
    Open,
    /// It reads no more, and ends when what it has written is sent.
    Closing,
    /// `connection_lost` is scheduled or was called.
    Lost,
    /// The other end has been told.
    Released,
}

impl End {
    fn new(event_loop: &EventLoop, protocol: AnyProtocol) -> Rc<Self> {
        Rc::new_cyclic(|this| Self {
            this: this.clone(),
            event_loop: event_loop.downgrade(),
            peer: RefCell::default(),
            protocol: RefCell::new(Some(protocol)),
            inbound: RefCell::default(),
            inbound_len: Cell::new(0),
            delivery_is_scheduled: Cell::new(false),
            flow: FlowControl::new(),
            stage: Cell::new(Stage::Made),
            paused: Cell::new(false),
            eof: Cell::new(false),
        })
    }

    fn begin(&self) {
        if let (Some(protocol), Some(this)) = (self.get_protocol(), self.this.upgrade()) {
            let made = catch(|| protocol.connection_made(Transport::new(this)));
            if let Err(panic) = made {
                self.fatal_error(
                    panic,
                    "Fatal error: protocol.connection_made() call failed.",
                );
            }
        }
        if self.stage.get() == Stage::Made {
            self.stage.set(Stage::Open);
        }
        self.schedule_delivery();
    }

    // --- receiving ---------------------------------------------------------------------------

    fn receive(&self, piece: Piece) {
        if self.stage.get() >= Stage::Closing {
            return;
        }
        if let Piece::Data(data) = &piece {
            self.inbound_len.set(self.inbound_len.get() + data.len());
        }
        self.inbound.borrow_mut().push_back(piece);
        self.schedule_delivery();
    }

    fn schedule_delivery(&self) {
        let can_deliver = self.stage.get() == Stage::Open
            && !self.paused.get()
            && !self.inbound.borrow().is_empty();
        if can_deliver && !self.delivery_is_scheduled.replace(true) {
            self.call_soon(Self::deliver);
        }
    }

    fn deliver(&self) {
        self.delivery_is_scheduled.set(false);
        if self.stage.get() != Stage::Open || self.paused.get() {
            return;
        }
        let piece = self.inbound.borrow_mut().pop_front();
        let (Some(piece), Some(protocol)) = (piece, self.get_protocol()) else {
            return;
        };
        match piece {
            Piece::Data(data) => {
                self.inbound_len.set(self.inbound_len.get() - data.len());
                let told = catch(|| protocol.feed(&data)).and_then(|told| told);
                if let Err(error) = told {
                    self.fatal_error(error, "Fatal error: protocol.data_received() call failed.");
                }
            }
            Piece::Eof => match catch(|| protocol.eof_received()) {
                Ok(AfterEof::KeepOpen) => {}
                Ok(AfterEof::Close) => self.close(),
                Err(panic) => {
                    self.fatal_error(panic, "Fatal error: protocol.eof_received() call failed.");
                }
            },
        }
        self.tell_peer_of_room();
        self.schedule_delivery();
    }

    /// Drops what nobody is going to get.
    fn forget_inbound(&self) {
        let forgotten = self.inbound.take();
        self.inbound_len.set(0);
        drop(forgotten);
        self.tell_peer_of_room();
    }

    fn tell_peer_of_room(&self) {
        let Some(peer) = self.peer() else {
            return;
        };
        if peer.flow.is_protocol_paused() || peer.stage.get() == Stage::Closing {
            peer.call_soon(Self::has_sent);
        }
    }

    // --- sending -----------------------------------------------------------------------------

    /// What is written and not sent (I3).
    fn outbound_len(&self) -> usize {
        self.peer().map_or(0, |peer| peer.inbound_len.get())
    }

    fn has_sent(&self) {
        if let Some(protocol) = self.get_protocol() {
            let size = self.outbound_len();
            let told = self.flow.maybe_resume_protocol(size, protocol.base());
            if let Err(panic) = told {
                self.report(panic, "protocol.resume_writing() failed");
            }
        }
        if self.stage.get() == Stage::Closing && self.outbound_len() == 0 {
            self.stage.set(Stage::Lost);
            self.call_connection_lost(None);
        }
    }

    fn maybe_pause_protocol(&self) {
        if let Some(protocol) = self.get_protocol() {
            let size = self.outbound_len();
            let told = self.flow.maybe_pause_protocol(size, protocol.base());
            if let Err(panic) = told {
                self.report(panic, "protocol.pause_writing() failed");
            }
        }
    }

    // --- the end -----------------------------------------------------------------------------

    fn fatal_error(&self, exception: Exception, message: &'static str) {
        self.report(exception.clone(), message);
        self.lose(Some(exception));
    }

    fn report(&self, exception: Exception, message: &'static str) {
        let protocol = self.get_protocol();
        let protocol = protocol.as_ref().map(AnyProtocol::base);
        report(&self.event_loop, message, exception, self, protocol);
    }

    fn lose(&self, exception: Option<Exception>) {
        if self.stage.get() < Stage::Lost {
            self.stage.set(Stage::Lost);
            self.forget_inbound();
            self.call_soon(move |end| end.call_connection_lost(exception));
        }
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

    fn release(&self) {
        if self.stage.replace(Stage::Released) == Stage::Released {
            return;
        }
        if let Some(peer) = self.peer()
            && !self.eof.replace(true)
        {
            peer.receive(Piece::Eof);
        }
        let protocol = self.protocol.take();
        drop(protocol);
    }

    fn peer(&self) -> Option<Rc<Self>> {
        let peer = self.peer.borrow().upgrade()?;
        (peer.stage.get() != Stage::Released).then_some(peer)
    }

    /// Has the loop call `callback`; where there is no loop any more, this end is over.
    fn call_soon(&self, callback: impl FnOnce(&Self) + 'static) {
        let Some(this) = self.this.upgrade() else {
            return;
        };
        let scheduled = self
            .event_loop
            .upgrade()
            .map(|event_loop| event_loop.call_soon(move || callback(&this)));
        if !matches!(scheduled, Some(Ok(_))) {
            self.release();
        }
    }
}

impl Carrier for End {
    fn close(&self) {
        if self.stage.get() >= Stage::Closing {
            return;
        }
        if self.outbound_len() == 0 {
            return self.lose(None);
        }
        self.stage.set(Stage::Closing);
        self.forget_inbound();
    }

    fn is_closing(&self) -> bool {
        self.stage.get() >= Stage::Closing
    }

    fn abort(&self) {
        self.lose(None);
    }

    fn extra_info(&self, _request: &mut Request<'_>) {}

    fn set_protocol(&self, protocol: AnyProtocol) {
        if self.stage.get() < Stage::Released {
            let replaced = self.protocol.replace(Some(protocol));
            drop(replaced);
        }
    }

    fn get_protocol(&self) -> Option<AnyProtocol> {
        self.protocol.borrow().clone()
    }

    fn is_reading(&self) -> bool {
        !self.is_closing() && !self.paused.get()
    }

    fn pause_reading(&self) {
        if self.is_reading() {
            self.paused.set(true);
        }
    }

    fn resume_reading(&self) {
        if !self.is_closing() && self.paused.replace(false) {
            self.schedule_delivery();
        }
    }

    fn write(&self, data: &[u8]) -> Result<(), RuntimeError> {
        if self.eof.get() && self.stage.get() < Stage::Released {
            return Err(RuntimeError::new("cannot call write() after write_eof()"));
        }
        if data.is_empty() || self.stage.get() >= Stage::Lost {
            return Ok(());
        }
        match self.peer() {
            Some(peer) => {
                peer.receive(Piece::Data(Bytes::copy_from_slice(data)));
                self.maybe_pause_protocol();
            }
            None => self.lose(Some(io::Error::from(ErrorKind::BrokenPipe).into())),
        }
        Ok(())
    }

    fn write_eof(&self) -> Result<()> {
        if !self.is_closing()
            && !self.eof.replace(true)
            && let Some(peer) = self.peer()
        {
            peer.receive(Piece::Eof);
        }
        Ok(())
    }

    fn can_write_eof(&self) -> bool {
        true
    }

    fn get_write_buffer_size(&self) -> usize {
        self.outbound_len()
    }

    fn get_write_buffer_limits(&self) -> WriteBufferLimits {
        self.flow.limits()
    }

    fn set_write_buffer_limits(&self, limits: WriteBufferLimits) {
        self.flow.set_limits(limits);
        self.maybe_pause_protocol();
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl Drop for End {
    /// Nobody has a handle any more (I2).
    fn drop(&mut self) {
        self.release();
    }
}

impl fmt::Debug for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.stage.get() {
            Stage::Made | Stage::Open => "",
            Stage::Closing | Stage::Lost => " closing",
            Stage::Released => " closed",
        };
        write!(
            f,
            "<MemoryTransport{state} bufsize={}>",
            self.outbound_len()
        )
    }
}
