//! Streams over TLS: both ends speak, know each other, and part in peace.

mod certificates;
mod support;

use std::sync::Arc;

use certificates::{Authority, localhost};
use futures::{AsyncReadExt as _, AsyncWriteExt as _};
use rondel_net::{
    Connect, Duplex, Listen, Server, StreamReader, StreamWriter,
    extra_info::{AlpnProtocol, Cipher, Peercert, Peername, ServerHostname, TlsVersion},
    open_memory_connection,
    tls::{TlsAcceptor, TlsConnector, rustls},
};
use rondel_task::{Result, create_task, gather, run, run_virtual};
use rustls::{
    ClientConfig, ProtocolVersion, RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::WebPkiClientVerifier,
};
use support::on_each_selector;

/// Sends back what comes.
async fn echo(reader: StreamReader, writer: StreamWriter) -> Result<()> {
    loop {
        let data = reader.read(64 * 1024).await?;
        if data.is_empty() {
            writer.close();
            return writer.wait_closed().await;
        }
        writer.write(data)?;
        writer.drain().await?;
    }
}

async fn echo_server(acceptor: TlsAcceptor) -> Result<Server> {
    Listen::on("127.0.0.1:0")
        .tls(acceptor)
        .start_server(echo)
        .await
}

fn to(server: &Server) -> Connect {
    Connect::to(server.sockets()[0].getsockname().expect("it has a name"))
}

/// Sends so many bytes through an echo, reading at the same time, and looks at what comes back.
async fn there_and_back(connect: Connect, length: usize) -> Result<()> {
    let (reader, writer) = connect.open_connection().await?;
    let sent: Vec<u8> = (0..length).map(|place| (place % 251) as u8).collect();
    let expected = sent.clone();
    let sending = writer.clone();
    let sender = create_task(async move {
        for piece in sent.chunks(10_000) {
            sending.write(piece)?;
            sending.drain().await?;
        }
        Ok(())
    })?;
    let received = reader.readexactly(length).await?;
    assert!(received == expected, "other bytes came back");
    sender.await?;
    writer.close();
    writer.wait_closed().await?;
    assert_eq!(reader.read_to_end().await?, "");
    Ok(())
}

#[test]
fn what_is_sent_comes_back() {
    for length in [1, 100, 16 * 1024, 1024 * 1024] {
        on_each_selector(|| async move {
            let (connector, acceptor) = localhost();
            let server = echo_server(acceptor).await?;
            there_and_back(to(&server).tls(connector), length).await?;
            server.close();
            server.wait_closed().await
        });
    }
}

#[test]
fn many_connections_at_once() {
    run(async {
        let (connector, acceptor) = localhost();
        let server = echo_server(acceptor).await?;
        let clients = (0..50).map(|number| {
            let connect = to(&server).tls(connector.clone());
            there_and_back(connect, 1000 * (number % 7) + 1)
        });
        gather(clients).await?;
        server.close();
        server.wait_closed().await
    })
    .unwrap();
}

#[test]
fn both_ends_know_what_was_agreed_on() {
    run(async {
        let authority = Authority::new();
        let identity = authority.issue("localhost");
        let acceptor = identity.acceptor().alpn_protocols(["b", "c"]);
        let server = Listen::on("127.0.0.1:0")
            .tls(acceptor)
            .start_server(async |reader, writer| {
                assert_eq!(writer.get_extra_info(AlpnProtocol).unwrap(), b"c");
                assert_eq!(writer.get_extra_info(ServerHostname).unwrap(), "localhost");
                assert_eq!(writer.get_extra_info(Peercert), None);
                assert!(writer.get_extra_info(Peername).is_some());
                reader.read_to_end().await?;
                Ok(())
            })
            .await?;

        let connector = authority.connector().alpn_protocols(["a", "c"]);
        let connector = connector.server_hostname("localhost");
        let (reader, writer) = to(&server).tls(connector).open_connection().await?;
        assert_eq!(writer.get_extra_info(AlpnProtocol).unwrap(), b"c");
        assert_eq!(writer.get_extra_info(ServerHostname).unwrap(), "localhost");
        assert_eq!(
            writer.get_extra_info(TlsVersion),
            Some(ProtocolVersion::TLSv1_3)
        );
        assert!(writer.get_extra_info(Cipher).is_some());
        let name = server.sockets()[0].getsockname()?;
        assert_eq!(writer.get_extra_info(Peername), Some(name));
        let own = CertificateDer::from_pem_slice(identity.certificate.as_bytes()).unwrap();
        assert_eq!(writer.get_extra_info(Peercert), Some(vec![own.clone()]));

        writer.close();
        writer.wait_closed().await?;
        assert_eq!(reader.read_to_end().await?, "");
        assert_eq!(writer.get_extra_info(Peercert), Some(vec![own]));
        Ok(())
    })
    .unwrap();
}

