//! `Subprocess`: a child process to be created: what it runs, and where its standard streams go.
//!
//! It starts the process; what then happens to it is the [transport's](crate::SubprocessTransport) business.
//!
//! # asyncio
//!
//! The arguments of [`create_subprocess_exec`](https://docs.python.org/3/library/asyncio-subprocess.html#creating-subprocesses) and its kin.
//! Starting blocks the loop for as long as the system takes for it, as it does there.

use std::{
    ffi::OsStr,
    fmt,
    future::IntoFuture,
    os::fd::OwnedFd,
    path::Path,
    pin::Pin,
    process::{Child, Command},
    rc::Rc,
};

use rondel_task::{Result, get_running_loop};

use crate::{
    child::ChildWatcher,
    error::SpawnError,
    process::{OnDrop, Process},
    protocol::SubprocessProtocol,
    redirect::{PIPE, Redirect, Redirects},
    transport::SubprocessTransport,
};

/// Creates a child process that runs `program` with `args`; awaiting it gives the [`Process`].
///
/// The program is searched in `PATH`. The standard streams are those of this process until they are [redirected](Subprocess::stdout).
///
/// Mirrors
/// [`asyncio.create_subprocess_exec`](https://docs.python.org/3/library/asyncio-subprocess.html#asyncio.create_subprocess_exec).
///
/// # Errors
///
/// Told when it is awaited: a [`SpawnError`] when the program cannot be started; a [`ValueError`](rondel_task::ValueError) for a limit of 0, or a
/// redirection that makes no sense; an I/O error when there are no descriptors left.
///
/// # Examples
///
/// ```
/// use rondel_process::{PIPE, create_subprocess_exec};
///
/// # rondel_task::run(async {
/// let process = create_subprocess_exec("seq", ["3"]).stdout(PIPE).await?;
/// let stdout = process.stdout.as_ref().expect("it is a pipe");
/// assert_eq!(stdout.readline().await?, "1\n");
/// assert_eq!(stdout.read_to_end().await?, "2\n3\n");
/// assert_eq!(process.wait().await?, 0);
/// # Ok(())
/// # }).unwrap();
/// ```
pub fn create_subprocess_exec<S: AsRef<OsStr>>(
    program: impl AsRef<OsStr>,
    args: impl IntoIterator<Item = S>,
) -> Subprocess {
    Subprocess::exec(program, args)
}

/// Creates a child process that runs a line of the shell; awaiting it gives the [`Process`].
///
/// Whatever is put into the line is read by the shell: quote what comes from elsewhere, or use [`create_subprocess_exec`].
///
/// Mirrors
/// [`asyncio.create_subprocess_shell`](https://docs.python.org/3/library/asyncio-subprocess.html#asyncio.create_subprocess_shell).
///
/// # Errors
///
/// As [`create_subprocess_exec`].
///
/// # Examples
///
/// ```
/// use rondel_process::{PIPE, STDOUT, create_subprocess_shell};
///
/// # rondel_task::run(async {
/// let process = create_subprocess_shell("echo fine; echo bad >&2").stdout(PIPE).stderr(STDOUT).await?;
/// let (output, _) = process.communicate("").await?;
/// assert_eq!(output, "fine\nbad\n");
/// # Ok(())
/// # }).unwrap();
/// ```
pub fn create_subprocess_shell(cmd: impl AsRef<OsStr>) -> Subprocess {
    Subprocess::shell(cmd)
}

/// Starts a child process with pipes to all its standard streams, and gives its transport with the protocol that `factory` makes.
///
/// [`Subprocess::connect`] does so with other redirections.
///
/// Mirrors
/// [`loop.subprocess_exec`](https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.subprocess_exec).
///
/// # Errors
///
/// As [`create_subprocess_exec`].
///
/// # Examples
///
/// See [`SubprocessProtocol`].
pub async fn subprocess_exec<P: SubprocessProtocol, S: AsRef<OsStr>>(
    factory: impl FnOnce() -> P,
    program: impl AsRef<OsStr>,
    args: impl IntoIterator<Item = S>,
) -> Result<(SubprocessTransport, Rc<P>)> {
    Subprocess::exec(program, args)
        .piped()
        .connect(factory)
        .await
}

/// As [`subprocess_exec`], of a line of the shell.
///
/// Mirrors
/// [`loop.subprocess_shell`](https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.subprocess_shell).
///
/// # Errors
///
/// As [`create_subprocess_exec`].
pub async fn subprocess_shell<P: SubprocessProtocol>(
    factory: impl FnOnce() -> P,
    cmd: impl AsRef<OsStr>,
) -> Result<(SubprocessTransport, Rc<P>)> {
    Subprocess::shell(cmd).piped().connect(factory).await
}

/// A child process to be created: what [`create_subprocess_exec`] and [`create_subprocess_shell`] give.
///
/// It is made of any [`Command`], too, and of what [`run_process`](crate::run_process) takes: a line of the shell, or an array of a program and its
/// arguments.
///
/// # Examples
///
/// ```
/// use std::{os::unix::process::CommandExt as _, process::Command};
/// use rondel_process::{PIPE, Subprocess};
///
/// # rondel_task::run(async {
/// let mut command = Command::new("pwd");
/// command.current_dir("/").process_group(0);
/// let process = Subprocess::from(command).stdout(PIPE).await?;
/// assert_eq!(process.communicate("").await?.0, "/\n");
/// # Ok(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
#[must_use = "it is created when it is awaited"]
pub struct Subprocess {
    command: Command,
    pub(crate) redirects: Redirects,
    watcher: ChildWatcher,
    pub(crate) limit: usize,
    pub(crate) on_drop: OnDrop,
}

