//! What the selector is told, counted, and how many descriptors are awaited.

use std::{io::Write as _, os::unix::net::UnixStream, sync::Arc};

use rondel_sched::{Host, MonotonicClock, Runnable, Token};

use super::*;

/// Counts what a selector is told.
struct Counting {
    selector: Rc<dyn Selector>,
    told: Cell<usize>,
}

impl Counting {
    fn count(&self) -> &dyn Selector {
        self.told.set(self.told.get() + 1);
        &*self.selector
    }
}

impl Selector for Counting {
    fn register(&self, fd: RawFd, source: &Rc<dyn AsFd>, interest: Interest) -> io::Result<()> {
        self.count().register(fd, source, interest)
    }

    fn modify(&self, fd: RawFd, source: &Rc<dyn AsFd>, interest: Interest) -> io::Result<()> {
        self.count().modify(fd, source, interest)
    }

    fn unregister(&self, fd: RawFd, source: &Rc<dyn AsFd>) {
        self.count().unregister(fd, source);
    }

    fn wait(
        &self,
        timeout: Option<Duration>,
        most: usize,
        events: &mut Vec<Event>,
    ) -> io::Result<()> {
        self.selector.wait(timeout, most, events)
    }

    fn notifier(&self) -> Weak<dyn Notify> {
        self.selector.notifier()
    }
}

/// Watchers that run what waits for their descriptors.
impl Host for Watchers {
    fn wake(&self, _: Token) {}

    fn callback_of(&self, source: u32) -> Option<Rc<dyn Runnable>> {
        self.begin_turn(source)
    }

    fn callback_panicked(&self, _: &dyn Runnable, payload: Box<dyn std::any::Any + Send>) {
        std::panic::resume_unwind(payload);
    }
}

/// Watchers on a counting selector, and a scheduler that runs their callbacks.
struct Bench {
    watchers: Watchers,
    selector: Rc<Counting>,
    scheduler: Scheduler,
    ran: Rc<Cell<usize>>,
}

impl Bench {
    fn on(backend: Backend) -> io::Result<Self> {
        let selector = Rc::new(Counting {
            selector: backend.open()?,
            told: Cell::new(0),
        });
        Ok(Self {
            watchers: Watchers::on(selector.clone()),
            selector,
            scheduler: Scheduler::new(Rc::new(MonotonicClock::new())),
            ran: Rc::default(),
        })
    }

    fn counting(&self) -> impl FnMut() + 'static {
        let ran = self.ran.clone();
        move || ran.set(ran.get() + 1)
    }

    fn hold(&self, stream: UnixStream) -> io::Result<RawFd> {
        let fd = stream.as_raw_fd();
        self.watchers.hold(fd, Rc::new(stream))?;
        Ok(fd)
    }

    fn set(&self, fd: RawFd, direction: Direction) -> io::Result<bool> {
        let callback = Rc::new(RecurringCell::new(self.counting()));
        self.watchers.set(fd, direction, callback)
    }

    /// Looks once, and returns how many callbacks ran for it.
    fn turn(&self) -> io::Result<usize> {
        self.watchers
            .select(Some(Duration::ZERO), &self.scheduler)?;
        self.scheduler.run_ready(&self.watchers);
        Ok(self.ran.take())
    }

    fn told(&self) -> usize {
        self.selector.told.take()
    }
}

const BACKENDS: [Backend; 2] = [Backend::Default, Backend::Polling];

#[test]
fn waiting_again_and_again_tells_the_selector_once() -> io::Result<()> {
    for backend in BACKENDS {
        let bench = Bench::on(backend)?;
        let (ours, mut theirs) = UnixStream::pair()?;
        let fd = bench.hold(ours)?;
        assert_eq!(bench.told(), 0, "nobody waits yet");
        assert!(bench.set(fd, Direction::Read)?);
        theirs.write_all(b"x")?;
        for _ in 0..1_000 {
            assert!(!bench.watchers.resume(fd, Direction::Read)?);
            assert_eq!(bench.turn()?, 1);
            assert!(bench.watchers.pause(fd, Direction::Read));
            // Whoever was woken reads in the iteration after, and there may be a look in between.
            assert_eq!(bench.turn()?, 0);
        }
        bench.watchers.unset(fd, Direction::Read);
        assert!(!bench.set(fd, Direction::Read)?, "it is asked for still");
        assert_eq!(bench.told(), 1, "{backend:?}");
        bench.watchers.release(fd);
        assert_eq!(bench.told(), 1);
    }
    Ok(())
}

#[test]
fn what_nobody_waits_for_is_taken_back_when_it_is_reported_twice() -> io::Result<()> {
    for backend in BACKENDS {
        let bench = Bench::on(backend)?;
        let (ours, mut theirs) = UnixStream::pair()?;
        let fd = bench.hold(ours)?;
        bench.set(fd, Direction::Read)?;
        bench.set(fd, Direction::Write)?;
        assert_eq!(bench.told(), 2);
        bench.watchers.pause(fd, Direction::Read);
        assert_eq!(
            (bench.turn()?, bench.told()),
            (1, 0),
            "only writable, as wanted"
        );
        theirs.write_all(b"x")?;
        assert_eq!((bench.turn()?, bench.told()), (1, 0), "readable as well");
        assert_eq!((bench.turn()?, bench.told()), (1, 1), "still");
        assert_eq!((bench.turn()?, bench.told()), (1, 0));
        bench.watchers.pause(fd, Direction::Write);
        assert_eq!((bench.turn()?, bench.told()), (0, 1));
        assert_eq!((bench.turn()?, bench.told()), (0, 0));
        drop(theirs);
        assert_eq!(
            (bench.turn()?, bench.told()),
            (0, 0),
            "a hang-up is for nobody"
        );
        assert!(bench.watchers.resume(fd, Direction::Read)?);
        assert_eq!((bench.turn()?, bench.told()), (1, 1), "{backend:?}");
    }
    Ok(())
}

