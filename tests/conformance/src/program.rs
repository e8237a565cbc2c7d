//! A scenario program, as an enum of operations that nobody has to check again.
//!
//! How it is written in JSON is known to `parse`; what an operation does is told in `README.md` and done by the files of `ops`.

use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use serde::Deserialize;

use crate::api::ReturnWhen;
use crate::value::Literal;

/// What a program calls a future, a task, a lock ...
pub(crate) type Name = String;

/// A scenario program.
#[derive(Debug, Deserialize)]
pub struct Program {
    pub(crate) name: String,
    /// What is made before `main` starts.
    #[serde(default)]
    pub(crate) objects: BTreeMap<Name, Object>,
    #[serde(default)]
    pub(crate) coros: BTreeMap<Name, Vec<Op>>,
    pub(crate) main: Vec<Op>,
    /// The futures and tasks whose state is logged at the end.
    #[serde(default)]
    pub(crate) report: Vec<Name>,
}

impl Program {
    /// Returns the program's name, which heads its trace.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// Something that is made before `main` starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Object {
    Future,
    Lock,
    Event,
    Cond,
    Sem { value: usize },
    Barrier { parties: usize },
    Queue { order: QueueOrder, maxsize: usize },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum QueueOrder {
    Fifo,
    Lifo,
    Priority,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Op {
    Sync(SyncOp),
    Wait(WaitOp),
    Lock(LockOp),
    Block(BlockOp),
}

/// Operations that never suspend: callbacks consist of them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum SyncOp {
    Log(String),
    NewFuture(Name),
    SetResult(Name, Literal),
    SetException(Name, String),
    Cancel(Name, Option<String>),
    Uncancel(Name),
    Cancelling(Name),
    State(Name),
    OnDone {
        future: Name,
        label: String,
        ops: Rc<[SyncOp]>,
    },
    RemoveOnDone {
        future: Name,
        label: String,
    },
    CallSoon {
        label: String,
        ops: Rc<[SyncOp]>,
    },
    CallLater {
        delay: Ticks,
        timer: Name,
        ops: Rc<[SyncOp]>,
    },
    CancelTimer(Name),
    Spawn {
        task: Name,
        coro: Name,
    },
    GatherAs {
        outer: Name,
        children: Vec<Name>,
        return_exceptions: bool,
    },
    ShieldAs {
        outer: Name,
        inner: Name,
    },
    CtxSet(Name, Literal),
    CtxGet(Name),
    EventSet(Name),
    EventClear(Name),
    SemRelease(Name),
    Queue(Name, QueueOp),
}

/// Operations on a queue that never suspend.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum QueueOp {
    PutNowait(Literal),
    GetNowait,
    TaskDone,
    Shutdown { immediate: bool },
    State,
}

/// Operations that wait for time, futures or coroutines.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum WaitOp {
    Sleep(Ticks),
    Await(Name),
    Call(Name),
    Gather {
        children: Vec<Name>,
        return_exceptions: bool,
    },
    Wait {
        futures: Vec<Name>,
        return_when: ReturnWhen,
        timeout: Option<Ticks>,
    },
    WaitFor(Name, Option<Ticks>),
    AsCompleted(Vec<Name>, Option<Ticks>),
}

/// Operations that wait for other tasks by way of a lock, a queue or the like.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum LockOp {
    EventWait(Name),
    CondWait(Name),
    CondNotify(Name, usize),
    BarrierWait(Name),
    BarrierReset(Name),
    BarrierAbort(Name),
    QueuePut(Name, Literal),
    QueueGet(Name),
    QueueJoin(Name),
}

/// Operations that contain others, or decide where a coroutine goes on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum BlockOp {
    Return(Literal),
    Raise(String),
    RaiseCancelled(Option<String>),
    Timeout(Option<Ticks>, Vec<Op>),
    Reschedule(Option<Ticks>),
    Group(Vec<Op>),
    GroupSpawn {
        task: Name,
        coro: Name,
    },
    Try {
        body: Vec<Op>,
        handlers: Handlers,
        finally: Option<Vec<Op>>,
    },
    Repeat(u32, Vec<Op>),
    Lock(Name, Vec<Op>),
    Sem(Name, Vec<Op>),
}

/// The handlers of a `try`, each for its class of exceptions.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Handlers {
    pub(crate) cancelled: Option<Vec<Op>>,
    pub(crate) timeout: Option<Vec<Op>>,
    pub(crate) group: Option<Vec<Op>>,
    /// Every other exception.
    pub(crate) error: Option<Vec<Op>>,
}

/// A time, one tick being a virtual second; it is printed as it is written.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(transparent)]
pub(crate) struct Ticks(serde_json::Number);

impl Ticks {
    /// The time as a duration; what lies in the past is no time at all.
    pub(crate) fn duration(&self) -> Duration {
        let seconds = self.0.as_f64().unwrap_or(0.0);
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::ZERO)
    }
}

impl fmt::Display for Ticks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
