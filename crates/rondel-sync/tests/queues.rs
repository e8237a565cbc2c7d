//! Queues: who gets what when, what cancelled tasks leave to others, join and shutdown. The traces are CPython's.

mod common;

use common::{begin, check, ended, log, pause, seconds, spawn};
use rondel_sync::{GetNowaitError, LifoQueue, PutNowaitError, Queue, QueueFull, QueueShutDown};
use rondel_task::{Exception, Result, run_virtual, wait_for};

async fn take(queue: Queue<i32>) -> Result<()> {
    match queue.get().await {
        Err(error) if error.is::<QueueShutDown>() => log("shut down"),
        outcome => log(format_args!("got {}", outcome?)),
    }
    Ok(())
}

async fn give(queue: Queue<i32>, number: i32) -> Result<()> {
    match queue.put(number).await {
        Err(error) if error.is::<QueueShutDown>() => log("shut down"),
        outcome => {
            outcome?;
            log(format_args!("put {number}"));
        }
    }
    Ok(())
}

async fn join(queue: Queue<i32>) -> Result<()> {
    queue.join().await?;
    log("joined");
    Ok(())
}

#[test]
fn getters_are_served_in_their_order() {
    check(
        async {
            let queue = Queue::new(0);
            let tasks = ["a", "b", "c"].map(|name| spawn(name, take(queue.clone())));
            pause().await?;
            for number in 1..4 {
                queue.put_nowait(number)?;
            }
            ended(tasks).await
        },
        &["0 a: got 1", "0 b: got 2", "0 c: got 3"],
    );
}

#[test]
fn putters_get_room_in_their_order() {
    check(
        async {
            let queue = Queue::new(1);
            let tasks = [("a", 1), ("b", 2), ("c", 3)]
                .map(|(name, number)| spawn(name, give(queue.clone(), number)));
            pause().await?;
            for _ in 0..3 {
                take(queue.clone()).await?;
                pause().await?;
            }
            ended(tasks).await
        },
        &[
            "0 a: put 1",
            "0 main: got 1",
            "0 b: put 2",
            "0 main: got 2",
            "0 c: put 3",
            "0 main: got 3",
        ],
    );
}

#[test]
fn a_getter_whose_value_was_taken_waits_again() {
    check(
        async {
            let queue = Queue::new(0);
            let getter = spawn("a", take(queue.clone()));
            pause().await?;
            queue.put_nowait(1)?;
            log(format_args!("took {}", queue.get_nowait()?));
            seconds(1).await?;
            queue.put_nowait(2)?;
            ended([getter]).await
        },
        &["0 main: took 1", "1 a: got 2"],
    );
}

#[test]
fn a_getter_that_is_cancelled_after_it_was_woken_leaves_the_value_to_the_next() {
    check(
        async {
            let queue = Queue::new(0);
            let tasks = ["a", "b"].map(|name| spawn(name, take(queue.clone())));
            pause().await?;
            queue.put_nowait(1)?;
            tasks[0].cancel();
            ended(tasks).await
        },
        &["0 a: CancelledError", "0 b: got 1"],
    );
}

#[test]
fn a_putter_that_is_cancelled_after_it_was_woken_leaves_the_room_to_the_next() {
    check(
        async {
            let queue = Queue::new(1);
            queue.put_nowait(0)?;
            let tasks =
                [("a", 1), ("b", 2)].map(|(name, number)| spawn(name, give(queue.clone(), number)));
            pause().await?;
            queue.get_nowait()?;
            tasks[0].cancel();
            ended(tasks).await?;
            take(queue).await
        },
        &["0 a: CancelledError", "0 b: put 2", "0 main: got 2"],
    );
}

#[test]
fn a_get_that_is_dropped_after_it_was_woken_leaves_the_value_to_the_next() {
    check(
        async {
            let queue = Queue::new(0);
            let mut dropped = Box::pin(queue.get());
            begin(&mut dropped).await;
            let next = spawn("next", take(queue.clone()));
            pause().await?;
            queue.put_nowait(1)?;
            drop(dropped);
            ended([next]).await?;
            let mut dropped = Box::pin(queue.get());
            begin(&mut dropped).await;
            drop(dropped);
            assert_eq!(queue.statistics().getters_waiting, 0);
            Ok(())
        },
        &["0 next: got 1"],
    );
}

#[test]
fn a_get_that_times_out_takes_nothing() {
    check(
        async {
            let queue = Queue::new(0);
            let late = wait_for(queue.get(), std::time::Duration::from_secs(1)).await;
            assert!(late.unwrap_err().is_timeout());
            queue.put_nowait(1)?;
            take(queue).await
        },
        &["1 main: got 1"],
    );
}

