//! Every seed program, run as a process: its whole output, an empty stderr, exit status 0.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rondel_seeds::{PROGRAMS, build_examples};

fn check(name: &str) {
    static EXAMPLES: OnceLock<PathBuf> = OnceLock::new();
    let examples = EXAMPLES.get_or_init(|| build_examples().expect("the examples build"));

    let program = PROGRAMS
        .iter()
        .find(|program| program.name == name)
        .expect("the program is in the table");
    let transcript = program
        .run(examples, &mut |_| ())
        .expect("the program runs");
    if let Err(mismatch) = program.check(&transcript) {
        let output: String = transcript
            .lines
            .iter()
            .map(|line| format!("    {}\n", line.text))
            .collect();
        panic!("{name}: {mismatch}\nit printed\n{output}");
    }
}

#[test]
fn asyncio_coroutine() {
    check("asyncio_coroutine");
}

#[test]
fn asyncio_coroutine_return() {
    check("asyncio_coroutine_return");
}

#[test]
fn asyncio_coroutine_chain() {
    check("asyncio_coroutine_chain");
}

#[test]
fn asyncio_generator() {
    check("asyncio_generator");
}

#[test]
fn asyncio_task() {
    check("asyncio_task");
}

#[test]
fn asyncio_task_cancel() {
    check("asyncio_task_cancel");
}

#[test]
fn asyncio_ensure_future() {
    check("asyncio_ensure_future");
}

#[test]
fn asyncio_future_event_loop() {
    check("asyncio_future_event_loop");
}

#[test]
fn asyncio_future_await() {
    check("asyncio_future_await");
}

#[test]
fn asyncio_future_callback() {
    check("asyncio_future_callback");
}

#[test]
fn asyncio_set_after() {
    check("asyncio_set_after");
}

#[test]
fn asyncio_gather_wait() {
    check("asyncio_gather_wait");
}

#[test]
fn asyncio_ctrl_c() {
    check("asyncio_ctrl_c");
}

#[test]
fn frame_loop() {
    check("frame_loop");
}

#[test]
fn subprocess_pipeline() {
    check("subprocess_pipeline");
}

#[test]
fn every_program_has_its_test() {
    let this_file = include_str!("seed_programs.rs");
    for program in PROGRAMS {
        let test = format!(
            "#[test]\nfn {name}() {{\n    check(\"{name}\");",
            name = program.name
        );
        assert!(this_file.contains(&test), "{} has no test", program.name);
    }
}

#[test]
fn every_example_named_after_asyncio_is_in_the_table() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates/rondel/examples");
    let files = folder
        .read_dir()
        .expect("the facade has examples")
        .map(|file| file.expect("it can be listed").path());
    let names: BTreeSet<String> = files
        .filter_map(|file| Some(file.file_stem()?.to_str()?.to_owned()))
        .filter(|name| name.starts_with("asyncio_"))
        .collect();
    let table = PROGRAMS
        .iter()
        .map(|program| program.name.to_owned())
        .filter(|name| name.starts_with("asyncio_"))
        .collect();
    assert_eq!(names, table);
}
