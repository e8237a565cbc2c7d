//! The same chain, as a coroutine written by hand: Rust's counterpart of a generator-based coroutine.
#![allow(clippy::print_stdout, reason = "a program that prints")]

use std::pin::Pin;
use std::task::{Context, Poll, ready};

type Step = Pin<Box<dyn Future<Output = rondel::Result<String>>>>;

/// Each variant is a place where the generator would be suspended.
enum Coroutine {
    Start,
    First(Step),
    Second(String, Step),
}

impl Future for Coroutine {
    type Output = rondel::Result<(String, String)>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            match &mut *self {
                Coroutine::Start => {
                    println!("now in coroutine");
                    println!("wait for function first");
                    *self = Coroutine::First(Box::pin(first()));
                }
                Coroutine::First(step) => {
                    let result1 = ready!(step.as_mut().poll(cx))?;
                    println!("wait for function second");
                    *self = Coroutine::Second(result1.clone(), Box::pin(second(result1)));
                }
                Coroutine::Second(result1, step) => {
                    let result2 = ready!(step.as_mut().poll(cx))?;
                    return Poll::Ready(Ok((std::mem::take(result1), result2)));
                }
            }
        }
    }
}

async fn first() -> rondel::Result<String> {
    println!("now in first");
    Ok("first".to_owned())
}

async fn second(arg: String) -> rondel::Result<String> {
    println!("now in second");
    Ok(format!("second with arg: {arg}"))
}

fn main() -> rondel::Result<()> {
    let event_loop = rondel::new_event_loop()?;
    let (first, second) = event_loop.run_until_complete(Coroutine::Start)?;
    println!("result value: ('{first}', '{second}')");
    event_loop.close()?;
    Ok(())
}
