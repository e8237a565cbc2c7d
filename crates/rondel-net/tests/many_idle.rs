//! Ten thousand idle connections: the only test of its process, because it counts bytes and descriptors.

mod support;

use std::{alloc::System, fs, io::Write, os::unix::net::UnixStream, time::Duration};

use rondel_net::{AsyncFd, sock_recv};
use rondel_reactor::Builder;
use rondel_task::{EventLoop, Result, Task, create_task, sleep};
use rustix::process::{Resource, getrlimit, setrlimit};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use support::{BACKENDS, TestResult};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The most bytes that an idle connection and the task that waits for it may take, beside the system's.
const LIMIT: usize = 1024;

fn bytes_in_use() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated - stats.bytes_deallocated
}

fn open_descriptors() -> Option<usize> {
    Some(fs::read_dir("/proc/self/fd").ok()?.count())
}

/// Raises the limit of descriptors as far as allowed, and says how many connections fit below it.
fn room() -> std::io::Result<usize> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit)?;
    let descriptors = limit.current.map_or(usize::MAX, |limit| limit as usize);
    Ok((descriptors.saturating_sub(100) / 2).min(10_000))
}

struct Connection {
    theirs: UnixStream,
    ours: AsyncFd<UnixStream>,
    waiting: Task<Vec<u8>>,
}

fn connect() -> Result<Connection> {
    let (ours, theirs) = UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    let ours = AsyncFd::new(ours)?;
    let reader = ours.clone();
    // The size of a buffer that nobody needs as long as nothing comes.
    let waiting = create_task(async move { sock_recv(&reader, 65_536).await })?;
    Ok(Connection {
        theirs,
        ours,
        waiting,
    })
}

async fn idle_connections(count: usize) -> Result<()> {
    let mut connections = Vec::with_capacity(count);
    let mut used = vec![bytes_in_use()];
    for _ in 0..2 {
        while connections.len() < count * used.len() / 2 {
            connections.push(connect()?);
        }
        // Everybody waits from here on.
        sleep(Duration::ZERO).await?;
        used.push(bytes_in_use());
    }
    let (first, second) = (used[1] - used[0], used[2] - used[1]);
    for half in [first, second] {
        let each = half / (count / 2);
        assert!(each <= LIMIT, "{each} bytes each");
    }

    // One of them wakes, and the others wait on.
    let mut awake = connections.swap_remove(count / 3);
    awake.theirs.write_all(b"x")?;
    assert_eq!(awake.waiting.await?, b"x");
    assert!(connections.iter().all(|other| !other.waiting.done()));

    // They go in another order than they came.
    for (place, connection) in connections.iter().enumerate() {
        if place % 2 == 0 {
            connection.waiting.cancel();
        } else {
            connection.ours.close();
        }
    }
    for connection in connections.into_iter().rev() {
        assert!(connection.waiting.await.is_err());
    }
    Ok(())
}

#[test]
fn idle_connections_cost_a_fixed_number_of_bytes_and_leave_no_descriptor() -> TestResult {
    let count = room()?;
    for backend in BACKENDS {
        let before = open_descriptors();
        let event_loop = EventLoop::build(Builder::new().backend(backend))?;
        event_loop
            .run_until_complete(idle_connections(count))
            .map_err(|error| format!("on {backend:?}: {error}"))?;
        event_loop.close()?;
        drop(event_loop);
        assert_eq!(open_descriptors(), before, "{backend:?}");
    }
    Ok(())
}
