//! Measures the rows of the comparison that count bytes: with an allocator that counts, which would spoil the times.

#![forbid(unsafe_code)]

use std::alloc::System;

use rondel_bench::measure::Options;
use rondel_bench::rows;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() -> Result<(), String> {
    Options::from_arguments()?.measure(&rows::memory(allocated))
}

fn allocated() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated - stats.bytes_deallocated
}
