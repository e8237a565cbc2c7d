//! What can be seen of a running program: who waits for whom, slow steps, numbers, and each step as it happens.
//!
//! `docs/debugging.md` shows what this prints.
#![allow(clippy::print_stdout, reason = "a program that prints")]

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use rondel::{Instrument, Opaque, Result, Runner, Task, TaskInstrument, TaskOptions, VirtualClock};

async fn download(page: u32) -> Result<u32> {
    rondel::sleep(Duration::from_secs(page.into())).await?;
    Ok(page)
}

async fn crawl() -> Result<u32> {
    let pages = rondel::gather([download(1), download(2)]).await?;
    Ok(pages.iter().sum())
}

/// Does in one step what should have been done on a thread.
async fn compress(clock: VirtualClock) -> Result<()> {
    clock.advance(Duration::from_millis(250));
    Ok(())
}

/// Counts the steps of all tasks.
#[derive(Default)]
struct Steps(Cell<u32>);

impl Instrument for Steps {}

impl TaskInstrument for Steps {
    fn after_task_step(&self, _: &Task<Opaque>) {
        self.0.set(self.0.get() + 1);
    }
}

async fn watch(clock: VirtualClock) -> Result<()> {
    let event_loop = rondel::get_running_loop()?;
    let steps = Rc::new(Steps::default());
    event_loop.add_task_instrument(steps.clone());

    let crawler = rondel::create_task_with(TaskOptions::new().name("crawler"), crawl())?;
    rondel::create_task(compress(clock))?.await?;

    let pages = rondel::all_tasks(None)?;
    let page = pages.last().expect("a page is on its way");
    rondel::print_call_graph(page, &mut io::stdout())?;

    println!("{} pages", crawler.await?);
    println!("{} steps", steps.0.get());
    println!("{:#?}", event_loop.statistics());
    Ok(())
}

fn main() -> Result<()> {
    // Under a virtual clock, so that what it prints is the same every time; a program has `Runner::new()` here.
    let clock = VirtualClock::new();
    let of_loop = clock.clone();
    let runner = Runner::with_loop_factory(move || rondel::EventLoop::with_clock(of_loop.clone()));
    runner.debug(true).run(watch(clock))
}
