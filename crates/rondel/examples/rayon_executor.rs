//! Rayon is an executor: a coroutine awaits what all processors compute, and the loop runs on meanwhile.
#![allow(clippy::print_stdout, reason = "a program that prints")]

use std::sync::Arc;
use std::time::Duration;

use rayon::iter::{IntoParallelIterator, ParallelIterator};
use rondel::{Executor, Work};

#[rondel::main]
async fn main() -> rondel::Result<()> {
    let rayon: Arc<dyn Executor> = Arc::new(|work: Work| rayon::spawn(work));
    let sum_of_squares = || {
        let numbers = (1..=1_000_000_u64).into_par_iter();
        Ok(numbers.map(|number| number * number).sum::<u64>())
    };
    let event_loop = rondel::get_running_loop()?;
    let sum = event_loop.run_in_executor(Some(&rayon), sum_of_squares)?;
    while !sum.done() {
        println!("the loop runs on");
        rondel::sleep(Duration::from_millis(1)).await?;
    }
    println!("sum: {}", sum.await?);
    Ok(())
}
