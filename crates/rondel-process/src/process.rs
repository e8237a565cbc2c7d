//! `Process`: a child process with its pipes as streams.
//!
//! # asyncio
//!
//! [`asyncio.subprocess.Process`](https://docs.python.org/3/library/asyncio-subprocess.html#asyncio.subprocess.Process).

use std::{cell::RefCell, fmt, io, rc::Rc};

use bytes::Bytes;
use rondel_net::{StreamReader, StreamWriter};
use rondel_task::{Exception, Result, ValueError, gather};

use crate::{
    protocol::PipeFd,
    streams::{Readers, SubprocessStreamProtocol},
    subprocess::Subprocess,
    transport::SubprocessTransport,
};

/// A child process, with its pipes as streams.
///
/// Dropping it drops its ends of the streams, which closes the standard input; the process goes on, and the loop reaps it when it exits, unless it was
/// created to be [killed](Subprocess::kill_on_drop). A loop that closes kills the processes that are left.
///
/// Mirrors [`asyncio.subprocess.Process`](https://docs.python.org/3/library/asyncio-subprocess.html#asyncio.subprocess.Process).
///
/// # Examples
///
/// ```
/// use rondel_process::{PIPE, create_subprocess_exec};
///
/// # rondel_task::run(async {
/// let mut process = create_subprocess_exec("cat", [""; 0]).stdin(PIPE).stdout(PIPE).await?;
/// let stdin = process.stdin.take().expect("it is a pipe");
/// let stdout = process.stdout.take().expect("it is a pipe");
///
/// stdin.write("hello\n")?;
/// stdin.drain().await?;
/// assert_eq!(stdout.readline().await?, "hello\n");
///
/// process.terminate()?;
/// assert_eq!(process.wait().await?, -15);
/// # Ok(())
/// # }).unwrap();
/// ```
pub struct Process {
    /// Writes to the standard input, where that is a pipe.
    pub stdin: Option<StreamWriter>,
    /// Reads from the standard output, where that is a pipe.
    pub stdout: Option<StreamReader>,
    /// Reads from the standard error, where that is a pipe of its own.
    pub stderr: Option<StreamReader>,
    transport: SubprocessTransport,
    collected: Rc<Collected>,
    on_drop: OnDrop,
}

/// What becomes of a process that runs when its handle is dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum OnDrop {
    #[default]
    GoOn,
    Kill,
}

impl Process {
    pub(crate) async fn create(subprocess: Subprocess) -> Result<Self> {
        let on_drop = subprocess.on_drop;
        let readers = Readers::with_limit(subprocess.limit)?;
        let protocol = SubprocessStreamProtocol::new(&readers);
        let (transport, protocol) = subprocess.connect(|| protocol).await?;
        let stdin = transport.get_pipe_transport(PipeFd::Stdin).map(|pipe| {
            let protocol = protocol.stream(PipeFd::Stdin).clone();
            StreamWriter::new(pipe, protocol, None)
        });
        let reader = |fd| {
            let pipe = transport.get_pipe_transport(fd);
            pipe.map(|_| readers.get(fd).clone())
        };
        let (stdout, stderr) = (reader(PipeFd::Stdout), reader(PipeFd::Stderr));
        Ok(Self {
            stdin,
            stdout,
            stderr,
            transport,
            collected: Rc::default(),
            on_drop,
        })
    }

