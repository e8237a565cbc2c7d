//! Guest mode: a hand-made frame loop, as games and user interfaces have, steps the event loop between its frames.
#![allow(clippy::print_stdout, reason = "a program that prints")]

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

const FRAME: Duration = Duration::from_millis(16);

/// What the event loop does; it knows nothing of frames.
async fn story() -> rondel::Result<()> {
    let task = rondel::current_task().expect("this is one");
    println!("{} begins", task.get_name());
    rondel::sleep(3 * FRAME).await?;
    println!("a timer has fired");
    let answer = rondel::to_thread(|| Ok(6 * 7)).await?;
    println!("a thread has answered {answer}");

    let event_loop = rondel::get_running_loop()?;
    let interrupted = event_loop.create_future::<()>();
    let interrupt = interrupted.clone();
    event_loop.add_signal_handler(rondel::signal::SIGINT, move || {
        interrupt.cancel_with_message("ctrl-c");
    })?;
    println!("press ctrl-c");
    let error = interrupted.await.expect_err("nobody gives it a result");
    println!("the story ends: {error}");
    event_loop.stop();
    Ok(())
}

/// Sleeps until something has to be done for the event loop, or until the next frame.
fn wait(event_loop: &OwnedFd, timeout: Duration) -> rondel::Result<()> {
    let timeout = Timespec::try_from(timeout)?;
    let mut fds = [PollFd::from_borrowed_fd(event_loop.as_fd(), PollFlags::IN)];
    match poll(&mut fds, Some(&timeout)) {
        Err(rustix::io::Errno::INTR) => Ok(()),
        other => Ok(other.map(drop)?),
    }
}

fn main() -> rondel::Result<()> {
    let event_loop = rondel::new_event_loop()?;
    let fd = event_loop.poll_fd()?;
    let story = event_loop.create_task(story())?;
    story.set_name("the story");

    let (mut frames, mut next_frame) = (0, event_loop.time());
    while !event_loop.was_stopped() {
        if event_loop.time() >= next_frame {
            frames += 1; // draw it
            next_frame += FRAME;
        }
        let until_frame = next_frame.saturating_sub(event_loop.time());
        let timeout = event_loop.next_timeout().unwrap_or(FRAME);
        wait(&fd, timeout.min(until_frame))?;
        event_loop.run_once()?;
    }
    println!("frames went on meanwhile: {}", frames > 3);
    event_loop.close()?;
    story.result()
}
