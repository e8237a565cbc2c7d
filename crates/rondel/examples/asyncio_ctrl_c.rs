//! Endless tasks until Ctrl-C; then every task is cancelled, and the loop runs on until they have ended.
#![allow(clippy::print_stdout, reason = "a program that prints")]

use std::time::Duration;

async fn work(name: &'static str) -> rondel::Result<()> {
    println!("{name} starts");
    loop {
        if let Err(error) = rondel::sleep(Duration::from_millis(10)).await {
            println!("{name} cleans up");
            rondel::sleep(Duration::ZERO).await?;
            println!("{name} ends");
            return Err(error);
        }
    }
}

fn main() -> rondel::Result<()> {
    let event_loop = rondel::new_event_loop()?;
    for name in ["a", "b", "c"] {
        event_loop.create_task(work(name))?;
    }
    println!("press ctrl-c");
    match event_loop.run_forever() {
        Err(error) if error.is_interrupted() => println!("interrupted"),
        other => other?,
    }

    let tasks = rondel::all_tasks(Some(&event_loop))?;
    for task in &tasks {
        task.cancel();
    }
    event_loop.run_until_complete(rondel::gather_return_exceptions(&tasks))?;
    println!(
        "cancelled: {}",
        tasks.iter().filter(|task| task.cancelled()).count()
    );
    event_loop.close()?;
    println!("closed");
    Ok(())
}
