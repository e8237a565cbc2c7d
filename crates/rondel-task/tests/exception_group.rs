//! Groups of exceptions.

mod common;
mod trace;

use common::error;
use rondel_task::{Exception, ExceptionGroup, TimeoutError};
use trace::show;

#[test]
fn a_group_of_exceptions_shows_what_is_in_it() {
    let inner = ExceptionGroup::new("inner", [error("b"), TimeoutError.into()]).unwrap();
    let outer = ExceptionGroup::new("outer", [error("a"), inner.into(), error("c")]).unwrap();
    assert_eq!(outer.to_string(), "outer (3 sub-exceptions)");
    assert_eq!(
        format!("{outer:?}"),
        r#"ExceptionGroup("outer", ["a", ExceptionGroup("inner", ["b", TimeoutError()]), "c"])"#
    );
    let leaves: Vec<String> = outer.leaves().map(Exception::to_string).collect();
    assert_eq!(leaves, ["a", "b", "timed out", "c"]);
    assert_eq!(std::error::Error::source(&outer).unwrap().to_string(), "a");
    assert_eq!(Exception::new(outer.clone()).to_string(), outer.to_string());
    assert!(Exception::new(outer).is_group());
    assert!(!error("a").is_group());
}

#[test]
fn a_group_of_exceptions_is_split() {
    let inner = ExceptionGroup::new("inner", [error("b"), TimeoutError.into()]).unwrap();
    let outer = ExceptionGroup::new("outer", [error("a"), inner.into(), error("c")]).unwrap();
    let (late, rest) = outer.split(Exception::is_timeout);
    assert_eq!(show(&late.unwrap().into()), "Group[Group[TimeoutError]]");
    assert_eq!(show(&rest.unwrap().into()), "Group[a,Group[b],c]");
    let (none, all) = outer.split(Exception::is_cancelled);
    assert!(none.is_none());
    assert_eq!(show(&all.unwrap().into()), show(&outer.into()));
}

#[test]
fn a_group_of_no_exceptions_cannot_be_made() {
    let refused = ExceptionGroup::new("none", [] as [Exception; 0]).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "an exception group needs at least one exception"
    );
}
