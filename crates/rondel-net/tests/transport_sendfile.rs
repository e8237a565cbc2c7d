//! A file through a transport: all of it or a part, whatever the other end does, and the protocol none the wiser.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;

use std::{
    fs::File,
    io::{Read as _, Seek as _, Write as _},
    os::unix::net::UnixStream,
    time::Duration,
};

use rondel_net::{connect_accepted_socket, sendfile};
use rondel_task::{Result, create_task, get_running_loop, sleep};
use socket2::Socket;
use support::{Recorder, Trace, kind_of, on_each_selector};

/// More than a socket takes at once.
const LARGE: usize = 3_000_000;

fn file_of(bytes: &[u8]) -> Result<File> {
    let mut file = tempfile::tempfile()?;
    file.write_all(bytes)?;
    Ok(file)
}

fn pair() -> Result<(Socket, UnixStream)> {
    let (ours, theirs) = UnixStream::pair()?;
    Ok((Socket::from(ours), theirs))
}

fn pattern() -> Vec<u8> {
    (0..LARGE).map(|number| (number / 7) as u8).collect()
}

/// Reads so many bytes, in a thread.
async fn receive(peer: &UnixStream, length: usize) -> Result<Vec<u8>> {
    let mut peer = peer.try_clone()?;
    let read = move || {
        let mut bytes = vec![0; length];
        peer.read_exact(&mut bytes)?;
        Ok(bytes)
    };
    get_running_loop()?
        .run_in_executor(None, read)?
        .take()
        .await
}

#[test]
fn a_file_is_sent_behind_what_was_written() {
    on_each_selector(|| async {
        let trace = Trace::default();
        let (ours, mut peer) = pair()?;
        let recorder = Recorder::new(&trace);
        let (transport, _) = connect_accepted_socket(|| recorder, ours).await?;
        let mut file = file_of(&pattern())?;
        transport.write("before")?;
        let sending = {
            let (transport, file) = (transport.clone(), file.try_clone()?);
            create_task(async move { sendfile(&transport, &file, 10..).await })?
        };
        peer.write_all(b"hello")?;
        let bytes = receive(&peer, 6 + LARGE - 10).await?;
        assert_eq!(sending.await?, (LARGE - 10) as u64);
        assert!(bytes[..6] == *b"before" && bytes[6..] == pattern()[10..]);
        assert_eq!(file.stream_position()?, LARGE as u64);

        // Reading was paused, and goes on.
        trace.wait_for("soon after data").await?;
        transport.write("after")?;
        assert_eq!(receive(&peer, 5).await?, b"after");
        assert_eq!(sendfile(&transport, &file, 5..5).await?, 0);
        assert_eq!(sendfile(&transport, &file, LARGE as u64..).await?, 0);
        trace.check(&[
            "factory",
            "made",
            "soon after made",
            "data hello",
            "soon after data",
        ]);
        assert_eq!(transport.get_write_buffer_limits().high(), 64 * 1024);
        Ok(())
    });
}

#[test]
fn a_protocol_that_was_paused_is_resumed_afterwards() {
    on_each_selector(|| async {
        let trace = Trace::default();
        let (ours, peer) = pair()?;
        let recorder = Recorder::new(&trace);
        let (transport, _) = connect_accepted_socket(|| recorder, ours).await?;
        transport.write(vec![0; LARGE])?;
        let sending = {
            let (transport, file) = (transport.clone(), file_of(&pattern())?);
            create_task(async move { sendfile(&transport, &file, ..).await })?
        };
        let bytes = receive(&peer, 2 * LARGE).await?;
        assert_eq!(sending.await?, LARGE as u64);
        assert!(bytes[LARGE..] == pattern());
        sleep(Duration::ZERO).await?;
        trace.check(&[
            "factory",
            "made",
            "soon after made",
            "pause",
            "soon after pause",
            "resume",
            "soon after resume",
        ]);
        Ok(())
    });
}

#[test]
fn a_sending_that_is_cancelled_leaves_a_paused_protocol() {
    on_each_selector(|| async {
        let trace = Trace::default();
        let (ours, peer) = pair()?;
        let recorder = Recorder::new(&trace);
        let (transport, _) = connect_accepted_socket(|| recorder, ours).await?;
        let sending = {
            let (transport, file) = (transport.clone(), file_of(&pattern())?);
            create_task(async move { sendfile(&transport, &file, ..).await })?
        };
        support::until(|| transport.get_write_buffer_size() > 0).await?;
        sending.cancel();
        assert!(sending.await.unwrap_err().is_cancelled());
        assert_eq!((trace.count("pause"), trace.count("resume")), (1, 0));
        assert!(transport.is_reading());
        let mut peer = peer;
        let read = move || {
            let mut all = Vec::new();
            Ok(peer.read_to_end(&mut all)?)
        };
        let reading = get_running_loop()?.run_in_executor(None, read)?;
        trace.wait_for("soon after resume").await?;
        transport.close();
        assert!(reading.await? < LARGE);
        assert_eq!((trace.count("pause"), trace.count("resume")), (1, 1));
        Ok(())
    });
}

#[test]
fn a_peer_that_goes_away_ends_it_with_an_error() {
    on_each_selector(|| async {
        let trace = Trace::default();
        let (ours, peer) = pair()?;
        let recorder = Recorder::new(&trace);
        let (transport, _) = connect_accepted_socket(|| recorder, ours).await?;
        let file = file_of(&pattern())?;
        let sending = {
            let (transport, file) = (transport.clone(), file.try_clone()?);
            create_task(async move { sendfile(&transport, &file, ..).await })?
        };
        support::until(|| transport.get_write_buffer_size() > 0).await?;
        drop(peer);
        assert_eq!(kind_of(&sending.await.unwrap_err()), "BrokenPipe");
        trace.wait_for("soon after lost").await?;
        assert_eq!(trace.count("lost BrokenPipe"), 1);
        let error = sendfile(&transport, &file, ..).await.unwrap_err();
        assert_eq!(error.to_string(), "the transport is closing");
        Ok(())
    });
}
