//! Messages from other threads.

mod common;

use std::{
    rc::Rc,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use common::World;
use rondel_sched::{ClosedError, Injector, Message, Scheduler, Token, VirtualClock};

/// What the notification of a reactor does: it stays until somebody waits for it.
#[derive(Default)]
struct Doorbell {
    rung: Mutex<bool>,
    bell: Condvar,
    rings: AtomicUsize,
}

/// Why its lock is not poisoned.
const SOUND: &str = "nobody panics while ringing";

impl Doorbell {
    fn ring(&self) {
        self.rings.fetch_add(1, Ordering::Relaxed);
        *self.rung.lock().expect(SOUND) = true;
        self.bell.notify_one();
    }

    fn wait(&self) {
        let mut rung = self
            .bell
            .wait_while(self.rung.lock().expect(SOUND), |rung| !*rung)
            .expect(SOUND);
        *rung = false;
    }
}

fn with_doorbell() -> (Scheduler, Arc<Doorbell>) {
    let doorbell = Arc::new(Doorbell::default());
    let ringing = doorbell.clone();
    let clock = Rc::new(VirtualClock::new());
    (
        Scheduler::with_notify(clock, Box::new(move || ringing.ring())),
        doorbell,
    )
}

#[test]
fn messages_join_the_queue_in_order() -> Result<(), ClosedError> {
    let world = World::new();
    let injector = world.scheduler.injector();
    world.call_soon("a")?;
    assert!(!world.scheduler.receive());
    thread::scope(|scope| {
        scope.spawn(|| {
            for bits in 1..=3 {
                injector
                    .send(Message::Wake(Token::from_bits(bits)))
                    .unwrap();
            }
        });
    });
    assert!(world.scheduler.receive());
    world.call_soon("b")?;
    world.turn();
    world.saw("a Token(0x1) Token(0x2) Token(0x3) b");
    assert!(!world.scheduler.receive());
    Ok(())
}

#[test]
fn one_notification_is_enough_for_a_batch() -> Result<(), ClosedError> {
    let (scheduler, doorbell) = with_doorbell();
    let injector = scheduler.injector();
    for rings in 1..=3 {
        for _ in 0..10 {
            injector.send(Message::Call(Box::new(|| ())))?;
            assert_eq!(doorbell.rings.load(Ordering::Relaxed), rings);
        }
        scheduler.receive();
        assert_eq!(scheduler.run_ready(&()), 10);
    }
    injector.notify();
    assert_eq!(doorbell.rings.load(Ordering::Relaxed), 4);
    Ok(())
}

/// A receiver that sleeps whenever it has seen nothing hangs for ever if one notification is lost.
#[test]
fn no_wake_up_is_lost() {
    const SENDERS: usize = 4;
    const EACH: usize = 5_000;
    let (scheduler, doorbell) = with_doorbell();
    let injector = scheduler.injector();
    let ran = Arc::new(AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..SENDERS {
            scope.spawn(|| {
                for _ in 0..EACH {
                    let ran = ran.clone();
                    let count = move || {
                        ran.fetch_add(1, Ordering::Relaxed);
                    };
                    injector.send(Message::Call(Box::new(count))).unwrap();
                }
            });
        }
        while ran.load(Ordering::Relaxed) < SENDERS * EACH {
            if !scheduler.receive() {
                doorbell.wait();
            }
            scheduler.run_ready(&());
        }
    });
    assert_eq!(ran.load(Ordering::Relaxed), SENDERS * EACH);
}

#[test]
fn what_was_sent_to_a_closed_scheduler_is_dropped() {
    struct Count(Arc<AtomicUsize>);
    impl Drop for Count {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    let scheduler = Scheduler::new(Rc::new(VirtualClock::new()));
    let injector = scheduler.injector();
    let dropped = Arc::new(AtomicUsize::new(0));
    let send = || {
        let count = Count(dropped.clone());
        injector.send(Message::Call(Box::new(move || drop(count))))
    };
    assert_eq!(send(), Ok(()));
    assert_eq!(send(), Ok(()));
    scheduler.close();
    assert_eq!(dropped.load(Ordering::Relaxed), 2);
    assert_eq!(send(), Err(ClosedError));
    assert_eq!(dropped.load(Ordering::Relaxed), 3);
    assert!(!scheduler.receive());
}

#[test]
fn the_entrance_is_for_all_threads_and_the_scheduler_for_one() {
    fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<Injector>();
    is_send_and_sync::<Token>();
    is_send_and_sync::<ClosedError>();

    // `Rc<dyn Clock>` makes the scheduler `!Send`; a method that both `Send` and `!Send` types had would be ambiguous.
    trait NotSend<Marker> {
        fn holds() {}
    }
    struct IsSend;
    impl<T: ?Sized> NotSend<()> for T {}
    impl<T: ?Sized + Send> NotSend<IsSend> for T {}
    <Scheduler as NotSend<_>>::holds();
    <rondel_sched::Handle as NotSend<_>>::holds();
}
