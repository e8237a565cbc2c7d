//! The rows of the comparison: which work, how much of it, and who takes part.

use crate::measure::{Case, Row};
use crate::peer::Peer;
use crate::peers::{
    Compio, Floor, Futures, Glommio, Monoio, Rondel, RondelSlack, Smol, TokioLocalRuntime,
    TokioLocalSet,
};
use crate::workloads::memory::Allocated;
use crate::workloads::{callbacks, cancellation, growth, memory, messages, tasks, threads, timers};

/// A case for each peer, of an expression in which a name stands for the peer.
macro_rules! cases {
    (|$name:ident| $work:expr; $($peer:ident),+) => {
        vec![$({
            type $name = $peer;
            Case::new($peer::NAME, move || $work)
        }),+]
    };
}

/// Those who run tasks.
macro_rules! runtimes {
    (|$name:ident| $work:expr) => {
        cases!(|$name| $work;
            Rondel, TokioLocalSet, TokioLocalRuntime, Smol, Futures, Monoio, Glommio, Compio)
    };
}

/// Those, and the floor.
macro_rules! all {
    (|$name:ident| $work:expr) => {
        cases!(|$name| $work;
            Rondel, TokioLocalSet, TokioLocalRuntime, Smol, Futures, Monoio, Glommio, Compio, Floor)
    };
}

/// Those who have timers.
macro_rules! timed {
    (|$name:ident| $work:expr) => {
        cases!(|$name| $work;
            Rondel, TokioLocalSet, TokioLocalRuntime, Smol, Monoio, Glommio, Compio)
    };
}

/// Those, where a task has many timers at a time.
macro_rules! many_timers {
    (|$name:ident| $work:expr) => {
        cases!(|$name| $work;
            Rondel, TokioLocalSet, TokioLocalRuntime, Smol, Monoio, Compio)
        .into_iter()
        .chain([Case::new(Glommio::NAME, || Err(FEW_WAKERS.to_owned()))])
        .collect()
    };
}

/// Those, and rondel with timers that may be late.
macro_rules! sleeping {
    (|$name:ident| $work:expr) => {
        cases!(|$name| $work;
            Rondel, RondelSlack, TokioLocalSet, TokioLocalRuntime, Smol, Monoio, Glommio, Compio)
    };
}

/// Those who can cancel a task from outside and wait until it has ended.
macro_rules! cancelling {
    (|$name:ident| $work:expr) => {
        cases!(|$name| $work; Rondel, TokioLocalSet, TokioLocalRuntime, Smol, Glommio, Compio)
    };
}

const CLOSURES: &str = "VecDeque of boxed closures";
const DEAF: &str = "a busy loop of it hears nothing from other threads until it is idle";
const FEW_WAKERS: &str = "it ends the process where a task has 32,768 wakers";
const MANY: usize = 200_000;
const MILLION: usize = 1_000_000;

