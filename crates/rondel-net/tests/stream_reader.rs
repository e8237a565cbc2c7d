//! A `StreamReader` by itself, fed by hand: the cases of CPython's `test_streams.py`, and what cancelling leaves.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;

use std::{cell::RefCell, io, rc::Rc, time::Duration};

use bytes::Bytes;
use futures::{AsyncReadExt, StreamExt as _};
use rondel_net::{IncompleteReadError, LimitOverrunError, StreamReader};
use rondel_reactor::ExceptionContext;
use rondel_task::{
    EventLoop, Exception, Result, RuntimeError, ValueError, create_task, get_running_loop,
    run_virtual, sleep, timeout,
};
use support::kind_of;

const DATA: &[u8] = b"line1\nline2\nline3\n";

fn check<F: Future<Output = Result<()>> + 'static>(program: F) {
    run_virtual(program).unwrap();
}

fn limited(limit: usize) -> StreamReader {
    StreamReader::with_limit(limit).unwrap()
}

fn fed(data: &[u8]) -> StreamReader {
    let reader = StreamReader::new();
    reader.feed_data(data).unwrap();
    reader
}

/// Feeds pieces from one callback, once whoever reads has begun.
fn feed_soon(reader: &StreamReader, pieces: &'static [&'static [u8]]) {
    let reader = reader.clone();
    let feed = move || {
        pieces
            .iter()
            .for_each(|piece| reader.feed_data(piece).unwrap())
    };
    get_running_loop().unwrap().call_soon(feed).unwrap();
}

/// Ends the stream, and gives what is still in it.
async fn rest(reader: &StreamReader) -> Bytes {
    reader.feed_eof();
    reader.read_to_end().await.unwrap()
}

fn overrun(error: &Exception) -> (String, usize) {
    let error = error.downcast_ref::<LimitOverrunError>().unwrap();
    (error.to_string(), error.consumed())
}

#[test]
fn reading_gives_what_there_is() {
    check(async {
        let reader = fed(DATA);
        assert_eq!(reader.read(0).await?, "");
        assert_eq!(reader.read(30).await?, DATA);

        let empty = StreamReader::new();
        let reading = create_task(empty.read(30))?;
        feed_soon(&empty, &[DATA, b"more"]);
        let both = reading.await?;
        assert_eq!(both.len(), DATA.len() + 4);
        empty.feed_eof();
        assert_eq!(empty.read(1024).await?, "");
        assert!(empty.at_eof());
        Ok(())
    });
}

#[test]
fn reading_is_not_limited_by_the_limit() {
    check(async {
        let reader = limited(3);
        reader.feed_data(b"chunk")?;
        assert_eq!(reader.read(5).await?, "chunk");
        reader.feed_data(b"chunk")?;
        assert_eq!(reader.readexactly(5).await?, "chunk");
        Ok(())
    });
}

#[test]
fn reading_to_the_end_waits_for_it() {
    check(async {
        let reader = fed(b"chunk1\n");
        let reading = create_task(reader.read_to_end())?;
        feed_soon(&reader, &[b"chunk2"]);
        let end = reader.clone();
        get_running_loop()?.call_later(Duration::from_secs(1), move || end.feed_eof())?;
        assert_eq!(reading.await?, "chunk1\nchunk2");
        assert!(reader.at_eof());
        Ok(())
    });
}

#[test]
fn a_limit_of_0_is_refused() {
    let error: ValueError = StreamReader::with_limit(0).unwrap_err();
    assert_eq!(error.to_string(), "limit cannot be <= 0");
}

#[test]
fn a_line_comes_in_pieces() {
    check(async {
        let reader = fed(b"chunk1 ");
        let reading = create_task(reader.readline())?;
        feed_soon(&reader, &[b"chunk2 ", b"chunk3 ", b"\n chunk4"]);
        assert_eq!(reading.await?, "chunk1 chunk2 chunk3 \n");
        assert_eq!(rest(&reader).await, " chunk4");
        Ok(())
    });
}

#[test]
fn the_last_line_may_have_no_end() {
    check(async {
        let reader = fed(b"some data");
        reader.feed_eof();
        assert_eq!(reader.readline().await?, "some data");
        assert_eq!(reader.readline().await?, "");
        Ok(())
    });
}

