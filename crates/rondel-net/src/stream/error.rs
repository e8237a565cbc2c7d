//! What a read may fail with besides what ended the connection.
//!
//! # asyncio
//!
//! [`IncompleteReadError` and `LimitOverrunError`](https://docs.python.org/3/library/asyncio-exceptions.html).

use std::{error::Error, fmt};

use bytes::Bytes;

/// Says that the stream ended before a read was complete.
///
/// Mirrors [`asyncio.IncompleteReadError`](https://docs.python.org/3/library/asyncio-exceptions.html#asyncio.IncompleteReadError).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncompleteReadError {
    partial: Bytes,
    expected: Option<usize>,
}

impl IncompleteReadError {
    pub(crate) fn new(partial: Bytes, expected: Option<usize>) -> Self {
        Self { partial, expected }
    }

    /// Returns what was read before the end; it is not in the reader any more.
    #[must_use]
    pub fn partial(&self) -> &Bytes {
        &self.partial
    }

    /// Returns how many bytes were expected, where that was known.
    #[must_use]
    pub fn expected(&self) -> Option<usize> {
        self.expected
    }
}

impl fmt::Display for IncompleteReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = self.partial.len();
        match self.expected {
            Some(expected) => write!(
                f,
                "{length} bytes read on a total of {expected} expected bytes"
            ),
            None => write!(
                f,
                "{length} bytes read on a total of undefined expected bytes"
            ),
        }
    }
}

impl Error for IncompleteReadError {}

/// Says that a reader's limit was reached while it looked for a separator; what it looked at is still in the reader.
///
/// Mirrors [`asyncio.LimitOverrunError`](https://docs.python.org/3/library/asyncio-exceptions.html#asyncio.LimitOverrunError).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitOverrunError {
    pub(crate) found: bool,
    pub(crate) consumed: usize,
}

impl LimitOverrunError {
    /// Returns how many bytes are to be read at least before the separator can come.
    #[must_use]
    pub fn consumed(&self) -> usize {
        self.consumed
    }
}

impl fmt::Display for LimitOverrunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.found {
            "separator is found, but chunk is longer than limit"
        } else {
            "separator is not found, and chunk exceed the limit"
        })
    }
}

impl Error for LimitOverrunError {}
