//! The load: so many connections, each with one message on its way, by bare epoll.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::fd::OwnedFd;

/// Connections to a server.
#[derive(Debug)]
pub(super) struct Load {
    epoll: OwnedFd,
    connections: Vec<Connection>,
    message: Vec<u8>,
}

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    /// How many bytes of the message on its way have come back.
    received: usize,
}

impl Load {
    /// Connects to the server; its messages will have `size` bytes, and each connection has brought back one.
    ///
    /// So each is accepted before the next: a server's queue of those that are not yet is shorter, and what does not fit into it tries again a second later.
    pub(super) fn connect(
        address: SocketAddr,
        connections: usize,
        size: usize,
    ) -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let message = vec![b'x'; size];
        let mut answer = vec![0; size];
        let connect = |place| {
            let mut stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            stream.write_all(&message)?;
            stream.read_exact(&mut answer)?;
            stream.set_nonblocking(true)?;
            epoll::add(&epoll, &stream, EventData::new_u64(place), EventFlags::IN)?;
            Ok(Connection {
                stream,
                received: 0,
            })
        };
        Ok(Self {
            connections: (0..connections as u64)
                .map(connect)
                .collect::<io::Result<_>>()?,
            message,
            epoll,
        })
    }

    /// Sends `messages` messages in all, each connection's next one when the one before has come back.
    pub(super) fn exchange(&mut self, messages: usize) -> io::Result<()> {
        let begun = messages.min(self.connections.len());
        for connection in &mut self.connections[..begun] {
            connection.send(&self.message)?;
        }
        let (mut unsent, mut unanswered) = (messages - begun, messages);
        let mut events = Vec::with_capacity(256);
        let mut buffer = vec![0; 64 * 1024];
        while unanswered > 0 {
            events.clear();
            epoll::wait(&self.epoll, spare_capacity(&mut events), None)?;
            for event in &events {
                let connection = &mut self.connections[event.data.u64() as usize];
                if !connection.receive(&mut buffer, self.message.len())? {
                    continue;
                }
                unanswered -= 1;
                if unsent > 0 {
                    unsent -= 1;
                    connection.send(&self.message)?;
                }
            }
        }
        Ok(())
    }
}

impl Connection {
    /// The socket's buffer takes the whole of a message, as nothing else is in it.
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        self.received = 0;
        self.stream.write_all(message)
    }

    /// Reads what is there, and says whether it was the rest of the message.
    fn receive(&mut self, buffer: &mut [u8], size: usize) -> io::Result<bool> {
        match self.stream.read(buffer)? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            count => {
                self.received += count;
                Ok(self.received == size)
            }
        }
    }
}
