//! asyncio for Rust: futures completed by hand, ordered callbacks, an event loop, tasks, gather and wait.
//!
//! This crate holds asyncio's names in one place and no logic: each name is re-exported from the crate that owns it, and every
//! one of those crates can be used alone.
//!
//! | crate | owns |
//! | --- | --- |
//! | [`rondel_future`] | the state machine of a future |
//! | [`rondel_context`] | context variables |
//! | [`rondel_sched`] | ready queue, timers, clocks |
//! | [`rondel_reactor`] | the iteration, file descriptors, threads, signals |
//! | [`rondel_task`] | `Future`, `Task`, cancellation, combinators |
//! | [`rondel_net`] | sockets, addresses, transports, protocols, streams, servers |
//! | [`rondel_process`] | child processes |
//! | [`rondel_sync`] | locks, events, conditions, semaphores, barriers, queues, channels |
//!
//! # Features
//! `tls` adds TLS for connections and servers, by rustls with the cryptography of ring; `tls-aws-lc` takes that of AWS-LC.
//!
//! # Examples
//! ```
//! use std::time::Duration;
//!
//! async fn say_after(delay: Duration, what: &'static str) -> rondel::Result<&'static str> {
//!     rondel::sleep(delay).await?;
//!     Ok(what)
//! }
//!
//! #[rondel::main]
//! async fn main() -> rondel::Result<()> {
//!     let ms = Duration::from_millis;
//!     let words = rondel::gather([say_after(ms(2), "hello"), say_after(ms(1), "world")]).await?;
//!     assert_eq!(words, ["hello", "world"]);
//!     Ok(())
//! }
//! ```
//!
//! # asyncio
//! The names are those of the [asyncio documentation](https://docs.python.org/3/library/asyncio.html) where it has one.

#![forbid(unsafe_code)]

pub use rondel_context::{Context, ContextVar, LookupError, ResetError, Token, copy_context};
pub use rondel_future::{CancelledError, InvalidStateError};
pub use rondel_macros::{main, test};
#[cfg(feature = "tls")]
pub use rondel_net::tls::{self, Tls, TlsAcceptor, TlsConnector, start_tls};
pub use rondel_net::{
    AddrInfo, Address, AfterEof, AnyProtocol, AsyncFd, BaseProtocol, BufferedProtocol, Carrier,
    ClosedFdError, Connect, ConnectErrors, DatagramEndpoint, DatagramProtocol, DatagramTransport,
    Duplex, FlowControl, GetAddrInfo, GetNameInfo, IncompleteReadError, LimitOverrunError, Lines,
    Listen, Protocol, ResolveError, SendfileNotAvailableError, Server, SocketName, StreamProtocol,
    StreamReader, StreamReaderProtocol, StreamWriter, Transport, TransportPipe, TransportSocket,
    WriteBufferLimits, connect_accepted_socket, connect_read_pipe, connect_write_pipe,
    create_connection, create_datagram_endpoint, create_memory_connection, create_server,
    create_unix_connection, create_unix_server, extra_info, getaddrinfo, getnameinfo,
    open_connection, open_memory_connection, open_unix_connection, sendfile, sock_accept,
    sock_connect, sock_recv, sock_recv_into, sock_recvfrom, sock_recvfrom_into, sock_sendall,
    sock_sendfile, sock_sendfile_native, sock_sendto, start_server, start_unix_server,
};
pub use rondel_process::{
    SubprocessProtocol, SubprocessTransport, create_subprocess_exec, create_subprocess_shell,
    run_process, subprocess_exec, subprocess_shell,
};
pub use rondel_reactor::{
    Backend, Builder, Direction, ExceptionContext, FdWatch, IdempotentCallback, InFlight,
    Instrument, LoopHandle, LoopStatistics, NoRunningLoopError, PanicError, RunError, SignalWatch,
    ThreadsafeHandle, signal,
};
pub use rondel_sched::{Clock, ClosedError, Handle, MonotonicClock, TimerHandle, VirtualClock};
pub use rondel_sync::{
    Barrier, BarrierStatistics, BoundedSemaphore, BrokenBarrierError, ChannelClosed, ChannelFull,
    ChannelStatistics, Condition, ConditionStatistics, Event, EventStatistics, GetNowaitError,
    LifoQueue, Lock, LockGuard, LockStatistics, PriorityQueue, PutNowaitError, Queue, QueueEmpty,
    QueueFull, QueueShutDown, QueueStatistics, Receiver, Recv, Semaphore, SemaphoreGuard,
    SemaphoreStatistics, SendError, Sender, TryRecvError, TrySendError, broadcast, channel, watch,
};
pub use rondel_task::{
    ALL_COMPLETED, AsCompleted, BlockingPortal, CallGraphCut, CallbackKey, CapacityLimiter,
    CapacityLimiterStatistics, CapacityToken, Completer, EnsureFuture, EventLoop, Exception,
    ExceptionGroup, Executor, FIRST_COMPLETED, FIRST_EXCEPTION, FrameCallGraphEntry, FramePlace,
    Future, FutureCallGraph, GatherTuple, IsFuture, MapUnordered, OnCancel, Opaque, Outer, Race2,
    Race3, Race4, Race5, Race6, Race7, Race8, RaceTuple, Remaining, Result, ReturnWhen, Runner,
    RuntimeError, Signals, Sleep, StaggeredRace, Start, Started, Task, TaskFactory, TaskGroup,
    TaskInstrument, TaskOptions, ThreadPool, Timeout, TimeoutError, ToThread, ValueError, Wait,
    WeakEventLoop, Work, WouldBlock, all_tasks, as_completed, cancel_and_wait, capture_call_graph,
    capture_current_call_graph, checkpoint, concurrent, coroutine_repr, create_eager_task_factory,
    create_task, create_task_with, current_task, eager_task_factory, ensure_future,
    format_call_graph, from_thread, future_add_to_awaited_by, future_discard_from_awaited_by,
    gather, gather_return_exceptions, get_event_loop, get_running_loop, map_concurrent,
    map_unordered, move_on_after, move_on_at, new_event_loop, print_call_graph, race, run,
    run_coroutine_threadsafe, set_event_loop, shield, shielded, signals, sleep, sleep_forever,
    sleep_result, sleep_until, staggered_race, start_blocking_portal, task_group, timeout,
    timeout_at, to_thread, wait, wait_for, wrap_future,
};

pub mod subprocess {
    //! Child processes: what asyncio has under the same name, and what goes with it.

    pub use rondel_process::{
        CalledProcessError, ChildWatcher, CompletedProcess, DEVNULL, PIPE, PipeFd, Process,
        ProcessLookupError, Redirect, RunProcess, STDOUT, SpawnError, Subprocess,
    };
}

pub mod testing {
    //! What tests need: a run under virtual time, a moment when every task is blocked, steps in a given order, and every order
    //! in turn.
    //!
    //! `#[rondel::test]` uses [`run`].

    pub use rondel_sched::Order;
    pub use rondel_task::run_virtual as run;
    pub use rondel_task::testing::{
        FailedSeed, Sequencer, SequencerGuard, explore, replay, virtual_clock,
        wait_all_tasks_blocked,
    };
}

/// The example of the README is a test, too.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;

/// So are those of the page about testing.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/testing.md")]
struct Testing;
