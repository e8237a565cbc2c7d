//! The figures as a table, for the terminal and for Markdown alike: a line for each row, a column for each peer.

use super::figure::{Figure, Row, SUBJECT, is_floor};

/// Draws the table; floors come last.
pub(crate) fn draw(figures: &[Figure]) -> String {
    let rows = Row::all(figures);
    let peers = columns(&rows);
    let mut lines = vec![header(&peers)];
    lines.extend(rows.iter().map(|row| line(row, &peers)));
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max();
    let widths: Vec<usize> = (0..lines[0].len()).filter_map(width).collect();
    // The dashes under the header; figures stand to the right.
    let dashes = widths
        .iter()
        .enumerate()
        .map(|(column, &width)| match column {
            0 | 1 => "-".repeat(width),
            _ => format!("{}:", "-".repeat(width - 1)),
        });
    lines.insert(1, dashes.collect());
    lines.iter().map(|line| join(line, &widths)).collect()
}

/// A figure with three digits that count.
pub(crate) fn digits(figure: f64) -> String {
    match figure {
        ..10.0 => format!("{figure:.2}"),
        ..100.0 => format!("{figure:.1}"),
        _ => format!("{figure:.0}"),
    }
}

fn columns<'a>(rows: &[Row<'a>]) -> Vec<&'a str> {
    let mut peers = Vec::new();
    for (peer, _) in rows.iter().flat_map(|row| &row.figures) {
        if !peers.contains(peer) && *peer != SUBJECT {
            peers.push(*peer);
        }
    }
    // The sort keeps the order otherwise.
    peers.sort_by_key(|peer| is_floor(peer));
    peers
}

fn header(peers: &[&str]) -> Vec<String> {
    let fixed = ["row", "unit", SUBJECT, "to the best"];
    fixed
        .iter()
        .chain(peers)
        .map(|&name| name.to_owned())
        .collect()
}

fn line(row: &Row<'_>, peers: &[&str]) -> Vec<String> {
    let cell = |figure: Option<f64>| figure.map_or_else(String::new, digits);
    let ratio = row.ratio().map(|ratio| format!("{ratio:.2}"));
    let mut line = vec![
        row.name.to_owned(),
        row.unit.to_owned(),
        cell(row.figure(SUBJECT)),
        ratio.unwrap_or_default(),
    ];
    line.extend(peers.iter().map(|peer| cell(row.figure(peer))));
    line
}

fn join(line: &[String], widths: &[usize]) -> String {
    let cells = line.iter().zip(widths).enumerate();
    let cells = cells.map(|(column, (cell, &width))| match column {
        0 | 1 => format!(" {cell:<width$} |"),
        _ => format!(" {cell:>width$} |"),
    });
    format!("|{}\n", cells.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::super::figure::sample;
    use super::*;

    #[test]
    fn the_table_is_aligned_markdown() {
        assert_eq!(
            draw(&sample()),
            "\
| row   | unit  | rondel | to the best | other | raw epoll |
| ----- | ----- | -----: | ----------: | ----: | --------: |
| spawn | ns    |   50.0 |        0.50 |   100 |      7.25 |
| size  | bytes |   1234 |        2.00 |       |       617 |
"
        );
    }
}
