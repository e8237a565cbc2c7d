//! Servers: serving, closing, waiting for connections, and what goes wrong while one is accepted.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;

use std::{
    cell::Cell,
    fs,
    io::{ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    os::unix::net::UnixListener,
    rc::Rc,
    time::Duration,
};

use rondel_net::{
    AfterEof, BaseProtocol, Listen, Protocol, Server, SocketName, StreamReader, StreamWriter,
    Transport, create_server, create_unix_server, open_connection, start_server,
};
use rondel_task::{EventLoop, Result, RuntimeError, create_task, get_running_loop, sleep};
use socket2::{Domain, Socket, Type};
use support::{Recorder, Trace, kind_of, on_each_selector, until};

const ANY: &str = "127.0.0.1:0";

fn addresses(server: &Server) -> Vec<SocketAddr> {
    let sockets = server.sockets();
    let names = sockets.iter().map(|socket| socket.getsockname().unwrap());
    names.map(|name| name.as_inet().unwrap()).collect()
}

/// Lets the loop do what it has to do.
async fn idle() -> Result<()> {
    for _ in 0..200 {
        sleep(Duration::ZERO).await?;
    }
    Ok(())
}

/// Reads until the end and does nothing else.
async fn listen_to(reader: StreamReader, _writer: StreamWriter) -> Result<()> {
    reader.read_to_end().await.map(drop)
}

#[test]
fn a_closed_server_waits_for_its_connections() {
    on_each_selector(|| async {
        let server = start_server(listen_to, ANY).await?;
        assert!(server.is_serving());
        let its_loop = server.get_loop().unwrap();
        assert!(its_loop.ptr_eq(&get_running_loop()?));
        let address = addresses(&server)[0];
        let (_reader, writer) = open_connection(address).await?;
        writer.write("hello")?;
        let waiting = create_task(server.wait_closed())?;
        // The server is open, and then its connection is.
        idle().await?;
        assert!(!waiting.done());
        server.close();
        server.close();
        assert!(!server.is_serving());
        assert!(server.sockets().is_empty());
        idle().await?;
        assert!(!waiting.done());
        assert_eq!(
            TcpStream::connect(address).unwrap_err().kind(),
            ErrorKind::ConnectionRefused
        );

        writer.close();
        waiting.await?;
        server.wait_closed().await
    });
}

#[test]
fn a_server_can_close_its_clients() {
    on_each_selector(|| async {
        for abort in [false, true] {
            let trace = Trace::default();
            let factory = trace.clone();
            let server = create_server(move || Recorder::new(&factory), ANY).await?;
            let (reader, _writer) = open_connection(addresses(&server)[0]).await?;
            trace.wait_for("soon after made").await?;
            if abort {
                server.abort_clients();
            } else {
                server.close_clients();
            }
            assert_eq!(reader.read_to_end().await?, "");
            server.close();
            server.wait_closed().await?;
            trace.check(&[
                "factory",
                "made",
                "soon after made",
                "lost None",
                "soon after lost",
            ]);
        }
        Ok(())
    });
}

/// Writes more than fits, and pays no attention to the other end.
struct Flood;

impl BaseProtocol for Flood {}

impl Protocol for Flood {
    fn connection_made(&self, transport: Transport) {
        transport.write(vec![0; 20_000_000]).unwrap();
    }

    fn data_received(&self, _data: &[u8]) {}

    fn eof_received(&self) -> AfterEof {
        AfterEof::KeepOpen
    }
}

#[test]
fn aborting_clients_does_not_wait_for_what_they_do_not_read() {
    on_each_selector(|| async {
        let server = create_server(|| Flood, ANY).await?;
        let (reader, _writer) = open_connection(addresses(&server)[0]).await?;
        assert!(!reader.read(1).await?.is_empty());
        server.close();
        server.close_clients();
        let waiting = create_task(server.wait_closed())?;
        idle().await?;
        assert!(!waiting.done());
        server.abort_clients();
        waiting.await
    });
}

#[test]
fn serving_for_ever_ends_with_its_cancellation() {
    on_each_selector(|| async {
        let trace = Trace::default();
        let factory = trace.clone();
        let factory = move || Recorder::new(&factory);
        let server = Listen::on(ANY).start_later().create_server(factory).await?;
        assert!(!server.is_serving());
        let serving = create_task(server.serve_forever())?;
        sleep(Duration::ZERO).await?;
        assert!(server.is_serving());
        let (_reader, writer) = open_connection(addresses(&server)[0]).await?;
        trace.wait_for("made").await?;

        let error = server.serve_forever().await.unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("is already being awaited on serve_forever()"),
            "{error}"
        );

        serving.cancel();
        sleep(Duration::ZERO).await?;
        sleep(Duration::ZERO).await?;
        assert!(server.sockets().is_empty());
        // It waits for its connection.
        assert!(!serving.done());
        writer.close();
        assert!(serving.await.unwrap_err().is_cancelled());

        let error = server.serve_forever().await.unwrap_err();
        assert!(error.is::<RuntimeError>());
        assert_eq!(error.to_string(), "server <Server sockets=[]> is closed");
        assert!(server.start_serving().await.is_err());
        Ok(())
    });
}

