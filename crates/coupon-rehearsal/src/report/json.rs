//! `result.json`: the same numbers for programs, with stable names.

use serde::Serialize;
use std::collections::BTreeMap;

use crate::history::{FaultMark, Header};
use crate::outcome::Outcome;
use crate::run::Rehearsal;
use crate::summary::Summary;
use crate::verify::Check;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonResult<'a> {
    passed: bool,
    history: String,
    rehearsal: &'a Header,
    answers: BTreeMap<&'static str, u64>,
    summary: &'a Summary,
    faults: &'a [FaultMark],
    checks: &'a [Check],
}

/// The result as indented JSON.
pub fn json_result(rehearsal: &Rehearsal) -> String {
    let answers = Outcome::ALL.map(|outcome| (outcome.name(), rehearsal.summary.count(outcome)));
    let result = JsonResult {
        passed: rehearsal.verdict.passed(),
        history: rehearsal.history_path.display().to_string(),
        rehearsal: &rehearsal.history.header,
        answers: answers.into_iter().collect(),
        summary: &rehearsal.summary,
        faults: &rehearsal.history.faults,
        checks: &rehearsal.verdict.checks,
    };
    let mut json = serde_json::to_string_pretty(&result).expect("string keys and no failing serializers");
    json.push('\n');
    json
}
