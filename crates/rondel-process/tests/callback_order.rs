//! In which order a protocol is told what: the traces are CPython 3.13's, of the same programs.

mod common;

use std::{cell::OnceCell, rc::Rc};

use common::{Trace, on_each_watcher};
use rondel_net::{BaseProtocol, Transport};
use rondel_process::{DEVNULL, PIPE, PipeFd, Subprocess, SubprocessProtocol, SubprocessTransport};
use rondel_task::{EventLoop, Exception, Future, Result, create_task, get_running_loop};

/// A protocol that writes down what it is told, and panics where it is to.
struct Recorder {
    trace: Trace,
    panic_at: &'static str,
    transport: OnceCell<SubprocessTransport>,
    lost: Future<()>,
}

impl Recorder {
    fn told(&self, event: &str) {
        self.trace.log(event);
        assert!(self.panic_at != event, "boom");
    }
}

impl BaseProtocol for Recorder {
    fn connection_lost(&self, exception: Option<&Exception>) {
        self.lost.set_result(()).expect("it is lost once");
        self.told(&format!("lost {exception:?}"));
    }

    fn pause_writing(&self) {
        self.told("pause");
    }

    fn resume_writing(&self) {
        self.told("resume");
    }
}

impl SubprocessProtocol for Recorder {
    fn connection_made(&self, transport: SubprocessTransport) {
        assert!(self.transport.set(transport).is_ok(), "it is made once");
        self.told("made");
    }

    fn pipe_data_received(&self, fd: PipeFd, data: &[u8]) {
        let text = String::from_utf8_lossy(data);
        self.told(&format!("data {fd} {}", text.trim_end()));
    }

    fn pipe_connection_lost(&self, fd: PipeFd, exception: Option<&Exception>) {
        self.told(&format!("pipe lost {fd} {exception:?}"));
    }

    fn process_exited(&self) {
        let transport = self.transport.get().expect("it was made");
        let returncode = transport.get_returncode().expect("it has exited");
        self.told(&format!("exited {returncode}"));
    }
}

/// What a program has: the transport, and the trace.
struct Scene {
    transport: SubprocessTransport,
    trace: Trace,
}

impl Scene {
    fn stdin(&self) -> Transport {
        let stdin = self.transport.get_pipe_transport(PipeFd::Stdin);
        stdin.expect("it is a pipe")
    }
}

/// Starts a shell with a script, has the program act, waits for the end, and compares the trace.
#[track_caller]
fn check<F>(
    script: &'static str,
    redirect: impl Fn(Subprocess) -> Subprocess + Copy + 'static,
    panic_at: &'static str,
    program: impl Fn(Rc<Scene>) -> F + Copy + 'static,
    expected: &'static [&'static str],
) where
    F: std::future::Future<Output = Result<()>> + 'static,
{
    on_each_watcher(move |watcher| async move {
        let trace = Trace::default();
        let event_loop = get_running_loop()?;
        let reports = trace.clone();
        event_loop.set_exception_handler(Some(
            move |_: &EventLoop, context: &rondel_reactor::ExceptionContext| {
                let message = context.message();
                let message = message.split(" rondel").next().unwrap_or_default();
                reports.log(message.split(" <").next().unwrap_or_default());
            },
        ));
        let recorder = Recorder {
            trace: trace.clone(),
            panic_at,
            transport: OnceCell::new(),
            lost: event_loop.create_future(),
        };
        let subprocess = redirect(Subprocess::shell(script)).watcher(watcher);
        let (transport, recorder) = subprocess.connect(|| recorder).await?;
        trace.log("connected");
        let (waiting, waited) = (transport.wait(), trace.clone());
        let waiting = create_task(async move {
            waited.log(format!("waited {}", waiting.await?));
            Ok(())
        })?;
        let scene = Scene {
            transport: transport.clone(),
            trace: trace.clone(),
        };
        program(Rc::new(scene)).await?;
        recorder.lost.clone().await?;
        waiting.await?;
        trace.check(expected);
        assert!(transport.get_protocol().is_none(), "it is let go of");
        Ok(())
    });
}

