//! The raw results as they are committed: every round's numbers, and what they were measured on.

use crate::host::HostTook;
use crate::machine::Machine;
use crate::measure::Id;
use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// Everything measured, each measure with the run that it comes from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Results {
    /// By measure.
    pub(crate) measures: BTreeMap<Id, Taken>,
}

/// One measure as one run took it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Taken {
    /// When the run began.
    pub(crate) taken_at: String,
    /// Where.
    pub(crate) machine: Machine,
    /// A short run, for trying: its numbers mean little.
    pub(crate) quick: bool,
    /// What the host of the machine took away meanwhile. Absent where the kernel does not tell, and from runs of before it
    /// was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) host_took: Option<HostTook>,
    /// What was measured.
    #[serde(flatten)]
    pub(crate) found: Found,
}

/// What a measure found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Found {
    /// What is held against a goal.
    pub(crate) figures: Vec<Figure>,
    /// What it was made from, and what stands beside it.
    pub(crate) beside: Vec<Series>,
    /// What is set side by side, without a goal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) tables: Vec<Table>,
    /// What was done and audited, in words.
    pub(crate) notes: Vec<String>,
}

impl Found {
    /// Adds a row of numbers that has no goal.
    pub(crate) fn beside(&mut self, name: impl Into<String>, unit: Unit, values: Vec<f64>) {
        self.beside.push(Series {
            name: name.into(),
            unit,
            values,
        });
    }

    /// Adds a sentence.
    pub(crate) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }
}

/// A number with a goal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Figure {
    /// What it is.
    pub(crate) name: String,
    /// In what.
    pub(crate) unit: Unit,
    /// Which way is good.
    pub(crate) better: Better,
    /// What it must reach.
    pub(crate) at_least: Goal,
    /// What it should reach.
    pub(crate) aim: Goal,
    /// One for each round.
    pub(crate) values: Vec<f64>,
}

/// Numbers that stand beside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Series {
    /// What they are.
    pub(crate) name: String,
    /// In what.
    pub(crate) unit: Unit,
    /// One for each round.
    pub(crate) values: Vec<f64>,
}

/// Numbers of several things of one kind, side by side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Table {
    /// What is set side by side.
    pub(crate) title: String,
    /// What is known of each.
    pub(crate) columns: Vec<Column>,
    /// The things, each with a cell for each column.
    pub(crate) rows: Vec<Row>,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Column {
    /// What it is.
    pub(crate) name: String,
    /// In what.
    pub(crate) unit: Unit,
}

/// A row of a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Row {
    /// Of what.
    pub(crate) name: String,
    /// For each column one number for each round; none where the column means nothing.
    pub(crate) cells: Vec<Vec<f64>>,
}

/// A goal, in words and as a number in the figure's unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Goal {
    /// As it is written in the specification.
    pub(crate) text: String,
    /// What it comes to in this run.
    pub(crate) value: f64,
}

impl Goal {
    /// See the fields.
    pub(crate) fn new(text: &str, value: f64) -> Self {
        Self {
            text: text.to_owned(),
            value,
        }
    }
}

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Unit {
    /// One number divided by another of its kind.
    Ratio,
    /// How many times as much, where it is many times.
    Times,
    /// A second.
    PerSecond,
    /// Microseconds.
    Micros,
    /// Milliseconds.
    Millis,
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
    /// Hundredths of a whole.
    Percent,
    /// Things.
    Count,
}

/// Which way is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Better {
    /// The more the better.
    More,
    /// The less the better.
    Less,
}

impl Results {
    /// Reads the file; nothing yet when there is none.
    pub(crate) fn read(file: &Path) -> anyhow::Result<Self> {
        match std::fs::read(file) {
            Ok(bytes) => {
                serde_json::from_slice(&bytes).with_context(|| format!("{} cannot be read", file.display()))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| format!("{} cannot be read", file.display())),
        }
    }

    /// Writes the file.
    pub(crate) fn write(&self, file: &Path) -> anyhow::Result<()> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        if let Some(directory) = file.parent() {
            std::fs::create_dir_all(directory)?;
        }
        std::fs::write(file, text).with_context(|| format!("{} cannot be written", file.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of before what the host takes was looked at.
    const EARLIER: &str = r#"{
        "takenAt": "2026-11-21T15:54:11Z",
        "machine": {
            "cores": 2, "processor": "A CPU", "kernel": "Linux 6", "fileSystem": "ext4", "loadAverage": 1.4,
            "syncsPerSecond": 12241.0, "syncUs": 78.0, "fullSyncUs": 107.0
        },
        "quick": false,
        "figures": [],
        "beside": [{ "name": "p50", "unit": "millis", "values": [0.29] }],
        "notes": []
    }"#;

    #[test]
    fn results_of_earlier_runs_are_still_read() {
        let taken: Taken = serde_json::from_str(EARLIER).unwrap();
        assert_eq!(taken.host_took, None);
        assert_eq!(taken.found.beside[0].values, [0.29]);
    }

    #[test]
    fn what_the_host_took_is_read_as_it_was_written_and_absent_if_nobody_knows() {
        let mut taken: Taken = serde_json::from_str(EARLIER).unwrap();
        for (host_took, is_written) in [
            (None, false),
            (
                Some(HostTook {
                    percent: 2.5,
                    worst_second_percent: 61.0,
                }),
                true,
            ),
        ] {
            taken.host_took = host_took;
            let text = serde_json::to_string(&taken).unwrap();
            assert_eq!(text.contains("hostTook"), is_written, "{text}");
            assert_eq!(serde_json::from_str::<Taken>(&text).unwrap(), taken);
        }
    }
}
