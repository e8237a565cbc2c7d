//! In which order a protocol is told what: the traces are CPython 3.13's, of the same programs on a socket pair.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;

use std::{
    io::{Read as _, Write as _},
    net::Shutdown,
    os::unix::net::UnixStream,
    rc::Rc,
};

use rondel_net::{Connect, Transport};
use rondel_task::{Result, get_running_loop};
use socket2::Socket;
use support::{Recorder, Trace, on_each_selector};

/// More than a socket takes at once.
const LARGE: usize = 10_000_000;

/// What a program has: the transport, its protocol, the other end, and the trace.
struct Scene {
    transport: Transport,
    protocol: Rc<Recorder>,
    peer: UnixStream,
    trace: Trace,
}

/// Connects a protocol, has the program act, and compares the trace from the connection on.
#[track_caller]
fn check<F>(
    recorder: impl Fn(Recorder) -> Recorder + Copy + 'static,
    program: impl Fn(Scene) -> F + Copy + 'static,
    expected: &'static [&'static str],
) where
    F: Future<Output = Result<()>> + 'static,
{
    on_each_selector(move || async move {
        let trace = Trace::default();
        trace.log_reports()?;
        let (ours, peer) = UnixStream::pair()?;
        let factory_trace = trace.clone();
        let (transport, protocol) = Connect::with_socket(Socket::from(ours))
            .create_connection(move || recorder(Recorder::new(&factory_trace)))
            .await?;
        trace.log("connected");
        trace.ticks(2).await?;
        program(Scene {
            transport,
            protocol,
            peer,
            trace: trace.clone(),
        })
        .await?;
        trace.check(expected);
        Ok(())
    });
}

/// Reads all that comes, in a thread, and tells how much it was.
async fn drain(peer: &UnixStream) -> Result<usize> {
    let mut peer = peer.try_clone()?;
    let read = move || {
        let mut all = Vec::new();
        Ok(peer.read_to_end(&mut all)?)
    };
    get_running_loop()?.run_in_executor(None, read)?.await
}

/// Reads what there is, without waiting for more.
fn read_now(mut peer: &UnixStream) -> String {
    let mut buffer = [0; 16];
    let length = peer.read(&mut buffer).expect("it is not closed");
    String::from_utf8_lossy(&buffer[..length]).into_owned()
}

#[test]
fn a_connection_is_made_before_its_maker_goes_on() {
    check(
        |recorder| {
            recorder.on("made", |it| {
                it.transport().write("hello").expect("it is open")
            })
        },
        async |scene| {
            assert_eq!(read_now(&scene.peer), "hello");
            Ok(())
        },
        &[
            "factory",
            "made",
            "soon after made",
            "connected",
            "tick 0",
            "tick 1",
        ],
    );
}

#[test]
fn closing_loses_the_connection_in_the_next_iteration() {
    check(
        |recorder| recorder,
        async |Scene {
                   transport, trace, ..
               }| {
            trace.log("close");
            transport.close();
            trace.log(format_args!("closed {}", transport.is_closing()));
            trace.ticks(2).await
        },
        &[
            "factory",
            "made",
            "soon after made",
            "connected",
            "tick 0",
            "tick 1", //
            "close",
            "closed true",
            "lost None",
            "tick 0",
            "soon after lost",
            "tick 1",
        ],
    );
}

#[test]
fn a_protocol_may_close_as_soon_as_it_is_connected() {
    check(
        |recorder| recorder.on("made", |it| it.transport().close()),
        async |_| Ok(()),
        &[
            "factory",
            "made",
            "soon after made",
            "lost None",
            "connected",
            "soon after lost",
            "tick 0",
            "tick 1",
        ],
    );
}

#[test]
fn aborting_throws_away_what_is_buffered() {
    check(
        |recorder| recorder,
        async |Scene {
                   transport, trace, ..
               }| {
            transport.write(vec![b'x'; LARGE])?;
            assert!(transport.get_write_buffer_size() > 0);
            transport.abort();
            assert_eq!(transport.get_write_buffer_size(), 0);
            trace.ticks(2).await
        },
        &[
            "factory",
            "made",
            "soon after made",
            "connected",
            "tick 0",
            "tick 1", //
            "pause",
            "soon after pause",
            "lost None",
            "tick 0",
            "soon after lost",
            "tick 1",
        ],
    );
}

