//! Measures the rows of the comparison that send messages over TCP; started by itself, it is one of the servers.

#![forbid(unsafe_code)]

use rondel_bench::clock::Whose;
use rondel_bench::echo;
use rondel_bench::measure::Options;

fn main() -> Result<(), String> {
    echo::serve(processor_time)?;
    Options::from_arguments()?.measure(&echo::time())
}

/// The nanoseconds that this process has computed.
fn processor_time() -> u64 {
    Whose::Process.now().as_nanos() as u64
}
