//! TCP echo: servers of each runtime, each in a process of its own, under one client.
//!
//! What is measured is what the server's process takes: processor time for a message, in user and in system mode, or bytes for an idle connection.
//! The client is the same for all, and what it takes is not counted.
//!
//! | module | owns |
//! | --- | --- |
//! | `client` | the load: so many connections, each with one message on its way |
//! | `child` | starting a server as a process, and asking for what it counts |
//! | `servers` | the servers |

mod child;
mod client;
mod servers;

pub use child::{Count, serve};

use std::io;

use crate::measure::{Case, Row};
use crate::workloads::Measured;
use child::Server;
use client::Load;
use servers::SERVERS;

/// What is measured in nanoseconds of processor time, where servers count those: every size of a message with every number of connections.
pub fn time() -> Vec<Row> {
    let sizes = [
        (
            64,
            [
                (1, "echo 64 B, 1 connection"),
                (50, "echo 64 B, 50 connections"),
                (1000, "echo 64 B, 1,000 connections"),
            ],
        ),
        (
            1024,
            [
                (1, "echo 1 KiB, 1 connection"),
                (50, "echo 1 KiB, 50 connections"),
                (1000, "echo 1 KiB, 1,000 connections"),
            ],
        ),
        (
            10240,
            [
                (1, "echo 10 KiB, 1 connection"),
                (50, "echo 10 KiB, 50 connections"),
                (1000, "echo 10 KiB, 1,000 connections"),
            ],
        ),
    ];
    let rows = sizes.into_iter().flat_map(|(size, rows)| {
        rows.map(|(connections, name)| {
            Row::new(name, "ns", cases(move |name| echo(name, connections, size)))
        })
    });
    rows.collect()
}

/// What is measured in bytes, where servers count those.
pub fn memory() -> Vec<Row> {
    vec![Row::new(
        "memory of an idle connection",
        "bytes",
        cases(|name| idle(name, 1_000)),
    )]
}

/// A case for each server, of work that is told its name.
fn cases(work: impl Fn(&str) -> Measured + Copy + 'static) -> Vec<Case> {
    let case = |&(name, _)| Case::new(name, move || work(name));
    SERVERS.iter().map(case).collect()
}

/// How many messages are measured at least.
const MESSAGES: usize = 10_000;

/// How many of each connection are measured at least.
const MESSAGES_OF_EACH: usize = 40;

/// How many of each connection come before: what a server and the system set up for a connection is no part of a message.
const WARM_UP: usize = 5;

/// Gives the nanoseconds that a server takes for a message.
fn echo(name: &str, connections: usize, size: usize) -> Measured {
    let mut server = Server::start(name)?;
    let mut load = Load::connect(server.address(), connections, size).map_err(failed)?;
    load.exchange(WARM_UP * connections).map_err(failed)?;
    let messages = MESSAGES.max(MESSAGES_OF_EACH * connections);
    let before = server.count()?;
    load.exchange(messages).map_err(failed)?;
    Ok((server.count()? - before) as f64 / messages as f64)
}

/// Gives the bytes that a connection takes in a server that has sent back a message of it and waits for the next.
///
/// A first connection is not counted, and so nothing that a server needs only once.
/// Its later messages are answered in their turn: after some of them the server waits for all others.
fn idle(name: &str, connections: usize) -> Measured {
    const SIZE: usize = 64;
    let mut server = Server::start(name)?;
    let mut first = Load::connect(server.address(), 1, SIZE).map_err(failed)?;
    first.exchange(10).map_err(failed)?;
    let before = server.count()?;
    let idle = Load::connect(server.address(), connections, SIZE).map_err(failed)?;
    first.exchange(10).map_err(failed)?;
    let after = server.count()?;
    drop(idle);
    Ok((after as f64 - before as f64) / connections as f64)
}

fn failed(error: io::Error) -> String {
    format!("the client failed: {error}")
}
