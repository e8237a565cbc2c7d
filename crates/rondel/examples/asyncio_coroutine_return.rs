//! `run_until_complete` gives what the coroutine returns.
#![allow(clippy::print_stdout, reason = "a program that prints")]

async fn coroutine() -> rondel::Result<&'static str> {
    println!("now in coroutine");
    Ok("result")
}

fn main() -> rondel::Result<()> {
    let event_loop = rondel::new_event_loop()?;
    let result = event_loop.run_until_complete(coroutine())?;
    println!("coroutine returned: {result}");
    event_loop.close()?;
    Ok(())
}
