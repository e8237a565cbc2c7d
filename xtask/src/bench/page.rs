//! The part of `docs/performance.md` that is written by a full run: the machine, the versions and the table, between two marks.

use std::fs;
use std::process::Command;

use super::figure::{Figure, skipped};
use super::table;
use crate::steps::output;
use crate::workspace;

const BEGIN: &str = "<!-- figures: begin -->\n";
const END: &str = "<!-- figures: end -->\n";

/// The peers whose versions the page names.
const PEERS: &[&str] = &["tokio", "smol", "futures", "monoio", "glommio", "compio"];

/// Puts the figures into the page.
pub(crate) fn update(page: &str, figures: &[Figure], machine: &str) -> Result<String, String> {
    let marks = page.split_once(BEGIN).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(END)?;
        Some((before, after))
    });
    let (before, after) = marks.ok_or_else(|| {
        let (begin, end) = (BEGIN.trim(), END.trim());
        format!("docs/performance.md has no `{begin}` with `{end}` after it")
    })?;
    let skipped: String = skipped(figures)
        .iter()
        .map(|(peer, why)| format!("\nSkipped: {peer}: {why}.\n"))
        .collect();
    let table = table::draw(figures);
    Ok(format!(
        "{before}{BEGIN}{machine}\n{table}{skipped}{END}{after}"
    ))
}

/// What it was measured on and with.
pub(crate) fn machine() -> String {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let models: Vec<&str> = cpuinfo
        .lines()
        .filter_map(|line| line.strip_prefix("model name"))
        .filter_map(|line| line.split(':').nth(1))
        .map(str::trim)
        .collect();
    let ask = |program: &str, argument: &str| {
        output(Command::new(program).arg(argument)).unwrap_or_default()
    };
    let lock = fs::read_to_string(workspace().join("Cargo.lock")).unwrap_or_default();
    let peers: Vec<String> = PEERS
        .iter()
        .map(|peer| format!("{peer} {}", version(&lock, peer).unwrap_or("?")))
        .collect();
    format!(
        "{} x {}, Linux {}, {}.\n{}.\n",
        models.len(),
        models.first().unwrap_or(&"unknown processor"),
        ask("uname", "-r").trim(),
        ask("rustc", "--version").trim(),
        peers.join(", "),
    )
}

/// The version of a package in `Cargo.lock`.
fn version<'a>(lock: &'a str, package: &str) -> Option<&'a str> {
    let (_, rest) = lock.split_once(&format!("name = \"{package}\"\nversion = \""))?;
    rest.split('"').next()
}

#[cfg(test)]
mod tests {
    use super::super::figure::sample;
    use super::*;

    #[test]
    fn what_stands_between_the_marks_is_replaced() {
        let page = format!("before\n{BEGIN}old\n{END}after\n");
        let page = update(&page, &sample(), "a machine\n").expect("the marks are there");
        assert!(page.starts_with(&format!("before\n{BEGIN}a machine\n\n| row ")));
        assert!(page.ends_with(&format!("|\n\nSkipped: deaf: it cannot.\n{END}after\n")));
        let again = update(&page, &sample(), "a machine\n");
        assert_eq!(again, Ok(page));
    }

    #[test]
    fn a_page_without_marks_is_an_error() {
        let error = update("text", &[], "").expect_err("there are no marks");
        assert!(error.contains("<!-- figures: begin -->"), "{error}");
    }

    #[test]
    fn versions_are_read_from_the_lock_file() {
        let lock = "[[package]]\nname = \"tokio\"\nversion = \"1.54.1\"\nsource = \"x\"\n";
        assert_eq!(version(lock, "tokio"), Some("1.54.1"));
        assert_eq!(version(lock, "smol"), None);
    }
}
