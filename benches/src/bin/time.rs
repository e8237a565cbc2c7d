//! Measures the rows of the comparison that count processor time, and how it grows.

#![forbid(unsafe_code)]

use rondel_bench::measure::Options;
use rondel_bench::rows;

fn main() -> Result<(), String> {
    let options = Options::from_arguments()?;
    options.measure(&rows::time())?;
    options.measure(&rows::growth())
}
