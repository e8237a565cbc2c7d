//! From hosts to addresses and back.

mod support;

use std::{
    future::Future,
    net::{Ipv6Addr, SocketAddr, SocketAddrV6, TcpListener},
    time::Duration,
};

use rondel_net::{
    Address, Connect, ResolveError, SocketName, extra_info::Peername, getaddrinfo, getnameinfo,
    open_connection,
};
use rondel_task::{Exception, Result, ValueError, get_running_loop, run};
use socket2::{Domain, Protocol, Type};
use support::TestResult;

/// Runs without an executor, so that whoever needs a thread gets an error.
fn without_threads<T: 'static>(program: impl Future<Output = Result<T>> + 'static) -> Result<T> {
    run(async {
        get_running_loop()?.shutdown_default_executor(None).await?;
        program.await
    })
}

/// The text of the error, if it is a `ResolveError`.
fn not_resolved<T>(outcome: Result<T>) -> Option<ResolveError> {
    outcome.err()?.downcast_ref::<ResolveError>().cloned()
}

#[test]
fn ip_addresses_need_no_thread() -> TestResult {
    let found = without_threads(async {
        let mut found = Vec::new();
        let scoped = SocketAddrV6::new(Ipv6Addr::LOCALHOST, 80, 1, 2);
        let addresses: [Address; 7] = [
            ("127.0.0.1", 80).into(),
            "127.0.0.1:80".into(),
            ("::1", 80).into(),
            "[::1]:80".into(),
            ("::1", "80").into(),
            (Ipv6Addr::LOCALHOST, 80).into(),
            scoped.into(),
        ];
        for address in addresses {
            let list = getaddrinfo(address).socket_type(Type::STREAM).await?;
            assert_eq!(list.len(), 1);
            assert_eq!(list[0].protocol, Some(Protocol::TCP));
            assert_eq!(list[0].family, Domain::for_address(list[0].address));
            found.push(list[0].address);
        }
        let datagrams = getaddrinfo(("127.0.0.1", 9))
            .socket_type(Type::DGRAM)
            .await?;
        assert_eq!(datagrams[0].protocol, Some(Protocol::UDP));
        assert_eq!(datagrams[0].canonical_name, None);
        Ok(found)
    });
    let (four, six): (SocketAddr, SocketAddr) = ("127.0.0.1:80".parse()?, "[::1]:80".parse()?);
    let scoped = SocketAddrV6::new(Ipv6Addr::LOCALHOST, 80, 1, 2).into();
    let found = found.map_err(|error| error.to_string())?;
    assert_eq!(found, [four, four, six, six, six, six, scoped]);
    Ok(())
}

#[test]
fn names_are_looked_up_in_a_thread() -> TestResult {
    let refused = without_threads(async { getaddrinfo(("localhost", 80)).await });
    let text = refused.err().map(|error| error.to_string());
    assert_eq!(text.as_deref(), Some("executor shutdown has been called"));

    let found = run(async {
        let wanted = getaddrinfo("localhost:80").family(Domain::IPV4);
        wanted.socket_type(Type::STREAM).canonical_name().await
    });
    let found = found.map_err(|error| error.to_string())?;
    assert!(
        found
            .iter()
            .all(|info| info.address == "127.0.0.1:80".parse().unwrap())
    );
    assert!(found[0].canonical_name.is_some());

    // Without a kind of socket there is one answer for each, and only the system knows which there are.
    let kinds = run(async { getaddrinfo(("127.0.0.1", 80)).protocol(Protocol::UDP).await });
    let kinds = kinds.map_err(|error| error.to_string())?;
    assert_eq!(kinds[0].socket_type, Type::DGRAM);
    Ok(())
}

#[test]
fn no_host_is_every_interface_or_this_machine() -> TestResult {
    let addresses = |passive: bool| {
        run(async move {
            let wanted = getaddrinfo(("", 80)).socket_type(Type::STREAM);
            let wanted = if passive { wanted.passive() } else { wanted };
            let found = wanted.await?;
            Ok(found
                .iter()
                .map(|info| info.address.ip())
                .collect::<Vec<_>>())
        })
        .map_err(|error| error.to_string())
    };
    assert!(addresses(true)?.iter().all(|ip| ip.is_unspecified()));
    assert!(addresses(false)?.iter().all(|ip| ip.is_loopback()));
    Ok(())
}

