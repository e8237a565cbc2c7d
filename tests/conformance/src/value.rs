//! The values of a program, and how values and exceptions are printed in its trace.

use std::error::Error;
use std::fmt;

use serde::Deserialize;

use crate::api::{
    BrokenBarrierError, CancelledError, Exception, ExceptionGroup, InvalidStateError, QueueEmpty,
    QueueFull, QueueShutDown, RuntimeError, TimeoutError, ValueError,
};

/// A value that a program can write down.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(untagged)]
pub(crate) enum Literal {
    None,
    Int(i64),
    Text(String),
    List(Vec<Literal>),
}

/// A value that a coroutine can come to: besides literals what a gather gives.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Literal(Literal),
    List(Vec<Value>),
    Exception(Exception),
}

impl Value {
    pub(crate) const NONE: Self = Self::Literal(Literal::None);
}

impl From<Literal> for Value {
    fn from(literal: Literal) -> Self {
        Self::Literal(literal)
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Int(int) => int.fmt(f),
            Self::Text(text) => text.fmt(f),
            Self::List(items) => list(f, items),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(literal) => literal.fmt(f),
            Self::List(items) => list(f, items),
            Self::Exception(exception) => Shown(exception).fmt(f),
        }
    }
}

fn list(f: &mut fmt::Formatter<'_>, items: impl IntoIterator<Item: fmt::Display>) -> fmt::Result {
    f.write_str("[")?;
    for (place, item) in items.into_iter().enumerate() {
        let comma = if place == 0 { "" } else { "," };
        write!(f, "{comma}{item}")?;
    }
    f.write_str("]")
}

/// Shows a value as Python's `str` does: the traces of queues print their values so.
pub(crate) struct PythonStr<'a>(pub(crate) &'a Literal);

impl fmt::Display for PythonStr<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Literal::None => f.write_str("None"),
            literal => literal.fmt(f),
        }
    }
}

/// What `raise` raises and `set_exception` sets: an exception that is nothing but a name.
#[derive(Debug)]
pub(crate) struct Named(pub(crate) String);

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for Named {}

/// An error of Python itself, which a program gets where it names what is not there.
#[derive(Debug)]
pub(crate) struct PythonError {
    class: &'static str,
    name: String,
}

impl PythonError {
    /// Nothing is called so.
    pub(crate) fn key_error(name: impl Into<String>) -> Self {
        Self {
            class: "KeyError",
            name: name.into(),
        }
    }

    /// `None` has no method of that name.
    pub(crate) fn attribute_error(name: impl Into<String>) -> Self {
        Self {
            class: "AttributeError",
            name: name.into(),
        }
    }
}

impl fmt::Display for PythonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.class, self.name)
    }
}

impl Error for PythonError {}

/// Shows an exception as traces do.
pub(crate) struct Shown<'a>(pub(crate) &'a Exception);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Named(name)) = self.0.downcast_ref() {
            return name.fmt(f);
        }
        if let Some(cancelled) = self.0.downcast_ref::<CancelledError>() {
            return match cancelled.message() {
                None | Some("") => f.write_str("Cancelled"),
                Some(message) => write!(f, "Cancelled({message})"),
            };
        }
        if let Some(group) = self.0.downcast_ref::<ExceptionGroup>() {
            f.write_str("Group")?;
            return list(f, group.exceptions().iter().map(Shown));
        }
        match class(self.0) {
            Some(class) => f.write_str(class),
            None => write!(f, "{:?}", self.0),
        }
    }
}

/// What Python calls the class of an exception.
fn class(exception: &Exception) -> Option<&'static str> {
    if let Some(PythonError { class, .. }) = exception.downcast_ref() {
        return Some(class);
    }
    macro_rules! first_of {
        ($($class:ident),+ $(,)?) => {
            $(if exception.is::<$class>() {
                return Some(stringify!($class));
            })+
        };
    }
    first_of![
        TimeoutError,
        InvalidStateError,
        RuntimeError,
        ValueError,
        BrokenBarrierError,
        QueueEmpty,
        QueueFull,
        QueueShutDown,
    ];
    None
}
