//! The servers: each reads what a connection brings and writes it back, until the connection ends.
//!
//! All of them answer without delay (`TCP_NODELAY`), with a buffer of 16 KiB for each connection, and a task for each where there are tasks.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;

use compio::BufResult;
use compio::io::{AsyncRead as _, AsyncWriteExt as _};
use futures::{AsyncReadExt as _, AsyncWriteExt as _};
use glommio::{LocalExecutorBuilder, Placement};
use monoio::buf::IoBuf as _;
use monoio::io::{AsyncReadRent as _, AsyncWriteRentExt as _};
use monoio::{FusionDriver, LegacyDriver, RuntimeBuilder};
use rondel::EventLoop;
use rondel_net::{StreamReader, StreamWriter, start_server};
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::runtime::{Builder, LocalOptions};

/// Serves for ever, and tells where before.
pub(super) type Serve = fn(Announce) -> io::Result<()>;

/// Hears where a server listens.
pub(super) type Announce = fn(SocketAddr);

/// The servers by the names that the tables give them.
pub(super) const SERVERS: &[(&str, Serve)] = &[
    ("rondel", rondel_streams),
    ("rondel add_reader", rondel_add_reader),
    ("tokio LocalSet", tokio_local_set),
    ("tokio LocalRuntime", tokio_local_runtime),
    ("smol", smol),
    ("monoio", monoio_uring),
    ("monoio on epoll", monoio_epoll),
    ("glommio", glommio),
    ("compio", compio),
    ("raw epoll", raw_epoll),
];

const BUFFER: usize = 16 * 1024;

/// Any port of this machine.
const ANYWHERE: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);

/// The listener that a server begins with, which does not block.
fn listen(announce: Announce) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(ANYWHERE)?;
    listener.set_nonblocking(true)?;
    announce(listener.local_addr()?);
    Ok(listener)
}

/// Streams, with a coroutine for each connection.
fn rondel_streams(announce: Announce) -> io::Result<()> {
    rondel::run(async move {
        let server = start_server(rondel_connection, "127.0.0.1:0").await?;
        for socket in server.sockets() {
            let address = socket.getsockname()?.as_inet();
            announce(address.ok_or_else(|| io::Error::from(ErrorKind::AddrNotAvailable))?);
        }
        server.serve_forever().await
    })
    .map_err(|error| io::Error::other(error.to_string()))
}

async fn rondel_connection(reader: StreamReader, writer: StreamWriter) -> rondel::Result<()> {
    loop {
        let data = reader.read(BUFFER).await?;
        if data.is_empty() {
            return Ok(());
        }
        writer.write(&data)?;
        writer.drain().await?;
    }
}

/// The callbacks of the loop alone: neither tasks nor streams.
fn rondel_add_reader(announce: Announce) -> io::Result<()> {
    let event_loop = EventLoop::new()?;
    let listener = Rc::new(listen(announce)?);
    let (source, connecting) = (listener.clone(), event_loop.clone());
    event_loop.add_reader(listener, move || {
        while let Ok((stream, _)) = source.accept() {
            // The client sees a connection that could not be watched closed.
            let _ = rondel_echo(&connecting, stream);
        }
    })?;
    event_loop.run_forever().map_err(io::Error::other)
}

fn rondel_echo(event_loop: &EventLoop, stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    let stream = Rc::new(stream);
    let (watched, watching) = (stream.clone(), event_loop.clone());
    let mut buffer = vec![0; BUFFER];
    event_loop.add_reader(watched, move || {
        let echoed = match (&*stream).read(&mut buffer) {
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => (&*stream).write_all(&buffer[..count]),
            Err(error) => Err(error),
        };
        if echoed.is_err() {
            watching.remove_reader(&stream);
        }
    })
}

fn tokio_local_set(announce: Announce) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, tokio_accept(announce))
}

fn tokio_local_runtime(announce: Announce) -> io::Result<()> {
    Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default())?
        .block_on(tokio_accept(announce))
}

async fn tokio_accept(announce: Announce) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listen(announce)?)?;
    loop {
        let (mut stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::task::spawn_local(async move {
            let mut buffer = vec![0; BUFFER];
            loop {
                match stream.read(&mut buffer).await? {
                    0 => return io::Result::Ok(()),
                    count => stream.write_all(&buffer[..count]).await?,
                }
            }
        });
    }
}

