//! Call graphs: who awaits whom, and in which lines.

mod common;

use std::pin::pin;
use std::time::Duration;

use common::{LONG, secs, tick, virtual_loop};
use futures::future::try_join3;
use rondel_task::{
    CallGraphCut, CapacityLimiter, EventLoop, FrameCallGraphEntry, FramePlace, Future,
    FutureCallGraph, Result, Task, TaskGroup, TaskOptions, ToThread, as_completed,
    capture_call_graph, capture_current_call_graph, create_task, create_task_with, current_task,
    format_call_graph, future_add_to_awaited_by, future_discard_from_awaited_by, gather,
    map_concurrent, print_call_graph, race, run_virtual, shield, sleep, sleep_forever,
    sleep_result, sleep_until, staggered_race, task_group, wait, wait_for,
};

/// The text of a graph without what differs from run to run: addresses, and lines as distances from `first`.
fn text(graph: &FutureCallGraph, first: u32) -> String {
    let mut text = String::new();
    for line in graph.to_string().lines() {
        let line = match line.split_once("id=0x") {
            Some((before, after)) => {
                let after = after.split_once(')').map_or("", |(_, after)| after);
                format!("{before}id=#){after}")
            }
            None => line.to_owned(),
        };
        let line = match line.split_once("line ") {
            Some((before, after)) => {
                let (number, after) = after.split_once(',').expect("a line number ends");
                let number: u32 = number.parse().expect("a line has a number");
                format!("{before}line +{},{after}", number - first)
            }
            None => line,
        };
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text.replace(file!(), "FILE")
}

/// The lines of a task's call stack.
fn lines<T>(task: &Task<T>) -> Vec<u32> {
    let stack = task.get_stack();
    stack.iter().map(|entry| entry.location.line()).collect()
}

/// The names of the tasks that await, and `future` for what is no task, level by level.
fn names(graphs: &[FutureCallGraph]) -> String {
    let names: Vec<String> = graphs
        .iter()
        .map(|graph| {
            let header = graph.to_string();
            let name = header
                .split('\'')
                .nth(1)
                .filter(|_| header.starts_with("* Task"));
            let name = name.unwrap_or("future");
            match (names(&graph.awaited_by), graph.cut) {
                (_, Some(cut)) => format!("{name} ({cut})"),
                (by, None) if by.is_empty() => name.to_owned(),
                (by, None) => format!("{name} <- {by}"),
            }
        })
        .collect();
    names.join(", ")
}

fn named<T: 'static>(
    name: &str,
    coroutine: impl core::future::Future<Output = Result<T>> + 'static,
) -> Result<Task<T>> {
    create_task_with(TaskOptions::new().name(name), coroutine)
}

#[test]
fn the_line_of_every_kind_of_await_is_known() {
    async fn check<T: 'static>(
        line: u32,
        coroutine: impl core::future::Future<Output = Result<T>> + 'static,
    ) -> Result<()> {
        let task = create_task(coroutine)?;
        tick().await?;
        assert_eq!(lines(&task), [line]);
        assert_eq!(task.get_stack()[0].place, FramePlace::Await);
        task.cancel();
        tick().await
    }

    fn task() -> Task<i32> {
        create_task(sleep_result(LONG, 1)).expect("a loop runs")
    }

    run_virtual(async {
        let event_loop = rondel_task::get_running_loop()?;
        let future = || event_loop.create_future::<i32>();
        let (f, t) = (future(), task());
        check(line!(), async move { f.await }).await?;
        check(line!(), async move { t.await }).await?;
        let (f, t) = (future(), task());
        check(line!(), async move { (&f).await }).await?;
        check(line!(), async move { (&t).await }).await?;
        let f = future();
        check(line!(), async move { f.take().await }).await?;
        check(line!(), async { gather([task()]).await }).await?;
        check(line!(), async { shield(task()).await }).await?;
        check(line!(), async { wait([task()]).await }).await?;
        check(line!(), async { wait_for(task(), LONG).await }).await?;
        check(line!(), async { sleep(LONG).await }).await?;
        check(line!(), async { sleep_result(LONG, 1).await }).await?;
        check(line!(), async { sleep_until(LONG).await }).await?;
        check(line!(), async { sleep_forever().await }).await?;
        let (mut completed, line) = (as_completed([task()]), line!());
        check(line, async move { completed.next().await.transpose() }).await?;
        check(line!(), async { race([task()]).await }).await?;
        check(line!(), async { race!(task(), task()).await }).await?;
        let map = async |n| sleep_result(LONG, n).await;
        check(line!(), map_concurrent([1, 2], 1, map)).await?;
        check(line!(), staggered_race([async || sleep(LONG).await], None)).await?;
        let none = CapacityLimiter::new(0);
        let limited = ToThread::new(|| Ok(())).limiter(&none);
        check(line!(), async move { limited.await }).await?;
        check(line!(), async move { none.acquire().await }).await?;
        let child = async |group: TaskGroup| group.create_task(sleep(LONG)).map(drop);
        check(line!(), task_group(child)).await
    })
    .unwrap();
}

