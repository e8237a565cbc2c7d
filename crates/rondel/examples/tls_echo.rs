//! Sends back what comes by TLS, under a certificate that is given or made.
#![allow(clippy::print_stdout, reason = "a program that prints")]

mod common;

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use common::echo::{Echo, until_signalled};
use common::{arguments, server};
use lexopt::ValueExt as _;
use rondel::{Listen, TlsAcceptor};
use tempfile::TempDir;

const USAGE: &str = "\
usage: tls_echo [--port N] [--cert FILE --key FILE]

Sends back what comes by TLS, until it is interrupted or terminated.
Without a certificate it makes one for localhost, and prints the path of its PEM file as the second line.

  --port N     the port on 127.0.0.1; 0, which is the default, is any free one
  --cert FILE  the certificate of the server, with those that lead to its root behind it, in PEM
  --key FILE   its private key, in PEM
";

struct Options {
    port: u16,
    identity: Option<Identity>,
}

/// The files by which a server shows who it is.
struct Identity {
    cert: PathBuf,
    key: PathBuf,
}

fn options() -> Result<Options, lexopt::Error> {
    let (mut port, mut cert, mut key) = (0, None, None);
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            lexopt::Arg::Long("port") => port = parser.value()?.parse()?,
            lexopt::Arg::Long("cert") => cert = Some(parser.value()?.into()),
            lexopt::Arg::Long("key") => key = Some(parser.value()?.into()),
            lexopt::Arg::Short('h') | lexopt::Arg::Long("help") => arguments::help(USAGE),
            other => return Err(other.unexpected()),
        }
    }
    let identity = match (cert, key) {
        (Some(cert), Some(key)) => Some(Identity { cert, key }),
        (None, None) => None,
        _ => return Err("--cert and --key go together".into()),
    };
    Ok(Options { port, identity })
}

/// Makes a certificate that whoever has its file can trust.
fn make_identity(folder: &Path) -> rondel::Result<Identity> {
    let made = rcgen::generate_simple_self_signed(["localhost".into(), "127.0.0.1".into()])?;
    let identity = Identity {
        cert: folder.join("cert.pem"),
        key: folder.join("key.pem"),
    };
    fs::write(&identity.cert, made.cert.pem())?;
    fs::write(&identity.key, made.signing_key.serialize_pem())?;
    Ok(identity)
}

#[rondel::main]
async fn main() -> rondel::Result<()> {
    let Options { port, identity } = arguments::or_exit(options(), USAGE);
    // Only its owner can look into it, and it goes away with the program.
    let folder = TempDir::new()?;
    let (identity, made) = match identity {
        Some(identity) => (identity, false),
        None => (make_identity(folder.path())?, true),
    };
    let tls = TlsAcceptor::new(fs::read(&identity.cert)?, fs::read(&identity.key)?)?;

    let signals = server::ending()?;
    let listen = Listen::on((Ipv4Addr::LOCALHOST, port)).tls(tls);
    let server = listen.create_server(Echo::default).await?;
    server::announce(&server.sockets()[0].getsockname()?);
    if made {
        println!("certificate in {}", identity.cert.display());
    }
    until_signalled(&server, signals).await
}
