//! A Rust source as tokens and comments.
//!
//! What stands in a string is neither, and what stands in a doc comment is a comment, though the compiler sees an attribute there.

use std::ops::Range;

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};

/// A source, taken apart.
pub(crate) struct Source {
    /// Identifiers, literals, single characters of punctuation, and both halves of each pair of brackets.
    pub(crate) tokens: Vec<Token>,
    /// The source with everything but its comments blanked out.
    comments: String,
}

pub(crate) struct Token {
    pub(crate) line: usize,
    pub(crate) text: String,
}

impl Source {
    /// Takes a source apart; `None` if it is not Rust.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let stream: TokenStream = text.parse().ok()?;
        let mut source = Source {
            tokens: Vec::new(),
            comments: String::new(),
        };
        let mut code = Vec::new();
        source.flatten(text, stream, &mut code);
        source.comments = without(text, &code);
        Some(source)
    }

    /// The comments with the numbers of their lines, those that are empty left out.
    pub(crate) fn comments(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.comments.lines().enumerate();
        lines
            .map(|(index, line)| (index + 1, line.trim()))
            .filter(|(_, line)| !line.is_empty())
    }

    /// The lines where a sequence of tokens begins.
    pub(crate) fn lines_of<const N: usize>(
        &self,
        sequence: [&str; N],
    ) -> impl Iterator<Item = usize> {
        let windows = self.tokens.windows(N);
        windows
            .filter(move |window| window.iter().map(|token| token.text.as_str()).eq(sequence))
            .map(|window| window[0].line)
    }

    fn flatten(&mut self, text: &str, stream: TokenStream, code: &mut Vec<Range<usize>>) {
        // The tokens that a doc comment is made into are written as a comment.
        let is_code = |tree: &TokenTree| {
            let written = &text[tree.span().byte_range()];
            !written.starts_with("//") && !written.starts_with("/*")
        };
        for tree in stream.into_iter().filter(is_code) {
            match tree {
                TokenTree::Group(group) => {
                    let (open, close) = brackets(&group);
                    self.push(group.span_open(), open, code);
                    self.flatten(text, group.stream(), code);
                    self.push(group.span_close(), close, code);
                }
                leaf => self.push(leaf.span(), &leaf.to_string(), code),
            }
        }
    }

    fn push(&mut self, span: Span, token: &str, code: &mut Vec<Range<usize>>) {
        self.tokens.push(Token {
            line: span.start().line,
            text: token.to_owned(),
        });
        code.push(span.byte_range());
    }
}

fn brackets(group: &Group) -> (&'static str, &'static str) {
    match group.delimiter() {
        Delimiter::Parenthesis => ("(", ")"),
        Delimiter::Brace => ("{", "}"),
        Delimiter::Bracket => ("[", "]"),
        Delimiter::None => ("", ""),
    }
}

/// The text with these parts blanked out, which are in order; lines stay lines.
fn without(text: &str, parts: &[Range<usize>]) -> String {
    let mut left = String::with_capacity(text.len());
    let mut end = 0;
    for part in parts {
        left.push_str(&text[end..part.start]);
        left.extend(
            text[part.clone()]
                .chars()
                .map(|c| if c == '\n' { c } else { ' ' }),
        );
        end = part.end;
    }
    left.push_str(&text[end..]);
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = "//! A file.\n\n/// Does it. ü\nfn f() { // why\n    g(\"// no /* comment\", 'x', r#\"\"\"#) /* a\n    b */\n}\n";

    fn sample() -> Source {
        Source::parse(SAMPLE).expect("the sample is Rust")
    }

    #[test]
    fn comments_are_neither_code_nor_strings() {
        let source = sample();
        let comments: Vec<_> = source.comments().collect();
        assert_eq!(
            comments,
            [
                (1, "//! A file."),
                (3, "/// Does it. ü"),
                (4, "// why"),
                (5, "/* a"),
                (6, "b */")
            ]
        );
    }

    #[test]
    fn tokens_are_flat_and_know_their_lines() {
        let source = sample();
        let first: Vec<_> = source
            .tokens
            .iter()
            .take(5)
            .map(|token| (token.line, token.text.as_str()))
            .collect();
        assert_eq!(first, [(4, "fn"), (4, "f"), (4, "("), (4, ")"), (4, "{")]);
        assert_eq!(source.lines_of(["g", "("]).collect::<Vec<_>>(), [5]);
        assert_eq!(source.lines_of(["why"]).count(), 0);
    }

    #[test]
    fn what_is_not_rust_has_no_tokens() {
        assert!(Source::parse("fn f( {").is_none());
    }
}