#[test]
fn the_host_of_the_address_is_the_name_of_the_server() {
    run(async {
        let authority = Authority::new();
        for host in ["localhost", "127.0.0.1"] {
            let server = echo_server(authority.issue(host).acceptor()).await?;
            let port = server.sockets()[0].getsockname()?.port().unwrap();
            let connect = Connect::to((host, port)).family(socket2::Domain::IPV4);
            there_and_back(connect.tls(authority.connector()), 10).await?;
            server.close();
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_client_shows_its_certificate_where_it_is_asked_for_one() {
    run(async {
        let authority = Authority::new();
        let mut roots = RootCertStore::empty();
        let root = CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap();
        roots.add(root)?;
        let roots = Arc::new(roots);
        let provider = Arc::new(ring::default_provider());
        let pair = |name| {
            let identity = authority.issue(name);
            let chain = CertificateDer::from_pem_slice(identity.certificate.as_bytes());
            let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes());
            (vec![chain.unwrap()], key.unwrap())
        };
        let (chain, key) = pair("localhost");
        let verifier =
            WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone()).build()?;
        let config = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key)?;
        let server = Listen::on("127.0.0.1:0")
            .tls(config.into())
            .start_server(async |_, writer| {
                let shown = writer.get_extra_info(Peercert).unwrap();
                writer.write(format!("{} certificate", shown.len()))
            })
            .await?;

        let (chain, key) = pair("somebody");
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)?;
        let connector = TlsConnector::from(config).server_hostname("localhost");
        let (reader, _writer) = to(&server).tls(connector).open_connection().await?;
        assert_eq!(reader.read_to_end().await?, "1 certificate");

        // Who has none learns so from the server, after its own handshake is over.
        let connector = authority.connector().server_hostname("localhost");
        let (reader, _writer) = to(&server).tls(connector).open_connection().await?;
        let refused = reader.read_to_end().await.unwrap_err();
        let refused = refused.downcast_ref::<rustls::Error>();
        assert!(
            matches!(refused, Some(rustls::Error::AlertReceived(_))),
            "{refused:?}"
        );
        Ok(())
    })
    .unwrap();
}

/// A server that answers `starttls` and goes on in TLS, on a connection in memory.
async fn upgrading(
    (reader, writer): (StreamReader, StreamWriter),
    acceptor: TlsAcceptor,
) -> Result<()> {
    writer.write("220 ready\n")?;
    assert_eq!(reader.readline().await?, "starttls\n");
    writer.write("220 go ahead\n")?;
    writer.start_tls(acceptor).await?;
    echo(reader, writer).await
}

#[test]
fn a_connection_is_upgraded() {
    run_virtual(async {
        let (connector, acceptor) = localhost();
        let ((reader, writer), there) = open_memory_connection().await?;
        let server = create_task(upgrading(there, acceptor))?;
        assert_eq!(reader.readline().await?, "220 ready\n");
        writer.write("starttls\n")?;
        assert_eq!(reader.readline().await?, "220 go ahead\n");
        assert_eq!(writer.get_extra_info(TlsVersion), None);
        writer.start_tls(connector).await?;
        assert_eq!(
            writer.get_extra_info(TlsVersion),
            Some(ProtocolVersion::TLSv1_3)
        );
        writer.write("hello\n")?;
        assert_eq!(reader.readline().await?, "hello\n");
        writer.close();
        writer.wait_closed().await?;
        server.await
    })
    .unwrap();
}

#[test]
fn a_handshake_that_came_too_early_is_not_lost() {
    run_virtual(async {
        let (connector, acceptor) = localhost();
        let ((reader, writer), there) = open_memory_connection().await?;
        let server = create_task(upgrading(there, acceptor))?;
        // All at once: the client's first words of TLS stand behind the line in the server's buffer.
        writer.write("starttls\n")?;
        let plain = reader.readexactly("220 ready\n220 go ahead\n".len());
        assert_eq!(plain.await?, "220 ready\n220 go ahead\n");
        writer.start_tls(connector).await?;
        writer.write("hello\n")?;
        assert_eq!(reader.readline().await?, "hello\n");
        writer.close();
        server.await
    })
    .unwrap();
}

