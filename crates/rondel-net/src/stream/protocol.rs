//! `StreamReaderProtocol`: the protocol between a transport and the two ends of its stream.
//!
//! It gives what comes to the reader and tells writers when to wait. It writes nothing itself.
//!
//! # asyncio
//!
//! `FlowControlMixin` and
//! [`StreamReaderProtocol`](https://docs.python.org/3/library/asyncio-stream.html) of `streams.py`.
//! The future of `wait_closed` is made by whoever waits, so that an exception that nobody waited for needs no hushing up.

use std::{
    cell::{Cell, RefCell},
    fmt,
    future::{Future as _, IntoFuture as _},
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use bytes::Bytes;
use rondel_reactor::ExceptionContext;
use rondel_task::{Awaiter, Exception, Future, Result, Task, create_task, get_running_loop};

use super::{
    reader::{StreamReader, WeakReader},
    writer::StreamWriter,
};
use crate::{
    protocol::{AfterEof, BaseProtocol, Protocol},
    transport::Transport,
};

/// A protocol that feeds a [`StreamReader`]; a handle, of which clones are the same one.
///
/// It does not keep the reader: what comes after the last handle of that is dropped is thrown away.
///
/// # Examples
///
/// A stream on a transport that is made in a way of its own:
///
/// ```
/// use rondel_net::{StreamReader, StreamReaderProtocol, StreamWriter, connect_read_pipe};
///
/// # rondel_task::run(async {
/// let (pipe, mut other_end) = std::io::pipe()?;
/// let reader = StreamReader::new();
/// let protocol = StreamReaderProtocol::new(&reader);
/// let (_transport, _) = connect_read_pipe(|| protocol, pipe).await?;
///
/// std::io::Write::write_all(&mut other_end, b"hello\n")?;
/// assert_eq!(reader.readline().await?, "hello\n");
/// # Ok(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct StreamReaderProtocol(Rc<State>);

/// What every message needs comes first and together: among many connections each line of memory is waited for.
#[repr(C)]
struct State {
    reader: WeakReader,
    /// The transport has told to pause writing.
    paused: Cell<bool>,
    lost: RefCell<Lost>,
    client: Cell<Option<Client>>,
    /// Those who wait for it to tell otherwise.
    drain_waiters: RefCell<Vec<Future<()>>>,
    /// The wait of whoever drains through futures-io.
    polled: RefCell<Option<Polled>>,
}

/// One that is polled: its future, and the leaf that awaits it.
struct Polled {
    waiter: Future<()>,
    awaiter: Awaiter<()>,
}

/// What a server does with the stream of a connection.
struct Client {
    /// Kept until the connection is there.
    reader: StreamReader,
    serve: Box<dyn FnOnce(StreamReader, StreamWriter) -> Result<Task<()>>>,
}

/// Whether the connection is lost.
enum Lost {
    /// It is not, and these wait until it is.
    NotYet(Vec<Future<()>>),
    By(Option<Exception>),
}

impl StreamReaderProtocol {
    /// Makes the protocol of a reader.
    #[must_use]
    pub fn new(reader: &StreamReader) -> Self {
        Self::with_client(reader, None)
    }

    /// Makes the protocol of a connection that a server has accepted: `serve` runs as a task once the connection is there.
    ///
    /// asyncio's `client_connected_cb`.
    pub fn for_client<C>(
        reader: StreamReader,
        serve: impl FnOnce(StreamReader, StreamWriter) -> C + 'static,
    ) -> Self
    where
        C: core::future::Future<Output = Result<()>> + 'static,
    {
        let serve = move |reader, writer| create_task(serve(reader, writer));
        let client = Client {
            reader: reader.clone(),
            serve: Box::new(serve),
        };
        Self::with_client(&reader, Some(client))
    }

    fn with_client(reader: &StreamReader, client: Option<Client>) -> Self {
        Self(Rc::new(State {
            reader: reader.downgrade(),
            paused: Cell::new(false),
            lost: RefCell::new(Lost::NotYet(Vec::new())),
            client: Cell::new(client),
            drain_waiters: RefCell::default(),
            polled: RefCell::default(),
        }))
    }

    /// True if there is a connection, and it is not told to pause writing.
    #[inline]
    pub(super) fn takes_more(&self) -> bool {
        !self.is_lost() && !self.is_paused()
    }

    /// Waits while the transport has too much to send.
    pub(super) async fn drain(&self) -> Result<()> {
        let Some(waiter) = self.begin_to_drain()? else {
            return Ok(());
        };
        let _waiting = Draining {
            state: &self.0,
            waiter: &waiter,
        };
        waiter.clone().await
    }

    /// As [`drain`](Self::drain), for who polls.
    pub(super) fn poll_drain(&self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        loop {
            // Out of its place meanwhile: its destructor is not ours.
            let polled = self.0.polled.take();
            let mut polled = match polled {
                Some(polled) => polled,
                None => match self.begin_to_drain()? {
                    Some(waiter) => Polled {
                        awaiter: waiter.clone().into_future(),
                        waiter,
                    },
                    None => return Poll::Ready(Ok(())),
                },
            };
            match Pin::new(&mut polled.awaiter).poll(cx) {
                Poll::Ready(Ok(())) => {
                    if let Some(exception) = self.lost_by() {
                        return Poll::Ready(Err(exception));
                    }
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    *self.0.polled.borrow_mut() = Some(polled);
                    return Poll::Pending;
                }
            }
        }
    }

    /// Makes what is completed when writing is resumed, and puts it into the list; none where writing is not paused.
    fn begin_to_drain(&self) -> Result<Option<Future<()>>> {
        if self.is_lost() {
            return Err(connection_lost().into());
        }
        if !self.is_paused() {
            return Ok(None);
        }
        let waiter = get_running_loop()?.create_future();
        self.0.drain_waiters.borrow_mut().push(waiter.clone());
        Ok(Some(waiter))
    }

    /// Waits until the connection is lost, and gives what it was lost by.
    pub(super) async fn wait_closed(&self) -> Result<()> {
        let waiter = {
            let mut lost = self.0.lost.borrow_mut();
            match &mut *lost {
                Lost::By(exception) => return exception.clone().map_or(Ok(()), Err),
                Lost::NotYet(waiters) => {
                    let waiter = get_running_loop()?.create_future();
                    waiters.push(waiter.clone());
                    waiter
                }
            }
        };
        waiter.await
    }

    fn polled_waiter(&self) -> Option<Future<()>> {
        let polled = self.0.polled.borrow();
        polled.as_ref().map(|polled| polled.waiter.clone())
    }

    fn lost_by(&self) -> Option<Exception> {
        match &*self.0.lost.borrow() {
            Lost::By(exception) => exception.clone(),
            Lost::NotYet(_) => None,
        }
    }

    #[inline]
    pub(super) fn is_lost(&self) -> bool {
        matches!(*self.0.lost.borrow(), Lost::By(_))
    }

    #[inline]
    pub(super) fn is_paused(&self) -> bool {
        self.0.paused.get()
    }

    #[inline]
    fn reader(&self) -> Option<StreamReader> {
        self.0.reader.upgrade()
    }

    /// Starts the task that serves the connection.
    fn serve(&self, client: Client, transport: Transport) {
        let Client { reader, serve } = client;
        let writer = StreamWriter::new(transport.clone(), self.clone(), Some(reader.clone()));
        let served = serve(reader, writer).and_then(|task| {
            let transport = transport.clone();
            task.add_done_callback(move |task| served(task, &transport))?;
            Ok(())
        });
        if let Err(error) = served {
            report(error, &transport);
            transport.close();
        }
    }
}

/// The task that served a connection is done.
fn served(task: &Future<()>, transport: &Transport) {
    match task.exception() {
        Ok(None) => {}
        Ok(Some(exception)) => {
            report(exception, transport);
            transport.close();
        }
        // It was cancelled.
        Err(_) => transport.close(),
    }
}

fn report(exception: Exception, transport: &Transport) {
    if let Ok(event_loop) = get_running_loop() {
        event_loop.call_exception_handler(
            &ExceptionContext::new("Unhandled exception in client_connected_cb")
                .with_exception(exception.into_shared())
                .with_subject("transport", format!("{transport:?}")),
        );
    }
}

impl BaseProtocol for StreamReaderProtocol {
    fn connection_lost(&self, exception: Option<&Exception>) {
        if let Some(reader) = self.reader() {
            match exception {
                None => reader.feed_eof(),
                Some(exception) => reader.set_exception(exception.clone()),
            }
        }
        let end = |waiter: Future<()>| {
            // Whoever waited may have been cancelled.
            let _ = match exception {
                None => waiter.set_result(()),
                Some(exception) => waiter.set_exception(exception.clone()),
            };
        };
        let lost = Lost::By(exception.cloned());
        if let Lost::NotYet(waiters) = self.0.lost.replace(lost) {
            waiters.into_iter().for_each(end);
        }
        if self.is_paused() {
            // Who polls finds the exception here when they come back, and may not: a waiter that nobody asks would report it.
            let polled = self.polled_waiter();
            for waiter in self.0.drain_waiters.take() {
                match &polled {
                    Some(polled) if polled.ptr_eq(&waiter) => {
                        let _ = waiter.set_result(());
                    }
                    _ => end(waiter),
                }
            }
        }
        drop(self.0.client.take());
    }

    fn pause_writing(&self) {
        self.0.paused.set(true);
    }

    fn resume_writing(&self) {
        self.0.paused.set(false);
        for waiter in self.0.drain_waiters.take() {
            // Whoever waited may have been cancelled.
            let _ = waiter.set_result(());
        }
    }
}

impl Protocol for StreamReaderProtocol {
    fn connection_made(&self, transport: Transport) {
        if let Some(reader) = self.reader() {
            reader.set_transport(transport.clone());
        }
        if let Some(client) = self.0.client.take() {
            self.serve(client, transport);
        }
    }

    fn data_received(&self, data: &[u8]) {
        if let Some(reader) = self.reader() {
            // Nothing comes after the end.
            let _ = reader.feed_data(data);
        }
    }

    fn keeps_data(&self) -> bool {
        true
    }

    fn bytes_received(&self, data: Bytes) {
        if let Some(reader) = self.reader() {
            // Nothing comes after the end.
            let _ = reader.inbox().feed_bytes(data);
        }
    }

    fn eof_received(&self) -> AfterEof {
        if let Some(reader) = self.reader() {
            reader.feed_eof();
        }
        AfterEof::KeepOpen
    }
}

impl fmt::Debug for StreamReaderProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamReaderProtocol")
            .field("reader", &self.reader())
            .field("paused", &self.is_paused())
            .field("lost", &self.is_lost())
            .finish_non_exhaustive()
    }
}

/// One wait in `drain`; when it is over, also by being dropped, nobody waits for its sake.
struct Draining<'a> {
    state: &'a State,
    waiter: &'a Future<()>,
}

impl Drop for Draining<'_> {
    fn drop(&mut self) {
        let removed = {
            let mut waiters = self.state.drain_waiters.borrow_mut();
            let place = waiters.iter().position(|other| other.ptr_eq(self.waiter));
            place.map(|place| waiters.remove(place))
        };
        drop(removed);
    }
}

/// What is raised by whoever writes to a connection that is lost.
pub(super) fn connection_lost() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, "connection lost")
}
