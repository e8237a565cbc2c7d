//! Measures the rows of the comparison that count processor time.

#![forbid(unsafe_code)]

use rondel_bench::measure::Options;
use rondel_bench::rows;

fn main() -> Result<(), String> {
    Options::from_arguments()?.measure(&rows::time())
}
