//! hyper's timer: sleeping by the loop's clock.
//!
//! hyper wants a sleep that is `Send` and `Sync`, though its connections are neither here, and the handle of a loop's timer is neither.
//! So the handles stay on their thread, in a table, and a sleep has its key.
//!
//! # Invariants
//!
//! - I1. A handle stands in the table of the thread whose loop has the timer, until the timer fires or its sleep is dropped there.
//! - I2. A key is given once in the process: on another thread it finds nothing, and the timer fires for nobody.
//! - I3. No waker is called or dropped while the lock or the table is held.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use rondel_reactor::NoRunningLoopError;
use rondel_sched::TimerHandle;
use rondel_task::get_running_loop;

/// The time of the running loop, as hyper asks for it.
///
/// Its instants are one moment of the real clock and what has passed on the loop's clock since.
/// Under a virtual clock hyper's timeouts are as virtual as all others, and no test waits for one.
///
/// A sleep that is polled outside of every loop waits until it is polled in one.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use hyper::rt::Timer as _;
/// use rondel_hyper::Timer;
///
/// # rondel_task::run_virtual(async {
/// let timer = Timer::new()?;
/// let start = timer.now();
/// timer.sleep(Duration::from_secs(3600)).await;
/// assert_eq!(timer.now() - start, Duration::from_secs(3600));
/// # Ok(())
/// # }).unwrap();
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Timer {
    /// The same moment as `time`.
    instant: Instant,
    time: Duration,
}

impl Timer {
    /// Makes a timer of the running loop.
    ///
    /// # Errors
    ///
    /// [`NoRunningLoopError`] outside of the coroutines and callbacks of a loop.
    pub fn new() -> Result<Self, NoRunningLoopError> {
        Ok(Self {
            time: get_running_loop()?.time(),
            instant: real_now(),
        })
    }

    /// The instant of a loop's time.
    fn instant_of(&self, time: Duration) -> Instant {
        let instant = match time.checked_sub(self.time) {
            Some(later) => self.instant.checked_add(later),
            None => self.instant.checked_sub(self.time - time),
        };
        instant.unwrap_or(self.instant)
    }

    /// The loop's time of an instant.
    fn time_of(&self, instant: Instant) -> Duration {
        match instant.checked_duration_since(self.instant) {
            Some(later) => self.time.saturating_add(later),
            None => self.time.saturating_sub(self.instant - instant),
        }
    }
}

impl hyper::rt::Timer for Timer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn hyper::rt::Sleep>> {
        let now = get_running_loop().map_or(self.time, |event_loop| event_loop.time());
        Box::pin(Sleep::new(now.saturating_add(duration)))
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn hyper::rt::Sleep>> {
        Box::pin(Sleep::new(self.time_of(deadline)))
    }

    /// Returns the running loop's time, or the real one outside of every loop.
    fn now(&self) -> Instant {
        match get_running_loop() {
            Ok(event_loop) => self.instant_of(event_loop.time()),
            Err(_) => real_now(),
        }
    }

    fn reset(&self, sleep: &mut Pin<Box<dyn hyper::rt::Sleep>>, new_deadline: Instant) {
        match sleep.as_mut().downcast_mut_pin::<Sleep>() {
            Some(mut ours) => ours.set(Sleep::new(self.time_of(new_deadline))),
            None => *sleep = self.sleep_until(new_deadline),
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the loop's clock counts from no instant, and hyper counts in instants"
)]
fn real_now() -> Instant {
    Instant::now()
}

/// Waits for a time of the loop.
struct Sleep {
    when: Duration,
    alarm: Arc<Alarm>,
    /// Set by the first poll, and until the sleep is dropped.
    timer: Option<TimerKey>,
}

impl Sleep {
    fn new(when: Duration) -> Self {
        Self {
            when,
            alarm: Arc::default(),
            timer: None,
        }
    }
}

impl hyper::rt::Sleep for Sleep {}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        if this.alarm.has_rung_or(cx.waker()) {
            return Poll::Ready(());
        }
        let (None, Ok(event_loop)) = (&this.timer, get_running_loop()) else {
            return Poll::Pending;
        };
        if event_loop.time() >= this.when {
            return Poll::Ready(());
        }
        let (key, alarm) = (TimerKey::new(), this.alarm.clone());
        let number = key.0;
        let timer = event_loop.call_at(this.when, move || {
            drop(take(number));
            alarm.ring();
        });
        // A loop that is closed has no time any more.
        if let Ok(timer) = timer {
            put(number, timer);
            this.timer = Some(key);
        }
        Poll::Pending
    }
}

/// What a timer and its sleep share.
#[derive(Default)]
struct Alarm(Mutex<AlarmState>);

#[derive(Default)]
struct AlarmState {
    rung: bool,
    waker: Option<Waker>,
}

impl Alarm {
    /// Says whether the time has come; if not, it will wake.
    fn has_rung_or(&self, waker: &Waker) -> bool {
        let state = self.lock();
        if state.rung {
            return true;
        }
        let is_kept = |kept: &Waker| kept.will_wake(waker);
        if state.waker.as_ref().is_some_and(is_kept) {
            return false;
        }
        drop(state);
        // A waker's clone is not ours to run under the lock (I3), and only a sleep that is polled puts one in.
        let waker = waker.clone();
        let mut state = self.lock();
        let replaced = state.waker.replace(waker);
        let rung = state.rung;
        drop(state);
        drop(replaced);
        rung
    }

    fn ring(&self) {
        let mut state = self.lock();
        state.rung = true;
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, AlarmState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of a timer in the table of its thread; dropped there, it cancels the timer.
struct TimerKey(u64);

impl TimerKey {
    /// A key of its own (I2).
    fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

impl Drop for TimerKey {
    fn drop(&mut self) {
        if let Some(timer) = take(self.0) {
            timer.cancel();
        }
    }
}

thread_local! {
    static TIMERS: RefCell<BTreeMap<u64, TimerHandle>> = const { RefCell::new(BTreeMap::new()) };
}

fn put(key: u64, timer: TimerHandle) {
    // It fails where the thread is ending, and its loop with it.
    let _ = TIMERS.try_with(|timers| timers.borrow_mut().insert(key, timer));
}

fn take(key: u64) -> Option<TimerHandle> {
    let taken = TIMERS.try_with(|timers| timers.borrow_mut().remove(&key));
    taken.ok().flatten()
}
