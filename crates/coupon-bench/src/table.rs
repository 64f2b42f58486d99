//! The table of docs/PERFORMANCE.md, made from the raw results.

use crate::host::HostTook;
use crate::measure::Id;
use crate::number::{bare, short, shown};
use crate::results::{Better, Column, Figure, Results, Series, Table, Taken, Unit};
use crate::statistics::Spread;
use std::fmt::Write as _;

/// How a figure stands against its goals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It reaches the aim.
    Aim,
    /// It reaches the least.
    Least,
    /// It falls short.
    Short,
}

impl Standing {
    /// By the median.
    pub(crate) fn of(figure: &Figure) -> Option<Self> {
        let median = Spread::of(&figure.values)?.median;
        let reaches = |goal: f64| match figure.better {
            Better::More => median >= goal,
            Better::Less => median <= goal,
        };
        Some(if reaches(figure.aim.value) {
            Self::Aim
        } else if reaches(figure.at_least.value) {
            Self::Least
        } else {
            Self::Short
        })
    }

    /// In a word or two.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Aim => "aim reached",
            Self::Least => "least reached",
            Self::Short => "falls short",
        }
    }
}

/// Median and spread.
pub(crate) fn spread(values: &[f64], unit: Unit) -> String {
    spread_as(values, |value| shown(value, unit))
}

fn spread_as(values: &[f64], shown: impl Fn(f64) -> String) -> String {
    match Spread::of(values) {
        None => "no number".to_owned(),
        Some(spread) if values.len() == 1 => shown(spread.median),
        Some(spread) => format!(
            "{} ({} to {})",
            shown(spread.median),
            shown(spread.least),
            shown(spread.greatest)
        ),
    }
}

/// What [`host_took`] says something about.
pub(crate) const HOST_TOOK: &str = "processor time that the host took meanwhile";

/// What the host took, over all and at its worst.
pub(crate) fn host_took(took: HostTook) -> String {
    format!(
        "{} ({} in the worst second)",
        shown(took.percent, Unit::Percent),
        shown(took.worst_second_percent, Unit::Percent)
    )
}

/// The whole generated part.
pub(crate) fn render(results: &Results) -> String {
    let mut text = String::from(
        "| | measure | at least | aim | measured: median (spread) | what limits the rest |\n|---|---|---|---|---|---|\n",
    );
    for (id, taken) in &results.measures {
        for (index, figure) in taken.found.figures.iter().enumerate() {
            let limit = if index == 0 { id.what_limits() } else { "" };
            row(&mut text, *id, figure, limit);
        }
        if taken.found.figures.is_empty() {
            for table in &taken.found.tables {
                let (title, limit) = (&table.title, id.what_limits());
                let _ = writeln!(text, "| {id} | {title} | table | table | below | {limit} |");
            }
        }
    }
    for (id, taken) in &results.measures {
        for table in &taken.found.tables {
            let _ = writeln!(text, "\n{id}, {}, median (spread):\n", table.title);
            side_by_side(&mut text, table);
        }
    }
    text.push_str("\nThe numbers behind the ratios:\n\n| | | median (spread) |\n|---|---|---|\n");
    for (id, taken) in &results.measures {
        for Series { name, unit, values } in &taken.found.beside {
            let _ = writeln!(text, "| {id} | {name} | {} |", spread(values, *unit));
        }
        if let Some(took) = taken.host_took {
            let _ = writeln!(text, "| {id} | {HOST_TOOK} | {} |", host_took(took));
        }
    }
    text.push_str("\nWhat was done:\n\n");
    for (id, taken) in &results.measures {
        for note in &taken.found.notes {
            let _ = writeln!(text, "- {id}: {note}");
        }
    }
    machines(&mut text, results);
    text
}

fn row(text: &mut String, id: Id, figure: &Figure, limit: &str) {
    let standing = Standing::of(figure).map_or("no number", Standing::text);
    let _ = writeln!(
        text,
        "| {id} | {} | {} | {} | {}; {standing} | {limit} |",
        figure.name,
        figure.at_least.text,
        figure.aim.text,
        spread(&figure.values, figure.unit)
    );
}

/// A table with a row for each thing. Units stand at the heads.
pub(crate) fn side_by_side(text: &mut String, table: &Table) {
    text.push_str("| |");
    for Column { name, unit } in &table.columns {
        let _ = match short(*unit) {
            "" => write!(text, " {name} |"),
            "/s" => write!(text, " {name} /s |"),
            unit => write!(text, " {name}, {unit} |"),
        };
    }
    let _ = writeln!(text, "\n|---|{}", "---|".repeat(table.columns.len()));
    for row in &table.rows {
        let _ = write!(text, "| {} |", row.name);
        for (values, column) in row.cells.iter().zip(&table.columns) {
            let _ = match values.as_slice() {
                [] => write!(text, " |"),
                values => write!(text, " {} |", spread_as(values, |value| bare(value, column.unit))),
            };
        }
        text.push('\n');
    }
}

