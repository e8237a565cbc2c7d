//! The HTTP server by curl, by h2load, by wrk, and byte by byte.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;

use rondel_programs::{Child, Example, Finished, peer, run};

/// A server that has ended by itself, and had nothing to complain about.
fn assert_ended_well(ended: &Finished) {
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("", ""));
}

/// What curl prints for one request: the body, the status and the version of HTTP.
fn ask(mut curl: Command, server: &Example, path: &str, options: &[&str]) -> String {
    let url = format!("http://{}{path}", server.address());
    let curl = curl.args(["--silent", "--show-error", "--max-time", "60"]);
    let curl = curl.args(["--write-out", "[%{http_code} by %{http_version}]"]);
    run(curl.args(options).arg(url)).output()
}

fn every_page_is_answered(version: &str, number: &str) {
    let Some(curl) = peer("curl") else { return };
    drop(curl);
    let server = Example::serve("http_server", &[]);
    let answer = |path: &str, options: &[&str]| {
        let curl = peer("curl").expect("it was there");
        let options: Vec<&str> = options.iter().copied().chain([version]).collect();
        ask(curl, &server, path, &options)
    };
    let expected = |body: &str, status: u16| format!("{body}[{status} by {number}]");

    assert_eq!(answer("/", &[]), expected("hello from rondel\n", 200));
    assert_eq!(answer("/bytes/0", &[]), expected("", 200));
    let million = expected(&"x".repeat(1_000_000), 200);
    assert!(answer("/bytes/1000000", &[]) == million, "other bytes came");
    assert_eq!(answer("/delay/1", &[]), expected("1 ms later\n", 200));
    assert_eq!(
        answer("/echo", &["--data", "hello"]),
        expected("hello", 200)
    );
    assert_eq!(
        answer("/bytes/many", &[]),
        expected("\"many\" is no number\n", 400)
    );
    assert_eq!(
        answer("/delay/-1", &[]),
        expected("\"-1\" is no number\n", 400)
    );
    assert_eq!(
        answer("/nowhere", &[]),
        expected("there is no such page\n", 404)
    );
    assert_eq!(
        answer("/echo", &[]),
        expected("only POST is of use here\n", 405)
    );
    assert_eq!(
        answer("/", &["--request", "DELETE"]),
        expected("only GET is of use here\n", 405)
    );
    assert_ended_well(&server.terminate());
}

#[test]
fn curl_gets_every_page_by_http_1() {
    every_page_is_answered("--http1.1", "1.1");
}

#[test]
fn curl_gets_every_page_by_http_2() {
    every_page_is_answered("--http2-prior-knowledge", "2");
}

#[test]
fn h2load_has_many_streams_of_http_2_answered_at_the_same_time() {
    let Some(mut h2load) = peer("h2load") else {
        return;
    };
    let server = Example::serve("http_server", &[]);
    let url = format!("http://{}/delay/10", server.address());
    h2load.args([
        "--requests=400",
        "--clients=2",
        "--max-concurrent-streams=50",
    ]);
    let report = run(h2load.arg(url)).output();
    let all = "400 succeeded, 0 failed, 0 errored, 0 timeout";
    assert!(report.contains(all), "{report}");
    assert!(report.contains("status codes: 400 2xx"), "{report}");
    assert_ended_well(&server.interrupt());
}

#[test]
fn wrk_gets_no_error_under_load() {
    let Some(mut wrk) = peer("wrk") else { return };
    let server = Example::serve("http_server", &[]);
    let url = format!("http://{}/", server.address());
    wrk.args(["--threads", "1", "--connections", "50", "--duration", "1s"]);
    let report = run(wrk.arg(url)).output();
    assert!(report.contains("requests in"), "{report}");
    assert!(!report.contains("Socket errors"), "{report}");
    assert!(!report.contains("Non-2xx"), "{report}");
    assert_ended_well(&server.interrupt());
}

/// Sends text on a connection, and reads the head of an answer: its first line and the length of what follows.
fn head(stream: &mut BufReader<TcpStream>, text: &str) -> (String, usize) {
    stream
        .get_ref()
        .write_all(text.as_bytes())
        .expect("the server reads");
    let mut line = String::new();
    stream.read_line(&mut line).expect("the server answers");
    let status = line.trim_end().to_owned();
    let mut length = 0;
    while line != "\r\n" {
        line.clear();
        let read = stream.read_line(&mut line).expect("the server answers");
        assert_ne!(read, 0, "the end came");
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.trim_end().parse().expect("it is a number");
        }
    }
    (status, length)
}

