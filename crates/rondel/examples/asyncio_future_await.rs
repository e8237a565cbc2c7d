//! A coroutine awaits a future that a callback completes.
#![allow(clippy::print_stdout, reason = "a program that prints")]

fn mark_done(future: &rondel::Future<&'static str>, result: &'static str) {
    println!("setting future result to '{result}'");
    future.set_result(result).expect("nobody else completes it");
}

#[rondel::main]
async fn main() -> rondel::Result<()> {
    let event_loop = rondel::get_running_loop()?;
    let all_done = event_loop.create_future();

    println!("scheduling mark_done");
    let future = all_done.clone();
    event_loop.call_soon(move || mark_done(&future, "the result"))?;

    let result = all_done.await?;
    println!("returned result: '{result}'");
    Ok(())
}
