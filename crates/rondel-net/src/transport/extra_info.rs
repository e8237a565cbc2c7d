//! What a transport knows about its connection besides the bytes.
//!
//! # asyncio
//!
//! `get_extra_info('peername')` and its like: a key is a type here, and knows the type of its value, so that it can be neither misspelt nor misread.
//! Other layers add keys of their own; those of TLS stand here, too.

use std::any::Any;

#[cfg(feature = "tls")]
pub use crate::tls::info::{AlpnProtocol, Cipher, Peercert, ServerHostname, TlsVersion};
use crate::{SocketName, TransportPipe, TransportSocket};

/// A key of extra information.
///
/// # Examples
///
/// ```
/// use rondel_net::{extra_info::{ExtraInfo, Peername}, open_memory_connection};
///
/// /// What a layer of one's own might tell.
/// struct Colour;
///
/// impl ExtraInfo for Colour {
///     type Value = &'static str;
/// }
///
/// # rondel_task::run(async {
/// let ((_reader, writer), _other_end) = open_memory_connection().await?;
/// assert_eq!(writer.get_extra_info(Peername), None);
/// assert_eq!(writer.get_extra_info(Colour), None);
/// # Ok(())
/// # }).unwrap();
/// ```
pub trait ExtraInfo: 'static {
    /// The type of the value.
    type Value: 'static;
}

/// asyncio's `'peername'`: the address of the other end.
#[derive(Clone, Copy, Debug)]
pub struct Peername;

impl ExtraInfo for Peername {
    type Value = SocketName;
}

/// asyncio's `'sockname'`: the address of this end.
#[derive(Clone, Copy, Debug)]
pub struct Sockname;

impl ExtraInfo for Sockname {
    type Value = SocketName;
}

/// asyncio's `'socket'`: the socket, for its options.
#[derive(Clone, Copy, Debug)]
pub struct Socket;

impl ExtraInfo for Socket {
    type Value = TransportSocket;
}

/// asyncio's `'pipe'`: the pipe of a pipe transport.
#[derive(Clone, Copy, Debug)]
pub struct Pipe;

impl ExtraInfo for Pipe {
    type Value = TransportPipe;
}

/// A question for one key, on its way through the layers of a transport until one answers.
pub struct Request<'a> {
    slot: &'a mut dyn Any,
}

/// Where the answer goes.
struct Slot<K: ExtraInfo>(Option<K::Value>);

impl Request<'_> {
    /// Asks a transport's layers for a key.
    pub(crate) fn ask<K: ExtraInfo>(layers: impl FnOnce(&mut Request<'_>)) -> Option<K::Value> {
        let mut slot = Slot::<K>(None);
        layers(&mut Request { slot: &mut slot });
        slot.0
    }

    /// Answers if this is what was asked for and nobody has answered yet; returns itself for the next key.
    pub fn provide<K: ExtraInfo>(&mut self, value: impl FnOnce() -> Option<K::Value>) -> &mut Self {
        if let Some(slot) = self.slot.downcast_mut::<Slot<K>>()
            && slot.0.is_none()
        {
            slot.0 = value();
        }
        self
    }
}

impl std::fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Request").finish_non_exhaustive()
    }
}
