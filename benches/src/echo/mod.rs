//! TCP echo: servers of each runtime, each in a process of its own, under one client.
//!
//! What is measured is the processor time that the server's process takes for a message, in user and in system mode.
//! The client is the same for all, and its time is not counted.
//!
//! | module | owns |
//! | --- | --- |
//! | `client` | the load: so many connections, each with one message on its way |
//! | `child` | starting a server as a process, and asking for its processor time |
//! | `servers` | the servers |

mod child;
mod client;
mod servers;

pub use child::serve;

use std::time::Duration;

use crate::measure::{Case, Row};
use crate::workloads::Measured;
use child::Server;
use servers::SERVERS;

/// The rows: every size of a message with every number of connections.
pub fn rows() -> Vec<Row> {
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
            let case = |&(server, _)| Case::new(server, move || echo(server, connections, size));
            Row::new(name, "ns", SERVERS.iter().map(case).collect())
        })
    });
    rows.collect()
}

/// How many messages are measured.
const MESSAGES: usize = 10_000;

/// Gives the nanoseconds that a server takes for a message.
fn echo(server: &'static str, connections: usize, size: usize) -> Measured {
    let mut server = Server::start(server)?;
    let failed = |error: std::io::Error| format!("the client failed: {error}");
    let mut load = client::Load::connect(server.address(), connections, size).map_err(failed)?;
    load.exchange(2 * connections).map_err(failed)?;
    let before = server.processor_time()?;
    load.exchange(MESSAGES).map_err(failed)?;
    let time: Duration = server.processor_time()? - before;
    Ok(time.as_nanos() as f64 / MESSAGES as f64)
}
