//! What transports offer besides the order of calls: buffers of the protocol's own, limits, pieces, other protocols; and memory in place of sockets.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;

use std::{
    cell::{Cell, RefCell},
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    rc::Rc,
    time::Duration,
};

use rondel_net::{
    AnyProtocol, BaseProtocol, BufferedProtocol, Protocol, Transport, WriteBufferLimits,
    connect_accepted_socket, create_memory_connection, open_memory_connection,
};
use rondel_task::{Exception, Result, create_task, get_running_loop, run_virtual, sleep};
use socket2::Socket;
use support::{Recorder, Trace, kind_of, on_each_selector, until};

/// More than a socket takes at once.
const LARGE: usize = 10_000_000;

fn pair() -> (Socket, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    (Socket::from(ours), theirs)
}

/// How a [`Collector`] lends its buffer.
#[derive(Clone, Copy)]
enum Lends {
    Bytes(usize),
    Nothing,
    Panic,
}

/// Receives into memory of its own.
struct Collector {
    lends: Lends,
    buffer: RefCell<[u8; 8]>,
    pieces: RefCell<Vec<String>>,
    lost: RefCell<Option<String>>,
}

impl Collector {
    fn lending(lends: Lends) -> Self {
        Self {
            lends,
            buffer: RefCell::default(),
            pieces: RefCell::default(),
            lost: RefCell::default(),
        }
    }
}

impl BaseProtocol for Collector {
    fn connection_lost(&self, exception: Option<&Exception>) {
        let how = exception.map_or("None".into(), kind_of);
        *self.lost.borrow_mut() = Some(how);
    }
}

impl BufferedProtocol for Collector {
    fn get_buffer(&self, _size_hint: usize, receive: &mut dyn FnMut(&mut [u8]) -> usize) {
        match self.lends {
            Lends::Bytes(length) => {
                let mut buffer = self.buffer.borrow_mut();
                receive(&mut buffer[..length]);
                // It receives once, whoever asks again.
                assert_eq!(receive(&mut buffer[length..]), 0);
            }
            Lends::Nothing => {}
            Lends::Panic => panic!("boom"),
        }
    }

    fn buffer_updated(&self, nbytes: usize) {
        let text = String::from_utf8_lossy(&self.buffer.borrow()[..nbytes]).into_owned();
        self.pieces.borrow_mut().push(text);
    }
}

#[test]
fn a_protocol_may_receive_into_memory_of_its_own() {
    on_each_selector(|| async {
        let (ours, mut peer) = pair();
        let collector = || Collector::lending(Lends::Bytes(4));
        let (transport, collector) = connect_accepted_socket(collector, ours).await?;
        peer.write_all(b"hello, world")?;
        drop(peer);
        until(|| collector.lost.borrow().is_some()).await?;
        assert_eq!(*collector.pieces.borrow(), ["hell", "o, w", "orld"]);
        assert_eq!(collector.lost.borrow().as_deref(), Some("None"));
        assert!(transport.get_protocol().is_none());
        Ok(())
    });
}

#[test]
fn a_protocol_that_lends_no_memory_loses_its_connection() {
    on_each_selector(|| async {
        for (lends, why) in [
            (Lends::Nothing, "get_buffer() returned an empty buffer"),
            (Lends::Panic, "panicked: boom"),
        ] {
            let trace = Trace::default();
            trace.log_reports()?;
            let (ours, mut peer) = pair();
            let collector = move || Collector::lending(lends);
            let (_transport, collector) = connect_accepted_socket(collector, ours).await?;
            peer.write_all(b"hello")?;
            until(|| collector.lost.borrow().is_some()).await?;
            assert_eq!(collector.lost.borrow().as_deref(), Some(why));
            let report = format!("report Fatal error: protocol.get_buffer() call failed. {why}");
            trace.check(&[&report]);
        }
        Ok(())
    });
}

