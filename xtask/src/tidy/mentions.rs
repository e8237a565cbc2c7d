//! What a page mentions exists: the files it links to, the paths it names, and the tests it cites.
//!
//! A test is cited as `crates/x/tests/y.rs::name` in backticks, a file or folder as its path from the root.
//! The change log is not held to this, for it tells the past; its links are.

use super::Finding;
use super::markdown::{code_spans, links, prose};
use super::source::Source;
use super::tree::Tree;

const CHANGE_LOG: &str = "CHANGELOG.md";
const FOLDERS: &[&str] = &["crates/", "docs/", "tests/", "xtask/", "benches/"];

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (page, text) in tree.ending_in(".md") {
        for (line, prose) in prose(text) {
            let mut wrong: Vec<String> = links(prose)
                .iter()
                .filter_map(|link| check_link(tree, page, link))
                .collect();
            if page != CHANGE_LOG {
                wrong.extend(code_spans(prose).filter_map(|span| check_span(tree, span)));
            }
            findings.extend(
                wrong
                    .into_iter()
                    .map(|advice| Finding::new(page, line, advice)),
            );
        }
    }
    findings
}

fn check_link(tree: &Tree, page: &str, link: &str) -> Option<String> {
    let elsewhere = link.starts_with('#') || link.starts_with("mailto:") || link.contains("://");
    let target = link.split('#').next().unwrap_or_default();
    let exists = resolve(page, target).is_some_and(|path| tree.has(&path));
    (!elsewhere && !exists).then(|| format!("mend the link: there is no `{target}` here"))
}

/// The path from the root of a link's target; `None` if it is outside.
fn resolve(page: &str, target: &str) -> Option<String> {
    let folder = page.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

fn check_span(tree: &Tree, span: &str) -> Option<String> {
    if let Some((file, item)) = span.split_once(".rs::") {
        return check_test(tree, &format!("{file}.rs"), item);
    }
    let is_path = FOLDERS.iter().any(|folder| span.starts_with(folder))
        && !span.contains([' ', '*', '<', '{']);
    (is_path && !tree.has(span)).then(|| format!("mend the path: there is no `{span}`"))
}

fn check_test(tree: &Tree, path: &str, item: &str) -> Option<String> {
    let Some(text) = tree.text(path) else {
        return Some(format!(
            "mend the name of the test: there is no file `{path}`"
        ));
    };
    let test = item.rsplit("::").next().unwrap_or(item);
    let exists =
        Source::parse(text).is_some_and(|source| source.lines_of(["fn", test]).next().is_some());
    (!exists).then(|| format!("mend the name of the test: `{path}` has no `fn {test}`"))
}

#[cfg(test)]
mod tests {
    use super::super::findings;
    use super::*;

    const TEST: (&str, &str) = (
        "crates/a/tests/order.rs",
        "#[test]\nfn first_in_first_out() {}\n// fn gone()\n",
    );

    fn found(page: &str, text: &str) -> Vec<String> {
        findings(
            check,
            &[TEST, ("docs/semantics.md", "# Rules\n"), (page, text)],
        )
    }

    #[test]
    fn what_exists_may_be_mentioned() {
        let text = "[rules](semantics.md#order), [there](../crates/a), [out](https://x.org/y), [part](#part)\n\
            `crates/a/tests/order.rs::first_in_first_out`, `crates/a/tests/`, `crates/*/src`, `tests/<situation>.rs`\n\
            ```text\n[x](nowhere.md)\n```\n";
        assert_eq!(found("docs/architecture.md", text), [""; 0]);
        assert_eq!(
            found(
                "README.md",
                "[rules](docs/semantics.md)\n\n[rules]: docs/semantics.md\n"
            ),
            [""; 0]
        );
    }

    #[test]
    fn dead_links_are_found() {
        assert_eq!(
            found(
                "docs/architecture.md",
                "# A\n[x](gone.md)\n[y]: ../../outside.md\n"
            ),
            [
                "docs/architecture.md:2: mend the link: there is no `gone.md` here",
                "docs/architecture.md:3: mend the link: there is no `../../outside.md` here",
            ]
        );
    }

    #[test]
    fn tests_that_do_not_exist_are_found() {
        assert_eq!(
            found(
                "README.md",
                "`crates/a/tests/order.rs::gone` `crates/a/tests/gone.rs::first_in_first_out`\n"
            ),
            [
                "README.md:1: mend the name of the test: `crates/a/tests/order.rs` has no `fn gone`",
                "README.md:1: mend the name of the test: there is no file `crates/a/tests/gone.rs`",
            ]
        );
    }

    #[test]
    fn paths_that_do_not_exist_are_found_except_in_the_change_log() {
        let text = "Moved from `crates/b/src/old.rs`.\n";
        assert_eq!(
            found("README.md", text),
            ["README.md:1: mend the path: there is no `crates/b/src/old.rs`"]
        );
        assert_eq!(found(CHANGE_LOG, text), [""; 0]);
    }
}
