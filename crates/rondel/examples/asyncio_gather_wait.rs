//! Two tasks, started once through gather and once through wait.
#![allow(clippy::print_stdout, reason = "a program that prints")]

use std::time::Duration;

async fn work(name: &'static str, ticks: u64) -> rondel::Result<String> {
    println!("{name} starts");
    rondel::sleep(Duration::from_millis(10 * ticks)).await?;
    println!("{name} ends");
    Ok(format!("result of {name}"))
}

#[rondel::main]
async fn main() -> rondel::Result<()> {
    println!("gather:");
    let results = rondel::gather([work("a", 2), work("b", 1)]).await?;
    println!("results: {results:?}");

    println!("wait:");
    let tasks = [
        rondel::create_task(work("c", 2))?,
        rondel::create_task(work("d", 1))?,
    ];
    let (done, pending) = rondel::wait(&tasks).await?;
    println!("done: {}, pending: {}", done.len(), pending.len());
    for task in done {
        println!("{}", task.result()?);
    }
    Ok(())
}
