//! The network examples as child processes, and the real programs that they are tried with.
//!
//! The examples themselves are in `crates/rondel/examples`; the tests of this package hold them to what they promise.
//!
//! # Examples
//!
//! ```no_run
//! use rondel_programs::{Example, peer, run};
//!
//! # fn main() -> std::io::Result<()> {
//! let Some(mut curl) = peer("curl") else { return Ok(()) };
//! let server = Example::serve("http_server", &[]);
//! let answer = run(curl.arg("--silent").arg(format!("http://{}/", server.address())));
//! assert!(answer.status.success());
//! assert!(server.interrupt().status.success());
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]

mod child;
mod example;
mod peer;

pub use child::{Child, Finished, run};
pub use example::Example;
pub use peer::{SKIPPED, peer};
