//! What protocols are told over TLS, in CPython's order, and what transports do in between.
//!
//! Where both ends are in memory the clock is virtual.

mod certificates;
mod support;

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use bytes::Bytes;
use certificates::localhost;
use rondel_net::{
    BaseProtocol, BufferedProtocol, Connect, Listen, StreamReader, StreamWriter, Transport,
    WriteBufferLimits, create_memory_connection, open_memory_connection,
    tls::{TlsAcceptor, TlsConnector, start_tls},
};
use rondel_task::{
    EventLoop, Exception, Result, create_task, get_running_loop, run_virtual, sleep, wait_for,
};
use support::{Recorder, Trace, on_each_selector, until};

/// A connection in memory between two recorders that has been upgraded.
struct Secured {
    client: Transport,
    server: Transport,
    /// The transports underneath.
    client_under: Transport,
    server_under: Transport,
}

/// Upgrades a connection in memory.
async fn secured(
    client: Recorder,
    server: Recorder,
    (connector, acceptor): (TlsConnector, TlsAcceptor),
) -> Result<Secured> {
    let ((client_under, _), (server_under, _)) =
        create_memory_connection(|| client, || server).await?;
    let under = server_under.clone();
    let server = create_task(async move { start_tls(&under, acceptor).await })?;
    let client = start_tls(&client_under, connector).await?;
    let server = server.await?;
    Ok(Secured {
        client,
        server,
        client_under,
        server_under,
    })
}

/// Two traces, and protocols that write them and have been told that they are connected.
fn recorders() -> ((Trace, Recorder), (Trace, Recorder)) {
    let recorder = || {
        let trace = Trace::default();
        (trace.clone(), Recorder::new(&trace))
    };
    (recorder(), recorder())
}

/// What every trace begins with.
const CONNECTED: [&str; 3] = ["factory", "made", "soon after made"];

/// How a connection ends that ends well.
const FAREWELL: [&str; 4] = ["eof", "soon after eof", "lost None", "soon after lost"];

fn check(trace: &Trace, parts: &[&[&str]]) {
    trace.check(&parts.concat());
}

