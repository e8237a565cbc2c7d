//! Shows a program and its two traces side by side.

use std::fmt;

use serde_json::Value;

/// A program of which the two sides give different traces.
pub(super) struct Difference {
    pub(super) program: Value,
    pub(super) cpython: Vec<String>,
    pub(super) rondel: Vec<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.program)?;
        let width = self.cpython.iter().map(|line| line.chars().count()).max();
        let width = width.unwrap_or(0).max("CPython".len());
        writeln!(f, "\n  {:width$}   rondel", "CPython")?;
        for index in 0..self.cpython.len().max(self.rondel.len()) {
            let line = |trace: &[String]| trace.get(index).cloned().unwrap_or_default();
            let (cpython, rondel) = (line(&self.cpython), line(&self.rondel));
            let mark = if cpython == rondel { ' ' } else { '!' };
            writeln!(f, "{mark} {cpython:width$} | {rondel}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_differ_are_marked() {
        let lines = |lines: &[&str]| lines.iter().map(|&line| line.to_owned()).collect();
        let difference = Difference {
            program: serde_json::json!({"name": "x"}),
            cpython: lines(&["0 main: l1", "0 main: end"]),
            rondel: lines(&["0 main: l1", "1 main: end", "1 loop: l2"]),
        };
        let shown = "\
{\"name\":\"x\"}

  CPython       rondel
  0 main: l1  | 0 main: l1
! 0 main: end | 1 main: end
!             | 1 loop: l2
";
        assert_eq!(difference.to_string(), shown);
    }
}
