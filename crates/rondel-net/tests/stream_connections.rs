//! Streams over real connections: TCP, unix sockets, pipes; and what peers do that do not behave.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;

use std::{
    cell::{Cell, RefCell},
    io::{ErrorKind, Write as _},
    net::SocketAddr,
    rc::Rc,
    time::Duration,
};

use futures::{AsyncReadExt as _, AsyncWriteExt as _};
use rondel_net::{
    Connect, Duplex, Listen, Server, StreamReader, StreamReaderProtocol, StreamWriter,
    WriteBufferLimits, connect_read_pipe, connect_write_pipe, extra_info, open_connection,
    open_unix_connection, start_server, start_unix_server,
};
use rondel_task::{Exception, Result, create_task, gather, sleep, wait_for};
use socket2::{Socket, Type};
use support::{Trace, kind_of, on_each_selector, until};

const ANY: &str = "127.0.0.1:0";

fn address(server: &Server) -> SocketAddr {
    let name = server.sockets()[0].getsockname().unwrap();
    name.as_inet().unwrap()
}

/// Sends every line back in capitals.
async fn shout(reader: StreamReader, writer: StreamWriter) -> Result<()> {
    loop {
        let line = reader.readline().await?;
        if line.is_empty() {
            return Ok(());
        }
        writer.write(line.to_ascii_uppercase())?;
        writer.drain().await?;
    }
}

#[test]
fn lines_go_there_and_back() {
    on_each_selector(|| async {
        let server = start_server(shout, ANY).await?;
        let clients = (0..20).map(|number| {
            let address = address(&server);
            async move {
                let (reader, writer) = open_connection(address).await?;
                for line in 0..20 {
                    writer.write(format!("client {number} line {line}\n"))?;
                    assert_eq!(
                        reader.readline().await?,
                        format!("CLIENT {number} LINE {line}\n")
                    );
                }
                writer.write_eof()?;
                assert_eq!(reader.read_to_end().await?, "");
                writer.close();
                writer.wait_closed().await
            }
        });
        gather(clients).await?;
        server.close();
        server.wait_closed().await
    });
}

#[test]
fn unix_sockets_do_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    on_each_selector(|| {
        let path = path.clone();
        async move {
            let server = start_unix_server(shout, &path).await?;
            let (reader, writer) = open_unix_connection(&path).await?;
            writer.write("hello\n")?;
            assert_eq!(reader.readline().await?, "HELLO\n");
            let name = writer.get_extra_info(extra_info::Peername).unwrap();
            assert_eq!(name.as_path(), Some(&*path));
            server.close();
            assert!(!path.exists());
            Ok(())
        }
    });
}

#[test]
fn pipes_are_streams_too() {
    on_each_selector(|| async {
        let (read_end, write_end) = std::io::pipe()?;
        let reader = StreamReader::new();
        let protocol = StreamReaderProtocol::new(&reader);
        let (read_transport, _) = connect_read_pipe(|| protocol, read_end).await?;
        let nobody = StreamReaderProtocol::new(&StreamReader::new());
        let (transport, protocol) = connect_write_pipe(|| nobody, write_end).await?;
        let writer = StreamWriter::new(transport, (*protocol).clone(), None);

        let large = vec![b'x'; 1_000_000];
        let sent = large.clone();
        let sending = create_task(async move {
            writer.write(&sent)?;
            writer.drain().await?;
            writer.close();
            writer.wait_closed().await
        })?;
        assert!(reader.read_to_end().await? == large);
        assert!(read_transport.write("x").is_err());
        sending.await
    });
}

#[test]
fn a_peer_may_send_one_byte_at_a_time() {
    on_each_selector(|| async {
        let server = start_server(shout, ANY).await?;
        let (reader, writer) = open_connection(address(&server)).await?;
        for byte in b"slowly\nbut surely\n" {
            writer.write([*byte])?;
            for _ in 0..3 {
                sleep(Duration::ZERO).await?;
            }
        }
        assert_eq!(reader.readline().await?, "SLOWLY\n");
        assert_eq!(reader.readline().await?, "BUT SURELY\n");
        Ok(())
    });
}