const SLEEP: &str = "exec sleep 1000";

#[test]
fn a_process_without_pipes_exits_and_is_lost() {
    check(
        SLEEP,
        |subprocess| subprocess.stdin(DEVNULL),
        "",
        async |scene| scene.transport.kill(),
        &["made", "connected", "exited -9", "lost None", "waited -9"],
    );
}

#[test]
fn closing_closes_the_pipes_and_kills() {
    check(
        SLEEP,
        |subprocess| subprocess.stdin(PIPE).stdout(PIPE).stderr(PIPE),
        "",
        async |scene| {
            scene.transport.close();
            assert!(scene.transport.is_closing());
            scene.trace.log("closed");
            Ok(())
        },
        &[
            "made",
            "connected",
            "closed",
            "pipe lost stdin None",
            "pipe lost stdout None",
            "pipe lost stderr None",
            "exited -9",
            "lost None",
            "waited -9",
        ],
    );
}

#[test]
fn pipes_are_lost_one_by_one_and_the_process_after_them() {
    check(
        "read line; echo \"$line\"; exec >&-; read line; exec sleep 1000",
        |subprocess| subprocess.stdin(PIPE).stdout(PIPE),
        "",
        async |scene| {
            scene.stdin().write("hi\n")?;
            scene.trace.wait_for("data stdout hi").await?;
            scene.trace.wait_for("pipe lost stdout None").await?;
            scene.stdin().close();
            scene.trace.wait_for("pipe lost stdin None").await?;
            scene.transport.kill()
        },
        &[
            "made",
            "connected",
            "data stdout hi",
            "pipe lost stdout None",
            "pipe lost stdin None",
            "exited -9",
            "lost None",
            "waited -9",
        ],
    );
}

/// CPython 3.13 wakes whoever waits only when the connection is lost.
#[test]
fn a_process_that_leaves_a_grandchild_is_lost_when_that_closes_the_pipes() {
    check(
        "exec 3<&0; read go; (read line; echo late; exec >&-; read line) <&3 3<&- & exit 5",
        |subprocess| subprocess.stdin(PIPE).stdout(PIPE),
        "",
        async |scene| {
            scene.stdin().write("go\n")?;
            scene.trace.wait_for("exited 5").await?;
            scene.trace.wait_for("waited 5").await?;
            scene.transport.kill()?; // nobody is there any more to be killed
            scene.stdin().write("\n")?;
            scene.trace.wait_for("pipe lost stdout None").await?;
            scene.stdin().close();
            Ok(())
        },
        &[
            "made",
            "connected",
            "exited 5",
            "waited 5",
            "data stdout late",
            "pipe lost stdout None",
            "pipe lost stdin None",
            "lost None",
        ],
    );
}

#[test]
fn writing_is_paused_and_resumed() {
    check(
        "cat >/dev/null",
        |subprocess| subprocess.stdin(PIPE),
        "",
        async |scene| {
            scene.stdin().write(vec![b'x'; 1_000_000])?;
            assert!(scene.stdin().get_write_buffer_size() > 0);
            scene.stdin().close();
            scene.trace.log("closing");
            Ok(())
        },
        &[
            "made",
            "connected",
            "pause",
            "closing",
            "resume",
            "pipe lost stdin None",
            "exited 0",
            "lost None",
            "waited 0",
        ],
    );
}

#[test]
fn a_panic_is_reported_and_changes_nothing_else() {
    check(
        SLEEP,
        |subprocess| subprocess.stdin(DEVNULL),
        "exited -9",
        async |scene| scene.transport.kill(),
        &[
            "made",
            "connected",
            "exited -9",
            "Exception in callback",
            "lost None",
            "waited -9",
        ],
    );
}

#[test]
fn a_protocol_that_panics_when_it_is_lost_is_let_go_of() {
    check(
        SLEEP,
        |subprocess| subprocess.stdin(DEVNULL),
        "lost None",
        async |scene| scene.transport.kill(),
        &[
            "made",
            "connected",
            "exited -9",
            "lost None",
            "Exception in callback",
            "waited -9",
        ],
    );
}
