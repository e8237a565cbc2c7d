//! Real programs: whether one is on the machine, and who is told if it is not.
//!
//! A test that finds no peer returns, and so passes; its name goes into a file that the environment names, and whoever started the tests shows it.

use std::env;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::Command;
use std::thread;

/// The environment variable with the path of the file for the names of the tests that are skipped, a line for each.
pub const SKIPPED: &str = "RONDEL_SKIPPED";

/// Returns a command that runs `program`; without it on the machine `None`, and the test whose thread this is is noted as skipped.
///
/// # Panics
///
/// Panics when the note cannot be written.
#[must_use]
pub fn peer(program: &str) -> Option<Command> {
    let found = find(program);
    if found.is_none() {
        let thread = thread::current();
        let test = thread.name().unwrap_or("a test");
        note(&format!("{test} (no {program})")).expect("the file of the skipped tests is written");
    }
    found.map(Command::new)
}

fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

fn note(skipped: &str) -> io::Result<()> {
    let Some(file) = env::var_os(SKIPPED) else {
        return Ok(());
    };
    let mut file = OpenOptions::new().create(true).append(true).open(file)?;
    // In one piece: other tests write, too.
    file.write_all(format!("{skipped}\n").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_by_its_name() {
        let shell = peer("sh").expect("there is a shell");
        assert!(shell.get_program().to_string_lossy().ends_with("/sh"));
        assert_eq!(find("no such program"), None);
    }
}
