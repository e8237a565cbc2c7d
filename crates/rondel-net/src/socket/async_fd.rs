//! `AsyncFd`: a descriptor whose readiness can be awaited.
//!
//! What is read and written is for others: the socket operations beside it, or whoever calls [`read_with`](AsyncFd::read_with).
//!
//! # Invariants
//!
//! - A1. The loop watches a direction exactly while somebody waits for it, so that a deadlock under a virtual clock is seen.
//! - A2. Whoever waits when the descriptor is closed is told so, and so is whoever comes later.
//!
//! # asyncio
//!
//! It has none: its `sock_*` methods watch the bare number for the time of one operation.
//! A socket that is closed meanwhile leaves them waiting for ever.

use std::{
    cell::RefCell,
    fmt, io,
    os::fd::AsFd,
    rc::{Rc, Weak},
};

use rondel_context::run_in;
use rondel_reactor::{Direction, FdWatch};
use rondel_task::{Future, Result, ValueError, get_running_loop};
use rustix::fs::{OFlags, fcntl_getfl};

/// A descriptor that a loop watches while somebody waits for it: a handle, of which clones are the same descriptor.
///
/// It belongs to the loop that ran when it was made, and is registered with the system once, however often it is awaited.
/// Any number of tasks may wait; all of them are woken.
/// The descriptor is closed with the last handle, or by [`close`](Self::close).
///
/// # Examples
///
/// ```
/// use std::{io::{Read, Write}, os::unix::net::UnixStream};
/// use rondel_net::AsyncFd;
/// use rondel_task::{create_task, run};
///
/// let text = run(async {
///     let (ours, mut theirs) = UnixStream::pair()?;
///     ours.set_nonblocking(true)?;
///     let ours = AsyncFd::new(ours)?;
///     create_task(async move { Ok(theirs.write_all(b"hello")?) })?;
///
///     let mut buffer = [0; 16];
///     let length = ours.read_with(|mut stream| stream.read(&mut buffer)).await?;
///     Ok(String::from_utf8_lossy(&buffer[..length]).into_owned())
/// });
/// assert_eq!(text.unwrap(), "hello");
/// ```
pub struct AsyncFd<S: AsFd + 'static>(Rc<Shared<S>>);

/// What the handles share.
struct Shared<S: AsFd + 'static> {
    /// None once closed.
    watch: RefCell<Option<Rc<FdWatch<S>>>>,
    readers: Rc<Waiters>,
    writers: Rc<Waiters>,
}

/// Who waits for one direction.
#[derive(Default)]
struct Waiters(RefCell<Queue>);

#[derive(Default)]
struct Queue {
    waiting: Vec<Future<Woken>>,
    /// The loop has a callback for this direction.
    has_callback: bool,
}

/// Why a wait has ended.
#[derive(Clone, Copy)]
enum Woken {
    Ready,
    Closed,
}