#[test]
fn awaited_descriptors_are_counted() -> io::Result<()> {
    let bench = Bench::on(Backend::Default)?;
    let (one, two) = UnixStream::pair()?;
    let watchers = &bench.watchers;
    let (other, fd) = (Arc::new(two), bench.hold(one)?);
    assert_eq!(watchers.awaited(), 0);
    bench.set(fd, Direction::Read)?;
    bench.set(fd, Direction::Write)?;
    assert_eq!(watchers.awaited(), 1);
    watchers.pause(fd, Direction::Read);
    assert_eq!(watchers.awaited(), 1);
    watchers.unset(fd, Direction::Write);
    assert_eq!(watchers.awaited(), 0);
    watchers.resume(fd, Direction::Read)?;
    watchers.add(Direction::Read, other.clone(), || ())?;
    watchers.add(Direction::Write, other.clone(), || ())?;
    assert_eq!(watchers.awaited(), 2);
    watchers.release(fd);
    assert!(watchers.remove(Direction::Read, &other));
    assert_eq!(watchers.awaited(), 1);
    assert!(watchers.remove(Direction::Write, &other));
    assert_eq!(watchers.awaited(), 0);
    assert_eq!(Arc::strong_count(&other), 1);
    watchers.add(Direction::Read, other, || ())?;
    watchers.close();
    assert_eq!(watchers.awaited(), 0);
    Ok(())
}

/// The bench of a selector that knows edges, with one descriptor that is held and its other end.
#[cfg(target_os = "linux")]
fn edge() -> io::Result<(Bench, RawFd, UnixStream)> {
    let bench = Bench::on(Backend::Epoll)?;
    let (ours, theirs) = UnixStream::pair()?;
    let fd = bench.hold(ours)?;
    bench.watchers.ask_for_edge(fd);
    bench.set(fd, Direction::Read)?;
    assert_eq!(bench.told(), 1);
    Ok((bench, fd, theirs))
}

#[test]
#[cfg(target_os = "linux")]
fn an_edge_is_reported_once_and_when_it_is_asked_for_again() -> io::Result<()> {
    let (bench, fd, mut theirs) = edge()?;
    theirs.write_all(b"x")?;
    assert_eq!((bench.turn()?, bench.turn()?), (1, 0));
    theirs.write_all(b"y")?;
    assert_eq!((bench.turn()?, bench.turn()?), (1, 0), "more has come");
    assert!(bench.watchers.ask_again(fd, Direction::Read)?);
    assert_eq!((bench.turn()?, bench.turn()?), (1, 0));
    assert!(bench.set(fd, Direction::Read)?, "another callback");
    assert_eq!((bench.turn()?, bench.turn()?), (1, 0));
    Ok(())
}

#[test]
#[cfg(target_os = "linux")]
fn an_edge_that_was_missed_is_asked_for_when_somebody_waits_again() -> io::Result<()> {
    let (bench, fd, mut theirs) = edge()?;
    bench.watchers.pause(fd, Direction::Read);
    assert!(!bench.watchers.resume(fd, Direction::Read)?, "none was");
    theirs.write_all(b"x")?;
    bench.watchers.pause(fd, Direction::Read);
    assert_eq!(bench.turn()?, 0);
    assert!(bench.watchers.resume(fd, Direction::Read)?);
    // Due, and paused before its turn comes.
    bench
        .watchers
        .select(Some(Duration::ZERO), &bench.scheduler)?;
    bench.watchers.pause(fd, Direction::Read);
    bench.scheduler.run_ready(&bench.watchers);
    assert!(bench.watchers.resume(fd, Direction::Read)?);
    assert_eq!((bench.turn()?, bench.turn()?), (1, 0));
    // A paused callback has left something.
    bench.watchers.pause(fd, Direction::Read);
    assert!(!bench.watchers.ask_again(fd, Direction::Read)?);
    assert!(bench.watchers.resume(fd, Direction::Read)?);
    assert_eq!((bench.turn()?, bench.turn()?), (1, 0));
    Ok(())
}

#[test]
#[cfg(target_os = "linux")]
fn behind_a_hang_up_it_is_no_longer_the_edge_that_is_asked_for() -> io::Result<()> {
    let (bench, fd, mut theirs) = edge()?;
    theirs.write_all(b"x")?;
    drop(theirs);
    assert_eq!((bench.turn()?, bench.told()), (1, 1));
    assert_eq!((bench.turn()?, bench.turn()?, bench.told()), (1, 1, 0));
    bench.watchers.pause(fd, Direction::Read);
    assert_eq!((bench.turn()?, bench.told()), (0, 0));
    assert_eq!((bench.turn()?, bench.told()), (0, 1), "taken back");
    assert!(bench.watchers.resume(fd, Direction::Read)?);
    assert_eq!((bench.turn()?, bench.turn()?), (1, 1));
    Ok(())
}
