//! Measures the rows of the comparison that count bytes: with an allocator that counts, which would spoil the times; started by itself, it is one of the servers.

#![forbid(unsafe_code)]

use std::alloc::System;

use rondel_bench::measure::Options;
use rondel_bench::{echo, rows};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() -> Result<(), String> {
    echo::serve(|| allocated() as u64)?;
    let options = Options::from_arguments()?;
    options.measure(&rows::memory(allocated))?;
    options.measure(&echo::memory())
}

fn allocated() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated - stats.bytes_deallocated
}
