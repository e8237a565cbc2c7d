//! What a TCP transport, of whose socket the edge is watched, must not leave behind; and what is read from where it was received.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;

use std::{
    cell::{Cell, RefCell},
    io::{Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    rc::Rc,
};

use rondel_net::{
    BaseProtocol, BufferedProtocol, Protocol, StreamReader, StreamReaderProtocol, Transport,
    connect_accepted_socket,
};
use rondel_task::{Exception, Result, create_task, get_running_loop, sleep};
use socket2::Socket;
use support::{on_each_selector, until};

fn pair() -> (Socket, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    peer.set_nodelay(true).unwrap();
    (listener.accept().unwrap().0.into(), peer)
}

/// Waits, without the loop, until so many bytes can be received.
fn has_come(socket: &Socket, length: usize) {
    while rustix::io::ioctl_fionread(socket).unwrap() < length as u64 {
        std::thread::yield_now();
    }
}

/// A reader of a connection, with another descriptor of its socket.
async fn reader(ours: Socket) -> Result<(StreamReader, Socket)> {
    let socket = ours.try_clone()?;
    let reader = StreamReader::new();
    let protocol = StreamReaderProtocol::new(&reader);
    connect_accepted_socket(|| protocol, ours).await?;
    Ok((reader, socket))
}

/// Lends four bytes at a time.
#[derive(Default)]
struct Four {
    buffer: RefCell<[u8; 4]>,
    all: RefCell<Vec<u8>>,
    is_lost: Cell<bool>,
}

impl BaseProtocol for Four {
    fn connection_lost(&self, _: Option<&Exception>) {
        self.is_lost.set(true);
    }
}

impl BufferedProtocol for Four {
    fn get_buffer(&self, _: usize, receive: &mut dyn FnMut(&mut [u8]) -> usize) {
        receive(&mut *self.buffer.borrow_mut());
    }

    fn buffer_updated(&self, nbytes: usize) {
        self.all
            .borrow_mut()
            .extend(&self.buffer.borrow()[..nbytes]);
    }
}

#[test]
fn a_buffer_that_was_filled_is_lent_again_and_the_end_comes_behind() {
    on_each_selector(|| async {
        for text in ["hello, world", "hello, world!"] {
            let (ours, mut peer) = pair();
            peer.write_all(text.as_bytes())?;
            drop(peer);
            let (_transport, four) = connect_accepted_socket(Four::default, ours).await?;
            until(|| four.is_lost.get()).await?;
            assert_eq!(*four.all.borrow(), text.as_bytes());
        }
        Ok(())
    });
}

#[test]
fn what_came_while_reading_was_paused_is_read_after_that() {
    on_each_selector(|| async {
        let (ours, mut peer) = pair();
        let (transport, four) = connect_accepted_socket(Four::default, ours).await?;
        let (theirs, mut other) = pair();
        let (other_reader, _socket) = reader(theirs).await?;
        for round in 1..=3 {
            transport.pause_reading();
            peer.write_all(b"one")?;
            for _ in 0..round {
                // To read this, the loop looks at the descriptors.
                other.write_all(b"x")?;
                other_reader.readexactly(1).await?;
            }
            assert_eq!(four.all.borrow().len(), 3 * (round - 1));
            transport.resume_reading();
            until(|| four.all.borrow().len() == 3 * round).await?;
        }
        Ok(())
    });
}

#[test]
fn data_and_its_end_may_come_together() {
    on_each_selector(|| async {
        let (ours, mut peer) = pair();
        let (reader, socket) = reader(ours).await?;
        peer.write_all(b"all of it")?;
        peer.shutdown(Shutdown::Write)?;
        has_come(&socket, 9);
        assert_eq!(reader.read_to_end().await?, "all of it");
        Ok(())
    });
}

#[test]
fn what_stands_behind_urgent_data_is_read() {
    on_each_selector(|| async {
        let (ours, mut peer) = pair();
        let (reader, socket) = reader(ours).await?;
        peer.write_all(b"before")?;
        rustix::net::send(&peer, b"!", rustix::net::SendFlags::OOB).unwrap();
        peer.write_all(b"after")?;
        has_come(&socket, 6);
        // The urgent byte is not in the stream, and a receipt ends in front of it.
        assert_eq!(reader.readexactly(11).await?, "beforeafter");
        Ok(())
    });
}

#[test]
fn more_pieces_than_one_call_takes_are_sent() {
    on_each_selector(|| async {
        let (ours, mut peer) = pair();
        let (transport, _) = connect_accepted_socket(Four::default, ours).await?;
        transport.writelines(vec![b"12345"; 5_000])?;
        transport.write_eof()?;
        let read = move || {
            let mut all = Vec::new();
            peer.read_to_end(&mut all)?;
            Ok(all.len())
        };
        let length = get_running_loop()?.run_in_executor(None, read)?.await?;
        assert_eq!(length, 25_000);
        Ok(())
    });
}

#[test]
fn a_read_gives_all_that_has_come_whatever_came_before() {
    on_each_selector(|| async {
        let (ours, mut peer) = pair();
        let (reader, socket) = reader(ours).await?;
        let mut kept = Vec::new();
        // Small, in a block of its own, just not, in two parts, and each behind another.
        for length in [
            10_usize, 10_000, 10_000, 20_479, 10_000, 20_480, 10_000, 20_481, 10_000, 60_000,
            5_000, 5_000, 1,
        ] {
            let waiting = create_task(reader.read(usize::MAX))?;
            sleep(std::time::Duration::ZERO).await?;
            let message = Vec::from_iter((0..length).map(|place| (place * 7 % 251) as u8));
            peer.write_all(&message)?;
            has_come(&socket, length);
            let data = waiting.await?;
            assert!(data == message, "{} of {length}", data.len());
            kept.push((data, message));
        }
        assert!(kept.iter().all(|(data, message)| data == message));
        // Two that come one after the other, of which the first is not read yet.
        for message in [[1; 10_000], [2; 10_000]] {
            peer.write_all(&message)?;
            has_come(&socket, message.len());
            until(|| rustix::io::ioctl_fionread(&socket).unwrap() == 0).await?;
        }
        let both = [[1; 10_000], [2; 10_000]].concat();
        assert!(reader.read(usize::MAX).await? == both);
        Ok(())
    });
}

#[test]
fn a_protocol_that_does_not_keep_what_comes_is_given_slices() {
    #[derive(Default)]
    struct Sum(Cell<usize>);

    impl BaseProtocol for Sum {}

    impl Protocol for Sum {
        fn data_received(&self, data: &[u8]) {
            self.0.set(self.0.get() + data.len());
        }

        fn bytes_received(&self, _: bytes::Bytes) {
            panic!("nobody asked for that");
        }
    }

    on_each_selector(|| async {
        let (ours, mut peer) = pair();
        let (transport, sum) = connect_accepted_socket(Sum::default, ours).await?;
        for round in 1..=3 {
            peer.write_all(&[0; 10_000])?;
            until(|| sum.0.get() == 10_000 * round).await?;
        }
        // What was learnt of a protocol does not hold for another.
        let reader = StreamReader::new();
        transport.set_protocol(Rc::new(StreamReaderProtocol::new(&reader)));
        peer.write_all(&[0; 10_000])?;
        reader.readexactly(10_000).await?;
        transport.set_protocol(sum.clone());
        peer.write_all(&[0; 10_000])?;
        until(|| sum.0.get() == 40_000).await
    });
}

/// Keeps what comes, and wants no more of it before it says so.
#[derive(Default)]
struct Pausing {
    transport: RefCell<Option<Transport>>,
    all: RefCell<Vec<u8>>,
}

impl BaseProtocol for Pausing {}

impl Protocol for Pausing {
    fn connection_made(&self, transport: Transport) {
        self.transport.replace(Some(transport));
    }

    fn data_received(&self, data: &[u8]) {
        let transport = self.transport.borrow().clone().unwrap();
        assert!(transport.is_reading(), "{} bytes more", data.len());
        transport.pause_reading();
        self.all.borrow_mut().extend(data);
    }

    fn keeps_data(&self) -> bool {
        true
    }
}

#[test]
fn nothing_comes_between_a_pause_and_its_end_however_much_has_come() {
    on_each_selector(|| async {
        let (ours, mut peer) = pair();
        let socket = ours.try_clone()?;
        let (transport, pausing) = connect_accepted_socket(Pausing::default, ours).await?;
        let mut expected = Vec::new();
        // The first makes it likely that the next one fits a block.
        for length in [10_000, 60_000, 10_000, 20_480] {
            let message = Vec::from_iter((0..length).map(|place| (place * 7 % 251) as u8));
            peer.write_all(&message)?;
            has_come(&socket, length);
            expected.extend(message);
            transport.resume_reading();
            until(|| !transport.is_reading()).await?;
            assert!(*pausing.all.borrow() == expected);
        }
        Ok(())
    });
}
