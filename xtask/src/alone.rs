//! `cargo xtask alone`: each crate compiles by itself and with none of its features, without warnings.
//!
//! Where the whole workspace is compiled at once, every crate has all features that any other asks for, of itself and of what it depends on:
//! what is missing in its own manifest, or behind a feature, shows only here.

use std::fs;
use std::io;
use std::path::Path;

use crate::steps::cargo;
use crate::workspace;

/// Has clippy look at one crate after another, as `cargo xtask lint` does at all of them.
pub(crate) fn run() -> Result<(), String> {
    let folder = workspace().join("crates");
    let crates = crates(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    crates.iter().try_for_each(|name| {
        let what = [
            "--quiet",
            "--package",
            name,
            "--lib",
            "--no-default-features",
        ];
        let lints = ["--", "--deny", "warnings"];
        cargo(&[&["clippy"], &what[..], &lints].concat(), &[])
    })
}

/// The names of the crates, which are those of their folders, in order.
fn crates(folder: &Path) -> io::Result<Vec<String>> {
    let names = fs::read_dir(folder)?.map(|item| Ok(item?.file_name().to_string_lossy().into()));
    let mut names: Vec<String> = names.collect::<io::Result<_>>()?;
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_named_as_their_crates() {
        let folder = workspace().join("crates");
        let crates = crates(&folder).expect("the folder is there");
        assert!(crates.len() >= 10, "{crates:?}");
        for name in crates {
            let manifest = fs::read_to_string(folder.join(&name).join("Cargo.toml"));
            let manifest = manifest.expect("each folder is a crate");
            assert!(
                manifest.contains(&format!("\nname = \"{name}\"\n")),
                "{name}"
            );
        }
    }
}
