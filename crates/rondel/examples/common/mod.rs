//! What the network examples share: reading arguments, how a server begins and ends, sending back what comes, fetching a page, showing progress.
#![allow(dead_code, reason = "no example needs all of it")]

pub(crate) mod arguments;
pub(crate) mod echo;
pub(crate) mod fetch;
pub(crate) mod progress;
pub(crate) mod server;