#[test]
fn both_are_told_of_a_farewell() {
    run_virtual(async {
        let ((client_trace, client), (server_trace, server)) = recorders();
        let ends = secured(client, server, localhost()).await?;
        ends.server.write("hello")?;
        ends.server.close();
        client_trace.wait_for("soon after lost").await?;
        server_trace.wait_for("soon after lost").await?;
        let data = ["data hello", "soon after data"];
        check(&client_trace, &[&CONNECTED, &data, &FAREWELL]);
        check(&server_trace, &[&CONNECTED, &FAREWELL]);
        assert!(ends.client.is_closing());
        assert!(ends.client.get_protocol().is_none());
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_protocol_hears_of_its_connection_when_the_handshake_is_over() {
    on_each_selector(|| async {
        let (connector, acceptor) = localhost();
        let (client_trace, server_trace) = (Trace::default(), Trace::default());
        let trace = server_trace.clone();
        let server = Listen::on("127.0.0.1:0")
            .tls(acceptor)
            .create_server(move || {
                Recorder::new(&trace).on("data", |it| {
                    it.transport().write("back").expect("it is open")
                })
            })
            .await?;
        let address = server.sockets()[0].getsockname()?;
        let trace = client_trace.clone();
        let (transport, _) = Connect::to(address)
            .tls(connector)
            .create_connection(move || {
                Recorder::new(&trace).on("made", |it| {
                    it.transport().write("there").expect("it is open")
                })
            })
            .await?;
        client_trace.log("connected");
        client_trace.wait_for("soon after data").await?;
        transport.close();
        client_trace.wait_for("soon after lost").await?;
        server_trace.wait_for("soon after lost").await?;
        let echo = ["connected", "data back", "soon after data"];
        check(&client_trace, &[&CONNECTED, &echo, &FAREWELL]);
        // The first bytes may have come with the last of the handshake.
        let lines = |trace: &Trace, word| trace.count(word);
        assert_eq!(lines(&server_trace, "data there"), 1);
        assert_eq!(lines(&server_trace, "lost None"), 1);
        server.close();
        server.wait_closed().await
    });
}

#[test]
fn an_end_without_a_farewell_is_an_end() {
    run_virtual(async {
        let ((client_trace, client), (server_trace, server)) = recorders();
        let ends = secured(client, server, localhost()).await?;
        ends.server.write("hello")?;
        ends.server_under.close();
        client_trace.wait_for("soon after lost").await?;
        let data = ["data hello", "soon after data"];
        check(&client_trace, &[&CONNECTED, &data, &FAREWELL]);
        let lost = ["lost None", "soon after lost"];
        check(&server_trace, &[&CONNECTED, &lost]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn what_comes_after_a_close_is_dropped() {
    run_virtual(async {
        let ((client_trace, client), (_, server)) = recorders();
        let ends = secured(client, server, localhost()).await?;
        ends.client.close();
        assert!(ends.client.is_closing());
        ends.client.close();
        ends.client.write("nobody sends this")?;
        ends.server.write("hello")?;
        client_trace.wait_for("soon after lost").await?;
        check(&client_trace, &[&CONNECTED, &FAREWELL]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn an_abort_says_nothing_and_waits_for_nobody() {
    run_virtual(async {
        let ((client_trace, client), (server_trace, server)) = recorders();
        let ends = secured(client, server, localhost()).await?;
        ends.client.abort();
        server_trace.wait_for("soon after lost").await?;
        check(&server_trace, &[&CONNECTED, &FAREWELL]);
        let lost = ["lost None", "soon after lost"];
        check(&client_trace, &[&CONNECTED, &lost]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_farewell_is_not_waited_for_for_ever() {
    run_virtual(async {
        let ((client_trace, client), (_, server)) = recorders();
        let ends = secured(client, server, localhost()).await?;
        ends.server_under.pause_reading();
        let begin = get_running_loop()?.time();
        ends.client.close();
        sleep(Duration::from_secs(29)).await?;
        check(&client_trace, &[&CONNECTED]);
        sleep(Duration::from_secs(2)).await?;
        let lost = ["lost timed out", "soon after lost"];
        check(&client_trace, &[&lost]);
        assert!(get_running_loop()?.time() - begin < Duration::from_secs(32));
        Ok(())
    })
    .unwrap();
}

#[test]
fn what_is_written_before_a_close_is_sent_also_through_a_slow_peer() {
    run_virtual(async {
        let ((_, client), (server_trace, server)) = recorders();
        let (connector, acceptor) = localhost();
        let connector = connector.ssl_shutdown_timeout(Duration::from_secs(3600));
        let ends = secured(client, server, (connector, acceptor)).await?;
        let received = Rc::new(Cell::new(0));
        ends.server
            .set_protocol(Rc::new(Counting(received.clone())));
        ends.server.pause_reading();
        ends.client.write(vec![0; 1_000_000])?;
        ends.client.close();
        sleep(Duration::from_secs(1800)).await?;
        assert_eq!(received.get(), 0);
        ends.server.resume_reading();
        until(|| ends.server.is_closing()).await?;
        assert_eq!(received.get(), 1_000_000);
        drop(server_trace);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_handshake_is_not_waited_for_for_ever() {
    run_virtual(async {
        let ((client_trace, client), (_, server)) = recorders();
        let ((under, _), _silent) = create_memory_connection(|| client, || server).await?;
        let event_loop = get_running_loop()?;
        let begin = event_loop.time();
        let error = start_tls(&under, localhost().0).await.unwrap_err();
        assert_eq!(event_loop.time() - begin, Duration::from_secs(60));
        assert_eq!(
            error.to_string(),
            "SSL handshake is taking longer than 60.0 seconds: aborting the connection"
        );
        client_trace.wait_for("soon after lost").await?;
        let lost = ["lost ConnectionAborted", "soon after lost"];
        check(&client_trace, &[&CONNECTED, &lost]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn an_upgrade_that_is_cancelled_closes_the_connection() {
    run_virtual(async {
        let ((client_trace, client), (_, server)) = recorders();
        let ((under, _), _silent) = create_memory_connection(|| client, || server).await?;
        let upgrade = async move { start_tls(&under, localhost().0).await };
        let late = wait_for(upgrade, Duration::from_secs(1)).await;
        assert!(late.unwrap_err().is_timeout());
        client_trace.wait_for("soon after lost").await?;
        let lost = ["lost None", "soon after lost"];
        check(&client_trace, &[&CONNECTED, &lost]);
        Ok(())
    })
    .unwrap();
}

/// Counts what it gets.
struct Counting(Rc<Cell<usize>>);

impl BaseProtocol for Counting {}

impl rondel_net::Protocol for Counting {
    fn data_received(&self, data: &[u8]) {
        self.0.set(self.0.get() + data.len());
    }
}

#[test]
fn a_writer_is_told_to_pause_while_its_peer_does_not_read() {
    run_virtual(async {
        let ((client_trace, client), (_, server)) = recorders();
        let ends = secured(client, server, localhost()).await?;
        let received = Rc::new(Cell::new(0));
        ends.server
            .set_protocol(Rc::new(Counting(received.clone())));
        ends.server.pause_reading();
        check(&client_trace, &[&CONNECTED]);

        let high = ends.client.get_write_buffer_limits().high();
        assert_eq!(high, 512 * 1024);
        let piece = vec![0; 10_000];
        let mut written = 0;
        while !client_trace.has("pause") {
            ends.client.write(&piece)?;
            written += piece.len();
            sleep(Duration::ZERO).await?;
            assert!(written < 1_000_000, "the buffers are bounded");
        }
        assert!(ends.client.get_write_buffer_size() > high);
        assert!(ends.client_under.get_write_buffer_size() < 200_000);
        ends.server.resume_reading();
        until(|| received.get() == written).await?;
        client_trace.wait_for("soon after resume").await?;
        assert_eq!(ends.client.get_write_buffer_size(), 0);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_limit_of_zero_pauses_by_what_waits() {
    run_virtual(async {
        let ((client_trace, client), (_, server)) = recorders();
        let ends = secured(client, server, localhost()).await?;
        check(&client_trace, &[&CONNECTED]);
        ends.server_under.pause_reading();
        ends.client
            .set_write_buffer_limits(WriteBufferLimits::with_high(0));
        // The transport underneath takes as much as it may.
        ends.client.write(vec![0; 60_000])?;
        assert!(!client_trace.has("pause"));
        ends.client.write(vec![0; 60_000])?;
        ends.client.write("x")?;
        assert!(client_trace.has("pause"));
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_protocol_pauses_after_each_reception_and_misses_nothing() {
    run_virtual(async {
        let ((_, client), (_, server)) = recorders();
        let ends = secured(client, server, localhost()).await?;
        let pausing = Rc::new(Pausing {
            transport: ends.server.clone(),
            received: RefCell::default(),
            receptions: Cell::new(0),
        });
        ends.server.set_protocol(Rc::clone(&pausing));
        let sent: Vec<u8> = (0..1_000_000_u32)
            .map(|place| (place % 251) as u8)
            .collect();
        ends.client.write(&sent)?;
        while pausing.received.borrow().len() < sent.len() {
            sleep(Duration::from_secs(1)).await?;
        }
        assert!(*pausing.received.borrow() == sent, "other bytes came");
        assert!(pausing.receptions.get() > 10);
        Ok(())
    })
    .unwrap();
}

/// Pauses whenever something comes, and reads again a little later.
struct Pausing {
    transport: Transport,
    received: RefCell<Vec<u8>>,
    receptions: Cell<u32>,
}

impl BaseProtocol for Pausing {}

impl rondel_net::Protocol for Pausing {
    fn data_received(&self, data: &[u8]) {
        assert!(self.transport.is_reading(), "it has paused");
        self.received.borrow_mut().extend_from_slice(data);
        self.receptions.set(self.receptions.get() + 1);
        self.transport.pause_reading();
        let transport = self.transport.clone();
        let event_loop = get_running_loop().expect("it runs");
        let later =
            event_loop.call_later(Duration::from_secs(1), move || transport.resume_reading());
        later.expect("it is open");
    }
}

#[test]
fn a_protocol_may_lend_its_own_memory() {
    run_virtual(async {
        let ((_, client), (_, server)) = recorders();
        let ends = secured(client, server, localhost()).await?;
        let lending = Rc::new(Lending::default());
        ends.server.set_protocol(Rc::clone(&lending));
        ends.client.write("the quick brown fox")?;
        ends.client.close();
        until(|| ends.server.is_closing()).await?;
        assert_eq!(*lending.received.borrow(), b"the quick brown fox");
        Ok(())
    })
    .unwrap();
}

/// Lends seven bytes at a time.
#[derive(Default)]
struct Lending {
    buffer: RefCell<[u8; 7]>,
    received: RefCell<Vec<u8>>,
}

impl BaseProtocol for Lending {}

impl BufferedProtocol for Lending {
    fn get_buffer(&self, _size_hint: usize, receive: &mut dyn FnMut(&mut [u8]) -> usize) {
        receive(&mut *self.buffer.borrow_mut());
    }

    fn buffer_updated(&self, nbytes: usize) {
        let buffer = self.buffer.borrow();
        self.received
            .borrow_mut()
            .extend_from_slice(&buffer[..nbytes]);
    }
}

#[test]
fn a_protocol_that_panics_loses_its_own_connection_only() {
    run_virtual(async {
        let ((client_trace, client), (_, server)) = recorders();
        client_trace.log_reports()?;
        let client = client
            .on("data", |_| panic!("no"))
            .on("lost", |_| panic!("never"));
        let ends = secured(client, server, localhost()).await?;
        check(&client_trace, &[&CONNECTED]);
        ends.server.write("hello")?;
        client_trace.wait_for("soon after lost").await?;
        client_trace.check(&[
            "data hello",
            "report Fatal error on SSL protocol panicked: no",
            "soon after data",
            "lost panicked: no",
            "report Fatal error: protocol.connection_lost() call failed. panicked: never",
            "soon after lost",
        ]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_protocol_that_panics_when_it_is_connected_is_no_connection() {
    on_each_selector(|| async {
        let (connector, acceptor) = localhost();
        let trace = Trace::default();
        trace.log_reports()?;
        let server = Listen::on("127.0.0.1:0")
            .tls(acceptor)
            .create_server({
                let trace = trace.clone();
                move || Recorder::new(&trace).on("made", |_| panic!("no"))
            })
            .await?;
        let address = server.sockets()[0].getsockname()?;
        let own = Trace::default();
        let failed = Connect::to(&address)
            .tls(connector.clone())
            .create_connection(|| Recorder::new(&own).on("made", |_| panic!("nor here")))
            .await;
        assert_eq!(
            failed.err().map(|error| error.to_string()).as_deref(),
            Some("panicked: nor here")
        );
        let (reader, _writer) = Connect::to(&address)
            .tls(connector)
            .open_connection()
            .await?;
        assert_eq!(reader.read_to_end().await.unwrap_or_default(), "");
        trace.wait_for("lost panicked: no").await?;
        assert!(
            trace.has("report Fatal error: protocol.connection_made() call failed. panicked: no")
        );
        server.close();
        server.wait_closed().await
    });
}

/// Passes on what comes, each byte by itself.
async fn trickle(reader: StreamReader, writer: StreamWriter) -> Result<()> {
    loop {
        let data = reader.read(1000).await?;
        if data.is_empty() {
            return Ok(());
        }
        for byte in data.chunks(1) {
            writer.write(byte)?;
        }
        writer.drain().await?;
    }
}

#[test]
fn a_peer_may_send_one_byte_at_a_time() {
    run_virtual(async {
        let (connector, acceptor) = localhost();
        let ((reader, writer), (near_reader, near_writer)) = open_memory_connection().await?;
        let ((far_reader, far_writer), (peer_reader, peer_writer)) =
            open_memory_connection().await?;
        create_task(trickle(near_reader, far_writer))?;
        create_task(trickle(far_reader, near_writer))?;
        let server = create_task(async move {
            peer_writer.start_tls(acceptor).await?;
            let line = peer_reader.readline().await?;
            peer_writer.write(line.to_ascii_uppercase())?;
            peer_writer.close();
            peer_writer.wait_closed().await
        })?;
        writer.start_tls(connector).await?;
        writer.write("hello\n")?;
        assert_eq!(reader.read_to_end().await?, "HELLO\n");
        server.await
    })
    .unwrap();
}

#[test]
fn a_peer_that_breaks_the_protocol_loses_the_connection() {
    run_virtual(async {
        let ((client_trace, client), (_, server)) = recorders();
        client_trace.log_reports()?;
        let ends = secured(client, server, localhost()).await?;
        check(&client_trace, &[&CONNECTED]);
        ends.server_under.write("this is no record of TLS")?;
        client_trace.wait_for("soon after lost").await?;
        let error = "lost received corrupt message of type InvalidContentType";
        client_trace.check(&[error, "soon after lost"]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_loop_that_closes_lets_go_of_both_sides() {
    let event_loop = EventLoop::new().unwrap();
    let dropped = Rc::new(Cell::new(0));
    let guard = Rc::clone(&dropped);
    let ended = event_loop.run_until_complete(async move {
        let (connector, acceptor) = localhost();
        let count = Rc::clone(&guard);
        let server = Listen::on("127.0.0.1:0")
            .tls(acceptor)
            .create_server(move || Holding::new(&count))
            .await?;
        let address = server.sockets()[0].getsockname()?;
        let connect = Connect::to(address).tls(connector);
        let (_, holding) = connect.create_connection(|| Holding::new(&guard)).await?;
        until(|| !holding.received.borrow().is_empty()).await
    });
    ended.unwrap();
    event_loop.close().unwrap();
    assert_eq!(dropped.get(), 2);
}

/// Holds its own transport, as protocols do, says hello and counts when it is dropped.
struct Holding {
    transport: RefCell<Option<Transport>>,
    received: RefCell<Bytes>,
    dropped: Rc<Cell<u32>>,
}

impl Holding {
    fn new(dropped: &Rc<Cell<u32>>) -> Self {
        Self {
            transport: RefCell::default(),
            received: RefCell::default(),
            dropped: Rc::clone(dropped),
        }
    }
}

impl BaseProtocol for Holding {
    fn connection_lost(&self, _exception: Option<&Exception>) {
        panic!("nobody is told");
    }
}

impl rondel_net::Protocol for Holding {
    fn connection_made(&self, transport: Transport) {
        transport.write("hello").expect("it is open");
        self.transport.replace(Some(transport));
    }

    fn data_received(&self, data: &[u8]) {
        self.received.replace(Bytes::copy_from_slice(data));
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        self.dropped.set(self.dropped.get() + 1);
    }
}

#[test]
fn a_transport_shows_what_it_is_on() {
    run_virtual(async {
        let ((_, client), (_, server)) = recorders();
        let ends = secured(client, server, localhost()).await?;
        let text = format!("{:?}", ends.client);
        assert_eq!(
            text,
            "<TlsTransport bufsize=0 on <MemoryTransport bufsize=0>>"
        );
        ends.client.close();
        let text = format!("{:?}", ends.client);
        assert!(text.starts_with("<TlsTransport closing"), "{text}");
        until(|| format!("{:?}", ends.client).starts_with("<TlsTransport closed")).await
    })
    .unwrap();
}