    /// Returns the number of the process, also after it has exited.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.transport.get_pid()
    }

    /// Returns the exit code of the process, or the number of the signal that ended it as a negative number; none while it runs.
    #[must_use]
    pub fn returncode(&self) -> Option<i32> {
        self.transport.get_returncode()
    }

    /// Returns the transport of the process.
    #[must_use]
    pub fn transport(&self) -> &SubprocessTransport {
        &self.transport
    }

    /// Waits until the process has exited, and gives its [return code](Self::returncode).
    ///
    /// A process that writes more than its pipe holds waits until somebody reads that; [`communicate`](Self::communicate) does.
    ///
    /// Mirrors
    /// [`Process.wait`](https://docs.python.org/3/library/asyncio-subprocess.html#asyncio.subprocess.Process.wait).
    ///
    /// # Errors
    ///
    /// `CancelledError`; the process then runs on, and can be waited for again.
    pub fn wait(&self) -> impl Future<Output = Result<i32>> + use<> {
        self.transport.wait()
    }

    /// Sends `input` to the standard input and closes it, reads the standard output and error to their end, and waits until the process has exited.
    ///
    /// Gives what was read: nothing where the stream is no pipe. A process that does not read its input to the end is no error.
    /// All of it is kept in memory.
    ///
    /// Mirrors
    /// [`Process.communicate`](https://docs.python.org/3/library/asyncio-subprocess.html#asyncio.subprocess.Process.communicate).
    ///
    /// # Errors
    ///
    /// `CancelledError`: the process then runs on, and nothing is lost: what is left of the input is still sent, and another `communicate`, with no input,
    /// gives the output from its beginning.
    /// A [`ValueError`] for an input where there is no pipe to the standard input; what a pipe was lost by.
    pub fn communicate<I: Into<Bytes>>(
        &self,
        input: I,
    ) -> impl Future<Output = Result<(Bytes, Bytes)>> + use<I> {
        let input = input.into();
        let stdin = self.stdin.clone();
        let outputs = [
            (PipeFd::Stdout, self.stdout.clone()),
            (PipeFd::Stderr, self.stderr.clone()),
        ];
        let transport = self.transport.clone();
        let collected = self.collected.clone();
        async move {
            if stdin.is_none() && !input.is_empty() {
                return Err(ValueError::new("input for a process whose stdin is no pipe").into());
            }
            let [stdout, stderr] = outputs.map(|(fd, reader)| {
                let (transport, collected) = (transport.clone(), collected.clone());
                read_stream(reader, fd, transport, collected)
            });
            gather!(feed_stdin(stdin, input), stdout, stderr).await?;
            transport.wait().await?;
            Ok(collected.take())
        }
    }

    /// Sends the process a signal; the numbers are in [`signal`](rondel_reactor::signal).
    ///
    /// # Errors
    ///
    /// As [`SubprocessTransport::send_signal`]: a [`ProcessLookupError`](crate::ProcessLookupError) where the process has exited and its pipes are closed.
    pub fn send_signal(&self, signal: i32) -> Result<()> {
        self.transport.send_signal(signal)
    }

    /// Asks the process to end: sends it `SIGTERM`.
    ///
    /// # Errors
    ///
    /// As [`send_signal`](Self::send_signal).
    pub fn terminate(&self) -> Result<()> {
        self.transport.terminate()
    }

    /// Ends the process: sends it `SIGKILL`.
    ///
    /// # Errors
    ///
    /// As [`send_signal`](Self::send_signal).
    pub fn kill(&self) -> Result<()> {
        self.transport.kill()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.on_drop == OnDrop::Kill && self.returncode().is_none() {
            self.transport.close();
        }
    }
}

impl fmt::Debug for Process {
    /// Writes what asyncio shows, for instance `<Process 7>`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<Process {}>", self.pid())
    }
}

/// Sends the input and closes the stream.
async fn feed_stdin(stdin: Option<StreamWriter>, input: Bytes) -> Result<()> {
    let Some(stdin) = stdin else {
        return Ok(());
    };
    stdin.write(&input)?;
    // The pipe has it, or its buffer.
    drop(input);
    match stdin.drain().await {
        Err(exception) if !is_broken(&exception) => return Err(exception),
        _ => {}
    }
    stdin.close();
    Ok(())
}

/// Says whether the process has closed its end.
fn is_broken(exception: &Exception) -> bool {
    exception.downcast_ref().is_some_and(|error: &io::Error| {
        use io::ErrorKind::{BrokenPipe, ConnectionReset};
        matches!(error.kind(), BrokenPipe | ConnectionReset)
    })
}

/// Reads a stream to its end and closes its pipe.
async fn read_stream(
    reader: Option<StreamReader>,
    fd: PipeFd,
    transport: SubprocessTransport,
    collected: Rc<Collected>,
) -> Result<()> {
    let Some(reader) = reader else {
        return Ok(());
    };
    let output = reader.read_to_end().await?;
    collected.add(fd, output);
    if let Some(pipe) = transport.get_pipe_transport(fd) {
        pipe.close();
    }
    Ok(())
}

/// What `communicate` has read to the end of its stream, until it gives all of it: one that is cancelled leaves it to the next.
#[derive(Default)]
struct Collected([RefCell<Bytes>; 3]);

impl Collected {
    fn add(&self, fd: PipeFd, output: Bytes) {
        // After the end of a stream there is nothing more.
        if !output.is_empty() {
            *self.0[fd as usize].borrow_mut() = output;
        }
    }

    fn take(&self) -> (Bytes, Bytes) {
        let [_, stdout, stderr] = &self.0;
        (stdout.take(), stderr.take())
    }
}
