//! What stands behind a [`SubprocessTransport`]: the child, its pipes, and who is told of them.
//!
//! # States
//!
//! ```text
//!            connect                  process_exited, and pipe_connection_lost of every pipe
//!   Begun -------------> Connected ----------------------------------------------------------> Finished
//!                                                                                                 | connection_lost
//!                                                                                                 v
//!                                                                                               Lost
//! ```
//!
//! In Begun the protocol is told nothing: calls are kept until its `connection_made` was scheduled.
//! In Lost there is no protocol. [`State::abandon`] leads there from everywhere, and calls nobody.
//!
//! # Invariants
//!
//! - S1. Every call of the protocol is scheduled, in the order of events, but for those of flow control, which come within the protocol's own `write`.
//! - S2. No method of a protocol is called, and none is dropped, inside a borrow.
//! - S3. Whatever the loop has that leads here, it has as [`Running`] or [`Owned`].

use std::{
    cell::{Cell, RefCell},
    io,
    ops::Deref,
    rc::{Rc, Weak},
    time::Duration,
};

use bytes::Bytes;
use rondel_net::{Transport, connect_read_pipe, connect_write_pipe};
use rondel_task::{EventLoop, Exception, Future, Result, RuntimeError, WeakEventLoop, sleep};
use rustix::process::Signal;

use super::{SubprocessTransport, pipe::PipeProtocol};
use crate::{
    child::Child,
    protocol::{PipeFd, SubprocessProtocol},
    subprocess::{PipeEnds, Spawned},
};

/// One child process.
pub(super) struct State {
    event_loop: WeakEventLoop,
    this: Weak<Self>,
    child: Child,
    returncode: Cell<Option<i32>>,
    /// By number.
    pipes: [Pipe; 3],
    closing: Cell<bool>,
    /// None in Lost.
    protocol: RefCell<Option<Rc<dyn SubprocessProtocol>>>,
    /// None once connected.
    pending_calls: RefCell<Option<Vec<Call>>>,
    exit_waiters: RefCell<Vec<Future<i32>>>,
}

type Call = Box<dyn FnOnce(&State)>;

/// One of the three streams.
struct Pipe {
    /// None where the stream is no pipe, and until it is connected.
    transport: RefCell<Option<Transport>>,
    /// True where nothing will come of it.
    disconnected: Cell<bool>,
}

impl State {
    /// Has the loop watch a process that was just started.
    pub(super) fn begin(
        event_loop: &EventLoop,
        spawned: Spawned,
        protocol: Rc<dyn SubprocessProtocol>,
    ) -> Result<(Rc<Self>, PipeEnds)> {
        let Spawned {
            child,
            pipes: ends,
            watcher,
        } = spawned;
        let (child, exit) = Child::watch(event_loop, child, watcher)?;
        let pipes = ends.each_ref().map(|end| Pipe {
            transport: RefCell::default(),
            disconnected: Cell::new(end.is_none()),
        });
        let state = Rc::new_cyclic(|this| Self {
            event_loop: event_loop.downgrade(),
            this: this.clone(),
            child,
            returncode: Cell::new(None),
            pipes,
            closing: Cell::new(false),
            protocol: RefCell::new(Some(protocol)),
            pending_calls: RefCell::new(Some(Vec::new())),
            exit_waiters: RefCell::default(),
        });
        let running = Running(state.clone());
        exit.add_done_callback(move |exit| {
            if let Ok(returncode) = exit.result() {
                running.0.process_exited(returncode);
            }
        })?;
        Ok((state, ends))
    }

    /// Connects the pipes, tells the protocol, and waits until it has heard.
    pub(super) async fn connect(&self, ends: PipeEnds) -> Result<()> {
        for (fd, end) in PipeFd::ALL.into_iter().zip(ends) {
            let (Some(end), Some(this)) = (end, self.this.upgrade()) else {
                continue;
            };
            let state = Owned(this);
            let protocol = || PipeProtocol { state, fd };
            match fd {
                PipeFd::Stdin => drop(connect_write_pipe(protocol, end).await?),
                PipeFd::Stdout | PipeFd::Stderr => drop(connect_read_pipe(protocol, end).await?),
            }
        }
        self.call_soon(|state| {
            if let (Some(protocol), Some(this)) = (state.protocol(), state.this.upgrade()) {
                protocol.connection_made(SubprocessTransport(this));
            }
        });
        let pending_calls = self.pending_calls.take();
        for call in pending_calls.into_iter().flatten() {
            self.call_soon(call);
        }
        // Behind all that was scheduled.
        sleep(Duration::ZERO).await
    }

    // --- what happens ------------------------------------------------------------------------

    pub(super) fn pipe_connection_made(&self, fd: PipeFd, transport: Transport) {
        let before = self.pipe_of(fd).transport.replace(Some(transport));
        drop(before);
    }

    pub(super) fn pipe_data_received(&self, fd: PipeFd, data: Bytes) {
        self.call(move |state| state.tell(|protocol| protocol.pipe_data_received(fd, &data)));
    }

