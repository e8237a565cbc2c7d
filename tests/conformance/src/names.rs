//! What the names of a running program stand for.

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::api::{
    Barrier, Condition, Event, Exception, Future, Lock, Result, RuntimeError, Semaphore, Task,
    TimerHandle,
};
use crate::handle::Handle;
use crate::ops::AnyQueue;
use crate::program::Name;
use crate::value::{PythonError, Value};

/// Declares the kinds of things that have names, each with its conversions.
macro_rules! things {
    ($($kind:ident($type:ty)),+ $(,)?) => {
        /// What a name stands for.
        #[derive(Clone, Debug)]
        pub(crate) enum Thing {
            $($kind($type)),+
        }

        $(
            impl From<$type> for Thing {
                fn from(thing: $type) -> Self {
                    Self::$kind(thing)
                }
            }

            impl Pick for $type {
                fn pick(thing: Thing) -> Option<Self> {
                    match thing {
                        Thing::$kind(thing) => Some(thing),
                        _ => None,
                    }
                }
            }
        )+
    };
}

/// What an operation can take a thing for.
pub(crate) trait Pick: Sized {
    fn pick(thing: Thing) -> Option<Self>;
}

things! {
    Future(Future<Value>),
    Task(Task<Value>),
    Outer(Outer),
    Timer(TimerHandle),
    Lock(Lock),
    Event(Event),
    Condition(Condition),
    Semaphore(Semaphore),
    Barrier(Barrier),
    Queue(AnyQueue),
}

/// The outer future of a gather or a shield.
#[derive(Clone, Debug)]
pub(crate) struct Outer(pub(crate) Handle);

impl Pick for Handle {
    fn pick(thing: Thing) -> Option<Self> {
        match thing {
            Thing::Future(future) => Some(future.into()),
            Thing::Task(task) => Some(task.into()),
            Thing::Outer(Outer(handle)) => Some(handle),
            _ => None,
        }
    }
}

/// A future whose result somebody may try to set: a task refuses.
pub(crate) struct Settable(pub(crate) Future<Value>);

impl Pick for Settable {
    fn pick(thing: Thing) -> Option<Self> {
        match thing {
            Thing::Future(future) => Some(Self(future)),
            Thing::Task(task) => Some(Self(task.into())),
            _ => None,
        }
    }
}

/// The names of a program and what they stand for now.
#[derive(Debug, Default)]
pub(crate) struct Names {
    things: RefCell<BTreeMap<Name, Thing>>,
    /// The first operation on a thing of the wrong kind: a mistake of the program, which then has no trace.
    misuse: RefCell<Option<String>>,
}

impl Names {
    pub(crate) fn set(&self, name: &str, thing: impl Into<Thing>) {
        let before = self
            .things
            .borrow_mut()
            .insert(name.to_owned(), thing.into());
        drop(before);
    }

    /// Says whether the name stands for something yet.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.things.borrow().contains_key(name)
    }

    /// What the name stands for, as a thing of the kind that the operation needs.
    pub(crate) fn get<T: Pick>(&self, name: &str) -> Result<T> {
        let thing = self.things.borrow().get(name).cloned();
        let thing = thing.ok_or_else(|| Exception::new(PythonError::key_error(name)))?;
        T::pick(thing).ok_or_else(|| {
            let kind = std::any::type_name::<T>();
            self.mistake(format!("`{name}` is no {kind}"));
            RuntimeError::new("a thing is used for what it is not").into()
        })
    }

    /// The program has made a mistake; only the first one counts.
    fn mistake(&self, text: String) {
        self.misuse.borrow_mut().get_or_insert(text);
    }

    /// The futures of a list of names.
    pub(crate) fn handles(&self, names: &[Name]) -> Result<Vec<Handle>> {
        names.iter().map(|name| self.get(name)).collect()
    }

    /// The program's mistake, if it has made one.
    pub(crate) fn misuse(&self) -> Option<String> {
        self.misuse.borrow().clone()
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        let things = self.things.take();
        drop(things);
    }
}
