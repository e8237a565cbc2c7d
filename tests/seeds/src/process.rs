//! The runner: starts a program, hears what it prints and when, interrupts it if asked to, and never waits for ever.

use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use crate::pattern::matches;

/// What a program did, from its start to its end.
#[derive(Debug)]
pub struct Transcript {
    /// What it wrote to stdout.
    pub lines: Vec<Printed>,
    /// What it wrote to stderr.
    pub stderr: String,
    /// How it ended.
    pub ending: Ending,
}

/// A line of stdout.
#[derive(Debug)]
pub struct Printed {
    /// When the line was seen, counted from the start of the program.
    pub at: Duration,
    /// The line without its end.
    pub text: String,
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// By itself, or by a signal.
    Exited(ExitStatus),
    /// It ran for longer than it may, and was killed.
    TimedOut,
}

/// Runs the program at `path` for at most `limit`, tells `on_line` of every line as it comes,
/// and sends the interrupt signal, as Ctrl-C does, after the first line that fits the pattern `interrupt_after`.
///
/// # Errors
///
/// Fails when the program cannot be started, or the signal cannot be sent.
pub fn run(
    path: &Path,
    limit: Duration,
    interrupt_after: Option<&str>,
    on_line: &mut dyn FnMut(&str),
) -> io::Result<Transcript> {
    let start = now();
    let mut child = Running(
        Command::new(path)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| {
                io::Error::new(
                    error.kind(),
                    format!("cannot start {}: {error}", path.display()),
                )
            })?,
    );
    let heard = child.listen(start);

    let mut lines = Vec::new();
    let mut stderr = String::new();
    let mut interrupt_after = interrupt_after;
    let mut in_time = true;
    // Ends when both streams have ended.
    loop {
        let patience = if in_time {
            limit.saturating_sub(start.elapsed())
        } else {
            Duration::MAX
        };
        match heard.recv_timeout(patience) {
            Ok(Heard::Line(line)) => {
                on_line(&line.text);
                if interrupt_after
                    .take_if(|pattern| matches(pattern, &line.text))
                    .is_some()
                {
                    interrupt(&child.0)?;
                }
                lines.push(line);
            }
            Ok(Heard::Stderr(text)) => stderr = text,
            Err(RecvTimeoutError::Timeout) => {
                in_time = false;
                child.0.kill()?;
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    let ending = match child.wait(start, limit)? {
        Some(status) if in_time => Ending::Exited(status),
        _ => Ending::TimedOut,
    };
    Ok(Transcript {
        lines,
        stderr,
        ending,
    })
}

enum Heard {
    Line(Printed),
    /// All of stderr, at its end.
    Stderr(String),
}

/// A process that does not outlive its owner.
struct Running(Child);

impl Running {
    /// Reads both streams on threads of their own, so that neither pipe fills up while the other is read.
    fn listen(&mut self, start: Instant) -> mpsc::Receiver<Heard> {
        let (sender, heard) = mpsc::channel();
        if let Some(stdout) = self.0.stdout.take() {
            let sender = sender.clone();
            thread::spawn(move || read_lines(stdout, start, &sender));
        }
        if let Some(stderr) = self.0.stderr.take() {
            thread::spawn(move || read_all(stderr, &sender));
        }
        heard
    }

    /// Waits for the end of a process whose streams have ended; `None` when it does not come within the limit.
    fn wait(&mut self, start: Instant, limit: Duration) -> io::Result<Option<ExitStatus>> {
        loop {
            if let Some(status) = self.0.try_wait()? {
                return Ok(Some(status));
            }
            if start.elapsed() >= limit {
                return Ok(None);
            }
            thread::park_timeout(Duration::from_millis(1));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only if the process has ended and was waited for, which is what they are to achieve.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A send fails only when nobody listens any more; then there is nothing left to do.
fn read_lines(stdout: impl Read, start: Instant, sender: &Sender<Heard>) {
    for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
        let text = String::from_utf8_lossy(&line).into_owned();
        if sender
            .send(Heard::Line(Printed {
                at: start.elapsed(),
                text,
            }))
            .is_err()
        {
            return;
        }
    }
}

fn read_all(mut stderr: impl Read, sender: &Sender<Heard>) {
    let mut bytes = Vec::new();
    let read = stderr.read_to_end(&mut bytes);
    let mut text = String::from_utf8_lossy(&bytes).into_owned();
    if let Err(error) = read {
        text.push_str(&format!("(stderr cannot be read: {error})"));
    }
    let _ = sender.send(Heard::Stderr(text));
}

#[cfg(unix)]
fn interrupt(child: &Child) -> io::Result<()> {
    use rustix::process::{Pid, Signal, kill_process};

    Ok(kill_process(Pid::from_child(child), Signal::INT)?)
}

#[cfg(not(unix))]
fn interrupt(_child: &Child) -> io::Result<()> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "only unix has an interrupt signal for one process",
    ))
}

#[expect(
    clippy::disallowed_methods,
    reason = "a process is watched from outside, where time is real"
)]
fn now() -> Instant {
    Instant::now()
}
