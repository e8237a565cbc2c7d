//! Instruments of tasks: what happens to them is told in order.

mod common;

use std::cell::Cell;
use std::panic::resume_unwind;
use std::rc::Rc;
use std::time::Duration;

use common::{Trace, reports, tick, virtual_loop};
use rondel_reactor::Instrument;
use rondel_task::{
    EventLoop, Opaque, Result, Start, Task, TaskInstrument, TaskOptions, create_task,
    create_task_with,
};

/// Writes down everything that it is told of tasks and waiting.
struct Words(Trace);

impl Words {
    fn log(&self, what: &str, task: &Task<Opaque>) {
        self.0.log(format_args!("{what} {}", task.get_name()));
    }
}

impl Instrument for Words {
    fn before_io_wait(&self, timeout: Option<Duration>) {
        self.0.log(format_args!("wait {timeout:?}"));
    }
}

impl TaskInstrument for Words {
    fn task_spawned(&self, task: &Task<Opaque>) {
        assert!(!task.done());
        self.log("spawned", task);
    }
    fn before_task_step(&self, task: &Task<Opaque>) {
        self.log("before", task);
    }
    fn after_task_step(&self, task: &Task<Opaque>) {
        self.log("after", task);
    }
    fn task_exited(&self, task: &Task<Opaque>) {
        let how = if task.done() { "exited" } else { "destroyed" };
        self.log(how, task);
    }
}

fn named<T: 'static>(
    name: &str,
    coroutine: impl core::future::Future<Output = Result<T>> + 'static,
) -> Result<Task<T>> {
    create_task_with(TaskOptions::new().name(name), coroutine)
}

fn watched_loop() -> (EventLoop, Trace) {
    let event_loop = virtual_loop();
    let trace = Trace::new();
    event_loop.add_task_instrument(Rc::new(Words(trace.clone())));
    (event_loop, trace)
}

#[test]
fn a_small_program_is_told_in_order() {
    let (event_loop, trace) = watched_loop();
    let inside = trace.clone();
    let main = event_loop
        .create_task_with(TaskOptions::new().name("main"), async move {
            let child = named("child", async move {
                inside.log("in child");
                tick().await
            })?;
            child.await
        })
        .unwrap();
    event_loop.run_until_complete(&main).unwrap();
    trace.check(&[
        "spawned main",
        "before main",
        "spawned child",
        "after main",
        "before child",
        "in child",
        "after child",
        "before child",
        "after child",
        "exited child",
        "before main",
        "after main",
        "exited main",
    ]);
    event_loop.close().unwrap();
}

#[test]
fn an_eager_task_is_stepped_inside_its_parent() {
    let (event_loop, trace) = watched_loop();
    let main = event_loop
        .create_task_with(TaskOptions::new().name("main"), async {
            let eager = TaskOptions::new().name("eager").start(Start::Eager);
            create_task_with(eager, async { Ok(()) })?;
            Ok(())
        })
        .unwrap();
    event_loop.run_until_complete(&main).unwrap();
    trace.check(&[
        "spawned main",
        "before main",
        "spawned eager",
        "before eager",
        "after eager",
        "exited eager",
        "after main",
        "exited main",
    ]);
    event_loop.close().unwrap();
}

#[test]
fn cancelled_before_it_began_and_destroyed_with_its_loop() {
    let (event_loop, trace) = watched_loop();
    let reported = reports(&event_loop);
    let create = |name: &str| {
        let options = TaskOptions::new().name(name);
        event_loop.create_task_with(options, tick()).unwrap()
    };
    let (cancelled, destroyed) = (create("cancelled"), create("destroyed"));
    cancelled.cancel();
    event_loop.run_once().unwrap();
    event_loop.close().unwrap();
    assert!(!destroyed.done());
    trace.check(&[
        "spawned cancelled",
        "spawned destroyed",
        "wait Some(0ns)",
        "before cancelled",
        "after cancelled",
        "exited cancelled",
        "before destroyed",
        "after destroyed",
        "destroyed destroyed",
    ]);
    reported.check(&["Task was destroyed but it is pending!"]);
}

#[test]
fn one_that_panics_is_removed_in_both_its_parts() {
    /// Panics at the first step, and counts what it is told.
    #[derive(Default)]
    struct Fragile(Cell<u32>);

    impl Instrument for Fragile {
        fn after_run(&self) {
            self.0.set(100);
        }
    }

    impl TaskInstrument for Fragile {
        fn before_task_step(&self, _: &Task<Opaque>) {
            self.0.set(self.0.get() + 1);
            resume_unwind(Box::new("oops"));
        }
    }

    let (event_loop, trace) = watched_loop();
    let reported = reports(&event_loop);
    let fragile = Rc::new(Fragile::default());
    event_loop.add_task_instrument(fragile.clone());
    let task = event_loop.create_task(async { tick().await }).unwrap();
    task.set_name("task");
    trace.take();
    event_loop.run_until_complete(&task).unwrap();
    assert_eq!(fragile.0.get(), 1);
    trace.check(&[
        "before task",
        "after task",
        "before task",
        "after task",
        "exited task",
    ]);
    reported.check(&["Exception in an instrument, which is removed: panicked: oops"]);

    event_loop.add_task_instrument(fragile.clone());
    let task = event_loop.create_task(async { Ok(()) }).unwrap();
    event_loop.run_until_complete(&task).unwrap();
    assert_eq!(fragile.0.get(), 2, "it may be added again");
    event_loop.close().unwrap();
}

#[test]
fn it_is_added_once_and_removed_as_every_instrument() {
    let event_loop = virtual_loop();
    let trace = Trace::new();
    let words = Rc::new(Words(trace.clone()));
    event_loop.add_task_instrument(words.clone());
    event_loop.add_task_instrument(words.clone());
    let run = |name: &'static str| {
        event_loop
            .run_until_complete(async move { create_task(tick())?.await.map(|()| name) })
            .unwrap();
    };
    run("told");
    let told = trace.take();
    assert_eq!(told.len(), 12, "{told:?}");
    assert!(event_loop.remove_instrument(&words));
    run("not told");
    trace.check(&[]);
    assert_eq!(Rc::strong_count(&words), 2, "until the next one is added");
    event_loop.close().unwrap();
}

#[test]
fn a_hook_may_use_the_loop() {
    /// Spawns a task when one exits, once.
    struct Spawns(Cell<bool>, Trace);

    impl Instrument for Spawns {}

    impl TaskInstrument for Spawns {
        fn task_exited(&self, task: &Task<Opaque>) {
            self.1.log(task.get_name());
            if !self.0.replace(true) {
                let follower = create_task(async { Ok(()) }).expect("the loop runs");
                follower.set_name("follower");
            }
        }
    }

    let event_loop = virtual_loop();
    let trace = Trace::new();
    event_loop.add_task_instrument(Rc::new(Spawns(Cell::new(false), trace.clone())));
    let first = event_loop.create_task(async { Ok(()) }).unwrap();
    first.set_name("first");
    event_loop.run_until_complete(&first).unwrap();
    trace.check(&["first", "follower"]);
    event_loop.close().unwrap();
}
