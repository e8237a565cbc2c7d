//! Where futures were made, in debug mode.
//!
//! A task knows itself where it was made; a plain future has no room for it, so the loop keeps a table.
//!
//! # asyncio
//! `_source_traceback` of a future, which shows as "created at".

use std::panic::Location;

use crate::cell::AnyFuture;
use crate::inspect::side_table::SideTable;

/// The futures that were made in debug mode.
#[derive(Default)]
pub(crate) struct Sites(SideTable<Option<&'static Location<'static>>>);

impl Sites {
    /// Notes where a future was made.
    #[cold]
    pub(crate) fn add(&self, future: &AnyFuture, created_at: &'static Location<'static>) {
        self.0.change(future, |site| *site = Some(created_at));
    }

    /// Where the future at this address was made, if that was noted.
    pub(crate) fn get(&self, address: usize) -> Option<&'static Location<'static>> {
        self.0.look(address, |site| *site).flatten()
    }
}
