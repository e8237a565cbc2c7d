//! Whom the platform trusts is trusted: a certificate file that the environment names stands for the platform's.
//!
//! The environment is a process's, so the program runs as a child of the test.

mod certificates;

use std::{
    env, fs,
    path::Path,
    process::{Command, Output},
};

use certificates::Authority;
use rondel_net::{
    Connect, Listen,
    tls::{TlsConnector, rustls},
};
use rondel_task::{Result, run};
use tempfile::TempDir;

/// The environment variable that makes this test the child; it names the folder of what the child needs.
const FOLDER: &str = "RONDEL_TLS_PLATFORM";

/// Connects to a server of the trusted authority and to one of another.
async fn child(folder: String) -> Result<()> {
    let identity = certificates::Identity {
        certificate: fs::read_to_string(format!("{folder}/cert.pem"))?,
        key: fs::read_to_string(format!("{folder}/key.pem"))?,
    };
    let stranger = Authority::new().issue("localhost");
    let connector = TlsConnector::new()?.server_hostname("localhost");
    let connect = async |acceptor| {
        let server = Listen::on("127.0.0.1:0")
            .tls(acceptor)
            .start_server(async |_reader, writer| writer.write("welcome"))
            .await?;
        let connect = Connect::to(server.sockets()[0].getsockname()?).tls(connector.clone());
        let (reader, _writer) = connect.open_connection().await?;
        reader.read_to_end().await
    };
    assert_eq!(connect(identity.acceptor()).await?, "welcome");
    let refused = connect(stranger.acceptor()).await;
    let refused = refused.expect_err("it is not trusted");
    assert!(refused.is::<rustls::Error>(), "{refused:?}");
    Ok(())
}

/// Runs this program as the child, where `roots` are the platform's certificates.
fn run_child(folder: &Path, roots: &Path) -> Output {
    let mut command = Command::new(env::current_exe().expect("this program has a path"));
    let command = command
        .env(FOLDER, folder)
        .env("SSL_CERT_FILE", roots)
        .env_remove("SSL_CERT_DIR");
    // What fails in the child is to be read here.
    let output = command.arg("--nocapture").output();
    output.expect("it can be started")
}

#[test]
fn whom_the_platform_trusts_is_trusted() {
    if let Ok(folder) = env::var(FOLDER) {
        return run(child(folder)).unwrap();
    }
    let folder = TempDir::new().unwrap();
    let authority = Authority::new();
    let identity = authority.issue("localhost");
    let roots = folder.path().join("roots.pem");
    fs::write(&roots, authority.pem()).unwrap();
    fs::write(folder.path().join("cert.pem"), identity.certificate).unwrap();
    fs::write(folder.path().join("key.pem"), identity.key).unwrap();

    let output = run_child(folder.path(), &roots);
    assert!(output.status.success(), "{output:?}");

    // Without any there is nobody to trust, which is said at once.
    fs::write(&roots, "").unwrap();
    let output = run_child(folder.path(), &roots);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(text.contains("no root certificates"), "{output:?}");
}
