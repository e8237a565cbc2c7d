//! Nothing is left undone in a source: no placeholder, no debugging aid, no mark for later, no test that does not run.

use super::Finding;
use super::source::{Source, Token};
use super::tree::Tree;

const MACROS: &[&str] = &["todo", "unimplemented", "dbg"];
const MARKS: &[&str] = &["TODO", "FIXME", "XXX"];
/// A path attribute hides where a module is.
const ATTRIBUTES: &[&str] = &["ignore", "path"];

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.ending_in(".rs") {
        let Some(source) = Source::parse(text) else {
            findings.push(Finding::new(
                path,
                1,
                "mend the file: it cannot be read as Rust",
            ));
            continue;
        };
        let found = macros(&source)
            .chain(attributes(&source))
            .chain(comments(&source));
        findings.extend(found.map(|(line, advice)| Finding::new(path, line, advice)));
    }
    findings
}

fn macros(source: &Source) -> impl Iterator<Item = (usize, String)> {
    MACROS.iter().flat_map(|name| {
        let calls = ["(", "[", "{"]
            .into_iter()
            .flat_map(|open| source.lines_of([name, "!", open]));
        calls.map(move |line| (line, format!("replace `{name}!` by what is meant")))
    })
}

/// Finds `#[name` and, behind a condition, `#[cfg_attr(.., name`.
fn attributes(source: &Source) -> impl Iterator<Item = (usize, String)> {
    let tokens = source.tokens.as_slice();
    let attributes = (0..tokens.len()).filter_map(|place| match &tokens[place..] {
        [hash, open, inside @ ..] if hash.text == "#" && open.text == "[" => Some(inside),
        _ => None,
    });
    let names = attributes.flat_map(|inside| {
        let conditional = inside.first().is_some_and(|name| name.text == "cfg_attr");
        &inside[..if conditional { length(inside) } else { 1 }]
    });
    let banned = names.filter(|name| ATTRIBUTES.contains(&name.text.as_str()));
    banned.map(|name| {
        (
            name.line,
            format!("do without the attribute `{}`", name.text),
        )
    })
}

/// How many tokens come before the bracket that closes the attribute.
fn length(inside: &[Token]) -> usize {
    let mut depth = 0;
    let end = inside.iter().position(|token| {
        match token.text.as_str() {
            "[" => depth += 1,
            "]" => depth -= 1,
            _ => {}
        }
        depth < 0
    });
    end.unwrap_or(inside.len())
}

fn comments(source: &Source) -> impl Iterator<Item = (usize, String)> {
    source.comments().flat_map(|(line, comment)| {
        let words = comment.split(|c: char| !c.is_alphanumeric() && c != '_');
        let marks = words.filter(|word| MARKS.contains(word));
        let marks =
            marks.map(move |mark| (line, format!("do what the `{mark}` says, or remove it")));
        let fence = comment
            .split_once("```")
            .is_some_and(|(_, fence)| fence.split(',').any(|word| word == "ignore"));
        marks.chain(fence.then(|| (line, "let the example run, or mark it `text`".to_owned())))
    })
}

#[cfg(test)]
mod tests {
    use super::super::findings;
    use super::*;

    fn found(source: &str) -> Vec<String> {
        findings(check, &[("x.rs", source)])
    }

    #[test]
    fn placeholders_are_found() {
        assert_eq!(
            found("fn f() { todo!() }"),
            ["x.rs:1: replace `todo!` by what is meant"]
        );
        assert_eq!(
            found("fn f() {\n unimplemented![] }"),
            ["x.rs:2: replace `unimplemented!` by what is meant"]
        );
        assert_eq!(
            found("fn f() { g(dbg!(1)) }"),
            ["x.rs:1: replace `dbg!` by what is meant"]
        );
    }

    #[test]
    fn attributes_are_found() {
        assert_eq!(
            found("#[test]\n#[ignore = \"slow\"]\nfn f() {}"),
            ["x.rs:2: do without the attribute `ignore`"]
        );
        assert_eq!(
            found("#[path = \"y.rs\"] mod x;"),
            ["x.rs:1: do without the attribute `path`"]
        );
        assert_eq!(
            found("#[cfg_attr(a[0], path = \"y\")] mod x;"),
            ["x.rs:1: do without the attribute `path`"]
        );
        assert_eq!(
            found("#[cfg_attr(miri, ignore)] fn f() {}"),
            ["x.rs:1: do without the attribute `ignore`"]
        );
    }

    #[test]
    fn marks_in_comments_are_found() {
        assert_eq!(
            found("fn f() {} // TODO: all"),
            ["x.rs:1: do what the `TODO` says, or remove it"]
        );
        assert_eq!(
            found("/// FIXME\nfn f() {}"),
            ["x.rs:1: do what the `FIXME` says, or remove it"]
        );
        assert_eq!(
            found("/*\n(XXX) */"),
            ["x.rs:2: do what the `XXX` says, or remove it"]
        );
    }

    #[test]
    fn examples_that_do_not_run_are_found() {
        let advice = "let the example run, or mark it `text`";
        assert_eq!(
            found("//! ```ignore\n//! f()\n//! ```"),
            [format!("x.rs:1: {advice}")]
        );
        assert_eq!(
            found("//! ```rust,ignore\n//! f()\n//! ```"),
            [format!("x.rs:1: {advice}")]
        );
    }

    #[test]
    fn the_same_words_elsewhere_are_fine() {
        let sample = r##"
            //! To-do lists, `XXXL`, a path.
            fn todo(path: &Path, ignore: bool) -> &str { if dbg != 1 { "TODO // TODO: all" } else { r#"#[ignore]"# } }
        "##;
        assert_eq!(found(sample), [""; 0]);
    }

    #[test]
    fn what_is_not_rust_is_found() {
        assert_eq!(
            found("fn f( {"),
            ["x.rs:1: mend the file: it cannot be read as Rust"]
        );
    }
}