    pub(super) fn pipe_connection_lost(&self, fd: PipeFd, exception: Option<Exception>) {
        self.pipe_of(fd).disconnected.set(true);
        self.call(move |state| {
            state.tell(|protocol| protocol.pipe_connection_lost(fd, exception.as_ref()));
        });
        self.try_finish();
    }

    fn process_exited(&self, returncode: i32) {
        tracing::debug!(pid = self.pid(), returncode, "process exited");
        self.returncode.set(Some(returncode));
        self.call(|state| state.tell(|protocol| protocol.process_exited()));
        self.try_finish();
        for waiter in self.exit_waiters.take() {
            // Whoever waited may have been cancelled.
            let _ = waiter.set_result(returncode);
        }
    }

    fn try_finish(&self) {
        let disconnected = |pipe: &Pipe| pipe.disconnected.get();
        if self.returncode().is_none() || !self.pipes.iter().all(disconnected) {
            return;
        }
        self.call(|state| {
            // Taken first, so that it is let go of where it panics, too.
            let protocol = state.protocol.take();
            if let Some(protocol) = protocol {
                protocol.connection_lost(None);
            }
        });
    }

    /// Calls the protocol now.
    pub(super) fn tell(&self, call: impl FnOnce(&dyn SubprocessProtocol)) {
        if let Some(protocol) = self.protocol() {
            call(&*protocol);
        }
    }

    /// Schedules a call, behind `connection_made` (S1).
    fn call(&self, call: impl FnOnce(&Self) + 'static) {
        if let Some(pending) = &mut *self.pending_calls.borrow_mut() {
            pending.push(Box::new(call));
            return;
        }
        self.call_soon(call);
    }

    fn call_soon(&self, call: impl FnOnce(&Self) + 'static) {
        if let (Some(this), Some(event_loop)) = (self.this.upgrade(), self.event_loop.upgrade()) {
            let owned = Owned(this);
            // A closed loop drops the callback, which abandons the process.
            let _ = event_loop.call_soon(move || call(&owned));
        }
    }

    // --- what is asked -----------------------------------------------------------------------

    pub(super) fn pid(&self) -> u32 {
        self.child.pid()
    }

    pub(super) fn returncode(&self) -> Option<i32> {
        self.returncode.get()
    }

    pub(super) fn pipe(&self, fd: PipeFd) -> Option<Transport> {
        self.pipe_of(fd).transport.borrow().clone()
    }

    fn pipe_of(&self, fd: PipeFd) -> &Pipe {
        &self.pipes[fd as usize]
    }

    pub(super) fn protocol(&self) -> Option<Rc<dyn SubprocessProtocol>> {
        self.protocol.borrow().clone()
    }

    pub(super) fn set_protocol(&self, protocol: Rc<dyn SubprocessProtocol>) {
        if !self.is_lost() {
            let replaced = self.protocol.replace(Some(protocol));
            drop(replaced);
        }
    }

    pub(super) fn is_lost(&self) -> bool {
        self.protocol.borrow().is_none()
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing.get()
    }

    /// Waits until the process has exited.
    pub(super) async fn wait(&self) -> Result<i32> {
        if let Some(returncode) = self.returncode() {
            return Ok(returncode);
        }
        let Some(event_loop) = self.event_loop.upgrade() else {
            return Err(RuntimeError::new("the event loop of the process is gone").into());
        };
        let waiter = event_loop.create_future();
        let mut waiters = self.exit_waiters.take();
        waiters.retain(|waiter| !waiter.done());
        waiters.push(waiter.clone());
        self.exit_waiters.replace(waiters);
        waiter.await
    }

    pub(super) fn send_signal(&self, signal: Signal) -> io::Result<()> {
        self.child.send_signal(signal)
    }

    pub(super) fn close(&self) {
        if self.closing.replace(true) {
            return;
        }
        for fd in PipeFd::ALL {
            if let Some(pipe) = self.pipe(fd) {
                pipe.close();
            }
        }
        if self.returncode().is_none() {
            tracing::debug!(pid = self.pid(), "close running child process: kill");
            // It may be another user's by now.
            let _ = self.send_signal(Signal::KILL);
        }
    }

    /// Closes it, and lets go of everybody without a word to them.
    pub(super) fn abandon(&self) {
        self.close();
        let protocol = self.protocol.take();
        let pending_calls = self.pending_calls.take();
        let exit_waiters = self.exit_waiters.take();
        drop((protocol, pending_calls, exit_waiters));
    }
}

/// The reference of the callback that waits for the exit; where it is dropped before, nobody will hear of the exit any more.
struct Running(Rc<State>);

impl Drop for Running {
    fn drop(&mut self) {
        if self.0.returncode().is_none() {
            self.0.abandon();
        }
    }
}

/// The reference of any other callback; a loop that closes drops the callback, and so ends the process (S3).
pub(super) struct Owned(Rc<State>);

impl Deref for Owned {
    type Target = State;

    fn deref(&self) -> &State {
        &self.0
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        let is_open = |event_loop: EventLoop| !event_loop.is_closed();
        if !self.0.event_loop.upgrade().is_some_and(is_open) {
            self.0.abandon();
        }
    }
}
