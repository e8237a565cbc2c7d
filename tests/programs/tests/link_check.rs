//! The link checker against the HTTP server.

use std::net::TcpListener;

use rondel_programs::{Child, Example, Finished};

/// Checks the links of a list that comes by stdin.
fn check(arguments: &[&str], list: &str) -> Finished {
    let mut command = Example::command("link_check");
    let mut child = Child::start(command.args(arguments).arg("-"));
    child.write(list);
    child.wait()
}

#[test]
fn links_that_work_are_fine() {
    let server = Example::serve("http_server", &[]);
    let address = server.address();
    let list: String = (0..30)
        .map(|size| format!("http://{address}/bytes/{size}\n"))
        .collect();
    let checked = check(&["--limit", "4", "--timeout", "60"], &list);
    assert!(checked.status.success(), "{checked:?}");
    let mut expected: Vec<String> = list.lines().map(|url| format!("ok 200  {url}")).collect();
    expected.push("30 links, 0 broken".to_owned());
    assert_eq!(checked.stdout.lines().collect::<Vec<_>>(), expected);
    assert_eq!(checked.stderr, "");
    assert!(server.interrupt().status.success());
}

#[test]
fn broken_links_are_told_in_the_order_of_the_list() {
    let server = Example::serve("http_server", &[]);
    let here = server.address();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let nowhere = closed.local_addr().unwrap();
    drop(closed);
    let list = format!(
        "# a list\n\nhttp://{here}/missing\n http://{here}/\nftp://{here}/\nhttp://{nowhere}/\n"
    );
    let checked = check(&["--limit", "1", "--timeout", "60", "--progress"], &list);
    assert_eq!(checked.status.code(), Some(1), "{checked:?}");
    let lines: Vec<&str> = checked.stdout.lines().collect();
    assert_eq!(lines[0], format!("broken 404  http://{here}/missing"));
    assert_eq!(lines[1], format!("ok 200  http://{here}/"));
    let reason = format!("\"ftp://{here}/\" does not begin with `http://` and a host");
    assert_eq!(lines[2], format!("broken ({reason})  ftp://{here}/"));
    assert!(lines[3].starts_with("broken ("), "{}", lines[3]);
    assert!(lines[3].ends_with(&format!("  http://{nowhere}/")));
    assert_eq!(lines[4], "4 links, 3 broken");
    let steps = checked.stderr.lines().map(|step| step.split(' ').next());
    let steps: Vec<&str> = steps.flatten().collect();
    assert_eq!(steps, ["1/4", "2/4", "3/4", "4/4"]);
    assert!(server.interrupt().status.success());
}

#[test]
fn a_link_that_takes_too_long_is_broken() {
    let server = Example::serve("http_server", &[]);
    let url = format!("http://{}/delay/600000", server.address());
    let checked = check(&["--timeout", "0.01"], &url);
    assert_eq!(checked.status.code(), Some(1), "{checked:?}");
    let expected = format!("broken (timed out)  {url}\n1 links, 1 broken\n");
    assert_eq!(checked.stdout, expected);
    assert!(server.interrupt().status.success());
}

#[test]
fn a_list_that_cannot_be_read_is_said() {
    let mut command = Example::command("link_check");
    let finished = rondel_programs::run(command.arg("no-such-list.txt"));
    assert_eq!(finished.status.code(), Some(2));
    let complaint = finished.stderr.lines().next().unwrap_or_default();
    assert!(
        complaint.starts_with("error: cannot read no-such-list.txt: "),
        "{complaint}"
    );
}
