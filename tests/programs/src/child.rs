//! A child process: what it prints is heard from the start, and it neither runs nor is waited for longer than a test may take.

use std::io::{BufRead, BufReader, Read, Write as _};
use std::process::{ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// How long a child may be silent, and then take to end; it is far more than any needs.
const LIMIT: Duration = Duration::from_secs(60);

/// A running process. When it is dropped it is killed.
#[derive(Debug)]
pub struct Child {
    name: String,
    process: std::process::Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    stderr: Option<JoinHandle<String>>,
}

/// How a process has ended, and what it has printed that nobody had read.
#[derive(Debug)]
pub struct Finished {
    /// How it has ended.
    pub status: ExitStatus,
    /// What was left of its output.
    pub stdout: String,
    /// All that it wrote to stderr.
    pub stderr: String,
}

/// Runs a command to its end, with nothing to read.
///
/// # Panics
///
/// Panics when it cannot be started or does not end.
pub fn run(command: &mut Command) -> Finished {
    Child::start(command).wait()
}

impl Child {
    /// Starts a command; its three streams are pipes.
    ///
    /// # Panics
    ///
    /// Panics when it cannot be started.
    pub fn start(command: &mut Command) -> Self {
        let name = command.get_program().display().to_string();
        let command = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut process = command
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        let stdout = process.stdout.take().expect("it is a pipe");
        let stderr = process.stderr.take().expect("it is a pipe");
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            let mut stdout = BufReader::new(stdout);
            while let Some(line) = read_line(&mut stdout) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self {
            name,
            stdin: process.stdin.take(),
            process,
            lines,
            stderr: Some(thread::spawn(move || read_all(stderr))),
        }
    }

    /// Writes to the process's stdin.
    ///
    /// # Panics
    ///
    /// Panics when it was closed, at either end.
    pub fn write(&mut self, text: impl AsRef<[u8]>) {
        let stdin = self.stdin.as_mut().expect("it is open");
        let written = stdin.write_all(text.as_ref()).and_then(|()| stdin.flush());
        written.unwrap_or_else(|error| panic!("{} does not read: {error}", self.name));
    }

    /// Ends the process's stdin.
    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Waits for the next line of the process's output, without its end; `None` when there is none any more.
    ///
    /// # Panics
    ///
    /// Panics when the process is silent for too long.
    pub fn line(&mut self) -> Option<String> {
        match self.lines.recv_timeout(LIMIT) {
            Ok(line) => Some(line.trim_end_matches('\n').to_owned()),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("{} prints nothing more", self.name),
        }
    }

    /// Interrupts the process, as Ctrl-C does, and waits for its end.
    pub fn interrupt(self) -> Finished {
        self.signal(Signal::INT);
        self.wait()
    }

    /// Asks the process to end, as `kill` does, and waits for its end.
    pub fn terminate(self) -> Finished {
        self.signal(Signal::TERM);
        self.wait()
    }

    /// Sends the process the interrupt signal.
    ///
    /// # Panics
    ///
    /// Panics when that fails.
    pub fn send_interrupt(&self) {
        self.signal(Signal::INT);
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.process);
        kill_process(pid, signal).expect("the process is ours and was not waited for");
    }

    /// Ends the process's stdin, and waits for its end.
    ///
    /// # Panics
    ///
    /// Panics when that does not come.
    pub fn wait(mut self) -> Finished {
        self.close_stdin();
        let mut stdout = String::new();
        loop {
            match self.lines.recv_timeout(LIMIT) {
                Ok(line) => stdout.push_str(&line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("{} does not end", self.name),
            }
        }
        let stderr = self.stderr.take().map(JoinHandle::join);
        let stderr = stderr.and_then(Result::ok).unwrap_or_default();
        // Its output has ended, so it is about to end, too.
        let status = self.process.wait().expect("it is our child");
        Finished {
            status,
            stdout,
            stderr,
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Both fail only if the process has ended and was waited for, which is what they are to achieve.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Finished {
    /// Returns the output of a process that has succeeded.
    ///
    /// # Panics
    ///
    /// Panics when it has failed, and says what it wrote to stderr.
    #[must_use]
    pub fn output(self) -> String {
        assert!(
            self.status.success(),
            "{}\n{}{}",
            self.status,
            self.stdout,
            self.stderr
        );
        self.stdout
    }
}

fn read_line(stdout: &mut impl BufRead) -> Option<String> {
    let mut line = Vec::new();
    match stdout.read_until(b'\n', &mut line) {
        Ok(0) | Err(_) => None,
        Ok(_) => Some(String::from_utf8_lossy(&line).into_owned()),
    }
}

fn read_all(mut stderr: impl Read) -> String {
    let mut bytes = Vec::new();
    let read = stderr.read_to_end(&mut bytes);
    let mut text = String::from_utf8_lossy(&bytes).into_owned();
    if let Err(error) = read {
        text.push_str(&format!("(stderr cannot be read: {error})"));
    }
    text
}
