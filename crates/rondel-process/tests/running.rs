//! `run_process`: from start to end in one call.

mod common;

use std::time::Duration;

use common::{exists, on_each_watcher};
use rondel_process::{
    CalledProcessError, DEVNULL, STDOUT, Subprocess, create_subprocess_shell, run_process,
};
use rondel_task::{create_task, sleep, wait_for};

#[test]
fn output_is_captured_where_it_is_asked_for() {
    on_each_watcher(async |watcher| {
        let shell = |script| Subprocess::shell(script).watcher(watcher);
        let completed = run_process(shell("echo out; echo err >&2; exit 3"))
            .capture()
            .await?;
        assert_eq!(completed.returncode, 3);
        assert!(!completed.success());
        assert_eq!(
            (&completed.stdout[..], &completed.stderr[..]),
            (&b"out\n"[..], &b"err\n"[..])
        );
        assert_eq!(
            completed.command,
            r#""/bin/sh" "-c" "echo out; echo err >&2; exit 3""#
        );

        let completed = run_process(shell("echo out").stdout(DEVNULL))
            .check()
            .await?;
        assert!(completed.success() && completed.stdout.is_empty());

        let together = shell("echo out; echo err >&2").stderr(STDOUT);
        let completed = run_process(together).capture().await?;
        assert_eq!(completed.stdout, "out\nerr\n");
        Ok(())
    });
}

#[test]
fn input_is_sent() {
    on_each_watcher(async |watcher| {
        let rev = Subprocess::from(["tr", "a-z", "A-Z"]).watcher(watcher);
        let completed = run_process(rev).input("hello").capture().check().await?;
        assert_eq!(completed.stdout, "HELLO");
        Ok(())
    });
}

#[test]
fn a_failure_is_an_error_where_it_is_checked() {
    on_each_watcher(async |watcher| {
        for (script, message) in [
            ("echo oh >&2; exit 3", "returned non-zero exit status 3"),
            ("echo oh >&2; kill -9 $$", "died with signal 9"),
        ] {
            let failed = run_process(create_subprocess_shell(script).watcher(watcher));
            let exception = failed.capture().check().await.unwrap_err();
            let error = exception
                .downcast_ref::<CalledProcessError>()
                .expect("it is that");
            assert_eq!(error.stderr(), "oh\n");
            assert_eq!(error.stdout(), "");
            assert_eq!(
                error.to_string(),
                format!("command `{}` {message}", error.command())
            );
        }
        Ok(())
    });
}

#[test]
fn one_that_is_cancelled_leaves_no_process() {
    on_each_watcher(async |watcher| {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("pid");
        let script = format!(
            "trap '' TERM INT; echo $$ >'{0}.new'; mv '{0}.new' '{0}'; exec sleep 1000",
            path.display()
        );
        let running = create_task(
            run_process(create_subprocess_shell(script).watcher(watcher))
                .capture()
                .into_future(),
        )?;
        common::until(|| path.exists()).await?;
        let pid: u32 = std::fs::read_to_string(&path)?.trim().parse()?;
        assert!(exists(pid));
        running.cancel();
        assert!(running.await.unwrap_err().is_cancelled());
        assert!(!exists(pid), "it is killed and reaped by then");

        let late = run_process("exec sleep 1000").into_future();
        let late = wait_for(late, Duration::from_millis(1)).await;
        assert!(late.unwrap_err().is_timeout());
        sleep(Duration::ZERO).await
    });
}
