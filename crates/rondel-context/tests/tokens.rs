//! Undoing a `set`: in order, out of order, and where it is refused.

use rondel_context::{Context, ContextVar, copy_context};

static COLOUR: ContextVar<&str> = ContextVar::with_default("colour", "none");
static SHADE: ContextVar<&str> = ContextVar::with_default("shade", "none");

#[test]
fn tokens_undo_in_reverse_order() {
    let first = COLOUR.set("red");
    let second = COLOUR.set("green");
    assert_eq!(first.old_value(), None);
    assert_eq!(second.old_value(), Some("red"));

    COLOUR.reset(second).expect("it was made here");
    assert_eq!(COLOUR.get(), Ok("red"));
    COLOUR.reset(first).expect("it was made here");
    assert_eq!(COLOUR.get(), Ok("none"));
    assert!(copy_context().is_empty());
}

#[test]
fn a_token_means_the_moment_it_was_made() {
    let first = COLOUR.set("red");
    let second = COLOUR.set("green");
    COLOUR.reset(first).expect("it was made here");
    assert_eq!(COLOUR.get(), Ok("none"));
    COLOUR.reset(second).expect("it was made here");
    assert_eq!(COLOUR.get(), Ok("red"));
}

#[test]
fn a_token_that_is_dropped_undoes_nothing() {
    drop(COLOUR.set("red"));
    assert_eq!(COLOUR.get(), Ok("red"));
}

#[test]
fn a_token_of_another_variable_comes_back() {
    let error = SHADE
        .reset(COLOUR.set("red"))
        .expect_err("another variable made it");
    assert!(error.is_other_variable());
    assert!(!error.is_other_context());
    assert_eq!(
        error.to_string(),
        r#"the token was made by another context variable, "colour""#
    );

    COLOUR
        .reset(error.into_token())
        .expect("it was made by this one");
    assert_eq!(COLOUR.get(), Ok("none"));
}

#[test]
fn a_token_of_another_context_comes_back() {
    let context = Context::new();
    let token = context.run(|| COLOUR.set("red"));

    let error = COLOUR.reset(token).expect_err("no context is current here");
    assert!(error.is_other_context());
    assert!(!error.is_other_variable());
    assert_eq!(
        error.to_string(),
        r#"the token of "colour" was made in another context"#
    );

    let error = context
        .copy()
        .run(|| COLOUR.reset(error.into_token()))
        .expect_err("a copy is another");
    context
        .run(|| COLOUR.reset(error.into_token()))
        .expect("this is the one");
    assert!(context.is_empty());
}

#[test]
fn a_token_tells_its_variable() {
    let token = COLOUR.set("red");
    assert_eq!(token.name(), COLOUR.name());
    assert_eq!(format!("{token:?}"), r#"Token { name: "colour", .. }"#);
}
