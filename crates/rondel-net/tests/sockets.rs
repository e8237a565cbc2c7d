//! Socket operations one by one, and descriptors whose readiness is awaited, on every backend.

mod support;

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write, pipe},
    net::{TcpListener, UdpSocket},
    os::{
        fd::AsRawFd,
        unix::net::{UnixDatagram, UnixListener, UnixStream},
    },
    time::Duration,
};

use rondel_net::{
    AsyncFd, ClosedFdError, SendfileNotAvailableError, SocketName, sock_accept, sock_connect,
    sock_recv, sock_recv_into, sock_recvfrom, sock_recvfrom_into, sock_sendall, sock_sendfile,
    sock_sendfile_native, sock_sendto,
};
use rondel_task::{Exception, Result, create_task, gather, run, run_virtual, sleep, timeout};
use socket2::{Domain, Socket, Type};
use support::{TestResult, on_every_backend};
use tempfile::{TempDir, tempdir};

/// A pair of unix streams that do not block.
fn pair() -> Result<(AsyncFd<UnixStream>, AsyncFd<UnixStream>)> {
    let (one, two) = UnixStream::pair()?;
    one.set_nonblocking(true)?;
    two.set_nonblocking(true)?;
    Ok((AsyncFd::new(one)?, AsyncFd::new(two)?))
}

