//! What the programs say to `--help` and to arguments that make no sense.

use rondel_programs::{Example, run};

/// Checks the usage of a program, and what it says to arguments of which the last ones are wrong.
fn check(name: &str, mistakes: &[(&[&str], &str)]) {
    let usage = run(Example::command(name).arg("--help")).output();
    assert!(usage.starts_with(&format!("usage: {name} ")), "{usage}");
    assert_eq!(run(Example::command(name).arg("-h")).output(), usage);
    let mistakes = mistakes
        .iter()
        .chain(&[(&["--nonsense"] as &[_], "invalid option '--nonsense'")]);
    for (arguments, complaint) in mistakes {
        let finished = run(Example::command(name).args(*arguments));
        assert_eq!(finished.status.code(), Some(2), "{arguments:?}");
        assert_eq!(finished.stdout, "");
        assert_eq!(finished.stderr, format!("error: {complaint}\n\n{usage}"));
    }
}

#[test]
fn http_server() {
    check(
        "http_server",
        &[
            (&["--port"], "missing argument for option '--port'"),
            (
                &["--port", "70000"],
                "cannot parse argument \"70000\": number too large to fit in target type",
            ),
            (&["8080"], "unexpected argument \"8080\""),
        ],
    );
}

#[test]
fn tcp_echo() {
    check(
        "tcp_echo",
        &[(
            &["--loops", "0"],
            "cannot parse argument \"0\": no number above 0",
        )],
    );
}

#[test]
fn chat() {
    check(
        "chat",
        &[(
            &["--backlog", "much"],
            "cannot parse argument \"much\": no number above 0",
        )],
    );
}

#[test]
fn http_client() {
    check(
        "http_client",
        &[
            (&[], "there is no URL to fetch"),
            (
                &["ftp://example.org/"],
                "cannot parse argument \"ftp://example.org/\": \"ftp://example.org/\" does not begin with `http://` and a host",
            ),
            (
                &["--timeout", "-1", "http://example.org/"],
                "cannot parse argument \"-1\": cannot convert float seconds to Duration: value is negative",
            ),
        ],
    );
}

#[test]
fn link_check() {
    check(
        "link_check",
        &[
            (&[], "there is to be one file, and there are 0"),
            (&["a", "b"], "there is to be one file, and there are 2"),
        ],
    );
}

#[test]
fn redis_cli() {
    check(
        "redis_cli",
        &[(&["--host"], "missing argument for option '--host'")],
    );
}
