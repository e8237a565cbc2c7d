//! The protocol of one pipe of a child process: it passes on what it is told.
//!
//! # asyncio
//!
//! `ReadSubprocessPipeProto` and `WriteSubprocessPipeProto`.

use bytes::Bytes;
use rondel_net::{BaseProtocol, Protocol, Transport};
use rondel_task::Exception;

use super::state::Owned;
use crate::protocol::PipeFd;

pub(super) struct PipeProtocol {
    pub(super) state: Owned,
    pub(super) fd: PipeFd,
}

impl BaseProtocol for PipeProtocol {
    fn connection_lost(&self, exception: Option<&Exception>) {
        self.state.pipe_connection_lost(self.fd, exception.cloned());
    }

    fn pause_writing(&self) {
        self.state.tell(|protocol| protocol.pause_writing());
    }

    fn resume_writing(&self) {
        self.state.tell(|protocol| protocol.resume_writing());
    }
}

impl Protocol for PipeProtocol {
    fn connection_made(&self, transport: Transport) {
        self.state.pipe_connection_made(self.fd, transport);
    }

    fn data_received(&self, data: &[u8]) {
        // Kept until the protocol's turn comes.
        let data = Bytes::copy_from_slice(data);
        self.state.pipe_data_received(self.fd, data);
    }
}
