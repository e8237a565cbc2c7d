//! How the operations are written in JSON: arrays that begin with the operation's name.
//!
//! An operation that is unknown, or has arguments too few or too many, is an error; so is one that may suspend in a callback.

use std::fmt;
use std::rc::Rc;

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};

use crate::api::{ALL_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION};
use crate::program::{BlockOp, LockOp, Object, Op, QueueOp, QueueOrder, SyncOp, WaitOp};

impl<'de> Deserialize<'de> for Op {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(OpVisitor)
    }
}

struct OpVisitor;

impl<'de> Visitor<'de> for OpVisitor {
    type Value = Op;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an operation: an array that begins with its name")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Op, A::Error> {
        let name: String = seq
            .next_element()?
            .ok_or_else(|| A::Error::custom("an operation has a name"))?;
        let mut arguments = Arguments { seq, name: &name };
        let op = parse(&name, &mut arguments)?;
        arguments.end()?;
        Ok(op)
    }
}

/// The arguments of an operation, in their order.
struct Arguments<'a, A> {
    seq: A,
    name: &'a str,
}

impl<'de, A: SeqAccess<'de>> Arguments<'_, A> {
    fn next<T: Deserialize<'de>>(&mut self) -> Result<T, A::Error> {
        self.optional()?
            .ok_or_else(|| A::Error::custom(format!("`{}` needs more arguments", self.name)))
    }

    fn optional<T: Deserialize<'de>>(&mut self) -> Result<Option<T>, A::Error> {
        self.seq.next_element()
    }

    /// The operations of a callback.
    fn callback(&mut self) -> Result<Rc<[SyncOp]>, A::Error> {
        let ops: Vec<Op> = self.next()?;
        ops.into_iter()
            .map(|op| match op {
                Op::Sync(op) => Ok(op),
                op => Err(A::Error::custom(format!(
                    "not allowed in a callback: {op:?}"
                ))),
            })
            .collect()
    }

    fn end(mut self) -> Result<(), A::Error> {
        match self.optional::<serde_json::Value>()? {
            None => Ok(()),
            Some(more) => Err(A::Error::custom(format!(
                "`{}` does not take {more}",
                self.name
            ))),
        }
    }
}

