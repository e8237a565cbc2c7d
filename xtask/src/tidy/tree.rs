//! The files of the workspace, read once.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

/// Every file with its text, by its path from the root; a file that is not UTF-8 has none.
pub(crate) struct Tree {
    files: BTreeMap<String, Option<String>>,
}

/// What is not part of the project.
const SKIPPED: &[&str] = &[".git", "target"];

impl Tree {
    pub(crate) fn read(root: &Path) -> io::Result<Self> {
        let mut tree = Tree {
            files: BTreeMap::new(),
        };
        tree.read_folder(root, "")?;
        Ok(tree)
    }

    fn read_folder(&mut self, folder: &Path, prefix: &str) -> io::Result<()> {
        for item in fs::read_dir(folder)? {
            let item = item?;
            let name = item.file_name().to_string_lossy().into_owned();
            if SKIPPED.contains(&name.as_str()) {
                continue;
            }
            let path = format!("{prefix}{name}");
            if item.file_type()?.is_dir() {
                self.read_folder(&item.path(), &format!("{path}/"))?;
            } else {
                self.files
                    .insert(path, String::from_utf8(fs::read(item.path())?).ok());
            }
        }
        Ok(())
    }

    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let files = files
            .iter()
            .map(|&(path, text)| (path.to_owned(), Some(text.to_owned())));
        Tree {
            files: files.collect(),
        }
    }

    /// The files that are text, in the order of their paths.
    pub(crate) fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files
            .iter()
            .filter_map(|(path, text)| Some((path.as_str(), text.as_deref()?)))
    }

    /// The text files whose name ends so.
    pub(crate) fn ending_in(&self, end: &str) -> impl Iterator<Item = (&str, &str)> {
        self.texts().filter(move |(path, _)| path.ends_with(end))
    }

    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path)?.as_deref()
    }

    /// Says whether there is a file or a folder at `path`.
    pub(crate) fn has(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        path.is_empty()
            || self.files.contains_key(path)
            || self.files.keys().any(|file| {
                file.strip_prefix(path)
                    .is_some_and(|rest| rest.starts_with('/'))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_folders_exist() {
        let tree = Tree::of(&[("docs/a.md", ""), ("README.md", "")]);
        for path in ["docs/a.md", "docs", "docs/", "README.md", ""] {
            assert!(tree.has(path), "{path:?}");
        }
        for path in ["doc", "docs/a", "docs/b.md", "README.md/x"] {
            assert!(!tree.has(path), "{path:?}");
        }
    }

    #[test]
    fn this_workspace_is_read_without_its_target_folder() {
        let tree = Tree::read(crate::workspace()).expect("the workspace can be read");
        assert!(tree.text("xtask/src/tidy/tree.rs").is_some());
        assert!(
            tree.texts()
                .all(|(path, _)| !path.starts_with("target/") && !path.starts_with(".git/"))
        );
    }
}