impl<S: AsFd + 'static> AsyncFd<S> {
    /// Makes the running loop the one that watches `fd`.
    ///
    /// # Errors
    ///
    /// A [`ValueError`] when the descriptor is a blocking one; [`NoRunningLoopError`](rondel_reactor::NoRunningLoopError) outside of a loop; an I/O error when
    /// the loop watches the descriptor already.
    pub fn new(fd: S) -> Result<Self> {
        if !fcntl_getfl(&fd)?.contains(OFlags::NONBLOCK) {
            return Err(ValueError::new("the socket must be non-blocking").into());
        }
        let watch = get_running_loop()?.watch_fd(fd)?;
        Ok(Self(Rc::new(Shared {
            watch: RefCell::new(Some(Rc::new(watch))),
            readers: Rc::default(),
            writers: Rc::default(),
        })))
    }

    /// Waits until the descriptor is readable: there is something to read, the other end has hung up, or there is an error to be seen.
    ///
    /// It may end for no reason at all; what is ready says the attempt to read.
    ///
    /// # Errors
    ///
    /// [`ClosedFdError`] when the descriptor is closed, before or meanwhile; `CancelledError` when the task is cancelled; an I/O error for a descriptor that
    /// cannot be watched, such as a file on disk.
    pub async fn readable(&self) -> Result<()> {
        self.ready(Direction::Read).await
    }

    /// Waits until the descriptor is writable; as [`readable`](Self::readable) in all else.
    ///
    /// # Errors
    ///
    /// As [`readable`](Self::readable).
    pub async fn writable(&self) -> Result<()> {
        self.ready(Direction::Write).await
    }

    /// Calls `operation`, and whenever it says [`WouldBlock`](io::ErrorKind::WouldBlock) again once the descriptor is readable.
    ///
    /// Nothing is lost when the wait is cancelled: the operation is called by the task that gets its outcome.
    ///
    /// # Errors
    ///
    /// What `operation` says, or as [`readable`](Self::readable).
    pub async fn read_with<T>(&self, operation: impl FnMut(&S) -> io::Result<T>) -> Result<T> {
        self.call(Direction::Read, operation).await
    }

    /// Calls `operation`, and whenever it says [`WouldBlock`](io::ErrorKind::WouldBlock) again once the descriptor is writable.
    ///
    /// # Errors
    ///
    /// As [`read_with`](Self::read_with).
    pub async fn write_with<T>(&self, operation: impl FnMut(&S) -> io::Result<T>) -> Result<T> {
        self.call(Direction::Write, operation).await
    }

    /// Calls `f` with what owns the descriptor.
    ///
    /// # Errors
    ///
    /// [`ClosedFdError`] when it is closed.
    pub fn with<R>(&self, f: impl FnOnce(&S) -> R) -> Result<R, ClosedFdError> {
        self.watch().map(|watch| f(watch.get_ref()))
    }

    /// Closes the descriptor and wakes whoever waits for it with a [`ClosedFdError`]; says whether it was open.
    ///
    /// Inside an operation it is closed when that is over.
    pub fn close(&self) -> bool {
        let watch = self.0.watch.take();
        let was_open = watch.is_some();
        drop(watch);
        self.0.readers.wake(Woken::Closed);
        self.0.writers.wake(Woken::Closed);
        was_open
    }

    /// Says whether the descriptor is closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.watch.borrow().is_none()
    }

    /// Gives back what owns the descriptor, which the loop forgets; none if it is closed or there are other handles.
    #[must_use]
    pub fn into_inner(self) -> Option<S> {
        let watch = Rc::into_inner(self.0)?.watch.into_inner()?;
        Rc::into_inner(watch).map(FdWatch::into_inner)
    }

    fn watch(&self) -> Result<Rc<FdWatch<S>>, ClosedFdError> {
        self.0.watch.borrow().clone().ok_or(ClosedFdError)
    }

    fn waiters(&self, direction: Direction) -> &Rc<Waiters> {
        match direction {
            Direction::Read => &self.0.readers,
            Direction::Write => &self.0.writers,
        }
    }

    async fn call<T>(
        &self,
        direction: Direction,
        mut operation: impl FnMut(&S) -> io::Result<T>,
    ) -> Result<T> {
        loop {
            match self.with(&mut operation)? {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                outcome => return Ok(outcome?),
            }
            self.ready(direction).await?;
        }
    }

    async fn ready(&self, direction: Direction) -> Result<()> {
        match self.wait(direction)?.woken.clone().await? {
            Woken::Ready => Ok(()),
            Woken::Closed => Err(ClosedFdError.into()),
        }
    }

    /// Begins to wait.
    fn wait(&self, direction: Direction) -> Result<Wait<'_, S>> {
        let watch = self.watch()?;
        let waiters = self.waiters(direction);
        if waiters.has_callback() {
            watch.resume(direction)?;
        } else {
            let (weak_waiters, weak_watch) = (Rc::downgrade(waiters), Rc::downgrade(&watch));
            let wake = move || wake_all(direction, &weak_watch, &weak_waiters);
            // In no context: it would keep the one of whoever waits first.
            run_in(&mut None, || watch.set(direction, wake))?;
            waiters.0.borrow_mut().has_callback = true;
        }
        let woken = get_running_loop()?.create_future();
        waiters.0.borrow_mut().waiting.push(woken.clone());
        Ok(Wait {
            fd: self,
            direction,
            woken,
        })
    }
}

/// The loop's callback: the descriptor is ready.
fn wake_all<S: AsFd + 'static>(
    direction: Direction,
    watch: &Weak<FdWatch<S>>,
    waiters: &Weak<Waiters>,
) {
    if let Some(watch) = watch.upgrade() {
        watch.pause(direction);
    }
    if let Some(waiters) = waiters.upgrade() {
        waiters.wake(Woken::Ready);
    }
}

impl Waiters {
    fn has_callback(&self) -> bool {
        self.0.borrow().has_callback
    }

    fn wake(&self, woken: Woken) {
        let waiting = std::mem::take(&mut self.0.borrow_mut().waiting);
        for future in waiting {
            // One that is cancelled needs no waking.
            let _ = future.set_result(woken);
        }
    }
}

/// One wait; when it is over, also by being dropped, nobody waits for its sake (A1).
struct Wait<'a, S: AsFd + 'static> {
    fd: &'a AsyncFd<S>,
    direction: Direction,
    woken: Future<Woken>,
}

impl<S: AsFd + 'static> Drop for Wait<'_, S> {
    fn drop(&mut self) {
        let waiters = self.fd.waiters(self.direction);
        let (removed, is_last) = {
            let waiting = &mut waiters.0.borrow_mut().waiting;
            let place = waiting.iter().position(|other| other.ptr_eq(&self.woken));
            let removed = place.map(|place| waiting.remove(place));
            (removed, waiting.is_empty())
        };
        if removed.is_some()
            && is_last
            && let Ok(watch) = self.fd.watch()
        {
            watch.pause(self.direction);
        }
    }
}

impl<S: AsFd + 'static> Clone for AsyncFd<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S: AsFd + fmt::Debug + 'static> fmt::Debug for AsyncFd<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut tuple = f.debug_tuple("AsyncFd");
        match self.watch() {
            Ok(watch) => tuple.field(watch.get_ref()).finish(),
            Err(ClosedFdError) => tuple.field(&format_args!("closed")).finish(),
        }
    }
}

/// Says that a descriptor was closed before it was ready.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClosedFdError;

impl fmt::Display for ClosedFdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the descriptor is closed")
    }
}

impl std::error::Error for ClosedFdError {}
