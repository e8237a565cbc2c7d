//! Every dependency of a crate of ours stands in the table of `docs/architecture.md`, and every one in the table is a dependency.
//!
//! Dev-dependencies are free: they bend no layer.

use std::collections::BTreeSet;

use super::Finding;
use super::markdown::{Table, code_spans};
use super::tree::Tree;

const PAGE: &str = "docs/architecture.md";

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let table = match Table::under(
        tree.text(PAGE).unwrap_or_default(),
        "Crates",
        &["crate", "may depend on"],
    ) {
        Ok(table) => table,
        Err((line, advice)) => return vec![Finding::new(PAGE, line, advice)],
    };
    let mut findings = Vec::new();
    let mut listed = BTreeSet::new();
    for row in &table.rows {
        let Some(name) = code_spans(table.cell(row, "crate")).next() else {
            findings.push(Finding::new(
                PAGE,
                row.line,
                "begin the row with the name of a crate in backticks",
            ));
            continue;
        };
        if !listed.insert(name) {
            findings.push(Finding::new(
                PAGE,
                row.line,
                format!("remove the second row of `{name}`"),
            ));
            continue;
        }
        let path = format!("crates/{name}/Cargo.toml");
        let Some(manifest) = tree.text(&path) else {
            findings.push(Finding::new(
                PAGE,
                row.line,
                format!("remove the row of `{name}`: there is no {path}"),
            ));
            continue;
        };
        let used = match dependencies(manifest) {
            Ok(used) => used,
            Err(error) => {
                findings.push(Finding::new(
                    &path,
                    1,
                    format!("mend the manifest: {error}"),
                ));
                continue;
            }
        };
        let allowed: BTreeSet<String> = code_spans(table.cell(row, "may depend on"))
            .map(str::to_owned)
            .collect();
        for dependency in used.difference(&allowed) {
            let advice = format!(
                "remove the dependency `{dependency}`, or allow it under `## Crates` of {PAGE}"
            );
            findings.push(Finding::new(&path, line_of(manifest, dependency), advice));
        }
        for dependency in allowed.difference(&used) {
            let advice = format!("remove `{dependency}`: `{name}` does not depend on it");
            findings.push(Finding::new(PAGE, row.line, advice));
        }
    }
    for (path, _) in tree.ending_in("/Cargo.toml") {
        if let Some(name) = path
            .strip_prefix("crates/")
            .and_then(|rest| rest.strip_suffix("/Cargo.toml"))
            && !listed.contains(name)
        {
            findings.push(Finding::new(
                path,
                1,
                format!("give `{name}` a row under `## Crates` of {PAGE}"),
            ));
        }
    }
    findings
}

/// The packages that a crate needs to be built, on any platform.
fn dependencies(manifest: &str) -> Result<BTreeSet<String>, toml::de::Error> {
    let manifest: toml::Table = manifest.parse()?;
    let platforms = manifest.get("target").and_then(toml::Value::as_table);
    let platforms = platforms
        .into_iter()
        .flat_map(toml::Table::values)
        .filter_map(toml::Value::as_table);
    let mut names = BTreeSet::new();
    for part in platforms.chain([&manifest]) {
        for kind in ["dependencies", "build-dependencies"] {
            let dependencies = part.get(kind).and_then(toml::Value::as_table);
            for (name, dependency) in dependencies.into_iter().flatten() {
                let package = dependency.get("package").and_then(toml::Value::as_str);
                names.insert(package.unwrap_or(name).to_owned());
            }
        }
    }
    Ok(names)
}

fn line_of(manifest: &str, dependency: &str) -> usize {
    let place = manifest
        .lines()
        .position(|line| line.starts_with(dependency));
    place.map_or(1, |index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::super::findings;
    use super::*;

    const TABLE: &str = "## Crates\n\n| crate | owns | may depend on |\n| --- | --- | --- |\n| `low` | x | - |\n| `high` | y | `low`, `tracing` |\n";
    const LOW: &str = "[package]\nname = \"low\"\n[dev-dependencies]\nproptest = \"1\"\n";
    const HIGH: &str = "[dependencies]\nlow.workspace = true\n[target.'cfg(unix)'.dependencies]\ntracing = \"0.1\"\n";

    fn check_with(table: &str, low: &str, high: &str) -> Vec<String> {
        findings(
            check,
            &[
                (PAGE, table),
                ("crates/low/Cargo.toml", low),
                ("crates/high/Cargo.toml", high),
            ],
        )
    }

    #[test]
    fn manifests_that_fit_the_table_are_tidy() {
        assert_eq!(check_with(TABLE, LOW, HIGH), [""; 0]);
    }

    #[test]
    fn a_dependency_that_is_not_in_the_table_is_found() {
        let low = "[package]\nname = \"low\"\n\n[dependencies]\nhigh.workspace = true\n";
        assert_eq!(
            check_with(TABLE, low, HIGH),
            [
                "crates/low/Cargo.toml:5: remove the dependency `high`, or allow it under `## Crates` of docs/architecture.md"
            ]
        );
    }

    #[test]
    fn dependencies_of_a_platform_of_the_build_and_renamed_ones_count() {
        let low = "[target.'cfg(unix)'.dependencies]\na = \"1\"\n[build-dependencies]\nb = \"1\"\n[dependencies]\nalias = { package = \"c\" }\n";
        let found = check_with(TABLE, low, HIGH);
        assert_eq!(found.len(), 3);
        for name in ["`a`", "`b`", "`c`"] {
            assert!(
                found.iter().any(|finding| finding.contains(name)),
                "{name} in {found:?}"
            );
        }
    }

    #[test]
    fn a_row_that_allows_too_much_is_found() {
        let high = "[dependencies]\ntracing = \"0.1\"\n";
        assert_eq!(
            check_with(TABLE, LOW, high),
            ["docs/architecture.md:6: remove `low`: `high` does not depend on it"]
        );
    }

    #[test]
    fn a_crate_without_row_and_a_row_without_crate_are_found() {
        let found = findings(
            check,
            &[
                (PAGE, TABLE),
                ("crates/low/Cargo.toml", LOW),
                ("crates/new/Cargo.toml", LOW),
            ],
        );
        assert_eq!(
            found,
            [
                "crates/new/Cargo.toml:1: give `new` a row under `## Crates` of docs/architecture.md",
                "docs/architecture.md:6: remove the row of `high`: there is no crates/high/Cargo.toml",
            ]
        );
    }

    #[test]
    fn rows_that_cannot_be_used_are_found() {
        let table = "## Crates\n| crate | may depend on |\n| --- | --- |\n| `low` | - |\n| `low` | - |\n| high | - |\n";
        let found = findings(
            check,
            &[(PAGE, table), ("crates/low/Cargo.toml", "dependencies = [")],
        );
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[0].starts_with("crates/low/Cargo.toml:1: mend the manifest: "));
        assert_eq!(
            found[1..],
            [
                "docs/architecture.md:5: remove the second row of `low`",
                "docs/architecture.md:6: begin the row with the name of a crate in backticks",
            ]
        );
    }

    #[test]
    fn a_page_without_table_is_found() {
        assert_eq!(
            findings(check, &[]),
            ["docs/architecture.md:1: write a heading `## Crates` with a table under it"]
        );
    }
}