/// What a reader has buffered.
fn buffered(reader: &StreamReader) -> usize {
    let shown = format!("{reader:?}");
    let bytes = shown.split(" bytes").next().unwrap();
    bytes.rsplit(' ').next().unwrap().parse().unwrap_or(0)
}

#[test]
fn a_slow_reader_keeps_memory_bounded() {
    const TOTAL: usize = 1024 * 1024 * 1024;
    const LIMIT: usize = 32 * 1024;
    const PIECE: usize = 100 * 1024;
    on_each_selector(|| async {
        let in_reader = Rc::new(Cell::new(0));
        let most = in_reader.clone();
        let received = Rc::new(Cell::new(0));
        let count = received.clone();
        let server = Listen::on(ANY)
            .limit(LIMIT)
            .start_server(async move |reader, _writer| {
                loop {
                    // The sender gets far ahead.
                    for _ in 0..5 {
                        sleep(Duration::ZERO).await?;
                    }
                    most.set(most.get().max(buffered(&reader)));
                    let data = reader.read(50_000).await?;
                    if data.is_empty() {
                        return Ok(());
                    }
                    count.set(count.get() + data.len());
                }
            })
            .await?;

        let (_reader, writer) = open_connection(address(&server)).await?;
        let piece = vec![b'x'; PIECE];
        let mut sent = 0;
        let mut in_writer = 0;
        while sent < TOTAL {
            let next = PIECE.min(TOTAL - sent);
            writer.write(&piece[..next])?;
            in_writer = in_writer.max(writer.transport().get_write_buffer_size());
            writer.drain().await?;
            sent += next;
        }
        writer.close();
        writer.wait_closed().await?;
        server.close();
        server.wait_closed().await?;
        assert_eq!(received.get(), TOTAL);
        let high = WriteBufferLimits::default().high();
        assert!(
            in_writer > 0 && in_writer <= high + PIECE,
            "{in_writer} bytes"
        );
        // One reception may come on top of the two limits.
        let most = in_reader.get();
        assert!(most > 0 && most <= 2 * LIMIT + 256 * 1024, "{most} bytes");
        Ok(())
    });
}

#[test]
fn a_peer_that_resets_in_the_middle_of_a_write_ends_it_with_an_error() {
    on_each_selector(|| async {
        let listener = std::net::TcpListener::bind(ANY)?;
        let (_reader, writer) = open_connection(listener.local_addr()?).await?;
        let (peer, _) = listener.accept()?;
        writer.write(vec![b'x'; 20_000_000])?;
        let draining = create_task(writer.drain())?;
        sleep(Duration::ZERO).await?;
        assert!(!draining.done());

        let peer = Socket::from(peer);
        peer.set_linger(Some(Duration::ZERO))?;
        drop(peer);
        let is_reset =
            |error: Exception| matches!(&*kind_of(&error), "ConnectionReset" | "BrokenPipe");
        assert!(is_reset(draining.await.unwrap_err()));
        assert!(is_reset(writer.wait_closed().await.unwrap_err()));
        // What is written now is thrown away, and drain says why.
        writer.write("more")?;
        assert!(is_reset(writer.drain().await.unwrap_err()));
        assert_eq!(writer.transport().get_write_buffer_size(), 0);
        Ok(())
    });
}

#[test]
fn draining_what_is_closed_says_so() {
    on_each_selector(|| async {
        let server = start_server(shout, ANY).await?;
        let (_reader, writer) = open_connection(address(&server)).await?;
        writer.close();
        let error = writer.drain().await.unwrap_err();
        assert_eq!(
            (&*kind_of(&error), &*error.to_string()),
            ("ConnectionReset", "connection lost")
        );
        Ok(())
    });
}

