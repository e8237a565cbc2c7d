//! Streams: coroutines that read and write, instead of callbacks.
//!
//! A [`StreamReader`] keeps what has come until it is read; a [`StreamWriter`] writes to the transport and waits while that has too much to send.
//! [`StreamReaderProtocol`] stands between them and the transport, which may be any.
//!
//! # asyncio
//!
//! [Streams](https://docs.python.org/3/library/asyncio-stream.html).
//! What is read are [`Bytes`](bytes::Bytes), parts of the reader's buffer or of what was received into, that are not copied.
//! A writer closes its transport when the last handle of it is dropped, which asyncio's does with a warning.

mod buffer;
mod drain;
mod duplex;
mod error;
mod futures_io;
mod inbox;
mod lines;
mod protocol;
mod reader;
mod until;
mod writer;

use std::{num::NonZeroUsize, rc::Rc};

use rondel_task::{Result, ValueError};

use crate::{
    protocol::{AnyProtocol, StreamProtocol as _},
    transport::Transport,
};

pub use self::{
    duplex::Duplex,
    error::{IncompleteReadError, LimitOverrunError},
    lines::Lines,
    protocol::StreamReaderProtocol,
    reader::StreamReader,
    writer::StreamWriter,
};

/// The limit of a reader unless another is set: 64 KiB.
pub(crate) const DEFAULT_LIMIT: NonZeroUsize = NonZeroUsize::new(64 * 1024).unwrap();

/// Refuses a limit of 0.
pub(crate) fn checked_limit(limit: usize) -> Result<NonZeroUsize, ValueError> {
    NonZeroUsize::new(limit).ok_or_else(|| ValueError::new("limit cannot be <= 0"))
}

/// Connects the two ends of a stream to the transport that `connect` makes for their protocol.
pub(crate) async fn open(
    reader: StreamReader,
    connect: impl AsyncFnOnce(AnyProtocol) -> Result<Transport>,
) -> Result<(StreamReader, StreamWriter)> {
    let protocol = StreamReaderProtocol::new(&reader);
    let transport = connect(Rc::new(protocol.clone()).into_any()).await?;
    let writer = StreamWriter::new(transport, protocol, Some(reader.clone()));
    Ok((reader, writer))
}
