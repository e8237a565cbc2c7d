//! The chat by socat, and by somebody who does not read.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;

use rondel_programs::{Child, Example, Finished, peer};

fn assert_ended_well(ended: &Finished) {
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("", ""));
}

/// Comes into the chat by socat.
fn come(mut socat: Command, server: &Example, name: &str) -> Child {
    let address = format!("TCP:{}", server.address());
    let mut guest = Child::start(socat.args(["-t", "60", "-", &address]));
    hear(&mut guest, "what is your name?");
    guest.write(format!("{name}\n"));
    hear(&mut guest, &format!("* welcome to the lobby, {name}"));
    guest
}

#[track_caller]
fn hear(guest: &mut Child, expected: &str) {
    assert_eq!(guest.line().as_deref(), Some(expected));
}

#[test]
fn guests_talk_in_rooms() {
    let (Some(first), Some(second), Some(third)) = (peer("socat"), peer("socat"), peer("socat"))
    else {
        return;
    };
    let server = Example::serve("chat", &[]);
    let mut ada = come(first, &server, "ada");
    let mut bob = come(second, &server, "bob");
    hear(&mut ada, "* bob has come");
    ada.write("hello\n\n  \n");
    hear(&mut bob, "ada: hello");
    bob.write("/who\n");
    hear(&mut bob, "* here: ada, bob");

    let mut eve = come(third, &server, "eve");
    hear(&mut ada, "* eve has come");
    hear(&mut bob, "* eve has come");
    eve.write("/join kitchen\n");
    hear(&mut eve, "* you are in kitchen");
    hear(&mut ada, "* eve has left");
    hear(&mut bob, "* eve has left");
    ada.write("is eve here?\n");
    hear(&mut bob, "ada: is eve here?");
    eve.write("/dance\n/who\n");
    hear(&mut eve, "* there are /join ROOM, /who and /quit");
    hear(&mut eve, "* here: eve");

    bob.write("/quit\n");
    assert_eq!(bob.wait().output(), "");
    hear(&mut ada, "* bob has left");
    // Ends of all kinds: a lost connection, and the end of the server.
    drop(eve);
    let ended = server.interrupt();
    assert_eq!(ada.wait().output(), "");
    assert_ended_well(&ended);
}

#[test]
fn who_does_not_read_is_put_out() {
    let server = Example::serve("chat", &["--backlog", "10000"]);
    let enter = |name: &str| {
        let mut guest = BufReader::new(server.connect());
        assert_eq!(line(&mut guest), "what is your name?\n");
        writeln!(guest.get_ref(), "{name}").unwrap();
        assert_eq!(
            line(&mut guest),
            format!("* welcome to the lobby, {name}\n")
        );
        guest
    };
    let mut talker = enter("talker");
    let mut sleeper = enter("sleeper");
    assert_eq!(line(&mut talker), "* sleeper has come\n");

    // Says so much until the buffers of the system and the backlog are full; who is put out is told of.
    let speech = format!("{}\n", "blah ".repeat(6_000));
    let mut writing = talker.get_ref().try_clone().unwrap();
    let saying = std::thread::spawn(move || {
        // It ends when nobody listens any more.
        while writing.write_all(speech.as_bytes()).is_ok() {}
    });
    assert_eq!(line(&mut talker), "* sleeper is too slow\n");
    talker.get_ref().shutdown(std::net::Shutdown::Both).unwrap();
    saying.join().unwrap();
    // What was on the way comes, or the connection is reset; either way it ends.
    let _ = sleeper.read_to_end(&mut Vec::new());
    assert_ended_well(&server.terminate());
}

fn line(guest: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    guest.read_line(&mut line).expect("the connection is there");
    line
}

#[test]
fn a_line_that_is_too_long_is_not_said() {
    let server = Example::serve("chat", &[]);
    let mut guest = BufReader::new(server.connect());
    assert_eq!(line(&mut guest), "what is your name?\n");
    writeln!(guest.get_ref(), "ada").unwrap();
    assert_eq!(line(&mut guest), "* welcome to the lobby, ada\n");
    writeln!(guest.get_ref(), "{}", "a".repeat(100_000)).unwrap();
    assert_eq!(line(&mut guest), "* that was too long\n");
    drop(guest);
    assert_ended_well(&server.interrupt());
}
