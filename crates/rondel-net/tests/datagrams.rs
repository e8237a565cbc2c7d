//! Datagram endpoints: the order of what a protocol is told, compared with CPython 3.13, and what is kept when the system is full.

mod support;

use std::{
    cell::{OnceCell, RefCell},
    fs,
    net::UdpSocket,
    os::unix::net::{UnixDatagram, UnixListener},
    rc::Rc,
    time::Duration,
};

use rondel_net::{
    BaseProtocol, DatagramEndpoint, DatagramProtocol, DatagramTransport, SocketName,
    WriteBufferLimits, create_datagram_endpoint,
    extra_info::{Peername, Socket as SocketKey, Sockname},
};
use rondel_task::{EventLoop, Exception, Future, Result, ValueError, get_running_loop, run, sleep};
use socket2::{Domain, Socket, Type};
use support::{TestResult, on_every_backend};
use tempfile::tempdir;

/// What the protocols of a test were told, in order.
#[derive(Clone, Default)]
struct Log(Rc<RefCell<Shared>>);

#[derive(Default)]
struct Shared {
    events: Vec<String>,
    /// Done when there is one more event.
    next: Option<Future<()>>,
}

impl Log {
    fn add(&self, event: impl Into<String>) {
        let next = {
            let mut shared = self.0.borrow_mut();
            shared.events.push(event.into());
            shared.next.take()
        };
        if let Some(next) = next {
            let _ = next.set_result(());
        }
    }

    /// Waits until there are so many events.
    async fn until(&self, count: usize) -> Result<()> {
        while self.0.borrow().events.len() < count {
            let next = get_running_loop()?.create_future();
            self.0.borrow_mut().next = Some(next.clone());
            next.await?;
        }
        Ok(())
    }

    #[track_caller]
    fn saw(&self, expected: &[&str]) {
        assert_eq!(self.0.borrow().events, expected);
    }
}

/// Tells the log everything.
struct Telling {
    name: &'static str,
    log: Log,
    transport: OnceCell<DatagramTransport>,
}

impl Telling {
    fn new(name: &'static str, log: &Log) -> Self {
        Self {
            name,
            log: log.clone(),
            transport: OnceCell::new(),
        }
    }

    fn tell(&self, what: impl std::fmt::Display) {
        self.log.add(format!("{} {what}", self.name));
    }

    fn size(&self) -> usize {
        let transport = self.transport.get();
        transport.map_or(0, DatagramTransport::get_write_buffer_size)
    }
}

impl BaseProtocol for Telling {
    fn connection_lost(&self, exception: Option<&Exception>) {
        self.tell(format_args!("lost {exception:?}"));
    }

    fn pause_writing(&self) {
        self.tell(format_args!("pause {}", self.size()));
    }

    fn resume_writing(&self) {
        self.tell(format_args!("resume {}", self.size()));
    }
}

impl DatagramProtocol for Telling {
    fn connection_made(&self, transport: DatagramTransport) {
        self.tell(format_args!("made closing={}", transport.is_closing()));
        let _ = self.transport.set(transport);
    }

    fn datagram_received(&self, data: &[u8], _sender: &SocketName) {
        self.tell(format_args!("received {:?}", String::from_utf8_lossy(data)));
    }

    fn error_received(&self, exception: &Exception) {
        let kind = exception.downcast_ref::<std::io::Error>();
        self.tell(format_args!("error {:?}", kind.map(std::io::Error::kind)));
    }
}

fn nobody() -> Exception {
    Exception::msg("it has no name")
}

/// The trace is CPython's, of the same program.
#[test]
fn a_server_and_a_client_are_told_in_cpythons_order() -> TestResult {
    on_every_backend(|| async {
        let log = Log::default();
        let tick = log.clone();
        get_running_loop()?.call_soon(move || tick.add("tick"))?;
        let (server, _) = create_datagram_endpoint(
            || Telling::new("server", &log),
            DatagramEndpoint::local(("127.0.0.1", 0)),
        )
        .await?;
        log.add("server there");
        let address = server.get_extra_info(Sockname).ok_or_else(nobody)?;
        let (client, _) = create_datagram_endpoint(
            || Telling::new("client", &log),
            DatagramEndpoint::remote(&address),
        )
        .await?;
        log.add("client there");
        assert_eq!(client.get_extra_info(Peername), Some(address.clone()));
        assert_eq!(server.get_extra_info(Peername), None);

        client.send("one")?;
        client.send("")?;
        client.sendto("two", &address)?;
        let elsewhere = SocketName::from(std::net::SocketAddr::from(([127, 0, 0, 1], 1)));
        let refused: Result<(), ValueError> = client.sendto("x", elsewhere);
        let text = refused.map_err(|error| error.to_string());
        assert_eq!(text, Err(format!("invalid address: must be {address}")));
        log.until(8).await?;
        server.sendto("back", client.get_extra_info(Sockname).ok_or_else(nobody)?)?;
        log.until(9).await?;

        server.close();
        assert!(server.is_closing());
        log.until(10).await?;
        client.send("nobody")?;
        log.until(11).await?;
        client.abort();
        client.send("late")?;
        log.until(12).await?;
        assert!(client.get_protocol().is_none());
        log.saw(&[
            "tick",
            "server made closing=false",
            "server there",
            "client made closing=false",
            "client there",
            "server received \"one\"",
            "server received \"\"",
            "server received \"two\"",
            "client received \"back\"",
            "server lost None",
            "client error Some(ConnectionRefused)",
            "client lost None",
        ]);
        Ok(())
    })
}

