//! `Drain`: a writer's wait until its transport has less to send.
//!
//! Mostly there is nothing to wait for, so that what a wait needs is made only where there is one.
//!
//! # asyncio
//!
//! The coroutine `StreamWriter.drain`.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use rondel_task::{Exception, Result, sleep};

use super::protocol::StreamReaderProtocol;

/// What `drain` gives, to be awaited.
pub(super) struct Drain(Stage);

enum Stage {
    /// The protocol is to be asked.
    Begin(StreamReaderProtocol),
    Wait(Pin<Box<dyn Future<Output = Result<()>>>>),
    Over,
}

impl Drain {
    /// `exception` is the reader's; `is_closing` says whether the transport is.
    #[inline]
    pub(super) fn new(
        protocol: StreamReaderProtocol,
        exception: Option<Exception>,
        is_closing: bool,
    ) -> Self {
        match exception.is_none() && !is_closing {
            true => Self(Stage::Begin(protocol)),
            false => Self::at_the_end(protocol, exception),
        }
    }

    /// There is little left to drain, if anything.
    #[cold]
    fn at_the_end(protocol: StreamReaderProtocol, exception: Option<Exception>) -> Self {
        Self(Stage::Wait(Box::pin(async move {
            if let Some(exception) = exception {
                return Err(exception);
            }
            // So that who writes and drains in a loop hears that the connection is lost.
            sleep(Duration::ZERO).await?;
            protocol.drain().await
        })))
    }
}

impl Future for Drain {
    type Output = Result<()>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        match &self.0 {
            Stage::Begin(protocol) if protocol.takes_more() => {
                self.0 = Stage::Over;
                Poll::Ready(Ok(()))
            }
            _ => self.wait(cx),
        }
    }
}

impl Drain {
    #[cold]
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        if let Stage::Begin(protocol) = &self.0 {
            let protocol = protocol.clone();
            self.0 = Stage::Wait(Box::pin(async move { protocol.drain().await }));
        }
        let polled = match &mut self.0 {
            Stage::Wait(wait) => wait.as_mut().poll(cx),
            Stage::Begin(_) | Stage::Over => Poll::Ready(Ok(())),
        };
        if polled.is_ready() {
            self.0 = Stage::Over;
        }
        polled
    }
}