#[test]
fn one_end_may_end_before_the_other() {
    on_each_selector(|| async {
        let sum = async |reader: StreamReader, writer: StreamWriter| {
            let all = reader.read_to_end().await?;
            sleep(Duration::ZERO).await?;
            writer.write(format!("{} bytes", all.len()))
        };
        let server = start_server(sum, ANY).await?;
        let (reader, writer) = open_connection(address(&server)).await?;
        writer.write(vec![0; 300_000])?;
        assert!(writer.can_write_eof());
        writer.write_eof()?;
        assert_eq!(reader.read_to_end().await?, "300000 bytes");
        Ok(())
    });
}

/// A peer whose machine is gone sends nothing and takes nothing, and no packet ever tells so.
#[test]
fn a_peer_that_is_gone_without_a_word_is_left_by_a_timeout() {
    on_each_selector(|| async {
        let limit = Duration::from_millis(5);
        let outcomes = Rc::new(RefCell::new(Vec::new()));
        let seen = outcomes.clone();
        let server = Listen::on(ANY)
            .start_server(async move |reader, writer| {
                let read = wait_for(reader.read(1), limit).await;
                seen.borrow_mut()
                    .push(read.is_err_and(|error| error.is_timeout()));
                // More than the system takes for somebody who does not read.
                writer.write(vec![b'x'; 64 << 20])?;
                let drained = wait_for(writer.drain(), limit).await;
                let timed_out = drained.is_err_and(|error| error.is_timeout());
                seen.borrow_mut().push(timed_out);
                writer.transport().abort();
                writer.wait_closed().await
            })
            .await?;
        let silent = std::net::TcpStream::connect(address(&server))?;
        until(|| outcomes.borrow().len() == 2).await?;
        assert_eq!(*outcomes.borrow(), [true, true]);
        server.close();
        server.wait_closed().await?;
        drop(silent);
        Ok(())
    });
}

#[test]
fn a_handler_that_fails_is_reported_and_closes_its_connection() {
    on_each_selector(|| async {
        let trace = Trace::default();
        trace.log_reports()?;
        let kept = Rc::new(RefCell::new(Vec::new()));
        let keep = kept.clone();
        let server = start_server(
            async move |reader: StreamReader, writer: StreamWriter| {
                // Not the end of the writer, but that of the handler closes the connection.
                keep.borrow_mut().push(writer);
                match &*reader.readline().await? {
                    b"panic\n" => panic!("boom"),
                    line => Err(Exception::msg(format!("cannot do {}", line.escape_ascii()))),
                }
            },
            ANY,
        )
        .await?;
        for line in ["panic\n", "this\n"] {
            let (reader, writer) = open_connection(address(&server)).await?;
            writer.write(line)?;
            assert_eq!(reader.read_to_end().await?, "");
        }
        trace.check(&[
            "report Unhandled exception in client_connected_cb panicked: boom",
            "report Unhandled exception in client_connected_cb cannot do this\\n",
        ]);
        kept.take();
        Ok(())
    });
}

#[test]
fn dropping_the_writer_closes_the_connection() {
    on_each_selector(|| async {
        let (listener, ours) = (std::net::TcpListener::bind(ANY)?, vec![b'x'; 3_000_000]);
        let (reader, writer) = open_connection(listener.local_addr()?).await?;
        let (peer, _) = listener.accept()?;
        let (peer_reader, _peer_writer) =
            Connect::with_socket(peer.into()).open_connection().await?;
        writer.write(&ours)?;
        let transport = writer.transport().clone();
        drop(writer.clone());
        assert!(!transport.is_closing());
        drop((reader, writer));
        assert!(transport.is_closing());
        // What was buffered is sent all the same.
        assert_eq!(peer_reader.read_to_end().await?.len(), ours.len());
        Ok(())
    });
}

