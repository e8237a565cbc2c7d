//! TLS connections that do not come about, or should not: each fails with what is the matter, and the server goes on.

mod certificates;
mod support;

use std::{
    io::{self, Write as _},
    time::Duration,
};

use certificates::{Authority, localhost};
use rondel_net::{
    Connect, Listen, Server, open_connection, start_server,
    tls::{TlsAcceptor, TlsConnector, rustls},
};
use rondel_task::{Exception, Result, ValueError, create_task, run, sleep};
use rustls::{AlertDescription, CertificateError, Error};
use support::{Recorder, Trace, kind_of};

/// A server that writes down what its protocols are told, and the trace.
async fn traced_server(acceptor: TlsAcceptor) -> Result<(Server, Trace)> {
    let trace = Trace::default();
    trace.log_reports()?;
    let protocols = trace.clone();
    let server = Listen::on("127.0.0.1:0")
        .tls(acceptor)
        .create_server(move || Recorder::new(&protocols))
        .await?;
    Ok((server, trace))
}

fn to(server: &Server) -> Connect {
    Connect::to(server.sockets()[0].getsockname().expect("it has a name"))
}

/// Connects in vain.
async fn refused(server: &Server, connector: TlsConnector) -> Exception {
    let connected = to(server).tls(connector).open_connection().await;
    connected.expect_err("it is refused")
}

/// The server has made a protocol and told it nothing, and still serves.
async fn check_that_it_goes_on(server: &Server, trace: &Trace, good: TlsConnector) -> Result<()> {
    server.close_clients();
    trace.check(&["factory"]);
    let (_reader, writer) = to(server).tls(good).open_connection().await?;
    trace.wait_for("made").await?;
    writer.close();
    writer.wait_closed().await?;
    server.close();
    server.wait_closed().await
}

fn certificate_error(error: &Exception) -> &CertificateError {
    match error.downcast_ref::<Error>() {
        Some(Error::InvalidCertificate(error)) => error,
        _ => panic!("{error:?}"),
    }
}

#[test]
fn a_certificate_for_another_name() {
    run(async {
        let (connector, acceptor) = localhost();
        let (server, trace) = traced_server(acceptor).await?;
        let error = refused(&server, connector.clone().server_hostname("elsewhere")).await;
        assert!(
            matches!(
                certificate_error(&error),
                CertificateError::NotValidForNameContext { .. }
            ),
            "{error:?}"
        );
        // An address is a name, too.
        let error = refused(&server, connector.clone().server_hostname("127.0.0.1")).await;
        certificate_error(&error);
        trace.check(&["factory", "factory"]);
        trace.log("factory");
        check_that_it_goes_on(&server, &trace, connector).await
    })
    .unwrap();
}

#[test]
fn a_certificate_that_has_expired() {
    run(async {
        let authority = Authority::new();
        let acceptor = authority.issue_expired("localhost").acceptor();
        let (server, trace) = traced_server(acceptor).await?;
        let connector = authority.connector().server_hostname("localhost");
        let error = refused(&server, connector.clone()).await;
        assert!(
            matches!(
                certificate_error(&error),
                CertificateError::ExpiredContext { .. }
            ),
            "{error:?}"
        );
        let careless = connector.danger_accept_any_certificate();
        check_that_it_goes_on(&server, &trace, careless).await
    })
    .unwrap();
}

#[test]
fn a_certificate_of_an_authority_that_is_not_trusted() {
    run(async {
        let (connector, acceptor) = localhost();
        let (server, trace) = traced_server(acceptor).await?;
        let stranger = Authority::new().connector().server_hostname("localhost");
        let error = refused(&server, stranger).await;
        assert!(
            matches!(
                certificate_error(&error),
                CertificateError::UnknownIssuer | CertificateError::BadSignature
            ),
            "{error:?}"
        );
        check_that_it_goes_on(&server, &trace, connector).await
    })
    .unwrap();
}

#[test]
fn nothing_that_both_ends_speak() {
    run(async {
        let (connector, acceptor) = localhost();
        let (server, trace) = traced_server(acceptor.alpn_protocols(["a"])).await?;
        let error = refused(&server, connector.clone().alpn_protocols(["b"])).await;
        assert!(
            matches!(
                error.downcast_ref(),
                Some(Error::AlertReceived(
                    AlertDescription::NoApplicationProtocol
                ))
            ),
            "{error:?}"
        );
        check_that_it_goes_on(&server, &trace, connector).await
    })
    .unwrap();
}

#[test]
fn plain_text_to_a_server_that_speaks_tls() {
    run(async {
        let (connector, acceptor) = localhost();
        let (server, trace) = traced_server(acceptor).await?;
        let address = server.sockets()[0].getsockname()?;
        let (reader, writer) = open_connection(address).await?;
        writer.write("GET / HTTP/1.0\r\n\r\n")?;
        let answer = reader.read_to_end().await?;
        assert_eq!(answer.first(), Some(&21), "an alert says what is wrong");
        check_that_it_goes_on(&server, &trace, connector).await
    })
    .unwrap();
}

