//! The shape of a source file: it opens by saying what it is, and it is short enough to be read.
//!
//! Tests of behaviour, which are not under `src`, may be longer and need no such opening.

use super::Finding;
use super::tree::Tree;

const LONGEST: usize = 500;

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree
        .ending_in(".rs")
        .filter(|(path, _)| path.contains("/src/"))
    {
        if !text.starts_with("//! ") {
            findings.push(Finding::new(
                path,
                1,
                "open the file with `//!` and one sentence that says what it is",
            ));
        }
        let lines = text.lines().count();
        if lines > LONGEST {
            let advice = format!("split the file: it has {lines} lines, and {LONGEST} is the most");
            findings.push(Finding::new(path, LONGEST + 1, advice));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::findings;
    use super::*;

    #[test]
    fn a_file_that_does_not_say_what_it_is_is_found() {
        assert_eq!(
            findings(
                check,
                &[
                    ("a/src/x.rs", "use y;\n"),
                    ("a/tests/x.rs", "use y;\n"),
                    ("a/src/y.rs", "//! It.\n")
                ]
            ),
            ["a/src/x.rs:1: open the file with `//!` and one sentence that says what it is"]
        );
    }

    #[test]
    fn a_long_file_is_found() {
        let most = format!("//! It.\n{}", "\n".repeat(LONGEST - 1));
        let more = format!("{most}\n");
        assert_eq!(
            findings(
                check,
                &[
                    ("a/src/x.rs", &most),
                    ("a/src/y.rs", &more),
                    ("a/tests/y.rs", &more)
                ]
            ),
            ["a/src/y.rs:501: split the file: it has 501 lines, and 500 is the most"]
        );
    }
}
