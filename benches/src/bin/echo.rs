//! Measures the rows of the comparison that send messages over TCP; started by itself, it is one of the servers.

#![forbid(unsafe_code)]

use rondel_bench::echo;
use rondel_bench::measure::Options;

fn main() -> Result<(), String> {
    echo::serve()?;
    Options::from_arguments()?.measure(&echo::rows())
}
