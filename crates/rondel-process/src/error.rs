//! What goes wrong with child processes: one that cannot be started, one that is gone, one that failed.
//!
//! # asyncio
//!
//! `FileNotFoundError` and its kin of `subprocess.Popen`, `ProcessLookupError`, and `subprocess.CalledProcessError`.

use std::{error::Error, fmt, io, process::Command};

use bytes::Bytes;

/// Says that a child process could not be started, and which.
#[derive(Debug)]
pub struct SpawnError {
    program: String,
    error: io::Error,
}

impl SpawnError {
    pub(crate) fn new(command: &Command, error: io::Error) -> Self {
        let mut program = format!("{:?}", command.get_program());
        if let Some(directory) = command.get_current_dir() {
            program += &format!(" in {directory:?}");
        }
        Self { program, error }
    }

    /// Returns what the operating system says: [`NotFound`](io::ErrorKind::NotFound) for a program, or a folder to run it in, that is not there.
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        self.error.kind()
    }
}

impl fmt::Display for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot start {}: {}", self.program, self.error)
    }
}

impl Error for SpawnError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.error)
    }
}

/// Says that a child process has ended and can be sent nothing any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessLookupError {
    pub(crate) pid: u32,
}

impl fmt::Display for ProcessLookupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} has ended", self.pid)
    }
}

impl Error for ProcessLookupError {}

/// Says that a child process has exited with another code than 0: what a [checked](crate::RunProcess::check) run raises.
///
/// Mirrors [`subprocess.CalledProcessError`](https://docs.python.org/3/library/subprocess.html#subprocess.CalledProcessError).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CalledProcessError {
    pub(crate) command: String,
    pub(crate) returncode: i32,
    pub(crate) stdout: Bytes,
    pub(crate) stderr: Bytes,
}

impl CalledProcessError {
    /// Returns the exit code, or the number of the signal that ended the process as a negative number.
    #[must_use]
    pub fn returncode(&self) -> i32 {
        self.returncode
    }

    /// Returns the command as a shell would be given it.
    #[must_use]
    pub fn command(&self) -> &str {
        &self.command
    }

    /// Returns what was captured of the standard output.
    #[must_use]
    pub fn stdout(&self) -> &Bytes {
        &self.stdout
    }

    /// Returns what was captured of the standard error.
    #[must_use]
    pub fn stderr(&self) -> &Bytes {
        &self.stderr
    }
}

impl fmt::Display for CalledProcessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            command,
            returncode,
            ..
        } = self;
        match returncode {
            ..0 => write!(f, "command `{command}` died with signal {}", -returncode),
            0.. => write!(
                f,
                "command `{command}` returned non-zero exit status {returncode}"
            ),
        }
    }
}

impl Error for CalledProcessError {}