fn read(stream: &mut BufReader<TcpStream>, length: usize) -> String {
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).expect("so many bytes come");
    String::from_utf8(bytes).expect("they are text")
}

fn assert_at_end(stream: &mut BufReader<TcpStream>) {
    let read = stream.read(&mut [0]).expect("the connection ends well");
    assert_eq!(read, 0, "more came");
}

#[test]
fn what_is_in_flight_is_finished_when_the_server_ends() {
    let server = Example::serve("http_server", &[]);
    let mut idle = BufReader::new(server.connect());
    let (status, length) = head(&mut idle, "GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    assert_eq!(status, "HTTP/1.1 200 OK");
    assert_eq!(read(&mut idle, length), "hello from rondel\n");

    let mut busy = BufReader::new(server.connect());
    let request = "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nfirst";
    let (status, length) = head(&mut busy, request);
    assert_eq!((status.as_str(), length), ("HTTP/1.1 200 OK", 10));
    assert_eq!(read(&mut busy, 5), "first");

    server.send_interrupt();
    // The signal has arrived: who does nothing is sent away.
    assert_at_end(&mut idle);
    assert!(
        TcpStream::connect(server.address()).is_err(),
        "it still accepts"
    );
    busy.get_ref().write_all(b"after").unwrap();
    assert_eq!(read(&mut busy, 5), "after");
    assert_at_end(&mut busy);
    assert_ended_well(&server.wait());
}

#[test]
fn several_requests_may_come_in_one_piece() {
    let server = Example::serve("http_server", &[]);
    let mut stream = BufReader::new(server.connect());
    let twice = "GET /bytes/3 HTTP/1.1\r\nhost: x\r\n\r\n".repeat(2);
    let (_, length) = head(&mut stream, &twice);
    assert_eq!(read(&mut stream, length), "xxx");
    let (_, length) = head(&mut stream, "");
    assert_eq!(read(&mut stream, length), "xxx");
    drop(stream);
    assert_ended_well(&server.terminate());
}

#[test]
fn a_request_may_come_byte_by_byte() {
    let server = Example::serve("http_server", &[]);
    let mut stream = BufReader::new(server.connect());
    stream.get_ref().set_nodelay(true).unwrap();
    let request = "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhello";
    for byte in request.bytes() {
        stream.get_ref().write_all(&[byte]).unwrap();
    }
    let (_, length) = head(&mut stream, "");
    assert_eq!(read(&mut stream, length), "hello");
    drop(stream);
    assert_ended_well(&server.interrupt());
}

#[test]
fn what_is_no_http_is_refused() {
    let server = Example::serve("http_server", &[]);
    let mut stream = BufReader::new(server.connect());
    let (status, _) = head(&mut stream, "good morning\r\n\r\n");
    assert_eq!(status, "HTTP/1.1 400 Bad Request");
    assert_at_end(&mut stream);
    assert_ended_well(&server.interrupt());
}

#[test]
fn clients_that_go_away_in_the_middle_harm_nobody() {
    let server = Example::serve("http_server", &[]);
    for request in [
        "",
        "GET /",
        "GET /delay/60000 HTTP/1.1\r\nhost: x\r\n\r\n",
        "GET /bytes/100000000 HTTP/1.1\r\nhost: x\r\n\r\n",
        "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nsome",
    ] {
        server.connect().write_all(request.as_bytes()).unwrap();
    }
    let mut stream = BufReader::new(server.connect());
    let (_, length) = head(&mut stream, "GET /bytes/1 HTTP/1.1\r\nhost: x\r\n\r\n");
    assert_eq!(read(&mut stream, length), "x");
    drop(stream);
    assert_ended_well(&server.interrupt());
}

#[test]
fn a_port_that_is_taken_is_an_error() {
    let server = Example::serve("http_server", &[]);
    let port = server.address().port().to_string();
    let mut command = Example::command("http_server");
    let second = Child::start(command.args(["--port", &port])).wait();
    assert_eq!(second.status.code(), Some(1));
    assert!(second.stderr.contains("in use"), "{}", second.stderr);
    assert_ended_well(&server.interrupt());
}
