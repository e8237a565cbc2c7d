//! As much of Markdown as the checks need: prose lines, code spans, links and tables.

/// A table, with its columns found by name.
#[derive(Debug)]
pub(crate) struct Table {
    header: Vec<String>,
    pub(crate) rows: Vec<Row>,
}

#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) line: usize,
    cells: Vec<String>,
}

impl Table {
    /// The first table under a heading of the second level; the error says what is wrong and in which line.
    pub(crate) fn under(
        text: &str,
        heading: &str,
        columns: &[&str],
    ) -> Result<Self, (usize, String)> {
        let mut lines = text
            .lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line.trim()));
        let (start, _) = lines
            .find(|(_, line)| {
                line.strip_prefix("## ")
                    .is_some_and(|title| title.trim() == heading)
            })
            .ok_or_else(|| {
                (
                    1,
                    format!("write a heading `## {heading}` with a table under it"),
                )
            })?;
        let mut rows = lines
            .take_while(|(_, line)| !line.starts_with("## "))
            .skip_while(|(_, line)| !line.starts_with('|'))
            .take_while(|(_, line)| line.starts_with('|'))
            .map(|(line, text)| Row {
                line,
                cells: cells(text),
            });
        let header = rows
            .next()
            .ok_or_else(|| (start, format!("write a table under `## {heading}`")))?;
        let missing: Vec<&str> = columns
            .iter()
            .copied()
            .filter(|column| !header.cells.iter().any(|cell| cell == column))
            .collect();
        if !missing.is_empty() {
            return Err((
                header.line,
                format!("give the table the column `{}`", missing.join("`, `")),
            ));
        }
        // The line of dashes under the header.
        rows.next();
        let rows = rows.collect();
        Ok(Table {
            header: header.cells,
            rows,
        })
    }

    /// What a row has in a column; nothing if the row is too short.
    pub(crate) fn cell<'a>(&self, row: &'a Row, column: &str) -> &'a str {
        let place = self.header.iter().position(|cell| cell == column);
        place
            .and_then(|place| row.cells.get(place))
            .map_or("", String::as_str)
    }
}

fn cells(row: &str) -> Vec<String> {
    row.trim_matches('|')
        .split('|')
        .map(|cell| cell.trim().to_owned())
        .collect()
}

/// The lines outside code blocks, with their numbers.
pub(crate) fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut in_block = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        let fence = line.trim_start().starts_with("```");
        in_block ^= fence;
        (!in_block && !fence).then_some((index + 1, line))
    })
}

/// What stands between backticks in a line.
pub(crate) fn code_spans(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// The targets of the links in a line, `[text](target)` and `[name]: target`; what stands between backticks is no link.
pub(crate) fn links(line: &str) -> Vec<String> {
    let text: String = line.split('`').step_by(2).collect::<Vec<_>>().join("code");
    let inline = text
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split([')', ' ']).next());
    let mut links: Vec<String> = inline.map(str::to_owned).collect();
    if let Some((name, target)) = text.split_once("]: ")
        && name.starts_with('[')
    {
        links.extend(target.split_whitespace().next().map(str::to_owned));
    }
    links
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = "# Page\n\n## Crates\nThe layers:\n\n| crate | owns |\n| --- | --- |\n| `a` | x |\n| `b` |\n\nMore.\n\n## Next\n| crate |\n";

    #[test]
    fn a_table_is_found_by_its_heading_and_columns() {
        let table =
            Table::under(SAMPLE, "Crates", &["crate", "owns"]).expect("the sample has the table");
        let rows: Vec<_> = table
            .rows
            .iter()
            .map(|row| (row.line, table.cell(row, "crate"), table.cell(row, "owns")))
            .collect();
        assert_eq!(rows, [(8, "`a`", "x"), (9, "`b`", "")]);
    }

    #[test]
    fn what_is_missing_is_said_where_it_should_be() {
        let error = |heading, column| Table::under(SAMPLE, heading, &[column]).err();
        assert_eq!(
            error("Unsafe", "file"),
            Some((
                1,
                "write a heading `## Unsafe` with a table under it".to_owned()
            ))
        );
        assert_eq!(
            error("Crates", "knows"),
            Some((6, "give the table the column `knows`".to_owned()))
        );
        assert_eq!(
            Table::under("## Crates\n\n## Next\n| crate |\n", "Crates", &["crate"]).err(),
            Some((1, "write a table under `## Crates`".to_owned()))
        );
    }

    #[test]
    fn code_blocks_are_no_prose() {
        let lines: Vec<_> = prose("a\n```rust\nb\n```\nc\n").collect();
        assert_eq!(lines, [(1, "a"), (5, "c")]);
    }

    #[test]
    fn spans_and_links_are_told_apart() {
        let line = "see [`x`](docs/x.md), [y](y.md#part \"title\") and `a[0](b)`";
        assert_eq!(code_spans(line).collect::<Vec<_>>(), ["x", "a[0](b)"]);
        assert_eq!(links(line), ["docs/x.md", "y.md#part"]);
        assert_eq!(links("[name]: ../other.md"), ["../other.md"]);
    }
}
