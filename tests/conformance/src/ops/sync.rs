//! Operations that never suspend, which are also what callbacks consist of.

use std::fmt;
use std::rc::Rc;

use crate::api::{
    CallbackKey, Event, InvalidStateError, Opaque, Result, Semaphore, Task, TimerHandle,
    create_task, get_running_loop,
};
use crate::handle::Handle;
use crate::names::{Outer, Settable};
use crate::program::SyncOp;
use crate::scenario::Scenario;
use crate::value::{Named, PythonStr, Value};

/// A done callback of a program: what it does, and its key once it was added to a future.
#[derive(Clone, Debug)]
pub(crate) struct OnDone {
    ops: Rc<[SyncOp]>,
    key: Option<CallbackKey<Opaque>>,
}

impl Scenario {
    pub(super) fn sync(self: &Rc<Self>, op: &SyncOp) -> Result<()> {
        let names = &self.names;
        match op {
            SyncOp::Log(text) => self.log(text),
            SyncOp::NewFuture(name) => {
                names.set(name, get_running_loop()?.create_future::<Value>())
            }
            SyncOp::SetResult(name, value) => {
                let Settable(future) = names.get(name)?;
                let set = future.set_result(value.clone().into());
                self.log_set(format_args!("set_result {name}"), set)?;
            }
            SyncOp::SetException(name, exception) => {
                let Settable(future) = names.get(name)?;
                let set = future.set_exception(Named(exception.clone()));
                self.log_set(format_args!("set_exception {name}"), set)?;
            }
            SyncOp::Cancel(name, message) => {
                let future = names.get::<Handle>(name)?.future();
                let accepted = match message {
                    Some(message) => future.cancel_with_message(message.as_str()),
                    None => future.cancel(),
                };
                self.log(format_args!("cancel {name} -> {accepted}"));
            }
            SyncOp::Uncancel(name) => {
                let left = names.get::<Task<Value>>(name)?.uncancel();
                self.log(format_args!("uncancel {name} -> {left}"));
            }
            SyncOp::Cancelling(name) => {
                let requests = names.get::<Task<Value>>(name)?.cancelling();
                self.log(format_args!("cancelling {name} -> {requests}"));
            }
            SyncOp::State(name) => self.log_state(name)?,
            SyncOp::OnDone { future, label, ops } => self.on_done(future, label, ops)?,
            SyncOp::RemoveOnDone { future, label } => {
                let count = self.remove_on_done(future, label)?;
                self.log(format_args!("remove_on_done {future} {label} -> {count}"));
            }
            SyncOp::CallSoon { label, ops } => {
                get_running_loop()?.call_soon(self.callback_body(label, ops))?;
            }
            SyncOp::CallLater { delay, timer, ops } => {
                let body = self.callback_body(timer, ops);
                let handle = get_running_loop()?.call_later(delay.duration(), body)?;
                names.set(timer, handle);
            }
            SyncOp::CancelTimer(timer) if names.has(timer) => {
                names.get::<TimerHandle>(timer)?.cancel();
                self.log(format_args!("cancel_timer {timer}"));
            }
            SyncOp::CancelTimer(timer) => self.log(format_args!("cancel_timer {timer} -> not set")),
            SyncOp::Spawn { task, coro } => self.spawn(task, coro, create_task)?,
            SyncOp::GatherAs {
                outer,
                children,
                return_exceptions,
            } => {
                let children = names.handles(children)?;
                names.set(outer, Outer(Handle::gather(children, *return_exceptions)?));
            }
            SyncOp::ShieldAs { outer, inner } => {
                names.set(outer, Outer(Handle::shield(names.get(inner)?)?));
            }
            SyncOp::CtxSet(name, value) => {
                self.variable(name).set(value.clone());
            }
            SyncOp::CtxGet(name) => {
                let value = self.variable(name).get()?;
                self.log(format_args!("ctx {name} = {}", PythonStr(&value)));
            }
            SyncOp::EventSet(name) => names.get::<Event>(name)?.set(),
            SyncOp::EventClear(name) => names.get::<Event>(name)?.clear(),
            SyncOp::SemRelease(name) => names.get::<Semaphore>(name)?.release(),
            SyncOp::Queue(name, op) => self.queue_nowait(name, op)?,
        }
        Ok(())
    }

    /// Logs a transition of a future; that the future was done already is no exception.
    fn log_set(&self, what: fmt::Arguments<'_>, set: Result<()>) -> Result<()> {
        match set {
            Err(error) if error.is::<InvalidStateError>() => {
                self.log(format_args!("{what} -> InvalidStateError"));
            }
            set => {
                set?;
                self.log(what);
            }
        }
        Ok(())
    }

    // --- callbacks ---------------------------------------------------------------------------

    fn on_done(self: &Rc<Self>, name: &str, label: &str, ops: &Rc<[SyncOp]>) -> Result<()> {
        let place = (name.to_owned(), label.to_owned());
        let OnDone { ops, key } = self
            .callbacks
            .borrow_mut()
            .entry(place.clone())
            .or_insert_with(|| OnDone {
                ops: ops.clone(),
                key: None,
            })
            .clone();
        let future = self.names.get::<Handle>(name)?.future();
        if let Some(key) = key {
            return Ok(future.add_callback_again(&key)?);
        }
        let (scenario, name) = (self.clone(), name.to_owned());
        let text = format!("callback {label}: {name}");
        let key = future.add_done_callback(move |_| {
            // A callback that fails is reported to the loop's exception handler, which ignores it.
            let _ = scenario
                .log_done(&name, &text)
                .and_then(|()| scenario.callback_ops(&ops));
        })?;
        if let Some(on_done) = self.callbacks.borrow_mut().get_mut(&place) {
            on_done.key = Some(key);
        }
        Ok(())
    }

    fn remove_on_done(&self, name: &str, label: &str) -> Result<usize> {
        let place = (name.to_owned(), label.to_owned());
        let on_done = self.callbacks.borrow().get(&place).cloned();
        let Some(OnDone { key, .. }) = on_done else {
            return Ok(0);
        };
        let future = self.names.get::<Handle>(name)?.future();
        Ok(key.map_or(0, |key| future.remove_done_callback(&key)))
    }

    fn log_done(&self, name: &str, text: &str) -> Result<()> {
        let state = self.names.get::<Handle>(name)?.state()?;
        self.log_as("loop", format_args!("{text} {state}"));
        Ok(())
    }

    /// What `call_soon` and `call_later` schedule.
    fn callback_body(self: &Rc<Self>, label: &str, ops: &Rc<[SyncOp]>) -> impl FnOnce() + 'static {
        let (scenario, ops) = (self.clone(), ops.clone());
        let text = format!("call {label}");
        move || {
            scenario.log_as("loop", text);
            // As in `on_done`.
            let _ = scenario.callback_ops(&ops);
        }
    }

    fn callback_ops(self: &Rc<Self>, ops: &[SyncOp]) -> Result<()> {
        ops.iter().try_for_each(|op| self.sync(op))
    }
}
