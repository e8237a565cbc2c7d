//! Connections opened and dropped in every order leave no descriptor behind.
//!
//! One test, because the descriptors are the process's.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;

use std::{collections::VecDeque, net::TcpStream, time::Duration};

use rondel_net::{
    Connect, Server, StreamReader, StreamWriter, connect_read_pipe, connect_write_pipe,
    create_connection, open_connection, start_server,
};
use rondel_reactor::{Backend, Builder};
use rondel_task::{EventLoop, Result, create_task, sleep};
use socket2::Socket;
use support::{Recorder, Trace, open_descriptors, until};

/// How many connections are made, and how many are open at a time.
const CONNECTIONS: usize = 10_000;
const OPEN: usize = 50;

/// A generator of numbers, the same every time.
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides as u64) as usize
    }
}

async fn echo(reader: StreamReader, writer: StreamWriter) -> Result<()> {
    loop {
        let data = reader.read(1000).await?;
        if data.is_empty() {
            return Ok(());
        }
        writer.write(&data)?;
        writer.drain().await?;
    }
}

/// A connection in one of the ways there are.
enum Client {
    Plain(TcpStream),
    Stream(StreamReader, StreamWriter),
    Reading(rondel_task::Task<bytes::Bytes>, StreamWriter),
}

async fn connect(server: &Server, dice: &mut Dice) -> Result<Client> {
    let address = server.sockets()[0].getsockname()?.as_inet().unwrap();
    if dice.throw(2) == 0 {
        return Ok(Client::Plain(TcpStream::connect(address)?));
    }
    let (reader, writer) = open_connection(address).await?;
    if dice.throw(2) == 0 {
        writer.write("hello")?;
    }
    Ok(match dice.throw(2) {
        0 => Client::Stream(reader, writer),
        _ => Client::Reading(create_task(reader.readexactly(5))?, writer),
    })
}

async fn drop_one(client: Client, dice: &mut Dice) -> Result<()> {
    match client {
        Client::Plain(socket) if dice.throw(2) == 0 => {
            let socket = Socket::from(socket);
            socket.set_linger(Some(Duration::ZERO))?;
        }
        Client::Plain(_) => {}
        Client::Stream(_reader, writer) => match dice.throw(4) {
            0 => writer.close(),
            1 => writer.transport().abort(),
            2 => writer.write_eof()?,
            _ => {}
        },
        Client::Reading(reading, _writer) => {
            if dice.throw(2) == 0 {
                sleep(Duration::ZERO).await?;
            }
            reading.cancel();
        }
    }
    Ok(())
}

async fn program() -> Result<()> {
    let before = open_descriptors();
    let mut dice = Dice(0x2545_F491_4F6C_DD1D);
    let server = start_server(echo, "127.0.0.1:0").await?;
    let trace = Trace::default();
    trace.log_reports()?;
    let mut clients = VecDeque::new();
    for _ in 0..CONNECTIONS {
        clients.push_back(connect(&server, &mut dice).await?);
        if clients.len() > OPEN {
            let chosen = dice.throw(clients.len());
            let client = clients.swap_remove_back(chosen).unwrap();
            drop_one(client, &mut dice).await?;
        }
    }
    for client in clients {
        drop_one(client, &mut dice).await?;
    }
    server.close();
    server.wait_closed().await?;
    until(|| open_descriptors() == before).await
}

/// Open connections of every kind, for the loop to close.
async fn leave_open(trace: Trace) -> Result<(Server, TcpStream)> {
    // Of the tasks that are left, too.
    trace.log_reports()?;
    let server = start_server(echo, "127.0.0.1:0").await?;
    let address = server.sockets()[0].getsockname()?.as_inet().unwrap();
    let client = TcpStream::connect(address)?;
    let recorder = Recorder::new(&trace);
    create_connection(|| recorder, address).await?;
    let paused = Recorder::new(&trace).on("made", |it| it.transport().pause_reading());
    create_connection(|| paused, address).await?;
    let writing = Recorder::new(&trace).on("made", |it| {
        it.transport().write(vec![0; 10_000_000]).unwrap();
        it.transport().close();
    });
    let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    Connect::with_socket(ours.into())
        .create_connection(|| writing)
        .await?;
    std::mem::forget(theirs.try_clone()?); // the other end stays open
    drop(theirs);
    let (read_end, write_end) = std::io::pipe()?;
    let (reading, writing) = (Recorder::new(&trace), Recorder::new(&trace));
    connect_read_pipe(|| reading, read_end).await?;
    connect_write_pipe(|| writing, write_end).await?;
    Ok((server, client))
}

#[test]
fn no_descriptor_is_left() {
    let before = open_descriptors();
    for backend in [Backend::Default, Backend::Polling] {
        let build =
            || EventLoop::build(Builder::new().backend(backend).interruptible(false)).unwrap();
        let event_loop = build();
        event_loop.run_until_complete(program()).unwrap();
        event_loop.close().unwrap();

        let event_loop = build();
        let trace = Trace::default();
        let kept = event_loop
            .run_until_complete(leave_open(trace.clone()))
            .unwrap();
        assert_eq!(trace.count("made"), 5);
        event_loop.close().unwrap();
        drop((event_loop, kept));
        assert_eq!(trace.count("lost None"), 0);
    }
    // The one that was forgotten, once for each selector.
    assert_eq!(open_descriptors(), before + 2);
}
