//! The servers that send back what comes: the protocol of a connection, and how such a server ends.

use std::cell::OnceCell;

use rondel::{BaseProtocol, Protocol, Server, Signals, Transport};

use super::server;

/// One connection.
#[derive(Default)]
pub(crate) struct Echo {
    transport: OnceCell<Transport>,
}

impl Echo {
    fn transport(&self) -> &Transport {
        self.transport.get().expect("the connection is there")
    }
}

impl BaseProtocol for Echo {
    /// The client does not read as fast as it writes, so it has to wait.
    fn pause_writing(&self) {
        self.transport().pause_reading();
    }

    fn resume_writing(&self) {
        self.transport().resume_reading();
    }
}

impl Protocol for Echo {
    fn connection_made(&self, transport: Transport) {
        let _ = self.transport.set(transport);
    }

    fn data_received(&self, data: &[u8]) {
        self.transport().write(data).expect("nothing ends writing");
    }
}

/// Serves until a signal comes; what was received by then is still sent back.
pub(crate) async fn until_signalled(server: &Server, mut signals: Signals) -> rondel::Result<()> {
    signals.recv().await?;
    server.close();
    server.close_clients();
    server::last_client(|| server.wait_closed(), || server.abort_clients()).await
}
