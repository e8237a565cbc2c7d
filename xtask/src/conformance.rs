//! `cargo xtask conformance`: random scenario programs, run by CPython and by us; their traces have to be the same.
//!
//! The programs and what runs them are in `tests/conformance`, whose `README.md` tells what a program is.
//! Starting the two sides and asking them for traces is the work of `side`, making a program smaller that of `shrink`, showing a difference that of `difference`.

mod difference;
mod record;
mod shrink;
mod side;

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::workspace;
use difference::Difference;
use side::Side;

/// What to compare, and with which Python.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    seed: String,
    count: u32,
    size: u32,
    wild: bool,
    python: String,
    record: bool,
}

impl Options {
    /// Reads the arguments after the command.
    pub(crate) fn parse(arguments: &[&str]) -> Result<Self, String> {
        let mut options = Options {
            seed: "1".to_owned(),
            count: 1000,
            size: 6,
            wild: false,
            python: "python3.13".to_owned(),
            record: false,
        };
        let mut arguments = arguments.iter().copied();
        while let Some(name) = arguments.next() {
            let mut value = || {
                arguments
                    .next()
                    .ok_or_else(|| format!("{name} needs a value"))
            };
            match name {
                "--seed" => options.seed = value()?.to_owned(),
                "--count" => options.count = number(name, value()?)?,
                "--size" => options.size = number(name, value()?)?,
                "--python" => options.python = value()?.to_owned(),
                "--wild" => options.wild = true,
                "--record" => options.record = true,
                _ => return Err(format!("unknown argument: conformance {name}")),
            }
        }
        Ok(options)
    }

    fn generator(&self) -> &'static str {
        if self.wild {
            "generate_wild.py"
        } else {
            "generate.py"
        }
    }
}

fn number(name: &str, value: &str) -> Result<u32, String> {
    value
        .parse()
        .map_err(|_| format!("{name} needs a number, and {value} is none"))
}

/// Compares the programs one by one, and fails at the first whose traces differ.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    let programs = generate(options)?;
    let mut sides = Sides::start(&options.python)?;
    let (mut lines, mut traces) = (0, Vec::new());
    for program in &programs {
        match sides.compare(program)? {
            Ok(trace) => {
                lines += trace.len();
                traces.push(trace);
            }
            Err(_) => {
                let small = shrink::shrink(program.clone(), |program| sides.differ(program));
                let difference = match sides.compare(&small)? {
                    Err(difference) => difference,
                    Ok(_) => return Err("a difference comes and goes".to_owned()),
                };
                println!("{difference}");
                return Err(format!("{} has different traces", program["name"]));
            }
        }
    }
    println!(
        "{} programs, {lines} lines of trace: the same",
        programs.len()
    );
    if options.record {
        let path = record::write(options, &programs, &traces)?;
        println!("recorded in {}", path.display());
    }
    Ok(())
}

/// The two that run programs.
struct Sides {
    cpython: Side,
    rondel: Side,
}

impl Sides {
    fn start(python: &str) -> Result<Self, String> {
        check_version(python)?;
        Ok(Self {
            cpython: Side::cpython(python, &folder().join("reference.py"))?,
            rondel: Side::rondel()?,
        })
    }

    /// Runs a program on both sides; gives the trace if it is the same.
    ///
    /// The error is that one of them cannot run it.
    fn compare(&mut self, program: &Value) -> Result<Result<Vec<String>, Difference>, String> {
        let compared = self.compare_once(program)?;
        if compared.is_ok() {
            return Ok(compared);
        }
        // A program that ended in a deadlock leaves coroutines behind, and when CPython collects these their clean-up may
        // meddle with a later program. Only what a fresh interpreter says counts.
        self.cpython.restart();
        self.compare_once(program)
    }

    fn compare_once(&mut self, program: &Value) -> Result<Result<Vec<String>, Difference>, String> {
        self.cpython.send(program)?;
        self.rondel.send(program)?;
        // Both are asked before one of them is said to have failed, so that they stay in step.
        let (cpython, rondel) = (self.cpython.trace(), self.rondel.trace());
        let (cpython, rondel) = (cpython?, rondel?);
        Ok(if cpython == rondel {
            Ok(cpython)
        } else {
            Err(Difference {
                program: program.clone(),
                cpython,
                rondel,
            })
        })
    }

    /// Says whether both sides run the program, and differently.
    fn differ(&mut self, program: &Value) -> bool {
        matches!(self.compare(program), Ok(Err(_)))
    }
}

fn folder() -> PathBuf {
    workspace().join("tests").join("conformance")
}

fn generate(options: &Options) -> Result<Vec<Value>, String> {
    let output = python(
        Command::new(&options.python)
            .arg(folder().join(options.generator()))
            .args([&options.seed, &options.count.to_string()])
            .arg(options.size.to_string()),
    )?;
    let programs = output.lines().map(serde_json::from_str);
    let programs: Result<Vec<Value>, _> = programs.collect();
    programs.map_err(|error| format!("{} writes no programs: {error}", options.generator()))
}

/// CPython changes the order of events now and then: the traces to be matched are those of 3.13.
fn check_version(path: &str) -> Result<(), String> {
    let version = "import sys; print(sys.implementation.name, *sys.version_info[:2])";
    match python(Command::new(path).args(["-c", version]))?.trim() {
        "cpython 3 13" => Ok(()),
        other => Err(format!(
            "{path} is {other}: name a CPython 3.13 with --python"
        )),
    }
}

/// Runs Python, and gives what it prints.
fn python(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| {
        let program = command.get_program().display();
        format!("{program} cannot be started: {error}; name a CPython 3.13 with --python")
    })?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_have_defaults() {
        let options = Options::parse(&[]).expect("nothing has to be given");
        assert_eq!(
            (options.count, options.size, options.wild),
            (1000, 6, false)
        );
        let options = Options::parse(&["--seed", "x", "--size", "12", "--wild"]);
        let options = options.expect("these are known");
        assert_eq!((options.seed.as_str(), options.size), ("x", 12));
        assert_eq!(options.generator(), "generate_wild.py");
    }

    #[test]
    fn wrong_options_are_errors() {
        for (arguments, complaint) in [
            (["--count", "x"], "--count needs a number, and x is none"),
            (["--wild", "--seed"], "--seed needs a value"),
            (["--wild", "--fast"], "unknown argument: conformance --fast"),
        ] {
            assert_eq!(Options::parse(&arguments), Err(complaint.to_owned()));
        }
    }
}
