//! Callbacks without tasks: `call_soon` against a bare queue of boxed closures.

use std::cell::Cell;
use std::collections::VecDeque;
use std::hint::black_box;
use std::rc::Rc;

use rondel::EventLoop;

use super::Measured;
use crate::clock::{Stopwatch, Whose};

type Closures = VecDeque<Box<dyn FnOnce(&mut Queue)>>;

/// The floor: what `call_soon` would be if a callback had no handle, context or place to report to.
#[derive(Default)]
struct Queue(Closures);

/// Puts a thousand callbacks into the loop at a time, and runs them.
///
/// # Errors
/// When no loop can be made.
pub fn batch_on_rondel(total: usize) -> Measured {
    let event_loop = EventLoop::new().map_err(|error| error.to_string())?;
    let watch = Stopwatch::start(Whose::Thread);
    for i in 0..total / 1000 {
        for j in 0..1000 {
            event_loop
                .call_soon(move || {
                    black_box((i, j));
                })
                .map_err(|error| error.to_string())?;
        }
        event_loop.run_once().map_err(|error| error.to_string())?;
    }
    Ok(watch.per(total))
}

/// As [`batch_on_rondel`], on the floor.
///
/// # Errors
/// Never.
pub fn batch_on_closures(total: usize) -> Measured {
    let mut queue = Queue::default();
    let watch = Stopwatch::start(Whose::Thread);
    for i in 0..total / 1000 {
        for j in 0..1000 {
            queue.0.push_back(Box::new(move |_| {
                black_box((i, j));
            }));
        }
        queue.run();
    }
    Ok(watch.per(total))
}

/// Runs callbacks each of which puts the next one into the loop.
///
/// # Errors
/// When no loop can be made.
pub fn chain_on_rondel(total: usize) -> Measured {
    fn next(event_loop: &EventLoop, left: Rc<Cell<usize>>) {
        if left.get() == 0 {
            return event_loop.stop();
        }
        left.set(left.get() - 1);
        let this = event_loop.clone();
        let scheduled = event_loop.call_soon(move || next(&this, left));
        debug_assert!(scheduled.is_ok(), "the loop is open");
    }
    let event_loop = EventLoop::new().map_err(|error| error.to_string())?;
    next(&event_loop, Rc::new(Cell::new(total)));
    let watch = Stopwatch::start(Whose::Thread);
    event_loop
        .run_forever()
        .map_err(|error| error.to_string())?;
    Ok(watch.per(total))
}

/// As [`chain_on_rondel`], on the floor.
///
/// # Errors
/// Never.
pub fn chain_on_closures(total: usize) -> Measured {
    fn next(queue: &mut Queue, left: Rc<Cell<usize>>) {
        if left.get() == 0 {
            return;
        }
        left.set(left.get() - 1);
        queue.0.push_back(Box::new(move |queue| next(queue, left)));
    }
    let mut queue = Queue::default();
    next(&mut queue, Rc::new(Cell::new(total)));
    let watch = Stopwatch::start(Whose::Thread);
    queue.run();
    Ok(watch.per(total))
}

impl Queue {
    fn run(&mut self) {
        while let Some(callback) = self.0.pop_front() {
            callback(self);
        }
    }
}
