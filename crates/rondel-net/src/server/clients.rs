//! The connections that a server has accepted and that are not lost yet.
//!
//! It accepts nothing; it counts, so that a server can wait for the last one.
//!
//! # Invariants
//!
//! - I1. A connection counts from when it is accepted until its [`Membership`] is dropped, which its transport does when the connection is lost.
//! - I2. Who waits is woken once: when the server is closed and nobody counts any more, whichever comes last.
//!
//! # asyncio
//!
//! `Server._attach`, `_detach` and `_wakeup`.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    fmt,
    rc::Rc,
};

use rondel_task::{EventLoop, Future};

use crate::transport::Transport;

/// The open connections of one server.
#[derive(Default)]
pub(crate) struct Clients {
    /// By number, in the order of their coming.
    transports: RefCell<BTreeMap<u64, Transport>>,
    last: Cell<u64>,
    members: Cell<usize>,
    /// The server accepts nothing more.
    closed: Cell<bool>,
    waiters: RefCell<Vec<Future<()>>>,
}

impl Clients {
    /// Makes a place for a connection.
    pub(crate) fn join(self: &Rc<Self>) -> Membership {
        let number = self.last.get() + 1;
        self.last.set(number);
        self.members.set(self.members.get() + 1);
        Membership {
            clients: Rc::clone(self),
            number,
        }
    }

    /// Returns the connections, in the order of their coming.
    pub(super) fn transports(&self) -> Vec<Transport> {
        self.transports.borrow().values().cloned().collect()
    }

    /// No connection is going to come any more.
    pub(super) fn close(&self) {
        self.closed.set(true);
        self.wake_if_gone();
    }

    /// What is completed when the server is closed and its connections are lost; none when that is so.
    pub(super) fn gone(&self, event_loop: &EventLoop) -> Option<Future<()>> {
        if self.are_gone() {
            return None;
        }
        let waiter = event_loop.create_future();
        self.waiters.borrow_mut().push(waiter.clone());
        Some(waiter)
    }

    fn are_gone(&self) -> bool {
        self.closed.get() && self.members.get() == 0
    }

    fn wake_if_gone(&self) {
        if self.are_gone() {
            for waiter in self.waiters.take() {
                // Whoever waited may have been cancelled.
                let _ = waiter.set_result(());
            }
        }
    }
}

impl fmt::Debug for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.transports.borrow().values())
            .finish()
    }
}

/// A place among a server's connections; given back when it is dropped.
pub(crate) struct Membership {
    clients: Rc<Clients>,
    number: u64,
}

impl Membership {
    /// Names the transport of the connection.
    pub(crate) fn attach(&self, transport: &Transport) {
        let mut transports = self.clients.transports.borrow_mut();
        transports.insert(self.number, transport.clone());
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        let removed = self.clients.transports.borrow_mut().remove(&self.number);
        drop(removed);
        let members = &self.clients.members;
        members.set(members.get() - 1);
        self.clients.wake_if_gone();
    }
}
