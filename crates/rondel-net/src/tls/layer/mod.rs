//! One TLS connection: a protocol of the transport underneath, and the transport of the protocol above.
//!
//! It moves bytes between the two and its [`Session`], and sees to it that neither side takes for ever. It knows no cryptography.
//!
//! # States
//!
//! ```text
//!         begin                  rustls says so
//!   Made -------> Handshaking ------------------> Open
//!                     |                            | close(), the peer's close_notify, the end of the file
//!                     |                            v
//!                     |                         Closing   sends what waits, then close_notify; waits for the peer's
//!                     | fail, abort                |
//!                     +-------------+--------------+ finish, fail, abort
//!                                   v
//!                                 Closed -- the transport underneath is lost --> Lost
//! ```
//!
//! # Invariants
//!
//! - I1. The transport underneath owns the layer, by its [`Below`]; when it lets go of that because its loop closes, the layer lets go of everybody.
//!   After the connection is lost a callback of the loop owns it, until `connection_lost` was called.
//! - I2. The protocol above hears of `connection_made` when the handshake is over, and of everything else only after that.
//! - I3. No method of a protocol or transport is called inside a borrow. What runs while the session is borrowed is rustls, and what its configuration
//!   names, which is `Send` and so has no transport of ours.
//! - I4. While the transport underneath is paused nothing is encrypted: what is written stays in the backlog, whose size is what the protocol above is
//!   paused by. While the protocol above does not read, the transport underneath is paused: there is never more than one reception that waits.
//!
//! # asyncio
//!
//! `SSLProtocol` and `_SSLProtocolTransport` of `sslproto.py`, with its order of calls. What differs:
//! a failed handshake and a violated protocol are told to the peer by an alert;
//! what comes after `close` is dropped there as it is by a socket, and no error;
//! what is written before `close` is sent before `close_notify`, also through a transport that is paused;
//! the time limit of the end runs until the connection is lost, also while the last bytes are sent;
//! a protocol whose connection is upgraded hears of `connection_lost` also where the handshake is what fails.

mod carrier;
mod ending;
mod receiving;
mod sending;

use std::{
    cell::{Cell, OnceCell, RefCell},
    fmt, io,
    rc::{Rc, Weak},
    time::Duration,
};

use bytes::BytesMut;
use rondel_sched::TimerHandle;
use rondel_task::{EventLoop, Exception, Future, Result, WeakEventLoop};

use super::{Timeouts, session::Session};
use crate::{
    protocol::{AfterEof, AnyProtocol, BaseProtocol, Protocol},
    transport::{
        Transport,
        backlog::Backlog,
        flow::{FlowControl, WriteBufferLimits},
        owned::{LoopOwned, Owned},
    },
};

/// The high-water mark of a layer's backlog unless another is set: asyncio's `FLOW_CONTROL_HIGH_WATER_SSL_WRITE`.
const HIGH_WATER: usize = 512 * 1024;

/// How far a layer has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Made,
    Handshaking,
    Open,
    Closing,
    Closed,
    Lost,
}

/// What the protocol above has been told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Nothing,
    Made,
    Eof,
    Lost,
}

/// The protocol above, and what it knows.
pub(super) struct Above {
    protocol: AnyProtocol,
    told: Told,
}

impl Above {
    /// A protocol that is to hear of its connection.
    pub(super) fn new(protocol: AnyProtocol) -> Self {
        Self {
            protocol,
            told: Told::Nothing,
        }
    }

    /// A protocol that has heard of its connection before that was upgraded.
    pub(super) fn connected(protocol: AnyProtocol) -> Self {
        Self {
            protocol,
            told: Told::Made,
        }
    }
}

/// One connection.
pub(super) struct Layer {
    this: Weak<Self>,
    event_loop: WeakEventLoop,
    session: RefCell<Session>,
    timeouts: Timeouts,
    stage: Cell<Stage>,
    /// None until the connection is there.
    under: OnceCell<Transport>,
    /// None once released.
    above: RefCell<Option<AnyProtocol>>,
    told: Cell<Told>,
    /// Whoever waits for the handshake.
    waiter: RefCell<Option<Future<()>>>,
    /// The time limit that is running.
    timer: RefCell<Option<TimerHandle>>,
    /// Ciphertext that was not looked at yet; only while the protocol above does not read is there any for long (I4).
    ciphertext: RefCell<BytesMut>,
    /// Ciphertext is being looked at.
    processing: Cell<bool>,
    /// The protocol above does not want to read.
    paused: Cell<bool>,
    /// Nothing more comes from underneath.
    ended: Cell<bool>,
    /// Plaintext that waits for the transport underneath (I4).
    backlog: Backlog,
    flow: FlowControl,
    /// The transport underneath has told to pause writing.
    under_paused: Cell<bool>,
    close_notify_is_sent: Cell<bool>,
    /// What `connection_lost` is to tell, where it is not what the transport underneath tells.
    reason: RefCell<Option<Exception>>,
}