fn parse<'de, A: SeqAccess<'de>>(
    name: &str,
    arguments: &mut Arguments<'_, A>,
) -> Result<Op, A::Error> {
    let a = arguments;
    Ok(match name {
        "log" => Op::Sync(SyncOp::Log(a.next()?)),
        "new_future" => Op::Sync(SyncOp::NewFuture(a.next()?)),
        "set_result" => Op::Sync(SyncOp::SetResult(a.next()?, a.next()?)),
        "set_exception" => Op::Sync(SyncOp::SetException(a.next()?, a.next()?)),
        "cancel" => Op::Sync(SyncOp::Cancel(a.next()?, a.next()?)),
        "uncancel" => Op::Sync(SyncOp::Uncancel(a.next()?)),
        "cancelling" => Op::Sync(SyncOp::Cancelling(a.next()?)),
        "state" => Op::Sync(SyncOp::State(a.next()?)),
        "on_done" => Op::Sync(SyncOp::OnDone {
            future: a.next()?,
            label: a.next()?,
            ops: a.callback()?,
        }),
        "remove_on_done" => Op::Sync(SyncOp::RemoveOnDone {
            future: a.next()?,
            label: a.next()?,
        }),
        "call_soon" => Op::Sync(SyncOp::CallSoon {
            label: a.next()?,
            ops: a.callback()?,
        }),
        "call_later" => Op::Sync(SyncOp::CallLater {
            delay: a.next()?,
            timer: a.next()?,
            ops: a.callback()?,
        }),
        "cancel_timer" => Op::Sync(SyncOp::CancelTimer(a.next()?)),
        "spawn" => Op::Sync(SyncOp::Spawn {
            task: a.next()?,
            coro: a.next()?,
        }),
        "gather_as" => Op::Sync(SyncOp::GatherAs {
            outer: a.next()?,
            children: a.next()?,
            return_exceptions: a.next()?,
        }),
        "shield_as" => Op::Sync(SyncOp::ShieldAs {
            outer: a.next()?,
            inner: a.next()?,
        }),
        "ctx_set" => Op::Sync(SyncOp::CtxSet(a.next()?, a.next()?)),
        "ctx_get" => Op::Sync(SyncOp::CtxGet(a.next()?)),
        "event_set" => Op::Sync(SyncOp::EventSet(a.next()?)),
        "event_clear" => Op::Sync(SyncOp::EventClear(a.next()?)),
        "sem_release" => Op::Sync(SyncOp::SemRelease(a.next()?)),
        "q_put_nowait" => Op::Sync(SyncOp::Queue(a.next()?, QueueOp::PutNowait(a.next()?))),
        "q_get_nowait" => Op::Sync(SyncOp::Queue(a.next()?, QueueOp::GetNowait)),
        "q_task_done" => Op::Sync(SyncOp::Queue(a.next()?, QueueOp::TaskDone)),
        "q_shutdown" => Op::Sync(SyncOp::Queue(
            a.next()?,
            QueueOp::Shutdown {
                immediate: a.next()?,
            },
        )),
        "q_state" => Op::Sync(SyncOp::Queue(a.next()?, QueueOp::State)),

        "sleep" => Op::Wait(WaitOp::Sleep(a.next()?)),
        "await" => Op::Wait(WaitOp::Await(a.next()?)),
        "call" => Op::Wait(WaitOp::Call(a.next()?)),
        "gather" => Op::Wait(WaitOp::Gather {
            children: a.next()?,
            return_exceptions: a.next()?,
        }),
        "wait" => Op::Wait(WaitOp::Wait {
            futures: a.next()?,
            return_when: match a.next::<String>()?.as_str() {
                "ALL_COMPLETED" => ALL_COMPLETED,
                "FIRST_COMPLETED" => FIRST_COMPLETED,
                "FIRST_EXCEPTION" => FIRST_EXCEPTION,
                when => return Err(A::Error::custom(format!("`wait` does not know {when:?}"))),
            },
            timeout: a.next()?,
        }),
        "wait_for" => Op::Wait(WaitOp::WaitFor(a.next()?, a.next()?)),
        "as_completed" => Op::Wait(WaitOp::AsCompleted(a.next()?, a.next()?)),

        "event_wait" => Op::Lock(LockOp::EventWait(a.next()?)),
        "cond_wait" => Op::Lock(LockOp::CondWait(a.next()?)),
        "cond_notify" => Op::Lock(LockOp::CondNotify(a.next()?, a.next()?)),
        "barrier_wait" => Op::Lock(LockOp::BarrierWait(a.next()?)),
        "barrier_reset" => Op::Lock(LockOp::BarrierReset(a.next()?)),
        "barrier_abort" => Op::Lock(LockOp::BarrierAbort(a.next()?)),
        "q_put" => Op::Lock(LockOp::QueuePut(a.next()?, a.next()?)),
        "q_get" => Op::Lock(LockOp::QueueGet(a.next()?)),
        "q_join" => Op::Lock(LockOp::QueueJoin(a.next()?)),

        "return" => Op::Block(BlockOp::Return(a.next()?)),
        "raise" => Op::Block(BlockOp::Raise(a.next()?)),
        "raise_cancelled" => Op::Block(BlockOp::RaiseCancelled(a.optional()?)),
        "timeout" => Op::Block(BlockOp::Timeout(a.next()?, a.next()?)),
        "reschedule" => Op::Block(BlockOp::Reschedule(a.next()?)),
        "group" => Op::Block(BlockOp::Group(a.next()?)),
        "group_spawn" => Op::Block(BlockOp::GroupSpawn {
            task: a.next()?,
            coro: a.next()?,
        }),
        "try" => Op::Block(BlockOp::Try {
            body: a.next()?,
            handlers: a.next()?,
            finally: a.next()?,
        }),
        "repeat" => Op::Block(BlockOp::Repeat(a.next()?, a.next()?)),
        "lock" => Op::Block(BlockOp::Lock(a.next()?, a.next()?)),
        "sem" => Op::Block(BlockOp::Sem(a.next()?, a.next()?)),

        _ => return Err(A::Error::custom(format!("unknown operation `{name}`"))),
    })
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (kind, argument) = <(String, Option<i64>)>::deserialize(deserializer)?;
        let number = || {
            argument
                .ok_or_else(|| D::Error::custom(format!("`{kind}` needs a number")))
                // A queue of negative size is as unbounded as one of size 0.
                .map(|number| usize::try_from(number).unwrap_or(0))
        };
        let queue = |order| {
            Ok(Object::Queue {
                order,
                maxsize: number()?,
            })
        };
        match kind.as_str() {
            "future" => Ok(Object::Future),
            "lock" => Ok(Object::Lock),
            "event" => Ok(Object::Event),
            "cond" => Ok(Object::Cond),
            "sem" => Ok(Object::Sem { value: number()? }),
            "barrier" => Ok(Object::Barrier { parties: number()? }),
            "queue" => queue(QueueOrder::Fifo),
            "lifo" => queue(QueueOrder::Lifo),
            "priority" => queue(QueueOrder::Priority),
            _ => Err(D::Error::custom(format!("unknown object `{kind}`"))),
        }
    }
}
