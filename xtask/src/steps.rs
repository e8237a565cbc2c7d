//! A step: work with a name, whose time is told and whose failure names it.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::process::Command;
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

/// Does the work under a heading, and tells how long it took.
pub(crate) fn step(name: &str, work: impl FnOnce() -> Result<(), String>) -> Result<(), Failed> {
    eprintln!("== {name}");
    let start = now();
    let result = work();
    let time = start.elapsed();
    match result {
        Ok(()) => {
            eprintln!("== {name}: passed in {time:.1?}");
            Ok(())
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
    let cargo = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(cargo);
    command
        .args(arguments)
        .envs(variables.iter().copied())
        .current_dir(workspace());
    run(&mut command, &format!("cargo {}", arguments.join(" ")))
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
    use std::process::Stdio;

    use super::*;

    #[test]
    fn a_failure_names_its_step() {
        let failed = step("lint", || Err("no".to_owned())).expect_err("the work fails");
        assert_eq!(failed.to_string(), "lint failed: no");
        assert_eq!(step("lint", || Ok(())), Ok(()));
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