/// The events are CPython's; its sizes are, up to the header that it forgets to take away.
#[test]
fn what_the_system_does_not_take_is_kept_and_the_protocol_paused() -> TestResult {
    on_every_backend(|| async {
        let folder = tempdir()?;
        let path = folder.path().join("slow");
        let slow = UnixDatagram::bind(&path)?;
        slow.set_nonblocking(true)?;
        let log = Log::default();
        let (transport, _) = create_datagram_endpoint(
            || Telling::new("sender", &log),
            DatagramEndpoint::remote(&path),
        )
        .await?;
        assert_eq!(
            transport.get_extra_info(Peername),
            Some(SocketName::Path(path.into()))
        );
        transport.set_write_buffer_limits(WriteBufferLimits::new(1000, 3000)?);

        let (mut sent, block) = (0, [b'x'; 1000]);
        while transport.get_write_buffer_size() == 0 {
            transport.send(block)?;
            sent += 1;
        }
        for _ in 0..3 {
            transport.send(block)?;
        }
        assert_eq!(transport.get_write_buffer_size(), 4 * 1008);
        transport.close();
        assert!(
            format!("{transport:?}").contains(" closing "),
            "{transport:?}"
        );

        let mut received = 0;
        let mut buffer = [0; 2000];
        while received < sent + 3 {
            match slow.recv(&mut buffer) {
                Ok(length) => {
                    assert_eq!(length, 1000);
                    received += 1;
                }
                Err(_) => sleep(Duration::ZERO).await?,
            }
        }
        log.until(4).await?;
        log.saw(&[
            "sender made closing=false",
            "sender pause 3024",
            "sender resume 0",
            "sender lost None",
        ]);
        assert_eq!(format!("{transport:?}"), "<DatagramTransport closed>");
        Ok(())
    })
}

#[test]
fn aborting_throws_away_what_is_kept() -> TestResult {
    on_every_backend(|| async {
        let folder = tempdir()?;
        let path = folder.path().join("slow");
        let _slow = UnixDatagram::bind(&path)?;
        let log = Log::default();
        let (transport, _) = create_datagram_endpoint(
            || Telling::new("sender", &log),
            DatagramEndpoint::remote(&path),
        )
        .await?;
        while transport.get_write_buffer_size() == 0 {
            transport.send([b'x'; 1000])?;
        }
        transport.abort();
        assert_eq!(transport.get_write_buffer_size(), 0);
        log.until(2).await?;
        log.saw(&["sender made closing=false", "sender lost None"]);
        for _ in 0..10 {
            transport.send("into the void")?;
        }
        Ok(())
    })
}

#[test]
fn unix_endpoints_answer_by_path_and_replace_a_stale_one() -> TestResult {
    on_every_backend(|| async {
        let folder = tempdir()?;
        let (here, there) = (folder.path().join("here"), folder.path().join("there"));
        drop(UnixListener::bind(&there)?);
        assert!(there.exists(), "it was left over");
        let log = Log::default();
        let (server, _) = create_datagram_endpoint(
            || Telling::new("server", &log),
            DatagramEndpoint::local(&there),
        )
        .await?;
        let both = DatagramEndpoint::local(&here).remote_address(&there);
        let (client, _) = create_datagram_endpoint(|| Telling::new("client", &log), both).await?;
        client.send("question")?;
        log.until(3).await?;
        server.sendto("answer", SocketName::Path(here.into()))?;
        log.until(4).await?;
        log.saw(&[
            "server made closing=false",
            "client made closing=false",
            "server received \"question\"",
            "client received \"answer\"",
        ]);

        // What is no socket is not removed.
        let file = folder.path().join("file");
        fs::write(&file, "precious")?;
        let refused = create_datagram_endpoint(
            || Telling::new("never", &log),
            DatagramEndpoint::local(&file),
        );
        assert!(refused.await.is_err());
        assert_eq!(fs::read_to_string(&file)?, "precious");
        Ok(())
    })
}

