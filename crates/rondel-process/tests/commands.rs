//! What a child process is started with, and what it says where it cannot be.

mod common;

use std::{
    fs::File,
    io::{self, ErrorKind, Read as _, Write as _},
    process::{Command, Stdio},
};

use common::on_each_watcher;
use rondel_process::{
    DEVNULL, PIPE, Redirect, STDOUT, SpawnError, Subprocess, create_subprocess_exec,
    create_subprocess_shell, run_process,
};
use rondel_task::Result;

/// Runs a command whose output is a pipe.
async fn output(subprocess: Subprocess) -> Result<String> {
    let (stdout, _) = subprocess.stdout(PIPE).await?.communicate("").await?;
    Ok(String::from_utf8_lossy(&stdout).into_owned())
}

#[test]
fn exit_codes_are_the_process_s() {
    on_each_watcher(async |watcher| {
        for code in [0, 1, 127, 255] {
            let shell = create_subprocess_shell(format!("exit {code}")).watcher(watcher);
            assert_eq!(shell.await?.wait().await?, code);
        }
        Ok(())
    });
}

#[test]
fn folder_and_environment_are_set() {
    on_each_watcher(async |watcher| {
        let folder = tempfile::tempdir()?;
        let path = folder.path().canonicalize()?;
        let shell =
            create_subprocess_shell("pwd -P; echo \"$COLOUR\"; echo \"${HOME:+inherited}\"");
        let shell = shell
            .watcher(watcher)
            .current_dir(&path)
            .env("COLOUR", "blue")
            .env("HOME", "/");
        let expected = format!("{}\nblue\ninherited\n", path.display());
        assert_eq!(output(shell).await?, expected);

        let mut bare = create_subprocess_exec("/usr/bin/env", [""; 0]).watcher(watcher);
        bare.command_mut().env_clear().env("ONLY", "this");
        assert_eq!(output(bare).await?, "ONLY=this\n");
        Ok(())
    });
}

#[test]
fn arguments_are_not_read_by_a_shell() {
    on_each_watcher(async |watcher| {
        let echo = create_subprocess_exec("echo", ["$HOME", "*", "a b"]).watcher(watcher);
        assert_eq!(output(echo).await?, "$HOME * a b\n");
        Ok(())
    });
}

#[test]
fn a_program_that_is_not_there_is_named() {
    on_each_watcher(async |watcher| {
        let missing = create_subprocess_exec("no-such-program", ["x"]).watcher(watcher);
        let error = missing.await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot start \"no-such-program\": No such file or directory (os error 2)"
        );
        let error = error.downcast_ref::<SpawnError>().expect("it is that");
        assert_eq!(error.kind(), ErrorKind::NotFound);

        let nowhere = create_subprocess_exec("true", [""; 0]).current_dir("/no/such/folder");
        let error = nowhere.watcher(watcher).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot start \"true\" in \"/no/such/folder\": No such file or directory (os error 2)"
        );
        let empty: [&str; 0] = [];
        assert!(run_process(empty).await.unwrap_err().is::<SpawnError>());
        Ok(())
    });
}

#[test]
fn streams_are_redirected_to_files_and_pipes() {
    on_each_watcher(async |watcher| {
        let folder = tempfile::tempdir()?;
        let (input, output) = (folder.path().join("in"), folder.path().join("out"));
        File::create(&input)?.write_all(b"from a file\n")?;
        let shell = create_subprocess_shell("cat; echo bad >&2").watcher(watcher);
        let shell = shell
            .stdin(File::open(&input)?)
            .stdout(File::create(&output)?);
        assert_eq!(shell.stderr(STDOUT).await?.wait().await?, 0);
        assert_eq!(std::fs::read_to_string(&output)?, "from a file\nbad\n");

        let (mut reader, writer) = io::pipe()?;
        let echo = create_subprocess_exec("echo", ["through a pipe"]).watcher(watcher);
        assert_eq!(echo.stdout(writer).await?.wait().await?, 0);
        let mut text = String::new();
        // It ends, because nobody here has the other end any more.
        reader.read_to_string(&mut text)?;
        assert_eq!(text, "through a pipe\n");
        Ok(())
    });
}

#[test]
fn nowhere_is_a_place_for_all_three() {
    on_each_watcher(async |watcher| {
        let shell = create_subprocess_shell("cat; echo lost; echo lost >&2").watcher(watcher);
        let shell = shell.stdin(DEVNULL).stdout(DEVNULL).stderr(STDOUT).await?;
        assert!(shell.stdin.is_none() && shell.stdout.is_none() && shell.stderr.is_none());
        assert_eq!(shell.wait().await?, 0);
        Ok(())
    });
}

#[test]
fn what_is_inherited_is_that_of_this_process() {
    on_each_watcher(async |watcher| {
        let sleep = create_subprocess_exec("sleep", ["1000"]).watcher(watcher);
        let sleep = sleep
            .stdin(DEVNULL)
            .stdout(Redirect::Inherit)
            .stderr(STDOUT);
        let sleep = sleep.await?;
        let place = |pid: u32, fd: u8| std::fs::read_link(format!("/proc/{pid}/fd/{fd}"));
        let ours = place(std::process::id(), 1)?;
        assert_eq!(place(sleep.pid(), 1)?, ours);
        assert_eq!(place(sleep.pid(), 2)?, ours);
        assert_eq!(place(sleep.pid(), 0)?.to_str(), Some("/dev/null"));
        sleep.kill()?;
        sleep.wait().await.map(drop)
    });
}

#[test]
fn a_command_keeps_the_redirections_it_has() {
    on_each_watcher(async |watcher| {
        let mut command = Command::new("cat");
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let cat = Subprocess::from(command).watcher(watcher).await?;
        assert_eq!(cat.communicate("hello").await?.0, "hello");
        Ok(())
    });
}

#[test]
fn a_child_has_its_three_streams_and_nothing_else_of_ours() {
    on_each_watcher(async |watcher| {
        // What this process was itself started with, a child may have.
        let before = Command::new("ls").arg("/proc/self/fd").output()?.stdout;
        // Pipes of another child are open meanwhile, in this process.
        let other = create_subprocess_exec("cat", [""; 0]).watcher(watcher);
        let other = other.stdin(PIPE).stdout(PIPE).await?;
        let list = create_subprocess_exec("ls", ["/proc/self/fd"]).watcher(watcher);
        let list = output(list.stdin(PIPE).stderr(PIPE)).await?;
        assert_eq!(list, String::from_utf8_lossy(&before));
        assert_eq!(other.communicate("").await?.0, "");
        Ok(())
    });
}

#[test]
fn a_subprocess_shows_what_it_runs() {
    let subprocess = create_subprocess_exec("echo", ["a b", "c"]).env("A", "1");
    assert_eq!(subprocess.to_string(), r#"A="1" "echo" "a b" "c""#);
}
