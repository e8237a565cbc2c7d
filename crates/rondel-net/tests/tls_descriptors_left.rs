//! TLS connections that end in every way leave no descriptor behind.
//!
//! One test, because the descriptors are the process's.

mod certificates;
mod support;

use std::{io::Write as _, net::TcpStream, time::Duration};

use certificates::localhost;
use rondel_net::{
    Connect, Listen, Server, StreamReader, StreamWriter,
    tls::{TlsAcceptor, TlsConnector},
};
use rondel_task::{Result, create_task, run, sleep};
use support::{Trace, open_descriptors, until};

/// How many connections are made, and how many are open at a time.
const CONNECTIONS: usize = 700;
const OPEN: usize = 20;

async fn echo(reader: StreamReader, writer: StreamWriter) -> Result<()> {
    loop {
        let data = reader.read(1000).await?;
        if data.is_empty() {
            return Ok(());
        }
        writer.write(&data)?;
        writer.drain().await?;
    }
}

async fn echo_server(acceptor: TlsAcceptor) -> Result<Server> {
    let listen = Listen::on("127.0.0.1:0").tls(acceptor);
    listen.start_server(echo).await
}

/// What is left of a client, until it is dropped.
enum Client {
    Nothing,
    Plain {
        _socket: TcpStream,
    },
    Secured {
        _reader: StreamReader,
        _writer: StreamWriter,
    },
}

/// Connects in the way that has this number.
async fn connect(server: &Server, tls: TlsConnector, way: usize) -> Result<Client> {
    let address = server.sockets()[0].getsockname()?;
    let tcp = || TcpStream::connect(address.to_string());
    Ok(match way {
        0 => Client::Plain { _socket: tcp()? },
        1 => {
            let mut garbage = tcp()?;
            garbage.write_all(b"hello, is this TLS?")?;
            Client::Plain { _socket: garbage }
        }
        2 => {
            let connect = Connect::to(&address).tls(tls.server_hostname("elsewhere"));
            assert!(connect.open_connection().await.is_err());
            Client::Nothing
        }
        3 => {
            let connecting = create_task(Connect::to(&address).tls(tls).open_connection())?;
            for _ in 0..3 {
                sleep(Duration::ZERO).await?;
            }
            connecting.cancel();
            Client::Nothing
        }
        _ => {
            let connect = Connect::to(&address).tls(tls);
            let (reader, writer) = connect.open_connection().await?;
            match way {
                4 => writer.write("hello")?,
                5 => writer.transport().abort(),
                _ => {
                    writer.write("hello")?;
                    assert_eq!(reader.readexactly(5).await?, "hello");
                    writer.close();
                }
            }
            Client::Secured {
                _reader: reader,
                _writer: writer,
            }
        }
    })
}

#[test]
fn no_descriptor_is_left() {
    run(async {
        let before = open_descriptors();
        // Some handlers hear that their clients have reset them.
        Trace::default().log_reports()?;
        let (connector, acceptor) = localhost();
        let server = echo_server(acceptor).await?;
        let mut clients = Vec::new();
        for number in 0..CONNECTIONS {
            clients.push(connect(&server, connector.clone(), number % 7).await?);
            if clients.len() > OPEN {
                drop(clients.swap_remove(number * 5 % OPEN));
            }
        }
        drop(clients);
        server.close();
        server.wait_closed().await?;
        until(|| open_descriptors() == before).await
    })
    .unwrap();
}
