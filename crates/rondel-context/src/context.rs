//! A context: the values that variables have, as a shared handle to a persistent map.
//!
//! Which context is current is the business of `current.rs`; what type a value has, that of `var.rs`.
//!
//! # Invariants
//!
//! - I1. Under the lock the map is read or changed, and nothing else happens: whoever replaces or removes a value holds on to it
//!   until the lock is released, so that its `Drop` runs afterwards.
//! - I2. Thus no panic can occur under the lock, and a poisoned one holds a whole map.
//! - I3. Values of variables that are inherited are in one map, those of the others in a second; a copy to be inherited takes the
//!   first as it is.
//!
//! # asyncio
//!
//! [`contextvars.Context`](https://docs.python.org/3.13/library/contextvars.html#contextvars.Context).

use crate::{ContextVar, current};
use rpds::RedBlackTreeMapSync;
use std::any::Any;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Holds the values of context variables, to run code in.
///
/// A clone is another handle to the same context: what one sets, all see.
/// [`copy`](Context::copy) makes an independent one in constant time.
///
/// # Examples
///
/// ```
/// use rondel_context::{Context, ContextVar};
///
/// static USER: ContextVar<&str> = ContextVar::new("user");
///
/// let context = Context::new();
/// context.run(|| USER.set("ada"));
///
/// assert_eq!(context.get(&USER), Some("ada"));
/// assert!(USER.get().is_err(), "what was set in the context stays there");
/// ```
///
/// # asyncio
///
/// [`contextvars.Context`](https://docs.python.org/3.13/library/contextvars.html#contextvars.Context); it may be entered
/// while it is entered, and it has no iterators.
#[derive(Clone)]
pub struct Context(Arc<Mutex<Values>>);

/// The values in a context; those of uninherited variables apart, so that leaving them out costs nothing (I3).
#[derive(Clone, Default)]
struct Values {
    inherited: Map,
    /// None until an uninherited variable is set.
    uninherited: Option<Box<Map>>,
}

/// Values by the id of their variable.
///
/// A red-black tree rather than a hash trie: with up to 100 variables a look-up took 11-13 ns against 13-18, a change to a
/// shared map 60-310 ns against 105-780, and its order is that of first use.
type Map = RedBlackTreeMapSync<usize, Value>;

/// Whether a copy of the current context has a variable's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inheritance {
    Inherited,
    Uninherited,
}

/// Where a variable's value is found.
#[derive(Clone, Copy)]
pub(crate) struct Key {
    pub(crate) id: usize,
    pub(crate) inheritance: Inheritance,
}

/// A variable's value with what `Debug` may tell of it.
#[derive(Clone)]
pub(crate) struct Value {
    pub(crate) name: &'static str,
    pub(crate) value: Arc<dyn Any + Send + Sync>,
}

impl Value {
    /// Clones the value, whose type is that of the variable it was found under or set by.
    pub(crate) fn cloned<T: Clone + 'static>(&self) -> Option<T> {
        self.value.downcast_ref::<T>().cloned()
    }
}

impl Context {
    /// Makes an empty context.
    pub fn new() -> Self {
        Context::from_values(Values::default())
    }

    /// Makes an independent context with the same values, in constant time; all of them, whether tasks inherit them or not.
    pub fn copy(&self) -> Context {
        let values = self.lock().clone();
        Context::from_values(values)
    }

    /// Calls a closure with this context as the current one.
    ///
    /// Variables that the closure sets keep their values in this context.
    /// The previous context is current again afterwards, also when the closure panics.
    ///
    /// # Examples
    ///
    /// ```
    /// use rondel_context::{ContextVar, copy_context};
    ///
    /// static DEPTH: ContextVar<u32> = ContextVar::with_default("depth", 0);
    ///
    /// let context = copy_context();
    /// let depth = context.run(|| {
    ///     DEPTH.set(DEPTH.get_or(0) + 1);
    ///     DEPTH.get_or(0)
    /// });
    /// assert_eq!(depth, 1);
    /// assert_eq!(DEPTH.get_or(0), 0);
    /// ```
    pub fn run<R>(&self, f: impl FnOnce() -> R) -> R {
        current::run_in(&mut Some(self.clone()), f)
    }

    /// Returns the value that a variable was set to in this context; a default does not count.
    pub fn get<T: Clone + Send + Sync + 'static>(&self, var: &ContextVar<T>) -> Option<T> {
        self.value(var.key())?.cloned()
    }

    /// Tells whether a variable was set in this context.
    pub fn contains<T: Clone + Send + Sync + 'static>(&self, var: &ContextVar<T>) -> bool {
        self.value(var.key()).is_some()
    }

    /// Returns how many variables were set in this context.
    pub fn len(&self) -> usize {
        let values = self.lock();
        values.maps().map(Map::size).sum()
    }

    /// Tells whether no variable was set in this context.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Tells whether two handles are to the same context.
    pub fn ptr_eq(&self, other: &Context) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Makes an independent context with the values that are inherited, if there are any.
    pub(crate) fn inherit(&self) -> Option<Context> {
        let inherited = self.lock().inherited.clone();
        (!inherited.is_empty()).then(|| {
            Context::from_values(Values {
                inherited,
                uninherited: None,
            })
        })
    }

    /// Returns a variable's value, to be cloned without the lock.
    pub(crate) fn value(&self, key: Key) -> Option<Value> {
        let values = self.lock();
        values.map(key.inheritance)?.get(&key.id).cloned()
    }

    /// Sets or removes a variable's value, and returns the value before, to be dropped without the lock (I1).
    pub(crate) fn replace(&self, key: Key, value: Option<Value>) -> Option<Value> {
        let mut values = self.lock();
        let map = values.map_mut(key.inheritance);
        let before = map.get(&key.id).cloned();
        match value {
            Some(value) => map.insert_mut(key.id, value),
            None => {
                map.remove_mut(&key.id);
            }
        }
        before
    }

    fn from_values(values: Values) -> Self {
        Context(Arc::new(Mutex::new(values)))
    }

    fn lock(&self) -> MutexGuard<'_, Values> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Values {
    fn map(&self, inheritance: Inheritance) -> Option<&Map> {
        match inheritance {
            Inheritance::Inherited => Some(&self.inherited),
            Inheritance::Uninherited => self.uninherited.as_deref(),
        }
    }

    fn map_mut(&mut self, inheritance: Inheritance) -> &mut Map {
        match inheritance {
            Inheritance::Inherited => &mut self.inherited,
            Inheritance::Uninherited => self.uninherited.get_or_insert_default(),
        }
    }

    fn maps(&self) -> impl Iterator<Item = &Map> {
        [Some(&self.inherited), self.uninherited.as_deref()]
            .into_iter()
            .flatten()
    }
}

impl Default for Context {
    fn default() -> Self {
        Context::new()
    }
}

/// Lists the names of the variables that were set, and not their values: a log is no place for them.
impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values = self.lock().clone();
        let mut names: Vec<_> = values
            .maps()
            .flatten()
            .map(|(id, value)| (id, value.name))
            .collect();
        // Ids are given at first use.
        names.sort_unstable();
        f.write_str("Context ")?;
        f.debug_set()
            .entries(names.into_iter().map(|(_, name)| name))
            .finish()
    }
}
