//! Patterns of a line: the line itself, with gaps.
//!
//! `...` after a `<` and before its `>` stands for any text, for in the representation of an object something varies, such as where a coroutine was created.
//! Everywhere else `...` means three dots.
//! A `<` that is never closed makes a pattern for the beginning of a line: `<coroutine object coroutine...`.

/// Says whether `line` is what `pattern` describes.
pub(crate) fn matches(pattern: &str, line: &str) -> bool {
    let pieces = pieces(pattern);
    let [first, middle @ .., last] = pieces.as_slice() else {
        return pattern == line;
    };
    let Some(rest) = line.strip_prefix(first) else {
        return false;
    };
    let Some(mut rest) = rest.strip_suffix(last) else {
        return false;
    };
    for piece in middle {
        match rest.split_once(piece) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    true
}

/// The texts between the gaps: one if there is no gap.
fn pieces(pattern: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut start = 0;
    for (gap, dots) in pattern.match_indices("...") {
        let before = &pattern[..gap];
        if before.matches('<').count() > before.matches('>').count() {
            pieces.push(&pattern[start..gap]);
            start = gap + dots.len();
        }
    }
    pieces.push(&pattern[start..]);
    pieces
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_pattern_without_gap_is_the_line() {
        assert!(matches(
            "return value: the result",
            "return value: the result"
        ));
        assert!(!matches(
            "return value: the result",
            "return value: the result!"
        ));
        assert!(!matches("", "x"));
    }

    #[test]
    fn a_gap_in_angle_brackets_stands_for_any_text() {
        let pattern = "waiting for <Task pending name='Task-2' coro=func_task() ...>";
        assert!(matches(
            pattern,
            "waiting for <Task pending name='Task-2' coro=func_task() at src/x.rs:1>"
        ));
        assert!(!matches(
            pattern,
            "waiting for <Task pending name='Task-3' coro=func_task() at src/x.rs:1>"
        ));
        assert!(!matches(
            pattern,
            "waiting for <Task pending name='Task-2' coro=func_task() at src/x.rs:1"
        ));
    }

    #[test]
    fn text_after_a_gap_counts() {
        let pattern = r#"<Task finished coro=f() ... result="it">"#;
        assert!(matches(
            pattern,
            r#"<Task finished coro=f() at x.rs:1 result="it">"#
        ));
        assert!(!matches(
            pattern,
            r#"<Task finished coro=f() at x.rs:1 result="other">"#
        ));
        assert!(!matches(pattern, r#"<Task finished coro=f() result="it">"#));
    }

    #[test]
    fn several_gaps_are_filled_from_the_left() {
        assert!(matches("<a ... b ... c>", "<a 1 b 2 c>"));
        assert!(!matches("<a ... b ... c>", "<a 1 2 c>"));
    }

    #[test]
    fn dots_outside_angle_brackets_are_dots() {
        assert!(matches("hello ...", "hello ..."));
        assert!(!matches("hello ...", "hello you"));
        assert!(!matches("<a> ...", "<a> b"));
    }

    #[test]
    fn an_open_bracket_makes_a_prefix() {
        assert!(matches(
            "<coroutine object coroutine...",
            "<coroutine object coroutine at x.rs:1>"
        ));
        assert!(!matches(
            "<coroutine object coroutine...",
            "a <coroutine object coroutine at x.rs:1>"
        ));
    }
}
