//! The seed programs: the programs of asyncio's tutorials, what each prints, and a runner that checks it.
//!
//! The programs themselves are the examples of the facade, in `crates/rondel/examples`; here is what they are held to.
//! `cargo xtask demo` shows them, the tests of this package compare them.
//!
//! # Examples
//!
//! ```no_run
//! # fn main() -> std::io::Result<()> {
//! let examples = rondel_seeds::build_examples()?;
//! for program in rondel_seeds::PROGRAMS {
//!     let transcript = program.run(&examples, &mut |_line| ())?;
//!     assert_eq!(program.check(&transcript), Ok(()));
//! }
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]

mod build;
mod check;
mod pattern;
mod process;
mod programs;

pub use build::build_examples;
pub use check::{Expected, Mismatch};
pub use process::{Ending, Printed, Transcript, run};
pub use programs::{PROGRAMS, Program};