fn smol(announce: Announce) -> io::Result<()> {
    let executor = Rc::new(smol::LocalExecutor::new());
    let spawner = executor.clone();
    smol::block_on(executor.run(async move {
        let listener = smol::Async::new_nonblocking(listen(announce)?)?;
        loop {
            let (mut stream, _) = listener.accept().await?;
            stream.get_ref().set_nodelay(true)?;
            let echo = async move {
                let mut buffer = vec![0; BUFFER];
                loop {
                    match stream.read(&mut buffer).await? {
                        0 => return io::Result::Ok(()),
                        count => stream.write_all(&buffer[..count]).await?,
                    }
                }
            };
            spawner.spawn(echo).detach();
        }
    }))
}

fn monoio_uring(announce: Announce) -> io::Result<()> {
    RuntimeBuilder::<FusionDriver>::new()
        .build()?
        .block_on(monoio_accept(announce))
}

fn monoio_epoll(announce: Announce) -> io::Result<()> {
    RuntimeBuilder::<LegacyDriver>::new()
        .build()?
        .block_on(monoio_accept(announce))
}

async fn monoio_accept(announce: Announce) -> io::Result<()> {
    let listener = monoio::net::TcpListener::from_std(listen(announce)?)?;
    loop {
        let (mut stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        monoio::spawn(async move {
            let mut buffer = Vec::with_capacity(BUFFER);
            loop {
                let (outcome, filled) = stream.read(buffer).await;
                let count = outcome?;
                if count == 0 {
                    return io::Result::Ok(());
                }
                let (outcome, written) = stream.write_all(filled.slice(..count)).await;
                outcome?;
                buffer = written.into_inner();
            }
        });
    }
}

fn glommio(announce: Announce) -> io::Result<()> {
    let executor = LocalExecutorBuilder::new(Placement::Unbound)
        .make()
        .map_err(|error| io::Error::other(error.to_string()))?;
    executor.run(async move {
        let listener = glommio::net::TcpListener::bind(ANYWHERE)?;
        announce(listener.local_addr()?);
        loop {
            let mut stream = listener.accept().await?;
            stream.set_nodelay(true)?;
            let echo = async move {
                let mut buffer = vec![0; BUFFER];
                loop {
                    match stream.read(&mut buffer).await? {
                        0 => return io::Result::Ok(()),
                        count => stream.write_all(&buffer[..count]).await?,
                    }
                }
            };
            glommio::spawn_local(echo).detach();
        }
    })
}

fn compio(announce: Announce) -> io::Result<()> {
    compio::runtime::Runtime::new()?.block_on(async move {
        let listener = compio::net::TcpListener::bind(ANYWHERE).await?;
        announce(listener.local_addr()?);
        loop {
            let (mut stream, _) = listener.accept().await?;
            let echo = async move {
                let mut buffer = Vec::with_capacity(BUFFER);
                loop {
                    let BufResult(outcome, filled) = stream.read(buffer).await;
                    if outcome? == 0 {
                        return io::Result::Ok(());
                    }
                    let BufResult(outcome, mut written) = stream.write_all(filled).await;
                    outcome?;
                    written.clear();
                    buffer = written;
                }
            };
            compio::runtime::spawn(echo).detach();
        }
    })
}

/// The floor: a loop around epoll, with the same buffer for all connections and nothing that remembers what could not be written at once.
fn raw_epoll(announce: Announce) -> io::Result<()> {
    const LISTENER: u64 = u64::MAX;
    let listener = listen(announce)?;
    let epoll = epoll::create(CreateFlags::CLOEXEC)?;
    epoll::add(
        &epoll,
        &listener,
        EventData::new_u64(LISTENER),
        EventFlags::IN,
    )?;
    let mut streams: Vec<Option<TcpStream>> = Vec::new();
    let mut events = Vec::with_capacity(256);
    let mut buffer = vec![0; BUFFER];
    loop {
        events.clear();
        epoll::wait(&epoll, spare_capacity(&mut events), None)?;
        for event in &events {
            let place = event.data.u64();
            if place == LISTENER {
                match listener.accept() {
                    Ok((stream, _)) => {
                        stream.set_nodelay(true)?;
                        stream.set_nonblocking(true)?;
                        let place = EventData::new_u64(streams.len() as u64);
                        epoll::add(&epoll, &stream, place, EventFlags::IN)?;
                        streams.push(Some(stream));
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error),
                }
                continue;
            }
            let slot = &mut streams[place as usize];
            let Some(stream) = slot else { continue };
            match stream.read(&mut buffer) {
                // Closing it takes it out of the epoll.
                Ok(0) | Err(_) => *slot = None,
                Ok(count) => stream.write_all(&buffer[..count])?,
            }
        }
    }
}
