//! A task completes a future after a second, while another awaits it.
#![allow(clippy::print_stdout, reason = "a program that prints")]

use std::time::Duration;

async fn set_after(
    future: rondel::Future<&'static str>,
    delay: Duration,
    value: &'static str,
) -> rondel::Result<()> {
    rondel::sleep(delay).await?;
    future.set_result(value)
}

#[rondel::main]
async fn main() -> rondel::Result<()> {
    let event_loop = rondel::get_running_loop()?;
    let future = event_loop.create_future();
    event_loop.create_task(set_after(
        future.clone(),
        Duration::from_secs(1),
        "... world",
    ))?;
    println!("hello ...");
    println!("{}", future.await?);
    Ok(())
}
