//! Eager tasks and task factories. The traces are those of the same programs in CPython 3.13.

mod common;
mod trace;

use std::cell::RefCell;
use std::future::poll_fn;
use std::panic::panic_any;
use std::rc::Rc;
use std::task::Poll;

use common::{Counted, secs, virtual_loop};
use rondel_context::{Context, ContextVar};
use rondel_future::CancelledError;
use rondel_task::{
    Exception, FIRST_COMPLETED, Opaque, Result, Start, Started, Task, TaskOptions, all_tasks,
    as_completed, create_eager_task_factory, create_task, create_task_with, current_task,
    eager_task_factory, ensure_future, gather, shield, sleep, task_group, wait, wait_for,
};
use trace::*;

static VAR: ContextVar<u32> = ContextVar::with_default("var", 0);

fn eager<T: 'static>(
    name: &str,
    coroutine: impl Future<Output = Result<T>> + 'static,
) -> Result<Task<T>> {
    create_task_with(TaskOptions::new().name(name).start(Start::Eager), coroutine)
}

async fn yields() -> Result<()> {
    seconds(0).await
}

fn all_names() -> String {
    let tasks = all_tasks(None).expect("the loop runs");
    let mut names: Vec<String> = tasks.iter().map(Task::get_name).collect();
    names.sort();
    names.join(" ")
}

