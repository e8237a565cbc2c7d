//! What a signal does to a loop: it sets flags, and rings at the door of one that waits.
//!
//! The doorbell says nothing about who rang: the flags do.

use std::{
    ffi::c_int,
    io::{self, Read},
    os::unix::net::UnixStream,
    rc::Rc,
    sync::{Arc, atomic::AtomicBool},
};

use signal_hook::{
    SigId, flag,
    low_level::{pipe, unregister},
};

use super::process;

/// A socket that signals write to, so that the wait of an idle loop ends.
pub(crate) struct Doorbell {
    rung: Rc<UnixStream>,
    ringing: UnixStream,
}

impl Doorbell {
    pub(crate) fn new() -> io::Result<Self> {
        let (rung, ringing) = UnixStream::pair()?;
        rung.set_nonblocking(true)?;
        Ok(Self {
            rung: Rc::new(rung),
            ringing,
        })
    }

    /// What becomes readable when a signal rings.
    pub(crate) fn socket(&self) -> Rc<UnixStream> {
        Rc::clone(&self.rung)
    }
}

/// Empties the socket of a [`Doorbell`].
pub(crate) fn drain(mut socket: &UnixStream) {
    let mut buffer = [0; 64];
    while socket
        .read(&mut buffer)
        .is_ok_and(|read| read == buffer.len())
    {}
}

/// What a signal does to a loop, for as long as this lives.
pub(crate) struct Actions(Vec<SigId>);

impl Actions {
    /// Has the signal set the flags and then ring: who hears the bell finds the flags set, and the first of them before the second.
    pub(crate) fn new(
        signal: c_int,
        flags: &[&Arc<AtomicBool>],
        doorbell: &Doorbell,
    ) -> io::Result<Self> {
        process::prepare(signal)?;
        // Filled step by step, so that a refusal takes back what was done before.
        let mut actions = Self(Vec::with_capacity(flags.len() + 1));
        for flag in flags {
            actions.0.push(flag::register(signal, Arc::clone(flag))?);
        }
        let ringing = doorbell.ringing.try_clone()?;
        actions.0.push(pipe::register(signal, ringing)?);
        Ok(actions)
    }
}

impl Drop for Actions {
    fn drop(&mut self) {
        for action in self.0.drain(..) {
            unregister(action);
        }
    }
}