#[test]
fn what_comes_is_received_before_its_end() {
    check(
        |recorder| recorder,
        async |Scene {
                   mut peer, trace, ..
               }| {
            peer.write_all(b"hello")?;
            trace.wait_for("soon after data").await?;
            peer.write_all(b"bye")?;
            drop(peer);
            trace.wait_for("soon after lost").await
        },
        &[
            "factory",
            "made",
            "soon after made",
            "connected",
            "tick 0",
            "tick 1", //
            "data hello",
            "soon after data",
            "data bye",
            "soon after data",
            "eof",
            "soon after eof",
            "lost None",
            "soon after lost",
        ],
    );
}

#[test]
fn a_connection_that_is_kept_open_can_be_written_to_after_the_end() {
    check(
        Recorder::keeping_open,
        async |Scene {
                   transport,
                   peer,
                   trace,
                   ..
               }| {
            peer.shutdown(Shutdown::Write)?;
            trace.wait_for("soon after eof").await?;
            assert!(!transport.is_closing());
            transport.write("more")?;
            assert_eq!(read_now(&peer), "more");
            transport.close();
            trace.ticks(2).await
        },
        &[
            "factory",
            "made",
            "soon after made",
            "connected",
            "tick 0",
            "tick 1", //
            "eof",
            "soon after eof",
            "lost None",
            "tick 0",
            "soon after lost",
            "tick 1",
        ],
    );
}

#[test]
fn a_panic_in_data_received_closes_the_connection() {
    check(
        |recorder| recorder.on("data", |_| panic!("boom")),
        async |Scene {
                   mut peer, trace, ..
               }| {
            peer.write_all(b"hello")?;
            trace.wait_for("soon after lost").await?;
            assert_eq!(read_now(&peer), "");
            Ok(())
        },
        &[
            "factory",
            "made",
            "soon after made",
            "connected",
            "tick 0",
            "tick 1", //
            "data hello",
            "report Fatal error: protocol.data_received() call failed. panicked: boom",
            "soon after data",
            "lost panicked: boom",
            "soon after lost",
        ],
    );
}

#[test]
fn a_panic_in_eof_received_closes_the_connection() {
    check(
        |recorder| recorder.on("eof", |_| panic!("boom")),
        async |Scene { peer, trace, .. }| {
            peer.shutdown(Shutdown::Write)?;
            trace.wait_for("soon after lost").await
        },
        &[
            "factory",
            "made",
            "soon after made",
            "connected",
            "tick 0",
            "tick 1", //
            "eof",
            "report Fatal error: protocol.eof_received() call failed. panicked: boom",
            "soon after eof",
            "lost panicked: boom",
            "soon after lost",
        ],
    );
}

/// CPython reports it as an exception in a callback.
#[test]
fn a_panic_in_connection_lost_leaves_nothing_open() {
    check(
        |recorder| recorder.on("lost", |_| panic!("boom")),
        async |Scene {
                   transport,
                   peer,
                   trace,
                   ..
               }| {
            transport.close();
            trace.ticks(2).await?;
            assert_eq!(read_now(&peer), "");
            Ok(())
        },
        &[
            "factory",
            "made",
            "soon after made",
            "connected",
            "tick 0",
            "tick 1", //
            "lost None",
            "report Fatal error: protocol.connection_lost() call failed. panicked: boom",
            "tick 0",
            "soon after lost",
            "tick 1",
        ],
    );
}

/// CPython reports it and goes on with the connection.
#[test]
fn a_panic_in_connection_made_closes_the_connection() {
    check(
        |recorder| recorder.on("made", |_| panic!("boom")),
        async |_| Ok(()),
        &[
            "factory",
            "made",
            "report Fatal error: protocol.connection_made() call failed. panicked: boom",
            "soon after made",
            "lost panicked: boom",
            "connected",
            "soon after lost",
            "tick 0",
            "tick 1",
        ],
    );
}

#[test]
fn a_protocol_is_paused_inside_write_and_resumed_when_it_is_sent() {
    check(
        |recorder| recorder,
        async |Scene {
                   transport,
                   peer,
                   trace,
                   ..
               }| {
            trace.log("write");
            transport.write(vec![b'x'; LARGE])?;
            trace.log("written");
            transport.close();
            trace.log("closing");
            trace.ticks(1).await?;
            let length = drain(&peer).await?;
            trace.log(format_args!("peer got {length}"));
            Ok(())
        },
        &[
            "factory",
            "made",
            "soon after made",
            "connected",
            "tick 0",
            "tick 1", //
            "write",
            "pause",
            "written",
            "closing",
            "soon after pause",
            "tick 0",
            "resume",
            "lost None",
            "soon after resume",
            "soon after lost",
            "peer got 10000000",
        ],
    );
}

