//! What tests of concurrent code need beyond a [virtual clock](crate::run_virtual): a moment when everybody waits, steps in a
//! given order, and every order in turn.
//!
//! # asyncio
//! It has none of this; `wait_all_tasks_blocked` and `Sequencer` are Trio's.

mod blocked;
mod clock;
mod explore;
mod sequencer;

pub use blocked::wait_all_tasks_blocked;
pub use clock::virtual_clock;
pub use explore::{FailedSeed, explore, replay};
pub use sequencer::{Sequencer, SequencerGuard};