impl Subprocess {
    /// Begins to describe a process that runs `program`, which is searched in `PATH`, with `args`.
    pub fn exec<S: AsRef<OsStr>>(
        program: impl AsRef<OsStr>,
        args: impl IntoIterator<Item = S>,
    ) -> Self {
        let mut command = Command::new(program);
        command.args(args);
        Self::from(command)
    }

    /// Begins to describe a process in which the shell, `/bin/sh`, runs a line.
    pub fn shell(cmd: impl AsRef<OsStr>) -> Self {
        Self::exec("/bin/sh", [OsStr::new("-c"), cmd.as_ref()])
    }

    /// Says where the standard input comes from; without it, that is up to the command: from where this process has its own.
    pub fn stdin(mut self, stdin: impl Into<Redirect>) -> Self {
        self.redirects.stdin = Some(stdin.into());
        self
    }

    /// Says where the standard output goes to; without it, that is up to the command: to where that of this process goes.
    pub fn stdout(mut self, stdout: impl Into<Redirect>) -> Self {
        self.redirects.stdout = Some(stdout.into());
        self
    }

    /// Says where the standard error goes to; without it, that is up to the command: to where that of this process goes.
    ///
    /// With [`STDOUT`](crate::STDOUT) it goes where [`stdout`](Self::stdout) says; without that, both go where the standard output of this process goes.
    pub fn stderr(mut self, stderr: impl Into<Redirect>) -> Self {
        self.redirects.stderr = Some(stderr.into());
        self
    }

    /// Makes pipes of all three.
    fn piped(self) -> Self {
        self.stdin(PIPE).stdout(PIPE).stderr(PIPE)
    }

    /// Sets a variable of the child's environment, which is otherwise that of this process.
    pub fn env(mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.command.env(key, value);
        self
    }

    /// Runs the child in a folder: asyncio's `cwd`.
    pub fn current_dir(mut self, directory: impl AsRef<Path>) -> Self {
        self.command.current_dir(directory);
        self
    }

    /// Gives the command for all the rest that can be said: its user, its process group, and more.
    pub fn command_mut(&mut self) -> &mut Command {
        &mut self.command
    }

    /// Sets the [limit](rondel_net::StreamReader::with_limit) of the readers, in bytes.
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// Kills the process when its [`Process`] is dropped while it runs.
    ///
    /// Without that it goes on, as in asyncio.
    pub fn kill_on_drop(mut self) -> Self {
        self.on_drop = OnDrop::Kill;
        self
    }

    /// Says how the loop hears that the process has exited.
    pub fn watcher(mut self, watcher: ChildWatcher) -> Self {
        self.watcher = watcher;
        self
    }

    /// Starts the process, and gives its transport with the protocol that `factory` makes.
    ///
    /// # Errors
    ///
    /// As [`create_subprocess_exec`].
    pub async fn connect<P: SubprocessProtocol>(
        self,
        factory: impl FnOnce() -> P,
    ) -> Result<(SubprocessTransport, Rc<P>)> {
        let event_loop = get_running_loop()?;
        let protocol = Rc::new(factory());
        let transport =
            SubprocessTransport::open(&event_loop, self.spawn()?, protocol.clone()).await?;
        Ok((transport, protocol))
    }

    fn spawn(self) -> Result<Spawned> {
        let Self {
            mut command,
            redirects,
            watcher,
            ..
        } = self;
        let shared_pipe = redirects.apply(&mut command)?;
        let mut child = command
            .spawn()
            .map_err(|error| SpawnError::new(&command, error))?;
        tracing::debug!(pid = child.id(), program = ?command.get_program(), "process created");
        let stdout = child.stdout.take().map(OwnedFd::from);
        let pipes = [
            child.stdin.take().map(OwnedFd::from),
            stdout.or(shared_pipe.map(OwnedFd::from)),
            child.stderr.take().map(OwnedFd::from),
        ];
        // The command goes here, and with it what it has of the child's ends.
        Ok(Spawned {
            child,
            pipes,
            watcher,
        })
    }
}

/// A process that was just started.
pub(crate) struct Spawned {
    pub(crate) child: Child,
    pub(crate) pipes: PipeEnds,
    pub(crate) watcher: ChildWatcher,
}

/// Our ends of the pipes of a process, by number.
pub(crate) type PipeEnds = [Option<OwnedFd>; 3];

impl From<Command> for Subprocess {
    fn from(command: Command) -> Self {
        Self {
            command,
            redirects: Redirects::default(),
            watcher: ChildWatcher::default(),
            limit: DEFAULT_LIMIT,
            on_drop: OnDrop::default(),
        }
    }
}

impl From<&str> for Subprocess {
    /// Takes a line of the shell.
    fn from(cmd: &str) -> Self {
        Self::shell(cmd)
    }
}

impl From<String> for Subprocess {
    /// Takes a line of the shell.
    fn from(cmd: String) -> Self {
        Self::shell(cmd)
    }
}

impl<S: AsRef<OsStr>, const N: usize> From<[S; N]> for Subprocess {
    /// Takes a program and its arguments.
    fn from(args: [S; N]) -> Self {
        Self::from(args.as_slice())
    }
}

impl<S: AsRef<OsStr>> From<&[S]> for Subprocess {
    /// Takes a program and its arguments.
    fn from(args: &[S]) -> Self {
        match args {
            [program, args @ ..] => Self::exec(program, args),
            // No program has this name.
            [] => Self::exec("", args),
        }
    }
}

impl IntoFuture for Subprocess {
    type Output = Result<Process>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<Process>>>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(Process::create(self))
    }
}

impl fmt::Display for Subprocess {
    /// Writes the command as a shell would be given it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.command)
    }
}

/// asyncio's limit of a reader: 64 KiB.
const DEFAULT_LIMIT: usize = 64 * 1024;
