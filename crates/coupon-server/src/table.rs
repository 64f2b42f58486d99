//! Tables as wide as the terminal; whole where no terminal reads them.

use crate::terminal;

const GAP: &str = "  ";
/// A column that gives way keeps at least so much, and its head.
const NARROWEST: usize = 8;

/// Rows under a head; the column `elastic` gives way when the whole would be wider than the terminal.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
    elastic: usize,
    narrowest: usize,
}

impl Table {
    /// A table with these column heads.
    pub(crate) fn new(heads: &[&str], elastic: usize) -> Self {
        let heads = heads.iter().map(|head| (*head).to_owned()).collect();
        Self {
            rows: vec![heads],
            elastic,
            narrowest: NARROWEST,
        }
    }

    /// The column that gives way is never cut to less than this, even if lines become too wide for the terminal.
    pub(crate) fn at_least(mut self, narrowest: usize) -> Self {
        self.narrowest = narrowest;
        self
    }

    /// Adds a row of as many cells as there are heads.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        let cells = cells.into_iter().map(|cell| visible(&cell)).collect();
        self.rows.push(cells);
    }

    /// The text, with a line end after each row. Nothing is cut unless it goes to a terminal.
    pub(crate) fn text(&self) -> String {
        self.within(terminal::columns())
    }

    /// The text for so many columns, or for as many as it takes.
    fn within(&self, wide: Option<usize>) -> String {
        let columns = self.rows[0].len();
        let mut widths: Vec<usize> = (0..columns)
            .map(|column| self.rows.iter().map(|row| width(&row[column])).max().unwrap_or(0))
            .collect();
        let whole: usize = widths.iter().sum::<usize>() + GAP.len() * (columns - 1);
        if let (Some(wide), Some(elastic)) = (wide, widths.get_mut(self.elastic)) {
            let least = self.narrowest.max(width(&self.rows[0][self.elastic]));
            let cut = whole.saturating_sub(wide);
            *elastic = elastic.saturating_sub(cut).max(least.min(*elastic));
        }
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (cell, &wide) in row.iter().zip(&widths) {
                let cell = fitted(cell, wide);
                line.push_str(&cell);
                line.push_str(&" ".repeat(wide - width(&cell)));
                line.push_str(GAP);
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// A two-column list of names and values, for one thing.
pub(crate) fn listing(pairs: &[(&str, String)]) -> String {
    let widest = pairs.iter().map(|(name, _)| width(name)).max().unwrap_or(0);
    pairs
        .iter()
        .map(|(name, value)| {
            format!(
                "{name}{}{GAP}{}\n",
                " ".repeat(widest - width(name)),
                visible(value)
            )
        })
        .collect()
}

/// The text with control characters made visible, so that no name can steer the terminal.
fn visible(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{FFFD}' } else { c })
        .collect()
}

/// The text cut to a width, with a mark where it was cut.
fn fitted(text: &str, wide: usize) -> String {
    if width(text) <= wide {
        return text.to_owned();
    }
    let mut cut = String::new();
    let mut taken = 1;
    for c in text.chars() {
        taken += char_width(c);
        if taken > wide {
            break;
        }
        cut.push(c);
    }
    cut.push('…');
    cut
}

fn width(text: &str) -> usize {
    text.chars().map(char_width).sum()
}

/// Hangul, Han, Kana, full-width forms and emoji take two columns (Unicode, East Asian Width: W and F).
fn char_width(c: char) -> usize {
    let wide = matches!(c,
        '\u{1100}'..='\u{115F}' | '\u{2E80}'..='\u{A4CF}' | '\u{AC00}'..='\u{D7A3}' | '\u{F900}'..='\u{FAFF}'
        | '\u{FE30}'..='\u{FE6F}' | '\u{FF00}'..='\u{FF60}' | '\u{FFE0}'..='\u{FFE6}'
        | '\u{1F300}'..='\u{1FAFF}' | '\u{20000}'..='\u{3FFFD}');
    if wide { 2 } else { 1 }
}

#[cfg(test)]
mod tests {
    use super::{Table, width};

    #[test]
    fn a_table_fits_the_terminal_whatever_the_names() {
        let mut table = Table::new(&["ID", "NAME", "STATE"], 1);
        table.row(vec!["1".to_owned(), "봄맞이 쿠폰 ".repeat(30), "open".to_owned()]);
        table.row(vec!["2".to_owned(), "x\u{1b}[2J".to_owned(), "closed".to_owned()]);
        let text = table.within(Some(100));
        assert!(text.lines().all(|line| width(line) <= 100), "{text}");
        let states: Vec<usize> = text
            .lines()
            .map(|line| width(&line[..line.rfind(' ').unwrap()]))
            .collect();
        assert!(
            states.windows(2).all(|pair| pair[0] == pair[1]),
            "columns are aligned:\n{text}"
        );
        assert!(!text.contains('\u{1b}'));
    }

    #[test]
    fn only_a_terminal_cuts_a_column_and_never_below_what_was_asked_for() {
        let name = "a name of thirty characters...";
        for (terminal, least, shown) in [
            (None, 8, name),
            (Some(100), 8, name),
            (Some(27), 8, "a name of th…"),
            (Some(10), 8, "a name …"),
            (Some(10), 20, "a name of thirty ch…"),
            (Some(10), 99, name),
        ] {
            let mut table = Table::new(&["ID", "NAME", "STATE"], 1).at_least(least);
            table.row(["1234", name, "closed"].map(str::to_owned).into());
            let text = table.within(terminal);
            let cell = text.lines().nth(1).unwrap().trim_start_matches("1234  ");
            assert_eq!(cell.trim_end_matches("  closed"), shown, "{terminal:?} {least}");
        }
    }
}
