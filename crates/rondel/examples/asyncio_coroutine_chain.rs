//! A coroutine awaits others, one after another, in the same task.
#![allow(clippy::print_stdout, reason = "a program that prints")]

async fn coroutine() -> rondel::Result<(String, String)> {
    println!("now in coroutine");
    println!("wait for function first");
    let result1 = first().await?;
    println!("wait for function second");
    let result2 = second(&result1).await?;
    Ok((result1, result2))
}

async fn first() -> rondel::Result<String> {
    println!("now in first");
    Ok("first".to_owned())
}

async fn second(arg: &str) -> rondel::Result<String> {
    println!("now in second");
    Ok(format!("second with arg: {arg}"))
}

fn main() -> rondel::Result<()> {
    let event_loop = rondel::new_event_loop()?;
    let (first, second) = event_loop.run_until_complete(coroutine())?;
    println!("result value: ('{first}', '{second}')");
    event_loop.close()?;
    Ok(())
}
