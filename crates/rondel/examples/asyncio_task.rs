//! A task runs a coroutine beside others, and is the future of its result.
#![allow(clippy::print_stdout, reason = "a program that prints")]

async fn func_task() -> rondel::Result<&'static str> {
    println!("now in function task");
    Ok("the result")
}

#[rondel::main]
async fn main() -> rondel::Result<()> {
    println!("creating task");
    let task = rondel::create_task(func_task())?;
    println!("waiting for {task:?}");
    let return_value = (&task).await?;
    println!("task completed {task:?}");
    println!("return value: {return_value}");
    Ok(())
}
