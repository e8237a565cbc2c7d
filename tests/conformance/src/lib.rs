//! Scenario programs: one trace from CPython and from us.
//!
//! A scenario is a small program of asyncio operations, in JSON, and `README.md` tells what each of them means. CPython's trace
//! of it, which `reference.py` prints, is what rondel's has to be line by line; [`run`] gives rondel's. Programs are written
//! by `generate.py`, or by hand in `scenarios`; comparing many of them with CPython is the work of `cargo xtask conformance`,
//! and those in `recorded` are compared with the traces that CPython gave without having it there.
//!
//! It is also the largest example of rondel's interface: `ops` says, operation by operation, what one writes here for what
//! one writes there.

#![forbid(unsafe_code)]

mod api;
mod handle;
mod names;
mod ops;
mod parse;
mod program;
mod scenario;
mod time;
mod value;

pub use program::Program;
pub use scenario::{CannotRun, run};