#[test]
fn a_line_that_is_too_long_is_thrown_away() {
    check(async {
        let reader = limited(3);
        reader.feed_data(b"li")?;
        reader.feed_data(b"ne1\nline2\n")?;
        let error = reader.readline().await.unwrap_err();
        assert!(error.is::<ValueError>());
        assert_eq!(rest(&reader).await, "line2\n");

        let endless = limited(3);
        endless.feed_data(b"line1li")?;
        assert!(endless.readline().await.unwrap_err().is::<ValueError>());
        assert_eq!(rest(&endless).await, "");

        let reader = limited(7);
        feed_soon(&reader, &[b"chunk1", b"chunk2\n", b"chunk3\n"]);
        assert!(reader.readline().await.unwrap_err().is::<ValueError>());
        assert_eq!(rest(&reader).await, "chunk3\n");
        Ok(())
    });
}

#[test]
fn the_limit_of_a_line_does_not_count_its_end() {
    check(async {
        let reader = limited(7);
        reader.feed_data(b"1234567\n")?;
        assert_eq!(reader.readline().await?, "1234567\n");
        reader.feed_data(b"12345678\n")?;
        assert!(reader.readline().await.is_err());
        reader.feed_data(b"12345678")?;
        assert!(reader.readline().await.is_err());
        assert_eq!(rest(&reader).await, "");
        Ok(())
    });
}

#[test]
fn a_separator_is_found_across_pieces() {
    check(async {
        for pieces in [
            &[&b"QWEaa"[..], b"XYaa", b"a"][..],
            &[b"QWEaa", b"XYa", b"aa"],
            &[b"QWEaaXYaaa"],
        ] {
            let reader = StreamReader::new();
            pieces
                .iter()
                .try_for_each(|piece| reader.feed_data(piece))?;
            assert_eq!(reader.readuntil(b"aaa").await?, "QWEaaXYaaa");
            assert_eq!(rest(&reader).await, "");
        }
        let reader = fed(b"lineAAAxxx");
        assert_eq!(reader.readuntil(b"AAA").await?, "lineAAA");
        assert_eq!(rest(&reader).await, "xxx");
        Ok(())
    });
}

#[test]
fn the_first_of_several_separators_ends_the_chunk() {
    check(async {
        let reader = fed(b"line 1\nline 2\r");
        assert_eq!(reader.readuntil_any(&[b"\r", b"\n"]).await?, "line 1\n");
        assert_eq!(reader.readuntil_any(&[b"\r", b"\n"]).await?, "line 2\r");

        // The first end counts, also of a longer separator.
        reader.feed_data(b"ABCDEFG")?;
        assert_eq!(reader.readuntil_any(&[b"DEF", b"BCDE"]).await?, "ABCDE");
        assert_eq!(rest(&reader).await, "FG");

        let short = fed(b"data");
        let reading = create_task(short.readuntil_any(&[b"A", b"long sep"]))?;
        feed_soon(&short, &[b"Z", b"Aaaa"]);
        assert_eq!(reading.await?, "dataZA");
        assert_eq!(rest(&short).await, "aaa");
        Ok(())
    });
}

#[test]
fn separators_that_cannot_be_are_refused() {
    check(async {
        let reader = StreamReader::new();
        let none = reader.readuntil_any(&[]).await.unwrap_err();
        assert_eq!(
            none.to_string(),
            "separator should contain at least one element"
        );
        for separators in [&[&b""[..]][..], &[b"a", b""]] {
            let empty = reader.readuntil_any(separators).await.unwrap_err();
            assert_eq!(
                empty.to_string(),
                "separator should be at least one-byte string"
            );
        }
        Ok(())
    });
}

#[test]
fn a_chunk_over_the_limit_stays_in_the_reader() {
    check(async {
        let reader = limited(3);
        reader.feed_data(b"some dataAA")?;
        let error = reader.readuntil(b"AAA").await.unwrap_err();
        assert_eq!(
            overrun(&error),
            (
                "separator is not found, and chunk exceed the limit".into(),
                9
            )
        );
        reader.feed_data(b"A")?;
        let error = reader.readuntil(b"AAA").await.unwrap_err();
        assert_eq!(
            overrun(&error),
            (
                "separator is found, but chunk is longer than limit".into(),
                9
            )
        );
        assert_eq!(rest(&reader).await, "some dataAAA");

        let several = limited(3);
        several.feed_data(b"some dataA")?;
        let error = several
            .readuntil_any(&[b"A", b"ome dataA"])
            .await
            .unwrap_err();
        assert_eq!(
            overrun(&error).0,
            "separator is found, but chunk is longer than limit"
        );
        assert_eq!(rest(&several).await, "some dataA");
        Ok(())
    });
}

