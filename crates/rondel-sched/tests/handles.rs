//! What a handle says of its callback, and the context that it runs in.

mod common;

use std::time::Duration;

use common::World;
use rondel_context::{Context, ContextVar};
use rondel_sched::ClosedError;

static NAME: ContextVar<&str> = ContextVar::with_default("name", "nobody");

fn tick() {}

#[test]
fn a_handle_names_its_callback_and_where_it_was_scheduled() -> Result<(), ClosedError> {
    let world = World::new();
    let handle = world.scheduler.call_soon(tick)?;
    let line = line!() - 1;
    assert_eq!(
        format!("{handle:?}"),
        format!("<Handle handles::tick at {}:{line}>", file!())
    );
    handle.cancel();
    assert_eq!(
        format!("{handle:?}"),
        format!("<Handle cancelled handles::tick at {}:{line}>", file!())
    );
    Ok(())
}

#[test]
fn a_timer_handle_says_when() -> Result<(), ClosedError> {
    let world = World::new();
    let timer = world
        .scheduler
        .call_later(Duration::from_millis(1500), || ())?;
    let line = line!() - 1;
    let name = "handles::a_timer_handle_says_when";
    assert_eq!(
        format!("{timer:?}"),
        format!("<TimerHandle when=1.5s {name} at {}:{line}>", file!())
    );
    timer.cancel();
    assert_eq!(
        format!("{timer:?}"),
        format!(
            "<TimerHandle when=1.5s cancelled {name} at {}:{line}>",
            file!()
        )
    );
    Ok(())
}

#[test]
fn a_callback_runs_in_a_copy_of_the_context_it_was_scheduled_in() -> Result<(), ClosedError> {
    let world = World::new();
    let log = world.log.clone();
    let context = Context::new();
    let handle = context.run(|| {
        NAME.set("ada");
        let handle = world.scheduler.call_soon(move || {
            log.add(NAME.get_or("?"));
            NAME.set("grace");
        });
        NAME.set("mary");
        handle
    })?;
    world.turn();
    world.saw("ada");
    assert_eq!(context.get(&NAME), Some("mary"));
    assert_eq!(handle.get_context().get(&NAME), Some("grace"));
    assert_eq!(NAME.get_or("?"), "?");
    Ok(())
}

#[test]
fn a_context_that_is_given_is_shared() -> Result<(), ClosedError> {
    let world = World::new();
    let context = Context::new();
    context.run(|| NAME.set("ada"));
    let log = world.log.clone();
    let see = move |next: &'static str| {
        let log = log.clone();
        move || {
            log.add(NAME.get_or("?"));
            NAME.set(next);
        }
    };
    let soon = world.scheduler.call_soon_in(&context, see("grace"))?;
    world
        .scheduler
        .call_at_in(&context, Duration::ZERO, see("mary"))?;
    world
        .scheduler
        .call_later_in(&context, Duration::ZERO, see("joan"))?;
    world.turn();
    world.saw("ada grace mary");
    assert_eq!(context.get(&NAME), Some("joan"));
    assert!(soon.get_context().ptr_eq(&context));
    Ok(())
}

#[test]
fn the_context_of_a_handle_is_the_one_its_callback_runs_in() -> Result<(), ClosedError> {
    let world = World::new();
    let log = world.log.clone();
    let handle = world.scheduler.call_soon(move || {
        log.add(NAME.get_or("?"));
        NAME.set("grace");
    })?;
    let context = handle.get_context();
    assert!(context.is_empty());
    context.run(|| NAME.set("ada"));
    world.turn();
    world.saw("ada");
    assert_eq!(context.get(&NAME), Some("grace"));
    assert!(handle.get_context().ptr_eq(&context));
    Ok(())
}

#[test]
fn an_empty_context_is_made_by_the_first_set_and_kept() -> Result<(), ClosedError> {
    let world = World::new();
    let handle = world.scheduler.call_soon(|| drop(NAME.set("ada")))?;
    world.turn();
    assert_eq!(handle.get_context().get(&NAME), Some("ada"));
    Ok(())
}
