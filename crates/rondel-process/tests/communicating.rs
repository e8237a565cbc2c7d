//! `communicate`, and the streams of a process.

mod common;

use std::time::Duration;

use common::{on_each_watcher, until};
use rondel_process::{
    DEVNULL, PIPE, PipeFd, STDOUT, create_subprocess_exec, create_subprocess_shell,
};
use rondel_reactor::signal::SIGCONT;
use rondel_task::{ValueError, create_task, wait_for};

/// More than any pipe and any buffer on the way holds.
const LARGE: usize = 64 << 20;

#[test]
fn much_goes_both_ways_at_once() {
    on_each_watcher(async |watcher| {
        let cat = create_subprocess_exec("cat", [""; 0]).watcher(watcher);
        let cat = cat.stdin(PIPE).stdout(PIPE).await?;
        let input: Vec<u8> = (0..LARGE).map(|byte| (byte / 1000) as u8).collect();
        let (stdout, stderr) = cat.communicate(input.clone()).await?;
        assert!(stdout == input, "it comes back as it was sent");
        assert!(stderr.is_empty());
        assert_eq!(cat.returncode(), Some(0));
        Ok(())
    });
}

#[test]
fn both_outputs_are_read_at_once() {
    on_each_watcher(async |watcher| {
        // Each is more than its pipe holds.
        let script = "head -c 1000000 /dev/zero >&2; head -c 1000000 /dev/zero";
        let shell = create_subprocess_shell(script).watcher(watcher);
        let shell = shell.stdout(PIPE).stderr(PIPE).await?;
        let (stdout, stderr) = shell.communicate("").await?;
        assert_eq!((stdout.len(), stderr.len()), (1_000_000, 1_000_000));
        Ok(())
    });
}

#[test]
fn a_process_that_does_not_read_its_input_is_no_error() {
    on_each_watcher(async |watcher| {
        let shell = create_subprocess_shell("exec <&-; echo enough").watcher(watcher);
        let shell = shell.stdin(PIPE).stdout(PIPE).await?;
        let (stdout, _) = shell.communicate(vec![0; 1_000_000]).await?;
        assert_eq!(stdout, "enough\n");
        assert_eq!(shell.returncode(), Some(0));
        Ok(())
    });
}

#[test]
fn communicate_that_is_cancelled_goes_on_where_it_was() {
    on_each_watcher(async |watcher| {
        // One output is at its end, the other has begun, and the input is stuck.
        let script = "echo early >&2; exec 2>&-; echo first; kill -STOP $$; cat; echo last";
        let shell = create_subprocess_shell(script).watcher(watcher);
        let shell = shell.stdin(PIPE).stdout(PIPE).stderr(PIPE).await?;
        let input = vec![b'x'; 1_000_000];
        let pipe = |fd| {
            shell
                .transport()
                .get_pipe_transport(fd)
                .expect("it is a pipe")
        };

        let communicating = create_task(shell.communicate(input.clone()))?;
        until(|| is_stopped(shell.pid()) && pipe(PipeFd::Stderr).is_closing()).await?;
        assert!(pipe(PipeFd::Stdin).get_write_buffer_size() > 0);
        communicating.cancel();
        assert!(communicating.await.unwrap_err().is_cancelled());

        shell.send_signal(SIGCONT)?;
        let (stdout, stderr) = shell.communicate("").await?;
        let expected = [b"first\n", &input[..], b"last\n"].concat();
        assert!(stdout == expected, "got {} bytes", stdout.len());
        assert_eq!(stderr, "early\n");
        Ok(())
    });
}

/// Says whether a process was stopped by a signal.
fn is_stopped(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    status.is_ok_and(|status| status.contains(") T "))
}

#[test]
fn waiting_that_is_cancelled_leaves_the_process_usable() {
    on_each_watcher(async |watcher| {
        let cat = create_subprocess_exec("cat", [""; 0]).watcher(watcher);
        let cat = cat.stdin(PIPE).stdout(PIPE).await?;
        for _ in 0..3 {
            let waited = wait_for(cat.wait(), Duration::from_millis(1)).await;
            assert!(waited.unwrap_err().is_timeout());
        }
        assert_eq!(cat.returncode(), None);
        assert_eq!(cat.communicate("hello").await?.0, "hello");
        assert_eq!(cat.wait().await?, 0);
        Ok(())
    });
}

