//! TLS with OpenSSL at the other end: its client and our server, its server and our client.

use std::fs;
use std::path::Path;
use std::process::Command;

use rondel::{Connect, TlsConnector};
use rondel_programs::{Child, Example, Finished, peer, run};
use tempfile::TempDir;

/// A certificate for `localhost` and its key, as files.
struct Identity {
    cert: String,
    key: String,
    _folder: TempDir,
}

impl Identity {
    fn new() -> Self {
        let folder = TempDir::new().expect("there is room for it");
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]);
        let made = made.expect("it is a name");
        let write = |name: &str, pem: String| {
            let file = folder.path().join(name);
            fs::write(&file, pem).expect("there is room for it");
            file.display().to_string()
        };
        Self {
            cert: write("cert.pem", made.cert.pem()),
            key: write("key.pem", made.signing_key.serialize_pem()),
            _folder: folder,
        }
    }
}

fn assert_ended_well(ended: &Finished) {
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("", ""));
}

/// The client of OpenSSL, which trusts one certificate, sends what it reads and prints what comes.
fn client(mut openssl: Command, server: &Example, trusted: &str) -> Child {
    let address = server.address().to_string();
    let command = openssl
        .args(["s_client", "-quiet", "-no_ign_eof", "-connect", &address])
        .args(["-CAfile", trusted, "-verify_return_error"])
        .args(["-servername", "localhost", "-verify_hostname", "localhost"]);
    Child::start(command)
}

#[test]
fn the_client_of_openssl_gets_back_what_it_sends() {
    let Some(openssl) = peer("openssl") else {
        return;
    };
    let mut server = Example::serve("tls_echo", &[]);
    let made = server.line().unwrap();
    let certificate = made.strip_prefix("certificate in ").unwrap();
    let mut client = client(openssl, &server, certificate);
    for line in ["hello", "is there anybody?"] {
        client.write(format!("{line}\n"));
        assert_eq!(client.line().as_deref(), Some(line));
    }
    client.close_stdin();
    assert_eq!(client.wait().output(), "");
    assert_ended_well(&server.interrupt());
    assert!(!Path::new(certificate).exists());
}

#[test]
fn much_comes_back_under_a_certificate_that_is_given() {
    let Some(openssl) = peer("openssl") else {
        return;
    };
    let Identity { cert, key, _folder } = Identity::new();
    let server = Example::serve("tls_echo", &["--cert", &cert, "--key", &key]);
    let mut client = client(openssl, &server, &cert);
    for round in 0..20 {
        let line = format!("{round:05}").repeat(10_000);
        client.write(format!("{line}\n"));
        assert!(client.line() == Some(line), "another line came back");
    }
    // The server ends while the client is there, which sees the end.
    assert_ended_well(&server.terminate());
    assert_eq!(client.wait().output(), "");
}

#[test]
fn a_certificate_needs_its_key() {
    let Identity { cert, key, _folder } = Identity::new();
    let refused = run(Example::command("tls_echo").args(["--cert", &cert]));
    assert_eq!(refused.status.code(), Some(2));
    let complaint = refused.stderr.lines().next();
    assert_eq!(complaint, Some("error: --cert and --key go together"));
    let mixed = run(Example::command("tls_echo").args(["--cert", &key, "--key", &cert]));
    assert_eq!(mixed.status.code(), Some(1));
}

#[test]
fn our_client_talks_to_the_server_of_openssl() {
    for version in ["-tls1_2", "-tls1_3"] {
        let Some(mut openssl) = peer("openssl") else {
            return;
        };
        let Identity { cert, key, _folder } = Identity::new();
        let mut server = Child::start(
            openssl
                .args(["s_server", "-accept", "127.0.0.1:0", "-rev", version])
                .args(["-cert", &cert, "-key", &key]),
        );
        let mut lines = std::iter::from_fn(|| server.line());
        let address = lines.find_map(|line| Some(line.strip_prefix("ACCEPT ")?.to_owned()));
        let address = address.expect("it says where it listens");
        rondel::run(async move {
            let tls = TlsConnector::with_root_certificates(fs::read(cert)?)?;
            let tls = tls.server_hostname("localhost");
            let (reader, writer) = Connect::to(address).tls(tls).open_connection().await?;
            for line in ["hello", "is there anybody?"] {
                writer.write(format!("{line}\n"))?;
                let answer = reader.readline().await?;
                let reversed: String = line.chars().rev().collect();
                assert_eq!(answer.trim_ascii_end(), reversed.as_bytes());
            }
            writer.close();
            writer.wait_closed().await
        })
        .unwrap();
    }
}