#[test]
fn a_host_that_cannot_be_found_is_named() {
    // A name longer than the DNS allows is refused without asking anybody.
    let host = format!("{}.invalid", "a".repeat(64));
    let asked = host.clone();
    let outcome = run(async move { getaddrinfo((asked, 80)).await });
    let error = not_resolved(outcome).expect("there is no such host");
    assert_eq!(error.host(), host);
    assert_ne!(error.code(), 0);
    let begin = format!("cannot resolve {host:?}: ");
    assert!(error.to_string().starts_with(&begin), "{error}");

    let asked = host.clone();
    let outcome = run(async move { open_connection((asked, 80)).await.map(drop) });
    assert_eq!(not_resolved(outcome), Some(error));

    // An address of the other family is no address either.
    let outcome = run(async { getaddrinfo(("::1", 80)).family(Domain::IPV4).await });
    assert_eq!(not_resolved(outcome).expect("it is IPv6").host(), "::1");
}

/// `localhost` is one address or two, and only the one of IPv4 answers.
#[test]
fn a_name_is_connected_to_whichever_address_answers() -> TestResult {
    for delay in [None, Some(Duration::from_millis(250))] {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let peer = run(async move {
            let mut connect = Connect::to(("localhost", address.port()));
            if let Some(delay) = delay {
                connect = connect.happy_eyeballs_delay(delay);
            }
            let (_reader, writer) = connect.open_connection().await?;
            Ok(writer.get_extra_info(Peername))
        });
        let peer = peer.map_err(|error| error.to_string())?;
        assert_eq!(peer, Some(address.into()));
    }
    Ok(())
}

#[test]
fn what_is_no_address_is_refused() {
    for text in ["localhost", "localhost:", "::1", "::1:80"] {
        let refused: Result<_, Exception> = run(async move { getaddrinfo(text).await });
        let error = refused.expect_err("it has no port");
        assert!(error.is::<ValueError>(), "{error}");
        let expected = format!("an address is to be `host:port`, and {text:?} is not");
        assert_eq!(error.to_string(), expected);
    }
    let path = SocketName::Path(std::path::Path::new("/run/app.sock").into());
    let refused: Result<_, Exception> = run(async move { getaddrinfo(path).await });
    let text = refused.expect_err("it is a path").to_string();
    assert_eq!(text, "/run/app.sock is not the address of a host");
}

#[test]
fn hosts_are_known_by_their_text() {
    let host = |address: Address| address.host().map(str::to_owned);
    assert_eq!(
        host("example.org:80".into()).as_deref(),
        Some("example.org")
    );
    assert_eq!(host("[::1]:80".into()).as_deref(), Some("::1"));
    assert_eq!(
        host(("example.org", "http").into()).as_deref(),
        Some("example.org")
    );
    assert_eq!(host(std::path::Path::new("/run/x").into()), None);
    assert_eq!(Address::from(("::1", 80)).to_string(), "[::1]:80");
}

#[test]
fn numbers_need_no_thread_and_names_do() -> TestResult {
    let address: SocketAddr = "127.0.0.1:80".parse()?;
    let numbers =
        without_threads(async move { getnameinfo(address).numeric_host().numeric_service().await });
    let numbers = numbers.map_err(|error| error.to_string())?;
    assert_eq!(numbers, ("127.0.0.1".to_owned(), "80".to_owned()));

    let refused = without_threads(async move { getnameinfo(address).await });
    assert!(refused.is_err());
    let names = run(async move { getnameinfo(address).numeric_service().await });
    let (host, service) = names.map_err(|error| error.to_string())?;
    assert!(!host.is_empty());
    assert_eq!(service, "80");
    let names = run(async move { getnameinfo(address).numeric_host().datagram().await });
    let (host, _) = names.map_err(|error| error.to_string())?;
    assert_eq!(host, "127.0.0.1");
    Ok(())
}
