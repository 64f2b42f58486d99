//! The few numbers that the READMEs show: what each strategy does, side by side.

use crate::results::{Column, Row, Table, Unit};
use crate::table::side_by_side;
use anyhow::Context as _;

/// Whose README it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    English,
    Korean,
}

/// Columns of P17 by what they are called there, of which the first that has a number counts, and what they are called
/// in English and in Korean.
const COLUMNS: [(&[&str], [&str; 2]); 4] = [
    (&["issued"], ["issued", "발급"]),
    (
        &["sold out, from memory", "sold out, by the ledger"],
        ["refused (sold out)", "거절(소진)"],
    ),
    (&["issued, p50"], ["p50 of issues", "발급 p50"]),
    (&["issued, p99"], ["p99 of issues", "발급 p99"]),
];

/// The table, made from those of P17.
pub(crate) fn render(tables: &[Table], language: Language) -> anyhow::Result<String> {
    let first = tables.first().context("P17 was not measured yet")?;
    let mut side = Table {
        title: first.title.clone(),
        columns: Vec::new(),
        rows: Vec::new(),
    };
    for (names, called) in COLUMNS {
        let unit = column(tables, names).with_context(|| format!("P17 has no column {names:?}"))?;
        let name = called[language as usize].to_owned();
        side.columns.push(Column { name, unit });
    }
    for row in &first.rows {
        let cells = COLUMNS.iter().map(|(names, _)| cell(tables, &row.name, names));
        let name = match language {
            Language::English => row.name.clone(),
            Language::Korean => row.name.replace("embedded", "단독 서버"),
        };
        let cells = cells.collect();
        side.rows.push(Row { name, cells });
    }
    let mut text = String::new();
    side_by_side(&mut text, &side);
    Ok(text)
}

/// The unit of a column that any table has.
fn column(tables: &[Table], names: &[&str]) -> Option<Unit> {
    let columns = tables.iter().flat_map(|table| &table.columns);
    let found = columns
        .into_iter()
        .find(|column| names.contains(&column.name.as_str()));
    found.map(|column| column.unit)
}

/// The numbers of a row in the first of these columns in which it has any.
fn cell(tables: &[Table], row: &str, names: &[&str]) -> Vec<f64> {
    let values = |name: &&str| {
        tables.iter().find_map(|table| {
            let place = table.columns.iter().position(|column| column.name == *name)?;
            let row = table.rows.iter().find(|it| it.name == row)?;
            row.cells.get(place).filter(|values| !values.is_empty()).cloned()
        })
    };
    names.iter().find_map(values).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(columns: &[(&str, Unit)], rows: &[(&str, &[&[f64]])]) -> Table {
        let column = |(name, unit): &(&str, Unit)| Column {
            name: (*name).to_owned(),
            unit: *unit,
        };
        let row = |(name, cells): &(&str, &[&[f64]])| Row {
            name: (*name).to_owned(),
            cells: cells.iter().map(|values| values.to_vec()).collect(),
        };
        Table {
            title: "all".to_owned(),
            columns: columns.iter().map(column).collect(),
            rows: rows.iter().map(row).collect(),
        }
    }

    #[test]
    fn each_strategy_has_a_row_and_refusals_are_those_from_memory_where_there_are_any() {
        let issues = table(
            &[
                ("issued", Unit::PerSecond),
                ("issued, p50", Unit::Millis),
                ("issued, p99", Unit::Millis),
            ],
            &[
                ("embedded (`journal`)", &[&[84_000.0], &[2.2], &[9.0]]),
                ("`database`", &[&[28_000.0], &[8.6], &[15.7]]),
            ],
        );
        let refusals = table(
            &[
                ("sold out, from memory", Unit::PerSecond),
                ("sold out, by the ledger", Unit::PerSecond),
            ],
            &[
                ("embedded (`journal`)", &[&[], &[99_000.0]]),
                ("`database`", &[&[123_000.0], &[62_000.0]]),
            ],
        );
        let tables = [issues, refusals];
        assert!(render(&[], Language::English).is_err(), "nothing was measured");
        let english = render(&tables, Language::English).unwrap();
        let lines: Vec<&str> = english.lines().collect();
        assert_eq!(
            lines[0],
            "| | issued /s | refused (sold out) /s | p50 of issues, ms | p99 of issues, ms |"
        );
        assert!(
            lines[2].starts_with("| embedded (`journal`) | 84,000") && lines[2].contains("99,000"),
            "{}",
            lines[2]
        );
        assert!(
            lines[3].contains("123,000") && !lines[3].contains("62,000"),
            "{}",
            lines[3]
        );
        let korean = render(&tables, Language::Korean).unwrap();
        assert!(
            korean.contains("거절(소진) /s") && korean.contains("단독 서버 (`journal`)"),
            "{korean}"
        );
    }
}
