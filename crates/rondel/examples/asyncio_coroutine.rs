//! A coroutine does nothing until an event loop runs it.
#![allow(clippy::print_stdout, reason = "a program that prints")]

async fn coroutine() -> rondel::Result<()> {
    println!("now in coroutine");
    Ok(())
}

fn main() -> rondel::Result<()> {
    let event_loop = rondel::new_event_loop()?;
    println!("start coroutine");
    let coro = coroutine();
    println!("{}", rondel::coroutine_repr(&coro));
    println!("enter event loop");
    event_loop.run_until_complete(coro)?;
    println!("close event loop");
    event_loop.close()?;
    Ok(())
}
