//! Context variables that tasks, callbacks and threads do not inherit.

mod common;

use common::{Trace, check, tick};
use rondel_context::ContextVar;
use rondel_task::{create_task, get_running_loop, to_thread};

static REQUEST: ContextVar<u32> = ContextVar::with_default("request", 0);
static SPAN: ContextVar<u32> = ContextVar::with_default("span", 0).uninherited();

#[test]
fn tasks_callbacks_and_threads_begin_without_it() {
    check(
        async |log: Trace| {
            REQUEST.set(7);
            SPAN.set(1);
            let seen = log.clone();
            let child = create_task(async move {
                seen.log(format_args!("task {:?} {:?}", REQUEST.get()?, SPAN.get()?));
                SPAN.set(2);
                tick().await?;
                seen.log(format_args!("task {:?}", SPAN.get()?));
                Ok(())
            })?;
            let seen = log.clone();
            get_running_loop()?.call_soon(move || {
                seen.log(format_args!(
                    "callback {:?} {:?}",
                    REQUEST.get(),
                    SPAN.get()
                ));
            })?;
            child.await?;
            let in_thread = to_thread(|| Ok((REQUEST.get()?, SPAN.get()?))).await?;
            log.log(format_args!("thread {in_thread:?}"));
            Ok(SPAN.get()?)
        },
        &[
            "task 7 0",
            "callback Ok(7) Ok(0)",
            "task 2",
            "thread (7, 0)",
            "Ok(1)",
        ],
    );
}
