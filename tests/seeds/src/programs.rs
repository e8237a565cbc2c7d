//! The table of the seed programs: their names, and what each prints.

use std::io;
use std::path::Path;
use std::time::Duration;

use crate::check::Expected::{self, Later, Line};
use crate::check::{Mismatch, check};
use crate::process::{Transcript, run};

/// All programs, in the order in which the tutorials teach them, and behind those the ones beyond asyncio.
pub const PROGRAMS: &[Program] = &[
    Program::new(
        "asyncio_coroutine",
        &[
            Line("start coroutine"),
            Line("<coroutine object coroutine..."),
            Line("enter event loop"),
            Line("now in coroutine"),
            Line("close event loop"),
        ],
    ),
    Program::new(
        "asyncio_coroutine_return",
        &[Line("now in coroutine"), Line("coroutine returned: result")],
    ),
    Program::new("asyncio_coroutine_chain", CHAIN),
    Program::new("asyncio_generator", CHAIN),
    Program::new(
        "asyncio_task",
        &[
            Line("creating task"),
            Line("waiting for <Task pending name='Task-2' coro=func_task() ...>"),
            Line("now in function task"),
            Line(
                r#"task completed <Task finished name='Task-2' coro=func_task() ... result="the result">"#,
            ),
            Line("return value: the result"),
        ],
    ),
    Program::new(
        "asyncio_task_cancel",
        &[
            Line("creating task"),
            Line("canceling task"),
            Line("canceled task <Task cancelling name='Task-2' coro=func_task() ...>"),
            Line("caught error from canceled task"),
        ],
    ),
    Program::new(
        "asyncio_ensure_future",
        &[
            Line("creating task"),
            Line("waiting for inner"),
            Line("now in function inner"),
            Line("inner: waiting for <Task pending name='Task-2' coro=wrapped() ...>"),
            Line("now in function wrapped"),
            Line("inner: task return: result"),
            Line("inner returned"),
        ],
    ),
    Program::new(
        "asyncio_future_event_loop",
        &[
            Line("scheduling mark_done"),
            Line("entering event loop"),
            Line("setting future result to 'the result'"),
            Line("returned result: 'the result'"),
            Line("closing event loop"),
            Line("future result: 'the result'"),
        ],
    ),
    Program::new(
        "asyncio_future_await",
        &[
            Line("scheduling mark_done"),
            Line("setting future result to 'the result'"),
            Line("returned result: 'the result'"),
        ],
    ),
    Program::new(
        "asyncio_future_callback",
        &[
            Line("registering callbacks on future"),
            Line("setting result of future"),
            Line("1: future done: 'the result'"),
            Line("2: future done: 'the result'"),
        ],
    ),
    Program::new(
        "asyncio_set_after",
        &[
            Line("hello ..."),
            Later(Duration::from_secs(1), "... world"),
        ],
    ),
    Program::new(
        "asyncio_gather_wait",
        &[
            Line("gather:"),
            Line("a starts"),
            Line("b starts"),
            Line("b ends"),
            Line("a ends"),
            Line(r#"results: ["result of a", "result of b"]"#),
            Line("wait:"),
            Line("c starts"),
            Line("d starts"),
            Line("d ends"),
            Line("c ends"),
            Line("done: 2, pending: 0"),
            Line("result of c"),
            Line("result of d"),
        ],
    ),
    Program::new(
        "asyncio_ctrl_c",
        &[
            Line("press ctrl-c"),
            Line("a starts"),
            Line("b starts"),
            Line("c starts"),
            Line("interrupted"),
            Line("a cleans up"),
            Line("b cleans up"),
            Line("c cleans up"),
            Line("a ends"),
            Line("b ends"),
            Line("c ends"),
            Line("cancelled: 3"),
            Line("closed"),
        ],
    )
    .interrupted_after("c starts"),
    Program::new(
        "frame_loop",
        &[
            Line("the story begins"),
            Line("a timer has fired"),
            Line("a thread has answered 42"),
            Line("press ctrl-c"),
            Line("the story ends: cancelled: ctrl-c"),
            Line("frames went on meanwhile: true"),
        ],
    )
    .interrupted_after("press ctrl-c"),
    Program::new(
        "subprocess_pipeline",
        &[
            Line("seq 1000000 | grep 77 | wc -l"),
            Line("45739"),
            Line("bytes between them: [6888896, 316182]"),
            Line("return codes: [0, 0, 0]"),
            Line("the shell says:"),
            Line("45739"),
            Line("yes | head -n 2"),
            Line("y"),
            Line("y"),
            Line("return codes: [-13, 0]"),
        ],
    ),
];

/// The coroutine chain and its generator-based counterpart print the same.
const CHAIN: &[Expected] = &[
    Line("now in coroutine"),
    Line("wait for function first"),
    Line("now in first"),
    Line("wait for function second"),
    Line("now in second"),
    Line("result value: ('first', 'second with arg: first')"),
];

/// How long a program may take; the slowest takes about a second.
const LIMIT: Duration = Duration::from_secs(60);

/// An example of the facade, and what it prints.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// The name of the example.
    pub name: &'static str,
    /// What it prints, from the first line to the last.
    pub expected: &'static [Expected],
    /// The pattern of the line after which it gets an interrupt signal, if it gets one.
    pub interrupt_after: Option<&'static str>,
}

impl Program {
    const fn new(name: &'static str, expected: &'static [Expected]) -> Self {
        Program {
            name,
            expected,
            interrupt_after: None,
        }
    }

    const fn interrupted_after(self, line: &'static str) -> Self {
        Program {
            interrupt_after: Some(line),
            ..self
        }
    }

    /// Runs the program, whose binary is in the folder `examples`, and tells `on_line` of every line as it comes.
    ///
    /// # Errors
    ///
    /// Fails when the program cannot be started or interrupted.
    /// A program that fails itself is no error here: its transcript says so.
    pub fn run(&self, examples: &Path, on_line: &mut dyn FnMut(&str)) -> io::Result<Transcript> {
        let path = examples
            .join(self.name)
            .with_extension(std::env::consts::EXE_EXTENSION);
        run(&path, LIMIT, self.interrupt_after, on_line)
    }

    /// Compares a run with what is expected: the whole output, an empty stderr, and exit status 0.
    ///
    /// # Errors
    ///
    /// Gives the first difference.
    pub fn check(&self, transcript: &Transcript) -> Result<(), Mismatch> {
        check(self.expected, transcript)
    }
}
