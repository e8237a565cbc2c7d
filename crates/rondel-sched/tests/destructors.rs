//! Destructors that call back in: at cancel, at close, after a panic, and when the scheduler goes.

mod common;

use std::{
    cell::RefCell,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use common::World;
use rondel_context::{Context, ContextVar};
use rondel_sched::{ClosedError, Message, Scheduler, VirtualClock};

/// Calls a function when dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// A guard whose destructor uses everything that a scheduler offers, and logs whether it is closed.
fn meddling(world: &World) -> OnDrop<impl FnMut() + use<>> {
    let world = world.clone();
    OnDrop(move || {
        let scheduler = &world.scheduler;
        let soon = world.call_soon("added");
        let timer = scheduler.call_later(Duration::ZERO, world.log.adding("set"));
        scheduler.wake(rondel_sched::Token::from_bits(1));
        let _ = scheduler.injector().send(Message::Call(Box::new(|| ())));
        scheduler.receive();
        scheduler.fire_timers();
        let _ = scheduler.next_timer();
        match (soon, timer) {
            (Ok(_), Ok(timer)) => {
                timer.cancel();
                world.log.add("accepted");
            }
            (Err(ClosedError), Err(ClosedError)) => world.log.add("refused"),
            mixed => panic!("{mixed:?}"),
        }
    })
}

#[test]
fn cancel_drops_the_callback_at_once() -> Result<(), ClosedError> {
    let world = World::new();
    let (soon, timer) = (meddling(&world), meddling(&world));
    let soon = world.scheduler.call_soon(move || drop(soon))?;
    let timer = world
        .scheduler
        .call_later(Duration::from_secs(1), move || drop(timer))?;
    soon.cancel();
    world.saw("accepted");
    timer.cancel();
    world.saw("accepted accepted");
    soon.cancel();
    world.saw("accepted accepted");
    Ok(())
}

#[test]
fn close_drops_everything_and_destructors_are_refused() -> Result<(), ClosedError> {
    let world = World::new();
    for _ in 0..3 {
        let (soon, timer) = (meddling(&world), meddling(&world));
        world.scheduler.call_soon(move || drop(soon))?;
        world
            .scheduler
            .call_later(Duration::ZERO, move || drop(timer))?;
    }
    world.scheduler.close();
    world.saw("refused refused refused refused refused refused");
    assert!(world.scheduler.is_closed());
    assert_eq!(
        (world.scheduler.ready_len(), world.scheduler.timer_len()),
        (0, 0)
    );
    world.scheduler.close();
    Ok(())
}

#[test]
fn a_closed_scheduler_refuses_and_drops_outside_of_borrows() {
    let world = World::new();
    world.scheduler.close();
    let guard = meddling(&world);
    assert_eq!(
        world.scheduler.call_soon(move || drop(guard)).unwrap_err(),
        ClosedError
    );
    let guard = meddling(&world);
    assert_eq!(
        world
            .scheduler
            .call_at(Duration::ZERO, move || drop(guard))
            .unwrap_err(),
        ClosedError
    );
    world.saw("refused refused");
    assert_eq!(
        world
            .scheduler
            .injector()
            .send(Message::Call(Box::new(|| ()))),
        Err(ClosedError)
    );
    assert_eq!(ClosedError.to_string(), "the event loop is closed");
}

#[test]
fn a_callback_closes_the_scheduler_it_runs_in() -> Result<(), ClosedError> {
    let world = World::new();
    let (inner, guard) = (world.clone(), meddling(&world));
    world.scheduler.call_soon(move || inner.scheduler.close())?;
    world.scheduler.call_soon(move || drop(guard))?;
    assert_eq!(world.turn(), 1);
    world.saw("refused");
    Ok(())
}

#[test]
fn what_a_panicking_callback_held_is_dropped_with_nothing_borrowed() -> Result<(), ClosedError> {
    let world = World::new();
    let guard = meddling(&world);
    world.scheduler.call_soon(move || {
        let _guard = guard;
        std::panic::resume_unwind(Box::new("oops"));
    })?;
    world.call_soon("behind")?;
    world.turn();
    let text = world.log.text();
    assert!(text.starts_with("accepted [destructors::"), "{text}");
    assert!(text.ends_with("panicked: oops] behind"), "{text}");
    Ok(())
}

#[test]
fn a_timer_that_is_cancelled_drops_its_context_outside_of_borrows() -> Result<(), ClosedError> {
    thread_local!(static WORLD: RefCell<Option<World>> = const { RefCell::new(None) });

    /// A value of a context variable must be `Send`, so it finds its world in a thread-local.
    #[derive(Clone)]
    struct Value;
    impl Drop for Value {
        fn drop(&mut self) {
            let world = WORLD.with_borrow(Option::clone);
            drop(world.map(|world| meddling(&world)));
        }
    }
    static VALUE: ContextVar<Value> = ContextVar::new("value");

    let world = World::new();
    let cancelled_timer = |when| {
        let context = Context::new();
        drop(context.run(|| VALUE.set(Value)));
        world
            .scheduler
            .call_at_in(&context, when, || ())
            .unwrap()
            .cancel();
    };
    WORLD.set(Some(world.clone()));
    // One that is near, and one in the wheel.
    cancelled_timer(Duration::ZERO);
    cancelled_timer(Duration::from_secs(1));
    let dropped = world
        .log
        .text()
        .split(' ')
        .filter(|word| *word == "accepted")
        .count();
    assert_eq!(dropped, 2);
    WORLD.take();
    Ok(())
}

#[test]
fn a_scheduler_that_goes_takes_its_callbacks_with_it() -> Result<(), ClosedError> {
    let alive = Rc::new(());
    let world = World::new();
    let World { scheduler, .. } = world;
    for _ in 0..2 {
        let (soon, timer) = (alive.clone(), alive.clone());
        scheduler.call_soon(move || drop(soon))?;
        scheduler.call_later(Duration::ZERO, move || drop(timer))?;
    }
    let injector = scheduler.injector();
    drop(scheduler);
    assert_eq!(Rc::strong_count(&alive), 1);
    assert_eq!(
        injector.send(Message::Call(Box::new(|| ()))),
        Err(ClosedError)
    );
    Ok(())
}

#[test]
fn a_destructor_that_panics_at_close_keeps_none_from_being_dropped() -> Result<(), ClosedError> {
    let alive = Rc::new(());
    let sent = Arc::new(());
    let world = World::new();
    let scheduler = &world.scheduler;
    for _ in 0..2 {
        let bad = || OnDrop(|| resume_unwind(Box::new("oops")));
        let (soon, timer, message) = (bad(), bad(), bad());
        scheduler.call_soon(move || drop(soon))?;
        scheduler.call_later(Duration::from_secs(1), move || drop(timer))?;
        let call = Box::new(move || drop(message));
        scheduler.injector().send(Message::Call(call))?;
        let (soon, timer, message) = (alive.clone(), alive.clone(), sent.clone());
        scheduler.call_soon(move || drop(soon))?;
        scheduler.call_later(Duration::from_secs(1), move || drop(timer))?;
        let call = Box::new(move || drop(message));
        scheduler.injector().send(Message::Call(call))?;
    }
    let closed = catch_unwind(AssertUnwindSafe(|| scheduler.close()));
    assert_eq!(closed.unwrap_err().downcast_ref(), Some(&"oops"));
    assert_eq!((Rc::strong_count(&alive), Arc::strong_count(&sent)), (1, 1));
    Ok(())
}

#[test]
fn a_scheduler_that_is_dropped_drops_callbacks_that_keep_its_timers() -> Result<(), ClosedError> {
    let kept = Rc::new(());
    let scheduler = Scheduler::new(Rc::new(VirtualClock::new()));
    let timer = scheduler.call_later(Duration::from_secs(1), || ())?;
    let inner = kept.clone();
    scheduler.call_later(Duration::from_secs(2), move || {
        timer.cancel();
        drop(inner);
    })?;
    drop(scheduler);
    assert_eq!(Rc::strong_count(&kept), 1);
    Ok(())
}
