//! Columns of text: capitals above, two spaces between, numbers to the right. Pure.

/// How a cell looks. Never the only signal: what is bad is also in capitals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Head,
    Bad,
    Doubtful,
}

/// `text` with its style as terminal codes.
pub(super) fn styled(text: &str, style: Style) -> String {
    let code = match style {
        Style::Plain => return text.to_owned(),
        Style::Head => "1",
        Style::Bad => "1;31",
        Style::Doubtful => "33",
    };
    if text.is_empty() { String::new() } else { format!("\x1b[{code}m{text}\x1b[0m") }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
}

/// One cell.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    pub(super) fn new(text: impl Into<String>, style: Style) -> Self {
        Self { text: text.into(), style }
    }

    fn width(&self) -> usize {
        self.text.chars().count()
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(text, Style::Plain)
    }
}

/// Rows under a heading. The last column is never padded.
#[derive(Debug)]
pub(super) struct Table {
    aligns: Vec<Align>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    pub(super) fn new(columns: &[(&str, Align)]) -> Self {
        let head = columns.iter().map(|(name, _)| Cell::new(*name, Style::Head)).collect();
        Self { aligns: columns.iter().map(|(_, align)| *align).collect(), rows: vec![head] }
    }

    pub(super) fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    /// The table as lines, each with `indent` before it.
    pub(super) fn render(&self, indent: &str) -> String {
        let width = |column: usize| {
            self.rows.iter().filter_map(|row| row.get(column)).map(Cell::width).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.aligns.len()).map(width).collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::from(indent);
            for ((cell, align), width) in row.iter().zip(&self.aligns).zip(&widths) {
                let pad = " ".repeat(width - cell.width());
                let shown = styled(&cell.text, cell.style);
                let (first, second) = match align {
                    Align::Left => (shown, pad),
                    Align::Right => (pad, shown),
                };
                line.extend([first.as_str(), second.as_str(), "  "]);
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_with_and_without_colour() {
        let mut table =
            Table::new(&[("NAME", Align::Left), ("N", Align::Right), ("WHY", Align::Left)]);
        table.row(vec!["a".into(), "7".into(), "because".into()]);
        table.row(vec![Cell::new("WORSE", Style::Bad), "12".into(), "".into()]);
        let text = table.render("  ");
        let plain = "  NAME    N  WHY\n  a       7  because\n  WORSE  12\n";
        assert_eq!(anstream::adapter::strip_str(&text).to_string(), plain);
        assert!(text.contains("\x1b[1;31mWORSE\x1b[0m"), "{text:?}");
    }
}
