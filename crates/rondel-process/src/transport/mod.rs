//! `SubprocessTransport`: the handle of a child process and its pipes.
//!
//! What happens behind it is [`state`]'s.
//!
//! # Invariants
//!
//! - I1. While the process runs or a pipe is open the loop owns the transport; a loop that closes ends the process and calls nobody.
//! - I2. A transport holds its protocol until `connection_lost` has been called.
//!
//! # asyncio
//!
//! [`asyncio.SubprocessTransport`](https://docs.python.org/3/library/asyncio-protocol.html#subprocess-transports), `BaseSubprocessTransport`.

mod pipe;
mod state;

use std::{fmt, rc::Rc};

use rondel_net::Transport;
use rondel_reactor::signal::{SIGKILL, SIGTERM};
use rondel_task::{EventLoop, Result, ValueError, shielded};
use rustix::process::Signal;

use self::state::State;
use crate::{
    error::ProcessLookupError,
    protocol::{PipeFd, SubprocessProtocol},
    subprocess::Spawned,
};

/// A child process and its pipes: a cheap handle, of which clones are the same one.
///
/// Dropping it neither ends the process nor closes its pipes: the loop owns them.
///
/// Mirrors [`asyncio.SubprocessTransport`](https://docs.python.org/3/library/asyncio-protocol.html#asyncio.SubprocessTransport).
#[derive(Clone)]
pub struct SubprocessTransport(Rc<State>);

impl SubprocessTransport {
    /// Connects the pipes of a process that was just started, and waits until its protocol has heard of it.
    pub(crate) async fn open(
        event_loop: &EventLoop,
        spawned: Spawned,
        protocol: Rc<dyn SubprocessProtocol>,
    ) -> Result<Self> {
        let (state, pipes) = State::begin(event_loop, spawned, protocol)?;
        let mut unclaimed = Unclaimed(Some(state.clone()));
        let connected = state.connect(pipes).await;
        unclaimed.0 = None;
        if let Err(error) = connected {
            state.close();
            // The error counts, not that a task was cancelled meanwhile.
            let _ = shielded(state.wait()).await;
            state.abandon();
            return Err(error);
        }
        Ok(Self(state))
    }

    /// Returns the number of the process, also after it has exited.
    #[must_use]
    pub fn get_pid(&self) -> u32 {
        self.0.pid()
    }

    /// Returns the exit code of the process, or the number of the signal that ended it as a negative number; none while it runs.
    #[must_use]
    pub fn get_returncode(&self) -> Option<i32> {
        self.0.returncode()
    }

    /// Returns the transport of a pipe, also after it is closed; none where that stream is no pipe.
    #[must_use]
    pub fn get_pipe_transport(&self, fd: PipeFd) -> Option<Transport> {
        self.0.pipe(fd)
    }

    /// Waits until the process has exited, and gives its [return code](Self::get_returncode).
    ///
    /// # Errors
    ///
    /// `CancelledError`.
    pub fn wait(&self) -> impl Future<Output = Result<i32>> + use<> {
        let state = self.0.clone();
        async move { state.wait().await }
    }

    /// Sends the process a signal; the numbers are in [`signal`](rondel_reactor::signal).
    ///
    /// Where the process has exited and `connection_lost` was not called yet nothing happens.
    ///
    /// Mirrors
    /// [`send_signal`](https://docs.python.org/3/library/asyncio-protocol.html#asyncio.SubprocessTransport.send_signal).
    ///
    /// # Errors
    ///
    /// A [`ProcessLookupError`] after that; a [`ValueError`] for a number that is no signal's, or a real-time one's; what the operating system says, for
    /// instance of a process that has become another user's.
    pub fn send_signal(&self, signal: i32) -> Result<()> {
        if self.0.is_lost() {
            let pid = self.get_pid();
            return Err(ProcessLookupError { pid }.into());
        }
        let Some(signal) = Signal::from_named_raw(signal) else {
            return Err(ValueError::new(format!("no signal has the number {signal}")).into());
        };
        Ok(self.0.send_signal(signal)?)
    }

    /// Asks the process to end: sends it `SIGTERM`.
    ///
    /// # Errors
    ///
    /// As [`send_signal`](Self::send_signal).
    pub fn terminate(&self) -> Result<()> {
        self.send_signal(SIGTERM)
    }

    /// Ends the process: sends it `SIGKILL`.
    ///
    /// # Errors
    ///
    /// As [`send_signal`](Self::send_signal).
    pub fn kill(&self) -> Result<()> {
        self.send_signal(SIGKILL)
    }

    /// Closes the pipes, and kills the process if it runs.
    pub fn close(&self) {
        self.0.close();
    }

    /// Says whether the transport was closed.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.0.is_closing()
    }

    /// Gives the process to another protocol, which is not told so.
    pub fn set_protocol<P: SubprocessProtocol>(&self, protocol: Rc<P>) {
        self.0.set_protocol(protocol);
    }

    /// Returns the protocol; none after `connection_lost`.
    #[must_use]
    pub fn get_protocol(&self) -> Option<Rc<dyn SubprocessProtocol>> {
        self.0.protocol()
    }
}

impl fmt::Debug for SubprocessTransport {
    /// Writes what asyncio shows, for instance `<SubprocessTransport pid=7 running stdin=<WritePipe fd=8 idle bufsize=0>>`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<SubprocessTransport")?;
        if self.is_closing() {
            f.write_str(" closed")?;
        }
        write!(f, " pid={}", self.get_pid())?;
        match self.get_returncode() {
            Some(returncode) => write!(f, " returncode={returncode}")?,
            None => f.write_str(" running")?,
        }
        for fd in PipeFd::ALL {
            if let Some(pipe) = self.get_pipe_transport(fd) {
                write!(f, " {fd}={pipe:?}")?;
            }
        }
        f.write_str(">")
    }
}

/// A process whose maker may be dropped while it connects the pipes.
struct Unclaimed(Option<Rc<State>>);

impl Drop for Unclaimed {
    fn drop(&mut self) {
        if let Some(state) = self.0.take() {
            state.abandon();
        }
    }
}
