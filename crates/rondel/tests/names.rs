//! Every name of asyncio is answered, and every name of the facade is exported once.

use std::collections::{BTreeMap, BTreeSet};

/// The public names of the `asyncio` module of CPython 3.14.
const ASYNCIO: &str = include_str!("asyncio_names.txt");
/// The page that answers each: our name for it, or why there is none.
const PAGE: &str = include_str!("../../../docs/asyncio.md");
const FACADE: &str = include_str!("../src/lib.rs");

/// How often the facade exports each name at its root.
fn exports() -> BTreeMap<&'static str, usize> {
    let mut names = BTreeMap::new();
    let root = FACADE.split("pub mod ").next().unwrap_or_default();
    for list in root.split("pub use ").skip(1) {
        let list = list.split(';').next().unwrap_or_default();
        let list = list.split_once("::").map_or(list, |(_, names)| names);
        let words = list.split(|c: char| !(c.is_alphanumeric() || c == '_'));
        for word in words.filter(|word| !word.is_empty()) {
            *names.entry(word).or_default() += 1;
        }
    }
    names
}

/// The rows of the page's tables: the words of the first column, and the second column.
fn rows() -> Vec<(BTreeSet<&'static str>, &'static str)> {
    PAGE.lines()
        .filter(|line| line.starts_with('|'))
        .filter_map(|line| {
            let mut cells = line.trim_matches('|').split(" | ");
            let words = cells
                .next()?
                .split(|c: char| !(c.is_alphanumeric() || c == '_'));
            Some((words.collect(), cells.next()?.trim()))
        })
        .collect()
}

fn is_answered(answer: &str) -> bool {
    !answer.starts_with("not yet") && !answer.starts_with("none") && !answer.is_empty()
}

#[test]
fn the_page_answers_every_name_of_asyncio() {
    let rows = rows();
    let silent: Vec<&str> = ASYNCIO
        .lines()
        .filter(|name| {
            !rows
                .iter()
                .any(|(words, answer)| words.contains(name) && !answer.is_empty())
        })
        .collect();
    assert!(
        silent.is_empty(),
        "docs/asyncio.md says nothing of {silent:?}"
    );
}

#[test]
fn what_the_facade_has_of_asyncio_the_page_does_not_deny() {
    let (rows, exports) = (rows(), exports());
    let denied: Vec<&str> = ASYNCIO
        .lines()
        .filter(|name| exports.contains_key(name))
        .filter(|name| {
            !rows
                .iter()
                .any(|(words, answer)| words.contains(name) && is_answered(answer))
        })
        .collect();
    assert!(
        denied.is_empty(),
        "docs/asyncio.md denies {denied:?}, which the facade exports"
    );
}

#[test]
fn every_name_is_exported_once() {
    let twice: Vec<_> = exports()
        .into_iter()
        .filter(|(_, count)| *count > 1)
        .collect();
    assert!(
        twice.is_empty(),
        "the facade exports these more than once: {twice:?}"
    );
}