#[test]
fn bytes_can_be_fed_to_either_kind_of_protocol() {
    let collector = Rc::new(Collector::lending(Lends::Bytes(5)));
    let any = AnyProtocol::Buffered(collector.clone());
    // What is received a second time would come twice.
    any.feed(b"hello, world").unwrap();
    assert_eq!(*collector.pieces.borrow(), ["hello", ", wor", "ld"]);
    assert!(any.downcast::<Collector>().is_some());
    assert!(any.downcast::<Recorder>().is_none());

    let nothing = Rc::new(Collector::lending(Lends::Nothing));
    let error = AnyProtocol::Buffered(nothing).feed(b"x").unwrap_err();
    assert_eq!(error.to_string(), "get_buffer() returned an empty buffer");
}

#[test]
fn a_new_limit_counts_at_once() {
    on_each_selector(|| async {
        let trace = Trace::default();
        let (ours, _peer) = pair();
        let recorder = Recorder::new(&trace);
        let (transport, _) = connect_accepted_socket(|| recorder, ours).await?;
        let limits = transport.get_write_buffer_limits();
        assert_eq!((limits.low(), limits.high()), (16 * 1024, 64 * 1024));
        transport.set_write_buffer_limits(WriteBufferLimits::with_high(2 * LARGE));
        transport.write(vec![0; LARGE])?;
        assert_eq!(trace.count("pause"), 0);
        transport.set_write_buffer_limits(WriteBufferLimits::with_high(0));
        assert_eq!(trace.count("pause"), 1);
        transport.abort();
        Ok(())
    });
}

#[test]
fn pieces_are_sent_in_their_order_whatever_is_in_front_of_them() {
    on_each_selector(|| async {
        let (ours, peer) = pair();
        let recorder = Recorder::new(&Trace::default());
        let (transport, _) = connect_accepted_socket(|| recorder, ours).await?;
        let mut expected = Vec::new();
        let pieces = |count: usize, length: usize| -> Vec<Vec<u8>> {
            (0..count)
                .map(|number| vec![number as u8; length])
                .collect()
        };
        // At once; more than fits; behind what waits; more pieces than one call takes.
        for lines in [
            pieces(3, 5),
            pieces(3, LARGE / 2),
            pieces(2, 10),
            pieces(3000, 100),
        ] {
            transport.writelines(&lines)?;
            expected.extend(lines.concat());
        }
        transport.writelines::<[&[u8]; 0]>([])?;
        transport.write_eof()?;
        assert!(transport.writelines(["x"]).is_err());
        let mut peer = peer;
        let read = move || {
            let mut all = Vec::new();
            peer.read_to_end(&mut all)?;
            Ok(all)
        };
        let all = get_running_loop()?.run_in_executor(None, read)?.await?;
        assert!(all == expected);
        Ok(())
    });
}

#[test]
fn another_protocol_can_take_over() {
    on_each_selector(|| async {
        let (ours, mut peer) = pair();
        let (first, second) = (Trace::default(), Trace::default());
        let recorder = Recorder::new(&first);
        let (transport, recorder) = connect_accepted_socket(|| recorder, ours).await?;
        assert!(Rc::ptr_eq(
            &transport.protocol::<Recorder>().unwrap(),
            &recorder
        ));
        peer.write_all(b"one")?;
        first.wait_for("soon after data").await?;
        let lost = Rc::new(Cell::new(false));
        let heard = lost.clone();
        transport.set_protocol(Rc::new(
            Recorder::new(&second).on("lost", move |_| heard.set(true)),
        ));
        peer.write_all(b"two")?;
        drop(peer);
        until(|| lost.get()).await?;
        first.check(&[
            "factory",
            "made",
            "soon after made",
            "data one",
            "soon after data",
        ]);
        second.check(&[
            "factory",
            "data two",
            "soon after data",
            "eof",
            "soon after eof",
            "lost None",
        ]);
        Ok(())
    });
}

