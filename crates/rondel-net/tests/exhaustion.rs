//! A server whose process has no descriptor left: it says so once, rests, and goes on.
//!
//! One test, because the limit is the process's.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;

use std::{fs::File, io::Read as _, net::TcpStream, time::Duration};

use rondel_net::start_server;
use rondel_reactor::Builder;
use rondel_sched::VirtualClock;
use rondel_task::{EventLoop, get_running_loop, sleep};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use support::{Trace, open_descriptors};

#[test]
fn accepting_rests_while_no_descriptor_is_left() {
    let clock = VirtualClock::new();
    let builder = Builder::new()
        .clock(clock)
        .jump_past_io(true)
        .interruptible(false);
    let event_loop = EventLoop::build(builder).unwrap();
    let before = open_descriptors();

    let done = event_loop.run_until_complete(async move {
        let trace = Trace::default();
        trace.log_reports()?;
        let server =
            start_server(async |_reader, writer| writer.write("hello"), "127.0.0.1:0").await?;
        let address = server.sockets()[0].getsockname()?.as_inet().unwrap();
        let mut clients = [TcpStream::connect(address)?, TcpStream::connect(address)?];

        let hard = getrlimit(Resource::Nofile).maximum;
        let current = Some(open_descriptors() as u64 + 10);
        setrlimit(
            Resource::Nofile,
            Rlimit {
                current,
                maximum: hard,
            },
        )
        .unwrap();
        let mut hoard = Vec::new();
        while let Ok(file) = File::open("/dev/null") {
            hoard.push(file);
        }

        let begun = get_running_loop()?.time();
        sleep(Duration::from_millis(4500)).await?;
        assert!(get_running_loop()?.time() - begun >= Duration::from_millis(4500));
        // It has tried five times.
        trace.check(&[
            "report socket.accept() out of system resource Too many open files (os error 24)",
        ]);

        hoard.clear();
        sleep(Duration::from_secs(1)).await?;
        for client in &mut clients {
            client.set_nonblocking(true)?;
            let mut text = String::new();
            while client.read_to_string(&mut text).is_err() {
                sleep(Duration::ZERO).await?;
            }
            assert_eq!(text, "hello");
        }
        trace.check(&[]);
        drop(clients);
        server.close();
        server.wait_closed().await
    });
    done.unwrap();
    assert_eq!(open_descriptors(), before);
}