#[test]
fn a_panic_in_pause_writing_is_reported_and_nothing_else() {
    check(
        |recorder| recorder.on("pause", |_| panic!("boom")),
        async |Scene {
                   transport, trace, ..
               }| {
            transport.write(vec![b'x'; LARGE])?;
            trace.log(format_args!("written {}", transport.is_closing()));
            transport.abort();
            trace.ticks(2).await
        },
        &[
            "factory",
            "made",
            "soon after made",
            "connected",
            "tick 0",
            "tick 1", //
            "pause",
            "report protocol.pause_writing() failed panicked: boom",
            "written false",
            "soon after pause",
            "lost None",
            "tick 0",
            "soon after lost",
            "tick 1",
        ],
    );
}

#[test]
fn writing_to_a_peer_that_is_gone_loses_the_connection() {
    check(
        |recorder| recorder,
        async |Scene {
                   transport,
                   peer,
                   trace,
                   ..
               }| {
            drop(peer);
            transport.write("x")?;
            trace.log("written");
            trace.wait_for("soon after lost").await
        },
        &[
            "factory",
            "made",
            "soon after made",
            "connected",
            "tick 0",
            "tick 1", //
            "written",
            "lost BrokenPipe",
            "soon after lost",
        ],
    );
}

#[test]
fn writing_ends_and_reading_goes_on() {
    check(
        |recorder| recorder,
        async |Scene {
                   transport,
                   mut peer,
                   trace,
                   ..
               }| {
            transport.write("hello")?;
            transport.write_eof()?;
            assert_eq!(read_now(&peer), "hello");
            assert_eq!(read_now(&peer), "");
            trace.log(transport.write("x").unwrap_err());
            peer.write_all(b"answer")?;
            trace.wait_for("soon after data").await?;
            transport.close();
            trace.ticks(2).await
        },
        &[
            "factory",
            "made",
            "soon after made",
            "connected",
            "tick 0",
            "tick 1", //
            "cannot call write() after write_eof()",
            "data answer",
            "soon after data",
            "lost None",
            "tick 0",
            "soon after lost",
            "tick 1",
        ],
    );
}

#[test]
fn writing_ends_after_what_is_buffered() {
    check(
        |recorder| recorder,
        async |Scene {
                   transport,
                   peer,
                   trace,
                   ..
               }| {
            transport.write(vec![b'x'; LARGE])?;
            transport.write_eof()?;
            trace.log("eof set");
            trace.ticks(1).await?;
            trace.log(format_args!("peer got {}", drain(&peer).await?));
            assert!(!transport.is_closing());
            Ok(())
        },
        &[
            "factory",
            "made",
            "soon after made",
            "connected",
            "tick 0",
            "tick 1", //
            "pause",
            "eof set",
            "soon after pause",
            "tick 0",
            "resume",
            "soon after resume",
            "peer got 10000000",
        ],
    );
}

#[test]
fn nothing_is_received_while_reading_is_paused() {
    check(
        |recorder| recorder.on("made", |it| it.transport().pause_reading()),
        async |Scene {
                   transport,
                   mut peer,
                   trace,
                   protocol,
               }| {
            peer.write_all(b"hello")?;
            trace.ticks(3).await?;
            assert!(!transport.is_reading());
            transport.resume_reading();
            trace.wait_for("soon after data").await?;
            assert!(protocol.transport().is_reading());
            peer.write_all(b"more")?;
            transport.pause_reading();
            trace.ticks(3).await?;
            transport.close();
            trace.ticks(2).await
        },
        &[
            "factory",
            "made",
            "soon after made",
            "connected",
            "tick 0",
            "tick 1", //
            "tick 0",
            "tick 1",
            "tick 2",
            "data hello",
            "soon after data",
            "tick 0",
            "tick 1",
            "tick 2",
            "lost None",
            "tick 0",
            "soon after lost",
            "tick 1",
        ],
    );
}

#[test]
fn what_is_written_after_closing_is_thrown_away() {
    check(
        |recorder| recorder,
        async |Scene {
                   transport,
                   peer,
                   trace,
                   ..
               }| {
            transport.close();
            transport.write("x")?;
            trace.ticks(2).await?;
            assert_eq!(read_now(&peer), "");
            Ok(())
        },
        &[
            "factory",
            "made",
            "soon after made",
            "connected",
            "tick 0",
            "tick 1", //
            "lost None",
            "tick 0",
            "soon after lost",
            "tick 1",
        ],
    );
}
