//! A context: the values that variables have, as a shared handle to a persistent map.
//!
//! Which context is current is the business of `current.rs`; what type a value has, that of `var.rs`.
//!
//! # Invariants
//!
//! - I1. Under the lock the map is read or changed, and nothing else happens: whoever replaces or removes a value holds on to it
//!   until the lock is released, so that its `Drop` runs afterwards.
//! - I2. Thus no panic can occur under the lock, and a poisoned one holds a whole map.
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

/// Values by the id of their variable.
///
/// A red-black tree rather than a hash trie: with up to 100 variables a look-up took 11-13 ns against 13-18, a change to a
/// shared map 60-310 ns against 105-780, and its order is that of first use.
type Values = RedBlackTreeMapSync<usize, Value>;

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
        Context::from_values(Values::new_sync())
    }

    /// Makes an independent context with the same values, in constant time.
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
        self.value(var.id())?.cloned()
    }

    /// Tells whether a variable was set in this context.
    pub fn contains<T: Clone + Send + Sync + 'static>(&self, var: &ContextVar<T>) -> bool {
        self.lock().contains_key(&var.id())
    }

    /// Returns how many variables were set in this context.
    pub fn len(&self) -> usize {
        self.lock().size()
    }

    /// Tells whether no variable was set in this context.
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Tells whether two handles are to the same context.
    pub fn ptr_eq(&self, other: &Context) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Makes an independent context with the same values, if there are any.
    pub(crate) fn copy_unless_empty(&self) -> Option<Context> {
        let values = self.lock().clone();
        (!values.is_empty()).then(|| Context::from_values(values))
    }

    /// Returns a variable's value, to be cloned without the lock.
    pub(crate) fn value(&self, id: usize) -> Option<Value> {
        self.lock().get(&id).cloned()
    }

    /// Sets or removes a variable's value, and returns the value before, to be dropped without the lock (I1).
    pub(crate) fn replace(&self, id: usize, value: Option<Value>) -> Option<Value> {
        let mut values = self.lock();
        let before = values.get(&id).cloned();
        match value {
            Some(value) => values.insert_mut(id, value),
            None => {
                values.remove_mut(&id);
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

impl Default for Context {
    fn default() -> Self {
        Context::new()
    }
}

/// Lists the names of the variables that were set, and not their values: a log is no place for them.
impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values = self.lock().clone();
        f.write_str("Context ")?;
        f.debug_set()
            .entries(values.values().map(|value| value.name))
            .finish()
    }
}
