//! Sends back what comes: a protocol of a few lines, on one event loop or on one for each core.
#![allow(clippy::print_stdout, reason = "a program that prints")]

mod common;

use std::net::SocketAddr;
use std::thread;

use common::echo::{Echo, until_signalled};
use common::{arguments, server};
use lexopt::ValueExt as _;
use rondel::{Completer, Listen, Server};

const USAGE: &str = "\
usage: tcp_echo [--port N] [--loops N]

Sends back what comes by TCP, until it is interrupted or terminated.

  --port N   the port on 127.0.0.1; 0, which is the default, is any free one
  --loops N  so many event loops, each on a thread of its own, share the connections; 1 unless said otherwise
";

struct Options {
    port: u16,
    loops: usize,
}

fn options() -> Result<Options, lexopt::Error> {
    let (mut port, mut loops) = (0, 1);
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            lexopt::Arg::Long("port") => port = parser.value()?.parse()?,
            lexopt::Arg::Long("loops") => {
                loops = parser.value()?.parse_with(arguments::positive)?;
            }
            lexopt::Arg::Short('h') | lexopt::Arg::Long("help") => arguments::help(USAGE),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Options { port, loops })
}

async fn listen(address: SocketAddr, loops: usize) -> rondel::Result<Server> {
    let listen = Listen::on(address);
    let listen = if loops > 1 {
        listen.reuse_port()
    } else {
        listen
    };
    listen.create_server(Echo::default).await
}

/// One more event loop, on a thread of its own.
fn start_loop(
    address: SocketAddr,
    loops: usize,
    listening: Completer<()>,
) -> thread::JoinHandle<rondel::Result<()>> {
    thread::spawn(move || {
        rondel::run(async move {
            let signals = server::ending()?;
            match listen(address, loops).await {
                Ok(server) => {
                    listening.set_result(())?;
                    until_signalled(&server, signals).await
                }
                Err(error) => Ok(listening.set_exception(error)?),
            }
        })
    })
}

#[rondel::main]
async fn main() -> rondel::Result<()> {
    let Options { port, loops } = arguments::or_exit(options(), USAGE);
    let signals = server::ending()?;
    let first = listen(([127, 0, 0, 1], port).into(), loops).await?;
    let name = first.sockets()[0].getsockname()?;
    let address = name.as_inet().expect("it is bound to one");

    let event_loop = rondel::get_running_loop()?;
    let (mut threads, mut others) = (Vec::new(), Vec::new());
    for _ in 1..loops {
        let listening = event_loop.create_future();
        threads.push(start_loop(address, loops, listening.completer()));
        others.push(listening);
    }
    rondel::gather(others).await?;

    server::announce(&name);
    until_signalled(&first, signals).await?;
    for thread in threads {
        rondel::to_thread(|| thread.join().expect("it does not panic")).await?;
    }
    Ok(())
}
