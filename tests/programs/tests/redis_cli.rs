//! The Redis client against a Redis server.

use std::net::TcpListener;

use rondel_programs::{Child, Example, Finished, peer, run};
use tempfile::TempDir;

/// A Redis server of our own, which keeps nothing.
struct Redis {
    port: String,
    _server: Child,
    _folder: TempDir,
}

impl Redis {
    fn start() -> Option<Self> {
        let mut command = peer("redis-server")?;
        let folder = tempfile::tempdir().expect("there is room for a folder");
        let port = free_port();
        command.args(["--bind", "127.0.0.1", "--port", &port, "--save", ""]);
        let mut server = Child::start(command.arg("--dir").arg(folder.path()));
        while let Some(line) = server.line() {
            if line.contains("Ready to accept connections") {
                return Some(Self {
                    port,
                    _server: server,
                    _folder: folder,
                });
            }
        }
        panic!("redis-server does not start: {:?}", server.wait());
    }

    fn ask(&self, command: &[&str]) -> Finished {
        let mut client = Example::command("redis_cli");
        run(client.args(["--port", &self.port]).args(command))
    }
}

/// A port that nobody listens on.
fn free_port() -> String {
    let free = TcpListener::bind("127.0.0.1:0").expect("there are free ports");
    let address = free.local_addr().expect("it is bound");
    address.port().to_string()
}

#[test]
fn replies_of_all_kinds_are_shown_as_redis_does() {
    let Some(redis) = Redis::start() else { return };
    let reply = |command: &[&str]| redis.ask(command).output();
    assert_eq!(reply(&["PING"]), "PONG\n");
    assert_eq!(reply(&["SET", "a", "b"]), "OK\n");
    assert_eq!(reply(&["GET", "a"]), "\"b\"\n");
    assert_eq!(reply(&["GET", "nothing"]), "(nil)\n");
    assert_eq!(reply(&["INCRBY", "n", "-7"]), "(integer) -7\n");
    assert_eq!(reply(&["SET", "a", "two\r\nlines \"é\" \u{1}"]), "OK\n");
    assert_eq!(
        reply(&["GET", "a"]),
        "\"two\\r\\nlines \\\"\\xc3\\xa9\\\" \\x01\"\n"
    );
    assert_eq!(reply(&["LRANGE", "l", "0", "-1"]), "(empty array)\n");
    assert_eq!(reply(&["RPUSH", "l", "x", "y"]), "(integer) 2\n");
    assert_eq!(reply(&["LRANGE", "l", "0", "-1"]), "1) \"x\"\n2) \"y\"\n");
    let nested = ["EVAL", "return {1,{2,'x'},{}}", "0"];
    assert_eq!(
        reply(&nested),
        "1) (integer) 1\n2) 1) (integer) 2\n   2) \"x\"\n3) (empty array)\n"
    );
}

#[test]
fn a_value_of_a_megabyte_comes_whole() {
    let Some(redis) = Redis::start() else { return };
    let script = "redis.call('set', 'big', string.rep('x', 1048576)) return 'OK'";
    assert_eq!(redis.ask(&["EVAL", script, "0"]).output(), "\"OK\"\n");
    let expected = format!("\"{}\"\n", "x".repeat(1 << 20));
    assert!(redis.ask(&["GET", "big"]).output() == expected);
}

#[test]
fn an_error_is_shown_and_is_the_status() {
    let Some(redis) = Redis::start() else { return };
    let finished = redis.ask(&["INCR"]);
    assert_eq!(finished.status.code(), Some(1));
    assert_eq!(
        finished.stdout,
        "(error) ERR wrong number of arguments for 'incr' command\n"
    );
}

#[test]
fn commands_are_read_from_stdin() {
    let Some(redis) = Redis::start() else { return };
    let mut command = Example::command("redis_cli");
    let mut client = Child::start(command.args(["--port", &redis.port]));
    for (line, reply) in [
        ("set greeting 'good morning'", "OK"),
        ("get greeting", "\"good morning\""),
        ("\nincr n", "(integer) 1"),
        ("set 'a", "(error) unbalanced quotes"),
        (
            "nonsense",
            "(error) ERR unknown command 'nonsense', with args beginning with: ",
        ),
    ] {
        client.write(format!("{line}\n"));
        assert_eq!(client.line().as_deref(), Some(reply));
    }
    client.write("quit\n");
    assert_eq!(client.wait().output(), "");
}

#[test]
fn where_nobody_listens_that_is_said() {
    let port = free_port();
    let mut client = Example::command("redis_cli");
    let finished = run(client.args(["--port", &port, "PING"]));
    assert_eq!(finished.status.code(), Some(1));
    assert!(finished.stderr.contains("refused"), "{}", finished.stderr);
}