#[test]
fn what_was_put_behind_the_command_is_not_taken_for_the_clients_words() {
    run_virtual(async {
        let (connector, acceptor) = localhost();
        let ((reader, writer), there) = open_memory_connection().await?;
        let server = create_task(upgrading(there, acceptor))?;
        writer.write("starttls\nrcpt to: <everybody>\n")?;
        assert_eq!(reader.readline().await?, "220 ready\n");
        assert_eq!(reader.readline().await?, "220 go ahead\n");
        assert!(writer.start_tls(connector).await.is_err());
        let refused = server.await.unwrap_err();
        assert!(refused.is::<rustls::Error>(), "{refused:?}");
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_connection_may_be_upgraded_twice() {
    run_virtual(async {
        let (connector, acceptor) = localhost();
        let ((reader, writer), there) = open_memory_connection().await?;
        let server = create_task(async move {
            there.1.start_tls(acceptor.clone()).await?;
            upgrading(there, acceptor).await
        })?;
        writer.start_tls(connector.clone()).await?;
        assert_eq!(reader.readline().await?, "220 ready\n");
        writer.write("starttls\n")?;
        assert_eq!(reader.readline().await?, "220 go ahead\n");
        writer.start_tls(connector).await?;
        writer.write("hello\n")?;
        assert_eq!(reader.readline().await?, "hello\n");
        writer.close();
        writer.wait_closed().await?;
        server.await
    })
    .unwrap();
}

#[test]
fn streams_serve_code_that_knows_no_loop() {
    run(async {
        let (connector, acceptor) = localhost();
        let server = echo_server(acceptor).await?;
        let stream = to(&server).tls(connector).open_connection().await?;
        let mut stream = Duplex::from(stream);
        stream.write_all(b"hello").await?;
        stream.flush().await?;
        let mut text = [0; 5];
        stream.read_exact(&mut text).await?;
        assert_eq!(&text, b"hello");
        stream.close().await?;
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_server_takes_leave_of_its_clients() {
    run(async {
        let (connector, acceptor) = localhost();
        let server = echo_server(acceptor).await?;
        let (reader, writer) = to(&server).tls(connector).open_connection().await?;
        writer.write("hello")?;
        assert_eq!(reader.readexactly(5).await?, "hello");
        server.close();
        server.close_clients();
        assert_eq!(reader.read_to_end().await?, "");
        writer.wait_closed().await?;
        server.wait_closed().await
    })
    .unwrap();
}

#[test]
fn a_socket_that_was_accepted_elsewhere_is_served() {
    run(async {
        let (connector, acceptor) = localhost();
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let client = create_task(async move {
            let connect = Connect::to(address).tls(connector);
            let (reader, _writer) = connect.open_connection().await?;
            reader.read_to_end().await
        })?;
        rondel_task::sleep(std::time::Duration::ZERO).await?;
        let (socket, _) = listener.accept()?;
        let connect = Connect::with_socket(socket.into()).tls(acceptor);
        let (_reader, writer) = connect.open_connection().await?;
        writer.write("welcome")?;
        writer.close();
        assert_eq!(client.await?, "welcome");
        Ok(())
    })
    .unwrap();
}

#[test]
fn half_of_a_connection_cannot_be_ended() {
    run(async {
        let (connector, acceptor) = localhost();
        let server = echo_server(acceptor).await?;
        let (_reader, writer) = to(&server).tls(connector).open_connection().await?;
        assert!(!writer.can_write_eof());
        let refused = writer.write_eof().unwrap_err();
        assert_eq!(
            refused.to_string(),
            "a TLS connection has no end that is ended by itself"
        );
        Ok(())
    })
    .unwrap();
}

#[test]
fn any_certificate_will_do_where_that_is_said() {
    run(async {
        let acceptor = Authority::new().issue_expired("elsewhere").acceptor();
        let server = echo_server(acceptor).await?;
        let connector = Authority::new().connector().danger_accept_any_certificate();
        there_and_back(to(&server).tls(connector), 10).await
    })
    .unwrap();
}