#[test]
fn a_conversation_line_by_line() {
    on_each_watcher(async |watcher| {
        let shell = create_subprocess_shell("while read line; do echo \"got $line\"; done; exit 3");
        let mut shell = shell.stdin(PIPE).stdout(PIPE).watcher(watcher).await?;
        let stdin = shell.stdin.take().expect("it is a pipe");
        let stdout = shell.stdout.take().expect("it is a pipe");
        for line in ["one", "two"] {
            stdin.write(format!("{line}\n"))?;
            stdin.drain().await?;
            assert_eq!(stdout.readline().await?, format!("got {line}\n"));
        }
        stdin.close();
        stdin.wait_closed().await?;
        assert_eq!(stdout.readline().await?, "");
        assert_eq!(shell.wait().await?, 3);
        Ok(())
    });
}

#[test]
fn a_writer_hears_that_the_process_reads_no_more() {
    on_each_watcher(async |watcher| {
        let shell = create_subprocess_shell("exec <&-; exec sleep 1000").watcher(watcher);
        let mut shell = shell.stdin(PIPE).stdout(DEVNULL).await?;
        let stdin = shell.stdin.take().expect("it is a pipe");
        until(|| stdin.is_closing()).await?;
        stdin.wait_closed().await?;
        stdin.write("into the void")?;
        let drained = stdin.drain().await.unwrap_err();
        let error = drained.downcast_ref::<std::io::Error>();
        let kind = error.expect("it is the system's").kind();
        assert_eq!(kind, std::io::ErrorKind::ConnectionReset);
        shell.kill()
    });
}

#[test]
fn output_that_is_closed_early_is_at_its_end_while_the_process_runs() {
    on_each_watcher(async |watcher| {
        let shell = create_subprocess_shell("echo all; exec >&-; exec sleep 1000").watcher(watcher);
        let shell = shell.stdout(PIPE).await?;
        let stdout = shell.stdout.as_ref().expect("it is a pipe");
        assert_eq!(stdout.read_to_end().await?, "all\n");
        assert_eq!(shell.returncode(), None);
        shell.kill()?;
        assert_eq!(shell.wait().await?, -9);
        Ok(())
    });
}

#[test]
fn a_reader_that_is_slow_slows_the_process_down() {
    on_each_watcher(async |watcher| {
        let yes = create_subprocess_exec("yes", [""; 0]).watcher(watcher);
        let yes = yes.stdout(PIPE).limit(1000).await?;
        let stdout = yes.stdout.as_ref().expect("it is a pipe");
        assert_eq!(stdout.readline().await?, "y\n");
        let pipe = yes.transport().get_pipe_transport(PipeFd::Stdout);
        let pipe = pipe.expect("it is a pipe");
        until(|| !pipe.is_reading()).await?;
        yes.kill()?;
        assert_eq!(yes.wait().await?, -9);
        Ok(())
    });
}

#[test]
fn both_outputs_share_a_pipe_in_their_order() {
    on_each_watcher(async |watcher| {
        let script = "echo one; echo two >&2; echo three";
        let shell = create_subprocess_shell(script).watcher(watcher);
        let shell = shell.stdout(PIPE).stderr(STDOUT).await?;
        assert!(shell.stderr.is_none());
        let (stdout, stderr) = shell.communicate("").await?;
        assert_eq!(
            (&stdout[..], &stderr[..]),
            (&b"one\ntwo\nthree\n"[..], &b""[..])
        );
        Ok(())
    });
}

#[test]
fn misuse_is_an_error() {
    on_each_watcher(async |watcher| {
        let command = || create_subprocess_exec("true", [""; 0]).watcher(watcher);
        let no_pipe = command().await?;
        let refused = no_pipe.communicate("input").await.unwrap_err();
        assert!(refused.is::<ValueError>(), "{refused:?}");
        assert_eq!(no_pipe.wait().await?, 0);

        let refused = command().stdout(STDOUT).await.unwrap_err();
        assert_eq!(
            refused.to_string(),
            "only stderr can be redirected to STDOUT"
        );
        let refused = command().limit(0).await.unwrap_err();
        assert!(refused.is::<ValueError>(), "{refused:?}");
        Ok(())
    });
}
