//! `cargo xtask demo`: shows the seed programs, one after another.
//!
//! What each must print, and how it is run, is known to `rondel-seeds`.

use std::path::Path;

use rondel_seeds::{PROGRAMS, Program, build_examples};

/// Runs every program with a heading and its output, and fails if one fails or prints something else.
pub(crate) fn run() -> Result<(), String> {
    let examples = build_examples().map_err(|error| error.to_string())?;
    let mut failed = Vec::new();
    for program in PROGRAMS {
        println!("\n{}\n{}", program.name, "-".repeat(program.name.len()));
        if let Err(reason) = show(program, &examples) {
            println!("FAILED: {reason}");
            failed.push(program.name);
        }
    }
    println!();
    if failed.is_empty() {
        println!(
            "{} programs ran, and each printed what it should",
            PROGRAMS.len()
        );
        return Ok(());
    }
    Err(format!(
        "{} of {} programs failed: {}",
        failed.len(),
        PROGRAMS.len(),
        failed.join(", ")
    ))
}

fn show(program: &Program, examples: &Path) -> Result<(), String> {
    let transcript = program
        .run(examples, &mut |line| println!("{line}"))
        .map_err(|error| error.to_string())?;
    program
        .check(&transcript)
        .map_err(|mismatch| mismatch.to_string())
}
