//! What is left of processes: neither a descriptor nor a zombie. One test, because it counts what the whole process has.

mod common;

use std::{
    cell::RefCell,
    io::{self, Read as _},
    rc::Rc,
};

use common::{exists, on_each_watcher, open_descriptors, until};
use rondel_net::BaseProtocol;
use rondel_process::{
    ChildWatcher, DEVNULL, PIPE, Process, Subprocess, SubprocessProtocol, SubprocessTransport,
    create_subprocess_exec, create_subprocess_shell,
};
use rondel_task::{EventLoop, Result, create_task, gather, run};

#[test]
fn nothing_is_left() {
    one_after_another();
    at_once();
    killed_when_dropped();
    dropped_and_reaped();
    left_by_a_loop_that_closes();
    created_in_vain();
}

/// Waits until no more descriptors are open than before, inside one loop; a thread may have had one still.
async fn leaves_no_descriptor(program: impl Future<Output = Result<()>>) -> Result<()> {
    let before = open_descriptors();
    program.await?;
    until(|| open_descriptors() <= before).await
}

fn one_after_another() {
    on_each_watcher(async |watcher| {
        leaves_no_descriptor(async {
            for turn in 0..700 {
                let process = create_subprocess_exec("true", [""; 0]).watcher(watcher);
                let process = process.stdin(PIPE).stdout(PIPE).await?;
                process.communicate("").await?;
                assert_eq!(process.returncode(), Some(0), "in turn {turn}");
                assert!(!exists(process.pid()), "a zombie in turn {turn}");
            }
            Ok(())
        })
        .await
    });
}

fn at_once() {
    on_each_watcher(async |watcher| {
        leaves_no_descriptor(async {
            let mut cats = Vec::new();
            for _ in 0..100 {
                let cat = create_subprocess_exec("cat", [""; 0]).watcher(watcher);
                cats.push(cat.stdin(PIPE).stdout(PIPE).stderr(PIPE).await?);
            }
            let texts = (0..100).map(|place| format!("text {place}"));
            let outputs = cats.iter().zip(texts.clone());
            let outputs = gather(outputs.map(|(cat, text)| cat.communicate(text))).await?;
            for (text, (stdout, _)) in texts.zip(outputs) {
                assert_eq!(stdout, text);
            }
            assert!(!cats.iter().any(|cat| exists(cat.pid())));
            Ok(())
        })
        .await
    });
}

/// A process that is killed when it is dropped, or goes on.
async fn sleeper(watcher: ChildWatcher) -> Result<Process> {
    let sleep = create_subprocess_exec("sleep", ["1000"]).watcher(watcher);
    sleep.stdin(PIPE).stdout(PIPE).kill_on_drop().await
}

fn killed_when_dropped() {
    on_each_watcher(async |watcher| {
        leaves_no_descriptor(async {
            let sleep = sleeper(watcher).await?;
            let pid = sleep.pid();
            drop(sleep);
            until(|| !exists(pid)).await
        })
        .await
    });
}

fn dropped_and_reaped() {
    on_each_watcher(async |watcher| {
        leaves_no_descriptor(async {
            let (mut reader, writer) = io::pipe()?;
            let shell = create_subprocess_shell("read line; echo goes on").watcher(watcher);
            let mut shell = shell.stdin(PIPE).stdout(writer).await?;
            let (pid, stdin) = (shell.pid(), shell.stdin.take());
            drop(shell);
            assert!(exists(pid));
            // Its input ends.
            drop(stdin);
            until(|| !exists(pid)).await?;
            let mut text = String::new();
            reader.read_to_string(&mut text)?;
            assert_eq!(text, "goes on\n");
            Ok(())
        })
        .await
    });
}

/// A protocol that keeps its transport, as they do.
#[derive(Default)]
struct Keeper(RefCell<Option<SubprocessTransport>>);

impl BaseProtocol for Keeper {}

impl SubprocessProtocol for Keeper {
    fn connection_made(&self, transport: SubprocessTransport) {
        self.0.replace(Some(transport));
    }
}

fn left_by_a_loop_that_closes() {
    for watcher in [ChildWatcher::Default, ChildWatcher::Thread] {
        let before = open_descriptors();
        let event_loop = EventLoop::new().expect("descriptors are left");
        let started = event_loop.run_until_complete(async move {
            let pipes = Subprocess::exec("sleep", ["1000"]).watcher(watcher);
            let pipes = pipes.stdin(PIPE).stdout(PIPE).connect(Keeper::default);
            let (_, piped) = pipes.await?;
            let bare = Subprocess::exec("sleep", ["1000"]).watcher(watcher);
            let (transport, bare) = bare.stdin(DEVNULL).connect(Keeper::default).await?;
            Ok((
                Rc::downgrade(&piped),
                Rc::downgrade(&bare),
                transport.get_pid(),
            ))
        });
        let (piped, bare, pid) = started.expect("they are started");
        assert!(exists(pid));
        assert_eq!((piped.strong_count(), bare.strong_count()), (1, 1));
        event_loop.close().expect("it does not run");
        drop(event_loop);
        assert_eq!((piped.strong_count(), bare.strong_count()), (0, 0));
        // They are killed, and a thread reaps them.
        while exists(pid) || open_descriptors() > before {
            std::thread::yield_now();
        }
    }
}

/// A creation that is cancelled, or dropped, has killed what it has started.
fn created_in_vain() {
    on_each_watcher(async |watcher| {
        leaves_no_descriptor(async {
            let creating = create_task(sleeper(watcher))?;
            rondel_task::checkpoint().await?;
            creating.cancel();
            let refused = creating.take().await.expect_err("it was cancelled");
            assert!(refused.is_cancelled());
            Ok(())
        })
        .await
    });
    let before = open_descriptors();
    run(async {
        let creating = create_task(sleeper(ChildWatcher::Default))?;
        rondel_task::checkpoint().await?;
        // The loop ends, and the coroutine is dropped where it is.
        std::mem::forget(creating);
        Ok(())
    })
    .expect("it ends");
    while open_descriptors() > before {
        std::thread::yield_now();
    }
}
