//! What a copy of a context has, and what stays in which context.

use rondel_context::{Context, ContextVar, capture, copy_context, run_in};

static USER: ContextVar<String> = ContextVar::new("user");
static DEPTH: ContextVar<u32> = ContextVar::with_default("depth", 0);

#[test]
fn a_copy_has_the_values_and_none_set_later() {
    USER.set("ada".to_owned());
    let copy = copy_context();
    USER.set("grace".to_owned());
    DEPTH.set(1);

    assert_eq!(copy.get(&USER).as_deref(), Some("ada"));
    assert_eq!(copy.get(&DEPTH), None);
    copy.run(|| {
        assert_eq!(USER.get().as_deref(), Ok("ada"));
        assert_eq!(DEPTH.get(), Ok(0));
    });
}

#[test]
fn what_is_set_in_a_context_stays_there() {
    let context = Context::new();
    context.run(|| USER.set("ada".to_owned()));

    assert!(USER.get().is_err());
    assert_eq!(context.run(|| USER.get()).as_deref(), Ok("ada"));
}

#[test]
fn clones_are_the_same_context_and_copies_are_not() {
    let context = Context::new();
    let clone = context.clone();
    let copy = context.copy();
    clone.run(|| DEPTH.set(1));

    assert!(context.ptr_eq(&clone));
    assert!(!context.ptr_eq(&copy));
    assert_eq!(context.get(&DEPTH), Some(1));
    assert_eq!(copy.get(&DEPTH), None);
}

#[test]
fn contexts_nest_even_in_themselves() {
    let outer = Context::new();
    let inner = Context::new();
    outer.run(|| {
        DEPTH.set(1);
        inner.run(|| {
            assert_eq!(DEPTH.get(), Ok(0));
            outer.run(|| DEPTH.set(2));
            assert_eq!(DEPTH.get(), Ok(0));
        });
        assert_eq!(DEPTH.get(), Ok(2));
    });
    assert!(inner.is_empty());
}

#[test]
fn the_value_in_the_context_wins_over_both_defaults() {
    let var = ContextVar::with_default("var", 1);
    assert_eq!(var.get(), Ok(1));
    assert_eq!(var.get_or(2), 2);
    var.set(3);
    assert_eq!(var.get(), Ok(3));
    assert_eq!(var.get_or(2), 3);
}

#[test]
fn a_default_is_in_no_context() {
    assert_eq!(DEPTH.get(), Ok(0));
    let context = copy_context();
    assert!(context.is_empty());
    assert!(!context.contains(&DEPTH));
    assert_eq!(context.get(&DEPTH), None);
}

#[test]
fn variables_of_one_name_are_different() {
    let first = ContextVar::with_default("same", 0);
    let second = ContextVar::with_default("same", 0);
    first.set(1);
    assert_eq!(second.get(), Ok(0));

    let context = copy_context();
    assert!(context.contains(&first));
    assert!(!context.contains(&second));
    assert_eq!(context.len(), 1);
}

#[test]
fn a_scheduler_captures_nothing_until_a_variable_is_set() {
    assert!(capture().is_none());
    let _ = DEPTH.get();
    let _ = copy_context();
    assert!(capture().is_none(), "reading and copying make no context");
    Context::new().run(|| assert!(capture().is_none(), "an empty context is as good as none"));

    let token = DEPTH.set(1);
    assert!(capture().is_some());
    DEPTH.reset(token).expect("it was made here");
    assert!(capture().is_none());
}

#[test]
fn a_step_keeps_its_context_for_the_next() {
    let mut task = capture();
    run_in(&mut task, || assert_eq!(DEPTH.get(), Ok(0)));
    assert!(task.is_none(), "a step that sets nothing makes no context");

    for step in 0..3 {
        run_in(&mut task, || {
            assert_eq!(DEPTH.get(), Ok(step));
            DEPTH.set(step + 1);
        });
        assert_eq!(DEPTH.get(), Ok(0), "the loop's own context is untouched");
    }
    assert_eq!(
        task.expect("the steps have set a variable").get(&DEPTH),
        Some(3)
    );
}