#[test]
fn join_waits_for_the_work_that_is_under_way() {
    async fn work(queue: Queue<i32>) -> Result<()> {
        loop {
            log(format_args!("works on {}", queue.get().await?));
            seconds(1).await?;
            queue.task_done()?;
        }
    }
    check(
        async {
            let queue = Queue::new(0);
            queue.put_nowait(1)?;
            queue.put_nowait(2)?;
            let worker = spawn("worker", work(queue.clone()));
            join(queue).await?;
            worker.cancel();
            ended([worker]).await
        },
        &[
            "0 worker: works on 1",
            "1 worker: works on 2",
            "2 main: joined",
            "2 worker: CancelledError",
        ],
    );
}

#[test]
fn a_queue_that_is_shut_down_is_emptied_first() {
    check(
        async {
            let queue = Queue::new(1);
            queue.put_nowait(0)?;
            let putter = spawn("putter", give(queue.clone(), 1));
            pause().await?;
            queue.shutdown(false);
            ended([putter]).await?;
            take(queue.clone()).await?;
            take(queue).await
        },
        &["0 putter: shut down", "0 main: got 0", "0 main: shut down"],
    );
}

#[test]
fn getters_find_out_that_the_queue_is_shut_down() {
    check(
        async {
            let queue = Queue::new(0);
            let tasks = ["a", "b"].map(|name| spawn(name, take(queue.clone())));
            pause().await?;
            queue.put_nowait(5)?;
            queue.shutdown(false);
            ended(tasks).await
        },
        &["0 a: got 5", "0 b: shut down"],
    );
}

#[test]
fn an_immediate_shutdown_empties_the_queue_and_ends_its_work() {
    check(
        async {
            let queue = Queue::new(2);
            queue.put_nowait(1)?;
            queue.put_nowait(2)?;
            let tasks = [
                spawn("putter", give(queue.clone(), 3)),
                spawn("joiner", join(queue.clone())),
            ];
            pause().await?;
            queue.shutdown(true);
            log(format_args!("size {}", queue.qsize()));
            ended(tasks).await?;
            take(queue).await
        },
        &[
            "0 main: size 0",
            "0 joiner: joined",
            "0 putter: shut down",
            "0 main: shut down",
        ],
    );
}

#[test]
fn an_immediate_shutdown_leaves_the_work_that_is_under_way() {
    check(
        async {
            let queue = Queue::new(0);
            queue.put_nowait(1)?;
            queue.put_nowait(2)?;
            queue.get_nowait()?;
            let joiner = spawn("joiner", join(queue.clone()));
            pause().await?;
            queue.shutdown(true);
            seconds(1).await?;
            log("done");
            queue.task_done()?;
            ended([joiner]).await
        },
        &["1 main: done", "1 joiner: joined"],
    );
}

#[test]
fn what_cannot_be_done_now_is_said_and_loses_no_value() {
    struct NotClone(i32);
    let queue = Queue::new(1);
    assert_eq!(queue.get_nowait().err(), Some(GetNowaitError::QueueEmpty));
    queue.put_nowait(NotClone(1)).unwrap();
    assert!(queue.full());
    let refused = queue.put_nowait(NotClone(2)).unwrap_err();
    assert!(matches!(refused, PutNowaitError::QueueFull(NotClone(2))));
    assert!(Exception::from(refused).is::<QueueFull>());
    queue.shutdown(false);
    let refused = queue.put_nowait(NotClone(3)).unwrap_err();
    assert!(matches!(refused, PutNowaitError::QueueShutDown(_)));
    assert_eq!(refused.into_inner().0, 3);
    assert_eq!(queue.get_nowait().unwrap().0, 1);
    let error = queue.get_nowait().err().unwrap();
    assert_eq!(error, GetNowaitError::QueueShutDown);
    assert!(Exception::from(error).is::<QueueShutDown>());
}

#[test]
fn work_cannot_be_done_twice() {
    let queue = Queue::new(0);
    queue.put_nowait(1).unwrap();
    queue.task_done().unwrap();
    let refused = queue.task_done().unwrap_err();
    assert_eq!(refused.to_string(), "task_done() called too many times");
}

#[test]
fn a_stack_gives_the_last_value_first_and_has_room_as_a_queue_has() {
    run_virtual(async {
        let stack = LifoQueue::new(2);
        let putter = stack.clone();
        let putting = spawn("putter", async move {
            for number in 1..5 {
                putter.put(number).await?;
            }
            Ok(())
        });
        pause().await?;
        let mut got = Vec::new();
        for _ in 0..4 {
            got.push(stack.get().await?);
            pause().await?;
        }
        assert_eq!(got, [2, 3, 4, 1]);
        putting.await
    })
    .unwrap();
}
