//! `Shared`: a reference-counted pointer of one word, to a head of known type and a body of any, whose memory is recycled.
//!
//! An event loop makes and drops small objects all the time, tasks and callbacks, and mostly many of one size. What they have
//! in common is the head, and what differs is a body behind a trait, which a `Rc<dyn Trait>` would do as well. But that is two
//! words wherever it is kept and moved, its head has to be searched for behind the alignment of its body, and its memory goes
//! through the general allocator every time. Here a block that is given back waits in a list of its thread for the next of its
//! size.
//!
//! A [`Word`] is such a pointer or a number, and a [`Queue`] a queue of words.
//!
//! This crate knows nothing of loops and futures.
//!
//! # Examples
//! ```
//! use rondel_shared::{Face, Shared, View};
//!
//! trait Shape {
//!     fn area(&self) -> u32;
//! }
//!
//! struct Square(u32);
//!
//! impl Shape for Square {
//!     fn area(&self) -> u32 {
//!         self.0 * self.0
//!     }
//! }
//!
//! // Once for the trait: every shape can be seen as `dyn Shape`.
//! impl Face for dyn Shape {
//!     type Part = ();
//!     type Argument<'a> = u32;
//!     type Outcome = u32;
//! }
//!
//! impl<S: Shape + 'static> View<S> for dyn Shape {
//!     fn view(body: &S) -> &(dyn Shape + 'static) {
//!         body
//!     }
//!
//!     // What is to be as quick as can be: so many areas.
//!     fn call(body: &S, times: u32) -> u32 {
//!         times * body.area()
//!     }
//! }
//!
//! let shape: Shared<&str, dyn Shape> = Shared::new("a square", Square(3));
//! let same = shape.clone();
//! assert_eq!((*same.head(), same.body().area()), ("a square", 9));
//! assert_eq!(same.call(2), 18);
//! ```

mod pool;
mod prefetch;
mod queue;
mod shared;
mod view;
mod word;

pub use pool::trim;
pub use prefetch::prefetch;
pub use queue::Queue;
pub use shared::{Shared, Weak};
pub use view::{Face, NoBody, View};
pub use word::{Opened, Word};
