//! `Handle`: whatever can be awaited, cancelled and looked at, of whatever type its value is.
//!
//! # asyncio
//! There every future is an `asyncio.Future`. Here a gather's outer future is of another type than the futures it gathers, so
//! the operations work on futures whose type is forgotten, and a handle knows how to read the value in the end.

use std::fmt;
use std::rc::Rc;

use crate::api::{
    Exception, Future, Opaque, Result, Task, gather, gather_return_exceptions, shield,
};
use crate::value::{Shown, Value};

#[derive(Clone, Debug)]
pub(crate) struct Handle {
    future: Future<Opaque>,
    origin: Origin,
}

/// Where the value comes from once the future is done.
#[derive(Clone, Debug)]
enum Origin {
    Own(Future<Value>),
    Shield(Rc<Handle>),
    Gather(Rc<[Handle]>),
    /// A gather with `return_exceptions`, which gives exceptions of its own making for children that were cancelled.
    GatherOutcomes(Future<Vec<Result<Opaque>>>, Rc<[Handle]>),
}

impl Handle {
    pub(crate) fn gather(children: Vec<Handle>, return_exceptions: bool) -> Result<Self> {
        let futures: Vec<Future<Opaque>> = children.iter().map(Handle::future).collect();
        if return_exceptions {
            let outer = gather_return_exceptions(futures).future()?;
            Ok(Self {
                future: outer.erase(),
                origin: Origin::GatherOutcomes(outer, children.into()),
            })
        } else {
            Ok(Self {
                future: gather(futures).future()?.erase(),
                origin: Origin::Gather(children.into()),
            })
        }
    }

    pub(crate) fn shield(inner: Handle) -> Result<Self> {
        Ok(Self {
            future: shield(inner.future()).future()?,
            origin: Origin::Shield(Rc::new(inner)),
        })
    }

    /// The future without the type of its value, as combinators of many take it.
    pub(crate) fn future(&self) -> Future<Opaque> {
        self.future.clone()
    }

    /// Awaits the future and reads its value.
    pub(crate) async fn outcome(&self) -> Result<Value> {
        self.future().await?;
        self.value()
    }

    /// Reads the value of a future that has one.
    pub(crate) fn value(&self) -> Result<Value> {
        match &self.origin {
            Origin::Own(future) => future.result(),
            Origin::Shield(inner) => inner.value(),
            Origin::Gather(children) => {
                let values: Result<Vec<Value>> = children.iter().map(Handle::value).collect();
                Ok(Value::List(values?))
            }
            Origin::GatherOutcomes(outer, children) => {
                let outcomes = outer.result()?.into_iter().zip(children.iter());
                let values: Result<Vec<Value>> = outcomes
                    .map(|(outcome, child)| match outcome {
                        Ok(Opaque) => child.value(),
                        Err(exception) => Ok(Value::Exception(exception)),
                    })
                    .collect();
                Ok(Value::List(values?))
            }
        }
    }

    /// What the future has come to so far.
    pub(crate) fn state(&self) -> Result<State> {
        if !self.future.done() {
            return Ok(State::Pending);
        }
        if self.future.cancelled() {
            return Ok(State::Cancelled);
        }
        Ok(match self.future.exception()? {
            Some(exception) => State::Exception(exception),
            None => State::Result(self.value()?),
        })
    }
}

impl From<Future<Value>> for Handle {
    fn from(future: Future<Value>) -> Self {
        Self {
            future: future.erase(),
            origin: Origin::Own(future),
        }
    }
}

impl From<Task<Value>> for Handle {
    fn from(task: Task<Value>) -> Self {
        Future::from(task).into()
    }
}

/// The state of a future, as traces print it.
pub(crate) enum State {
    Pending,
    Cancelled,
    Result(Value),
    Exception(Exception),
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pending => f.write_str("pending"),
            Self::Cancelled => f.write_str("cancelled"),
            Self::Result(value) => write!(f, "result {value}"),
            Self::Exception(exception) => write!(f, "exception {}", Shown(exception)),
        }
    }
}
