//! A task that is cancelled before it starts never runs.
#![allow(clippy::print_stdout, reason = "a program that prints")]

async fn func_task() -> rondel::Result<&'static str> {
    println!("now in function task");
    Ok("the result")
}

#[rondel::main]
async fn main() -> rondel::Result<()> {
    println!("creating task");
    let task = rondel::create_task(func_task())?;
    println!("canceling task");
    task.cancel();
    println!("canceled task {task:?}");
    match (&task).await {
        Err(error) if error.is_cancelled() => println!("caught error from canceled task"),
        result => println!("task result: {:?}", result?),
    }
    Ok(())
}
