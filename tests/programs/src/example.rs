//! The examples of the facade: built once, and started.

use std::env::consts::EXE_EXTENSION;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::child::{Child, Finished};

/// An example that serves, and the address that it has printed.
#[derive(Debug)]
pub struct Example {
    child: Child,
    address: SocketAddr,
}

impl Example {
    /// Returns a command that runs the example of this name.
    ///
    /// # Panics
    ///
    /// Panics when the examples do not build.
    #[must_use]
    pub fn command(name: &str) -> Command {
        Command::new(folder().join(name).with_extension(EXE_EXTENSION))
    }

    /// Starts an example on a port that is free, and waits until it listens.
    ///
    /// # Panics
    ///
    /// Panics when it does not begin by saying where it listens.
    #[must_use]
    pub fn serve(name: &str, arguments: &[&str]) -> Self {
        let mut command = Self::command(name);
        let mut child = Child::start(command.args(["--port", "0"]).args(arguments));
        let line = child.line();
        let address = line
            .as_deref()
            .and_then(|line| line.strip_prefix("listening on "))
            .and_then(|address| address.parse().ok());
        match address {
            Some(address) => Self { child, address },
            None => panic!("{name} begins with {line:?} and ends as {:?}", child.wait()),
        }
    }

    /// Returns where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connects to it.
    ///
    /// # Panics
    ///
    /// Panics when it does not accept.
    #[must_use]
    pub fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).expect("it listens")
    }

    /// Waits for the next line of its output, without its end; `None` when there is none any more.
    pub fn line(&mut self) -> Option<String> {
        self.child.line()
    }

    /// Returns the process, for what it prints besides.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Interrupts it, as Ctrl-C does, and does not wait for its end.
    pub fn send_interrupt(&self) {
        self.child.send_interrupt();
    }

    /// Interrupts it, as Ctrl-C does, and waits for its end.
    pub fn interrupt(self) -> Finished {
        self.child.interrupt()
    }

    /// Asks it to end, as `kill` does, and waits for its end.
    pub fn terminate(self) -> Finished {
        self.child.terminate()
    }

    /// Waits for its end.
    pub fn wait(self) -> Finished {
        self.child.wait()
    }
}

/// Where the examples are, which are built by whoever asks first.
fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| rondel_seeds::build_examples().expect("the examples build"))
}
