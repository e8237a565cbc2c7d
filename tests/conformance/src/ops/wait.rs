//! Operations that wait for time, futures or coroutines.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use crate::api::{Future, Opaque, Result, ReturnWhen, as_completed, sleep, wait, wait_for};
use crate::handle::Handle;
use crate::program::{Name, Ticks, WaitOp};
use crate::scenario::Scenario;
use crate::value::{Shown, Value};

impl Scenario {
    pub(super) async fn wait(self: &Rc<Self>, op: &WaitOp) -> Result<()> {
        let names = &self.names;
        match op {
            WaitOp::Sleep(delay) => {
                sleep(delay.duration()).await?;
                self.log(format_args!("slept {delay}"));
            }
            WaitOp::Await(name) => {
                let outcome = match names.get::<Handle>(name) {
                    Ok(handle) => handle.outcome().await,
                    Err(error) => Err(error),
                };
                match outcome {
                    Ok(value) => self.log(format_args!("await {name} -> {value}")),
                    Err(error) => {
                        self.log(format_args!("await {name} raised {}", Shown(&error)));
                        return Err(error);
                    }
                }
            }
            WaitOp::Call(coro) => {
                let value = self.clone().coroutine(coro.clone()).await?;
                self.log(format_args!("call {coro} -> {value}"));
            }
            WaitOp::Gather {
                children,
                return_exceptions,
            } => {
                let children = names.handles(children)?;
                let values = Handle::gather(children, *return_exceptions)?
                    .outcome()
                    .await?;
                self.log(format_args!("gather -> {values}"));
            }
            WaitOp::Wait {
                futures,
                return_when,
                timeout,
            } => {
                self.wait_several(futures, *return_when, timeout.as_ref())
                    .await?;
            }
            WaitOp::WaitFor(name, limit) => {
                let handle: Handle = names.get(name)?;
                wait_for(handle.future(), limit.as_ref().map(Ticks::duration)).await?;
                self.log(format_args!("wait_for {name} -> {}", handle.value()?));
            }
            WaitOp::AsCompleted(futures, timeout) => {
                let handles = names.handles(futures)?;
                self.in_order_of_completion(&handles, timeout.as_ref())
                    .await?;
            }
        }
        Ok(())
    }

    async fn wait_several(
        &self,
        names: &[Name],
        return_when: ReturnWhen,
        timeout: Option<&Ticks>,
    ) -> Result<()> {
        let futures: Vec<Future<Opaque>> = self
            .names
            .handles(names)?
            .iter()
            .map(Handle::future)
            .collect();
        let timeout: Option<Duration> = timeout.map(Ticks::duration);
        let (done, pending) = wait(futures)
            .return_when(return_when)
            .timeout(timeout)
            .await?;
        let (done, pending) = (
            self.names_of(&done, names)?,
            self.names_of(&pending, names)?,
        );
        self.log(format_args!("wait -> done [{done}] pending [{pending}]"));
        Ok(())
    }

    /// Those of the names that stand for one of the futures, in alphabetical order.
    fn names_of(&self, futures: &[Future<Opaque>], names: &[Name]) -> Result<String> {
        let mut found = Vec::new();
        for name in BTreeSet::from_iter(names) {
            let future = self.names.get::<Handle>(name)?.future();
            if futures.iter().any(|other| other.ptr_eq(&future)) {
                found.push(name.as_str());
            }
        }
        Ok(found.join(","))
    }

    async fn in_order_of_completion(
        &self,
        handles: &[Handle],
        timeout: Option<&Ticks>,
    ) -> Result<()> {
        let futures = handles.iter().map(Handle::future);
        let mut completed = as_completed(futures).timeout(timeout.map(Ticks::duration));
        while let Some(done) = completed.next().await {
            match done.and_then(|done| value_of(&done, handles)) {
                Ok(value) => self.log(format_args!("as_completed -> {value}")),
                Err(error) if error.is_cancelled() => return Err(error),
                Err(error) => self.log(format_args!("as_completed raised {}", Shown(&error))),
            }
        }
        Ok(())
    }
}

/// The value of a future that is done, which is that of one of the handles.
fn value_of(done: &Future<Opaque>, handles: &[Handle]) -> Result<Value> {
    done.result()?;
    let handle = handles.iter().find(|handle| handle.future().ptr_eq(done));
    handle.map_or(Ok(Value::NONE), Handle::value)
}
