//! A server as a process: the program starts itself again, and asks it for what it counts.
//!
//! The server's process writes its port on its standard output; for each line on its standard input a thread of it writes what its program counts,
//! processor time or bytes; at the end of its standard input it ends.

use std::env;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{self, Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;

use super::servers::SERVERS;

/// What a server's process tells when it is asked: how much it has used of something so far.
pub type Count = fn() -> u64;

/// What the program is called with to be a server.
const SERVE: &str = "serve";

/// A server in a process of its own, which is ended with this.
#[derive(Debug)]
pub(super) struct Server {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    address: SocketAddr,
}

/// Is a server that tells what `count` gives, if the program was called to be one, and does not return then.
///
/// # Errors
/// Says why the server does not run here.
pub fn serve(count: Count) -> Result<(), String> {
    let mut arguments = env::args().skip(1);
    if arguments.next().as_deref() != Some(SERVE) {
        return Ok(());
    }
    let wanted = arguments.next().unwrap_or_default();
    let server = SERVERS.iter().find(|(name, _)| *name == wanted);
    let (_, server) = server.ok_or_else(|| format!("unknown server: {wanted}"))?;
    thread::spawn(move || answer(count));
    server(announce).map_err(|error| error.to_string())?;
    Err(format!("{wanted} has stopped serving"))
}

/// Tells the parent the port.
fn announce(address: SocketAddr) {
    write_line(address.port());
}

fn answer(count: Count) {
    for line in io::stdin().lines() {
        match line {
            Ok(_) => write_line(count()),
            Err(_) => break,
        }
    }
    process::exit(0);
}

fn write_line(line: impl std::fmt::Display) {
    let mut out = io::stdout().lock();
    if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
        // The parent is gone.
        process::exit(0);
    }
}

impl Server {
    /// Starts the server of this name.
    pub(super) fn start(name: &str) -> Result<Self, String> {
        let failed = |error: io::Error| format!("a process cannot be started: {error}");
        let mut child = Command::new(env::current_exe().map_err(failed)?)
            .args([SERVE, name])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .map_err(failed)?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let mut server = Self {
            input: input.ok_or("the process has no standard input")?,
            output: BufReader::new(output.ok_or("the process has no standard output")?),
            address: (Ipv4Addr::LOCALHOST, 0).into(),
            child,
        };
        let port = server.read_line()?;
        let port = port.parse().map_err(|_| format!("{port} is no port"))?;
        server.address.set_port(port);
        Ok(server)
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it counts by now.
    pub(super) fn count(&mut self) -> Result<u64, String> {
        let asked = self.input.write_all(b"\n");
        asked.map_err(|error| format!("the server cannot be asked: {error}"))?;
        let count = self.read_line()?;
        count.parse().map_err(|_| format!("{count} is no count"))
    }

    fn read_line(&mut self) -> Result<String, String> {
        let mut line = String::new();
        match self.output.read_line(&mut line) {
            Ok(0) => Err("the server ended at once".to_owned()),
            Ok(_) => Ok(line.trim().to_owned()),
            Err(error) => Err(format!("the server cannot be heard: {error}")),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
