//! Values whose `Clone` and `Drop` use context variables themselves: no lock or borrow is held then.

use rondel_context::{Context, ContextVar, capture, copy_context, run_in};
use std::sync::Arc;

static COUNT: ContextVar<u32> = ContextVar::with_default("count", 0);
static ACTIVE: ContextVar<Active> = ContextVar::new("active");

/// Counts its clones and drops in a context variable, and copies the context for good measure.
struct Active;

fn count() {
    COUNT.set(COUNT.get_or(0) + 1);
    let mut copy = capture();
    run_in(&mut copy, || COUNT.set(0));
    copy_context().run(|| COUNT.get_or(0));
}

impl Clone for Active {
    fn clone(&self) -> Self {
        count();
        Active
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        count();
    }
}

#[track_caller]
fn check(program: impl FnOnce(), counts: u32) {
    let before = COUNT.get_or(0);
    program();
    assert_eq!(COUNT.get_or(0) - before, counts);
}

#[test]
fn reading_clones_once() {
    check(|| drop(ACTIVE.set(Active)), 0);
    check(|| drop(ACTIVE.get()), 2);
    let context = copy_context();
    check(|| drop(context.get(&ACTIVE)), 2);
}

#[test]
fn a_replaced_value_is_dropped_with_its_token() {
    check(|| drop(ACTIVE.set(Active)), 0);
    let token = ACTIVE.set(Active);
    check(|| drop(token), 1);
}

#[test]
fn a_reset_drops_the_value_that_was_set() {
    let token = ACTIVE.set(Active);
    check(|| ACTIVE.reset(token).expect("it was made here"), 1);
    let first = ACTIVE.set(Active);
    let second = ACTIVE.set(Active);
    check(|| ACTIVE.reset(second).expect("it was made here"), 1);
    check(|| ACTIVE.reset(first).expect("it was made here"), 1);
}

#[test]
fn the_last_context_drops_its_values() {
    let context = Context::new();
    context.run(|| drop(ACTIVE.set(Active)));
    let copy = context.copy();
    check(|| drop(context), 0);
    check(|| drop(copy), 1);
}

#[test]
fn debug_neither_clones_nor_drops_a_value() {
    let context = Context::new();
    context.run(|| drop(ACTIVE.set(Active)));
    check(|| drop(format!("{context:?}")), 0);
}

#[test]
fn a_value_may_hold_its_own_context() {
    static OWN: ContextVar<Arc<Context>> = ContextVar::new("own");

    let context = Context::new();
    let token = context.run(|| OWN.set(Arc::new(context.clone())));
    assert!(context.get(&OWN).is_some_and(|own| own.ptr_eq(&context)));
    context.run(|| OWN.reset(token)).expect("it was made here");
    assert!(context.is_empty());
}
