//! No file names a place on somebody's machine.

use super::Finding;
use super::tree::Tree;

/// Folders at the root of a file system that say whose machine it is; written without slashes, so that this file passes.
const FOLDERS: &[&str] = &["Users", "home", "root", "tmp", "work"];

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.texts() {
        for (index, line) in text.lines().enumerate() {
            for folder in FOLDERS
                .iter()
                .map(|name| format!("/{name}/"))
                .filter(|folder| names(line, folder))
            {
                let advice = format!("name no place of one machine: do without `{folder}`");
                findings.push(Finding::new(path, index + 1, advice));
            }
        }
    }
    findings
}

/// Says whether `folder` begins a path in the line, rather than being in the middle of one.
fn names(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(place, _)| {
        let before = line[..place].chars().next_back();
        before.is_none_or(|c| {
            !c.is_alphanumeric() && !matches!(c, '.' | '-' | '_' | '*' | '}' | ']' | ')')
        })
    })
}

#[cfg(test)]
mod tests {
    use super::super::findings;
    use super::*;

    #[test]
    fn a_path_of_one_machine_is_found() {
        for folder in FOLDERS {
            let text = format!("fine\nsee \"/{folder}/me/notes\"\n");
            let expected =
                format!("x.txt:2: name no place of one machine: do without `/{folder}/`");
            assert_eq!(findings(check, &[("x.txt", &text)]), [expected]);
        }
        let url = format!("file:///{}/me", FOLDERS[0]);
        assert_eq!(findings(check, &[("x.txt", &url)]).len(), 1);
    }

    #[test]
    fn the_middle_of_a_path_is_fine() {
        for start in ["https://example.org", "a", "$dir", "..", "**", "${dir}"] {
            let text = format!("{start}/{}/x\n", FOLDERS[1]);
            assert_eq!(findings(check, &[("x.txt", &text)]), [""; 0], "{text}");
        }
    }
}