/// Runs a program on two recorders that are connected in memory, under a virtual clock.
#[track_caller]
fn check_memory<F>(program: impl FnOnce((Transport, Trace), (Transport, Trace)) -> F + 'static)
where
    F: Future<Output = Result<()>> + 'static,
{
    let done = run_virtual(async move {
        let (here, there) = (Trace::default(), Trace::default());
        here.log_reports()?;
        let (near, far) = (Recorder::new(&here), Recorder::new(&there).keeping_open());
        let ((near, _), (far, _)) = create_memory_connection(|| near, || far).await?;
        sleep(Duration::from_secs(1)).await?;
        here.check(&["factory", "made", "soon after made"]);
        there.check(&["factory", "made", "soon after made"]);
        program((near, here), (far, there)).await
    });
    done.unwrap();
}

async fn idle() -> Result<()> {
    sleep(Duration::from_secs(1)).await
}

#[test]
fn memory_carries_what_is_written_and_its_end() {
    check_memory(async |(near, here), (far, there)| {
        near.write("hello")?;
        near.write("again")?;
        near.write_eof()?;
        assert!(near.write("x").is_err());
        idle().await?;
        there.check(&[
            "data hello",
            "soon after data",
            "data again",
            "soon after data",
            "eof",
            "soon after eof",
        ]);
        far.write("answer")?;
        far.close();
        idle().await?;
        here.check(&[
            "data answer",
            "soon after data",
            "eof",
            "soon after eof",
            "lost None",
            "soon after lost",
        ]);
        there.check(&["lost None", "soon after lost"]);
        Ok(())
    });
}

#[test]
fn memory_pauses_a_writer_whose_other_end_does_not_read() {
    check_memory(async |(near, here), (far, there)| {
        far.pause_reading();
        near.write(vec![b'x'; 100_000])?;
        near.write("more")?;
        near.close();
        idle().await?;
        here.check(&["pause", "soon after pause"]);
        there.check(&[]);
        assert_eq!(near.get_write_buffer_size(), 100_004);
        far.resume_reading();
        idle().await?;
        there.check(&[
            "data 100000",
            "soon after data",
            "data more",
            "soon after data",
            "eof",
            "soon after eof",
        ]);
        here.check(&[
            "resume",
            "soon after resume",
            "lost None",
            "soon after lost",
        ]);
        Ok(())
    });
}

#[test]
fn memory_that_nobody_reads_any_more_breaks() {
    check_memory(async |(near, here), (far, there)| {
        near.abort();
        idle().await?;
        here.check(&["lost None", "soon after lost"]);
        there.check(&["eof", "soon after eof"]);
        far.write("x")?;
        idle().await?;
        there.check(&["lost BrokenPipe", "soon after lost"]);
        assert!(far.is_closing());
        Ok(())
    });
}

/// Panics at the first bytes.
struct Fragile;

impl BaseProtocol for Fragile {}

impl Protocol for Fragile {
    fn data_received(&self, _data: &[u8]) {
        panic!("boom");
    }
}

#[test]
fn a_panic_closes_its_own_end_of_the_memory() {
    let done = run_virtual(async {
        let trace = Trace::default();
        trace.log_reports()?;
        let recorder = Recorder::new(&trace);
        let ((near, _), _far) = create_memory_connection(|| recorder, || Fragile).await?;
        near.write("x")?;
        idle().await?;
        trace.check(&[
            "factory",
            "made",
            "soon after made",
            "report Fatal error: protocol.data_received() call failed. panicked: boom",
            "eof",
            "soon after eof",
            "lost None",
            "soon after lost",
        ]);
        Ok(())
    });
    done.unwrap();
}

#[test]
fn streams_in_memory_wait_for_each_other() {
    let done = run_virtual(async {
        let ((reader, writer), (far_reader, far_writer)) = open_memory_connection().await?;
        let sending = create_task(async move {
            for _ in 0..100 {
                writer.write(vec![b'x'; 10_000])?;
                writer.drain().await?;
                assert!(writer.transport().get_write_buffer_size() <= 74 * 1024);
            }
            Ok(())
        })?;
        idle().await?;
        assert!(!sending.done());
        assert_eq!(far_reader.read_to_end().await?.len(), 1_000_000);
        sending.await?;
        // The writer is dropped, and its end closed with it; the other one is not.
        assert!(!far_writer.is_closing());
        far_writer.close();
        far_writer.wait_closed().await?;
        assert!(reader.at_eof());
        Ok(())
    });
    done.unwrap();
}
