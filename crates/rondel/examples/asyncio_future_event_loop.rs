//! A future is completed by a callback, and can be read after its loop has closed.
#![allow(clippy::print_stdout, reason = "a program that prints")]

fn mark_done(future: &rondel::Future<&'static str>, result: &'static str) {
    println!("setting future result to '{result}'");
    future.set_result(result).expect("nobody else completes it");
}

fn main() -> rondel::Result<()> {
    let event_loop = rondel::new_event_loop()?;
    let all_done = event_loop.create_future();

    println!("scheduling mark_done");
    let future = all_done.clone();
    event_loop.call_soon(move || mark_done(&future, "the result"))?;

    println!("entering event loop");
    let result = event_loop.run_until_complete(&all_done)?;
    println!("returned result: '{result}'");

    println!("closing event loop");
    event_loop.close()?;
    println!("future result: '{}'", all_done.result()?);
    Ok(())
}
