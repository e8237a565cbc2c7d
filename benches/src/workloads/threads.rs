//! Wakes from another thread.
//!
//! The task gives its waker to the thread through a `Bell`, as any library that computes elsewhere does; no runtime's own channel is used.

use std::future::poll_fn;
use std::hint;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, mpsc};
use std::task::{Poll, Waker};
use std::thread::{self, Thread};

use super::Measured;
use crate::clock::{Stopwatch, Whose};
use crate::peer::Peer;

/// What a thread rings and a task waits for.
#[derive(Debug, Default)]
struct Bell {
    rung: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Bell {
    fn ring(&self) {
        self.rung.store(true, Ordering::Release);
        let waker = self.waker().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Waits until it has rung since the last time.
    async fn rung(&self) {
        poll_fn(|context| {
            if !self.rung.load(Ordering::Acquire) {
                let before = self.waker().replace(context.waker().clone());
                drop(before);
            }
            match self.rung.swap(false, Ordering::AcqRel) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
    }

    fn waker(&self) -> std::sync::MutexGuard<'_, Option<Waker>> {
        self.waker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says whether a task waits for it.
    fn has_waiter(&self) -> bool {
        self.waker().is_some()
    }
}

/// Lets a thread wake a sleeping loop and wait for its answer, `total` times.
///
/// It gives the time of both threads, and with it what going to sleep and waking up costs.
///
/// # Errors
/// When the runtime cannot be made.
///
/// # Panics
/// When the thread does.
pub fn wake_sleeping<P: Peer>(total: usize) -> Measured {
    P::run(move |peer| async move {
        let bell = Arc::new(Bell::default());
        let (answer, answers) = mpsc::channel();
        let ringer = bell.clone();
        let watch = Stopwatch::start(Whose::Process);
        let thread = thread::spawn(move || {
            for _ in 0..total {
                ringer.ring();
                if answers.recv().is_err() {
                    return;
                }
            }
        });
        let task = peer.spawn(async move {
            for _ in 0..total {
                bell.rung().await;
                answer.send(()).expect("the thread waits for it");
            }
            P::output(())
        });
        P::join(task).await;
        let time = watch.per(total);
        thread.join().expect("it does not panic");
        P::output(time)
    })
}

/// Lets a thread wake `batch` tasks of a loop that is kept busy, until there have been `total` wakes.
///
/// It gives the time that the waking thread takes: what a busy loop does for itself cannot be told from what it does for the wakes.
///
/// # Errors
/// When the runtime cannot be made.
///
/// # Panics
/// When the thread does.
pub fn wake_busy<P: Peer>(total: usize, batch: usize) -> Measured {
    P::run(move |peer| async move {
        let bells: Arc<[Bell]> = (0..batch).map(|_| Bell::default()).collect();
        let (done, is_over) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let mut tasks = Vec::with_capacity(batch);
        for place in 0..batch {
            let (bells, done) = (bells.clone(), done.clone());
            tasks.push(peer.spawn(async move {
                for _ in 0..total / batch {
                    bells[place].rung().await;
                    done.fetch_add(1, Ordering::AcqRel);
                }
                P::output(())
            }));
        }
        let over = is_over.clone();
        let thread = thread::spawn(move || {
            let mut time = 0.0;
            for round in 0..total / batch {
                while !bells.iter().all(Bell::has_waiter) {
                    hint::spin_loop();
                }
                let watch = Stopwatch::start(Whose::Thread);
                bells.iter().for_each(Bell::ring);
                time += watch.per(total);
                while done.load(Ordering::Acquire) < (round + 1) * batch {
                    hint::spin_loop();
                }
            }
            over.store(true, Ordering::Release);
            time
        });
        while !is_over.load(Ordering::Acquire) {
            P::yield_now().await;
        }
        for task in tasks {
            P::join(task).await;
        }
        P::output(thread.join().expect("it does not panic"))
    })
}

/// Lets a thread wake `batch` tasks of a sleeping loop at once and sleep until all have run, until there have been `total` wakes.
///
/// It gives the time of both threads. The tasks count that they have run, and the last one wakes the thread: answers that go through
/// a channel take longer than wakes do, for all alike.
///
/// # Errors
/// When the runtime cannot be made.
///
/// # Panics
/// When the thread does.
pub fn wake_batch<P: Peer>(total: usize, batch: usize) -> Measured {
    P::run(move |peer| async move {
        let bells: Arc<[Bell]> = (0..batch).map(|_| Bell::default()).collect();
        let ran = Arc::<AtomicUsize>::default();
        let ringer = Arc::<OnceLock<Thread>>::default();
        let mut tasks = Vec::with_capacity(batch);
        for place in 0..batch {
            let (bells, ran, ringer) = (bells.clone(), ran.clone(), ringer.clone());
            tasks.push(peer.spawn(async move {
                for round in 1..=total / batch {
                    bells[place].rung().await;
                    if ran.fetch_add(1, Ordering::AcqRel) + 1 == round * batch {
                        ringer.get().expect("it has rung").unpark();
                    }
                }
                P::output(())
            }));
        }
        P::yield_now().await;
        let watch = Stopwatch::start(Whose::Process);
        let thread = thread::spawn(move || {
            ringer
                .set(thread::current())
                .expect("it is the only thread that rings");
            for round in 1..=total / batch {
                bells.iter().for_each(Bell::ring);
                while ran.load(Ordering::Acquire) < round * batch {
                    thread::park();
                }
            }
        });
        for task in tasks {
            P::join(task).await;
        }
        let time = watch.per(total);
        thread.join().expect("it does not panic");
        P::output(time)
    })
}
