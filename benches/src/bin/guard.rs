//! Runs one core workload of rondel, for callgrind to count the instructions of it: `guard NAME`, or `guard` for the names.
//!
//! # Invariants
//!
//! - I1: what is counted happens inside [`collected`], which callgrind finds by its name; making the loop and ending it is outside.
//! - I2: the count is the same every time: no clock is read that could change what is done, nothing is random, no other thread takes part.
//!   A loop that nobody gave a descriptor to never looks at its descriptors while it is busy, and timers run on a virtual clock.

#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "it is asked for the names")]

use std::cell::Cell;
use std::env;
use std::future::Future;
use std::hint::black_box;
use std::rc::Rc;
use std::time::Duration;

use rondel::{EventLoop, Queue, Result, VirtualClock, create_task, gather, sleep};

/// How often each workload does its work.
const TIMES: usize = 20_000;

type Workload = fn() -> Result<()>;

const WORKLOADS: &[(&str, Workload)] = &[
    ("call_soon", call_soon),
    ("spawn_1", || spawn(1)),
    ("spawn_1000", || spawn(1000)),
    ("yield", yielding),
    ("ping_pong", ping_pong),
    ("queue", queue),
    ("gather", gathering),
    ("timers_cancelled", timers_cancelled),
    ("timers_fired", timers_fired),
    ("cancel", cancel),
];

fn main() -> std::result::Result<(), String> {
    let Some(wanted) = env::args().nth(1) else {
        for (name, _) in WORKLOADS {
            println!("{name}");
        }
        return Ok(());
    };
    let found = WORKLOADS.iter().find(|(name, _)| *name == wanted);
    let (_, workload) = found.ok_or_else(|| format!("unknown workload: {wanted}"))?;
    workload().map_err(|error| error.to_string())
}

/// What callgrind counts (I1).
#[inline(never)]
fn collected(work: &mut dyn FnMut() -> Result<()>) -> Result<()> {
    work()
}

/// Runs a coroutine on a new loop under virtual time, counted from its first step to its last.
fn count<C>(main: impl FnOnce(EventLoop) -> C) -> Result<()>
where
    C: Future<Output = Result<()>> + 'static,
{
    let event_loop = EventLoop::with_clock(VirtualClock::new())?;
    let task = event_loop.create_task(main(event_loop.clone()))?;
    collected(&mut || event_loop.run_until_complete(&task))
}

fn call_soon() -> Result<()> {
    fn next(event_loop: &EventLoop, left: Rc<Cell<usize>>) {
        left.set(left.get() - 1);
        if left.get() == 0 {
            return event_loop.stop();
        }
        let this = event_loop.clone();
        let scheduled = event_loop.call_soon(move || next(&this, left));
        debug_assert!(scheduled.is_ok(), "the loop is open");
    }
    let event_loop = EventLoop::with_clock(VirtualClock::new())?;
    next(&event_loop, Rc::new(Cell::new(TIMES)));
    collected(&mut || Ok(event_loop.run_forever()?))
}

fn spawn(batch: usize) -> Result<()> {
    count(async move |_| {
        let mut tasks = Vec::with_capacity(batch);
        for _ in 0..TIMES / batch {
            for i in 0..batch {
                tasks.push(create_task(async move { Ok(i) })?);
            }
            for task in tasks.drain(..) {
                black_box(task.await?);
            }
        }
        Ok(())
    })
}

fn yielding() -> Result<()> {
    count(async |_| {
        let mut tasks = Vec::with_capacity(100);
        for _ in 0..100 {
            tasks.push(create_task(async {
                for _ in 0..TIMES / 100 {
                    sleep(Duration::ZERO).await?;
                }
                Ok(())
            })?);
        }
        for task in tasks {
            task.await?;
        }
        Ok(())
    })
}

/// A task makes a future and waits for it, and another task completes it.
fn ping_pong() -> Result<()> {
    count(async |event_loop| {
        for i in 0..TIMES {
            let future = event_loop.create_future();
            let pong = future.clone();
            let answer = create_task(async move { pong.set_result(i) })?;
            black_box(future.await?);
            drop(answer);
        }
        Ok(())
    })
}

fn queue() -> Result<()> {
    count(async |_| {
        let (there, back) = (Queue::<usize>::new(1), Queue::<usize>::new(1));
        let (come, go) = (there.clone(), back.clone());
        let echo = create_task(async move {
            for _ in 0..TIMES / 2 {
                go.put(come.get().await?).await?;
            }
            Ok(())
        })?;
        for i in 0..TIMES / 2 {
            there.put(i).await?;
            black_box(back.get().await?);
        }
        echo.await
    })
}

fn gathering() -> Result<()> {
    count(async |_| {
        for _ in 0..TIMES / 1000 {
            black_box(gather((0..1000).map(async |i: usize| Ok(i))).await?);
        }
        Ok(())
    })
}

fn timers_cancelled() -> Result<()> {
    count(async |event_loop| {
        for i in 0..TIMES {
            let delay = Duration::from_millis(i as u64 * 7919 % 1000 + 1);
            event_loop.call_later(delay, || {})?.cancel();
        }
        Ok(())
    })
}

fn timers_fired() -> Result<()> {
    count(async |_| {
        let mut tasks = Vec::with_capacity(TIMES / 10);
        for i in 0..TIMES / 10 {
            let delay = Duration::from_millis(i as u64 * 7919 % 1000 + 1);
            tasks.push(create_task(sleep(delay))?);
        }
        for task in tasks {
            task.await?;
        }
        Ok(())
    })
}

fn cancel() -> Result<()> {
    count(async |event_loop| {
        let mut tasks = Vec::with_capacity(TIMES / 10);
        for _ in 0..TIMES / 20 {
            let nothing = event_loop.create_future::<()>();
            tasks.push(create_task(async move { nothing.await })?);
            tasks.push(create_task(sleep(Duration::from_secs(1)))?);
        }
        sleep(Duration::ZERO).await?;
        for task in &tasks {
            task.cancel();
        }
        for task in tasks {
            black_box(task.take().await.is_err());
        }
        Ok(())
    })
}
