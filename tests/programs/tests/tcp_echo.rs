//! The echo server by socat, and by many connections at once.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::thread;

use rondel_programs::{Child, Example, Finished, peer};

fn assert_ended_well(ended: &Finished) {
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("", ""));
}

#[test]
fn socat_gets_back_what_it_sends() {
    let Some(mut socat) = peer("socat") else {
        return;
    };
    let server = Example::serve("tcp_echo", &[]);
    let address = format!("TCP:{}", server.address());
    let mut socat = Child::start(socat.args(["-t", "60", "-", &address]));
    for line in ["hello", "is there anybody?"] {
        socat.write(format!("{line}\n"));
        assert_eq!(socat.line().as_deref(), Some(line));
    }
    socat.write("the last words");
    assert_eq!(socat.wait().output(), "the last words");
    assert_ended_well(&server.interrupt());
}

#[test]
fn a_client_that_reads_late_gets_everything() {
    let server = Example::serve("tcp_echo", &[]);
    let mut reading = server.connect();
    let mut writing = reading.try_clone().unwrap();
    // More than all buffers on the way hold: the server has to stop reading meanwhile.
    let sent: Vec<u8> = (0..16 << 20).map(|place: u32| place as u8).collect();
    let expected = sent.clone();
    let writer = thread::spawn(move || {
        writing.write_all(&sent).unwrap();
        writing.shutdown(Shutdown::Write).unwrap();
    });
    let mut received = Vec::new();
    reading.read_to_end(&mut received).unwrap();
    writer.join().unwrap();
    assert!(received == expected, "other bytes came");
    assert_ended_well(&server.terminate());
}

#[test]
fn several_loops_share_the_connections() {
    let server = Example::serve("tcp_echo", &["--loops", "3"]);
    let mut clients: Vec<_> = (0..60).map(|_| server.connect()).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        client.write_all(&[number as u8]).unwrap();
    }
    for (number, client) in clients.iter_mut().enumerate() {
        let mut byte = [0];
        client.read_exact(&mut byte).unwrap();
        assert_eq!(usize::from(byte[0]), number);
    }
    // All loops hear the signal, and end the connections.
    server.send_interrupt();
    for client in &mut clients {
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
    }
    assert_ended_well(&server.wait());
}
