//! `cargo xtask test`: all tests, and the names of those that were skipped because a program they talk to is not on the machine.
//!
//! Such a test passes; it writes its name into a file that `rondel_programs::peer` is told of by the environment.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rondel_programs::SKIPPED;

use crate::steps::{Outcome, cargo};
use crate::workspace;

/// Runs the tests of the workspace.
pub(crate) fn test() -> Result<Outcome, String> {
    let file = file();
    let complaint = |error: io::Error| format!("{}: {error}", file.display());
    prepare(&file).map_err(complaint)?;
    let path = file
        .to_str()
        .ok_or_else(|| format!("{} is not UTF-8", file.display()))?;
    cargo(&["test", "--workspace"], &[(SKIPPED, path)])?;
    let skipped = read(&file).map_err(complaint)?;
    Ok(match skipped.is_empty() {
        true => Outcome::Passed,
        false => Outcome::PassedWithout(skipped),
    })
}

fn file() -> PathBuf {
    workspace().join("target").join("skipped-tests.txt")
}

/// Makes the file, empty.
fn prepare(file: &Path) -> io::Result<()> {
    file.parent().map_or(Ok(()), fs::create_dir_all)?;
    fs::write(file, "")
}

/// The lines of the file in their order, each once: tests run in any order.
fn read(file: &Path) -> io::Result<Vec<String>> {
    let text = fs::read_to_string(file)?;
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines.dedup();
    Ok(lines)
}