#[test]
fn closing_a_server_ends_who_serves_for_ever() {
    on_each_selector(|| async {
        let server = start_server(listen_to, ANY).await?;
        let serving = create_task(server.serve_forever())?;
        sleep(Duration::ZERO).await?;
        server.close();
        assert!(serving.await.unwrap_err().is_cancelled());
        Ok(())
    });
}

#[test]
fn many_connections_at_once_are_all_accepted() {
    on_each_selector(|| async {
        let trace = Trace::default();
        let factory = trace.clone();
        let server = Listen::on(ANY)
            .backlog(50)
            .create_server(move || Recorder::new(&factory))
            .await?;
        let clients: Vec<_> = (0..50)
            .map(|_| TcpStream::connect(addresses(&server)[0]))
            .collect::<std::io::Result<_>>()?;
        until(|| trace.count("made") == 50).await?;
        drop(clients);
        until(|| trace.count("lost None") == 50).await?;
        server.close();
        server.wait_closed().await
    });
}

#[test]
fn a_factory_that_panics_harms_nobody_else() {
    on_each_selector(|| async {
        let trace = Trace::default();
        trace.log_reports()?;
        let count = Cell::new(0);
        let factory = trace.clone();
        let server = create_server(
            move || {
                count.set(count.get() + 1);
                assert!(count.get() != 2, "the second is refused");
                Recorder::new(&factory)
            },
            ANY,
        )
        .await?;
        for number in 1..=3 {
            let (reader, writer) = open_connection(addresses(&server)[0]).await?;
            writer.write("hello")?;
            if number == 2 {
                assert!(
                    reader
                        .read_to_end()
                        .await
                        .map_or(true, |all| all.is_empty())
                );
            } else {
                trace.wait_for("soon after data").await?;
                writer.close();
                trace.wait_for("soon after lost").await?;
                trace.check(&[
                    "factory",
                    "made",
                    "soon after made",
                    "data hello",
                    "soon after data",
                    "eof",
                    "soon after eof",
                    "lost None",
                    "soon after lost",
                ]);
                continue;
            }
            trace.check(&[
                "report Error on transport creation for incoming connection panicked: the second is refused",
            ]);
        }
        server.close();
        server.wait_closed().await
    });
}

#[test]
fn a_server_listens_on_several_addresses() {
    on_each_selector(|| async {
        let server = Listen::on(ANY)
            .and_on(("127.0.0.2", 0))
            .and_on(ANY)
            .start_server(async |_reader, writer| writer.write("hello"))
            .await?;
        let addresses = addresses(&server);
        assert_eq!(addresses.len(), 2);
        for address in addresses {
            let (reader, _writer) = open_connection(address).await?;
            assert_eq!(reader.read_to_end().await?, "hello");
        }
        Ok(())
    });
}

#[test]
fn an_address_in_use_is_refused_unless_it_is_shared() {
    on_each_selector(|| async {
        let server = start_server(listen_to, ANY).await?;
        let address = addresses(&server)[0];
        let error = start_server(listen_to, address).await.unwrap_err();
        assert_eq!(kind_of(&error), "AddrInUse");
        let expected =
            format!("error while attempting to bind on address {address}: address already in use");
        assert!(error.to_string().starts_with(&expected), "{error}");

        let one = Listen::on(ANY).reuse_port().start_server(listen_to).await?;
        let other = Listen::on(addresses(&one)[0])
            .reuse_port()
            .start_server(listen_to)
            .await?;
        assert_eq!(addresses(&one), addresses(&other));
        Ok(())
    });
}

#[test]
fn an_address_of_another_machine_cannot_be_bound_to() {
    on_each_selector(|| async {
        let error = start_server(listen_to, "192.0.2.1:0").await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "could not bind on any address out of [192.0.2.1:0]"
        );
        Ok(())
    });
}

