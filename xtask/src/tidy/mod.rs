//! `cargo xtask tidy`: the rules of this workspace that neither compiler nor clippy checks.
//!
//! Each check is a function from the [`Tree`] to what it found, in a file of its own; it reads nothing else, so it is tested on trees of a few lines.
//! A finding says where it is and what to do.

mod depends;
mod leftovers;
mod lints;
mod machine_paths;
mod markdown;
mod mentions;
mod shape;
mod source;
mod tree;
mod unsafe_code;

use std::fmt;
use std::path::Path;

use tree::Tree;

/// A place where a rule is broken.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    path: String,
    line: usize,
    advice: String,
}

impl Finding {
    fn new(path: &str, line: usize, advice: impl Into<String>) -> Self {
        Finding {
            path: path.to_owned(),
            line,
            advice: advice.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.advice)
    }
}

type Check = fn(&Tree) -> Vec<Finding>;

const CHECKS: &[Check] = &[
    depends::check,
    leftovers::check,
    lints::check,
    machine_paths::check,
    mentions::check,
    shape::check,
    unsafe_code::check,
];

/// Makes all checks on the workspace at `root` and prints what they find.
pub(crate) fn run(root: &Path) -> Result<(), String> {
    let tree =
        Tree::read(root).map_err(|error| format!("the workspace cannot be read: {error}"))?;
    let mut findings: Vec<Finding> = CHECKS.iter().flat_map(|check| check(&tree)).collect();
    findings.sort();
    for finding in &findings {
        eprintln!("{finding}");
    }
    match findings.len() {
        0 => Ok(()),
        1 => Err("1 place needs tidying".to_owned()),
        places => Err(format!("{places} places need tidying")),
    }
}

/// Makes one check on a tree in memory and gives its findings as text.
#[cfg(test)]
fn findings(check: Check, files: &[(&str, &str)]) -> Vec<String> {
    let mut findings = check(&Tree::of(files));
    findings.sort();
    findings.iter().map(Finding::to_string).collect()
}
