//! Callbacks that panic.

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use common::World;
use rondel_sched::{ClosedError, Message};

#[test]
fn a_panic_is_given_to_the_host_and_the_rest_runs() -> Result<(), ClosedError> {
    let world = World::new();
    world.call_soon("before")?;
    let oops = || resume_unwind(Box::new("oops"));
    world.scheduler.call_soon(oops)?;
    let line = line!() - 1;
    world.call_soon("after")?;
    assert_eq!(world.turn(), 3);
    world.saw(&format!(
        "before [panics::a_panic_is_given_to_the_host_and_the_rest_runs at {}:{line} panicked: oops] after",
        file!(),
    ));
    Ok(())
}

#[test]
fn the_panic_of_a_sent_callback_names_the_line_that_sent_it() -> Result<(), ClosedError> {
    let world = World::new();
    let oops = Message::Call(Box::new(|| resume_unwind(Box::new("oops"))));
    world.scheduler.injector().send(oops)?;
    let line = line!() - 1;
    world.turn();
    world.saw(&format!(
        "[boxed callback at {}:{line} panicked: oops]",
        file!()
    ));
    Ok(())
}

#[test]
fn without_a_host_the_panic_goes_on_and_nothing_is_lost() -> Result<(), ClosedError> {
    let world = World::new();
    world
        .scheduler
        .call_soon(|| resume_unwind(Box::new("oops")))?;
    world.call_soon("after")?;
    let payload = catch_unwind(AssertUnwindSafe(|| world.scheduler.run_ready(&()))).unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"oops"));
    assert_eq!(world.scheduler.run_ready(&()), 1);
    world.saw("after");
    Ok(())
}
