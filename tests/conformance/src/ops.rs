//! The operations, in the order of what they may do.
//!
//! `sync` has those that never suspend, `wait` those that wait for futures and time, `lock` those that wait for other tasks by
//! way of a lock or a queue, `block` those that contain others.

mod block;
mod lock;
mod queue;
mod sync;
mod wait;

use std::ops::ControlFlow;
use std::pin::Pin;
use std::rc::Rc;

use crate::api::{Result, TaskGroup};
use crate::program::Op;
use crate::scenario::Scenario;
use crate::value::Literal;

pub(crate) use queue::AnyQueue;
pub(crate) use sync::OnDone;

/// How a block of operations ends without exception: `Break` where a `return` has left it.
pub(crate) type Flow = ControlFlow<Literal>;

/// The task group that operations stand in.
type Group = TaskGroup<Flow>;

/// Blocks contain blocks, so their coroutines are boxed.
type Block<'a> = Pin<Box<dyn Future<Output = Result<Flow>> + 'a>>;

impl Scenario {
    /// Runs the operations, in the task group that they stand in.
    pub(crate) fn run<'a>(
        self: &'a Rc<Self>,
        ops: &'a [Op],
        group: Option<&'a Group>,
    ) -> Block<'a> {
        Box::pin(async move {
            for op in ops {
                match op {
                    Op::Sync(op) => self.sync(op)?,
                    Op::Wait(op) => self.wait(op).await?,
                    Op::Lock(op) => self.lock(op).await?,
                    Op::Block(op) => {
                        if let ControlFlow::Break(value) = self.block(op, group).await? {
                            return Ok(ControlFlow::Break(value));
                        }
                    }
                }
            }
            Ok(ControlFlow::Continue(()))
        })
    }
}
