//! Operations that contain others, or decide where a coroutine goes on.

use std::ops::ControlFlow;
use std::rc::Rc;

use crate::api::{
    CancelledError, Exception, ExceptionGroup, Lock, Result, Semaphore, Timeout, get_running_loop,
    task_group, timeout,
};
use crate::ops::{Flow, Group};
use crate::program::{BlockOp, Handlers, Op, Ticks};
use crate::scenario::Scenario;
use crate::value::{Named, PythonError, Shown};

impl Scenario {
    pub(super) async fn block(
        self: &Rc<Self>,
        op: &BlockOp,
        group: Option<&Group>,
    ) -> Result<Flow> {
        match op {
            BlockOp::Return(value) => Ok(ControlFlow::Break(value.clone())),
            BlockOp::Raise(name) => Err(Named(name.clone()).into()),
            BlockOp::RaiseCancelled(message) => {
                let message = message.as_deref().map(Into::into);
                Err(CancelledError::from_message(message).into())
            }
            BlockOp::Timeout(limit, ops) => self.timeout(limit.as_ref(), ops, group).await,
            BlockOp::Reschedule(limit) => {
                self.reschedule(limit.as_ref())?;
                Ok(ControlFlow::Continue(()))
            }
            BlockOp::Group(ops) => {
                let left = task_group(async |group| self.run(ops, Some(&group)).await).await?;
                if left.is_continue() {
                    self.log("group done");
                }
                Ok(left)
            }
            BlockOp::GroupSpawn { task, coro } => {
                self.group_spawn(task, coro, group)?;
                Ok(ControlFlow::Continue(()))
            }
            BlockOp::Try {
                body,
                handlers,
                finally,
            } => {
                let mut left = self.run(body, group).await;
                if let Err(error) = &left
                    && let Some(handler) = handlers.of(error)
                {
                    self.log(format_args!("caught {}", Shown(error)));
                    left = self.run(handler, group).await;
                }
                if let Some(ops) = finally {
                    let _ = self.run(ops, group).await?;
                }
                left
            }
            BlockOp::Repeat(times, ops) => {
                for _ in 0..*times {
                    let left = self.run(ops, group).await?;
                    if left.is_break() {
                        return Ok(left);
                    }
                }
                Ok(ControlFlow::Continue(()))
            }
            BlockOp::Lock(name, ops) => {
                let acquire = self.names.get::<Lock>(name)?.acquire();
                self.holding(&format!("lock {name}"), acquire, ops, group)
                    .await
            }
            BlockOp::Sem(name, ops) => {
                let acquire = self.names.get::<Semaphore>(name)?.acquire();
                self.holding(&format!("sem {name}"), acquire, ops, group)
                    .await
            }
        }
    }

    fn group_spawn(self: &Rc<Self>, task: &str, coro: &str, group: Option<&Group>) -> Result<()> {
        let group =
            group.ok_or_else(|| Exception::new(PythonError::attribute_error("create_task")))?;
        self.spawn(task, coro, |coroutine| group.create_task(coroutine))
    }

    /// Runs the operations between acquiring and releasing something.
    async fn holding<G>(
        self: &Rc<Self>,
        what: &str,
        acquire: impl Future<Output = Result<G>>,
        ops: &[Op],
        group: Option<&Group>,
    ) -> Result<Flow> {
        let guard = acquire.await?;
        self.log(format_args!("{what} acquired"));
        let left = self.run(ops, group).await;
        drop(guard);
        let left = left?;
        self.log(format_args!("{what} released"));
        Ok(left)
    }

    async fn timeout(
        self: &Rc<Self>,
        limit: Option<&Ticks>,
        ops: &[Op],
        group: Option<&Group>,
    ) -> Result<Flow> {
        let mut entered: Option<Timeout> = None;
        let left = timeout(limit.map(Ticks::duration), async |scope| {
            self.enter_timeout(scope.clone());
            entered = Some(scope);
            self.run(ops, group).await
        })
        .await?;
        if left.is_continue() {
            let expired = entered.is_some_and(|scope| scope.expired());
            self.log(format_args!("timeout passed, expired {expired}"));
        }
        Ok(left)
    }

    fn reschedule(&self, limit: Option<&Ticks>) -> Result<()> {
        let scope = self.innermost_timeout()?;
        let now = get_running_loop()?.time();
        scope.reschedule(limit.map(|limit| now + limit.duration()))
    }
}

impl Handlers {
    /// The handler for an exception of that class, if there is one.
    fn of(&self, exception: &Exception) -> Option<&[Op]> {
        let handler = if exception.is_cancelled() {
            &self.cancelled
        } else if exception.is_timeout() {
            &self.timeout
        } else if exception.is::<ExceptionGroup>() {
            &self.group
        } else {
            &self.error
        };
        handler.as_deref()
    }
}
