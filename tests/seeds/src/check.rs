//! The comparison of what a program should print with what it printed.

use std::fmt;
use std::time::Duration;

use crate::pattern::matches;
use crate::process::{Ending, Printed, Transcript};

/// A part of what a program should print; the texts are patterns, in which `...` between `<` and `>` stands for any text.
#[derive(Clone, Copy, Debug)]
pub enum Expected {
    /// This line.
    Line(&'static str),
    /// This line, so long after the line before it.
    Later(Duration, &'static str),
}

/// How a run differs from what was expected of it: the first difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// Another line was expected in this place, which is counted from 1.
    Different {
        /// The place.
        line: usize,
        /// The pattern of the line that should be there.
        expected: &'static str,
        /// The line that is there.
        found: String,
    },
    /// The output ends where this line should be.
    Missing(&'static str),
    /// After all that was expected comes this line.
    Surplus(String),
    /// This line came too early: so long after the line before it.
    Early(&'static str, Duration),
    /// The program wrote to stderr.
    Complaint(String),
    /// The program did not end well, in the words of the system.
    Ending(String),
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Mismatch::Different {
                line,
                expected,
                found,
            } => {
                write!(f, "line {line} should be `{expected}` and is `{found}`")
            }
            Mismatch::Missing(expected) => {
                write!(f, "the output ends where `{expected}` should be")
            }
            Mismatch::Surplus(found) => write!(f, "the output should end before `{found}`"),
            Mismatch::Early(expected, pause) => {
                write!(f, "`{expected}` came after only {pause:.3?}")
            }
            Mismatch::Complaint(stderr) => write!(f, "stderr should be empty and is:\n{stderr}"),
            Mismatch::Ending(ending) => write!(f, "the program did not end well: {ending}"),
        }
    }
}

impl std::error::Error for Mismatch {}

/// Compares the whole of a run: every line, an empty stderr, exit status 0.
pub(crate) fn check(expected: &[Expected], transcript: &Transcript) -> Result<(), Mismatch> {
    compare(expected, &transcript.lines)?;
    if !transcript.stderr.is_empty() {
        return Err(Mismatch::Complaint(transcript.stderr.clone()));
    }
    match transcript.ending {
        Ending::Exited(status) if status.success() => Ok(()),
        Ending::Exited(status) => Err(Mismatch::Ending(status.to_string())),
        Ending::TimedOut => Err(Mismatch::Ending(
            "it was killed because it ran for too long".to_owned(),
        )),
    }
}

fn compare(expected: &[Expected], lines: &[Printed]) -> Result<(), Mismatch> {
    for (place, part) in expected.iter().enumerate() {
        match *part {
            Expected::Line(pattern) => {
                expect(pattern, lines, place)?;
            }
            Expected::Later(pause, pattern) => {
                let line = expect(pattern, lines, place)?;
                let before = place
                    .checked_sub(1)
                    .map_or(Duration::ZERO, |before| lines[before].at);
                if !came_later(line.at, before, pause) {
                    return Err(Mismatch::Early(pattern, line.at - before));
                }
            }
        }
    }
    match lines.get(expected.len()) {
        None => Ok(()),
        Some(line) => Err(Mismatch::Surplus(line.text.clone())),
    }
}

fn expect<'a>(
    pattern: &'static str,
    lines: &'a [Printed],
    place: usize,
) -> Result<&'a Printed, Mismatch> {
    match lines.get(place) {
        None => Err(Mismatch::Missing(pattern)),
        Some(line) if matches(pattern, &line.text) => Ok(line),
        Some(line) => Err(Mismatch::Different {
            line: place + 1,
            expected: pattern,
            found: line.text.clone(),
        }),
    }
}

/// On a busy machine a line is seen late, which shortens the pause after it.
/// So the pause is held against the start of the program, and only half of it against the line before.
fn came_later(at: Duration, before: Duration, pause: Duration) -> bool {
    at >= pause && at.saturating_sub(before) >= pause / 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use Expected::{Later, Line};

    fn printed(lines: &[(u64, &str)]) -> Vec<Printed> {
        lines
            .iter()
            .map(|&(ms, text)| Printed {
                at: Duration::from_millis(ms),
                text: text.to_owned(),
            })
            .collect()
    }

    #[test]
    fn every_line_must_be_there_and_no_other() {
        let expected = [Line("a"), Line("b")];
        assert_eq!(compare(&expected, &printed(&[(0, "a"), (0, "b")])), Ok(()));
        assert_eq!(
            compare(&expected, &printed(&[(0, "a")])),
            Err(Mismatch::Missing("b"))
        );
        assert_eq!(
            compare(&expected, &printed(&[(0, "a"), (0, "c")])),
            Err(Mismatch::Different {
                line: 2,
                expected: "b",
                found: "c".to_owned()
            })
        );
        assert_eq!(
            compare(&expected, &printed(&[(0, "a"), (0, "b"), (0, "c")])),
            Err(Mismatch::Surplus("c".to_owned()))
        );
    }

    #[test]
    fn a_line_may_have_to_come_later() {
        let second = Duration::from_secs(1);
        let expected = [Line("hello"), Later(second, "world")];
        assert_eq!(
            compare(&expected, &printed(&[(2, "hello"), (1002, "world")])),
            Ok(())
        );
        // Seen late, but not printed early.
        assert_eq!(
            compare(&expected, &printed(&[(300, "hello"), (1002, "world")])),
            Ok(())
        );
        assert_eq!(
            compare(&expected, &printed(&[(2, "hello"), (990, "world")])),
            Err(Mismatch::Early("world", Duration::from_millis(988)))
        );
        assert_eq!(
            compare(&expected, &printed(&[(1001, "hello"), (1002, "world")])),
            Err(Mismatch::Early("world", Duration::from_millis(1)))
        );
    }
}
