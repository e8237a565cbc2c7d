//! Every package takes the lints of the workspace; one that forgets to would escape them all.

use super::Finding;
use super::tree::Tree;

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let manifests = tree
        .ending_in("/Cargo.toml")
        .filter(|(_, manifest)| !takes_lints(manifest));
    manifests
        .map(|(path, _)| Finding::new(path, 1, "write `[lints]` and under it `workspace = true`"))
        .collect()
}

fn takes_lints(manifest: &str) -> bool {
    manifest.parse().is_ok_and(|manifest: toml::Table| {
        let lints = manifest
            .get("lints")
            .and_then(|lints| lints.get("workspace"));
        lints.and_then(toml::Value::as_bool) == Some(true)
    })
}

#[cfg(test)]
mod tests {
    use super::super::findings;
    use super::*;

    #[test]
    fn a_package_without_the_lints_is_found() {
        let found = findings(
            check,
            &[
                ("Cargo.toml", "[workspace]\n"),
                ("a/Cargo.toml", "[lints]\nworkspace = true\n"),
                ("b/Cargo.toml", "[package]\nname = \"b\"\n"),
                ("c/Cargo.toml", "[lints]\nworkspace = false\n"),
            ],
        );
        let advice = "write `[lints]` and under it `workspace = true`";
        assert_eq!(
            found,
            [
                format!("b/Cargo.toml:1: {advice}"),
                format!("c/Cargo.toml:1: {advice}")
            ]
        );
    }
}