#[test]
fn a_coroutine_passed_on_is_in_the_line_that_made_it() {
    run_virtual(async {
        let (task, line) = (create_task(wait_for(sleep(LONG), LONG))?, line!());
        tick().await?;
        assert_eq!(lines(&task), [line]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn several_awaits_at_once_have_a_line_each() {
    run_virtual(async {
        let first = line!();
        let long = sleep(LONG);
        let short = sleep(secs(10));
        let other = sleep(secs(20));
        let task = create_task(try_join3(long, short, other))?;
        tick().await?;
        assert_eq!(lines(&task), [first + 1, first + 2, first + 3]);
        sleep(secs(15)).await?;
        assert_eq!(lines(&task), [first + 1, first + 3]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_task_that_waits_for_nothing_of_ours_is_where_it_was_created() {
    run_virtual(async {
        let (task, line) = (create_task(std::future::pending::<Result<()>>())?, line!());
        let created = |entry: &FrameCallGraphEntry| {
            assert_eq!(
                (entry.location.line(), entry.place),
                (line, FramePlace::Created)
            );
        };
        created(&task.get_stack()[0]);
        tick().await?;
        created(&task.get_stack()[0]);
        assert!(
            task.get_stack()[0]
                .to_string()
                .ends_with("in async Pending(), created here")
        );
        task.cancel();
        tick().await?;
        tick().await?;
        assert!(task.done() && task.get_stack().is_empty());
        Ok(())
    })
    .unwrap();
}

#[test]
fn the_text_is_that_of_asyncio() {
    const FIRST: u32 = line!();

    async fn test() -> Result<String> {
        let graph = capture_current_call_graph().expect("a task runs");
        Ok(text(&graph, FIRST))
    }

    async fn parent() -> Result<String> {
        let child = task_group(async |group| {
            group.create_task_with(TaskOptions::new().name("child"), test())
        });
        child.await?.result()
    }

    async fn main() -> Result<String> {
        let parent = named("parent", parent())?;
        let waited = async { wait_for(gather([&parent]), LONG).await };
        current_task().expect("a task runs").set_name("main");
        Ok(waited.await?.remove(0))
    }

    let graph = run_virtual(main()).unwrap();
    let expected = "\
* Task(name='child', id=#)
  + Call stack:
  |   File 'FILE', line +3, in async test()
  + Awaited by:
    * Task(name='parent', id=#)
      + Call stack:
      |   File 'FILE', line +8, in async parent()
      + Awaited by:
        * Future(id=#)
          + Awaited by:
            * Task(name='main', id=#)
              + Call stack:
              |   File 'FILE', line +16, in async main()
";
    assert_eq!(graph, expected);
}

#[test]
fn every_combinator_tells_for_whom_it_waits() {
    run_virtual(async {
        let worker = named("worker", sleep(LONG))?;
        let (a, b, c, d, e, f) = (
            worker.clone(),
            worker.clone(),
            worker.clone(),
            worker.clone(),
            worker.clone(),
            worker.clone(),
        );
        let awaiting = [
            named("awaits", async move { a.await })?,
            named("gathers", async move { gather([b]).await.map(drop) })?,
            named("waits", async move { wait([c]).await.map(drop) })?,
            named("waits for", wait_for(d, LONG))?,
            named("shields", async move { shield(e).await })?,
            named("completes", async move {
                for done in as_completed([f]) {
                    done.await?;
                }
                Ok(())
            })?,
        ];
        tick().await?;
        let graph = capture_call_graph(&worker);
        assert_eq!(
            names(&graph.awaited_by),
            "awaits, waits for, future <- gathers, waits, future <- shields, completes"
        );
        for task in awaiting {
            task.cancel();
        }
        tick().await?;
        tick().await
    })
    .unwrap();
}

#[test]
fn the_children_of_a_group_are_awaited_by_its_parent_from_the_start() {
    let by = run_virtual(async {
        current_task().expect("a task runs").set_name("parent");
        task_group(async |group| {
            let child = group.create_task(sleep(LONG))?;
            let by = names(&capture_call_graph(&child).awaited_by);
            child.cancel();
            Ok(by)
        })
        .await
    });
    assert_eq!(by.unwrap(), "parent");
}

#[test]
fn a_future_that_nobody_awaits_has_nothing_to_show() {
    let event_loop = virtual_loop();
    let future = event_loop.create_future::<()>();
    let graph = capture_call_graph(&future);
    assert!(graph.call_stack.is_empty() && graph.awaited_by.is_empty());
    assert_eq!(text(&graph, 0), "* Future(id=#)\n");
    assert!(graph.future.ptr_eq(&future.erase()));
    assert!(capture_current_call_graph().is_none());
    let mut printed = Vec::new();
    print_call_graph(&future, &mut printed).unwrap();
    assert_eq!(printed, format!("{graph}\n").into_bytes());
    event_loop.close().unwrap();
}

#[test]
fn an_await_that_has_ended_is_shown_no_more() {
    run_virtual(async {
        let future = rondel_task::get_running_loop()?.create_future::<()>();
        let awaited = future.clone();
        let waiter = named("waiter", wait_for(awaited, secs(1)))?;
        tick().await?;
        assert_eq!(names(&capture_call_graph(&future).awaited_by), "waiter");
        assert!(waiter.await.unwrap_err().is_timeout());
        assert_eq!(names(&capture_call_graph(&future).awaited_by), "");
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_combinator_of_the_user_is_told_of_by_hand() {
    let event_loop = virtual_loop();
    let (part, whole) = (
        event_loop.create_future::<()>(),
        event_loop.create_future::<i32>(),
    );
    let other = event_loop.create_future::<()>();
    future_add_to_awaited_by(&part, &whole);
    future_add_to_awaited_by(&part, &whole);
    future_add_to_awaited_by(&part, &other);
    assert_eq!(
        names(&capture_call_graph(&part).awaited_by),
        "future, future"
    );

    future_discard_from_awaited_by(&part, &whole);
    future_discard_from_awaited_by(&part, &whole);
    assert_eq!(names(&capture_call_graph(&part).awaited_by), "future");

    drop(other);
    assert_eq!(
        names(&capture_call_graph(&part).awaited_by),
        "",
        "it is not kept"
    );
    future_add_to_awaited_by(&whole, &part);
    assert_eq!(names(&capture_call_graph(&whole).awaited_by), "future");
    event_loop.close().unwrap();
}

#[test]
fn a_cycle_is_shown_and_not_followed() {
    run_virtual(async {
        let event_loop = rondel_task::get_running_loop()?;
        let latch = event_loop.create_future::<Task<()>>();
        let (first, opened) = (latch.clone(), latch.clone());
        let one = named("one", async move { opened.await?.await })?;
        let two = named("two", {
            let one = one.clone();
            async move { one.await }
        })?;
        first.set_result(two.clone())?;
        tick().await?;
        tick().await?;
        let graph = capture_call_graph(&one);
        assert_eq!(names(&graph.awaited_by), "two <- one (a cycle)");
        assert_eq!(
            graph.awaited_by[0].awaited_by[0].cut,
            Some(CallGraphCut::Cycle)
        );
        one.cancel();
        tick().await
    })
    .unwrap();
}

#[test]
fn a_part_that_several_await_is_shown_in_full_once() {
    run_virtual(async {
        let worker = named("worker", sleep(LONG))?;
        let level = |name: &'static str, below: [&Task<()>; 2]| {
            let below = below.map(Task::clone);
            named(name, async move { gather(below).await.map(drop) })
        };
        let (left, right) = (
            level("left", [&worker, &worker])?,
            level("right", [&worker, &worker])?,
        );
        let _top = level("top", [&left, &right])?;
        tick().await?;
        let graph = capture_call_graph(&worker);
        assert_eq!(
            names(&graph.awaited_by),
            "future <- left <- future <- top, future <- right <- future (shown elsewhere)"
        );
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_long_chain_is_cut() {
    run_virtual(async {
        let first = create_task(sleep(LONG))?;
        let mut last = first.clone();
        for _ in 0..300 {
            last = create_task(async move { last.await })?;
        }
        tick().await?;
        let text = format_call_graph(&first);
        assert!(text.contains(") (and so on)\n"), "{text}");
        assert_eq!(text.matches("* Task").count(), 101);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_look_changes_nothing() {
    fn handles(future: &Future<()>) -> usize {
        // What `wait_for` has given back when nobody else holds it.
        capture_call_graph(future).awaited_by.len()
    }

    let event_loop: EventLoop = virtual_loop();
    let future = event_loop.create_future::<()>();
    let awaited = future.clone();
    let task = event_loop
        .create_task(async move { awaited.await })
        .unwrap();
    event_loop.run_once().unwrap();
    assert_eq!(handles(&future), 1);
    assert_eq!(handles(&future), 1);
    future.set_result(()).unwrap();
    event_loop.run_until_complete(&task).unwrap();
    assert_eq!(handles(&future), 0);
    event_loop.close().unwrap();
}

#[test]
fn a_deadlock_names_the_lines_that_wait() {
    let mut line = 0;
    let error = run_virtual({
        line += line!() + 1;
        async { sleep_forever().await }
    });
    let text = error.unwrap_err().to_string();
    let place = format!("awaits at {}:{line}", file!());
    assert!(text.contains(&place), "{text}");
}

#[test]
fn a_foreign_combinator_shows_what_it_waits_for() {
    run_virtual(async {
        let worker = named("worker", sleep(LONG))?;
        let awaited = worker.clone();
        let _selects = named("selects", async move {
            let sleeping = pin!(sleep(Duration::MAX));
            let awaiting = pin!(IntoFuture::into_future(awaited));
            futures::future::select(sleeping, awaiting).await;
            Ok(())
        })?;
        tick().await?;
        assert_eq!(names(&capture_call_graph(&worker).awaited_by), "selects");
        Ok(())
    })
    .unwrap();
}
