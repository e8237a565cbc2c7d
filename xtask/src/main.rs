//! The workspace's own commands: `cargo xtask ci` and its parts.
//!
//! Here the arguments are read, and here stands what each command consists of.
//! Running and timing a command is the work of `steps`, the checks that no compiler makes are in `tidy`, showing the seed programs is in `demo`, comparing with CPython in `conformance`.

#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    reason = "a command line tool speaks to its user"
)]

mod conformance;
mod demo;
mod steps;
mod tidy;

use std::env;
use std::path::Path;
use std::process::ExitCode;

use crate::steps::{Failed, cargo, step};

const USAGE: &str = "\
usage: cargo xtask <command>

  ci      all of the following, with `fmt --check`: what must pass before a commit
  fmt     formats the code; with --check only says what it would change
  lint    clippy on everything, warnings denied
  tidy    the checks that no compiler makes: layers, lints, links, unsafe code
  test    all tests and doctests
  doc     the documentation, warnings denied
  demo    runs the programs of asyncio's tutorials

  conformance [--seed TEXT] [--count N] [--size K] [--wild] [--python PATH] [--record]
          runs random programs on CPython 3.13 and on rondel, and shows the first that behaves differently, made small;
          --wild takes the generator that leaves out little, --record keeps programs and traces for the tests

  help    prints this
";

#[derive(Clone, Debug, PartialEq, Eq)]
enum Command {
    Ci,
    Fmt,
    FmtCheck,
    Lint,
    Tidy,
    Test,
    Doc,
    Demo,
    Conformance(conformance::Options),
    Help,
}

impl Command {
    fn parse(arguments: &[&str]) -> Result<Command, String> {
        match arguments {
            [] | ["help" | "--help" | "-h"] => Ok(Command::Help),
            ["ci"] => Ok(Command::Ci),
            ["fmt"] => Ok(Command::Fmt),
            ["fmt", "--check"] => Ok(Command::FmtCheck),
            ["lint"] => Ok(Command::Lint),
            ["tidy"] => Ok(Command::Tidy),
            ["test"] => Ok(Command::Test),
            ["doc"] => Ok(Command::Doc),
            ["demo"] => Ok(Command::Demo),
            ["conformance", options @ ..] => {
                conformance::Options::parse(options).map(Command::Conformance)
            }
            unknown => Err(format!("unknown argument: {}", unknown.join(" "))),
        }
    }

    fn run(self) -> Result<(), Failed> {
        match self {
            Command::Ci => {
                let start = steps::now();
                let parts = [
                    Command::FmtCheck,
                    Command::Lint,
                    Command::Tidy,
                    Command::Test,
                    Command::Doc,
                    Command::Demo,
                ];
                parts.into_iter().try_for_each(Command::run)?;
                eprintln!("== ci: all passed in {:.1?}", start.elapsed());
                Ok(())
            }
            Command::Fmt => step("fmt", || cargo(&["fmt", "--all"], &[])),
            Command::FmtCheck => step("fmt --check", || cargo(&["fmt", "--all", "--check"], &[])),
            Command::Lint => step("lint", || {
                cargo(
                    &[
                        "clippy",
                        "--workspace",
                        "--all-targets",
                        "--",
                        "--deny",
                        "warnings",
                    ],
                    &[],
                )
            }),
            Command::Tidy => step("tidy", || tidy::run(workspace())),
            Command::Test => step("test", || cargo(&["test", "--workspace"], &[])),
            Command::Doc => step("doc", || {
                cargo(
                    &["doc", "--workspace", "--no-deps"],
                    &[("RUSTDOCFLAGS", "--deny warnings")],
                )
            }),
            Command::Demo => step("demo", demo::run),
            Command::Conformance(options) => step("conformance", || conformance::run(&options)),
            Command::Help => {
                print!("{USAGE}");
                Ok(())
            }
        }
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args_os()
        .skip(1)
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match Command::parse(&words) {
        Ok(command) => match command.run() {
            Ok(()) => ExitCode::SUCCESS,
            Err(failed) => {
                eprintln!("error: {failed}");
                ExitCode::FAILURE
            }
        },
        Err(complaint) => {
            eprint!("error: {complaint}\n\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

/// The root of the workspace, wherever cargo was called.
fn workspace() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_of_the_usage_is_known() {
        let commands = USAGE
            .lines()
            .filter_map(|line| line.strip_prefix("  "))
            .filter(|line| !line.starts_with(' '))
            .filter_map(|line| line.split_whitespace().next());
        let unknown: Vec<&str> = commands
            .filter(|command| Command::parse(&[command]).is_err())
            .collect();
        assert_eq!(unknown, [""; 0]);
        assert_eq!(Command::parse(&["fmt", "--check"]), Ok(Command::FmtCheck));
    }

    #[test]
    fn no_argument_asks_for_help() {
        assert_eq!(Command::parse(&[]), Ok(Command::Help));
    }

    #[test]
    fn an_unknown_argument_is_an_error() {
        assert_eq!(
            Command::parse(&["cI"]),
            Err("unknown argument: cI".to_owned())
        );
        assert_eq!(
            Command::parse(&["ci", "now"]),
            Err("unknown argument: ci now".to_owned())
        );
        assert_eq!(
            Command::parse(&["lint", "--check"]),
            Err("unknown argument: lint --check".to_owned())
        );
    }
}
