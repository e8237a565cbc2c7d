//! Closing, by name or by letting go, with callbacks and a layer above that call back in.

mod common;

use std::{
    cell::RefCell,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    rc::{Rc, Weak},
    time::Duration,
};

use common::{Log, TestResult, virtual_loop};
use rondel_reactor::{EventLoop, Extension, LoopHandle};
use rondel_sched::{ClosedError, Token};

/// Sends a callback to its loop when dropped, and says how that went.
struct SendOnDrop(LoopHandle, Log);

impl Drop for SendOnDrop {
    fn drop(&mut self) {
        let sent = self.0.call_soon_threadsafe(|| ());
        self.1.add(match sent {
            Ok(()) => "accepted",
            Err(ClosedError) => "refused",
        });
    }
}

#[test]
fn a_loop_that_goes_with_callbacks_that_call_back() -> TestResult {
    let log = Log::default();
    let (event_loop, _) = virtual_loop();
    for _ in 0..2 {
        let calling = || SendOnDrop(event_loop.handle(), log.clone());
        let (soon, timer, reader) = (calling(), calling(), calling());
        event_loop.call_soon(move || drop(soon))?;
        event_loop.call_later(Duration::ZERO, move || drop(timer))?;
        let (pipe, _writer) = std::io::pipe()?;
        event_loop.add_reader(pipe, move || reader.1.add("never"))?;
    }
    drop(event_loop);
    // A message that was accepted while the scheduler still emptied its queues is dropped with the channel.
    log.saw("accepted accepted accepted accepted refused refused");
    Ok(())
}

#[test]
fn close_breaks_the_cycle_of_a_callback_that_owns_its_loop() -> TestResult {
    let alive = Rc::new(());
    let (event_loop, _) = virtual_loop();
    let (owner, held) = (event_loop.clone(), alive.clone());
    event_loop.call_later(Duration::from_secs(1), move || drop((owner, held)))?;
    event_loop.close()?;
    assert_eq!(Rc::strong_count(&alive), 1);
    Ok(())
}

#[test]
fn a_destructor_that_panics_leaves_no_loop_half_closed() -> TestResult {
    struct Bad;
    impl Drop for Bad {
        fn drop(&mut self) {
            resume_unwind(Box::new("oops"));
        }
    }

    let alive = Rc::new(());
    let (event_loop, _) = virtual_loop();
    let bad = Bad;
    event_loop.call_soon(move || drop(bad))?;
    let holding = || {
        let (owner, held) = (event_loop.clone(), alive.clone());
        move || drop((owner.clone(), held.clone()))
    };
    event_loop.call_soon(holding())?;
    event_loop.call_later(Duration::from_secs(1), holding())?;
    event_loop.call_when_idle(Duration::from_secs(1), holding())?;
    let (pipe, _writer) = std::io::pipe()?;
    event_loop.add_reader(pipe, holding())?;
    let closed = catch_unwind(AssertUnwindSafe(|| event_loop.close()));
    assert!(closed.is_err());
    assert_eq!(Rc::strong_count(&alive), 1);
    Ok(())
}

/// A layer that logs what it is told, and uses the loop while it closes.
struct Layer {
    event_loop: RefCell<Option<EventLoop>>,
    log: Log,
}

impl Layer {
    fn hang_into(event_loop: &EventLoop, log: &Log) -> Rc<Self> {
        let layer = Rc::new(Self {
            event_loop: RefCell::new(None),
            log: log.clone(),
        });
        let extension: Rc<dyn Extension> = layer.clone();
        event_loop.set_extension(Rc::downgrade(&extension));
        layer
    }
}

impl Extension for Layer {
    fn wake(&self, token: Token) {
        self.log.add(format!("wake {}", token.to_bits()));
    }

    fn started(&self) {
        self.log
            .add(format!("started {}", common::running().is_running()));
    }

    fn stopped(&self) {
        self.log.add(format!(
            "stopped {}",
            rondel_reactor::get_running_loop().is_err()
        ));
    }

    fn closing(&self) {
        let event_loop = self.event_loop.take();
        let accepted = event_loop.is_none_or(|event_loop| {
            event_loop.close().expect("it is closing already");
            event_loop.call_soon(|| ()).is_ok()
        });
        self.log.add(format!("closing {accepted}"));
    }
}

#[test]
fn the_layer_above_is_told_of_every_moment() -> TestResult {
    let log = Log::default();
    let (event_loop, _) = virtual_loop();
    let layer = Layer::hang_into(&event_loop, &log);
    event_loop.scheduler().wake(Token::from_bits(1));
    event_loop.run_once()?;
    event_loop.call_soon(common::stop)?;
    event_loop.scheduler().wake(Token::from_bits(2));
    event_loop.run_forever()?;
    layer.event_loop.replace(Some(event_loop.clone()));
    event_loop.close()?;
    event_loop.close()?;
    log.saw("started true wake 1 stopped true started true wake 2 stopped true closing true");
    Ok(())
}

#[test]
fn letting_go_closes_as_well() {
    let log = Log::default();
    let (event_loop, _) = virtual_loop();
    let _layer = Layer::hang_into(&event_loop, &log);
    drop(event_loop);
    log.saw("closing true");
}

#[test]
fn a_layer_that_comes_while_the_loop_runs_is_started_at_once() -> TestResult {
    let log = Log::default();
    let (event_loop, _) = virtual_loop();
    let slot = Rc::new(RefCell::new(None));
    let (inside, seen) = (slot.clone(), log.clone());
    event_loop.call_soon(move || {
        inside.replace(Some(Layer::hang_into(&common::running(), &seen)));
        common::running().scheduler().wake(Token::from_bits(1));
    })?;
    event_loop.call_soon(common::stop)?;
    event_loop.run_forever()?;
    event_loop.run_once()?;
    log.saw("started true stopped true started true wake 1 stopped true");
    Ok(())
}

#[test]
fn without_a_layer_tokens_are_ignored() -> TestResult {
    let (event_loop, _) = virtual_loop();
    let gone: Weak<Layer> = Weak::new();
    event_loop.set_extension(gone);
    event_loop.scheduler().wake(Token::from_bits(1));
    event_loop.run_once()?;
    Ok(())
}
