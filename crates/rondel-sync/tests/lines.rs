//! A task that waits for a primitive is at the line of its program that waits, and not at one of this crate.

use std::time::Duration;

use rondel_sync::{Barrier, Condition, Event, Lock, Queue, Semaphore, broadcast, channel, watch};
use rondel_task::{Result, create_task, run_virtual, sleep};

/// Checks that the coroutine is suspended in `line`.
async fn check<T: 'static>(
    line: u32,
    coroutine: impl Future<Output = Result<T>> + 'static,
) -> Result<()> {
    let task = create_task(coroutine)?;
    for _ in 0..3 {
        sleep(Duration::ZERO).await?;
    }
    let stack = task.get_stack();
    let lines: Vec<u32> = stack.iter().map(|entry| entry.location.line()).collect();
    assert_eq!((stack[0].location.file(), lines), (file!(), vec![line]));
    task.cancel();
    sleep(Duration::ZERO).await
}

#[test]
fn every_wait_has_the_line_of_its_program() {
    run_virtual(async {
        let lock = Lock::new();
        let held = lock.acquire().await?;
        check(line!(), async move { lock.acquire().await }).await?;
        drop(held);

        let semaphore = Semaphore::new(0);
        check(line!(), async move { semaphore.acquire().await }).await?;
        let event = Event::new();
        check(line!(), async move { event.wait().await }).await?;

        let condition = Condition::new();
        let _held = condition.acquire().await?;
        let other = condition.clone();
        check(line!(), async move { other.acquire().await }).await?;
        let other = condition.clone();
        check(line!(), async move { other.wait().await }).await?;
        check(line!(), async move { condition.wait_for(|| false).await }).await?;

        let barrier = Barrier::new(2)?;
        check(line!(), async move { barrier.wait().await }).await?;

        let queue = Queue::new(1);
        let other = queue.clone();
        check(line!(), async move { other.get().await }).await?;
        queue.put_nowait(1).expect("there is room");
        let other = queue.clone();
        check(line!(), async move { other.put(2).await }).await?;
        check(line!(), async move { queue.join().await }).await?;

        let (_sender, receiver) = channel::<i32>(0);
        check(line!(), async move { receiver.recv().await }).await?;
        let (sender, _receiver) = channel(0);
        check(line!(), async move { Ok(sender.send(1).await?) }).await?;

        let (_sender, mut receiver) = watch::channel(1);
        check(line!(), async move { receiver.changed().await }).await?;
        let (_sender, mut receiver) = watch::channel(1);
        check(line!(), async move { receiver.wait_for(|_| false).await }).await?;
        let (_sender, mut receiver) = broadcast::channel::<i32>(1)?;
        check(line!(), async move { receiver.recv().await }).await
    })
    .unwrap();
}