/// One line for each run, with the measures that come from it.
fn machines(text: &mut String, results: &Results) {
    text.push_str("\nMeasured on:\n\n");
    let mut runs: Vec<(&Taken, Vec<String>)> = Vec::new();
    for (id, taken) in &results.measures {
        match runs.iter_mut().find(|(run, _)| run.taken_at == taken.taken_at) {
            Some((_, ids)) => ids.push(id.to_string()),
            None => runs.push((taken, vec![id.to_string()])),
        }
    }
    for (taken, ids) in runs {
        let quick = if taken.quick {
            " (a quick run: these numbers mean little)"
        } else {
            ""
        };
        let _ = writeln!(
            text,
            "- {}, {}: {}{quick}",
            ids.join(" "),
            taken.taken_at,
            taken.machine.line()
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Machine;
    use crate::results::{Found, Goal, Row};

    fn figure(better: Better, at_least: f64, aim: f64, values: &[f64]) -> Figure {
        Figure {
            name: "rate / baseline's".to_owned(),
            unit: Unit::Ratio,
            better,
            at_least: Goal::new("0.70", at_least),
            aim: Goal::new("0.85", aim),
            values: values.to_vec(),
        }
    }

    fn taken(at: &str, figures: Vec<Figure>) -> Taken {
        Taken {
            taken_at: at.to_owned(),
            machine: Machine {
                cores: 2,
                processor: "A CPU".to_owned(),
                kernel: "Linux 6".to_owned(),
                file_system: "ext4".to_owned(),
                load_average: 0.5,
                syncs_per_second: 8_000.0,
                sync_us: 120.0,
                full_sync_us: 170.0,
            },
            quick: false,
            host_took: None,
            found: Found {
                figures,
                beside: vec![Series {
                    name: "rate".to_owned(),
                    unit: Unit::PerSecond,
                    values: vec![50_000.0],
                }],
                notes: vec!["audited".to_owned()],
                tables: Vec::new(),
            },
        }
    }

    #[test]
    fn a_figure_is_judged_by_its_median_and_the_way_that_is_good() {
        for (better, values, standing) in [
            (Better::More, &[0.1, 0.86, 0.9][..], Standing::Aim),
            (Better::More, &[0.70], Standing::Least),
            (Better::More, &[0.69], Standing::Short),
            (Better::Less, &[0.70], Standing::Least),
            (Better::Less, &[0.71], Standing::Short),
        ] {
            let aim = if better == Better::More { 0.85 } else { 0.5 };
            assert_eq!(
                Standing::of(&figure(better, 0.70, aim, values)),
                Some(standing),
                "{values:?}"
            );
        }
        assert_eq!(Standing::of(&figure(Better::More, 0.7, 0.8, &[])), None);
    }

    #[test]
    fn the_table_has_a_row_for_each_figure_with_its_spread_and_one_line_for_each_run() {
        let mut results = Results::default();
        let more = figure(Better::More, 0.70, 0.85, &[0.80, 0.78, 0.83]);
        let none = figure(Better::More, 0.70, 0.85, &[]);
        results.measures.insert(Id::P4, taken("later", vec![none]));
        results.measures.insert(Id::P1, taken("once", vec![more.clone()]));
        results.measures.insert(Id::P10, taken("once", vec![more]));
        let text = render(&results);
        assert!(
            text.contains("| P1 | rate / baseline's | 0.70 | 0.85 | 0.80 (0.78 to 0.83); least reached |"),
            "{text}"
        );
        assert!(
            text.contains("| P4 | rate / baseline's | 0.70 | 0.85 | no number; no number |"),
            "{text}"
        );
        assert!(text.contains("| P1 | rate | 50,000/s |"), "{text}");
        assert!(!text.contains(HOST_TOOK), "{text}");
        assert!(
            text.contains("- P1 P10, once: 2 cores of A CPU, Linux 6, ext4, 8000 fdatasync a second"),
            "{text}"
        );
        assert!(
            text.find("| P4 |") < text.find("| P10 |"),
            "in the order of the specification"
        );
    }

    #[test]
    fn what_the_host_took_stands_behind_the_numbers_of_its_measure() {
        let mut results = Results::default();
        let disturbed = Taken {
            host_took: Some(HostTook {
                percent: 2.96,
                worst_second_percent: 61.0,
            }),
            ..taken("once", Vec::new())
        };
        results.measures.insert(Id::P11, disturbed);
        let text = render(&results);
        assert!(
            text.contains(
                "| P11 | rate | 50,000/s |\n\
                 | P11 | processor time that the host took meanwhile | 3.0 % (61.0 % in the worst second) |\n"
            ),
            "{text}"
        );
    }

    #[test]
    fn what_stands_side_by_side_has_a_table_of_its_own_under_the_main_one() {
        let column = |name: &str, unit| Column {
            name: name.to_owned(),
            unit,
        };
        let row = |name: &str, cells: [&[f64]; 2]| Row {
            name: name.to_owned(),
            cells: cells.map(<[f64]>::to_vec).into(),
        };
        let mut both = taken("once", Vec::new());
        both.found.tables.push(Table {
            title: "both ways".to_owned(),
            columns: vec![column("issued", Unit::PerSecond), column("p99", Unit::Millis)],
            rows: vec![
                row("one", [&[50_000.0, 40_000.0, 60_000.0], &[1.5]]),
                row("other", [&[7.0], &[]]),
            ],
        });
        let mut results = Results::default();
        results.measures.insert(Id::P17, both);
        let text = render(&results);
        assert!(
            text.contains("| P17 | both ways | table | table | below |"),
            "{text}"
        );
        assert!(
            text.contains(
                "\nP17, both ways, median (spread):\n\n\
                 | | issued /s | p99, ms |\n\
                 |---|---|---|\n\
                 | one | 50,000 (40,000 to 60,000) | 1.50 |\n\
                 | other | 7 | |\n\n"
            ),
            "{text}"
        );
    }
}
