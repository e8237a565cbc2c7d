//! The protocol of a child process whose pipes are streams.
//!
//! It passes on what the pipes are told to the protocols of their streams, and closes the transport when all is over.
//!
//! # asyncio
//!
//! `SubprocessStreamProtocol`.
//! The writer of the standard input closes the pipe when its last handle is dropped, as every writer does here.

use std::cell::{Cell, RefCell};

use rondel_net::{BaseProtocol, Protocol as _, StreamReader, StreamReaderProtocol};
use rondel_task::{Exception, Result, ValueError};

use crate::{
    protocol::{PipeFd, SubprocessProtocol},
    transport::SubprocessTransport,
};

/// The readers of a process, one for each of its streams; nothing is ever fed to that of the standard input.
pub(crate) struct Readers([StreamReader; 3]);

impl Readers {
    pub(crate) fn with_limit(limit: usize) -> Result<Self, ValueError> {
        let reader = || StreamReader::with_limit(limit);
        Ok(Self([reader()?, reader()?, reader()?]))
    }

    pub(crate) fn get(&self, fd: PipeFd) -> &StreamReader {
        &self.0[fd as usize]
    }
}

pub(crate) struct SubprocessStreamProtocol {
    /// By number.
    streams: [StreamReaderProtocol; 3],
    /// None before it is connected, and once it is closed.
    transport: RefCell<Option<SubprocessTransport>>,
    /// How many pipes are open that are read from.
    open: Cell<usize>,
    process_exited: Cell<bool>,
}

impl SubprocessStreamProtocol {
    pub(crate) fn new(readers: &Readers) -> Self {
        Self {
            streams: readers.0.each_ref().map(StreamReaderProtocol::new),
            transport: RefCell::default(),
            open: Cell::new(0),
            process_exited: Cell::new(false),
        }
    }

    pub(crate) fn stream(&self, fd: PipeFd) -> &StreamReaderProtocol {
        &self.streams[fd as usize]
    }

    fn maybe_close_transport(&self) {
        if self.open.get() == 0 && self.process_exited.get() {
            let transport = self.transport.take();
            if let Some(transport) = transport {
                transport.close();
            }
        }
    }
}

impl BaseProtocol for SubprocessStreamProtocol {
    fn pause_writing(&self) {
        self.stream(PipeFd::Stdin).pause_writing();
    }

    fn resume_writing(&self) {
        self.stream(PipeFd::Stdin).resume_writing();
    }
}

impl SubprocessProtocol for SubprocessStreamProtocol {
    fn connection_made(&self, transport: SubprocessTransport) {
        for fd in [PipeFd::Stdout, PipeFd::Stderr] {
            if let Some(pipe) = transport.get_pipe_transport(fd) {
                self.stream(fd).connection_made(pipe);
                self.open.set(self.open.get() + 1);
            }
        }
        let before = self.transport.replace(Some(transport));
        drop(before);
    }

    fn pipe_data_received(&self, fd: PipeFd, data: &[u8]) {
        self.stream(fd).data_received(data);
    }

    fn pipe_connection_lost(&self, fd: PipeFd, exception: Option<&Exception>) {
        self.stream(fd).connection_lost(exception);
        if fd != PipeFd::Stdin {
            self.open.set(self.open.get() - 1);
            self.maybe_close_transport();
        }
    }

    fn process_exited(&self) {
        self.process_exited.set(true);
        self.maybe_close_transport();
    }
}