#[test]
fn a_bound_socket_can_be_given() {
    on_each_selector(|| async {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&"127.0.0.1:0".parse::<SocketAddr>()?.into())?;
        let expected = socket.local_addr()?;
        let server = Listen::with_socket(socket).start_server(listen_to).await?;
        assert_eq!(
            server.sockets()[0].getsockname()?,
            SocketName::from(&expected)
        );

        let datagram = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
        let error = Listen::with_socket(datagram)
            .start_server(listen_to)
            .await
            .unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("a stream socket was expected"),
            "{error}"
        );
        Ok(())
    });
}

#[test]
fn the_file_of_a_unix_socket_goes_with_its_server() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    on_each_selector(|| {
        let path = path.clone();
        async move {
            // One that somebody has left is replaced.
            drop(UnixListener::bind(&path)?);
            let trace = Trace::default();
            let server = create_unix_server(move || Recorder::new(&trace), &path).await?;
            assert_eq!(server.sockets()[0].getsockname()?.as_path(), Some(&*path));
            server.close();
            assert!(!path.exists());

            // One that is somebody else's by now stays.
            let trace = Trace::default();
            let server = create_unix_server(move || Recorder::new(&trace), &path).await?;
            fs::remove_file(&path)?;
            let other = UnixListener::bind(&path)?;
            server.close();
            assert!(path.exists());
            drop(other);
            fs::remove_file(&path)?;

            let server = Listen::on(&*path)
                .keep_socket_file()
                .start_server(listen_to)
                .await?;
            server.close();
            assert!(path.exists());
            fs::remove_file(&path)?;

            // What is no socket is left alone.
            fs::write(&path, "precious")?;
            let error = Listen::on(&*path)
                .start_server(listen_to)
                .await
                .unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("address {} is already in use", path.display())
            );
            assert_eq!(fs::read_to_string(&path)?, "precious");
            fs::remove_file(&path)?;
            Ok(())
        }
    });
}

#[test]
fn dropping_the_handle_does_not_stop_the_server() {
    on_each_selector(|| async {
        let server = start_server(async |_reader, writer| writer.write("hello"), ANY).await?;
        let address = addresses(&server)[0];
        drop(server);
        let (reader, _writer) = open_connection(address).await?;
        assert_eq!(reader.read_to_end().await?, "hello");
        Ok(())
    });
}

#[test]
fn a_loop_that_closes_closes_its_servers_and_connections() {
    let event_loop = EventLoop::new().unwrap();
    let trace = Trace::default();
    let factory = trace.clone();
    let client_and_server = event_loop.run_until_complete(async move {
        let made = factory.clone();
        let server = create_server(
            // A paused connection has no reader that could own it.
            move || Recorder::new(&made).on("made", |it| it.transport().pause_reading()),
            ANY,
        )
        .await?;
        let client = TcpStream::connect(addresses(&server)[0])?;
        factory.wait_for("soon after made").await?;
        Ok((Rc::new(client), server))
    });
    let (client, server) = client_and_server.unwrap();
    let address = addresses(&server)[0];
    event_loop.close().unwrap();
    assert!(server.sockets().is_empty());
    assert_eq!(
        TcpStream::connect(address).unwrap_err().kind(),
        ErrorKind::ConnectionRefused
    );
    assert_eq!((&*client).read(&mut [0]).unwrap(), 0);
    // Nobody is told: there is no loop to tell them.
    trace.check(&["factory", "made", "soon after made"]);
}

#[test]
fn a_client_that_is_gone_before_it_is_accepted_is_no_trouble() {
    on_each_selector(|| async {
        let trace = Trace::default();
        let factory = trace.clone();
        let server = create_server(move || Recorder::new(&factory), ANY).await?;
        let client = Socket::from(TcpStream::connect(addresses(&server)[0])?);
        client.set_linger(Some(Duration::ZERO))?;
        drop(client);
        let mut next = TcpStream::connect(addresses(&server)[0])?;
        next.write_all(b"hello")?;
        trace.wait_for("data hello").await?;
        let event_loop = get_running_loop()?;
        assert!(event_loop.is_running());
        Ok(())
    });
}

#[test]
fn a_server_whose_maker_stops_waiting_is_closed() {
    on_each_selector(|| async {
        let (trace, place) = (Trace::default(), std::net::TcpListener::bind(ANY)?);
        let socket = Socket::from(place.try_clone()?);
        drop(place);
        let address = socket.local_addr()?.as_socket().unwrap();
        let factory = trace.clone();
        let making = create_task(async move {
            let listen = Listen::with_socket(socket);
            listen.create_server(move || Recorder::new(&factory)).await
        })?;
        sleep(Duration::ZERO).await?;
        making.cancel();
        assert!(making.take().await.is_err());
        assert_eq!(
            TcpStream::connect(address).unwrap_err().kind(),
            ErrorKind::ConnectionRefused
        );
        Ok(())
    });
}
