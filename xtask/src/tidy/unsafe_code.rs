//! Every file with unsafe code stands in the table of `docs/architecture.md`, and every file in the table has some.

use std::collections::BTreeMap;

use super::Finding;
use super::markdown::{Table, code_spans};
use super::source::Source;
use super::tree::Tree;

const PAGE: &str = "docs/architecture.md";

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut found: BTreeMap<&str, usize> = BTreeMap::new();
    for (path, text) in tree.ending_in(".rs") {
        let line = Source::parse(text).and_then(|source| source.lines_of(["unsafe"]).next());
        found.extend(line.map(|line| (path, line)));
    }
    let page = tree.text(PAGE).unwrap_or_default();
    if found.is_empty() && !page.lines().any(|line| line.trim() == "## Unsafe") {
        return Vec::new();
    }
    let table = match Table::under(page, "Unsafe", &["file", "why", "held by"]) {
        Ok(table) => table,
        Err((line, advice)) => {
            let mut findings = unlisted(found);
            findings.push(Finding::new(PAGE, line, advice));
            return findings;
        }
    };
    let mut findings = Vec::new();
    for row in &table.rows {
        let Some(path) = code_spans(table.cell(row, "file")).next() else {
            findings.push(Finding::new(
                PAGE,
                row.line,
                "begin the row with the path of a file in backticks",
            ));
            continue;
        };
        if found.remove(path).is_none() {
            findings.push(Finding::new(
                PAGE,
                row.line,
                format!("remove `{path}`: it is listed twice or has no unsafe code"),
            ));
        }
        for column in ["why", "held by"] {
            if table.cell(row, column).is_empty() {
                findings.push(Finding::new(
                    PAGE,
                    row.line,
                    format!("fill in the column `{column}`"),
                ));
            }
        }
    }
    findings.extend(unlisted(found));
    findings
}

fn unlisted(files: BTreeMap<&str, usize>) -> Vec<Finding> {
    let advice =
        format!("do without unsafe code, or give the file a row under `## Unsafe` of {PAGE}");
    files
        .into_iter()
        .map(|(path, line)| Finding::new(path, line, &*advice))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::findings;
    use super::*;

    const SAFE: (&str, &str) = (
        "a/src/safe.rs",
        "//! No unsafe.\n#![forbid(unsafe_code)]\nfn f() { \"unsafe\"; }\n",
    );
    const UNSAFE: (&str, &str) = (
        "a/src/cell.rs",
        "//! It.\nfn f() {\n    unsafe { g() }\n}\n",
    );

    fn page(rows: &str) -> String {
        format!("## Unsafe\n| file | why | held by |\n| --- | --- | --- |\n{rows}")
    }

    #[test]
    fn a_page_without_table_is_fine_without_unsafe_code() {
        assert_eq!(
            findings(check, &[SAFE, (PAGE, "# Architecture\n")]),
            [""; 0]
        );
        assert_eq!(
            findings(check, &[UNSAFE, (PAGE, "# Architecture\n")]),
            [
                "a/src/cell.rs:3: do without unsafe code, or give the file a row under `## Unsafe` of docs/architecture.md",
                "docs/architecture.md:1: write a heading `## Unsafe` with a table under it",
            ]
        );
    }

    #[test]
    fn a_file_in_the_table_is_fine() {
        let page = page("| `a/src/cell.rs` | speed | a test |\n");
        assert_eq!(findings(check, &[SAFE, UNSAFE, (PAGE, &page)]), [""; 0]);
    }

    #[test]
    fn a_file_that_is_not_in_the_table_is_found() {
        assert_eq!(
            findings(check, &[UNSAFE, (PAGE, &page(""))]),
            [
                "a/src/cell.rs:3: do without unsafe code, or give the file a row under `## Unsafe` of docs/architecture.md"
            ]
        );
    }

    #[test]
    fn a_row_that_is_not_true_is_found() {
        let page = page(
            "| `a/src/safe.rs` | speed | a test |\n| a/src/cell.rs | speed | a test |\n| `a/src/cell.rs` | | |\n",
        );
        assert_eq!(
            findings(check, &[SAFE, UNSAFE, (PAGE, &page)]),
            [
                "docs/architecture.md:4: remove `a/src/safe.rs`: it is listed twice or has no unsafe code",
                "docs/architecture.md:5: begin the row with the path of a file in backticks",
                "docs/architecture.md:6: fill in the column `held by`",
                "docs/architecture.md:6: fill in the column `why`",
            ]
        );
    }
}