/// A socket that is not connected yet.
fn unconnected(domain: Domain) -> Result<AsyncFd<Socket>> {
    let socket = Socket::new(domain, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    AsyncFd::new(socket)
}

#[test]
fn a_connection_is_accepted_and_bytes_go_both_ways() -> TestResult {
    on_every_backend(|| async {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let listener = AsyncFd::new(listener)?;

        let server = create_task(async move {
            let (connection, peer) = sock_accept(&listener).await?;
            let question = sock_recv(&connection, 100).await?;
            sock_sendall(&connection, b"and you?").await?;
            connection.close();
            Ok((question, peer))
        })?;
        let client = unconnected(Domain::IPV4)?;
        sock_connect(&client, address).await?;
        sock_sendall(&client, b"well").await?;
        let mut buffer = [0; 3];
        assert_eq!(sock_recv_into(&client, &mut buffer).await?, 3);
        assert_eq!(&buffer, b"and");
        assert_eq!(sock_recv(&client, 100).await?, b" you?");
        assert_eq!(sock_recv(&client, 100).await?, b"", "the end");

        let (question, peer) = server.await?;
        assert_eq!(question, b"well");
        let local = client.with(|socket| socket.local_addr())??;
        assert_eq!(peer, SocketName::from(&local));
        Ok(())
    })
}

#[test]
fn a_host_is_looked_up_in_the_family_of_the_socket() -> TestResult {
    on_every_backend(|| async {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let client = unconnected(Domain::IPV4)?;
        sock_connect(&client, ("localhost", port)).await?;
        let peer = client.with(|socket| socket.peer_addr())??;
        assert_eq!(peer.as_socket(), Some(listener.local_addr()?));
        Ok(())
    })
}

#[test]
fn a_refused_connection_names_the_address() -> TestResult {
    on_every_backend(|| async {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        drop(listener);
        let refused = sock_connect(&unconnected(Domain::IPV4)?, address).await;
        let refused = refused
            .err()
            .ok_or_else(|| Exception::msg("nobody listens"))?;
        let error = refused.downcast_ref::<io::Error>();
        let kind = error.map(io::Error::kind);
        assert_eq!(kind, Some(io::ErrorKind::ConnectionRefused));
        let text = refused.to_string();
        let begin = format!("connect call to {address} failed: ");
        assert!(text.starts_with(&begin), "{text}");
        Ok(())
    })
}

#[test]
fn unix_sockets_connect_by_path() -> TestResult {
    on_every_backend(|| async {
        let folder = tempdir()?;
        let path = folder.path().join("socket");
        let listener = UnixListener::bind(&path)?;
        listener.set_nonblocking(true)?;
        let listener = AsyncFd::new(listener)?;
        let client = unconnected(Domain::UNIX)?;
        sock_connect(&client, &path).await?;
        let (server, peer) = sock_accept(&listener).await?;
        assert_eq!(peer, SocketName::Unnamed);
        sock_sendall(&server, b"hello").await?;
        assert_eq!(sock_recv(&client, 100).await?, b"hello");
        Ok(())
    })
}

#[test]
fn datagrams_come_with_the_name_of_their_sender() -> TestResult {
    on_every_backend(|| async {
        let open = || -> Result<_> {
            let socket = UdpSocket::bind("127.0.0.1:0")?;
            socket.set_nonblocking(true)?;
            Ok((socket.local_addr()?, AsyncFd::new(socket)?))
        };
        let ((here, one), (there, two)) = (open()?, open()?);
        let waiting = {
            let two = two.clone();
            create_task(async move { sock_recvfrom(&two, 3).await })?
        };
        assert_eq!(sock_sendto(&one, b"hello", there).await?, 5);
        let (data, sender) = waiting.await?;
        assert_eq!(data, b"hel", "the rest of a datagram is lost");
        assert_eq!(sender, here.into());

        sock_sendto(&one, b"", there).await?;
        let mut buffer = [0; 8];
        let (length, sender) = sock_recvfrom_into(&two, &mut buffer).await?;
        assert_eq!((length, sender.port()), (0, Some(here.port())));
        Ok(())
    })
}

#[test]
fn unix_datagrams_have_paths() -> TestResult {
    on_every_backend(|| async {
        let folder = tempdir()?;
        let bind = |name: &str| -> Result<_> {
            let path = folder.path().join(name);
            let socket = UnixDatagram::bind(&path)?;
            socket.set_nonblocking(true)?;
            let name = SocketName::Path(path.into());
            Ok((name, AsyncFd::new(socket)?))
        };
        let ((here, one), (there, two)) = (bind("one")?, bind("two")?);
        sock_sendto(&one, b"hello", there).await?;
        assert_eq!(sock_recvfrom(&two, 9).await?, (b"hello".to_vec(), here));
        Ok(())
    })
}

#[test]
fn sending_waits_for_whoever_reads() -> TestResult {
    on_every_backend(|| async {
        const LENGTH: usize = 4 << 20;
        let (one, two) = pair()?;
        let data: Vec<u8> = (0..LENGTH).map(|place| (place % 251) as u8).collect();
        let sent = data.clone();
        let sending = create_task(async move { sock_sendall(&one, &sent).await })?;
        let mut received = Vec::new();
        loop {
            let part = sock_recv(&two, 65_536).await?;
            if part.is_empty() {
                break;
            }
            received.extend(part);
        }
        sending.await?;
        assert!(received == data, "{} bytes came", received.len());
        Ok(())
    })
}

#[test]
fn a_cancelled_operation_has_received_nothing() -> TestResult {
    on_every_backend(|| async {
        let (one, two) = pair()?;
        let waiting = {
            let two = two.clone();
            create_task(async move { sock_recv(&two, 100).await })?
        };
        sleep(Duration::ZERO).await?;
        // It becomes readable and is cancelled in the same breath.
        sock_sendall(&one, b"kept").await?;
        waiting.cancel();
        assert!(waiting.await.is_err_and(|error| error.is_cancelled()));
        assert_eq!(sock_recv(&two, 100).await?, b"kept");

        // Woken already, and cancelled before its step.
        let waiting = {
            let two = two.clone();
            create_task(async move { sock_recv(&two, 100).await })?
        };
        sleep(Duration::ZERO).await?;
        sock_sendall(&one, b"kept").await?;
        two.readable().await?;
        waiting.cancel();
        let outcome = waiting.await;
        let received = match outcome {
            Ok(received) => received,
            Err(_) => sock_recv(&two, 100).await?,
        };
        assert_eq!(received, b"kept");
        Ok(())
    })
}

#[test]
fn closing_wakes_whoever_waits() -> TestResult {
    on_every_backend(|| async {
        let (one, two) = pair()?;
        // Full, so that nobody can write.
        one.with(|mut stream| while stream.write(&[0; 65_536]).is_ok() {})?;
        let wait = |write: bool| {
            let one = one.clone();
            create_task(async move {
                match write {
                    true => one.writable().await,
                    false => one.readable().await,
                }
            })
        };
        let tasks = [wait(false)?, wait(true)?, wait(false)?];
        sleep(Duration::ZERO).await?;
        assert!(one.close());
        assert!(!one.close(), "it was closed");
        for task in tasks {
            let error = task.await.err().ok_or_else(|| Exception::msg("closed"))?;
            assert!(error.is::<ClosedFdError>(), "{error}");
            assert_eq!(error.to_string(), "the descriptor is closed");
        }
        assert!(one.is_closed());
        assert!(
            sock_recv(&one, 1)
                .await
                .is_err_and(|error| error.is::<ClosedFdError>())
        );
        assert_eq!(format!("{one:?}"), "AsyncFd(closed)");

        // The other end sees it at once: nothing keeps the descriptor open.
        let mut rest = 0;
        loop {
            let part = sock_recv(&two, 65_536).await?;
            rest += part.len();
            if part.is_empty() {
                break;
            }
        }
        assert!(rest > 0);
        Ok(())
    })
}

#[test]
fn a_number_that_is_used_again_is_a_new_descriptor() -> TestResult {
    on_every_backend(|| async {
        let (one, two) = pair()?;
        let number = one.with(AsRawFd::as_raw_fd)?;
        let waiting = {
            let one = one.clone();
            create_task(async move { one.readable().await })?
        };
        sleep(Duration::ZERO).await?;
        sock_sendall(&two, b"for the first").await?;
        one.close();
        assert!(
            waiting
                .await
                .is_err_and(|error| error.is::<ClosedFdError>())
        );

        // The lowest free number is given out first; other tests of this process may have taken it, and then this shows nothing.
        let (three, four) = pair()?;
        if three.with(AsRawFd::as_raw_fd)? == number {
            let early = timeout(Duration::ZERO, async |_| three.readable().await).await;
            assert!(early.is_err_and(|error| error.is_timeout()));
            sock_sendall(&four, b"for the second").await?;
            assert_eq!(sock_recv(&three, 100).await?, b"for the second");
        }
        Ok(())
    })
}

#[test]
fn every_waiter_is_woken() -> TestResult {
    on_every_backend(|| async {
        let (one, two) = pair()?;
        let wait = move || {
            let two = two.clone();
            async move { two.readable().await }
        };
        let waiting = create_task(async move { gather([wait(), wait(), wait()]).await })?;
        sleep(Duration::ZERO).await?;
        sock_sendall(&one, b"x").await?;
        assert_eq!(waiting.await?.len(), 3);
        Ok(())
    })
}

#[test]
fn pipes_are_awaited_like_sockets() -> TestResult {
    on_every_backend(|| async {
        let (reader, mut writer) = pipe()?;
        rustix::io::ioctl_fionbio(&reader, true).map_err(io::Error::from)?;
        let reader = AsyncFd::new(reader)?;
        let write = create_task(async move { Ok(writer.write_all(b"through")?) })?;
        let mut buffer = [0; 16];
        let length = reader.read_with(|mut pipe| pipe.read(&mut buffer)).await?;
        assert_eq!(&buffer[..length], b"through");
        write.await
    })
}

#[test]
fn a_descriptor_is_given_back() -> TestResult {
    on_every_backend(|| async {
        let (one, two) = pair()?;
        let early = timeout(Duration::ZERO, async |_| two.readable().await).await;
        assert!(early.is_err_and(|error| error.is_timeout()));
        let other = two.clone();
        assert!(two.into_inner().is_none(), "there is another handle");
        let stream = other
            .into_inner()
            .ok_or_else(|| Exception::msg("the last handle"))?;
        sock_sendall(&one, b"x").await?;
        let again = AsyncFd::new(stream)?;
        assert_eq!(sock_recv(&again, 1).await?, b"x");
        again.close();
        assert!(again.into_inner().is_none());
        Ok(())
    })
}

#[test]
fn a_socket_that_blocks_is_refused() {
    let refused = run(async {
        let (one, _two) = UnixStream::pair()?;
        AsyncFd::new(one).map(drop)
    });
    let error = refused.expect_err("it blocks");
    assert_eq!(error.to_string(), "the socket must be non-blocking");
    assert!(error.is::<rondel_task::ValueError>());
}

#[test]
fn a_wait_that_was_cancelled_does_not_hold_the_virtual_clock() {
    // While somebody waits for a socket the virtual clock stands still; once nobody does, it moves on.
    let outcome = run_virtual(async {
        let (one, _two) = pair()?;
        let waiting = {
            let one = one.clone();
            create_task(async move { one.readable().await })?
        };
        sleep(Duration::ZERO).await?;
        waiting.cancel();
        sleep(Duration::from_secs(3600)).await
    });
    assert!(outcome.is_ok(), "{outcome:?}");
}

fn file(text: &str) -> Result<(TempDir, File)> {
    let folder = tempdir()?;
    let mut file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(folder.path().join("file"))?;
    file.write_all(text.as_bytes())?;
    file.seek(SeekFrom::Start(1))?;
    Ok((folder, file))
}

#[test]
fn a_file_is_sent_whole_or_in_part_and_its_position_is_moved() -> TestResult {
    on_every_backend(|| async {
        let (one, two) = pair()?;
        let (_folder, mut file) = file("0123456789")?;
        assert_eq!(sock_sendfile(&one, &file, ..).await?, 10);
        assert_eq!(sock_recv(&two, 100).await?, b"0123456789");
        assert_eq!(file.stream_position()?, 10);
        assert_eq!(sock_sendfile(&one, &file, 2..5).await?, 3);
        assert_eq!(sock_recv(&two, 100).await?, b"234");
        assert_eq!(file.stream_position()?, 5);
        assert_eq!(
            sock_sendfile(&one, &file, 8..=100).await?,
            2,
            "the end of the file"
        );
        assert_eq!(sock_recv(&two, 100).await?, b"89");
        assert_eq!(sock_sendfile(&one, &file, 10..).await?, 0);
        assert_eq!(sock_sendfile(&one, &file, 4..4).await?, 0);
        assert_eq!(
            file.stream_position()?,
            10,
            "where nothing is sent nothing moves"
        );
        Ok(())
    })
}

#[test]
fn a_large_file_waits_for_whoever_reads() -> TestResult {
    on_every_backend(|| async {
        const LENGTH: usize = 2 << 20;
        let (one, two) = pair()?;
        let text = "x".repeat(LENGTH);
        let (_folder, file) = file(&text)?;
        let sending = create_task(async move { sock_sendfile(&one, &file, ..).await })?;
        let mut received = 0;
        while received < LENGTH {
            received += sock_recv(&two, 65_536).await?.len();
        }
        assert_eq!(sending.await?, LENGTH as u64);
        Ok(())
    })
}

#[test]
fn what_the_kernel_cannot_send_is_read_and_sent() -> TestResult {
    on_every_backend(|| async {
        // A pipe has no offsets, so the kernel refuses.
        let (reader, mut writer) = pipe()?;
        writer.write_all(b"from a pipe")?;
        drop(writer);
        let file = File::from(std::os::fd::OwnedFd::from(reader));
        let (one, two) = pair()?;
        let refused = sock_sendfile_native(&one, &file, ..).await;
        assert!(refused.is_err_and(|error| error.is::<SendfileNotAvailableError>()));
        assert_eq!(sock_sendfile(&one, &file, ..).await?, 11);
        assert_eq!(sock_recv(&two, 100).await?, b"from a pipe");
        Ok(())
    })
}

#[test]
fn only_streams_send_files() {
    let refused = run(async {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.set_nonblocking(true)?;
        let (_folder, file) = file("x")?;
        sock_sendfile(&AsyncFd::new(socket)?, &file, ..).await
    });
    let error = refused.expect_err("UDP is no stream");
    assert_eq!(
        error.to_string(),
        "only SOCK_STREAM type sockets are supported"
    );
}