/// What is measured in nanoseconds of processor time.
pub fn time() -> Vec<Row> {
    let callbacks = [
        Row::new(
            "call_soon, 1,000 at a time",
            "ns",
            vec![
                Case::new(Rondel::NAME, || callbacks::batch_on_rondel(MANY)),
                Case::new(CLOSURES, || callbacks::batch_on_closures(MANY)),
            ],
        ),
        Row::new(
            "call_soon, a chain",
            "ns",
            vec![
                Case::new(Rondel::NAME, || callbacks::chain_on_rondel(MANY)),
                Case::new(CLOSURES, || callbacks::chain_on_closures(MANY)),
            ],
        ),
    ];
    let tasks = [
        ("spawn 1", all!(|P| tasks::spawn::<P>(MANY, 1))),
        ("spawn 1,000", all!(|P| tasks::spawn::<P>(MANY, 1_000))),
        (
            "spawn 1,000,000",
            all!(|P| tasks::spawn::<P>(MILLION, MILLION)),
        ),
        ("yield, 1 task", all!(|P| tasks::yielding::<P>(MANY, 1))),
        (
            "yield, 1,000 tasks",
            all!(|P| tasks::yielding::<P>(MANY, 1_000)),
        ),
        (
            "ping-pong by futures",
            all!(|P| messages::by_oneshot::<P>(MANY)),
        ),
        (
            "ping-pong by queues",
            all!(|P| messages::by_queue::<P>(MANY)),
        ),
        (
            "gather 1,000",
            runtimes!(|P| tasks::gather::<P>(MANY, 1_000)),
        ),
        (
            "gather 100,000",
            runtimes!(|P| tasks::gather::<P>(100_000, 100_000)),
        ),
        (
            "gather 1,000,000",
            runtimes!(|P| tasks::gather::<P>(MILLION, MILLION)),
        ),
        (
            "cancel 1,000",
            cancelling!(|P| cancellation::cancel::<P>(MANY, 1_000)),
        ),
        (
            "cancel 100,000",
            cancelling!(|P| cancellation::cancel::<P>(100_000, 100_000)),
        ),
        (
            "cancel 1,000,000",
            cancelling!(|P| cancellation::cancel::<P>(MILLION, MILLION)),
        ),
    ];
    let timers = [
        (
            "timers, set and cancelled",
            timed!(|P| timers::set_and_cancel::<P>(MANY)),
        ),
        (
            "timers, 100,000 set and then cancelled",
            many_timers!(|P| timers::set_all_and_cancel::<P>(100_000, 100_000)),
        ),
        (
            "timers, 1,000,000 set and then cancelled",
            many_timers!(|P| timers::set_all_and_cancel::<P>(MILLION, MILLION)),
        ),
        (
            "timers, 10,000 live and churning",
            timed!(|P| timers::churn::<P>(100_000, 10_000)),
        ),
        (
            "timers, 1,000 tasks sleep",
            sleeping!(|P| timers::fire::<P>(1_000)),
        ),
        (
            "timers, 100,000 tasks sleep",
            sleeping!(|P| timers::fire::<P>(100_000)),
        ),
        (
            "timers, 1,000,000 tasks sleep",
            sleeping!(|P| timers::fire::<P>(MILLION)),
        ),
    ];
    let threads = [
        (
            "wake from a thread, loop asleep",
            runtimes!(|P| threads::wake_sleeping::<P>(5_000)),
        ),
        (
            "wake from a thread, loop busy",
            cases!(|P| threads::wake_busy::<P>(6_400, 64);
                Rondel, TokioLocalSet, TokioLocalRuntime, Smol, Futures, Compio)
            .into_iter()
            // It listens to other threads ten times a second.
            .chain(cases!(|P| threads::wake_busy::<P>(512, 64); Glommio))
            .chain([Case::new(Monoio::NAME, || Err(DEAF.to_owned()))])
            .collect(),
        ),
        (
            "wake from a thread, 1,000 at a time",
            runtimes!(|P| threads::wake_batch::<P>(100_000, 1_000)),
        ),
    ];
    let timed = tasks.into_iter().chain(timers).chain(threads);
    let timed = timed.map(|(name, cases)| Row::new(name, "ns", cases));
    callbacks.into_iter().chain(timed).collect()
}

/// What an item costs among a million, as a multiple of what it costs among a thousand.
pub fn growth() -> Vec<Row> {
    let rows = [
        (
            "growth of spawn",
            all!(|P| growth::of(|number| tasks::spawn::<P>(MILLION, number))),
        ),
        (
            "growth of gather",
            runtimes!(|P| growth::of(|number| tasks::gather::<P>(MILLION, number))),
        ),
        (
            "growth of cancel",
            cancelling!(|P| growth::of(|number| cancellation::cancel::<P>(MILLION, number))),
        ),
        (
            "growth of timers, set and then cancelled",
            many_timers!(|P| growth::of(|number| timers::set_all_and_cancel::<P>(MILLION, number))),
        ),
        (
            "growth of timers, tasks sleep",
            timed!(|P| growth::of(timers::fire::<P>)),
        ),
    ];
    rows.map(|(name, cases)| Row::new(name, "x", cases)).into()
}

/// What is measured in bytes, as the allocator counts them.
pub fn memory(allocated: Allocated) -> Vec<Row> {
    const TASKS: usize = 100_000;
    vec![
        Row::new(
            "memory of an idle task",
            "bytes",
            runtimes!(|P| memory::idle::<P>(TASKS, allocated)),
        ),
        Row::new(
            "memory of a sleeping task",
            "bytes",
            timed!(|P| memory::sleeping::<P>(TASKS, allocated)),
        ),
    ]
}