#[test]
fn an_end_before_the_separator_gives_what_there_was() {
    check(async {
        let reader = fed(b"some dataAA");
        reader.feed_eof();
        let error = reader.readuntil(b"AAA").await.unwrap_err();
        let error = error.downcast_ref::<IncompleteReadError>().unwrap();
        assert_eq!(
            (&error.partial()[..], error.expected()),
            (&b"some dataAA"[..], None)
        );
        assert_eq!(
            error.to_string(),
            "11 bytes read on a total of undefined expected bytes"
        );
        assert!(reader.at_eof());
        Ok(())
    });
}

#[test]
fn exactly_so_many_bytes_are_waited_for() {
    check(async {
        let reader = StreamReader::new();
        let reading = create_task(reader.readexactly(2 * DATA.len()))?;
        feed_soon(&reader, &[DATA, DATA, DATA]);
        assert_eq!(reading.await?, [DATA, DATA].concat());
        assert_eq!(reader.readexactly(0).await?, "");
        assert_eq!(rest(&reader).await, DATA);

        let error = fed_and_ended().readexactly(36).await.unwrap_err();
        let error = error.downcast_ref::<IncompleteReadError>().unwrap();
        assert_eq!((&error.partial()[..], error.expected()), (DATA, Some(36)));
        assert_eq!(
            error.to_string(),
            "18 bytes read on a total of 36 expected bytes"
        );
        Ok(())
    });
}

fn fed_and_ended() -> StreamReader {
    let reader = fed(DATA);
    reader.feed_eof();
    reader
}

#[test]
fn an_exception_ends_every_read() {
    check(async {
        let reader = fed(b"line\n");
        assert_eq!(reader.read(2).await?, "li");
        reader.set_exception(io::Error::from(io::ErrorKind::ConnectionReset));
        for read in [
            reader.read(2).await,
            reader.readline().await,
            reader.readexactly(2).await,
        ] {
            assert_eq!(kind_of(&read.unwrap_err()), "ConnectionReset");
        }
        assert!(reader.exception().is_some());

        let waited_for = StreamReader::new();
        let reading = create_task(waited_for.readline())?;
        sleep(Duration::ZERO).await?;
        waited_for.set_exception(Exception::msg("lost"));
        assert_eq!(reading.await.unwrap_err().to_string(), "lost");
        Ok(())
    });
}

#[test]
fn a_second_reader_is_told_so() {
    check(async {
        let reader = StreamReader::new();
        let first = create_task(reader.readline())?;
        sleep(Duration::ZERO).await?;
        let error = reader.read(1).await.unwrap_err();
        assert!(error.is::<RuntimeError>());
        assert_eq!(
            error.to_string(),
            "read() called while another coroutine is already waiting for incoming data"
        );
        reader.feed_data(b"line\n")?;
        assert_eq!(first.await?, "line\n");
        Ok(())
    });
}

#[test]
fn a_read_that_is_cancelled_loses_nothing() {
    check(async {
        let reader = fed(b"half a line");
        let second = Duration::from_secs(1);
        for _ in 0..3 {
            let error = timeout(second, async |_| reader.readline().await)
                .await
                .unwrap_err();
            assert!(error.is_timeout());
            let error = timeout(second, async |_| reader.readexactly(100).await)
                .await
                .unwrap_err();
            assert!(error.is_timeout());
            let error = timeout(second, async |_| reader.read_to_end().await)
                .await
                .unwrap_err();
            assert!(error.is_timeout());
            reader.feed_data(b".")?;
        }
        reader.feed_data(b"\n")?;
        assert_eq!(reader.readline().await?, "half a line...\n");
        Ok(())
    });
}

#[test]
fn a_read_that_is_cancelled_when_its_bytes_have_come_leaves_them() {
    check(async {
        let reader = StreamReader::new();
        let reading = create_task(reader.readexactly(5))?;
        sleep(Duration::ZERO).await?;
        reader.feed_data(b"hello")?;
        reading.cancel();
        assert!(reading.await.unwrap_err().is_cancelled());
        assert_eq!(reader.readexactly(5).await?, "hello");
        Ok(())
    });
}

