//! The comparison of rondel with other single-threaded runtimes, and the guard of its instruction counts.
//!
//! `cargo xtask bench` runs the binaries `time`, `memory` and `echo`, and shows what they measure; `cargo xtask guard` runs `guard` under callgrind.
//! What the rows mean and what they came to is told in `docs/performance.md`.
//!
//! | module | owns |
//! | --- | --- |
//! | [`peer`] | what a runtime has to do to be compared |
//! | [`peers`] | how each does it |
//! | [`workloads`] | what they are made to do |
//! | [`clock`] | processor time |
//! | `rows` | which work, how much of it, and who takes part |
//! | `echo` | the same for TCP, with servers in processes of their own |
//! | [`measure`] | rounds, medians, and how figures are written down |

#![forbid(unsafe_code)]

pub mod clock;
pub mod measure;
pub mod peer;
pub mod peers;
pub mod workloads;

#[cfg(feature = "peers")]
pub mod echo;
#[cfg(feature = "peers")]
pub mod rows;
