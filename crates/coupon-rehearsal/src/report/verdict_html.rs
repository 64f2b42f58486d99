//! The verdict on the page: every invariant with its evidence, and what violates it.

use super::figure::escaped;
use super::html::heading;
use crate::numbers::grouped;
use crate::verify::{Check, Finding, Verdict};

/// The section with all checks.
pub(super) fn section(verdict: &Verdict) -> String {
    let checks: String = verdict.checks.iter().map(check_item).collect();
    let heading = heading(2, ("Verdict, by invariant", "불변식별 판정"));
    format!("<section>{heading}<ul class=\"checks\">{checks}</ul></section>\n")
}

fn check_item(check: &Check) -> String {
    let (class, sign) = if check.passed() {
        ("ok", "✓")
    } else {
        ("bad", "✕")
    };
    let findings: String = check
        .findings
        .iter()
        .map(|finding| finding_box("finding", finding))
        .collect();
    let remarks: String = check
        .remarks
        .iter()
        .map(|remark| finding_box("remark", remark))
        .collect();
    format!(
        "<li class=\"{class}\"><span class=\"sign\">{sign}</span><span class=\"number\">{}</span><div>\
         <div class=\"title\">{} <span lang=\"ko\">{}</span></div><div class=\"evidence\">{}</div>{findings}{remarks}</div></li>\n",
        check.invariant.number(),
        check.invariant.english(),
        escaped(check.invariant.korean()),
        escaped(&check.evidence),
    )
}

fn finding_box(class: &str, finding: &Finding) -> String {
    let examples: String = finding
        .examples
        .iter()
        .map(|example| format!("<li>{}</li>", escaped(example)))
        .collect();
    let name = finding.kind.name();
    format!(
        "<div class=\"{class}\"><b>{name}: {}</b><ul>{examples}</ul></div>",
        grouped(finding.count)
    )
}
