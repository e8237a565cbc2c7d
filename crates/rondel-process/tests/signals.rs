//! Signals to child processes, and what becomes of those.

mod common;

use common::{exists, on_each_watcher};
use rondel_process::{PIPE, ProcessLookupError, create_subprocess_exec, create_subprocess_shell};
use rondel_reactor::signal::{SIGINT, SIGUSR1};
use rondel_task::{Result, ValueError, run};
use rustix::process::{Pid, WaitOptions, waitpid};

#[test]
fn a_process_ended_by_a_signal_has_its_negative_number() {
    on_each_watcher(async |watcher| {
        for (signal, returncode) in [(SIGINT, -2), (9, -9), (15, -15)] {
            let sleep = create_subprocess_exec("sleep", ["1000"]).watcher(watcher);
            let sleep = sleep.await?;
            sleep.send_signal(signal)?;
            assert_eq!(sleep.wait().await?, returncode);
            assert_eq!(sleep.returncode(), Some(returncode));
        }
        Ok(())
    });
}

#[test]
fn a_process_that_ignores_sigterm_can_be_killed() {
    on_each_watcher(async |watcher| {
        let script = "trap 'echo ignored' TERM; echo ready; while :; do read line; done";
        let shell = create_subprocess_shell(script).watcher(watcher);
        let shell = shell.stdin(PIPE).stdout(PIPE).await?;
        let stdout = shell.stdout.as_ref().expect("it is a pipe");
        assert_eq!(stdout.readline().await?, "ready\n");
        shell.terminate()?;
        assert_eq!(stdout.readline().await?, "ignored\n");
        assert_eq!(shell.returncode(), None);
        shell.kill()?;
        assert_eq!(shell.wait().await?, -9);
        Ok(())
    });
}

#[test]
fn a_process_may_handle_a_signal_and_exit_as_it_likes() {
    on_each_watcher(async |watcher| {
        let script = "trap 'exit 42' USR1; echo ready; while :; do read line; done";
        let shell = create_subprocess_shell(script).watcher(watcher);
        let shell = shell.stdin(PIPE).stdout(PIPE).await?;
        let stdout = shell.stdout.as_ref().expect("it is a pipe");
        assert_eq!(stdout.readline().await?, "ready\n");
        shell.send_signal(SIGUSR1)?;
        assert_eq!(shell.wait().await?, 42);
        Ok(())
    });
}

#[test]
fn a_process_that_is_gone_gets_no_signal() {
    on_each_watcher(async |watcher| {
        let process = create_subprocess_exec("true", [""; 0]).watcher(watcher);
        let process = process.await?;
        let pid = process.pid();
        assert_eq!(process.communicate("").await?, Default::default());
        assert!(!exists(pid), "it is reaped");
        assert_eq!(process.pid(), pid);
        common::until(|| process.transport().get_protocol().is_none()).await?;
        for refused in [process.terminate(), process.kill(), process.send_signal(1)] {
            let refused = refused.unwrap_err();
            assert!(refused.is::<ProcessLookupError>(), "{refused:?}");
            assert_eq!(refused.to_string(), format!("process {pid} has ended"));
        }
        Ok(())
    });
}

#[test]
fn a_number_that_is_no_signals_is_refused() {
    on_each_watcher(async |watcher| {
        let sleep = create_subprocess_exec("sleep", ["1000"]).watcher(watcher);
        let sleep = sleep.await?;
        for signal in [-1, 0, 1000] {
            let refused = sleep.send_signal(signal).unwrap_err();
            assert!(refused.is::<ValueError>(), "{refused:?}");
        }
        sleep.kill()?;
        sleep.wait().await.map(drop)
    });
}

#[test]
fn a_hundred_processes_at_once_each_get_their_own_signal() {
    on_each_watcher(async |watcher| {
        let mut sleeps = Vec::new();
        for _ in 0..100 {
            let sleep = create_subprocess_exec("sleep", ["1000"]).watcher(watcher);
            sleeps.push(sleep.await?);
        }
        for (place, sleep) in sleeps.iter().enumerate() {
            sleep.send_signal([SIGINT, 9, 15][place % 3])?;
        }
        let waits = sleeps.iter().map(rondel_process::Process::wait);
        let returncodes = rondel_task::gather(waits).await?;
        let expected: Result<Vec<i32>> =
            (0..100).map(|place| Ok([-2, -9, -15][place % 3])).collect();
        assert_eq!(returncodes, expected?);
        assert!(
            !sleeps.iter().any(|sleep| exists(sleep.pid())),
            "all are reaped"
        );
        Ok(())
    });
}

/// As in CPython, and so that nobody waits for ever.
#[test]
fn a_process_that_somebody_else_has_reaped_ends_with_255() {
    let outcome = run(async {
        let process = create_subprocess_exec("true", [""; 0]).await?;
        let pid = Pid::from_raw(process.pid().cast_signed());
        // The loop does not run meanwhile.
        waitpid(pid, WaitOptions::empty())?;
        process.kill()?;
        process.wait().await
    });
    assert_eq!(outcome.expect("nothing fails"), 255);
}
