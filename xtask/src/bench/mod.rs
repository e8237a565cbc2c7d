//! `cargo xtask bench`: the comparison with other runtimes.
//!
//! What is measured, and how, is known to the binaries of `benches`; they write a line of JSON for each figure.
//! Here they are built and run, and their figures shown: as a table by `table`, as a drawing by `plot`, in the documentation by `page`.

mod figure;
mod page;
mod plot;
mod table;

use std::fs;

use serde_json::Value;

use crate::steps::{cargo_command, output};
use crate::workspace;
use figure::Figure;

/// The binaries that measure.
const BINARIES: &[&str] = &["time", "memory", "echo"];

/// What to measure, and what to do with the figures besides printing them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    quick: bool,
    plot: bool,
    page: bool,
    only: String,
    json: Option<String>,
}

impl Options {
    /// Reads the arguments after the command.
    pub(crate) fn parse(arguments: &[&str]) -> Result<Self, String> {
        let mut options = Options::default();
        let mut arguments = arguments.iter().copied();
        while let Some(name) = arguments.next() {
            let mut value = || {
                let value = arguments.next().map(str::to_owned);
                value.ok_or_else(|| format!("{name} needs a value"))
            };
            match name {
                "--quick" => options.quick = true,
                "--plot" => options.plot = true,
                "--page" => options.page = true,
                "--only" => options.only = value()?,
                "--json" => options.json = Some(value()?),
                _ => return Err(format!("unknown argument: bench {name}")),
            }
        }
        let is_partial = options.quick || !options.only.is_empty();
        if is_partial && (options.plot || options.page) {
            return Err(
                "bench --plot and --page need all figures: leave out --quick and --only".to_owned(),
            );
        }
        Ok(options)
    }

    fn rounds(&self) -> &'static str {
        if self.quick { "1" } else { "5" }
    }
}

/// Measures, and shows the figures.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    let mut figures = Vec::new();
    for binary in BINARIES {
        figures.extend(measure(binary, options)?);
    }
    if figures.is_empty() {
        return Err(format!("no row has {:?} in its name", options.only));
    }
    print!("{}", table::draw(&figures));
    for (peer, why) in figure::skipped(&figures) {
        println!("skipped: {peer}: {why}");
    }
    if let Some(path) = &options.json {
        let list: Value = figures.iter().filter_map(Figure::to_json).collect();
        write(path, &format!("{list:#}\n"))?;
    }
    let path = |name: &str| workspace().join("docs").join(name).display().to_string();
    if options.plot {
        write(&path("performance.svg"), &plot::draw(&figures))?;
    }
    if options.page {
        let path = path("performance.md");
        let text =
            fs::read_to_string(&path).map_err(|error| format!("{path} cannot be read: {error}"))?;
        write(&path, &page::update(&text, &figures, &page::machine())?)?;
    }
    Ok(())
}

fn measure(binary: &str, options: &Options) -> Result<Vec<Figure>, String> {
    let lines = output(&mut cargo_command(&[
        "run",
        "--quiet",
        "--release",
        "--package",
        "rondel-bench",
        "--features",
        "peers",
        "--bin",
        binary,
        "--",
        "--rounds",
        options.rounds(),
        "--only",
        &options.only,
    ]))?;
    lines.lines().map(Figure::parse).collect()
}

fn write(path: &str, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("{path} cannot be written: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_have_defaults() {
        let options = Options::parse(&[]).expect("nothing has to be given");
        assert_eq!((options.rounds(), options.only.as_str()), ("5", ""));
        let options = Options::parse(&["--quick", "--only", "spawn", "--json", "x"]);
        let options = options.expect("these are known");
        assert_eq!((options.rounds(), options.only.as_str()), ("1", "spawn"));
        assert_eq!(options.json.as_deref(), Some("x"));
    }

    #[test]
    fn wrong_options_are_errors() {
        for (arguments, complaint) in [
            (&["--only"][..], "--only needs a value"),
            (&["--fast"], "unknown argument: bench --fast"),
            (
                &["--quick", "--plot"],
                "bench --plot and --page need all figures: leave out --quick and --only",
            ),
        ] {
            assert_eq!(Options::parse(arguments), Err(complaint.to_owned()));
        }
    }
}
