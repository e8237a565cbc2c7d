//! `cargo xtask guard`: the core of rondel takes no more instructions than were recorded.
//!
//! The workloads are those of the binary `guard` of `benches`; callgrind counts the instructions of each, which is the same number every time.
//! The recorded numbers are in `benches/guard.json`, together with the compiler that they belong to: another one compiles to other instructions, and is not judged.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::steps::{Outcome, cargo_command, output};
use crate::workspace;

/// How many instructions each workload took.
type Counts = BTreeMap<String, u64>;

/// Makes cargo start what it has built under callgrind, which counts inside one function only.
const RUNNER: &str = "target.'cfg(all())'.runner = ['valgrind', '--tool=callgrind', \
    '--callgrind-out-file=/dev/null', '--toggle-collect=*guard::collected*']";

/// What to do with the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Compare,
    Record,
}

/// Counts, and compares with what is recorded or records it.
pub(crate) fn run(mode: Mode) -> Result<Outcome, String> {
    if Command::new("valgrind").arg("--version").output().is_err() {
        return match mode {
            Mode::Compare => Ok(Outcome::Skipped("valgrind is not installed".to_owned())),
            Mode::Record => Err("valgrind is not installed".to_owned()),
        };
    }
    let compiler = output(Command::new("rustc").arg("--version"))?;
    let compiler = compiler.trim();
    if mode == Mode::Record {
        let record = json!({ "rustc": compiler, "instructions": count_all()? });
        return fs::write(path(), format!("{record:#}\n"))
            .map(|()| Outcome::Passed)
            .map_err(|error| format!("{FILE} cannot be written: {error}"));
    }
    let text = fs::read_to_string(path()).map_err(|error| {
        format!("{FILE} cannot be read: {error}; `cargo xtask guard --record` writes it")
    })?;
    let (recorded_by, recorded) = parse(&text)?;
    if recorded_by != compiler {
        let why = format!("recorded with {recorded_by}, and this is {compiler}");
        return Ok(Outcome::Skipped(why));
    }
    compare(&recorded, &count_all()?).map(|()| Outcome::Passed)
}

const FILE: &str = "benches/guard.json";

fn path() -> PathBuf {
    workspace().join(FILE)
}

/// The compiler and the numbers of the file.
fn parse(text: &str) -> Result<(String, Counts), String> {
    let record: Value =
        serde_json::from_str(text).map_err(|error| format!("{FILE} is no JSON: {error}"))?;
    let compiler = record["rustc"].as_str();
    let compiler = compiler.ok_or_else(|| format!("{FILE} does not name its rustc"))?;
    let counts = record["instructions"].as_object().into_iter().flatten();
    let counts = counts.map(|(name, count)| {
        let count = count.as_u64();
        let count = count.ok_or_else(|| format!("{FILE} has no number for {name}"))?;
        Ok((name.clone(), count))
    });
    Ok((compiler.to_owned(), counts.collect::<Result<_, String>>()?))
}

fn count_all() -> Result<Counts, String> {
    let names = output(&mut guard(&[], None))?;
    let counts = names.lines().map(|name| {
        let count = count(name)?;
        eprintln!("   {name}: {count} instructions");
        Ok((name.to_owned(), count))
    });
    counts.collect()
}

/// Runs a workload under callgrind.
fn count(name: &str) -> Result<u64, String> {
    let output = guard(&["--config", RUNNER], Some(name))
        .output()
        .map_err(|error| format!("cargo cannot be started: {error}"))?;
    let log = String::from_utf8_lossy(&output.stderr);
    let count = collected(&log).filter(|_| output.status.success());
    count.ok_or_else(|| format!("callgrind counted nothing for {name}:\n{log}"))
}

/// The command that builds the guard, and runs a workload of it or names them all.
fn guard(options: &[&str], workload: Option<&str>) -> Command {
    let package = ["--package", "rondel-bench", "--bin", "guard"];
    let mut arguments = vec!["run", "--quiet", "--release"];
    arguments.extend(package);
    arguments.extend(options);
    arguments.push("--");
    arguments.extend(workload);
    cargo_command(&arguments)
}

/// Finds the number in what callgrind says, unless it is zero.
fn collected(log: &str) -> Option<u64> {
    let line = log.lines().find(|line| line.contains("Collected :"))?;
    let count = line.rsplit(':').next()?.trim().parse().ok()?;
    (count > 0).then_some(count)
}

/// Complains of every workload that takes over 5 % more than recorded, and of one that only one side knows.
fn compare(recorded: &Counts, counted: &Counts) -> Result<(), String> {
    let mut complaints = Vec::new();
    for (name, &count) in counted {
        match recorded.get(name) {
            None => complaints.push(format!("{name} is not recorded")),
            Some(&before) if count > before + before / 20 => {
                let percent = (count as f64 / before as f64 - 1.0) * 100.0;
                complaints.push(format!(
                    "{name} takes {count} instructions, {percent:.1} % more than the {before} recorded"
                ));
            }
            Some(_) => {}
        }
    }
    let gone = recorded.keys().filter(|name| !counted.contains_key(*name));
    complaints.extend(gone.map(|name| format!("{name} is recorded and does not exist")));
    if complaints.is_empty() {
        return Ok(());
    }
    let complaints = complaints.join("\n  ");
    Err(format!(
        "\n  {complaints}\nwhere that is meant, `cargo xtask guard --record` records it"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(counts: &[(&str, u64)]) -> Counts {
        let counts = counts.iter().map(|&(name, count)| (name.to_owned(), count));
        counts.collect()
    }

    #[test]
    fn what_is_recorded_can_be_read() {
        let text = std::fs::read_to_string(path()).expect("the file is there");
        let (compiler, counts) = parse(&text).expect("it is what was written");
        assert!(compiler.starts_with("rustc "), "{compiler}");
        assert!(counts.len() >= 8 && counts.values().all(|&count| count > 100_000));
    }

    #[test]
    fn a_file_that_is_something_else_is_an_error() {
        for (text, complaint) in [
            ("", "benches/guard.json is no JSON: "),
            ("{}", "benches/guard.json does not name its rustc"),
            (
                r#"{"rustc": "x", "instructions": {"a": "b"}}"#,
                "benches/guard.json has no number for a",
            ),
        ] {
            let error = parse(text).expect_err("it is wrong");
            assert!(error.starts_with(complaint), "{error}");
        }
    }

    #[test]
    fn only_more_than_five_percent_is_a_complaint() {
        let recorded = counts(&[("a", 1000), ("b", 1000)]);
        assert_eq!(
            compare(&recorded, &counts(&[("a", 1050), ("b", 1)])),
            Ok(())
        );
        let error = compare(&recorded, &counts(&[("a", 1051), ("b", 1000)]));
        let error = error.expect_err("it is more");
        let complaint = "a takes 1051 instructions, 5.1 % more than the 1000 recorded";
        assert!(error.contains(complaint), "{error}");
    }

    #[test]
    fn what_only_one_side_knows_is_a_complaint() {
        let error = compare(&counts(&[("a", 1)]), &counts(&[("b", 1)]));
        let error = error.expect_err("they differ");
        for complaint in ["b is not recorded", "a is recorded and does not exist"] {
            assert!(error.contains(complaint), "{error}");
        }
    }

    #[test]
    fn the_number_is_found_in_the_log() {
        let log = "==7== Events    : Ir\n==7== Collected : 8771974\n==7==\n";
        assert_eq!(collected(log), Some(8_771_974));
        assert_eq!(collected("==7== Collected : 0"), None);
        assert_eq!(collected("valgrind: no"), None);
    }
}
