//! Queues of all three orders under one type, and the operations on them that never suspend.

use std::fmt;

use crate::api::{
    Exception, LifoQueue, PriorityQueue, Queue, QueueEmpty, QueueFull, QueueShutDown, Result,
    ValueError,
};
use crate::program::{QueueOp, QueueOrder};
use crate::scenario::Scenario;
use crate::value::{Literal, PythonStr, Shown};

/// A queue of whatever order.
#[derive(Clone, Debug)]
pub(crate) enum AnyQueue {
    Fifo(Queue<Literal>),
    Lifo(LifoQueue<Literal>),
    Priority(PriorityQueue<Literal>),
}

/// Does the same with a queue of any order.
macro_rules! with_queue {
    ($any:expr, $queue:ident => $what:expr) => {
        match $any {
            AnyQueue::Fifo($queue) => $what,
            AnyQueue::Lifo($queue) => $what,
            AnyQueue::Priority($queue) => $what,
        }
    };
}

impl AnyQueue {
    pub(crate) fn new(order: QueueOrder, maxsize: usize) -> Self {
        match order {
            QueueOrder::Fifo => Self::Fifo(Queue::new(maxsize)),
            QueueOrder::Lifo => Self::Lifo(LifoQueue::new(maxsize)),
            QueueOrder::Priority => Self::Priority(PriorityQueue::new(maxsize)),
        }
    }

    pub(crate) async fn put(&self, item: Literal) -> Result<()> {
        with_queue!(self, queue => queue.put(item).await)
    }

    pub(crate) async fn get(&self) -> Result<Literal> {
        with_queue!(self, queue => queue.get().await)
    }

    pub(crate) async fn join(&self) -> Result<()> {
        with_queue!(self, queue => queue.join().await)
    }

    /// Does what never suspends, and gives what there is to say of it.
    fn nowait(&self, op: &QueueOp) -> Result<String> {
        with_queue!(self, queue => Ok(match op {
            QueueOp::PutNowait(item) => {
                queue.put_nowait(item.clone())?;
                format!(" {}", PythonStr(item))
            }
            QueueOp::GetNowait => format!(" -> {}", PythonStr(&queue.get_nowait()?)),
            QueueOp::TaskDone => {
                queue.task_done()?;
                String::new()
            }
            QueueOp::Shutdown { immediate } => {
                queue.shutdown(*immediate);
                String::new()
            }
            QueueOp::State => {
                let (size, empty, full) = (queue.qsize(), queue.empty(), queue.full());
                format!(": size {size} empty {empty} full {full}")
            }
        }))
    }
}

impl Scenario {
    pub(super) fn queue_nowait(&self, name: &str, op: &QueueOp) -> Result<()> {
        match self.names.get::<AnyQueue>(name)?.nowait(op) {
            Ok(done) => self.log(format_args!("{op} {name}{done}")),
            Err(error) if is_refusal(&error) => {
                self.log(format_args!("{op} {name} -> {}", Shown(&error)));
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// The errors of queues, which a program does not end by.
fn is_refusal(error: &Exception) -> bool {
    error.is::<QueueFull>()
        || error.is::<QueueEmpty>()
        || error.is::<QueueShutDown>()
        || error.is::<ValueError>()
}

/// Shows the name of the operation.
impl fmt::Display for QueueOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PutNowait(_) => "q_put_nowait",
            Self::GetNowait => "q_get_nowait",
            Self::TaskDone => "q_task_done",
            Self::Shutdown { .. } => "q_shutdown",
            Self::State => "q_state",
        })
    }
}