#[test]
fn extra_info_outlives_the_connection() {
    on_each_selector(|| async {
        let server = start_server(shout, ANY).await?;
        let (_reader, writer) = open_connection(address(&server)).await?;
        let socket = writer.get_extra_info(extra_info::Socket).unwrap();
        assert_eq!(socket.getpeername()?.as_inet(), Some(address(&server)));
        assert!(socket.with(|socket| socket.tcp_nodelay())??);
        writer.close();
        writer.wait_closed().await?;
        let peer = writer.get_extra_info(extra_info::Peername).unwrap();
        assert_eq!(peer.as_inet(), Some(address(&server)));
        let ours = writer.get_extra_info(extra_info::Sockname).unwrap();
        assert!(ours.port().is_some_and(|port| port != 0));
        assert!(writer.get_extra_info(extra_info::Pipe).is_none());
        assert_eq!(
            socket.getsockname().unwrap_err().kind(),
            ErrorKind::NotConnected
        );
        Ok(())
    });
}

#[test]
fn a_socket_of_the_wrong_kind_is_refused() {
    on_each_selector(|| async {
        let socket = Socket::new(socket2::Domain::IPV4, Type::DGRAM, None)?;
        let error = Connect::with_socket(socket)
            .open_connection()
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
fn both_ends_serve_code_that_knows_no_loop() {
    on_each_selector(|| async {
        let echo = async |reader: StreamReader, writer: StreamWriter| {
            let (mut reader, mut writer) = (reader, writer);
            futures::io::copy(&mut reader, &mut writer).await?;
            Ok(())
        };
        let server = start_server(echo, ANY).await?;
        let stream = Duplex::from(open_connection(address(&server)).await?);
        let (mut reader, mut writer) = stream.split();
        let data: Vec<u8> = (0..2_000_000_u32).map(|number| number as u8).collect();
        let expected = data.clone();
        let sending = async {
            for piece in data.chunks(300_000) {
                writer.write_all(piece).await?;
            }
            writer.close().await
        };
        let mut all = Vec::new();
        let receiving = reader.read_to_end(&mut all);
        let (sent, received) = futures::join!(sending, receiving);
        sent?;
        received?;
        assert!(all == expected, "{} bytes came back", all.len());
        Ok(())
    });
}

#[test]
fn a_write_pipe_hears_that_its_reader_is_gone() {
    on_each_selector(|| async {
        let (read_end, write_end) = std::io::pipe()?;
        let reader = StreamReader::new();
        let protocol = StreamReaderProtocol::new(&reader);
        let (transport, protocol) = connect_write_pipe(|| protocol, write_end).await?;
        let writer = StreamWriter::new(transport, (*protocol).clone(), None);
        writer.write(vec![0; 1_000_000])?;
        drop(read_end);
        let error = writer.drain().await.unwrap_err();
        assert_eq!(kind_of(&error), "BrokenPipe");
        Ok(())
    });
}

#[test]
fn a_read_pipe_ends_with_its_last_writer() {
    on_each_selector(|| async {
        let (read_end, mut write_end) = std::io::pipe()?;
        let trace = Trace::default();
        let recorder = support::Recorder::new(&trace);
        let (transport, _) = connect_read_pipe(|| recorder, read_end).await?;
        write_end.write_all(b"hello")?;
        trace.wait_for("soon after data").await?;
        drop(write_end);
        trace.wait_for("soon after lost").await?;
        // asyncio's order: the end and the loss are two callbacks.
        trace.check(&[
            "factory",
            "made",
            "soon after made",
            "data hello",
            "soon after data",
            "eof",
            "lost None",
            "soon after eof",
            "soon after lost",
        ]);
        assert!(transport.is_closing());
        until(|| transport.get_protocol().is_none()).await
    });
}

#[test]
fn a_file_on_disk_is_no_pipe() {
    on_each_selector(|| async {
        let file = tempfile::tempfile()?;
        let recorder = support::Recorder::new(&Trace::default());
        let error = connect_read_pipe(|| recorder, file).await.err().unwrap();
        assert_eq!(
            error.to_string(),
            "pipe transport is only for pipes, sockets and character devices"
        );
        Ok(())
    });
}
