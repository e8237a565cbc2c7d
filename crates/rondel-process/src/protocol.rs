//! `SubprocessProtocol`: what is told what happens to a child process and its pipes.
//!
//! # Invariants
//!
//! - I1. The order is `connection_made` once, then any number of `pipe_data_received`; for each pipe `pipe_connection_lost` once and nothing more of that
//!   pipe; `process_exited` once; and `connection_lost` last, when all pipes are closed and the process has exited.
//!   A process may exit before its pipes are closed, and the other way round.
//! - I2. Each is a callback of its own. One that panics is reported as an exception in a callback, and that is all.
//!
//! # asyncio
//!
//! [`asyncio.SubprocessProtocol`](https://docs.python.org/3/library/asyncio-protocol.html#subprocess-protocols).

use std::fmt;

use rondel_net::BaseProtocol;
use rondel_task::Exception;

use crate::transport::SubprocessTransport;

/// A protocol of a child process.
///
/// [`pause_writing`](BaseProtocol::pause_writing) and [`resume_writing`](BaseProtocol::resume_writing) are about the pipe to its standard input.
///
/// Mirrors [`asyncio.SubprocessProtocol`](https://docs.python.org/3/library/asyncio-protocol.html#asyncio.SubprocessProtocol).
///
/// # Examples
///
/// ```
/// use std::cell::RefCell;
/// use rondel_net::BaseProtocol;
/// use rondel_process::{PipeFd, SubprocessProtocol, subprocess_exec};
/// use rondel_task::{Exception, Future, get_running_loop};
///
/// struct Date {
///     output: RefCell<Vec<u8>>,
///     lost: Future<()>,
/// }
///
/// impl BaseProtocol for Date {
///     fn connection_lost(&self, _exception: Option<&Exception>) {
///         self.lost.set_result(()).expect("it is lost once");
///     }
/// }
///
/// impl SubprocessProtocol for Date {
///     fn pipe_data_received(&self, _fd: PipeFd, data: &[u8]) {
///         self.output.borrow_mut().extend_from_slice(data);
///     }
/// }
///
/// # rondel_task::run(async {
/// let lost = get_running_loop()?.create_future();
/// let output = RefCell::default();
/// let (transport, date) = subprocess_exec(|| Date { output, lost }, "date", ["-u", "-d", "@0", "+%Y"]).await?;
/// date.lost.clone().await?;
/// assert_eq!(*date.output.borrow(), b"1970\n");
/// assert_eq!(transport.get_returncode(), Some(0));
/// # Ok(())
/// # }).unwrap();
/// ```
pub trait SubprocessProtocol: BaseProtocol {
    /// The process has been started, and its pipes are there.
    fn connection_made(&self, transport: SubprocessTransport) {
        let _ = transport;
    }

    /// The process has written some bytes, at least one, to its standard output or error.
    fn pipe_data_received(&self, fd: PipeFd, data: &[u8]) {
        let _ = (fd, data);
    }

    /// A pipe is closed: by the process, or here; with the error that ended it, if there is one.
    fn pipe_connection_lost(&self, fd: PipeFd, exception: Option<&Exception>) {
        let _ = (fd, exception);
    }

    /// The process has exited; the transport knows its [return code](SubprocessTransport::get_returncode).
    fn process_exited(&self) {}
}

/// Which of a process's three standard streams a pipe belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PipeFd {
    /// asyncio's 0, which is written to.
    Stdin = 0,
    /// asyncio's 1, which is read from.
    Stdout = 1,
    /// asyncio's 2, which is read from.
    Stderr = 2,
}

impl PipeFd {
    pub(crate) const ALL: [Self; 3] = [Self::Stdin, Self::Stdout, Self::Stderr];
}

impl fmt::Display for PipeFd {
    /// Writes `stdin`, `stdout` or `stderr`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stdin => "stdin",
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        })
    }
}
