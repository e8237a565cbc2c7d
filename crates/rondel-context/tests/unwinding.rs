//! A panic in a context: the previous one is current again, and nothing is lost.

use rondel_context::{Context, ContextVar, run_in};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

static STAGE: ContextVar<u32> = ContextVar::with_default("stage", 0);

/// Runs a closure that panics, without the panic hook's message.
fn panics(f: impl FnOnce()) {
    assert!(catch_unwind(AssertUnwindSafe(f)).is_err());
}

fn panic_quietly() -> ! {
    resume_unwind(Box::new("quiet"))
}

#[test]
fn run_leaves_the_context_and_keeps_what_was_set() {
    STAGE.set(1);
    let context = Context::new();
    panics(|| {
        context.run(|| {
            STAGE.set(2);
            panic_quietly();
        });
    });
    assert_eq!(STAGE.get(), Ok(1));
    assert_eq!(context.get(&STAGE), Some(2));
}

#[test]
fn run_in_gives_the_context_back() {
    STAGE.set(1);
    let mut task = None;
    panics(|| {
        run_in(&mut task, || {
            STAGE.set(2);
            panic_quietly();
        });
    });
    assert_eq!(STAGE.get(), Ok(1));
    assert_eq!(run_in(&mut task, || STAGE.get()), Ok(2));
}

#[test]
fn nested_contexts_unwind_one_after_another() {
    let outer = Context::new();
    let inner = Context::new();
    outer.run(|| {
        STAGE.set(1);
        panics(|| inner.run(|| outer.run(|| inner.run(|| panic_quietly()))));
        assert_eq!(STAGE.get(), Ok(1));
    });
    assert_eq!(STAGE.get(), Ok(0));
}

#[test]
fn a_value_that_fails_to_clone_harms_nobody() {
    struct Fragile;

    impl Clone for Fragile {
        fn clone(&self) -> Self {
            panic_quietly()
        }
    }

    let var = ContextVar::new("fragile");
    let token = var.set(Fragile);
    panics(|| drop(var.get()));
    assert_eq!(STAGE.get(), Ok(0), "the context can be read again");
    var.reset(token).expect("it was made here");
    assert!(var.get().is_err());
}
