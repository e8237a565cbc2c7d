//! What shows how the tasks of a loop are doing: instruments, creation sites, who waits for whom.
//!
//! The loop's own part, debug mode and statistics, is `rondel-reactor`'s.
//!
//! # Invariants
//! - I1: Nothing here changes what runs, and in which order.
//! - I2: Who does not look pays nothing: sites are kept in debug mode alone, hooks are called on the watched path, and who waits
//!   for whom is found out when somebody asks.

mod awaited_by;
mod call_graph;
mod frames;
mod instruments;
mod side_table;
mod sites;

pub(crate) use awaited_by::AwaitedBy;
pub use awaited_by::{future_add_to_awaited_by, future_discard_from_awaited_by};
pub use call_graph::{
    CallGraphCut, FutureCallGraph, capture_call_graph, capture_current_call_graph,
    format_call_graph, print_call_graph,
};
pub(crate) use frames::awaits_text;
pub use frames::{FrameCallGraphEntry, FramePlace};
pub use instruments::TaskInstrument;
pub(crate) use instruments::TaskInstruments;
pub(crate) use sites::Sites;

/// What one loop keeps for whoever looks at its tasks.
#[derive(Default)]
pub(crate) struct Inspection {
    pub(crate) instruments: TaskInstruments,
    pub(crate) sites: Sites,
    pub(crate) awaited_by: AwaitedBy,
}