#[test]
fn a_step_without_context_does_not_see_the_caller_s() {
    DEPTH.set(1);
    let mut task = None;
    assert_eq!(run_in(&mut task, || DEPTH.get()), Ok(0));
    assert_eq!(DEPTH.get(), Ok(1));
}

#[test]
fn a_task_started_in_a_step_inherits_from_it() {
    let mut parent = None;
    let mut child = run_in(&mut parent, || {
        DEPTH.set(1);
        let child = capture();
        DEPTH.set(2);
        child
    });
    assert_eq!(run_in(&mut child, || DEPTH.get()), Ok(1));
    assert_eq!(run_in(&mut parent, || DEPTH.get()), Ok(2));
}

#[test]
fn debug_lists_names_in_order_of_first_use_and_no_values() {
    let secret = ContextVar::new("secret");
    let plain = ContextVar::new("plain");
    let context = Context::new();
    assert_eq!(format!("{context:?}"), "Context {}");
    context.run(|| {
        secret.set("password");
        plain.set(1);
        secret.set("passphrase");
    });
    assert_eq!(format!("{context:?}"), r#"Context {"secret", "plain"}"#);
    assert_eq!(
        format!("{secret:?}"),
        r#"ContextVar { name: "secret", .. }"#
    );
}

#[test]
fn an_error_names_the_variable() {
    let error = USER.get().expect_err("it was not set");
    assert_eq!(error.name(), "user");
    assert_eq!(error.to_string(), r#"context variable "user" has no value"#);
}

// --- variables that are not inherited -----------------------------------------------------------

static SPAN: ContextVar<u32> = ContextVar::with_default("span", 0).uninherited();

#[test]
fn an_uninherited_variable_stays_where_it_is_set() {
    SPAN.set(1);
    assert!(capture().is_none(), "nothing is there to inherit");
    DEPTH.set(1);
    for copy in [copy_context(), capture().expect("one is set")] {
        assert_eq!((copy.get(&DEPTH), copy.get(&SPAN)), (Some(1), None));
        assert!(!copy.contains(&SPAN));
        assert_eq!(copy.run(|| SPAN.get()), Ok(0));
    }
    assert_eq!(SPAN.get(), Ok(1));
}

#[test]
fn a_task_keeps_it_from_step_to_step_and_a_token_undoes_it() {
    let mut task = capture();
    run_in(&mut task, || SPAN.set(1));
    let token = run_in(&mut task, || {
        assert_eq!(SPAN.get(), Ok(1));
        SPAN.set(2)
    });
    assert_eq!(token.old_value(), Some(1));
    run_in(&mut task, || {
        assert_eq!(SPAN.get(), Ok(2));
        SPAN.reset(token).expect("it was made here");
        assert_eq!(SPAN.get(), Ok(1));
    });
}

#[test]
fn a_context_and_its_copy_have_both_kinds() {
    let context = Context::new();
    context.run(|| {
        SPAN.set(1);
        DEPTH.set(2);
    });
    let copy = context.copy();
    assert_eq!((copy.get(&SPAN), copy.get(&DEPTH)), (Some(1), Some(2)));
    assert_eq!((context.len(), copy.len()), (2, 2));
    context.run(|| SPAN.set(3));
    assert_eq!(copy.get(&SPAN), Some(1));
    let only = Context::new();
    only.run(|| SPAN.set(1));
    assert!(!only.is_empty());
    assert_eq!(format!("{only:?}"), r#"Context {"span"}"#);
}

#[test]
fn the_entered_context_is_the_current_one_and_none_is_made() {
    use rondel_context::{Context, ContextVar, entered_context};

    static VAR: ContextVar<u32> = ContextVar::new("entered");

    std::thread::spawn(|| {
        assert!(entered_context().is_none());
        let context = Context::new();
        context.run(|| {
            let entered = entered_context().expect("it was entered");
            VAR.set(1);
            assert_eq!((entered.get(&VAR), context.get(&VAR)), (Some(1), Some(1)));
        });
        assert!(entered_context().is_none());
    })
    .join()
    .unwrap();
}
