//! The runner, on a program that never ends by itself.

use std::path::Path;
use std::time::Duration;

use rondel_seeds::{Ending, Mismatch, Program, Transcript};

const PROBE: &str = env!("CARGO_BIN_EXE_probe");

fn run(limit: Duration, interrupt_after: Option<&str>) -> Transcript {
    let mut told = Vec::new();
    let mut on_line = |line: &str| told.push(line.to_owned());
    let transcript = rondel_seeds::run(Path::new(PROBE), limit, interrupt_after, &mut on_line)
        .expect("the probe can be started");
    assert_eq!(told, texts(&transcript));
    transcript
}

fn texts(transcript: &Transcript) -> Vec<&str> {
    transcript
        .lines
        .iter()
        .map(|line| line.text.as_str())
        .collect()
}

#[test]
fn a_program_that_never_ends_is_killed_and_what_it_said_is_kept() {
    let transcript = run(Duration::from_secs(1), None);
    assert_eq!(transcript.ending, Ending::TimedOut);
    assert_eq!(texts(&transcript), ["ready"]);
}

#[cfg(unix)]
#[test]
fn a_program_is_interrupted_after_the_line_asked_for() {
    use std::os::unix::process::ExitStatusExt;

    let transcript = run(Duration::from_secs(60), Some("ready"));
    let Ending::Exited(status) = transcript.ending else {
        panic!("the signal did not end the program");
    };
    assert_eq!(status.signal(), Some(rustix::process::Signal::INT.as_raw()));
    assert_eq!(texts(&transcript), ["ready"]);

    let program = Program {
        name: "probe",
        expected: &[],
        interrupt_after: None,
    };
    assert_eq!(
        program.check(&transcript),
        Err(Mismatch::Surplus("ready".to_owned()))
    );
}

#[test]
fn a_program_that_does_not_exist_is_an_error() {
    let error = rondel_seeds::run(
        Path::new("no-such-program"),
        Duration::ZERO,
        None,
        &mut |_| (),
    )
    .expect_err("there is no such program");
    assert!(
        error
            .to_string()
            .starts_with("cannot start no-such-program: "),
        "{error}"
    );
}
