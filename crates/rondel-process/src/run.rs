//! `run_process`: a child process from its start to its end in one call.
//!
//! # asyncio
//!
//! It has nothing of the kind; this is AnyIO's `run_process`, and Python's `subprocess.run`.

use std::{future::IntoFuture, pin::Pin};

use bytes::Bytes;
use rondel_task::{Result, shielded};

use crate::{error::CalledProcessError, redirect::PIPE, subprocess::Subprocess};

/// Runs a child process to its end; awaiting it gives what it came to.
///
/// It takes a line of the shell, or a program with its arguments as an array, or any [`Subprocess`].
/// Where it is cancelled, it kills the process and waits until that has exited.
///
/// Mirrors AnyIO's [`run_process`](https://anyio.readthedocs.io/en/stable/api.html#anyio.run_process); what that does by default, [`capture`](RunProcess::capture)
/// and [`check`](RunProcess::check) do here.
///
/// # Errors
///
/// Told when it is awaited: those of [`create_subprocess_exec`](crate::create_subprocess_exec) and [`Process::communicate`](crate::Process::communicate), and a
/// [`CalledProcessError`] where it is [checked](RunProcess::check).
///
/// # Examples
///
/// ```
/// use rondel_process::{CalledProcessError, run_process};
///
/// # rondel_task::run(async {
/// let sorted = run_process(["sort", "-n"]).input("10\n9\n").capture().check().await?;
/// assert_eq!(sorted.stdout, "9\n10\n");
///
/// let failed = run_process("echo sorry >&2; exit 3").capture().check().await;
/// let error = failed.unwrap_err();
/// let error = error.downcast_ref::<CalledProcessError>().expect("it was started");
/// assert_eq!((error.returncode(), &error.stderr()[..]), (3, &b"sorry\n"[..]));
/// # Ok(())
/// # }).unwrap();
/// ```
pub fn run_process(subprocess: impl Into<Subprocess>) -> RunProcess {
    RunProcess {
        subprocess: subprocess.into(),
        input: Bytes::new(),
        check: Check::Nothing,
    }
}

/// A run of a child process: what [`run_process`] gives.
#[derive(Debug)]
#[must_use = "it runs when it is awaited"]
pub struct RunProcess {
    subprocess: Subprocess,
    input: Bytes,
    check: Check,
}

/// Which return codes are errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Check {
    Nothing,
    Returncode,
}

impl RunProcess {
    /// Sends `input` to the standard input, which is made a pipe for that.
    pub fn input(mut self, input: impl Into<Bytes>) -> Self {
        self.input = input.into();
        self.subprocess = self.subprocess.stdin(PIPE);
        self
    }

    /// Captures the standard output and the standard error, unless they were redirected already.
    pub fn capture(mut self) -> Self {
        let redirects = &mut self.subprocess.redirects;
        redirects.stdout.get_or_insert(PIPE);
        redirects.stderr.get_or_insert(PIPE);
        self
    }

    /// Makes every return code but 0 an error.
    pub fn check(mut self) -> Self {
        self.check = Check::Returncode;
        self
    }

    async fn run(self) -> Result<CompletedProcess> {
        let Self {
            subprocess,
            input,
            check,
        } = self;
        let command = subprocess.to_string();
        let process = subprocess.kill_on_drop().await?;
        let output = process.communicate(input).await;
        let (stdout, stderr) = match output {
            Ok(output) => output,
            Err(exception) => {
                process.transport().close();
                // What went wrong first counts.
                let _ = shielded(process.wait()).await;
                return Err(exception);
            }
        };
        let completed = CompletedProcess {
            command,
            returncode: process.wait().await?,
            stdout,
            stderr,
        };
        if check == Check::Returncode {
            completed.check_returncode()?;
        }
        Ok(completed)
    }
}

/// What a child process came to: what [`run_process`] gives when it is awaited.
///
/// Mirrors [`subprocess.CompletedProcess`](https://docs.python.org/3/library/subprocess.html#subprocess.CompletedProcess).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompletedProcess {
    /// The command, as a shell would be given it.
    pub command: String,
    /// The exit code, or the number of the signal that ended the process as a negative number.
    pub returncode: i32,
    /// What was captured of the standard output.
    pub stdout: Bytes,
    /// What was captured of the standard error.
    pub stderr: Bytes,
}

impl CompletedProcess {
    /// Says whether the process has exited with code 0.
    #[must_use]
    pub fn success(&self) -> bool {
        self.returncode == 0
    }

    /// Makes every return code but 0 an error.
    ///
    /// # Errors
    ///
    /// A [`CalledProcessError`] with what was captured.
    pub fn check_returncode(&self) -> Result<(), CalledProcessError> {
        if self.success() {
            return Ok(());
        }
        Err(CalledProcessError {
            command: self.command.clone(),
            returncode: self.returncode,
            stdout: self.stdout.clone(),
            stderr: self.stderr.clone(),
        })
    }
}

impl IntoFuture for RunProcess {
    type Output = Result<CompletedProcess>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<CompletedProcess>>>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}
