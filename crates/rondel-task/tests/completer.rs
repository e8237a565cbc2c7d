//! Completing a loop's future from other threads.

use std::thread;

use rondel_sched::VirtualClock;
use rondel_task::{EventLoop, Exception, create_task, get_running_loop, run_virtual};

#[test]
fn the_first_completion_counts_and_later_ones_are_dropped() {
    let outcome = run_virtual(async {
        let future = get_running_loop()?.create_future();
        let completer = future.completer();
        let thread = thread::spawn(move || {
            completer.set_result(1).unwrap();
            completer.set_result(2).unwrap();
            completer.set_exception(Exception::msg("late")).unwrap();
            completer.cancel().unwrap();
        });
        thread.join().unwrap();
        let first = (&future).await?;
        rondel_task::sleep(std::time::Duration::from_secs(1)).await?;
        Ok((first, future.result()?))
    });
    assert_eq!(outcome.unwrap(), (1, 1));
}

#[test]
fn a_loop_under_virtual_time_waits_for_a_completer_and_does_not_jump() {
    let outcome = run_virtual(async {
        let event_loop = get_running_loop()?;
        let future = event_loop.create_future::<i32>();
        let completer = future.completer();
        let thread = thread::spawn(move || completer.set_exception(Exception::msg("no")));
        let error = future.await.unwrap_err().to_string();
        thread.join().unwrap().unwrap();
        Ok((error, event_loop.time().is_zero()))
    });
    assert_eq!(outcome.unwrap(), ("no".to_owned(), true));
}

#[test]
fn a_completer_cancels_a_task_and_sets_no_result_of_one() {
    let outcome = run_virtual(async {
        let task = create_task(async { get_running_loop()?.create_future::<i32>().await })?;
        let completer = task.completer();
        thread::spawn(move || {
            completer.set_result(5).unwrap();
            completer.cancel().unwrap();
        });
        Ok(task.await.unwrap_err().is_cancelled())
    });
    assert!(outcome.unwrap());
}

#[test]
fn a_completer_of_a_closed_loop_is_refused() {
    let event_loop = EventLoop::with_clock(VirtualClock::new()).unwrap();
    let completer = event_loop.create_future::<()>().completer();
    event_loop.close().unwrap();
    assert!(completer.set_result(()).is_err());
    assert!(completer.clone().cancel().is_err());
}

#[test]
fn the_future_is_kept_until_the_last_completer_goes() {
    let outcome = run_virtual(async {
        let future = get_running_loop()?.create_future::<i32>();
        let completer = future.completer();
        let heard = get_running_loop()?.create_future();
        let tell = heard.clone();
        future.add_done_callback(move |future| tell.set_result(future.result()).unwrap())?;
        drop(future);
        thread::spawn(move || completer.clone().set_result(7).unwrap());
        heard.await?
    });
    assert_eq!(outcome.unwrap(), 7);
}
