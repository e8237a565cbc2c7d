//! What the runtimes are made to do, one file for each kind of work.
//!
//! A workload is a function that is generic over the peer, makes a runtime, and takes the time inside it: starting a runtime is not measured.
//! It gives the nanoseconds of processor time for one item; `growth` gives what becomes of that among many.
//! Where a workload needs chance, it is a generator with a fixed seed.

pub mod callbacks;
pub mod cancellation;
pub mod growth;
pub mod memory;
pub mod messages;
pub mod tasks;
pub mod threads;
pub mod timers;

/// What a workload gives: a figure for an item, or why the runtime does not run here.
pub type Measured = Result<f64, String>;