#[test]
fn options_of_the_socket_are_set_before_it_is_bound() -> TestResult {
    on_every_backend(|| async {
        let log = Log::default();
        let shared = DatagramEndpoint::local(("127.0.0.1", 0)).reuse_port();
        let (one, _) = create_datagram_endpoint(|| Telling::new("one", &log), shared).await?;
        let address = one.get_extra_info(Sockname).ok_or_else(nobody)?;
        let shared = DatagramEndpoint::local(&address).reuse_port();
        let (two, _) = create_datagram_endpoint(|| Telling::new("two", &log), shared).await?;
        assert_eq!(two.get_extra_info(Sockname), Some(address.clone()));
        let alone = DatagramEndpoint::local(&address);
        assert!(
            create_datagram_endpoint(|| Telling::new("never", &log), alone)
                .await
                .is_err()
        );

        let wide = DatagramEndpoint::remote(&address).allow_broadcast();
        let (wide, _) = create_datagram_endpoint(|| Telling::new("wide", &log), wide).await?;
        assert_eq!(wide.get_extra_info(Peername), None, "it is not connected");
        let socket = wide.get_extra_info(SocketKey).ok_or_else(nobody)?;
        assert!(socket.with(|socket| socket.broadcast())??);
        wide.send("to its one address")?;
        log.until(4).await
    })
}

#[test]
fn a_given_socket_is_taken_as_it_is() -> TestResult {
    on_every_backend(|| async {
        let log = Log::default();
        let given = || -> Result<_> { Ok(Socket::from(UdpSocket::bind("127.0.0.1:0")?)) };
        let endpoint = DatagramEndpoint::socket(given()?);
        let (transport, protocol) =
            create_datagram_endpoint(|| Telling::new("given", &log), endpoint).await?;
        let address = transport.get_extra_info(Sockname).ok_or_else(nobody)?;
        transport.sendto("to myself", &address)?;
        log.until(2).await?;
        log.saw(&["given made closing=false", "given received \"to myself\""]);
        assert!(protocol.transport.get().is_some());
        let refused = transport
            .send("where to?")
            .map_err(|error| error.to_string());
        let text = "the endpoint has no remote address: say where to send to";
        assert_eq!(refused, Err(text.to_owned()));

        let refuse = async |endpoint: DatagramEndpoint| {
            let never = create_datagram_endpoint(|| Telling::new("never", &log), endpoint).await;
            never
                .err()
                .map(|error| error.to_string())
                .unwrap_or_default()
        };
        let stream = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        let text = refuse(DatagramEndpoint::socket(stream)).await;
        assert!(
            text.starts_with("A datagram socket was expected, got "),
            "{text}"
        );
        let text = refuse(DatagramEndpoint::socket(given()?).reuse_port()).await;
        assert_eq!(
            text,
            "nothing about a socket can be chosen when it is given"
        );
        let apart = DatagramEndpoint::local(("127.0.0.1", 0)).remote_address(("::1", 1));
        assert_eq!(refuse(apart).await, "can not get address information");
        Ok(())
    })
}

#[test]
fn an_endpoint_without_addresses_gets_one_when_it_sends() -> TestResult {
    on_every_backend(|| async {
        let log = Log::default();
        let here = DatagramEndpoint::local(("127.0.0.1", 0));
        let (server, _) = create_datagram_endpoint(|| Telling::new("server", &log), here).await?;
        let address = server.get_extra_info(Sockname).ok_or_else(nobody)?;
        let unbound = DatagramEndpoint::unbound(Domain::IPV4);
        let (client, _) =
            create_datagram_endpoint(|| Telling::new("client", &log), unbound).await?;
        client.sendto("hello", &address)?;
        log.until(3).await
    })
}

/// A protocol that panics at every datagram.
struct Panicking(Log);

impl BaseProtocol for Panicking {}

impl DatagramProtocol for Panicking {
    fn datagram_received(&self, data: &[u8], _sender: &SocketName) {
        self.0.add("received");
        assert!(data.is_empty(), "not what I wanted");
    }
}

#[test]
fn a_protocol_that_panics_is_reported_and_its_endpoint_stays_open() -> TestResult {
    on_every_backend(|| async {
        let log = Log::default();
        let event_loop = get_running_loop()?;
        let reports = log.clone();
        event_loop.set_exception_handler(Some(
            move |_: &EventLoop, context: &rondel_reactor::ExceptionContext| {
                reports.add(context.message().to_owned());
            },
        ));
        let here = DatagramEndpoint::local(("127.0.0.1", 0));
        let (transport, _) = create_datagram_endpoint(|| Panicking(log.clone()), here).await?;
        let address = transport.get_extra_info(Sockname).ok_or_else(nobody)?;
        transport.sendto("wrong", &address)?;
        log.until(2).await?;
        transport.sendto("", &address)?;
        log.until(3).await?;
        let report = "Fatal error: protocol.datagram_received() call failed.";
        log.saw(&["received", report, "received"]);
        Ok(())
    })
}

#[test]
fn a_loop_that_closes_lets_go_of_its_endpoints() {
    let log = Log::default();
    let told = log.clone();
    let protocol = run(async move {
        let here = DatagramEndpoint::local(("127.0.0.1", 0));
        let (transport, protocol) =
            create_datagram_endpoint(|| Telling::new("left", &told), here).await?;
        // Left open, and known to its protocol: a cycle.
        drop(transport);
        Ok(Rc::downgrade(&protocol))
    });
    log.saw(&["left made closing=false"]);
    assert!(protocol.expect("it was opened").upgrade().is_none());
}