impl Layer {
    pub(super) fn new(
        event_loop: &EventLoop,
        session: Session,
        timeouts: Timeouts,
        above: Above,
        waiter: Option<Future<()>>,
    ) -> Rc<Self> {
        let flow = FlowControl::new();
        flow.set_limits(WriteBufferLimits::with_high(HIGH_WATER));
        Rc::new_cyclic(|this| Self {
            this: this.clone(),
            event_loop: event_loop.downgrade(),
            session: RefCell::new(session),
            timeouts,
            stage: Cell::new(Stage::Made),
            under: OnceCell::new(),
            above: RefCell::new(Some(above.protocol)),
            told: Cell::new(above.told),
            waiter: RefCell::new(waiter),
            timer: RefCell::default(),
            ciphertext: RefCell::default(),
            processing: Cell::new(false),
            paused: Cell::new(false),
            ended: Cell::new(false),
            backlog: Backlog::default(),
            flow,
            under_paused: Cell::new(false),
            close_notify_is_sent: Cell::new(false),
            reason: RefCell::default(),
        })
    }

    /// Begins the handshake on a transport that is there, with what has come from the peer already.
    pub(super) fn begin(&self, under: Transport, early: &[u8]) {
        if self.stage.get() != Stage::Made || self.under.set(under.clone()).is_err() {
            return under.abort();
        }
        tracing::debug!(transport = ?self, "starts SSL handshake");
        self.stage.set(Stage::Handshaking);
        self.limit(self.timeouts.handshake, Self::handshake_timed_out);
        self.flush();
        self.receive(early);
    }

    fn above(&self) -> Option<AnyProtocol> {
        self.above.borrow().clone()
    }

    /// Has the loop call `callback` after some time, and not what it was to call before.
    fn limit(&self, time: Duration, callback: fn(&Self)) {
        let this = self.this.clone();
        let timer = self.event_loop.upgrade().and_then(|event_loop| {
            let late = move || {
                if let Some(layer) = this.upgrade() {
                    callback(&layer);
                }
            };
            event_loop.call_later(time, late).ok()
        });
        self.set_timer(timer);
    }

    fn set_timer(&self, timer: Option<TimerHandle>) {
        let before = self.timer.replace(timer);
        if let Some(before) = before {
            before.cancel();
        }
    }

    fn wake_waiter(&self, outcome: Result<()>) {
        let waiter = self.waiter.take();
        if let Some(waiter) = waiter {
            // Whoever waited may have been cancelled.
            let _ = match outcome {
                Ok(()) => waiter.set_result(()),
                Err(exception) => waiter.set_exception(exception),
            };
        }
    }
}

impl LoopOwned for Layer {
    fn event_loop(&self) -> &WeakEventLoop {
        &self.event_loop
    }

    fn release(&self) {
        self.stage.set(Stage::Lost);
        self.told.set(Told::Lost);
        self.set_timer(None);
        let above = self.above.take();
        let waiter = self.waiter.take();
        drop(above);
        drop(waiter);
    }
}

impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.stage.get() {
            Stage::Made | Stage::Handshaking => "<TlsTransport handshaking",
            Stage::Open => "<TlsTransport",
            Stage::Closing | Stage::Closed => "<TlsTransport closing",
            Stage::Lost => "<TlsTransport closed",
        })?;
        write!(f, " bufsize={}", self.backlog.len())?;
        if let Some(under) = self.under.get() {
            write!(f, " on {under:?}")?;
        }
        f.write_str(">")
    }
}

/// The layer as the protocol of the transport underneath, which owns it (I1).
pub(super) struct Below(Owned<Layer>);

impl Below {
    pub(super) fn new(layer: &Rc<Layer>) -> Self {
        Self(Owned(Rc::clone(layer)))
    }

    fn layer(&self) -> &Layer {
        &self.0.0
    }
}

impl BaseProtocol for Below {
    fn connection_lost(&self, exception: Option<&Exception>) {
        self.layer().is_lost(exception);
    }

    fn pause_writing(&self) {
        self.layer().under_paused.set(true);
    }

    fn resume_writing(&self) {
        self.layer().resume_writing();
    }
}

impl Protocol for Below {
    fn connection_made(&self, transport: Transport) {
        self.layer().begin(transport, &[]);
    }

    fn data_received(&self, data: &[u8]) {
        self.layer().receive(data);
    }

    fn eof_received(&self) -> AfterEof {
        self.layer().end_received();
        // The layer closes it, once it has said what it has to say.
        AfterEof::KeepOpen
    }
}

/// What is raised where a connection is lost before it was one.
pub(super) fn lost() -> io::Error {
    let message = "the connection was lost before the SSL handshake was over";
    io::Error::new(io::ErrorKind::ConnectionReset, message)
}
