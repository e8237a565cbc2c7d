//! Operations that wait for other tasks by way of an event, a condition, a barrier or a queue.

use std::rc::Rc;

use crate::api::{Barrier, BrokenBarrierError, Condition, Event, QueueShutDown, Result};
use crate::ops::AnyQueue;
use crate::program::LockOp;
use crate::scenario::Scenario;
use crate::value::PythonStr;

impl Scenario {
    pub(super) async fn lock(self: &Rc<Self>, op: &LockOp) -> Result<()> {
        let names = &self.names;
        match op {
            LockOp::EventWait(name) => {
                names.get::<Event>(name)?.wait().await?;
                self.log(format_args!("event {name} seen"));
            }
            LockOp::CondWait(name) => {
                let condition: Condition = names.get(name)?;
                let _guard = condition.acquire().await?;
                condition.wait().await?;
                self.log(format_args!("cond {name} seen"));
            }
            LockOp::CondNotify(name, count) => {
                let condition: Condition = names.get(name)?;
                let _guard = condition.acquire().await?;
                condition.notify(*count)?;
                self.log(format_args!("cond {name} notified"));
            }
            LockOp::BarrierWait(name) => {
                let barrier: Barrier = names.get(name)?;
                match barrier.wait().await {
                    Err(error) if error.is::<BrokenBarrierError>() => {
                        self.log(format_args!("barrier {name} raised BrokenBarrierError"));
                    }
                    place => self.log(format_args!("barrier {name} -> {}", place?)),
                }
            }
            LockOp::BarrierReset(name) => {
                names.get::<Barrier>(name)?.reset().await?;
                self.log(format_args!("barrier {name} reset"));
            }
            LockOp::BarrierAbort(name) => {
                names.get::<Barrier>(name)?.abort().await?;
                self.log(format_args!("barrier {name} aborted"));
            }
            LockOp::QueuePut(name, item) => {
                let queue: AnyQueue = names.get(name)?;
                match queue.put(item.clone()).await {
                    Err(error) if error.is::<QueueShutDown>() => {
                        self.log(format_args!("q_put {name} raised QueueShutDown"));
                    }
                    put => {
                        put?;
                        self.log(format_args!("q_put {name} {}", PythonStr(item)));
                    }
                }
            }
            LockOp::QueueGet(name) => {
                let queue: AnyQueue = names.get(name)?;
                match queue.get().await {
                    Err(error) if error.is::<QueueShutDown>() => {
                        self.log(format_args!("q_get {name} raised QueueShutDown"));
                    }
                    item => self.log(format_args!("q_get {name} -> {}", PythonStr(&item?))),
                }
            }
            LockOp::QueueJoin(name) => {
                names.get::<AnyQueue>(name)?.join().await?;
                self.log(format_args!("q_join {name}"));
            }
        }
        Ok(())
    }
}