#[test]
fn tls_to_a_server_that_speaks_plain_text() {
    run(async {
        let (connector, _) = localhost();
        let server = start_server(
            async |_reader, writer| writer.write("220 ready\r\n"),
            "127.0.0.1:0",
        )
        .await?;
        let error = refused(&server, connector).await;
        assert!(
            matches!(error.downcast_ref(), Some(Error::InvalidMessage(_))),
            "{error:?}"
        );
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_server_that_says_nothing() {
    run(async {
        let (connector, _) = localhost();
        // Connections to it are established by the system, and never accepted.
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        let connector = connector.ssl_handshake_timeout(Duration::from_millis(20));
        let connect = Connect::to(listener.local_addr()?).tls(connector);
        let error = connect.open_connection().await.unwrap_err();
        assert_eq!(kind_of(&error), "ConnectionAborted");
        assert_eq!(
            error.to_string(),
            "SSL handshake is taking longer than 0.02 seconds: aborting the connection"
        );
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_server_that_goes_away_in_the_middle() {
    run(async {
        let (connector, _) = localhost();
        let server = start_server(
            async |reader, _writer| {
                // It may be gone before the client has said anything.
                reader.read_to_end().await.map(drop).or(Ok(()))
            },
            "127.0.0.1:0",
        )
        .await?;
        let closing = server.clone();
        let refused = create_task(async move { Ok(refused(&closing, connector).await) })?;
        while server.is_serving() && !refused.done() {
            server.close_clients();
            sleep(Duration::ZERO).await?;
        }
        assert_eq!(kind_of(&refused.await?), "ConnectionReset");
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_client_that_goes_away_in_the_middle() {
    run(async {
        let (connector, acceptor) = localhost();
        let (server, trace) = traced_server(acceptor).await?;
        let address = server.sockets()[0].getsockname()?;
        let mut client = std::net::TcpStream::connect(address.to_string())?;
        // The head of a handshake message, and no more.
        client.write_all(&[22, 3, 1, 2, 0])?;
        trace.wait_for("factory").await?;
        drop(client);
        check_that_it_goes_on(&server, &trace, connector).await
    })
    .unwrap();
}

#[test]
fn a_client_that_does_not_wait_any_longer() {
    run(async {
        let (connector, _) = localhost();
        let trace = Trace::default();
        let protocols = trace.clone();
        let server = Listen::on("127.0.0.1:0")
            .create_server(move || Recorder::new(&protocols))
            .await?;
        let client = create_task(to(&server).tls(connector).open_connection())?;
        trace.wait_for("soon after data").await?;
        client.cancel();
        assert!(client.await.unwrap_err().is_cancelled());
        // Its socket is closed.
        trace.wait_for("eof").await?;
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_client_that_resets_in_the_middle_of_a_write() {
    run(async {
        let (connector, acceptor) = localhost();
        let outcome = rondel_task::get_running_loop()?.create_future();
        let told = outcome.clone();
        let server = Listen::on("127.0.0.1:0")
            .tls(acceptor)
            .start_server(async move |_reader, writer| {
                let piece = vec![0; 100_000];
                loop {
                    let sent = writer.write(&piece);
                    if let Err(error) = sent.and(writer.drain().await) {
                        return told.set_result(kind_of(&error));
                    }
                }
            })
            .await?;
        let (reader, writer) = to(&server).tls(connector).open_connection().await?;
        reader.readexactly(1_000_000).await?;
        writer.transport().abort();
        let kind = outcome.await?;
        assert!(
            ["ConnectionReset", "BrokenPipe"].contains(&&*kind),
            "{kind}"
        );
        server.close();
        server.wait_closed().await
    })
    .unwrap();
}

#[test]
fn what_makes_no_sense_is_an_error() {
    run(async {
        let authority = Authority::new();
        let (one, other) = (authority.issue("one"), authority.issue("other"));
        assert!(TlsAcceptor::new(&one.certificate, &other.key).is_err());
        assert!(TlsAcceptor::new(&one.certificate, "no key").is_err());
        let nothing = TlsAcceptor::new("", &one.key).unwrap_err();
        assert_eq!(nothing.to_string(), "no certificate found in the PEM text");
        assert!(TlsConnector::with_root_certificates("").is_err());

        let value_error = async |connector: TlsConnector| {
            let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
            let socket = std::net::TcpStream::connect(listener.local_addr()?)?;
            let connect = Connect::with_socket(socket.into()).tls(connector);
            let error = connect.open_connection().await.unwrap_err();
            assert!(error.is::<ValueError>(), "{error:?}");
            Ok::<_, io::Error>(error.to_string())
        };
        let connector = authority.connector();
        assert_eq!(
            value_error(connector.clone()).await?,
            "you must set server_hostname when using ssl without a host"
        );
        assert_eq!(
            value_error(connector.clone().server_hostname("not a name")).await?,
            "server_hostname is neither a name nor an IP address: \"not a name\""
        );
        let connector = connector.server_hostname("localhost");
        let hasty = connector.clone().ssl_handshake_timeout(Duration::ZERO);
        assert_eq!(
            value_error(hasty).await?,
            "ssl_handshake_timeout should be a positive number, got 0"
        );
        let hasty = connector.ssl_shutdown_timeout(Duration::ZERO);
        assert_eq!(
            value_error(hasty).await?,
            "ssl_shutdown_timeout should be a positive number, got 0"
        );
        Ok(())
    })
    .unwrap();
}
