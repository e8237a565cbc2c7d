//! Measuring: rounds in which every case of a row has its turn, in an order that is drawn anew.
//!
//! What is measured is told by the rows; here is only when, how often, and how the figures are written down.
//!
//! # Invariants
//!
//! - I1: the cases of a row are interleaved: whatever slows the machine down for a while meets all of them.
//! - I2: the first round is thrown away, if there is more than one: it pays for cold caches and first allocations.
//! - I3: the order is drawn with a fixed seed.

use std::env;
use std::io::{self, Write};

use serde_json::json;

use crate::workloads::Measured;

/// One line of the table: work that several peers do.
pub struct Row {
    name: &'static str,
    unit: &'static str,
    cases: Vec<Case>,
}

/// The work of a row as one peer does it.
pub struct Case {
    peer: &'static str,
    run: Box<dyn Fn() -> Measured>,
}

/// What to measure, as the command line tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How many rounds are counted.
    pub rounds: usize,
    /// Only the rows whose name has this in it.
    pub only: String,
}

impl Row {
    /// A row whose figures have this unit.
    pub fn new(name: &'static str, unit: &'static str, cases: Vec<Case>) -> Self {
        Self { name, unit, cases }
    }

    /// Runs the rounds and writes a line of JSON for each peer: its rounds, or why it was skipped.
    ///
    /// # Errors
    /// When the figures cannot be written.
    pub fn measure(&self, rounds: usize, out: &mut impl Write) -> io::Result<()> {
        let mut random = fastrand::Rng::with_seed(rounds as u64);
        let mut figures: Vec<Result<Vec<f64>, String>> = vec![Ok(Vec::new()); self.cases.len()];
        let mut order: Vec<usize> = (0..self.cases.len()).collect();
        let warm_up = usize::from(rounds > 1);
        for round in 0..rounds + warm_up {
            random.shuffle(&mut order);
            for &place in &order {
                let Ok(rounds) = &mut figures[place] else {
                    continue;
                };
                match (self.cases[place].run)() {
                    Ok(_) if round < warm_up => {}
                    Ok(figure) => rounds.push(figure),
                    Err(why) => figures[place] = Err(why),
                }
            }
        }
        for (case, figures) in self.cases.iter().zip(figures) {
            let (row, peer, unit) = (self.name, case.peer, self.unit);
            let line = match figures {
                Ok(rounds) => json!({
                    "row": row, "peer": peer, "unit": unit,
                    "median": round_off(median(&rounds)),
                    "rounds": rounds.into_iter().map(round_off).collect::<Vec<_>>(),
                }),
                Err(why) => json!({ "row": row, "peer": peer, "unit": unit, "skipped": why }),
            };
            writeln!(out, "{line}")?;
        }
        Ok(())
    }
}

impl Case {
    /// Work of a peer.
    pub fn new(peer: &'static str, run: impl Fn() -> Measured + 'static) -> Self {
        let run = Box::new(run);
        Self { peer, run }
    }
}

impl Options {
    /// Reads the arguments of the program.
    ///
    /// # Errors
    /// Says which argument is wrong.
    pub fn from_arguments() -> Result<Self, String> {
        let mut options = Self {
            rounds: 5,
            only: String::new(),
        };
        let mut arguments = env::args().skip(1);
        while let Some(name) = arguments.next() {
            let value = arguments.next();
            let value = value.ok_or_else(|| format!("{name} needs a value"))?;
            match name.as_str() {
                "--rounds" => {
                    let rounds = value.parse().ok().filter(|&rounds| rounds > 0);
                    options.rounds =
                        rounds.ok_or_else(|| format!("{value} is no number of rounds"))?;
                }
                "--only" => options.only = value,
                _ => return Err(format!("unknown argument: {name}")),
            }
        }
        Ok(options)
    }

    /// Measures the rows that are wanted, one line of JSON for each figure on the standard output.
    ///
    /// # Errors
    /// When the figures cannot be written.
    pub fn measure(&self, rows: &[Row]) -> Result<(), String> {
        for row in rows.iter().filter(|row| row.name.contains(&self.only)) {
            eprintln!("   {}", row.name);
            row.measure(self.rounds, &mut io::stdout().lock())
                .map_err(|error| format!("the figures cannot be written: {error}"))?;
        }
        Ok(())
    }
}

/// The figure in the middle; of an even number the upper one of the two there.
///
/// # Panics
/// When there is none.
pub fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// Hundredths are as good as the figures are.
fn round_off(figure: f64) -> f64 {
    (figure * 100.0).round() / 100.0
}

impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let peers: Vec<_> = self.cases.iter().map(|case| case.peer).collect();
        f.debug_struct("Row")
            .field("name", &self.name)
            .field("peers", &peers)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Case")
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(&[3.0]), 3.0);
        assert_eq!(median(&[9.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[9.0, 1.0, 2.0, 3.0]), 3.0);
    }

    #[test]
    fn every_case_has_its_turn_in_every_round() {
        let log = Rc::new(RefCell::new(Vec::new()));
        let case = |peer: &'static str| {
            let log = log.clone();
            Case::new(peer, move || {
                log.borrow_mut().push(peer);
                Ok(log.borrow().len() as f64)
            })
        };
        let row = Row::new("work", "ns", vec![case("a"), case("b"), case("c")]);
        let mut out = Vec::new();
        row.measure(3, &mut out).expect("a vector takes all");
        let log = log.borrow();
        assert_eq!(log.len(), 12);
        for round in log.chunks(3) {
            let mut round = round.to_vec();
            round.sort_unstable();
            assert_eq!(round, ["a", "b", "c"]);
        }
        let lines = String::from_utf8(out).expect("JSON is text");
        for line in lines.lines() {
            let figure: serde_json::Value = serde_json::from_str(line).expect("it is JSON");
            assert_eq!(figure["row"], "work");
            assert_eq!(figure["rounds"].as_array().map(Vec::len), Some(3));
        }
        assert_eq!(lines.lines().count(), 3);
    }

    #[test]
    fn a_case_that_cannot_run_is_skipped_and_says_why() {
        let row = Row::new("work", "ns", vec![Case::new("a", || Err("no".to_owned()))]);
        let mut out = Vec::new();
        row.measure(2, &mut out).expect("a vector takes all");
        let figure: serde_json::Value = serde_json::from_slice(&out).expect("it is JSON");
        assert_eq!(figure["skipped"], "no");
    }
}
