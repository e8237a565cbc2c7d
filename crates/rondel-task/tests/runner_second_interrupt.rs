//! The second Ctrl-C, which ends the process: each test runs itself in a process of its own.

mod common;

use std::env;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use common::{LONG, tick};
use rondel_reactor::signal::SIGINT;
use rondel_task::{Runner, create_task, get_running_loop, run, sleep};
use signal_hook::low_level::raise;

const CHILD: &str = "RONDEL_TEST_SECOND_SIGINT_CHILD";

fn interrupt() {
    raise(SIGINT).expect("the signal exists");
}

/// Runs `program` in a process of its own, by running the named test again, and checks that SIGINT ended it.
#[track_caller]
fn check_ended_by_sigint(test: &str, program: impl FnOnce()) {
    if env::var_os(CHILD).is_some() {
        return program();
    }
    let status = Command::new(env::current_exe().expect("this program has a path"))
        .args([test, "--exact"])
        .env(CHILD, "1")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("it can be started again");
    assert_eq!(status.signal(), Some(SIGINT), "{status}");
}

#[test]
fn while_the_main_task_cleans_up() {
    check_ended_by_sigint("while_the_main_task_cleans_up", || {
        let ended = run(async {
            get_running_loop()?.call_soon(interrupt)?;
            let cancelled = sleep(LONG).await;
            tick().await?;
            interrupt();
            cancelled
        });
        drop(ended);
    });
}

#[test]
fn while_the_rest_cleans_up() {
    check_ended_by_sigint("while_the_rest_cleans_up", || {
        let ended = run(async {
            create_task(async {
                let cancelled = sleep(LONG).await;
                interrupt();
                cancelled
            })?;
            get_running_loop()?.call_soon(interrupt)?;
            sleep(LONG).await
        });
        drop(ended);
    });
}

#[test]
fn between_two_runs() {
    check_ended_by_sigint("between_two_runs", || {
        let runner = Runner::new();
        let interrupted = runner.run(async {
            get_running_loop()?.call_soon(interrupt)?;
            sleep(LONG).await
        });
        assert!(interrupted.expect_err("it ends").is_interrupted());
        interrupt();
    });
}
