//! Callbacks of a future are called in the order in which they were added.
#![allow(clippy::print_stdout, reason = "a program that prints")]

use rondel::Future;

fn callback(future: &Future<&'static str>, n: u32) {
    println!(
        "{n}: future done: '{}'",
        future.result().expect("it is done")
    );
}

async fn register_callbacks(all_done: &Future<&'static str>) -> rondel::Result<()> {
    println!("registering callbacks on future");
    all_done.add_done_callback(|future| callback(future, 1))?;
    all_done.add_done_callback(|future| callback(future, 2))?;
    Ok(())
}

#[rondel::main]
async fn main() -> rondel::Result<()> {
    let all_done = rondel::get_running_loop()?.create_future();
    register_callbacks(&all_done).await?;
    println!("setting result of future");
    all_done.set_result("the result")
}
