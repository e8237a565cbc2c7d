//! A TLS session: ciphertext in, plaintext out, and the other way round.
//!
//! It does no I/O, knows no transport and calls nobody: whoever has one moves the bytes. It gives rustls' two kinds of connections one face.
//!
//! # asyncio
//!
//! The `SSLObject` and its two `MemoryBIO`s.

use rustls::{ClientConnection, Connection, Error, ServerConnection};

use crate::transport::scratch::MAX_SIZE;

/// The most plaintext that is encrypted in one go: four records of TLS.
const MAX_ENCRYPTED: usize = 64 * 1024;

/// One end of a TLS connection.
#[derive(Debug)]
pub(super) struct Session {
    connection: Box<Connection>,
    /// Whom a client wants to talk to.
    server_hostname: Option<String>,
    handshake_is_done: bool,
    peer_has_closed: bool,
}

/// Why [`Session::receive`] has stopped.
#[derive(Debug)]
#[must_use = "what is left of the ciphertext was not looked at"]
pub(super) enum Received {
    /// All of the ciphertext is used up.
    Everything,
    /// There is as much plaintext as goes at once; there may be more.
    Plenty,
    /// The handshake is over. What has come behind it is still there.
    Handshake,
    /// The peer has sent its `close_notify`: nothing comes after what was received.
    CloseNotify,
    /// The peer does not keep to the protocol, or is not who it should be.
    Error(Error),
}

impl Session {
    /// Begins a client's session with the server of that name.
    pub(super) fn client(connection: ClientConnection, server_hostname: &str) -> Self {
        Self {
            server_hostname: Some(server_hostname.to_owned()),
            ..Self::new(connection.into())
        }
    }

    /// Begins a server's session.
    pub(super) fn server(connection: ServerConnection) -> Self {
        Self::new(connection.into())
    }

    fn new(mut connection: Connection) -> Self {
        // What is written is bounded by whoever writes.
        connection.set_buffer_limit(None);
        Self {
            connection: Box::new(connection),
            server_hostname: None,
            handshake_is_done: false,
            peer_has_closed: false,
        }
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Returns the name of the server: as the client knows it, or as it has told the server.
    pub(super) fn server_hostname(&self) -> Option<&str> {
        match &*self.connection {
            Connection::Client(_) => self.server_hostname.as_deref(),
            Connection::Server(connection) => connection.server_name(),
        }
    }

    pub(super) fn peer_has_closed(&self) -> bool {
        self.peer_has_closed
    }

    /// Decrypts `ciphertext`, which shrinks by what was used, to the end of `plaintext`, until there is something to be decided.
    pub(super) fn receive(&mut self, ciphertext: &mut &[u8], plaintext: &mut Vec<u8>) -> Received {
        loop {
            if self.handshake_is_done {
                self.read(plaintext);
                if plaintext.len() >= MAX_SIZE {
                    return Received::Plenty;
                }
            }
            if self.peer_has_closed {
                return Received::CloseNotify;
            }
            if ciphertext.is_empty() {
                return Received::Everything;
            }
            if let Err(error) = self.process(ciphertext) {
                return Received::Error(error);
            }
            if !self.handshake_is_done && !self.connection.is_handshaking() {
                self.handshake_is_done = true;
                return Received::Handshake;
            }
        }
    }

    /// Takes in some of the ciphertext.
    fn process(&mut self, ciphertext: &mut &[u8]) -> Result<(), Error> {
        let taken = self.connection.read_tls(ciphertext);
        // A slice can be read from, and the session has room, as all plaintext was taken out before.
        taken.map_err(|error| Error::General(error.to_string()))?;
        self.peer_has_closed = self.connection.process_new_packets()?.peer_has_closed();
        Ok(())
    }

    /// Moves what is decrypted.
    fn read(&mut self, plaintext: &mut Vec<u8>) {
        use std::io::BufRead as _;

        let mut reader = self.connection.reader();
        // An error says that there is nothing for now.
        while let Ok(chunk) = reader.fill_buf() {
            let length = chunk.len();
            if length == 0 {
                return;
            }
            plaintext.extend_from_slice(chunk);
            reader.consume(length);
        }
    }

    /// Encrypts the beginning of `plaintext`, and says how many bytes that were.
    pub(super) fn send(&mut self, plaintext: &[u8]) -> usize {
        use std::io::Write as _;

        let plaintext = &plaintext[..plaintext.len().min(MAX_ENCRYPTED)];
        // There is no limit to what the session takes, and no other reason to refuse.
        self.connection.writer().write(plaintext).unwrap_or(0)
    }

    /// Ends what is sent.
    pub(super) fn send_close_notify(&mut self) {
        self.connection.send_close_notify();
    }

    /// Takes out what is to be sent to the peer.
    pub(super) fn take_ciphertext(&mut self) -> Vec<u8> {
        let mut ciphertext = Vec::new();
        while self.connection.wants_write() {
            // A vector takes everything.
            let _ = self.connection.write_tls(&mut ciphertext);
        }
        ciphertext
    }
}
