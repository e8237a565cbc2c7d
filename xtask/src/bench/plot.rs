//! The figures as a drawing: a panel for each row, in it a bar for each peer.
//!
//! Bars are as long as their figures; those that are much longer than rondel's and the best are cut: an arrow says so, and the figure stands beside each.

use std::fmt::Write;

use super::figure::{Figure, Row, SUBJECT, is_floor};
use super::table::digits;

const COLUMNS: usize = 3;
const PANEL_WIDTH: usize = 400;
const LABELS: usize = 175;
const BARS: usize = 150;
const LINE: usize = 15;
const TITLE: usize = 24;
const LEGEND: usize = 40;

/// A bar is cut where it is longer than so many times rondel's and the best.
const LIMIT: f64 = 4.0;

/// Draws the panels, column by column.
pub(crate) fn draw(figures: &[Figure]) -> String {
    let rows = Row::all(figures);
    let columns = split(&rows);
    let height = columns
        .iter()
        .map(|rows| rows.iter().map(panel_height).sum());
    let height = LEGEND + height.max().unwrap_or(0);
    let width = COLUMNS * PANEL_WIDTH;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"10\" y=\"22\" font-size=\"13\">Medians, less is better. In brackets: rondel to the best other runtime, or to the floor where there is none. \
         Grey: floors. Arrows: bars that are cut.</text>\n"
    );
    for (column, rows) in columns.iter().enumerate() {
        let mut y = LEGEND;
        for row in *rows {
            panel(&mut svg, row, column * PANEL_WIDTH + 10, y);
            y += panel_height(row);
        }
    }
    svg.push_str("</svg>\n");
    svg
}

/// Divides the rows among the columns, so that each is about as high as the others.
fn split<'a, 'b>(rows: &'a [Row<'b>]) -> Vec<&'a [Row<'b>]> {
    let total: usize = rows.iter().map(panel_height).sum();
    let mut height = 0;
    let mut columns = vec![0; COLUMNS];
    for row in rows {
        let column = height * COLUMNS / total.max(1);
        columns[column] += 1;
        height += panel_height(row);
    }
    let mut rest = rows;
    let parts = columns.into_iter().map(|count| {
        let (part, others) = rest.split_at(count);
        rest = others;
        part
    });
    parts.collect()
}

fn panel_height(row: &Row<'_>) -> usize {
    TITLE + row.figures.len() * LINE + 10
}

fn panel(svg: &mut String, row: &Row<'_>, x: usize, y: usize) {
    let ratio = row.ratio().map(|ratio| format!(" ({ratio:.2})"));
    let title = format!("{}, {}{}", row.name, row.unit, ratio.unwrap_or_default());
    text(svg, x, y + 14, "font-weight=\"bold\"", &title);
    let longest = row.figures.iter().map(|&(_, figure)| figure);
    let longest = longest.fold(0.0, f64::max);
    let best = row.best().unwrap_or(longest);
    let scale = longest.min(best.max(row.figure(SUBJECT).unwrap_or(best)) * LIMIT);
    for (place, &(peer, figure)) in row.figures.iter().enumerate() {
        let top = y + TITLE + place * LINE;
        let is_cut = figure > scale;
        let length = (figure.min(scale) / scale * BARS as f64).max(1.0);
        let color = match peer {
            SUBJECT => "#d1495b",
            peer if peer.starts_with(SUBJECT) => "#e8a1a9",
            peer if is_floor(peer) => "#b8b8b8",
            _ => "#5b8db8",
        };
        let label = format!("text-anchor=\"end\" x=\"{}\"", x + LABELS - 6);
        element(svg, &label, top + 10, peer);
        let start = x + LABELS;
        // Writing to a string does not fail.
        let _ = writeln!(
            svg,
            "<rect x=\"{start}\" y=\"{top}\" width=\"{length:.1}\" height=\"{}\" fill=\"{color}\"/>",
            LINE - 3
        );
        let arrow = if is_cut { "\u{2192} " } else { "" };
        let end = start + length as usize + 4;
        text(
            svg,
            end,
            top + 10,
            "",
            &format!("{arrow}{}", digits(figure)),
        );
    }
}

fn text(svg: &mut String, x: usize, y: usize, attributes: &str, text: &str) {
    element(svg, &format!("x=\"{x}\" {attributes}"), y, text);
}

fn element(svg: &mut String, attributes: &str, y: usize, text: &str) {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    // Writing to a string does not fail.
    let _ = writeln!(svg, "<text {attributes} y=\"{y}\">{text}</text>");
}

#[cfg(test)]
mod tests {
    use super::super::figure::sample;
    use super::*;

    #[test]
    fn every_figure_has_a_bar_and_a_number() {
        let svg = draw(&sample());
        // One rectangle is the background.
        assert_eq!(svg.matches("<rect").count(), 6);
        for label in ["spawn, ns (0.50)", ">other<", ">7.25<", ">1234<"] {
            assert!(svg.contains(label), "{label} in {svg}");
        }
    }

    #[test]
    fn a_bar_that_is_too_long_is_cut() {
        let mut figures = sample();
        figures.push(
            Figure::parse(r#"{"row":"spawn","peer":"slow","unit":"ns","median":9000,"rounds":[]}"#)
                .expect("it is a figure"),
        );
        let svg = draw(&figures);
        assert!(svg.contains("\u{2192} 9000"), "{svg}");
    }

    #[test]
    fn nothing_measured_is_an_empty_drawing() {
        assert!(draw(&[]).ends_with("</svg>\n"));
    }
}
