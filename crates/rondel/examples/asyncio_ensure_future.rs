//! `ensure_future` makes a task of a coroutine, and leaves a future as it is.
#![allow(clippy::print_stdout, reason = "a program that prints")]

async fn wrapped() -> rondel::Result<&'static str> {
    println!("now in function wrapped");
    Ok("result")
}

async fn inner(task: rondel::Future<&'static str>) -> rondel::Result<()> {
    println!("now in function inner");
    println!("inner: waiting for {task:?}");
    let result = task.await?;
    println!("inner: task return: {result}");
    Ok(())
}

#[rondel::main]
async fn main() -> rondel::Result<()> {
    println!("creating task");
    let task = rondel::ensure_future(wrapped())?;
    println!("waiting for inner");
    inner(task).await?;
    println!("inner returned");
    Ok(())
}
