//! The workspace's own commands: `cargo xtask ci` and its parts.
//!
//! Here the arguments are read, and here stands what each command consists of.
//! Running and timing a command is the work of `steps`, compiling each crate by itself is in `alone`, the checks that no compiler makes are in `tidy`, showing the seed programs is in `demo`, comparing with CPython in `conformance`, with other runtimes in `bench`, counting instructions in `guard`, and which tests found no program to talk to in `peers`.

#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    reason = "a command line tool speaks to its user"
)]

mod alone;
mod bench;
mod conformance;
mod demo;
mod guard;
mod peers;
mod steps;
mod tidy;

use std::env;
use std::path::Path;
use std::process::ExitCode;

use crate::steps::{Failed, Outcome, cargo, step};

const USAGE: &str = "\
usage: cargo xtask <command>

  ci      all of the following, with `fmt --check`: what must pass before a commit
  fmt     formats the code; with --check only says what it would change
  lint    clippy on everything, warnings denied
  alone   clippy on each crate by itself, with none of its features
  tidy    the checks that no compiler makes: layers, lints, links, unsafe code
  test    all tests and doctests
  doc     the documentation, warnings denied
  demo    runs the programs of asyncio's tutorials
  guard   counts the instructions of the core workloads and compares them with `benches/guard.json`;
          with --record writes that file; skipped where valgrind is not installed

  bench [--quick] [--only PATTERN] [--json FILE] [--plot] [--page]
          compares with other runtimes and prints a table: --quick measures one round, --only the rows that have PATTERN in their
          names, --json writes the figures to a file, --plot draws docs/performance.svg, --page puts the table into docs/performance.md
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
    Alone,
    Tidy,
    Test,
    Doc,
    Demo,
    Guard(guard::Mode),
    Bench(bench::Options),
    Conformance(conformance::Options),
    Help,
}

impl Command {
    fn parse(arguments: &[&str]) -> Result<Command, String> {
        match arguments {
            [] | ["help"] | [.., "--help" | "-h"] => Ok(Command::Help),
            ["ci"] => Ok(Command::Ci),
            ["fmt"] => Ok(Command::Fmt),
            ["fmt", "--check"] => Ok(Command::FmtCheck),
            ["lint"] => Ok(Command::Lint),
            ["alone"] => Ok(Command::Alone),
            ["tidy"] => Ok(Command::Tidy),
            ["test"] => Ok(Command::Test),
            ["doc"] => Ok(Command::Doc),
            ["demo"] => Ok(Command::Demo),
            ["guard"] => Ok(Command::Guard(guard::Mode::Compare)),
            ["guard", "--record"] => Ok(Command::Guard(guard::Mode::Record)),
            ["bench", options @ ..] => bench::Options::parse(options).map(Command::Bench),
            ["conformance", options @ ..] => {
                conformance::Options::parse(options).map(Command::Conformance)
            }
            unknown => Err(format!("unknown argument: {}", unknown.join(" "))),
        }
    }

    fn run(self) -> Result<Outcome, Failed> {
        match self {
            Command::Ci => {
                let start = steps::now();
                let parts = [
                    Command::FmtCheck,
                    Command::Lint,
                    Command::Alone,
                    Command::Tidy,
                    Command::Test,
                    Command::Doc,
                    Command::Demo,
                    Command::Guard(guard::Mode::Compare),
                ];
                let mut skipped = Vec::new();
                for part in parts {
                    match part.run()? {
                        Outcome::Passed => {}
                        Outcome::Skipped(name) => skipped.push(name),
                        Outcome::PassedWithout(parts) => skipped.extend(parts),
                    }
                }
                let time = start.elapsed();
                match skipped.as_slice() {
                    [] => eprintln!("== ci: all passed in {time:.1?}"),
                    some => {
                        let some = some.join(", ");
                        eprintln!("== ci: passed in {time:.1?}, but skipped: {some}");
                    }
                }
                Ok(Outcome::Passed)
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
            Command::Alone => step("alone", alone::run),
            Command::Tidy => step("tidy", || tidy::run(workspace())),
            Command::Test => step("test", peers::test),
            Command::Doc => step("doc", || {
                cargo(
                    &[
                        "doc",
                        "--workspace",
                        "--no-deps",
                        "--features",
                        "rondel/tls",
                    ],
                    &[("RUSTDOCFLAGS", "--deny warnings")],
                )
            }),
            Command::Demo => step("demo", demo::run),
            Command::Guard(mode) => step("guard", || guard::run(mode)),
            Command::Bench(options) => step("bench", || bench::run(&options)),
            Command::Conformance(options) => step("conformance", || conformance::run(&options)),
            Command::Help => {
                print!("{USAGE}");
                Ok(Outcome::Passed)
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
            Ok(_) => ExitCode::SUCCESS,
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
    fn help_is_what_is_asked_for_without_a_command_and_after_any() {
        for arguments in [&[][..], &["--help"], &["bench", "--help"], &["ci", "-h"]] {
            assert_eq!(Command::parse(arguments), Ok(Command::Help));
        }
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
