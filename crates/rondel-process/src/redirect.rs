//! `Redirect`: where a standard stream of a child process goes to or comes from.
//!
//! # asyncio
//!
//! The values of `stdin=`, `stdout=` and `stderr=`.

use std::{
    fs::File,
    io::{self, PipeReader, PipeWriter},
    os::fd::OwnedFd,
    process::{Command, Stdio},
};

use rondel_task::{Result, ValueError};

/// Where a standard stream of a child process goes to or comes from.
///
/// A file, an end of a [`std::io::pipe`], or any descriptor converts into one.
#[derive(Debug)]
pub enum Redirect {
    /// The same place as the stream of this process: the default, asyncio's `None`.
    Inherit,
    /// A pipe to this process.
    Pipe,
    /// Nowhere.
    DevNull,
    /// Where the child's standard output goes; of its standard error only.
    Stdout,
    /// A descriptor, which this process closes once the child has it.
    Fd(OwnedFd),
}

/// [`Redirect::Pipe`]: asyncio's `subprocess.PIPE`.
pub const PIPE: Redirect = Redirect::Pipe;

/// [`Redirect::DevNull`]: asyncio's `subprocess.DEVNULL`.
pub const DEVNULL: Redirect = Redirect::DevNull;

/// [`Redirect::Stdout`]: asyncio's `subprocess.STDOUT`.
pub const STDOUT: Redirect = Redirect::Stdout;

impl From<OwnedFd> for Redirect {
    fn from(fd: OwnedFd) -> Self {
        Self::Fd(fd)
    }
}

impl From<File> for Redirect {
    fn from(file: File) -> Self {
        Self::Fd(file.into())
    }
}

impl From<PipeReader> for Redirect {
    fn from(pipe: PipeReader) -> Self {
        Self::Fd(pipe.into())
    }
}

impl From<PipeWriter> for Redirect {
    fn from(pipe: PipeWriter) -> Self {
        Self::Fd(pipe.into())
    }
}

impl Redirect {
    fn into_stdio(self) -> Result<Stdio> {
        match self {
            Self::Inherit => Ok(Stdio::inherit()),
            Self::Pipe => Ok(Stdio::piped()),
            Self::DevNull => Ok(Stdio::null()),
            Self::Stdout => Err(ValueError::new("only stderr can be redirected to STDOUT").into()),
            Self::Fd(fd) => Ok(fd.into()),
        }
    }

    /// Splits into two for the same place, and what reads from that where it is a pipe.
    fn shared(self) -> Result<(Self, Self, Option<PipeReader>)> {
        match self {
            Self::Pipe => {
                let (reader, writer) = io::pipe()?;
                Ok((writer.try_clone()?.into(), writer.into(), Some(reader)))
            }
            Self::Fd(fd) => Ok((fd.try_clone()?.into(), fd.into(), None)),
            Self::DevNull => Ok((Self::DevNull, Self::DevNull, None)),
            Self::Inherit => Ok((Self::Inherit, Self::Inherit, None)),
            Self::Stdout => Ok((Self::Stdout, Self::Stdout, None)),
        }
    }
}

/// The redirections of the three streams; those that are not set are left to the command.
#[derive(Debug, Default)]
pub(crate) struct Redirects {
    pub(crate) stdin: Option<Redirect>,
    pub(crate) stdout: Option<Redirect>,
    pub(crate) stderr: Option<Redirect>,
}

impl Redirects {
    /// Tells the command; gives our end of a pipe that standard output and error share.
    pub(crate) fn apply(self, command: &mut Command) -> Result<Option<PipeReader>> {
        let Self {
            stdin,
            mut stdout,
            mut stderr,
        } = self;
        let mut shared_pipe = None;
        if let Some(Redirect::Stdout) = stderr {
            let (out, err, pipe) = stdout.unwrap_or(Redirect::Inherit).shared()?;
            (stdout, stderr, shared_pipe) = (Some(out), Some(err), pipe);
            if let Some(Redirect::Inherit) = stderr {
                command.stderr(io::stdout());
                stderr = None;
            }
        }
        if let Some(stdin) = stdin {
            command.stdin(stdin.into_stdio()?);
        }
        if let Some(stdout) = stdout {
            command.stdout(stdout.into_stdio()?);
        }
        if let Some(stderr) = stderr {
            command.stderr(stderr.into_stdio()?);
        }
        Ok(shared_pipe)
    }
}
