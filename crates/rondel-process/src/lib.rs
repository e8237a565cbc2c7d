//! asyncio's subprocesses on rondel's event loop.
//!
//! [`create_subprocess_exec`] and [`create_subprocess_shell`] start a child process and give its pipes as streams; [`run_process`] waits for the whole
//! and gives what it came to; [`subprocess_exec`] and [`subprocess_shell`] tell a [`SubprocessProtocol`] instead.
//! How a child is set up beyond its three standard streams (its environment, folder, group, user) is [`std::process::Command`]'s business.
//! The pipes are `rondel-net`'s.
//!
//! # Invariants
//!
//! - I1. A signal reaches the child it is meant for or nobody: never another process that was given its number.
//! - I2. Every child is reaped, also one whose handles are dropped, and one that outlives its loop.
//! - I3. A child inherits its three standard streams and no other descriptor of ours.
//!
//! # asyncio
//!
//! [Subprocesses](https://docs.python.org/3/library/asyncio-subprocess.html), `base_subprocess.py` and `subprocess.py`.
//!
//! - [`Process::wait`] ends when the child has exited. There it ends when the pipes are closed, too, which a grandchild may keep open for ever.
//! - A [`communicate`](Process::communicate) that is cancelled has lost nothing: the next one goes on.
//! - A signal for a child that has exited and still has an open pipe is sent to nobody; there it goes to whoever has the number now.
//!
//! # Examples
//!
//! ```
//! use rondel_process::{PIPE, create_subprocess_exec, run_process};
//!
//! # rondel_task::run(async {
//! let sort = create_subprocess_exec("sort", ["-r"]).stdin(PIPE).stdout(PIPE).await?;
//! let (stdout, _) = sort.communicate("ballad\nrondel\n").await?;
//! assert_eq!(stdout, "rondel\nballad\n");
//! assert_eq!(sort.returncode(), Some(0));
//!
//! let greeting = run_process("echo hello").capture().check().await?;
//! assert_eq!(greeting.stdout, "hello\n");
//! # Ok(())
//! # }).unwrap();
//! ```

#![forbid(unsafe_code)]

mod child;
mod error;
mod process;
mod protocol;
mod redirect;
mod run;
mod streams;
mod subprocess;
mod transport;

pub use child::ChildWatcher;
pub use error::{CalledProcessError, ProcessLookupError, SpawnError};
pub use process::Process;
pub use protocol::{PipeFd, SubprocessProtocol};
pub use redirect::{DEVNULL, PIPE, Redirect, STDOUT};
pub use run::{CompletedProcess, RunProcess, run_process};
pub use subprocess::{
    Subprocess, create_subprocess_exec, create_subprocess_shell, subprocess_exec, subprocess_shell,
};
pub use transport::SubprocessTransport;
