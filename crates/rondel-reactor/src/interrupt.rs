//! Ctrl-C: SIGINT ends the run of every loop that is running, and the process when none is.
//!
//! A signal sets a flag, which an iteration looks at when it has ended, and writes to a socket, which ends the wait of an idle loop.
//! While no loop runs, SIGINT does what it does without us.
//! So does the second of two that no iteration has come between: a callback that never returns does not make the process immune to Ctrl-C.
//!
//! # asyncio
//!
//! `KeyboardInterrupt`, which asyncio lets fly out of whatever runs, so that a callback can be torn in the middle; here an iteration always ends.
//! The runner that turns the first Ctrl-C into a cancellation is built on this, above.

use std::{
    io::{self, Read},
    os::unix::net::UnixStream,
    rc::Rc,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use signal_hook::{
    SigId,
    consts::SIGINT,
    flag,
    low_level::{pipe, unregister},
};

/// What a loop that runs for ever listens to SIGINT with.
pub(crate) struct Interrupt {
    arrived: Arc<AtomicBool>,
    socket: Rc<UnixStream>,
    registrations: [SigId; 2],
}

impl Interrupt {
    /// Begins to listen; until a loop [listens](Listening), that changes nothing.
    pub(crate) fn new() -> io::Result<Self> {
        with_process(|_| ())?;
        let (socket, written_by_signal) = UnixStream::pair()?;
        socket.set_nonblocking(true)?;
        let arrived = Arc::new(AtomicBool::new(false));
        // In this order: who finds the socket readable finds the flag set.
        let flag = flag::register(SIGINT, Arc::clone(&arrived))?;
        let socket_write = pipe::register(SIGINT, written_by_signal).inspect_err(|_| {
            unregister(flag);
        })?;
        Ok(Self {
            arrived,
            socket: Rc::new(socket),
            registrations: [flag, socket_write],
        })
    }

    /// What becomes readable when SIGINT arrives.
    pub(crate) fn socket(&self) -> Rc<UnixStream> {
        Rc::clone(&self.socket)
    }

    fn take(&self) -> bool {
        // The swap is for the rare case: an iteration costs one load.
        self.arrived.load(Ordering::Relaxed) && self.arrived.swap(false, Ordering::Relaxed)
    }
}

impl Drop for Interrupt {
    fn drop(&mut self) {
        for registration in self.registrations {
            unregister(registration);
        }
    }
}

/// Empties the socket of an [`Interrupt`]: the flag has said it all.
pub(crate) fn drain(mut socket: &UnixStream) {
    let mut buffer = [0; 64];
    while socket
        .read(&mut buffer)
        .is_ok_and(|read| read == buffer.len())
    {}
}

/// SIGINT is taken over from its default for as long as this lives.
pub(crate) struct Listening(Rc<Interrupt>);

impl Listening {
    /// Begins to listen; a signal that arrived before concerned another loop.
    pub(crate) fn begin(interrupt: Rc<Interrupt>) -> io::Result<Self> {
        interrupt.take();
        with_process(|process| {
            process.listening += 1;
            process.set_idle();
        })?;
        Ok(Self(interrupt))
    }

    /// Says whether SIGINT has arrived; if so, the run is to end, and with it this.
    #[inline]
    pub(crate) fn interrupted(&self) -> bool {
        self.0.take()
    }

    /// Ends listening, and says whether SIGINT arrived before the default could take over again: none is lost between the two.
    pub(crate) fn end(self) -> bool {
        let interrupt = Rc::clone(&self.0);
        drop(self);
        interrupt.take()
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        // The registration was made when listening began, so this cannot fail.
        let _ = with_process(|process| {
            process.listening -= 1;
            process.set_idle();
        });
    }
}

/// What all loops of the process share.
struct Process {
    listening: usize,
    /// While this is set, SIGINT does what it does by default; the signal itself sets it.
    idle: Arc<AtomicBool>,
}

impl Process {
    /// Arms the default when nobody listens, and takes back what a signal that was noticed has armed.
    fn set_idle(&mut self) {
        self.idle.store(self.listening == 0, Ordering::SeqCst);
    }
}

fn with_process<R>(f: impl FnOnce(&mut Process) -> R) -> io::Result<R> {
    static PROCESS: Mutex<Option<Process>> = Mutex::new(None);
    let mut process = PROCESS.lock().unwrap_or_else(PoisonError::into_inner);
    match &mut *process {
        Some(process) => Ok(f(process)),
        None => {
            let idle = Arc::new(AtomicBool::new(true));
            // In this order, so that a signal does not see what it sets itself.
            flag::register_conditional_default(SIGINT, Arc::clone(&idle))?;
            flag::register(SIGINT, Arc::clone(&idle))?;
            Ok(f(process.insert(Process { listening: 0, idle })))
        }
    }
}
