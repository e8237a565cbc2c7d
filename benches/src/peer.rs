//! What a runtime has to do to be compared: start, spawn, join, yield, and what else it can.
//!
//! A workload is written once against these traits and compiled for each runtime.
//! How a runtime does it, in the way that its own documentation recommends, is told in `peers`.
//!
//! Whatever a peer cannot do is a trait that it does not implement, and a workload in which it does not appear.

use std::future::Future;
use std::time::Duration;

/// A single-threaded runtime; the value is what spawns on it.
pub trait Peer: Clone + 'static {
    /// What the tables call it.
    const NAME: &'static str;

    /// What a coroutine gives that has computed a `T`: rondel's give results.
    type Output<T: 'static>: 'static;

    /// What spawning a coroutine gives.
    type Handle<T: 'static>: 'static;

    /// Makes a runtime and runs a coroutine on it, on this thread.
    ///
    /// # Errors
    /// Says why the runtime cannot be made on this machine.
    fn run<T, F>(main: impl FnOnce(Self) -> F) -> Result<T, String>
    where
        T: 'static,
        F: Future<Output = Self::Output<T>> + 'static;

    /// Wraps what a coroutine has computed.
    fn output<T: 'static>(value: T) -> Self::Output<T>;

    /// Starts a coroutine as a task.
    fn spawn<T: 'static>(
        &self,
        coroutine: impl Future<Output = Self::Output<T>> + 'static,
    ) -> Self::Handle<T>;

    /// Waits for a task that is not cancelled.
    fn join<T: 'static>(handle: Self::Handle<T>) -> impl Future<Output = T> + 'static;

    /// Lets the other tasks run.
    fn yield_now() -> impl Future<Output = ()> + 'static;
}

/// Waits for many coroutines at once.
pub trait Gather: Peer {
    /// Runs the coroutines as tasks, and gives their values in order.
    fn gather<T, F>(
        &self,
        coroutines: impl Iterator<Item = F> + 'static,
    ) -> impl Future<Output = Vec<T>>
    where
        T: Clone + 'static,
        F: Future<Output = Self::Output<T>> + 'static;
}

/// Cancels tasks.
pub trait Cancel: Peer {
    /// Cancels all the tasks, and then waits until each has ended.
    fn cancel(handles: Vec<Self::Handle<()>>) -> impl Future<Output = ()> + 'static;
}

/// Passes one value from one task to another.
pub trait Oneshot: Peer {
    /// What the value is put into.
    type Sender: 'static;
    /// What the value comes out of.
    type Receiver: 'static;

    /// Makes the two ends.
    fn oneshot(&self) -> (Self::Sender, Self::Receiver);

    /// Passes the value; nobody may be left to receive it.
    fn send(sender: Self::Sender, value: usize);

    /// Waits for the value.
    fn receive(receiver: Self::Receiver) -> impl Future<Output = usize> + 'static;
}

/// Passes values from one task to another, without a limit.
pub trait Queue: Peer {
    /// Where values are put.
    type Putter: 'static;
    /// Where values come out.
    type Getter: 'static;

    /// Makes the two ends of an empty queue.
    fn queue() -> (Self::Putter, Self::Getter);

    /// Puts a value in; nobody may be left to get it.
    fn put(putter: &Self::Putter, value: usize);

    /// Waits for a value.
    fn get(getter: &mut Self::Getter) -> impl Future<Output = usize>;
}

/// Lets time pass.
pub trait Timers: Peer {
    /// Waits for so long.
    fn sleep(delay: Duration) -> impl Future<Output = ()> + 'static;
}
