//! Who waits for a reader's data: what they hear of an exception, and who may wait beside them.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::{future::poll_fn, io, pin::Pin, task::Poll, time::Duration};

use futures::AsyncRead;
use rondel_net::StreamReader;
use rondel_task::{
    Exception, Result, Task, create_task, get_running_loop, run_virtual, sleep, wait_for,
};

async fn ticks(count: usize) -> Result<()> {
    for _ in 0..count {
        sleep(Duration::ZERO).await?;
    }
    Ok(())
}

fn error(text: &str) -> Exception {
    Exception::new(io::Error::other(text.to_owned()))
}

fn read(reader: &StreamReader) -> Result<Task<bytes::Bytes>> {
    create_task(reader.read(10))
}

/// Polls a read through futures-io once, and does not wait.
async fn poll_once(reader: &StreamReader) -> Poll<io::Result<usize>> {
    let mut reader = reader.clone();
    let mut buffer = [0; 8];
    poll_fn(|cx| Poll::Ready(Pin::new(&mut reader).poll_read(cx, &mut buffer))).await
}

/// What a task ends with; it must not wait for ever.
async fn ended<T: Clone + 'static>(task: Task<T>) -> Result<T> {
    wait_for(task, Duration::from_secs(1)).await
}

async fn text_of(task: Task<bytes::Bytes>) -> String {
    ended(task).await.unwrap_err().to_string()
}

const TWO: &str = "read() called while another coroutine is already waiting for incoming data";

#[test]
fn of_two_exceptions_who_waits_hears_the_first() -> Result<()> {
    run_virtual(async {
        let reader = StreamReader::new();
        let waiting = read(&reader)?;
        ticks(1).await?;
        reader.set_exception(error("one"));
        reader.set_exception(error("two"));
        assert_eq!(text_of(waiting).await, "one");
        assert_eq!(text_of(read(&reader)?).await, "two");
        Ok(())
    })
}

#[test]
fn an_exception_is_for_who_waits_then_and_not_for_who_was_fed_before() -> Result<()> {
    run_virtual(async {
        let reader = StreamReader::new();
        let first = read(&reader)?;
        ticks(1).await?;
        let event_loop = get_running_loop()?;
        let feed = reader.clone();
        event_loop.call_soon(move || assert!(feed.feed_data(b"x").is_ok()))?;
        let second = create_task(reader.readexactly(5))?;
        let fail = reader.clone();
        event_loop.call_soon(move || fail.set_exception(error("one")))?;
        ticks(6).await?;
        assert_eq!(ended(first).await?, "x");
        assert_eq!(text_of(second).await, "one");
        Ok(())
    })
}

#[test]
fn a_poll_that_was_given_up_is_in_nobodys_way() -> Result<()> {
    run_virtual(async {
        let reader = StreamReader::new();
        assert!(poll_once(&reader).await.is_pending());
        reader.feed_data(b"abc")?;
        assert_eq!(reader.read(10).await?, "abc");

        let waiting = read(&reader)?;
        ticks(1).await?;
        assert_eq!(text_of(read(&reader)?).await, TWO);
        assert!(matches!(poll_once(&reader).await, Poll::Ready(Err(_))));
        reader.set_exception(error("one"));
        assert_eq!(text_of(waiting).await, "one");
        Ok(())
    })
}

#[test]
fn a_poll_whose_task_was_cancelled_is_in_nobodys_way() -> Result<()> {
    run_virtual(async {
        let reader = StreamReader::new();
        let polling = reader.clone();
        let task = create_task(async move {
            assert!(poll_once(&polling).await.is_pending());
            sleep(Duration::from_secs(9)).await
        })?;
        ticks(1).await?;
        task.cancel();
        assert!(ended(task).await.unwrap_err().is_cancelled());

        let waiting = read(&reader)?;
        ticks(1).await?;
        let Poll::Ready(Err(refused)) = poll_once(&reader).await else {
            panic!("somebody waits");
        };
        assert!(refused.to_string().contains("already waiting"), "{refused}");
        reader.feed_data(b"abc")?;
        assert_eq!(ended(waiting).await?, "abc");
        Ok(())
    })
}

#[test]
fn who_was_cancelled_is_waiting_until_they_have_gone_on() -> Result<()> {
    run_virtual(async {
        let reader = StreamReader::new();
        let first = read(&reader)?;
        ticks(1).await?;
        let second = read(&reader)?;
        first.cancel();
        assert_eq!(text_of(second).await, TWO);
        assert!(ended(first).await.unwrap_err().is_cancelled());
        reader.feed_data(b"x")?;
        assert_eq!(reader.read(10).await?, "x");
        Ok(())
    })
}
