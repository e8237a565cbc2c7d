//! The HTTP client against the HTTP server, which curl was tried on, and against servers that fail.

use std::io::{BufRead as _, BufReader, ErrorKind, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;

use rondel_programs::{Example, Finished, run};

/// Fetches these URLs.
fn fetch(arguments: &[&str], urls: &[String]) -> Finished {
    run(Example::command("http_client").args(arguments).args(urls))
}

/// The table without its times, and without the last line's.
fn table(finished: &Finished) -> Vec<String> {
    let lines = finished.stdout.lines().map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            [_count, "of", ..] => {
                let timeless = words.iter().take_while(|word| **word != "in");
                let timeless: Vec<&str> = timeless.copied().collect();
                timeless.join(" ")
            }
            [status, bytes, _time, rest @ ..] => format!("{status} {bytes} {}", rest.join(" ")),
            _ => panic!("a line of the table, and not {line:?}"),
        }
    });
    lines.collect()
}

#[test]
fn pages_are_shown_in_the_order_given() {
    let server = Example::serve("http_server", &[]);
    let url = |path: &str| format!("http://{}{path}", server.address());
    let urls = [
        url("/delay/20"),
        url("/bytes/1000"),
        url("/nowhere"),
        url("/bytes/70000"),
    ];
    let finished = fetch(&["-k", "2", "--timeout", "60", "--progress"], &urls);
    assert!(finished.status.success(), "{finished:?}");
    let [delay, bytes, nowhere, more] = &urls;
    assert_eq!(
        table(&finished),
        [
            "status bytes url".to_owned(),
            format!("200 12 {delay}"),
            format!("200 1000 {bytes}"),
            format!("404 22 {nowhere}"),
            format!("200 70000 {more}"),
            "4 of 4 fetched, 71034 bytes".to_owned(),
        ]
    );
    let steps: Vec<&str> = finished.stderr.lines().collect();
    let counts: Vec<&str> = steps
        .iter()
        .filter_map(|step| step.split(' ').next())
        .collect();
    assert_eq!(counts, ["1/4", "2/4", "3/4", "4/4"]);
    assert!(server.interrupt().status.success());
}

#[test]
fn without_a_terminal_there_is_no_progress_unless_asked_for() {
    let server = Example::serve("http_server", &[]);
    let finished = fetch(&[], &[format!("http://{}/", server.address())]);
    assert!(finished.status.success(), "{finished:?}");
    assert_eq!(finished.stderr, "");
}

#[test]
fn a_page_that_cannot_be_fetched_is_told_and_costs_the_others_nothing() {
    let server = Example::serve("http_server", &[]);
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("http://{}/", closed.local_addr().unwrap());
    drop(closed);
    let urls = [nobody, format!("http://{}/bytes/5", server.address())];
    let finished = fetch(&["--timeout", "60"], &urls);
    assert_eq!(finished.status.code(), Some(1), "{finished:?}");
    let table = table(&finished);
    let refused = format!("- - {}: ", urls[0]);
    assert!(table[1].starts_with(&refused), "{table:?}");
    assert_eq!(table[2], format!("200 5 {}", urls[1]));
    assert_eq!(table[3], "1 of 2 fetched, 5 bytes");
    assert!(server.interrupt().status.success());
}

#[test]
fn a_page_that_takes_too_long_is_given_up() {
    let server = Example::serve("http_server", &[]);
    let url = format!("http://{}/delay/600000", server.address());
    let finished = fetch(&["--timeout", "0.01"], std::slice::from_ref(&url));
    assert_eq!(finished.status.code(), Some(1), "{finished:?}");
    let table = table(&finished);
    assert_eq!(table[1], format!("- - {url}: timed out"));
    assert_eq!(table[2], "0 of 1 fetched, 0 bytes");
    assert!(server.interrupt().status.success());
}

/// Reads a request and leaves the answer to later.
fn accept(listener: &TcpListener) -> TcpStream {
    let (stream, _) = listener.accept().expect("the client connects");
    let reading = stream.try_clone().expect("there are descriptors");
    let lines = BufReader::new(reading).lines();
    let head = lines
        .map(|line| line.expect("the client asks"))
        .take_while(|line| !line.is_empty());
    assert!(head.count() > 0);
    stream
}

#[test]
fn no_more_are_fetched_at_once_than_said() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        for _ in 0..2 {
            let both = [accept(&listener), accept(&listener)];
            listener.set_nonblocking(true).unwrap();
            let third = listener.accept().expect_err("two at once were asked for");
            assert_eq!(third.kind(), ErrorKind::WouldBlock);
            listener.set_nonblocking(false).unwrap();
            for mut stream in both {
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
                stream.write_all(answer).unwrap();
            }
        }
    });
    let finished = fetch(&["-k", "2"], &[url.clone(), url.clone(), url.clone(), url]);
    assert!(finished.status.success(), "{finished:?}");
    server.join().unwrap();
}

#[test]
fn an_answer_that_breaks_off_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel";
        accept(&listener).write_all(answer).unwrap();
    });
    let finished = fetch(&[], &[url]);
    assert_eq!(finished.status.code(), Some(1), "{finished:?}");
    assert_eq!(table(&finished)[2], "0 of 1 fetched, 0 bytes");
    server.join().unwrap();
}