#[test]
fn a_read_that_is_dropped_makes_room_for_the_next() {
    check(async {
        let reader = StreamReader::new();
        for _ in 0..2 {
            let read = std::pin::pin!(reader.read(1));
            assert!(futures::poll!(read).is_pending());
        }
        reader.feed_data(b"x")?;
        assert_eq!(reader.read(1).await?, "x");
        Ok(())
    });
}

#[test]
fn feeding_after_the_end_is_an_error() {
    let reader = StreamReader::new();
    reader.feed_eof();
    assert_eq!(
        reader.feed_data(b"x").unwrap_err().to_string(),
        "feed_data after feed_eof"
    );
}

#[test]
fn lines_are_a_stream() {
    check(async {
        let reader = fed(b"one\ntwo\nth");
        let ended = reader.clone();
        get_running_loop()?.call_soon(move || {
            ended.feed_data(b"ree").unwrap();
            ended.feed_eof();
        })?;
        let lines: Vec<Result<Bytes>> = reader.lines().collect().await;
        let lines: Vec<Bytes> = lines.into_iter().collect::<Result<_>>()?;
        assert_eq!(lines, ["one\n", "two\n", "three"]);
        Ok(())
    });
}

#[test]
fn lines_end_after_an_error() {
    check(async {
        let reader = limited(3);
        reader.feed_data(b"one\nmuch too long\n")?;
        let mut lines = reader.lines();
        assert_eq!(lines.next().await.transpose()?, Some("one\n".into()));
        assert!(lines.next().await.unwrap().is_err());
        assert!(lines.next().await.is_none());
        Ok(())
    });
}

#[test]
fn a_reader_is_an_async_read() {
    check(async {
        let mut reader = StreamReader::new();
        feed_soon(&reader, &[b"hello, ", b"world"]);
        let mut hello = [0; 7];
        reader.read_exact(&mut hello).await?;
        assert_eq!(&hello, b"hello, ");
        reader.feed_eof();
        let mut rest = String::new();
        reader.read_to_string(&mut rest).await?;
        assert_eq!(rest, "world");

        reader.set_exception(io::Error::from(io::ErrorKind::ConnectionReset));
        let mut byte = [0];
        let error = AsyncReadExt::read(&mut reader, &mut byte)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        Ok(())
    });
}

#[test]
fn an_async_read_that_was_dropped_is_in_nobodys_way() {
    check(async {
        let reader = StreamReader::new();
        let mut polled = reader.clone();
        let mut byte = [0];
        {
            let read = std::pin::pin!(AsyncReadExt::read(&mut polled, &mut byte));
            assert!(futures::poll!(read).is_pending());
        }
        feed_soon(&reader, &[b"line\n"]);
        assert_eq!(reader.readline().await?, "line\n");
        Ok(())
    });
}

#[test]
fn an_exception_that_an_async_read_does_not_come_back_for_is_not_reported() {
    check(async {
        let reports = Rc::new(RefCell::new(Vec::new()));
        let handler = reports.clone();
        get_running_loop()?.set_exception_handler(Some(
            move |_: &EventLoop, context: &ExceptionContext| {
                handler.borrow_mut().push(context.to_string());
            },
        ));
        let reader = StreamReader::new();
        let mut polled = reader.clone();
        let mut byte = [0];
        {
            let read = std::pin::pin!(AsyncReadExt::read(&mut polled, &mut byte));
            assert!(futures::poll!(read).is_pending());
        }
        reader.set_exception(io::Error::from(io::ErrorKind::ConnectionReset));
        // What the reader raises now is its next caller's.
        let error = AsyncReadExt::read(&mut polled, &mut byte).await;
        assert_eq!(error.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        drop((reader, polled));
        sleep(Duration::ZERO).await?;
        assert_eq!(reports.take(), [""; 0]);
        Ok(())
    });
}

#[test]
fn an_async_read_is_cancelled_where_it_waits() {
    check(async {
        let mut reader = StreamReader::new();
        let again = reader.clone();
        let reading = create_task(async move {
            let mut byte = [0];
            let error = AsyncReadExt::read(&mut reader, &mut byte)
                .await
                .unwrap_err();
            // The body goes on and can clean up.
            sleep(Duration::from_secs(1)).await?;
            Ok(error.to_string())
        })?;
        sleep(Duration::ZERO).await?;
        reading.cancel();
        assert_eq!(reading.await?, "cancelled");
        feed_soon(&again, &[b"x"]);
        assert_eq!(again.read(1).await?, "x");
        Ok(())
    });
}
