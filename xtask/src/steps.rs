//! A step: work with a name, whose time is told and whose failure names it.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::workspace;

/// A step that failed, and why.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failed {
    step: String,
    reason: String,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed: {}", self.step, self.reason)
    }
}

/// How a step ended that did not fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Passed,
    /// It could not be done here, and why.
    Skipped(String),
    /// Parts of it could not be done here: their names, each with the reason.
    PassedWithout(Vec<String>),
}

impl From<()> for Outcome {
    fn from((): ()) -> Self {
        Outcome::Passed
    }
}

/// Does the work under a heading, and tells how long it took; a reason to skip it gets the name of the step.
pub(crate) fn step<O: Into<Outcome>>(
    name: &str,
    work: impl FnOnce() -> Result<O, String>,
) -> Result<Outcome, Failed> {
    eprintln!("== {name}");
    let start = now();
    let result = work();
    let time = start.elapsed();
    match result.map(Into::into) {
        Ok(Outcome::Passed) => {
            eprintln!("== {name}: passed in {time:.1?}");
            Ok(Outcome::Passed)
        }
        Ok(Outcome::Skipped(why)) => {
            eprintln!("== {name}: skipped: {why}");
            Ok(Outcome::Skipped(format!("{name} ({why})")))
        }
        Ok(Outcome::PassedWithout(parts)) => {
            eprintln!(
                "== {name}: passed in {time:.1?}, without {}",
                parts.join(", ")
            );
            let named = parts.iter().map(|part| format!("{name}: {part}"));
            Ok(Outcome::PassedWithout(named.collect()))
        }
        Err(reason) => {
            eprintln!("== {name}: failed after {time:.1?}");
            Err(Failed {
                step: name.to_owned(),
                reason,
            })
        }
    }
}

/// Runs the cargo that runs us, with these arguments and environment variables.
pub(crate) fn cargo(arguments: &[&str], variables: &[(&str, &str)]) -> Result<(), String> {
    let mut command = cargo_command(arguments);
    command.envs(variables.iter().copied());
    run(&mut command, &format!("cargo {}", arguments.join(" ")))
}

/// The cargo that runs us, with these arguments, not yet started.
pub(crate) fn cargo_command(arguments: &[&str]) -> Command {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(cargo);
    command.args(arguments).current_dir(workspace());
    command
}

/// Runs a command, and gives what it writes on its standard output.
pub(crate) fn output(command: &mut Command) -> Result<String, String> {
    let program = command.get_program().display().to_string();
    let output = command.stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| format!("`{program}` cannot be started: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(format!("`{program}` ended with {}", output.status))
    }
}

/// Runs a command, which is called `name` if it fails.
fn run(command: &mut Command, name: &str) -> Result<(), String> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{name}` ended with {status}")),
        Err(error) => Err(format!("`{name}` cannot be started: {error}")),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long a step takes is a question about real time"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_its_step() {
        let failed = step::<()>("lint", || Err("no".to_owned())).expect_err("the work fails");
        assert_eq!(failed.to_string(), "lint failed: no");
        assert_eq!(step("lint", || Ok(())), Ok(Outcome::Passed));
    }

    #[test]
    fn a_step_that_is_skipped_is_named() {
        let skipped = step("guard", || Ok(Outcome::Skipped("no valgrind".to_owned())));
        let named = Outcome::Skipped("guard (no valgrind)".to_owned());
        assert_eq!(skipped, Ok(named));
    }

    #[test]
    fn parts_that_are_skipped_are_named() {
        let parts = vec!["a (no curl)".to_owned(), "b (no curl)".to_owned()];
        let outcome = step("test", || Ok(Outcome::PassedWithout(parts)));
        let named = ["test: a (no curl)", "test: b (no curl)"].map(str::to_owned);
        assert_eq!(outcome, Ok(Outcome::PassedWithout(named.to_vec())));
    }

    #[test]
    fn a_command_that_fails_is_an_error_that_names_it() {
        let mut command = Command::new(env!("CARGO"));
        command.arg("no-such-command").stderr(Stdio::null());
        let reason = run(&mut command, "cargo dance").expect_err("cargo has no such command");
        assert!(reason.starts_with("`cargo dance` ended with "), "{reason}");

        let mut command = Command::new("no-such-program");
        let reason = run(&mut command, "dance").expect_err("there is no such program");
        assert!(
            reason.starts_with("`dance` cannot be started: "),
            "{reason}"
        );
    }
}
