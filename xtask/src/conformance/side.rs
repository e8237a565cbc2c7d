//! A side: a process that reads programs, one a line, and prints their traces.

use std::env;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

use crate::workspace;

pub(super) struct Side {
    name: &'static str,
    command: Command,
    running: Option<Running>,
}

struct Running {
    child: Child,
    programs: ChildStdin,
    traces: BufReader<ChildStdout>,
}

impl Side {
    /// CPython, with the interpreter of programs that is the definition.
    pub(super) fn cpython(python: &str, reference: &Path) -> Result<Self, String> {
        let mut command = Command::new(python);
        // What a program leaves behind is no concern of the trace.
        command.args(["-W", "ignore"]).arg(reference);
        Self::start("CPython", command)
    }

    /// Our runner, built as it is now.
    pub(super) fn rondel() -> Result<Self, String> {
        let cargo = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
        let mut command = Command::new(cargo);
        command
            .args(["run", "--release", "--quiet"])
            .args(["--package", "rondel-conformance", "--"])
            .current_dir(workspace());
        Self::start("rondel", command)
    }

    fn start(name: &'static str, mut command: Command) -> Result<Self, String> {
        command
            .arg("--jsonl")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut side = Side {
            name,
            command,
            running: None,
        };
        side.running()?;
        Ok(side)
    }

    /// The process; a new one if the last one could not run its program.
    fn running(&mut self) -> Result<&mut Running, String> {
        if self.running.is_none() {
            self.running = Some(self.spawn()?);
        }
        self.running
            .as_mut()
            .ok_or_else(|| format!("{} does not run", self.name))
    }

    /// Forgets the process, so that the next program meets a new one.
    pub(super) fn restart(&mut self) {
        self.running = None;
    }

    fn spawn(&mut self) -> Result<Running, String> {
        let mut child = self
            .command
            .spawn()
            .map_err(|error| format!("{} cannot be started: {error}", self.name))?;
        let (Some(programs), Some(traces)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(format!("{} has no pipes", self.name));
        };
        Ok(Running {
            child,
            programs,
            traces: BufReader::new(traces),
        })
    }

    /// Has it run a program; `trace` tells what came of it.
    pub(super) fn send(&mut self, program: &Value) -> Result<(), String> {
        let running = self.running()?;
        // If it has just ended, `trace` gets no answer.
        let _ = writeln!(running.programs, "{program}");
        Ok(())
    }

    /// The trace of the program that was sent.
    pub(super) fn trace(&mut self) -> Result<Vec<String>, String> {
        let mut line = String::new();
        let read = self.running()?.traces.read_line(&mut line);
        let answer: Option<Value> = match read {
            Ok(_) => serde_json::from_str(&line).ok(),
            Err(_) => None,
        };
        let trace =
            answer.and_then(|mut answer| serde_json::from_value(answer["trace"].take()).ok());
        trace.ok_or_else(|| {
            self.restart();
            format!("{} cannot run the program", self.name)
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself; nobody is interested in how.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