/// Says that it runs, under the name given, and ends at once.
async fn quick(name: &'static str) -> Result<&'static str> {
    this_task().set_name(name);
    log("runs");
    Ok(name)
}

/// Suspends in between.
async fn slow(name: &'static str) -> Result<&'static str> {
    this_task().set_name(name);
    log("starts");
    yields().await?;
    log("ends");
    Ok(name)
}

async fn bad(name: &'static str) -> Result<&'static str> {
    this_task().set_name(name);
    log("raises");
    Err(error(name))
}

// --- the first step ---------------------------------------------------------------------------------

#[test]
fn the_first_step_runs_while_the_task_is_created() {
    let program = async {
        running_loop().call_soon(|| log("callback before"))?;
        log("before");
        let child = eager("child", async {
            log("starts");
            yields().await?;
            log("goes on");
            Ok(1)
        })?;
        running_loop().call_soon(|| log("callback behind"))?;
        log(format!("created, done {}", child.done()));
        log(format!("result {}", child.await?));
        Ok(())
    };
    check(
        program,
        &[
            "0 main: before",
            "0 child: starts",
            "0 main: created, done false",
            "0 loop: callback before",
            "0 child: goes on",
            "0 loop: callback behind",
            "0 main: result 1",
            "end ()",
        ],
    );
}

#[test]
fn a_coroutine_that_does_not_suspend_is_done_at_once() {
    let program = async {
        let child = eager("child", async {
            log("runs");
            Ok(7)
        })?;
        log(format!("done {} result {}", child.done(), child.result()?));
        log(format!("awaited {}", (&child).await?));
        child.add_done_callback(|_| log("callback"))?;
        log("added");
        yields().await
    };
    check(
        program,
        &[
            "0 child: runs",
            "0 main: done true result 7",
            "0 main: awaited 7",
            "0 main: added",
            "0 loop: callback",
            "end ()",
        ],
    );
}

#[test]
fn exceptions_and_cancellations_are_there_at_once() {
    let program = async {
        let raises = eager("raises", async { Err::<(), _>(error("E1")) })?;
        log(format!("{:?}", raises.exception()?.map(|e| e.to_string())));
        let cancelled = eager("cancelled", async {
            Err::<(), _>(CancelledError::new().into())
        })?;
        log(format!("cancelled {}", cancelled.cancelled()));
        let panics = eager("panics", async { panic_any::<&str>("on purpose") });
        let panics: Task<()> = panics?;
        log(format!(
            "panicked {}",
            panics.result().is_err_and(|e| e.is_panic())
        ));
        log("still running");
        Ok(())
    };
    check(
        program,
        &[
            "0 main: Some(\"E1\")",
            "0 main: cancelled true",
            "0 main: panicked true",
            "0 main: still running",
            "end ()",
        ],
    );
}

#[test]
fn an_eager_task_may_create_eager_tasks() {
    let program = async {
        let outer = eager("outer", async {
            log("starts");
            let inner = eager("inner", slow("inner"))?;
            log("created inner");
            log(format!("got {}", inner.await?));
            Ok("outer")
        })?;
        log("created outer");
        log(format!("got {}", outer.await?));
        Ok(())
    };
    check(
        program,
        &[
            "0 outer: starts",
            "0 inner: starts",
            "0 outer: created inner",
            "0 main: created outer",
            "0 inner: ends",
            "0 outer: got inner",
            "0 main: got outer",
            "end ()",
        ],
    );
}

#[test]
fn all_tasks_are_those_in_their_eager_step_too() {
    let program = async {
        let child = eager("child", async {
            log(all_names());
            yields().await?;
            log(all_names());
            Ok(())
        })?;
        log(all_names());
        child.await?;
        log(all_names());
        Ok(())
    };
    check(
        program,
        &[
            "0 child: child main",
            "0 main: child main",
            "0 child: child main",
            "0 main: main",
            "end ()",
        ],
    );
}

#[test]
fn an_eager_step_runs_in_the_context_of_its_task() {
    async fn child() -> Result<()> {
        log(VAR.get()?);
        VAR.set(2);
        yields().await?;
        log(VAR.get()?);
        Ok(())
    }
    let program = async {
        VAR.set(1);
        let copied = eager("copied", child())?;
        log(VAR.get()?);
        copied.await?;
        let context = Context::new();
        context.run(|| VAR.set(5));
        let options = TaskOptions::new().name("given").context(&context);
        let given = create_task_with(options.start(Start::Eager), child())?;
        log(format!("{} {:?}", VAR.get()?, context.get(&VAR)));
        given.await
    };
    check(
        program,
        &[
            "0 copied: 1",
            "0 main: 1",
            "0 copied: 2",
            "0 given: 5",
            "0 main: 1 Some(2)",
            "0 given: 2",
            "end ()",
        ],
    );
}

#[test]
fn a_context_that_a_task_runs_something_in_is_not_its_own_afterwards() {
    let program = async {
        let other = Context::new();
        other.run(|| {
            VAR.set(7);
            eager("child", yields())
        })?;
        let task = current_task().expect("it runs");
        log(task.get_context().get(&VAR).is_none());
        yields().await?;
        log(VAR.get()?);
        other.run(|| drop(task.get_context()));
        log(task.get_context().get(&VAR).is_none());
        yields().await?;
        log(VAR.get()?);
        Ok(())
    };
    check(
        program,
        &[
            "0 main: true",
            "0 main: 0",
            "0 main: true",
            "0 main: 0",
            "end ()",
        ],
    );
}

#[test]
fn the_context_of_a_task_is_its_own_while_another_takes_its_eager_step() {
    let seen_in = |name: &'static str, creator: Task<Opaque>| async move {
        VAR.set(2);
        log(creator.get_context().get(&VAR).unwrap_or(0));
        let own = current_task().expect("it runs").get_context();
        log(own.get(&VAR).unwrap_or(0));
        this_task().set_name(name);
        Ok(())
    };
    let program = async move {
        let creator = current_task().expect("it runs");
        // No variable is set yet.
        eager("first", seen_in("first", creator.clone()))?.await?;
        VAR.set(1);
        eager("second", seen_in("second", creator.clone()))?.await?;
        log(creator.get_context().get(&VAR).unwrap_or(0));
        VAR.set(3);
        log(creator.get_context().get(&VAR).unwrap_or(0));
        Ok(())
    };
    check(
        program,
        &[
            "0 first: 0",
            "0 first: 2",
            "0 second: 1",
            "0 second: 2",
            "0 main: 1",
            "0 main: 3",
            "end ()",
        ],
    );
}

#[test]
fn a_callback_may_create_an_eager_task() {
    let program = async {
        running_loop().call_soon(|| {
            log("callback");
            eager("child", slow("child")).expect("the loop runs");
            log("callback ends");
        })?;
        yields().await?;
        log("tick");
        yields().await?;
        log("tick");
        Ok(())
    };
    check(
        program,
        &[
            "0 loop: callback",
            "0 child: starts",
            "0 loop: callback ends",
            "0 main: tick",
            "0 child: ends",
            "0 main: tick",
            "end ()",
        ],
    );
}

#[test]
fn a_future_that_an_eager_task_waits_for_wakes_it_as_any_other() {
    let program = async {
        let (future, waited_for) = (new_future::<u32>(), Rc::new(RefCell::new(None)));
        *waited_for.borrow_mut() = Some(future.clone());
        let child = eager("child", async move {
            log("waits");
            let future = waited_for.take().expect("it is there");
            log(future.await?);
            Ok(())
        })?;
        future.set_result(5)?;
        log("set");
        yields().await?;
        log("tick");
        child.await
    };
    check(
        program,
        &[
            "0 child: waits",
            "0 main: set",
            "0 child: 5",
            "0 main: tick",
            "end ()",
        ],
    );
}

// --- cancellation -----------------------------------------------------------------------------------

#[test]
fn a_task_may_cancel_itself_in_its_eager_step() {
    async fn child(waits: bool) -> Result<u32> {
        this_task().cancel_with_message("me");
        log("cancelled");
        if waits {
            passing("caught ", yields().await)?;
        }
        Ok(3)
    }
    let program = async {
        let waits = eager("waits", child(true))?;
        log(format!("done {}", waits.done()));
        let _ = passing("raised ", waits.await);
        let returns = eager("returns", child(false))?;
        log(format!("cancelled {}", returns.cancelled()));
        let future = eager("future", async {
            this_task().cancel_with_message("me");
            let _ = passing("caught ", new_future::<()>().await);
            Ok(())
        })?;
        log(format!("done {}", future.done()));
        future.await
    };
    check(
        program,
        &[
            "0 waits: cancelled",
            "0 main: done false",
            "0 waits: caught Cancelled(me)",
            "0 main: raised Cancelled(me)",
            "0 returns: cancelled",
            "0 main: cancelled true",
            "0 main: done false",
            "0 future: caught Cancelled(me)",
            "end ()",
        ],
    );
}

#[test]
fn an_eager_task_may_cancel_its_creator() {
    let program = async {
        let parent = this_task();
        let child = eager("child", async move {
            parent.cancel_with_message("from child");
            log("cancelled the parent");
            Ok(())
        })?;
        log(format!("done {} {}", child.done(), cancelling()));
        let _ = passing("caught ", yields().await);
        Ok(())
    };
    check(
        program,
        &[
            "0 child: cancelled the parent",
            "0 main: done true cancelling 1",
            "0 main: caught Cancelled(from child)",
            "end ()",
        ],
    );
}

#[test]
fn an_eager_step_takes_nothing_of_an_error_that_is_to_be_thrown_into_its_creator() {
    let program = async {
        let parent = create_task(async {
            // A foreign future: the error goes to the next leaf, and that of the eager task is polled before.
            let mut polls = 0;
            poll_fn(|cx| {
                polls += 1;
                cx.waker().wake_by_ref();
                if polls < 2 {
                    Poll::Pending
                } else {
                    Poll::Ready(())
                }
            })
            .await;
            let child = eager("child", slow("child"))?;
            let _ = passing("caught ", yields().await);
            child.await
        })?;
        parent.set_name("parent");
        yields().await?;
        parent.cancel();
        parent.await
    };
    check(
        program,
        &[
            "0 child: starts",
            "0 parent: caught Cancelled",
            "0 child: ends",
            "end \"child\"",
        ],
    );
}

#[test]
fn a_task_that_has_started_eagerly_is_cancelled_where_it_waits() {
    let program = async {
        let child = eager("child", async {
            log("starts");
            passing("", seconds(1).await)
        })?;
        child.cancel();
        log("cancel");
        let _ = passing("raised ", child.await);
        Ok(())
    };
    check(
        program,
        &[
            "0 child: starts",
            "0 main: cancel",
            "0 child: Cancelled",
            "0 main: raised Cancelled",
            "end ()",
        ],
    );
}

// --- factories --------------------------------------------------------------------------------------

#[test]
fn an_eager_factory_makes_every_task_eager() {
    let program = async {
        running_loop().set_task_factory(Some(Rc::new(eager_task_factory)));
        assert!(create_task(quick("a"))?.done());
        assert!(ensure_future(quick("b"))?.done());
        let soon = create_task_with(TaskOptions::new().start(Start::Soon), quick("c"))?;
        log(format!("done {}", soon.done()));
        assert_eq!(shield(quick("d")).await?, "d");
        let all = [create_task(quick("e"))?, create_task(slow("f"))?];
        let (done, pending) = wait(&all).return_when(FIRST_COMPLETED).await?;
        log(format!("{} {}", done.len(), pending.len()));
        log(wait_for(slow("g"), secs(1)).await?);
        Ok(())
    };
    check(
        program,
        &[
            "0 a: runs",
            "0 b: runs",
            "0 main: done false",
            "0 d: runs",
            "0 e: runs",
            "0 f: starts",
            "0 c: runs",
            "0 f: ends",
            "0 main: 2 0",
            // `wait_for` awaits its coroutine in the task that calls it, and `slow` renames that.
            "0 g: starts",
            "0 g: ends",
            "0 g: g",
            "end ()",
        ],
    );
}

#[test]
fn a_gather_of_eager_tasks_may_be_done_at_once() {
    let program = async {
        running_loop().set_task_factory(Some(Rc::new(eager_task_factory)));
        let all = gather([quick("a"), quick("b")]);
        log(format!("{:?}", all.await?));
        let outcome = gather([bad("c"), bad("d")]).await;
        log(show(&outcome.expect_err("the first raises")));
        for next in as_completed([create_task(slow("k"))?, create_task(quick("l"))?]) {
            log(next.await?);
        }
        Ok(())
    };
    check(
        program,
        &[
            "0 a: runs",
            "0 b: runs",
            "0 main: [\"a\", \"b\"]",
            "0 c: raises",
            "0 d: raises",
            "0 main: c",
            "0 k: starts",
            "0 l: runs",
            "0 k: ends",
            "0 main: l",
            "0 main: k",
            "end ()",
        ],
    );
}

#[test]
fn a_group_hears_at_once_of_an_eager_task_that_is_done() {
    let program = async {
        running_loop().set_task_factory(Some(Rc::new(eager_task_factory)));
        let outcome = task_group(async |group| {
            let slow = group.create_task(slow("e"))?;
            log(format!("done {}", slow.done()));
            let failed = group.create_task(bad("f"))?;
            log(format!("done {} {}", failed.done(), cancelling()));
            let refused = group.create_task(quick("g")).is_err();
            log(format!("refused {refused}"));
            passing("block ", yields().await)
        });
        let _ = passing("group raised ", outcome.await);
        log(cancelling());
        Ok(())
    };
    check(
        program,
        &[
            "0 e: starts",
            "0 main: done false",
            "0 f: raises",
            "0 main: done true cancelling 1",
            "0 main: refused true",
            "0 main: block Cancelled",
            "0 main: group raised Group[f]",
            "0 main: cancelling 0",
            "end ()",
        ],
    );
}

#[test]
fn an_eager_child_may_have_started_when_start_looks() {
    let program = async {
        running_loop().set_task_factory(Some(Rc::new(eager_task_factory)));
        let outcome = task_group(async |group| {
            let told = group.start(async |started: Started<u32>| {
                this_task().set_name("server");
                started.set(8080);
                log("serves");
                Ok(())
            });
            log(format!("started with {}", told.await?));
            let told = group.start(async |_: Started<u32>| Err::<(), _>(error("no port")));
            let _ = passing("start raised ", told.await);
            Ok(())
        });
        outcome.await
    };
    check(
        program,
        &[
            "0 server: serves",
            "0 main: started with 8080",
            "0 main: start raised no port",
            "end ()",
        ],
    );
}

#[test]
fn a_group_takes_options_for_its_tasks() {
    let program = task_group(async |group| {
        let options = TaskOptions::new().name("eager").start(Start::Eager);
        let task = group.create_task_with(options, async {
            log("runs");
            Ok(1)
        })?;
        log(format!("done {}", task.done()));
        Ok(())
    });
    check(program, &["0 eager: runs", "0 main: done true", "end ()"]);
}

#[test]
fn a_factory_sees_and_changes_what_a_task_is_made_with() {
    let program = async {
        let context = Context::new();
        context.run(|| VAR.set(8));
        let seen = Rc::new(RefCell::new(Vec::new()));
        let sees = seen.clone();
        let factory = create_eager_task_factory(move |options| {
            let name = options.get_name().map(str::to_owned);
            let var = options.get_context().and_then(|context| context.get(&VAR));
            sees.borrow_mut().push((name, var, options.get_start()));
            options.context(&context)
        });
        running_loop().set_task_factory(Some(factory));
        let variable = async { Ok(VAR.get()?) };
        log(create_task(variable)?.result()?);
        VAR.set(3);
        let named = TaskOptions::new().name("named").start(Start::Soon);
        let task = create_task_with(named, async { Ok(VAR.get()?) })?;
        log(format!("{} {}", task.get_name(), task.done()));
        log(task.await?);
        for what in seen.take() {
            log(format!("{what:?}"));
        }
        Ok(())
    };
    check(
        program,
        &[
            "0 main: 8",
            "0 main: named false",
            "0 main: 8",
            "0 main: (None, None, None)",
            "0 main: (Some(\"named\"), Some(3), Some(Soon))",
            "end ()",
        ],
    );
}

#[test]
fn eager_tasks_of_a_loop_that_does_not_run_start_soon() {
    let event_loop = virtual_loop();
    event_loop.set_task_factory(Some(Rc::new(eager_task_factory)));
    let options = TaskOptions::new().start(Start::Eager);
    let explicit = event_loop
        .create_task_with(options, async { Ok(1) })
        .unwrap();
    let by_factory = event_loop.create_task(async { Ok(2) }).unwrap();
    assert!(!explicit.done() && !by_factory.done());
    assert_eq!(event_loop.run_until_complete(by_factory).unwrap(), 2);
    assert_eq!(explicit.result().unwrap(), 1);
}

#[test]
fn a_factory_comes_and_goes_and_does_not_outlive_its_loop() {
    let event_loop = virtual_loop();
    assert!(event_loop.get_task_factory().is_none());
    let (counted, alive) = Counted::new();
    let owner = event_loop.clone();
    event_loop.set_task_factory(Some(Rc::new(move |options| {
        // A factory that owns its loop is a cycle, which closing breaks.
        let _owned = (&owner, &counted);
        options
    })));
    let factory = event_loop.get_task_factory();
    assert!(factory.is_some());
    event_loop.set_task_factory(None);
    assert_eq!(alive.get(), 1);
    event_loop.set_task_factory(factory);
    event_loop.close().unwrap();
    assert_eq!(alive.get(), 0);
    assert!(event_loop.get_task_factory().is_none());
    let refused = event_loop.create_task_with(TaskOptions::new(), async { Ok(()) });
    assert!(refused.is_err());
}

#[test]
fn a_factory_that_panics_fails_whoever_creates_the_task() {
    let program = async {
        let creates = async {
            running_loop().set_task_factory(Some(Rc::new(|_| panic_any("on purpose"))));
            create_task(sleep(secs(1)))?.await
        };
        let outcome: Result<(), Exception> = create_task(creates)?.await;
        running_loop().set_task_factory(None);
        log(format!("panicked {}", outcome.is_err_and(|e| e.is_panic())));
        create_task(sleep(secs(1)))?.await
    };
    check(program, &["0 main: panicked true", "end ()"]);
}
