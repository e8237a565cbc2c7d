//! One figure: what one peer came to in one row.

use serde_json::{Value, json};

/// The names of those that are no runtimes: the least that can be written by hand.
const FLOORS: &[&str] = &[
    "VecDeque of boxed closures",
    "VecDeque of Rc tasks",
    "raw epoll",
];

/// Who is compared with the others; what else begins with this name is a way of using it.
pub(crate) const SUBJECT: &str = "rondel";

/// The unit of a figure that is a multiple of another one of the same peer: how its cost grows says nothing of who costs less.
const MULTIPLE: &str = "x";

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Figure {
    pub(crate) row: String,
    pub(crate) peer: String,
    pub(crate) unit: String,
    /// What was measured, or why nothing was.
    pub(crate) outcome: Result<Measured, String>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Measured {
    pub(crate) median: f64,
    rounds: Vec<f64>,
}

/// A line of the table: the figures of the peers that did the same work.
#[derive(Debug)]
pub(crate) struct Row<'a> {
    pub(crate) name: &'a str,
    pub(crate) unit: &'a str,
    pub(crate) figures: Vec<(&'a str, f64)>,
}

impl Figure {
    /// Reads a line that a binary of `benches` wrote.
    pub(crate) fn parse(line: &str) -> Result<Self, String> {
        let wrong = |what: &str| format!("a benchmark wrote {what}: {line}");
        let value: Value = serde_json::from_str(line).map_err(|_| wrong("no JSON"))?;
        let text = |key: &str| {
            let text = value[key].as_str().map(str::to_owned);
            text.ok_or_else(|| wrong(&format!("no {key}")))
        };
        let outcome = match value.get("skipped") {
            Some(why) => Err(why.as_str().unwrap_or_default().to_owned()),
            None => {
                let rounds = value["rounds"].as_array().into_iter().flatten();
                Ok(Measured {
                    median: value["median"].as_f64().ok_or_else(|| wrong("no median"))?,
                    rounds: rounds.filter_map(Value::as_f64).collect(),
                })
            }
        };
        Ok(Self {
            row: text("row")?,
            peer: text("peer")?,
            unit: text("unit")?,
            outcome,
        })
    }

    /// The figure for a program to read; nothing where nothing was measured.
    pub(crate) fn to_json(&self) -> Option<Value> {
        let measured = self.outcome.as_ref().ok()?;
        Some(json!({
            "row": self.row, "peer": self.peer, "unit": self.unit,
            "median": measured.median, "rounds": measured.rounds,
        }))
    }
}

impl<'a> Row<'a> {
    /// The rows, and in each the peers, in the order in which they were measured.
    pub(crate) fn all(figures: &'a [Figure]) -> Vec<Self> {
        let mut rows: Vec<Self> = Vec::new();
        for figure in figures {
            let Ok(measured) = &figure.outcome else {
                continue;
            };
            let cell = (figure.peer.as_str(), measured.median);
            match rows.iter_mut().find(|row| row.name == figure.row) {
                Some(row) => row.figures.push(cell),
                None => rows.push(Self {
                    name: &figure.row,
                    unit: &figure.unit,
                    figures: vec![cell],
                }),
            }
        }
        rows
    }

    pub(crate) fn figure(&self, peer: &str) -> Option<f64> {
        let found = self.figures.iter().find(|(name, _)| *name == peer);
        found.map(|&(_, figure)| figure)
    }

    /// The smallest figure of another runtime, or of a floor where there is no other.
    pub(crate) fn best(&self) -> Option<f64> {
        let best = |floor: bool| {
            let others = self.figures.iter();
            let others =
                others.filter(|(peer, _)| !peer.starts_with(SUBJECT) && is_floor(peer) == floor);
            others.map(|&(_, figure)| figure).min_by(f64::total_cmp)
        };
        best(false).or_else(|| best(true))
    }

    /// rondel's figure as a multiple of the best, where such a comparison means something; below 1 rondel is better.
    pub(crate) fn ratio(&self) -> Option<f64> {
        match self.unit {
            MULTIPLE => None,
            _ => Some(self.figure(SUBJECT)? / self.best()?),
        }
    }
}

pub(crate) fn is_floor(peer: &str) -> bool {
    FLOORS.contains(&peer)
}

/// Who was skipped and why, each reason once.
pub(crate) fn skipped(figures: &[Figure]) -> Vec<(String, String)> {
    let mut skipped = Vec::new();
    for figure in figures {
        if let Err(why) = &figure.outcome {
            let who = (figure.peer.clone(), why.clone());
            if !skipped.contains(&who) {
                skipped.push(who);
            }
        }
    }
    skipped
}

#[cfg(test)]
pub(crate) fn sample() -> Vec<Figure> {
    [
        r#"{"row":"spawn","peer":"rondel","unit":"ns","median":50.0,"rounds":[49.0,50.0,70.0]}"#,
        r#"{"row":"spawn","peer":"other","unit":"ns","median":100.0,"rounds":[100.0]}"#,
        r#"{"row":"spawn","peer":"deaf","unit":"ns","skipped":"it cannot"}"#,
        r#"{"row":"spawn","peer":"raw epoll","unit":"ns","median":7.25,"rounds":[7.25]}"#,
        r#"{"row":"size","peer":"rondel","unit":"bytes","median":1234.0,"rounds":[1234.0]}"#,
        r#"{"row":"size","peer":"raw epoll","unit":"bytes","median":617.0,"rounds":[617.0]}"#,
    ]
    .map(|line| Figure::parse(line).expect("the sample is right"))
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_is_to_the_best_runtime_and_else_to_the_floor() {
        let figures = sample();
        let ratios: Vec<_> = Row::all(&figures).iter().map(Row::ratio).collect();
        assert_eq!(ratios, [Some(0.5), Some(2.0)]);
    }

    #[test]
    fn growth_is_not_compared() {
        let figures = ["rondel", "other"].map(|peer| {
            let line = json!({ "row": "growth", "peer": peer, "unit": "x", "median": 1.5 });
            Figure::parse(&line.to_string()).expect("it is a figure")
        });
        let rows = Row::all(&figures);
        let cells = [("rondel", 1.5), ("other", 1.5)];
        assert_eq!(
            (rows[0].figures.as_slice(), rows[0].ratio()),
            (&cells[..], None)
        );
    }

    #[test]
    fn what_was_skipped_is_named_and_has_no_json() {
        let figures = sample();
        assert_eq!(
            skipped(&figures),
            [("deaf".to_owned(), "it cannot".to_owned())]
        );
        assert_eq!(figures.iter().filter_map(Figure::to_json).count(), 5);
    }

    #[test]
    fn a_line_that_is_no_figure_is_an_error() {
        for (line, complaint) in [
            ("hello", "a benchmark wrote no JSON: hello"),
            (
                r#"{"median":1}"#,
                r#"a benchmark wrote no row: {"median":1}"#,
            ),
            ("{}", "a benchmark wrote no median: {}"),
        ] {
            assert_eq!(Figure::parse(line), Err(complaint.to_owned()));
        }
    }
}
