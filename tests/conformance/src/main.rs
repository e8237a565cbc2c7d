//! The runner: reads scenario programs and prints their traces.
//!
//! `rondel-conformance --jsonl` reads one program a line on stdin and prints for each one line
//! `{"name": NAME, "trace": [LINE, ...]}`; `rondel-conformance FILE...` prints the traces of files, each headed `# NAME`.
//! A program that cannot be run ends it with an error and exit status 2.

#![forbid(unsafe_code)]

use std::env;
use std::error::Error;
use std::fs;
use std::io::{self, BufRead, Write};
use std::process::ExitCode;

use rondel_conformance::{Program, run};
use serde::Serialize;

#[derive(Serialize)]
struct Traced {
    name: String,
    trace: Vec<String>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let done = match arguments.as_slice() {
        [] => Err(
            "usage: rondel-conformance --jsonl < PROGRAMS, or rondel-conformance FILE...".into(),
        ),
        [only] if only == "--jsonl" => run_lines(io::stdin().lock(), io::stdout().lock()),
        files => files.iter().try_for_each(|file| run_file(file)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn traced(program: &str) -> Result<Traced, Box<dyn Error>> {
    let program: Program = serde_json::from_str(program)?;
    let name = program.name().to_owned();
    let trace = run(program)?;
    Ok(Traced { name, trace })
}

fn run_lines(programs: impl BufRead, mut traces: impl Write) -> Result<(), Box<dyn Error>> {
    for line in programs.lines() {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        serde_json::to_writer(&mut traces, &traced(&line)?)?;
        traces.write_all(b"\n")?;
        // Whoever compares line by line waits for it.
        traces.flush()?;
    }
    Ok(())
}

fn run_file(path: &str) -> Result<(), Box<dyn Error>> {
    let text = fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    let Traced { name, trace } = traced(&text).map_err(|error| format!("{path}: {error}"))?;
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "# {name}")?;
    trace
        .iter()
        .try_for_each(|line| writeln!(stdout, "{line}"))?;
    Ok(())
}
